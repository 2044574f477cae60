"""How often something may be written: every address that takes a POST, with Redis and without, by place and by person."""

import re
import time
from typing import Any

import pytest
from quart.typing import TestClientProtocol

from app import Lectern
from app.core import cache, limits
from app.core.limits import Limit
from app.web.guards import Guard, guard_of
from tests import everywhere
from tests.cast import Cast, Person

# Where the tests come from.
HERE = "address:<local>"
# Ten in ten seconds. A route that checks a secret, mails somebody or makes a key belongs here.
SENSITIVE = {
    "/account/email",
    "/account/password",
    "/account/password/link",
    "/account/privacy/erasure",
    "/account/privacy/exports",
    "/account/security/google",
    "/account/security/google/removal",
    "/account/security/passkeys",
    "/account/security/passkeys/<public_id>/removal",
    "/account/security/recovery-codes",
    "/account/security/totp",
    "/account/security/totp/removal",
    "/account/tokens",
    "/admin/people/<public_id>/erasure",
    "/admin/people/<public_id>/impersonation",
    "/checkout",
    "/checkout/confirmations/<token>",
    "/email-changes/<token>",
    "/email-changes/<token>/lock",
    "/email-changes/<token>/removal",
    "/login",
    "/login/confirmation",
    "/login/confirmation/link",
    "/login/confirmation/passkey",
    "/login/google",
    "/login/link",
    "/login/link/<token>",
    "/login/passkey",
    "/login/second-step",
    "/login/second-step/passkey",
    "/not-me/<token>",
    "/password/forgot",
    "/password/required",
    "/password/reset/<token>",
    "/privacy/keep/<token>",
    "/register",
    "/verify/<token>",
    "/verify/<token>/renewal",
}
# Machines that sign what they send.
MACHINES = {"/webhooks/stripe"}


def writes(app: Lectern) -> dict[str, tuple[str, Guard]]:
    """Endpoint and guard of every address that takes a POST."""
    found = {}
    for rule in everywhere.routes(app, "POST"):
        guard = guard_of(app.view_functions[rule.endpoint])
        assert guard is not None
        found[rule.rule] = (rule.endpoint, guard)
    return found


async def used_up(name: str, key: str, limit: Limit, *, but: int = 0) -> None:
    """As if all uses but so many had been made in the last seconds."""
    await limits.check(name, key, limit)
    full, more = f"limit:{name}:{limit.seconds}:{key}", limit.count - but - 1
    if await cache.call(lambda client: client.incrby(full, more)) is None:
        until, used = limits._local[full]
        limits._local[full] = (until, used + more)


def test_what_is_sensitive_is_in_the_list(app: Lectern) -> None:
    assert {rule for rule, (_e, guard) in writes(app).items() if guard.limit == limits.SENSITIVE} == SENSITIVE
    assert {rule for rule, (_e, guard) in writes(app).items() if guard.kind == "machine"} == MACHINES
    assert (Limit(10, 10), Limit(100, 10)) == (limits.SENSITIVE, limits.WRITE)


async def answered(browser: TestClientProtocol, path: str) -> tuple[int, str | None]:
    answer = await browser.post(path)
    return answer.status_code, answer.headers.get("Retry-After")


async def at_the_end_of(
    limit: Limit, cast: Cast, person: Person, path: str, name: str, key: str
) -> tuple[int, str | None]:
    """The last write that is allowed, and what the next one hears. A slow machine's window may end between them: anew."""
    for _time in range(5):
        await cast.sign_in(person)
        await limits.forget_all()
        began = time.monotonic()
        await used_up(name, key, limit, but=1)
        status, _wait = await answered(person.browser, path)
        assert status != 429, (path, name, key)
        if path == "/logout":
            return status, None
        await cast.sign_in(person)
        status, wait = await answered(person.browser, path)
        if status == 429 or time.monotonic() - began < limit.seconds - 1:
            break
    return status, wait


async def test_machines_have_a_limit_of_their_own_and_no_other(app: Lectern, client: TestClientProtocol) -> None:
    endpoint, guard = writes(app)["/webhooks/stripe"]
    await used_up("write", HERE, limits.WRITE)
    assert (await answered(client, "/webhooks/stripe"))[0] == 400
    await used_up(endpoint, HERE, guard.limit)
    assert (await answered(client, "/webhooks/stripe"))[0] == 429


async def test_what_is_tried_while_looking_as_another_counts_for_who_tries_it(cast: Cast) -> None:
    """Else somebody who looks could keep the person from every form of theirs."""
    rob, ann = await cast.rob(), await cast.ann()
    reason = {"reason": "She wrote that lesson two does not open"}
    await rob.browser.post(f"/admin/people/{ann.public_id}/impersonation", form=reason)
    assert (await rob.browser.post("/account/profile", form={"name": "Mallory"})).status_code == 403
    assert await limits.used("write", f"user:{ann.id}", limits.WRITE) == 0
    assert await limits.used("write", f"user:{rob.id}", limits.WRITE) == 2


@pytest.mark.usefixtures("store")
async def test_every_write_has_its_limit_from_one_place_and_for_one_person(app: Lectern, cast: Cast) -> None:
    olga = await cast.olga()
    places = await everywhere.one_of_everything(app, instructor_id=olga.id)
    for rule, (endpoint, guard) in writes(app).items():
        if rule in MACHINES:
            continue
        counted = [("write", limits.WRITE)]
        if guard.limit is not limits.WRITE:
            counted.append((endpoint, guard.limit))
        path = everywhere.address(rule, places)
        for name, limit in counted:
            for key in (HERE, f"user:{olga.id}"):
                status, wait = await at_the_end_of(limit, cast, olga, path, name, key)
                if rule == "/logout":  # nobody is behind the next one
                    continue
                assert status == 429, (rule, name, key)
                assert wait is not None
                assert 1 <= int(wait) <= limit.seconds, (rule, wait)


@pytest.mark.usefixtures("store")
async def test_a_hundred_writes_of_any_kind_from_one_place_are_enough(app: Lectern) -> None:
    """Really sent, to addresses in turn: it does not help to try another door."""
    paths = [rule for rule in writes(app) if "<" not in rule and rule not in SENSITIVE | MACHINES]
    client = app.test_client()
    codes = [(await answered(client, paths[n % len(paths)]))[0] for n in range(105)]
    assert 429 not in codes[:100]
    assert codes[100:] == [429] * 5


async def test_ten_sensitive_ones_are_enough(app: Lectern, client: TestClientProtocol) -> None:
    codes = [(await answered(client, "/register"))[0] for n in range(12)]
    assert codes == [422] * 10 + [429] * 2
    assert (await client.post("/cart/items", form={"product": "x"})).status_code != 429


async def test_somebody_elsewhere_is_not_counted_along(app: Lectern, cast: Cast) -> None:
    """The negative control: the limit is theirs, not everybody's."""
    await used_up("write", "address:203.0.113.7", limits.WRITE)
    await used_up("write", "user:4711", limits.WRITE)
    ann = await cast.ann()
    assert (await answered(ann.browser, "/account/profile"))[0] == 422


async def text(person: Person, path: str, **headers: str) -> tuple[Any, str]:
    answer = await person.browser.post(path, headers=headers)
    return answer, await answer.get_data(as_text=True)


async def test_the_page_says_how_long_and_leads_back(app: Lectern, cast: Cast) -> None:
    ann = await cast.ann()
    await used_up("write", HERE, limits.WRITE)
    answer, page = await text(ann, "/account/profile", Referer="http://localhost/account?a=1")
    assert answer.status_code == 429
    assert re.search(r'<a href="/account\?a=1">Back to where you were</a>', page)
    wait = answer.headers["Retry-After"]
    assert f"{wait} second" in page
    for elsewhere in ("https://evil.example/x", "http://localhost//evil.example", "javascript:alert(1)", ""):
        _answer, page = await text(ann, "/account/profile", Referer=elsewhere, **{"Sec-Fetch-Site": "same-origin"})
        assert "Back to where you were" not in page
        assert "evil" not in page
    _answer, notice = await text(ann, "/account/profile", **{"HX-Request": "true", "HX-Target": "main#page"})
    assert 'id="notices"' in notice
    assert f"{wait} second" in notice or "second" in notice


async def test_a_refused_form_leads_back_and_does_not_speak_of_a_race(app: Lectern, cast: Cast) -> None:
    ann = await cast.ann()
    answer, page = await text(
        ann,
        "/account/security/google/removal",
        Referer="http://localhost/account/security",
        **{"Sec-Fetch-Site": "same-origin"},
    )
    assert answer.status_code == 409
    assert "Set a password first" in page, re.findall(r"<h1>.*?</p>", page)
    assert "<h1>That cannot be done now</h1>" in page
    assert "Somebody was faster" not in page
    assert '<a href="/account/security">Back to where you were</a>' in page


class Counts(dict[str, tuple[float, int]]):
    """What is counted in this process, and how often somebody looked through all of it."""

    looks = 0

    def items(self) -> Any:
        self.looks += 1
        return super().items()


async def test_whoever_fills_the_counts_of_a_process_does_not_slow_every_request_down(
    without_redis: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Full of counts that run, and one that is over at each request: nobody looks through all of them each time."""
    counts = Counts({f"limit:old:60:{n}": (time.monotonic() + 60, 1) for n in range(1_001)})
    monkeypatch.setattr(limits, "_local", counts)
    monkeypatch.setattr(limits, "_LOCAL_KEYS", 1_000)
    for number in range(50):
        counts[f"limit:over:1:{number}"] = (time.monotonic() - 1, 1)
        await limits.check("here", "somebody", Limit(1_000, 60))
    assert 1 <= counts.looks <= 3
    assert counts["limit:here:60:somebody"][1] == 50
    assert "limit:old:60:0" in counts, "counts that run are not thrown away for it"
    for number in range(3_000):
        await limits.check("flood", str(number), Limit(1, 60))
    monkeypatch.setattr(limits, "_swept_at", 0.0)
    await limits.check("here", "somebody", Limit(1_000, 60))
    assert len(counts) <= 1_001
