"""Calls to addresses that a person gave: one client that cannot be led into our own network.

The name is resolved here, every address it has is checked, and the connection goes to a checked address (with the name in
the certificate and in `Host`), so a name that changes between the look and the call gains nothing. No redirect is followed,
no cookie is kept, no proxy of the environment is asked, compressed answers are not unpacked, and time and size are bounded.

OUTGOING_HOSTS names hosts of the installation's own network that may be called all the same, by http too. OUTSIDE_BASE, never
set in production, leads every call to the local stand-ins: `https://api.example/a` is asked for at `{base}/api.example/a`.
"""

import asyncio
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx

from app.config import Config
from app.core import db
from app.gateways.trust import trust

# Seconds for the whole exchange, and for connecting alone.
TIMEOUT, CONNECT = 20.0, 6.0
# Bytes of an answer that are read.
LONGEST_ANSWER = 1024 * 1024
LONGEST_URL = 4096
_AGENT = "Lectern"

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolver = Callable[[str, int], Awaitable[list[str]]]

# IANA's special-purpose registries, and where clouds answer their machines.
_NO_V4 = [
    ipaddress.IPv4Network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32",
    )
]  # fmt: skip
# Only global unicast is called at all: what maps, translates or tunnels IPv4 lies outside of it, or is listed here.
_V6 = ipaddress.IPv6Network("2000::/3")
_NO_V6 = [ipaddress.IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")]
# Names that mean machines near us, whatever they resolve to.
_NEAR = (".localhost", ".local", ".internal", ".intranet", ".lan", ".home.arpa", ".onion")


class OutgoingError(Exception):
    """The parent of what can go wrong. The message is a sentence for the owner, without secrets."""


class Blocked(OutgoingError):
    """The address may not be called, now or later."""


class Unreachable(OutgoingError):
    """No usable answer came. `was_sent` tells that the other side may have acted on the request all the same."""

    def __init__(self, message: str, *, was_sent: bool) -> None:
        super().__init__(message)
        self.was_sent = was_sent


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. Names of headers are in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def choose(config: Config) -> "Outgoing":
    """The client as the installation's settings want it."""
    hosts = frozenset(part.strip().lower() for part in config.outgoing_hosts.split(",") if part.strip())
    return Outgoing(hosts=hosts, base=config.outside_base.rstrip("/"))


def is_public(text: str) -> bool:
    """Whether an address belongs to the open internet: to nobody's own network, and to no way around that."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _NO_V4)
    return address.scope_id is None and address in _V6 and not any(address in network for network in _NO_V6)


async def resolve(host: str, port: int) -> list[str]:
    """The addresses of a name, by the system's resolver. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


@dataclass(frozen=True, slots=True)
class Outgoing:
    """The client. `transport` and `resolver` replace network and names in tests; the checks stay."""

    hosts: frozenset[str] = frozenset()
    base: str = ""
    transport: httpx.AsyncBaseTransport | None = field(default=None, repr=False)
    resolver: Resolver = field(default=resolve, repr=False)
    timeout: float = TIMEOUT
    longest: int = LONGEST_ANSWER

    async def send(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, content: bytes = b""
    ) -> Answer:
        """Ask once. Raises Blocked or Unreachable; any status is an answer, a redirect too."""
        await db.release()
        was_sent = False
        try:
            async with asyncio.timeout(self.timeout):
                if self.base:
                    where, name = self._led_astray(url), ""
                else:
                    where, name = await self._checked(url)
                was_sent = True
                return await self._exchange(method, where, name, dict(headers or {}), content)
        except TimeoutError as error:
            raise Unreachable(f"{host_of(url)} took too long to answer.", was_sent=was_sent) from error

    async def check(self, url: str) -> None:
        """Raise Blocked (or Unreachable, for a name that is not known) when `send` would not call this address."""
        if self.base:
            self._led_astray(url)
        else:
            await self._checked(url)

    def _led_astray(self, url: str) -> httpx.URL:
        parsed = _parsed(url)
        return httpx.URL(f"{self.base}/{parsed.netloc.decode()}{parsed.raw_path.decode()}")

    async def _checked(self, url: str) -> tuple[httpx.URL, str]:
        """Where to connect, and the name that the other side has to prove."""
        parsed = _parsed(url)
        is_named = parsed.host.lower() in self.hosts or parsed.netloc.decode().lower() in self.hosts
        port = parsed.port or (443 if parsed.scheme == "https" else 80)
        if not is_named:
            if parsed.scheme != "https":
                raise Blocked("The address has to begin with https://.")
            if port != 443 and port < 1024:
                raise Blocked(f"Port {port} is not one for web pages.")
            name = f".{parsed.host.lower().rstrip('.')}"
            if name.endswith(_NEAR):
                raise Blocked(f"{parsed.host} is a name inside a network.")
        try:
            found = await self.resolver(parsed.raw_host.decode(), port)
        except (OSError, UnicodeError) as error:
            raise Unreachable(f"{parsed.host} is not known to the name service.", was_sent=False) from error
        if not found:
            raise Unreachable(f"{parsed.host} has no address.", was_sent=False)
        if not is_named and not all(is_public(address) for address in found):
            raise Blocked(f"{parsed.host} leads to an address inside a network.")
        return parsed.copy_with(host=found[0]), parsed.raw_host.decode()

    async def _exchange(
        self, method: str, where: httpx.URL, name: str, headers: dict[str, str], content: bytes
    ) -> Answer:
        headers = {"User-Agent": _AGENT, "Accept": "application/json", "Accept-Encoding": "identity"} | headers
        extensions: dict[str, object] = {}
        if name:
            port = f":{where.port}" if where.port else ""
            headers["Host"] = f"[{name}]{port}" if ":" in name else f"{name}{port}"
            extensions["sni_hostname"] = name
        client = httpx.AsyncClient(
            transport=self.transport or httpx.AsyncHTTPTransport(verify=trust(), trust_env=False, retries=0),
            timeout=httpx.Timeout(self.timeout, connect=CONNECT),
            trust_env=False,
            follow_redirects=False,
        )
        try:
            async with client:
                request = client.build_request(method, where, headers=headers, content=content, extensions=extensions)
                answer = await client.send(request, stream=True)
                async with aclosing(answer):
                    return Answer(answer.status_code, _headers(answer), await self._read(answer))
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise Unreachable(f"{name or where.host} cannot be reached.", was_sent=False) from error
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise Unreachable(f"{name or where.host} broke off ({type(error).__name__}).", was_sent=True) from error

    async def _read(self, answer: httpx.Response) -> bytes:
        """The body, as it was sent: what is packed would have no known size."""
        if answer.headers.get("Content-Encoding", "identity").lower() not in ("", "identity"):
            return b""
        parts, size = [], 0
        async for part in answer.aiter_raw():
            size += len(part)
            if size > self.longest:
                raise Unreachable("The answer is too long.", was_sent=True)
            parts.append(part)
        return b"".join(parts)


def host_of(url: str) -> str:
    """The host of an address, for people; never its user, path or query."""
    try:
        return urlsplit(url).hostname or "The address"
    except ValueError:
        return "The address"


def _headers(answer: httpx.Response) -> dict[str, str]:
    return {name.lower(): value for name, value in answer.headers.items()}


def _parsed(url: str) -> httpx.URL:
    # What two readers of an address could read differently is no address.
    if len(url) > LONGEST_URL or re.search(r"[\s\\\x00-\x1f\x7f]", url):
        raise Blocked("This is not an address that can be called.")
    try:
        parsed = httpx.URL(url)
        split = urlsplit(url)
        odd = split.hostname is None or split.username is not None or split.password is not None
        port = split.port
    except (httpx.InvalidURL, ValueError, UnicodeError) as error:
        raise Blocked("This is not an address that can be called.") from error
    if parsed.scheme not in ("http", "https") or not parsed.host or odd or parsed.userinfo or port == 0:
        raise Blocked("This is not an address that can be called.")
    if "%" in parsed.host or not re.fullmatch(r"[a-z0-9._:\-]+", parsed.raw_host.decode(), re.IGNORECASE):
        raise Blocked("This is not an address that can be called.")
    return parsed
