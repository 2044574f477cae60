"""What a handler asks about the request it serves."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol
from urllib.parse import urlsplit

from quart import Request, current_app, url_for

from app.web import clients
from app.web.current import g, request


class Visitor(Protocol):
    """Who asks. `app.accounts` puts one into `g.user` for a signed-in person; None is a visitor."""

    id: int
    public_id: str
    email: str
    name: str
    role: str
    time_zone: str | None
    is_held_back: bool
    must_choose_password: bool

    def can(self, capability: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class Fragment:
    """The part of a page that htmx asked for."""

    target: str

    @property
    def block(self) -> str:
        return self.target.replace("-", "_")


def path_for(endpoint: str, **values: Any) -> str:
    """The path of a route, as `url_for`; kept, since building one takes 20 µs and pages have dozens."""
    if any(name.startswith("_") for name in values) or endpoint.startswith("."):
        return url_for(endpoint, **values)
    return _path(endpoint, tuple(values.items()))


@lru_cache(maxsize=4096)
def _path(endpoint: str, values: tuple[tuple[str, Any], ...]) -> str:
    return url_for(endpoint, **dict(values))


def user() -> Visitor | None:
    """The signed-in person, or None."""
    found: Visitor | None = g.get("user")
    return found


def signed_in_user() -> Visitor:
    """The signed-in person of a guarded handler."""
    found = user()
    if found is None:
        raise RuntimeError("this handler is not guarded")
    return found


def is_htmx(current: Request | None = None) -> bool:
    """True when htmx sent this request and will swap the answer into a page."""
    return (current or request).headers.get("HX-Request") == "true"


def fragment() -> Fragment | None:
    """What htmx wants to replace (`HX-Target: section#order-lines`), or None for a whole page."""
    if not is_htmx() or request.headers.get("HX-Request-Type") == "full":
        return None
    if request.headers.get("HX-History-Restore-Request") == "true":
        return None
    _, _, target = request.headers.get("HX-Target", "").partition("#")
    return Fragment(target) if target else None


def client_address() -> str:
    """The address that the request came from, believing only the proxies that the settings name."""
    return clients.address_of(request.remote_addr or "unknown", request.headers, current_app.config["PROXIES"])


def is_vouched() -> bool:
    """Whether the request came through every proxy that the settings name: what the outermost adds may be believed."""
    return clients.is_vouched(request.remote_addr or "unknown", request.headers, current_app.config["PROXIES"])


def client_network() -> str:
    """What limits count by: the address, or the whole /64 of an IPv6 one, which is somebody's for free."""
    return clients.network_of(client_address())


def safe_next(address: str | None, default: str) -> str:
    """A local address to go on to, or `default` when it would lead elsewhere (open redirects)."""
    if not address or not address.startswith("/") or address.startswith(("//", "/\\")) or "\\" in address:
        return default
    if any(ord(character) < 32 for character in address):
        return default
    parts = urlsplit(address)
    return address if not parts.scheme and not parts.netloc else default
