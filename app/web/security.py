"""Headers on every answer, and the refusal of writes that another site started."""

import secrets
from collections.abc import Sequence
from urllib.parse import urlsplit

from quart import Quart, Request, Response

from app.core import audit, log
from app.core.errors import Forbidden
from app.core.i18n import _
from app.web.bodies import CheckedHeaders
from app.web.current import g, request, this_request
from app.web.guards import SAFE_METHODS, guard_kind
from app.web.request import client_address

# What a page shows this once (a key, a code) must not come back with the browser's back button.
NOT_KEPT = {"Cache-Control": "no-store"}
# The address of a page behind a mailed link is a secret: it must not travel to other sites or stay in a cache.
SECRET_ADDRESS = {"Referrer-Policy": "same-origin", "Cache-Control": "private, no-store"}


def content_security_policy(
    *, form_targets: Sequence[str], media_sources: Sequence[str], captcha: Sequence[str] = ()
) -> str:
    """The policy of every page. `form_targets`: where a form may lead through a redirect (the payment page).

    `captcha`: whose script and frame a page that shows a captcha lets in.
    """
    return "; ".join(
        [
            "default-src 'none'",
            " ".join(["script-src 'self'", *captcha]),
            "style-src 'self'",
            "font-src 'self'",
            " ".join(["img-src 'self' data:", *media_sources]),
            " ".join(["media-src 'self'", *media_sources]),
            "connect-src 'self'",
            "manifest-src 'self'",
            " ".join(["form-action 'self'", *form_targets]),
            " ".join(["frame-src 'self'", *captcha]),
            "frame-ancestors 'none'",
            "base-uri 'none'",
        ]
    )


def fixed_headers(policy: str, app_url: str) -> dict[str, str]:
    """What every answer carries, static files and errors too."""
    fixed = {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "strict-origin-when-cross-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=(), interest-cohort=()",
    }
    if app_url.startswith("https://"):
        # This host only: what else lives under the domain is not ours to bind.
        fixed["Strict-Transport-Security"] = "max-age=31536000"
    return fixed


def install(app: Quart, *, policy: str, app_url: str, hosts: Sequence[str] = ()) -> None:
    """Set the headers, name the request, and check where writes come from.

    The name that a request asks for is the visitor's word, so origins are compared with `hosts`, our names; none of them
    is for a machine that somebody develops on, where any name will do.
    """
    scheme = urlsplit(app_url).scheme
    origins = frozenset({_origin(app_url), *(f"{scheme}://{host}" for host in hosts)})
    defaults = [*fixed_headers(policy, app_url).items(), ("Cache-Control", "private, no-cache")]

    @app.before_request
    async def name_request() -> None:
        current = this_request()
        request_id = g.request_id = secrets.token_hex(8)
        log.about(request_id=request_id, method=current.method, path=_loggable_path(current))
        agent = current.headers.get("User-Agent", "")
        audit.set_actor(audit.Actor(None, client_address(), request_id, user_agent=agent[:300]))

    @app.before_request
    async def refuse_cross_site_writes() -> None:
        if request.method in SAFE_METHODS:
            return
        if guard_kind() in ("machine", "api"):
            return
        if not _is_same_site(origins if hosts else origins | {_origin(request.host_url)}):
            raise Forbidden(_("This form was sent from another site."))

    @app.after_request
    async def set_headers(response: Response) -> Response:
        # Looking into a set: a header that is not there costs 4 µs to ask for; each that is added is checked, 2 µs.
        present = {name.lower() for name, _text in response.headers}
        given = [*response.headers, *(each for each in defaults if each[0].lower() not in present)]
        given.append(("X-Request-Id", g.get("request_id", "")))
        response.headers = CheckedHeaders(given)
        return response


def _loggable_path(current: Request) -> str:
    """The path, without the secret that some links carry."""
    rule = current.url_rule.rule if current.url_rule is not None else ""
    return rule if "<token>" in rule else current.path


def _is_same_site(ours: frozenset[str]) -> bool:
    """Judge by Sec-Fetch-Site, else by Origin, else by Referer (OWASP's CSRF cheat sheet, Fetch Metadata with fallback).

    A browser sends at least one of them with a POST; a client that sends none carries nobody's cookies unasked.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("Origin")
    if origin is not None:
        return origin in ours
    referer = request.headers.get("Referer")
    try:
        return not referer or _origin(referer) in ours
    except ValueError:  # "http://[" is no address, so it is none of ours
        return False


def _origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"
