"""The places where programs look by themselves."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from quart.typing import TestClientProtocol

from app import Lectern
from app.core import clock
from tests.cast import Cast


async def fields(client: TestClientProtocol, **headers: str) -> dict[str, list[str]]:
    answer = await client.get("/.well-known/security.txt", headers=headers)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    found: dict[str, list[str]] = {}
    for line in (await answer.get_data(as_text=True)).splitlines():
        name, _colon, value = line.partition(": ")
        found.setdefault(name, []).append(value)
    return found


async def test_whoever_finds_a_weakness_is_told_whom_to_tell(client: TestClientProtocol) -> None:
    """RFC 9116: Contact once at least, Expires exactly once and less than a year away."""
    found = await fields(client)
    assert found["Contact"] == ["mailto:school@localhost"]
    (expires,) = found["Expires"]
    assert clock.now() + timedelta(days=30) < datetime.fromisoformat(expires) < clock.now() + timedelta(days=365)
    assert found["Canonical"] == ["http://localhost/.well-known/security.txt"]
    assert found["Preferred-Languages"] == ["en"]


async def test_it_is_never_out_of_date(client: TestClientProtocol) -> None:
    with clock.shifted(timedelta(days=1000)):
        (expires,) = (await fields(client))["Expires"]
        assert datetime.fromisoformat(expires) > clock.now()


@pytest.mark.parametrize(
    ("contact", "shown"),
    [
        ("security@school.example", "mailto:security@school.example"),
        ("https://school.example/report", "https://school.example/report"),
    ],
)
async def test_the_contact_is_a_setting(
    app: Lectern, client: TestClientProtocol, monkeypatch: pytest.MonkeyPatch, contact: str, shown: str
) -> None:
    monkeypatch.setitem(app.config, "LECTERN", replace(app.config["LECTERN"], security_contact=contact))
    assert (await fields(client))["Contact"] == [shown]


async def test_its_canonical_address_is_ours_whatever_was_asked_for(client: TestClientProtocol) -> None:
    found = await fields(client, Host="evil.example", **{"X-Forwarded-Host": "evil.example"})
    assert found["Canonical"] == ["http://localhost/.well-known/security.txt"]


async def test_keepers_of_passwords_find_where_to_change_one(cast: Cast, client: TestClientProtocol) -> None:
    ann = await cast.ann()
    for browser in (ann.browser, client):
        answer = await browser.get("/.well-known/change-password")
        assert (answer.status_code, answer.headers["Location"]) == (303, "/account#password")
    page = await (await ann.browser.get("/account")).get_data(as_text=True)
    assert 'id="password"' in page
    # What does not exist says so: else such a program takes any answer for a yes.
    answer = await client.get("/.well-known/resource-that-should-not-exist-whose-status-code-should-not-be-200")
    assert answer.status_code == 404
