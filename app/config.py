"""Every setting of Lectern, read once from the environment into one frozen object.

This is the only module that reads the environment. Each setting has a default with which a development
machine boots; in production `Config.from_env` refuses a missing or wrong one with a sentence that says what
to set. The environment variable of a field is its name in capitals.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_type_hints
from urllib.parse import urlsplit

ENVIRONMENTS = ("development", "test", "production")
DEVELOPMENT_SECRET_KEY = "known to everyone, good for a development machine only"  # noqa: S105
GOOGLE = "https://accounts.google.com"
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
PROVISIONING_MODES = ("unofficial-api", "manual")


class ConfigError(Exception):
    """A setting is missing or wrong; the message is one sentence that says what to set."""


class Secret:
    """A text that never shows itself in a repr, a log line or a template; `reveal()` gives it."""

    __slots__ = ("_text",)

    def __init__(self, text: str = "") -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the secret itself, to be handed to the one call that needs it."""
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "Secret(set)" if self._text else "Secret(empty)"

    __str__ = __repr__


UNSET = Secret()
_DEVELOPMENT_KEY = Secret(DEVELOPMENT_SECRET_KEY)
_LOCAL_DATABASE = Secret("postgresql://127.0.0.1:5432/lectern")


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The settings. Urls that may carry a password are secrets too."""

    # The house
    lectern_env: str = "development"
    secret_key: Secret = _DEVELOPMENT_KEY
    app_url: str = "http://127.0.0.1:8000"
    data_dir: Path = Path("var")
    admin_email: str = ""
    log_level: str = "INFO"
    trusted_proxies: int = 0
    country_header: str = ""
    geoip_database: str = ""
    client_address_header: str = ""
    trusted_proxy_networks: str = ""
    allowed_hosts: str = ""
    security_contact: str = ""

    # Web and worker processes
    web_concurrency: int = 2
    worker_concurrency: int = 4
    worker_max_retries: int = 5
    page_cache_mb: int = 64

    # Database, cache
    database_url: Secret = _LOCAL_DATABASE
    database_url_unpooled: Secret = UNSET
    database_pool_size: int = 10
    redis_url: Secret = UNSET

    # Payments: Stripe
    stripe_secret: Secret = UNSET
    stripe_publishable_key: str = ""
    stripe_webhook_secret: tuple[Secret, ...] = ()
    stripe_api_base: str = ""
    stripe_allow_test: bool = False

    # Mail: Postmark or SMTP
    from_email: str = "Lectern <school@localhost>"
    postmark_token: Secret = UNSET
    smtp_host: str = ""
    smtp_port: int = 587
    smtp_username: str = ""
    smtp_password: Secret = UNSET

    # Files: R2 or any S3
    r2_endpoint: str = ""
    r2_access_key_id: str = ""
    r2_secret_access_key: Secret = UNSET
    r2_bucket: str = ""
    r2_public_bucket: str = ""
    r2_public_url: str = ""
    cdn_base_url: str = ""

    # Video: Bunny Stream
    bunny_stream_library_id: str = ""
    bunny_stream_api_key: Secret = UNSET
    bunny_storage_zone: str = ""
    bunny_storage_api_key: Secret = UNSET
    bunny_storage_hostname: str = ""
    bunny_cdn_url: str = ""

    # Search: Meilisearch
    meilisearch_host: str = ""
    meilisearch_api_key: Secret = UNSET

    # Calls to addresses that a person gave
    outgoing_hosts: str = ""
    outside_base: str = ""

    # Sign-in with Google, captcha
    google_client_id: str = ""
    google_client_secret: Secret = UNSET
    google_issuer: str = GOOGLE
    turnstile_site_key: str = ""
    turnstile_secret_key: Secret = UNSET
    turnstile_api_base: str = "https://challenges.cloudflare.com"

    # Provisioning of outside systems
    provisioning_mode: str = "manual"
    provisioning_fallback_mode: str = "manual"
    tv_access_api_url: str = ""
    tv_session_id: Secret = UNSET
    tv_signature: Secret = UNSET

    # Errors and traces
    sentry_dsn: Secret = UNSET
    otel_exporter_otlp_endpoint: str = ""
    otel_exporter_otlp_headers: Secret = UNSET
    otel_service_name: str = "lectern"

    @property
    def is_production(self) -> bool:
        return self.lectern_env == "production"

    @property
    def hosts(self) -> tuple[str, ...]:
        """The names under which the school may be asked for: that of APP_URL, and ALLOWED_HOSTS."""
        others = (part.strip().lower() for part in self.allowed_hosts.split(","))
        return (urlsplit(self.app_url).netloc.lower(), *(host for host in others if host))

    @property
    def is_test(self) -> bool:
        return self.lectern_env == "test"

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Config:
        """Read and check every setting, from `env` or else the process environment.

        Raises ConfigError with one sentence for the first setting that is missing or wrong.
        """
        env = os.environ if env is None else env
        env = {**env, "LECTERN_ENV": env.get("LECTERN_ENV") or env.get("ENVIRONMENT", "")}
        hints = get_type_hints(cls)
        given: dict[str, Any] = {}
        for field in fields(cls):
            name = field.name.upper()
            text = env.get(name, "").strip()
            if text:
                given[field.name] = _PARSERS[hints[field.name]](name, text)
        given.setdefault("database_url_unpooled", given.get("database_url", cls._default("database_url")))
        config = cls(**given)
        for check in (_check_values, _check_visitors, _check_groups, _check_stripe):
            check(config)
        if config.is_production:
            _check_production(config, given)
        else:
            _check_development(config, given)
        return config

    @classmethod
    def _default(cls, name: str) -> Any:
        return next(field.default for field in fields(cls) if field.name == name)


def _parse_number(name: str, text: str) -> int:
    if not text.isdecimal():
        raise ConfigError(f"Set {name} to a whole number of zero or more; it is {text!r}.")
    return int(text)


def _parse_switch(name: str, text: str) -> bool:
    if text.lower() not in ("1", "true", "yes", "on", "0", "false", "no", "off"):
        raise ConfigError(f"Set {name} to 1 or 0; it is {text!r}.")
    return text.lower() in ("1", "true", "yes", "on")


_PARSERS: dict[Any, Callable[[str, str], Any]] = {
    str: lambda name, text: text,
    int: _parse_number,
    bool: _parse_switch,
    Path: lambda name, text: Path(text),
    Secret: lambda name, text: Secret(text),
    tuple[Secret, ...]: lambda name, text: tuple(Secret(t.strip()) for t in text.split(",") if t.strip()),
}


def _check_values(config: Config) -> None:
    """Check the settings that have few right values, whatever the environment."""
    _one_of("LECTERN_ENV", config.lectern_env, ENVIRONMENTS)
    _one_of("LOG_LEVEL", config.log_level, LOG_LEVELS)
    _one_of("PROVISIONING_MODE", config.provisioning_mode, PROVISIONING_MODES)
    _one_of("PROVISIONING_FALLBACK_MODE", config.provisioning_fallback_mode, PROVISIONING_MODES)
    for name in ("web_concurrency", "worker_concurrency", "worker_max_retries", "database_pool_size"):
        if getattr(config, name) < 1:
            raise ConfigError(f"Set {name.upper()} to 1 or more.")
    for name in ("database_url", "database_url_unpooled"):
        if urlsplit(getattr(config, name).reveal()).scheme not in ("postgresql", "postgres"):
            raise ConfigError(f"Set {name.upper()} to an address that begins with postgresql://.")
    if config.redis_url and urlsplit(config.redis_url.reveal()).scheme not in ("redis", "rediss", "unix"):
        raise ConfigError("Set REDIS_URL to an address that begins with redis://, rediss:// or unix://.")
    if urlsplit(config.google_issuer).scheme not in ("http", "https"):
        raise ConfigError(f"Set GOOGLE_ISSUER to an address that begins with https://; it is {config.google_issuer!r}.")
    if config.outside_base and urlsplit(config.outside_base).scheme not in ("http", "https"):
        raise ConfigError("Set OUTSIDE_BASE to an address that begins with http:// or https://.")
    address = urlsplit(config.app_url)
    if address.scheme not in ("http", "https") or not address.hostname or address.path.strip("/"):
        raise ConfigError(
            f"Set APP_URL to the school's address without a path, such as https://school.example; "
            f"it is {config.app_url!r}."
        )


def _check_visitors(config: Config) -> None:
    """Whose word about the visitor is believed: half a setting would believe everybody, or nobody."""
    if config.trusted_proxies and config.client_address_header:
        raise ConfigError("Set either TRUSTED_PROXIES or CLIENT_ADDRESS_HEADER, not both.")
    if config.client_address_header and not config.trusted_proxy_networks:
        raise ConfigError(
            "Set TRUSTED_PROXY_NETWORKS to the networks of the proxy that sets CLIENT_ADDRESS_HEADER: "
            "anybody else could send that header too."
        )
    contact = config.security_contact
    if (contact and not (contact.startswith("https://") or "@" in contact)) or not contact.isprintable():
        raise ConfigError("Set SECURITY_CONTACT to a mail address, or to the https:// address of a page.")
    for part in config.trusted_proxy_networks.split(","):
        try:
            ipaddress.ip_network(part.strip() or "127.0.0.1")
        except ValueError:
            raise ConfigError(
                f"Set TRUSTED_PROXY_NETWORKS to networks such as 172.16.0.0/12, with commas between; one is {part.strip()!r}."
            ) from None
    for host in config.hosts:
        if not re.fullmatch(r"[a-z0-9.\-]+(:\d+)?|\[[0-9a-f:.]+\](:\d+)?", host):
            raise ConfigError(
                f"Set ALLOWED_HOSTS to names such as www.school.example, with commas between; one is {host!r}."
            )


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ConfigError(f"Set {name} to {', '.join(allowed[:-1])} or {allowed[-1]}; it is {value!r}.")


# A vendor is chosen when its key is set, so a half-set vendor is a mistake, not a choice.
_TOGETHER = (
    ("SMTP_USERNAME", "SMTP_PASSWORD"),
    ("R2_ENDPOINT", "R2_ACCESS_KEY_ID", "R2_SECRET_ACCESS_KEY", "R2_BUCKET"),
    ("BUNNY_STREAM_LIBRARY_ID", "BUNNY_STREAM_API_KEY"),
    ("BUNNY_STORAGE_ZONE", "BUNNY_STORAGE_API_KEY", "BUNNY_STORAGE_HOSTNAME"),
    ("MEILISEARCH_HOST", "MEILISEARCH_API_KEY"),
    ("GOOGLE_CLIENT_ID", "GOOGLE_CLIENT_SECRET"),
    ("TURNSTILE_SITE_KEY", "TURNSTILE_SECRET_KEY"),
)


def _check_groups(config: Config) -> None:
    for names in _TOGETHER:
        missing = [name for name in names if not getattr(config, name.lower())]
        if missing and len(missing) < len(names):
            present = next(name for name in names if name not in missing)
            raise ConfigError(f"Set {' and '.join(missing)} too, or remove {present}: they work together.")
    _check_public_files(config)
    if config.postmark_token and config.smtp_host:
        raise ConfigError("Set either POSTMARK_TOKEN or SMTP_HOST, not both.")
    if config.provisioning_mode == "unofficial-api" and not (
        config.tv_access_api_url or (config.tv_session_id and config.tv_signature)
    ):
        raise ConfigError(
            "Set TV_ACCESS_API_URL, or TV_SESSION_ID and TV_SIGNATURE, "
            "or set PROVISIONING_MODE to manual to grant access by hand."
        )


def _check_public_files(config: Config) -> None:
    """A public address opens a bucket as a whole, and a signed address tells where in it a paid film lies."""
    name = "R2_PUBLIC_URL" if config.r2_public_url else "CDN_BASE_URL"
    if not (config.r2_public_url or config.cdn_base_url):
        return
    if not config.r2_endpoint:
        raise ConfigError(f"Set R2_ENDPOINT and what belongs to it, or remove {name}: it shows files that lie there.")
    if config.r2_public_bucket in ("", config.r2_bucket):
        raise ConfigError(
            f"Set R2_PUBLIC_BUCKET to the bucket that {name} shows, another one than R2_BUCKET: "
            "everybody can read what is in it."
        )


def _check_stripe(config: Config) -> None:
    """Refuse a key of the wrong kind before it fails in front of a buyer or charges a real card."""
    secret, publishable = config.stripe_secret.reveal(), config.stripe_publishable_key
    if secret and not secret.startswith(("sk_live_", "rk_live_", "sk_test_", "rk_test_")):
        kind = "a publishable key" if secret.startswith("pk_") else "something else"
        raise ConfigError(f"Set STRIPE_SECRET to Stripe's secret key (sk_…); it holds {kind}.")
    if publishable and not publishable.startswith(("pk_live_", "pk_test_")):
        kind = "a secret key" if publishable.startswith(("sk_", "rk_")) else "something else"
        raise ConfigError(f"Set STRIPE_PUBLISHABLE_KEY to Stripe's publishable key (pk_…); it holds {kind}.")
    if secret and publishable and ("_live_" in secret) != ("_live_" in publishable):
        raise ConfigError(
            "Set STRIPE_SECRET and STRIPE_PUBLISHABLE_KEY to keys of the same mode, both live or both test."
        )
    if not all(s.reveal().startswith("whsec_") for s in config.stripe_webhook_secret):
        raise ConfigError(
            "Set STRIPE_WEBHOOK_SECRET to the endpoint's signing secret (whsec_…), or to several with commas between."
        )
    if config.stripe_api_base and "_live_" in secret:
        raise ConfigError("Remove STRIPE_API_BASE: a live STRIPE_SECRET is sent to Stripe only.")


def _check_production(config: Config, given: Mapping[str, Any]) -> None:
    """Refuse to start a production process without what it cannot do without."""
    if not config.google_issuer.startswith("https://"):
        raise ConfigError("Set GOOGLE_ISSUER to an address that begins with https://, or remove it.")
    if "database_url" not in given:
        raise ConfigError("Set DATABASE_URL to the address of a PostgreSQL database (postgresql://…).")
    if len(config.secret_key.reveal()) < 32 or config.secret_key.reveal() == DEVELOPMENT_SECRET_KEY:
        raise ConfigError(
            "Set SECRET_KEY to at least 32 random characters, "
            'such as the output of: python -c "import secrets; print(secrets.token_urlsafe(48))".'
        )
    if "app_url" not in given or not config.app_url.startswith("https://"):
        raise ConfigError("Set APP_URL to the school's public address; it begins with https://.")
    if not config.stripe_secret:
        raise ConfigError("Set STRIPE_SECRET to Stripe's live secret key (sk_live_…).")
    if "_test_" in config.stripe_secret.reveal() and not config.stripe_allow_test:
        raise ConfigError(
            "Set STRIPE_SECRET to a live key (sk_live_…); it is a test key, with which nobody can pay "
            "(STRIPE_ALLOW_TEST=1 allows it on a rehearsal site)."
        )
    if not config.stripe_webhook_secret:
        raise ConfigError("Set STRIPE_WEBHOOK_SECRET to the webhook endpoint's signing secret (whsec_…).")
    if "from_email" not in given or "@" not in config.from_email:
        raise ConfigError("Set FROM_EMAIL to the address that the school's mail comes from.")
    if config.turnstile_api_base != Config._default("turnstile_api_base"):
        raise ConfigError("Remove TURNSTILE_API_BASE: in production only Cloudflare says who is a person.")
    if config.outside_base:
        raise ConfigError("Remove OUTSIDE_BASE: it leads what forms hand on to stand-ins for the real services.")
    if config.turnstile_secret_key and config.turnstile_secret_key.reveal()[:2] in ("1x", "2x", "3x"):
        raise ConfigError("Set TURNSTILE_SECRET_KEY to the secret of a widget of yours; it is one for trying out.")
    if not (config.postmark_token or config.smtp_host):
        raise ConfigError("Set POSTMARK_TOKEN or SMTP_HOST, so that the school can send mail.")


def _check_development(config: Config, given: Mapping[str, Any]) -> None:
    """Refuse what would be dangerous on a machine that calls itself a development one."""
    if "_live_" in config.stripe_secret.reveal():
        raise ConfigError(
            "Set STRIPE_SECRET to a test key (sk_test_…): a live key charges real cards, "
            "so it needs LECTERN_ENV=production."
        )
    if "secret_key" not in given and not _is_this_machine(urlsplit(config.app_url).hostname or ""):
        raise ConfigError(
            "Set LECTERN_ENV=production, or at least SECRET_KEY: APP_URL is an address that others can reach."
        )


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith((".localhost", ".test"))
