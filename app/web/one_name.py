"""One machine has several names, and a cookie belongs to one of them.

Who opens a school on this machine as 127.0.0.1, and pays, comes back from the payment page to the name of `APP_URL`,
say `localhost`, without cart or session; nor has a number passkeys. So browsers that come by another name of the loopback
are led to that one. Programs follow nobody: they are answered at any name. Only there: in earnest the names of a school
are the proxy's affair.
"""

import ipaddress
from typing import Any
from urllib.parse import quote, urlsplit

_METHODS = frozenset({"GET", "HEAD"})


class OneName:
    """ASGI middleware that leads `GET`s of this machine's other names, on the same port, to the one of `app_url`."""

    def __init__(self, inner: Any, app_url: str) -> None:
        self._inner = inner
        self._url = app_url.rstrip("/")
        self._host = urlsplit(app_url).netloc.lower().encode()
        self._port = _port(self._url)

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        # A watcher asks by the name it was given, and follows nobody.
        if scope["type"] == "http" and scope["method"] in _METHODS and not scope["path"].startswith("/health/"):
            for name, text in scope["headers"]:
                if name == b"host":
                    if text != self._host and self._is_another_name(text) and _is_browser(scope):
                        await self._lead(scope, send)
                        return
                    break
        await self._inner(scope, receive, send)

    def _is_another_name(self, host: bytes) -> bool:
        address = f"http://{host.decode('latin-1').lower()}"
        try:
            return (
                host.lower() != self._host
                and is_this_machine(urlsplit(address).hostname or "")
                and _port(address) == self._port
            )
        except ValueError:  # no port is called so
            return False

    async def _lead(self, scope: dict[str, Any], send: Any) -> None:
        query = scope["query_string"]
        location = self._url + quote(scope["path"]) + (f"?{query.decode('latin-1')}" if query else "")
        headers = [
            (b"location", location.encode("latin-1")),
            (b"cache-control", b"no-store"),
            (b"content-length", b"0"),
        ]
        await send({"type": "http.response.start", "status": 307, "headers": headers})
        await send({"type": "http.response.body", "body": b""})


def _is_browser(scope: dict[str, Any]) -> bool:
    """Every browser since 2023 says how it came to ask, where it trusts the address; this machine's it does."""
    return any(name == b"sec-fetch-site" for name, _text in scope["headers"])


def is_this_machine(host: str) -> bool:
    """Whether a host's name is one of the loopback."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _port(address: str) -> int:
    parts = urlsplit(address)
    return parts.port or {"https": 443}.get(parts.scheme, 80)
