"""Where a request comes from: nobody chooses the address that they are known and counted by."""

from collections import Counter
from typing import Any

import pytest
from werkzeug.datastructures import Headers

from app import Lectern
from app.web import clients
from app.web.clients import Proxies, address_of, network_of, parse_networks
from app.web.request import client_network

# Stand-ins for Fly's and Cloudflare's: networks for documentation (RFC 5737, RFC 3849).
FLY, CLOUDFLARE = "172.16.0.0/12, fdaa::/16", "198.51.100.0/24, 2001:db8:cf::/48"
ON_FLY = Proxies(headers=("Fly-Client-IP",), networks=parse_networks(FLY))
BEHIND_CLOUDFLARE = Proxies(headers=("CF-Connecting-IP",), networks=parse_networks(CLOUDFLARE))
BOTH = Proxies(headers=("Fly-Client-IP", "CF-Connecting-IP"), networks=parse_networks(f"{FLY}, {CLOUDFLARE}"))
COUNTED = Proxies(hops=2, networks=parse_networks(FLY))


@pytest.mark.parametrize(
    ("proxies", "peer", "sent", "expected"),
    [
        # Nothing stands in front, so nobody is believed.
        (Proxies(), "203.0.113.7", {"Fly-Client-IP": "6.6.6.6", "X-Forwarded-For": "6.6.6.6"}, "203.0.113.7"),
        # Fly
        (ON_FLY, "172.16.3.2", {"Fly-Client-IP": "203.0.113.7"}, "203.0.113.7"),
        (ON_FLY, "fdaa:0:1::3", {"Fly-Client-IP": "2001:db8::7"}, "2001:db8::7"),
        (ON_FLY, "172.16.3.2", {"Fly-Client-IP": " 203.0.113.7 "}, "203.0.113.7"),
        # Past Fly: the header is the visitor's own.
        (ON_FLY, "203.0.113.9", {"Fly-Client-IP": "6.6.6.6"}, "203.0.113.9"),
        (ON_FLY, "172.15.0.1", {"Fly-Client-IP": "6.6.6.6"}, "172.15.0.1"),
        # Other headers are nobody's.
        (ON_FLY, "172.16.3.2", {"X-Forwarded-For": "6.6.6.6", "CF-Connecting-IP": "6.6.6.6"}, "172.16.3.2"),
        (ON_FLY, "172.16.3.2", {"Fly-Client-IP": ["6.6.6.6", "203.0.113.7"]}, "172.16.3.2"),
        (ON_FLY, "172.16.3.2", {"Fly-Client-IP": "6.6.6.6, 203.0.113.7"}, "172.16.3.2"),
        (ON_FLY, "172.16.3.2", {"Fly-Client-IP": ""}, "172.16.3.2"),
        (ON_FLY, "172.16.3.2", {"Fly-Client-IP": "localhost"}, "172.16.3.2"),
        (ON_FLY, "172.16.3.2", {"Fly-Client-IP": "'; DROP TABLE users"}, "172.16.3.2"),
        # One address is not many by its spelling.
        (ON_FLY, "172.16.3.2", {"Fly-Client-IP": "::ffff:203.0.113.7"}, "203.0.113.7"),
        (ON_FLY, "::ffff:172.16.3.2", {"Fly-Client-IP": "203.0.113.7"}, "203.0.113.7"),
        (ON_FLY, "172.16.3.2", {"Fly-Client-IP": "2001:DB8:0:0::7"}, "2001:db8::7"),
        # Cloudflare straight to us
        (BEHIND_CLOUDFLARE, "198.51.100.20", {"CF-Connecting-IP": "203.0.113.7"}, "203.0.113.7"),
        (BEHIND_CLOUDFLARE, "203.0.113.9", {"CF-Connecting-IP": "6.6.6.6"}, "203.0.113.9"),
        # Cloudflare, then Fly
        (BOTH, "172.16.3.2", {"Fly-Client-IP": "198.51.100.20", "CF-Connecting-IP": "203.0.113.7"}, "203.0.113.7"),
        (BOTH, "172.16.3.2", {"Fly-Client-IP": "2001:db8:cf::1", "CF-Connecting-IP": "2001:db8::7"}, "2001:db8::7"),
        # Past Cloudflare straight to Fly: Fly names the visitor, and what else they send is not believed.
        (BOTH, "172.16.3.2", {"Fly-Client-IP": "203.0.113.9", "CF-Connecting-IP": "6.6.6.6"}, "203.0.113.9"),
        (BOTH, "172.16.3.2", {"CF-Connecting-IP": "6.6.6.6"}, "172.16.3.2"),
        (BOTH, "203.0.113.9", {"Fly-Client-IP": "198.51.100.20", "CF-Connecting-IP": "6.6.6.6"}, "203.0.113.9"),
        # Counting, for known proxies only
        (COUNTED, "172.16.3.2", {"X-Forwarded-For": "6.6.6.6, 203.0.113.7, 66.241.1.1"}, "203.0.113.7"),
        (COUNTED, "172.16.3.2", {"X-Forwarded-For": "203.0.113.7:50432, 66.241.1.1:80"}, "203.0.113.7"),
        (COUNTED, "172.16.3.2", {"X-Forwarded-For": "[2001:DB8::7]:443, 66.241.1.1"}, "2001:db8::7"),
        (ON_FLY, "172.16.3.2", {"Fly-Client-IP": "203.0.113.7:1"}, "203.0.113.7"),
        (COUNTED, "203.0.113.9", {"X-Forwarded-For": "6.6.6.6, 7.7.7.7, 8.8.8.8"}, "203.0.113.9"),
    ],
)
def test_only_proxies_of_ours_say_who_comes(proxies: Proxies, peer: str, sent: dict[str, Any], expected: str) -> None:
    headers = Headers(
        [(name, each) for name, text in sent.items() for each in ([text] if isinstance(text, str) else text)]
    )
    assert address_of(peer, headers, proxies) == expected


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::", "2001:db8:1:3::/64"),
        ("::ffff:203.0.113.7", "::ffff:203.0.113.7"),
        ("unknown", "unknown"),
        ("", ""),
    ],
)
def test_limits_count_a_whole_64_of_ipv6(address: str, network: str) -> None:
    assert network_of(address) == network


async def guessed(app: Lectern, addresses: list[str]) -> Counter[int]:
    """One sign-in from each address; how they were answered."""
    form = {"email": "nobody@example.org", "password": "x"}
    answers = [
        app.test_client().post("/login", form={**form, "email": f"n{n}@example.org"}, headers={"Fly-Client-IP": one})
        for n, one in enumerate(addresses)
    ]
    return Counter([(await answer).status_code for answer in answers])


async def test_a_thousand_addresses_of_one_64_are_one_place(app: Lectern, monkeypatch: pytest.MonkeyPatch) -> None:
    proxies = Proxies(headers=("Fly-Client-IP",), networks=parse_networks("0.0.0.0/0, ::/0"))
    monkeypatch.setitem(app.config, "PROXIES", proxies)
    # The peer of the tests has no address, so that it is in no network.
    monkeypatch.setattr(clients.Proxies, "trusts", lambda self, address: True)
    assert await guessed(app, [f"2001:db8:1:2::{n:x}" for n in range(12)]) == {422: 10, 429: 2}
    assert await guessed(app, [f"2001:db8:1:{n:x}::1" for n in range(10, 22)]) == {422: 12}


async def test_what_is_counted_is_asked_of_one_place(app: Lectern) -> None:
    async with app.test_request_context("/", headers={"X-Forwarded-For": "6.6.6.6"}):
        assert client_network() == "unknown"


async def test_no_limit_counts_by_the_whole_address_of_somebody_with_ipv6() -> None:
    """Whoever calls `limits.check` with an address gives it as `client_network()`."""
    from pathlib import Path

    import app as package

    for path in Path(package.__file__).parent.rglob("*.py"):
        text = path.read_text("utf-8")
        for call in text.split("limits.check(")[1:]:
            assert "client_address()" not in call.split("\n")[0], path
