"""The whole product put together: lists the domains, wires them, opens and closes the connections."""

import gc
import importlib
import importlib.util
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from quart import Blueprint, Quart, g, request
from quart.routing import _normalise_host
from quart.sessions import NullSession, SessionInterface, SessionMixin
from quart.wrappers.base import BaseRequestWebsocket
from werkzeug.exceptions import BadHost
from werkzeug.routing import Map, MapAdapter

from app.config import Config
from app.core import cache, db, log, mail, queue, reach, tokens
from app.core.settings import school
from app.gateways import captcha, identity, mailer
from app.web import (
    api,
    assets,
    bodies,
    clients,
    compression,
    errors,
    flash,
    guards,
    health,
    one_name,
    plates,
    render,
    security,
    theme,
    typed,
)
from app.web.page_cache import PageCache
from app.web.tables import routes as tables

# From left to right: a domain imports only from those before it.
DOMAINS = (
    "accounts",
    "media",
    "courses",
    "catalogue",
    "access",
    "commerce",
    "learning",
    "imports",
    "formbuilder",
    "seo",
    "ops",
    "admin",
)
ROOMS = ("personal", "jobs", "routes", "admin", "api", "merging")


class NoSessions(SessionInterface):
    """Sessions are rows (app.accounts.sessions): the framework's own, in a signed cookie, are never asked for."""

    _none = NullSession()

    async def open_session(self, app: Quart, request: BaseRequestWebsocket) -> SessionMixin:
        """The same nothing for everybody; it refuses to be written to."""
        return self._none


class Lectern(Quart):
    """Quart with one database connection held over the queries of each request, behind the cache of public pages."""

    pages: PageCache
    session_interface: Any = NoSessions()

    # Its answer for a function never changes, and a request asks a dozen times (15 µs).
    ensure_async = lru_cache(maxsize=1024)(Quart.ensure_async)

    def create_url_adapter(self, request: BaseRequestWebsocket | None) -> MapAdapter | None:
        """As Quart's, for an application that has one name: its parts are not looked at each time (20 µs)."""
        if request is None:
            return None
        return MapAdapter(
            self.url_map,
            _bound_name(request.scheme, request.host),
            request.root_path,
            self.url_map.default_subdomain,
            request.scheme,
            request.path,
            request.method,
            request.query_string.decode(),
        )

    async def full_dispatch_request(self, *args: Any) -> Any:
        async with db.hold():
            return await super().full_dispatch_request(*args)

    async def handle_user_exception(self, error: Exception) -> Any:
        """Answer a page that lost its database connection half-way by drawing it once more: a GET may be repeated."""
        if request.method in guards.SAFE_METHODS and reach.is_lost(error) and "drawn_again" not in g:
            g.drawn_again = True
            await db.release()
            try:
                result = await self.preprocess_request()
                return result if result is not None else await self.dispatch_request()
            except Exception as again:
                error = again
        return await super().handle_user_exception(error)


@lru_cache(maxsize=256)
def _bound_name(scheme: str, host: str) -> str:
    """The name that a redirect to the true spelling of a path leads to; what cannot be one counts as none."""
    try:
        return Map().bind(_normalise_host(scheme, host.lower()), url_scheme=scheme).server_name
    except BadHost:  # raised here it would end the request before anything of ours could answer it
        return ""


def create_app(config: Config | None = None) -> Lectern:
    """The whole product as one ASGI application. Raises ConfigError when a setting is missing or wrong."""
    config = config or Config.from_env()
    gate = captcha.choose(config)
    app = Lectern(__name__, static_folder=None, template_folder=None)
    app.config.update(
        LECTERN=config,
        SECURE_COOKIES=config.app_url.startswith("https://"),
        PROXIES=_proxies(config),
        CAPTCHA=gate,
        CONTENT_SECURITY_POLICY=_policy(config),
        CAPTCHA_POLICY=_policy(config, captcha=[gate.origin] if gate is not None else []),
        COUNTRY_HEADER=config.country_header,
        GEOIP_DATABASE=config.geoip_database,
        MAX_CONTENT_LENGTH=bodies.MEGABYTE,
        SEND_FILE_MAX_AGE_DEFAULT=timedelta(0),
    )
    tokens.configure(config.secret_key.reveal())
    queue.configure(config.worker_max_retries)
    files = assets.Assets()
    render.configure(
        files, app_url=config.app_url, debug=not config.is_production, compiled=config.data_dir / "cache" / "templates"
    )
    mail.configure(render=render.mail, mailer=mailer.choose(config), sender=_sender(config))
    bodies.install(app)
    policy = _policy(config)
    hosts = () if config.lectern_env == "development" else config.hosts
    security.install(app, policy=policy, app_url=config.app_url, hosts=hosts)
    # Answers pass through these from the last to the first.
    compression.install(app)
    flash.install(app)
    typed.install(app)
    errors.install(app)
    api.install(app)
    health.install(app)
    theme.install(app)
    plates.install(app)
    tables.install(app)
    load_domains(app)
    sessions = importlib.import_module("app.accounts.sessions")
    guards.install(app, sessions.is_fresh, sessions.look_again)

    @app.before_serving
    async def open_connections() -> None:
        await start(config, lazily=True)
        if config.page_cache_mb:
            app.pages.listener.start()
        with suppress(Exception):  # so that a page about a database that went away can be drawn in the school's name
            await school()
        # What is loaded by now stays: the collector need not walk over it again and again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(10_000, 20, 50)

    @app.after_serving
    async def close_connections() -> None:
        await app.pages.listener.stop()
        await stop()

    app.pages = PageCache(
        app.asgi_app,  # type: ignore[arg-type]
        app,
        app_url=config.app_url,
        database_url=config.database_url_unpooled.reveal(),
        megabytes=config.page_cache_mb,
        personal_cookies=(importlib.import_module("app.accounts.sessions").COOKIE, flash.COOKIE),
    )
    app.asgi_app = app.pages  # type: ignore[method-assign, assignment]
    if one_name.is_this_machine(urlsplit(config.app_url).hostname or ""):
        app.asgi_app = one_name.OneName(app.pages, config.app_url)  # type: ignore[method-assign, assignment]
    app.asgi_app = assets.AssetServer(app.asgi_app, files, security.fixed_headers(policy, config.app_url))  # type: ignore[method-assign, assignment, arg-type]
    return app


def load_domains(app: Quart | None = None) -> None:
    """Import the rooms of every domain: its jobs register themselves, its routes are put into `app`."""
    for floor in ("app.core.records", "app.web.personal"):
        importlib.import_module(floor)
    for domain in DOMAINS:
        package = f"app.{domain}"
        for room in ROOMS:
            if importlib.util.find_spec(f"{package}.{room}") is None:
                continue
            module = importlib.import_module(f"{package}.{room}")
            for blueprint in vars(module).values():
                if app is not None and isinstance(blueprint, Blueprint) and blueprint.import_name == module.__name__:
                    app.register_blueprint(blueprint)
        install = getattr(importlib.import_module(package), "install", None)
        if app is not None and install is not None:
            install(app)


async def start(config: Config, *, unpooled: bool = False, lazily: bool = False) -> None:
    """Open the outside connections of a process: log, database, Redis.

    `lazily`: the database may be away for the moment; a web process that starts meanwhile waits for it with each request.
    """
    log.configure(config.log_level, as_json=config.is_production)
    url = config.database_url_unpooled if unpooled else config.database_url
    await db.connect(url.reveal(), min_size=0 if lazily else 1, max_size=config.database_pool_size)
    cache.configure(config.redis_url.reveal())


async def stop() -> None:
    """Close them."""
    await cache.close()
    await db.disconnect()


def _proxies(config: Config) -> clients.Proxies:
    headers = tuple(name.strip() for name in config.client_address_header.split(",") if name.strip())
    return clients.Proxies(config.trusted_proxies, headers, clients.parse_networks(config.trusted_proxy_networks))


def _policy(config: Config, *, captcha: Sequence[str] = ()) -> str:
    """Forms may lead to the payment page and to Google's; pictures and films may come from the CDN."""
    payment = "https://checkout.stripe.com"
    if config.stripe_api_base:
        payment = _origin(config.stripe_api_base)
    files = (config.cdn_base_url, config.r2_public_url, config.r2_endpoint, config.bunny_cdn_url)
    sources = {_origin(url) for url in files if url}
    targets = [target for target in (payment, identity.form_target(config)) if target]
    return security.content_security_policy(form_targets=targets, media_sources=sorted(sources), captcha=captcha)


def _origin(url: str) -> str:
    parts = urlsplit(url if "://" in url else f"https://{url}")
    return f"{parts.scheme}://{parts.netloc}"


def _sender(config: Config) -> Any:
    async def sender() -> str:
        return (await school()).mail_sender or config.from_email

    return sender
