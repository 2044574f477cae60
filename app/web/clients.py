"""Where a request comes from: the peer, or whom the proxies in front of us name, each believed only as far as set.

Two ways, of which an installation has one (docs/architecture.md):

- `TRUSTED_PROXIES` counts the addresses of X-Forwarded-For from the right.
- `CLIENT_ADDRESS_HEADER` names the header that a proxy sets, as `Fly-Client-IP`; several, from ours outward, as
  `Fly-Client-IP, CF-Connecting-IP`. Each is read only while the address known so far lies in `TRUSTED_PROXY_NETWORKS`:
  who comes past Cloudflare straight to Fly may send what they like, since Fly names them and not Cloudflare.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from werkzeug.datastructures import Headers

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
# One customer of an IPv6 provider has all of a /64, so to count single addresses would count nothing.
COUNTED_V6 = 64


@dataclass(frozen=True, slots=True)
class Proxies:
    """Whom to believe. `hops` counts X-Forwarded-For from the right; `headers` are asked from ours outward."""

    hops: int = 0
    headers: tuple[str, ...] = ()
    networks: tuple[Network, ...] = ()

    def trusts(self, address: str) -> bool:
        """Whether this is the address of a proxy of ours."""
        return _lies_in(address, self.networks)


def parse_networks(text: str) -> tuple[Network, ...]:
    """`172.16.0.0/12, fdaa::/16` as networks. Raises ValueError for anything else."""
    return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())


def address_of(peer: str, headers: Headers, proxies: Proxies) -> str:
    """The visitor's address: `peer`, or what the trusted proxies before us say."""
    return _told(peer, headers, proxies)[0]


def is_vouched(peer: str, headers: Headers, proxies: Proxies) -> bool:
    """Whether the request came through all proxies that should be there, so that what the outermost adds is its word."""
    return _told(peer, headers, proxies)[1]


def _told(peer: str, headers: Headers, proxies: Proxies) -> tuple[str, bool]:
    if proxies.headers:
        return _named(peer, headers, proxies)
    if proxies.hops and (not proxies.networks or proxies.trusts(_plain(peer))):
        # Some proxies add a header of their own behind the client's instead of a hop to it: all of them count.
        forwarded = ",".join(headers.getlist("X-Forwarded-For"))
        hops = [hop.strip() for hop in forwarded.split(",") if hop.strip()]
        if len(hops) >= proxies.hops:
            return _plain(hops[-proxies.hops]), True
    return _plain(peer), False


def _named(peer: str, headers: Headers, proxies: Proxies) -> tuple[str, bool]:
    found = _plain(peer)
    for name in proxies.headers:
        said = headers.getlist(name)
        # Twice the same header: one of them is the visitor's own.
        if not proxies.trusts(found) or len(said) != 1 or _parsed(said[0].strip()) is None:
            return found, False
        found = _plain(said[0].strip())
    return found, True


def network_of(address: str) -> str:
    """What limits count by: an IPv4 address, the /64 of an IPv6 one; what is neither stays as it is."""
    found = _parsed(address)
    if isinstance(found, IPv6Address):
        return str(IPv6Network((int(found), COUNTED_V6), strict=False))
    return address


@lru_cache(maxsize=4096)
def _plain(text: str) -> str:
    """The shortest spelling, so that one address is not many; an IPv4 address in IPv6 clothes is an IPv4 address."""
    found = _parsed(text)
    return str(found) if found is not None else text[:64]


@lru_cache(maxsize=4096)
def _parsed(text: str) -> Address | None:
    try:
        found = ip_address(_without_port(text).partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found


def _without_port(text: str) -> str:
    """Some proxies name the port too (`203.0.113.7:50432`, `[2001:db8::7]:443`): else each connection were somebody new."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text


@lru_cache(maxsize=4096)
def _lies_in(address: str, networks: Sequence[Network]) -> bool:
    found = _parsed(address)
    return found is not None and any(found in network for network in networks)
