"""What programs reach with a token, and what they do not: every address of /api, every role, every way to be wrong."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import orjson
import pytest
from quart import Response
from quart.typing import TestClientProtocol

from app import Lectern
from app.accounts import access_tokens, queries
from app.accounts.jobs import clear_expired
from app.accounts.models import SignedIn
from app.accounts.roles import CAPABILITIES
from app.accounts.scopes import ME, SCOPES
from app.core import clock, db, limits, settings
from app.core.ids import public_id
from app.core.limits import Limit
from app.web import api as web_api
from app.web.guards import guard_of
from tests import everywhere
from tests.accounts.conftest import Mailbox, text_of
from tests.cast import Cast, Person
from tests.office import an_order, seen
from tests.school import a_course

WITH_SCOPE = {
    "/api/v1/me": "me",
    "/api/v1/courses": "courses.view",
    "/api/v1/orders": "orders.view",
    "/api/v1/orders/<public_id>": "orders.view",
    "/api/v1/people": "people.view",
}
OPEN = {"/api/v1/openapi.json"}
# What each role may do, so that its token may at most do that.
TABLE = """
               me  courses.view  orders.view  people.view
member         +   -             -            -
instructor     +   +             -            -
support        +   +             +            +
admin          +   +             +            +
owner          +   +             +            +
bookkeeper     +   -             +            +
"""
BOOKKEEPER = ["admin.enter", "orders.view", "people.view"]


async def signed_in(person: Person) -> SignedIn:
    """The person as a request would have loaded them."""
    found = await queries.session_by_token(
        await db.value("SELECT token_hash FROM sessions WHERE user_id = :id ORDER BY id DESC LIMIT 1", id=person.id),
        clock.now(),
        seen_after=clock.now() - timedelta(days=1),
        staff_seen_after=clock.now() - timedelta(days=1),
    )
    assert found is not None
    return found


async def a_token(person: Person, *scopes: str, days: float = 30) -> str:
    """A token of this person, whatever their role may do now."""
    token = access_tokens.new_token()
    await db.run(
        """
        INSERT INTO access_tokens (public_id, user_id, name, token_hash, ending, scopes, second_factor, created_at,
                                   expires_at)
        VALUES (:public_id, :user_id, 'Tests', :hash, :ending, CAST(:scopes AS text[]), false, :now, :until)
        """,
        public_id=public_id(),
        user_id=person.id,
        hash=access_tokens.tokens.hashed(token),
        ending=token[-4:],
        scopes=list(scopes or SCOPES),
        now=clock.now() - timedelta(days=1),
        until=clock.now() + timedelta(days=days),
    )
    return token


async def asked(client: TestClientProtocol, path: str, token: str = "", **headers: str) -> Response:
    if token:
        headers["Authorization"] = f"Bearer {token}"
    answer = await client.get(path, headers=headers)
    assert not answer.headers.getlist("Set-Cookie"), path
    assert answer.headers["Cache-Control"] == "no-store", path
    return answer  # type: ignore[return-value]


async def problem(answer: Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, await answer.get_data(as_text=True)
    assert answer.headers["Content-Type"] == "application/problem+json"
    found: dict[str, Any] = orjson.loads(await answer.get_data())
    assert found["status"] == status
    assert found["detail"]
    assert found["request_id"] == answer.headers["X-Request-Id"]
    return found


async def data(answer: Response) -> Any:
    assert answer.status_code == 200, await answer.get_data(as_text=True)
    assert answer.headers["Content-Type"] == "application/json"
    return orjson.loads(await answer.get_data())


# The token


def test_a_token_can_be_told_from_other_texts_without_a_database() -> None:
    token = access_tokens.new_token()
    assert re.fullmatch(r"lec_[0-9A-Za-z]{46}", token)
    assert access_tokens.is_token(token)
    assert access_tokens.new_token() != token
    for wrong in ("", token[:-1], token + "a", token.lower(), "lec_" + "a" * 46, token.replace("lec_", "ghp_")):
        assert not access_tokens.is_token(wrong), wrong
    for place in range(4, len(token)):
        other = "b" if token[place] == "a" else "a"
        assert not access_tokens.is_token(token[:place] + other + token[place + 1 :])


async def test_an_invented_token_costs_no_statement(app: Lectern, client: TestClientProtocol) -> None:
    with db.count_queries() as count:
        await problem(await asked(client, "/api/v1/me", "lec_" + "a" * 46), 401)
    assert count.total == 0


async def test_scopes_are_what_some_address_asks_for(app: Lectern) -> None:
    asked_for = {
        guard.capability
        for rule in app.url_map.iter_rules()
        if (guard := guard_of(app.view_functions[rule.endpoint])) is not None and guard.kind == "api"
    } - {None}
    assert asked_for == set(SCOPES)
    assert set(SCOPES) - {ME} <= CAPABILITIES.keys()


async def test_below_api_is_for_tokens_and_nothing_else_is(app: Lectern) -> None:
    for rule in app.url_map.iter_rules():
        guard = guard_of(app.view_functions[rule.endpoint])
        assert guard is not None
        assert rule.rule.startswith("/api/") == (guard.kind == "api"), rule.rule
        if guard.kind == "api":
            assert guard.capability == WITH_SCOPE.get(rule.rule), rule.rule
            assert rule.rule in WITH_SCOPE or rule.rule in OPEN


# Making one


async def test_a_token_is_shown_once_and_kept_as_a_hash(app: Lectern, cast: Cast, mailbox: Mailbox) -> None:
    rob = await cast.rob()
    page = await seen(rob, "/account/tokens/new")
    assert "Read orders: who bought what, for how much" in page
    ref = re.search(r'name="ref"[^>]*value="([0-9a-z]{12})"', page)
    assert ref is not None
    form = {"ref": ref[1], "name": "Books", "scopes": ["me", "orders.view"], "lifetime": "30"}
    answer = await sent(rob, form)
    text = await answer.get_data(as_text=True)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    token = re.search(r"lec_[0-9A-Za-z]{46}", text)
    assert token is not None
    me = await data(await asked(app.test_client(), "/api/v1/me", token[0]))
    assert (me["email"], me["role"], me["token"]["scopes"]) == (rob.email, "admin", ["me", "orders.view"])
    listed = await seen(rob, "/account/tokens")
    assert "Books" in listed
    assert token[0] not in listed
    kept = await db.value("SELECT row_to_json(t)::text FROM access_tokens t")
    assert token[0] not in kept
    trail = await db.one(db.Row, "SELECT subject_id, after::text AS after FROM audit_log WHERE action = 'token.create'")
    assert trail is not None
    assert trail.subject_id == rob.public_id
    assert token[0] not in trail.after
    mail = await mailbox.last(rob.email)
    assert "access token" in mail["Subject"]
    assert "Books" in text_of(mail)
    assert token[0] not in text_of(mail)


async def sent(person: Person, fields: dict[str, Any]) -> Response:
    """The form of a new token, as a browser sends it."""
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    data = urlencode(fields, doseq=True).encode()
    return await person.browser.post("/account/tokens", data=data, headers=headers)  # type: ignore[return-value]


def form(**more: Any) -> dict[str, Any]:
    return {"ref": public_id(), "name": "Books", "scopes": ["me"], "lifetime": "7", **more}


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": "x" * 61},
        {"scopes": []},
        {"scopes": ["orders.view"]},
        {"scopes": ["me", "people.view"]},
        {"scopes": ["orders.refund"]},
        {"scopes": ["*"]},
        {"lifetime": "0"},
        {"lifetime": "100000"},
        {"lifetime": "never"},
        {"lifetime": "day", "until": ""},
        {"lifetime": "day", "until": "2020-01-01"},
        {"lifetime": "day", "until": "9999-12-31"},
        {"lifetime": "day", "until": "2026-02-30"},
        {"ref": ""},
        {"ref": "../../etc"},
    ],
)
async def test_what_may_not_be_is_refused_beside_its_field(cast: Cast, wrong: dict[str, Any]) -> None:
    ann = await cast.ann()
    answer = await sent(ann, form(**wrong))
    assert answer.status_code == 422
    assert await db.value("SELECT count(*) FROM access_tokens") == 0


async def test_everything_that_is_wrong_is_told_at_once(cast: Cast) -> None:
    ann = await cast.ann()
    answer = await sent(ann, form(name="", scopes=[], lifetime="day", until="soon"))
    words = await answer.get_data(as_text=True)
    for sentence in ("Say what it is for.", "Choose at least one thing that it may do.", "a day within a year"):
        assert sentence in words


@pytest.mark.parametrize(("scopes", "days"), [(["people.view"], 1), (["nothing"], 1), (["me"], 367), (["me"], 0)])
async def test_whoever_makes_one_without_the_form_gets_no_more(cast: Cast, scopes: list[str], days: int) -> None:
    person, until = await signed_in(await cast.ann()), clock.now() + timedelta(days=days)
    with pytest.raises(access_tokens.Invalid):
        await access_tokens.create(person, public_id(), name="More", scopes=scopes, until=until)
    assert await db.value("SELECT count(*) FROM access_tokens") == 0


async def test_a_day_may_be_chosen(cast: Cast) -> None:
    ann = await cast.ann()
    day = (clock.now() + timedelta(days=12)).date()
    answer = await sent(ann, form(lifetime="day", until=day.isoformat()))
    assert answer.status_code == 200
    assert (await db.value("SELECT expires_at FROM access_tokens")).date() == day


async def test_nobody_without_a_confirmed_address_makes_one(cast: Cast) -> None:
    """Whoever registers an address that is not theirs must not keep a way in for the day when its owner comes."""
    ann = await cast.person("Ann Archer", "ann@example.org", verified=False)
    assert (await sent(ann, form())).status_code == 422
    assert await db.value("SELECT count(*) FROM access_tokens") == 0


async def test_making_one_asks_for_a_fresh_sign_in(cast: Cast) -> None:
    ann = await cast.ann()
    await cast.sign_in(ann, fresh=False)
    assert "/login?" in (await ann.browser.get("/account/tokens/new")).headers["Location"]
    assert "/login?" in (await sent(ann, form())).headers["Location"]
    assert (await ann.browser.get("/account/tokens")).status_code == 200


async def test_the_same_form_makes_one_token(cast: Cast) -> None:
    ann, same = await cast.ann(), form()
    answers = await asyncio.gather(*(sent(ann, same) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409]
    assert await db.value("SELECT count(*) FROM access_tokens") == 1
    assert await db.value("SELECT count(*) FROM mails") == 1


@pytest.mark.parametrize("passed", [True, False])
async def test_a_token_remembers_whether_a_second_factor_was_passed_when_it_was_made(
    cast: Cast, *, passed: bool
) -> None:
    person = replace(await signed_in(await cast.ann()), second_factor_at=clock.now() if passed else None)
    until = clock.now() + timedelta(days=1)
    await access_tokens.create(person, public_id(), name="Backup", scopes=["me"], until=until)
    assert await db.value("SELECT second_factor FROM access_tokens") is passed


async def test_nobody_has_more_than_twenty_however_many_ask_at_once(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = await cast.ann()
    person = await signed_in(ann)
    monkeypatch.setattr(access_tokens, "MOST", 3)

    async def once() -> bool:
        try:
            until = clock.now() + timedelta(days=1)
            await access_tokens.create(person, public_id(), name="Many", scopes=["me"], until=until)
        except access_tokens.Invalid:
            return False
        return True

    assert sum(await asyncio.gather(*(once() for _ in range(6)))) == 3
    assert await db.value("SELECT count(*) FROM access_tokens") == 3


async def test_one_that_is_over_makes_room_and_stays_in_the_list_for_a_month(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = await cast.ann()
    for ago in (29, 31):
        await a_token(ann)
        await db.run(
            """
            UPDATE access_tokens SET name = :name, created_at = :before, expires_at = :over
            WHERE name = 'Tests'
            """,
            name=f"over for {ago} days",
            before=clock.now() - timedelta(days=60),
            over=clock.now() - timedelta(days=ago),
        )
    monkeypatch.setattr(access_tokens, "MOST", 1)
    until = clock.now() + timedelta(minutes=1)
    await access_tokens.create(await signed_in(ann), public_id(), name="New", scopes=["me"], until=until)
    await clear_expired()
    assert [token.name for token in await access_tokens.of(ann.id)] == ["New", "over for 29 days"]


# What it opens


def rows() -> dict[str, dict[str, bool]]:
    lines = [line.split() for line in TABLE.splitlines() if line.strip()]
    return {role: dict(zip(lines[0], (sign == "+" for sign in signs), strict=True)) for role, *signs in lines[1:]}


@pytest.mark.parametrize("role", rows())
async def test_a_token_may_what_it_was_made_for_and_its_person_may_now(app: Lectern, cast: Cast, role: str) -> None:
    await cast.role("bookkeeper", BOOKKEEPER)
    kim = await cast.person("Kim Kern", "kim@example.org", role=role)
    places = await everywhere.one_of_everything(app)
    everything = await a_token(kim)
    for rule, scope in WITH_SCOPE.items():
        path = everywhere.address(rule, places)
        allowed = rows()[role][scope]
        answer = await asked(app.test_client(), path, everything)
        assert answer.status_code == (200 if allowed else 403), (role, rule)
        for other in SCOPES:
            if other != scope:
                answer = await asked(app.test_client(), path, await a_token(kim, other))
                refused = await problem(answer, 403)
                assert refused["detail"] == f"This token was not made for this: it lacks the scope {scope}."
                assert answer.headers["WWW-Authenticate"].endswith(f'error="insufficient_scope", scope="{scope}"')


@pytest.mark.parametrize("rule", WITH_SCOPE)
async def test_without_a_token_nothing_opens_whoever_is_signed_in(app: Lectern, cast: Cast, rule: str) -> None:
    olga = await cast.olga()
    path = everywhere.address(rule, await everywhere.one_of_everything(app))
    for browser in (olga.browser, app.test_client()):
        answer = await asked(browser, path)
        await problem(answer, 401)
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="api"'


async def wrong_tokens(app: Lectern, person: Person) -> list[str]:
    good = await a_token(person)
    return [
        "Bearer",
        "Bearer ",
        f"Basic {good}",
        good,
        f"Bearer {good[:-1]}",
        f"Bearer {good}x",
        f"Bearer {good} {good}",
        f"Bearer {access_tokens.new_token()}",
        f"Bearer {await a_token(person, days=0)}",
        "Bearer \xff",
        "Bearer " + "x" * 5000,
    ]


async def test_what_is_no_good_token_opens_nothing(app: Lectern, cast: Cast) -> None:
    for shown in await wrong_tokens(app, await cast.olga()):
        answer = await asked(app.test_client(), "/api/v1/me", Authorization=shown)
        await problem(answer, 401)
        assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


async def test_a_token_in_the_address_or_a_cookie_counts_for_nothing(app: Lectern, cast: Cast) -> None:
    token = await a_token(await cast.olga())
    client = app.test_client()
    client.set_cookie("localhost", "session", token)
    client.set_cookie("localhost", "Authorization", f"Bearer {token}")
    await problem(await asked(client, f"/api/v1/me?access_token={token}&token={token}"), 401)


async def test_a_token_opens_nothing_but_api(app: Lectern, cast: Cast) -> None:
    token = await a_token(await cast.olga())
    places = await everywhere.one_of_everything(app)
    headers = {"Authorization": f"Bearer {token}"}
    asked_for = 0
    for method in ("GET", "POST"):
        for rule in everywhere.routes(app, method):
            guard = guard_of(app.view_functions[rule.endpoint])
            assert guard is not None
            if guard.kind not in ("member", "capability"):
                continue
            answer = await app.test_client().open(everywhere.address(rule.rule, places), method=method, headers=headers)
            if answer.status_code == 429:
                await limits.forget_all()
                continue
            assert answer.status_code == 303, (method, rule.rule, answer.status_code)
            assert answer.headers["Location"].startswith("/login?next="), rule.rule
            asked_for += 1
    assert asked_for > 80


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE users SET state = 'suspended' WHERE email = 'kim@example.org'",
        "DELETE FROM access_tokens",
        "UPDATE access_tokens SET expires_at = now()",
        "DELETE FROM users WHERE email = 'kim@example.org'",
    ],
)
async def test_what_ends_a_token_ends_it_at_the_next_request(app: Lectern, cast: Cast, change: str) -> None:
    kim = await cast.person("Kim Kern", "kim@example.org", role="owner")
    token = await a_token(kim)
    assert (await asked(app.test_client(), "/api/v1/me", token)).status_code == 200
    await db.run(change)
    await problem(await asked(app.test_client(), "/api/v1/me", token), 401)


async def test_whoever_is_let_in_again_makes_new_ones(app: Lectern, cast: Cast) -> None:
    kim, olga = await cast.person("Kim Kern", "kim@example.org", role="support"), await cast.olga()
    token = await a_token(kim)
    await olga.browser.post(f"/admin/people/{kim.public_id}/suspension", form={"reason": "left"})
    await olga.browser.post(f"/admin/people/{kim.public_id}/suspension/removal")
    await problem(await asked(app.test_client(), "/api/v1/me", token), 401)


async def test_a_role_that_may_less_takes_it_from_its_tokens_at_once(app: Lectern, cast: Cast) -> None:
    kim = await cast.person("Kim Kern", "kim@example.org", role="owner")
    token = await a_token(kim)
    assert (await asked(app.test_client(), "/api/v1/orders", token)).status_code == 200
    await db.run("UPDATE users SET role = 'instructor' WHERE id = :id", id=kim.id)
    await problem(await asked(app.test_client(), "/api/v1/orders", token), 403)
    me = await data(await asked(app.test_client(), "/api/v1/me", token))
    assert me["token"]["granted"] == ["me", "courses.view"]


async def test_a_new_password_ends_all_tokens(app: Lectern, cast: Cast) -> None:
    from app.accounts import hashing
    from tests.cast import PASSWORD

    ann, bob = await cast.ann(), await cast.bob()
    await queries.set_password(ann.id, await hashing.hashed(PASSWORD))
    token, other = await a_token(ann), await a_token(bob)
    answer = await ann.browser.post(
        "/account/password", form={"current_password": PASSWORD, "new_password": "a long walk by the river"}
    )
    assert answer.status_code == 303
    await problem(await asked(app.test_client(), "/api/v1/me", token), 401)
    assert (await asked(app.test_client(), "/api/v1/me", other)).status_code == 200


async def test_where_a_role_needs_a_second_factor_tokens_made_without_one_sleep(app: Lectern, cast: Cast) -> None:
    sam = await cast.sam()
    token = await a_token(sam)
    await settings.save_school(second_factor_roles=["support"])
    await problem(await asked(app.test_client(), "/api/v1/orders", token), 403)
    assert (await asked(app.test_client(), "/api/v1/me", token)).status_code == 200
    # Nor can such a session give away what it may not do itself.
    assert (await sent(sam, form(scopes=["orders.view"]))).status_code == 422
    await db.run("UPDATE access_tokens SET second_factor = true")
    assert (await asked(app.test_client(), "/api/v1/orders", token)).status_code == 200


async def test_a_use_is_noted_once_a_minute_with_its_address(app: Lectern, cast: Cast) -> None:
    token = await a_token(await cast.ann())

    async def noted() -> Any:
        await asked(app.test_client(), "/api/v1/me", token)
        return await db.value("SELECT last_used_at FROM access_tokens")

    first = await noted()
    assert first is not None
    assert await db.value("SELECT last_address FROM access_tokens") is not None
    with clock.shifted(timedelta(seconds=50)):
        assert await noted() == first
    with clock.shifted(timedelta(seconds=61)):
        assert await noted() > first


# Taking it back


async def test_one_removes_ones_own_and_nobody_elses(app: Lectern, cast: Cast) -> None:
    ann, bob = await cast.ann(), await cast.bob()
    token = await a_token(ann)
    token_id = await db.value("SELECT public_id FROM access_tokens")
    assert (await bob.browser.post(f"/account/tokens/{token_id}/removal")).status_code == 404
    assert (await asked(app.test_client(), "/api/v1/me", token)).status_code == 200
    assert (await ann.browser.post(f"/account/tokens/{token_id}/removal")).status_code == 303
    await problem(await asked(app.test_client(), "/api/v1/me", token), 401)
    assert (await ann.browser.post(f"/account/tokens/{token_id}/removal")).status_code == 404
    assert await db.value("SELECT count(*) FROM audit_log WHERE action = 'token.remove'") == 1


async def test_the_office_sees_and_removes_those_of_people_it_may_decide_about(app: Lectern, cast: Cast) -> None:
    ann, rob, olga = await cast.ann(), await cast.rob(), await cast.olga()
    tokens = {person.public_id: await a_token(person) for person in (ann, olga)}
    ids = {
        row.owner: row.token
        for row in await db.many(
            db.Row,
            "SELECT u.public_id AS owner, t.public_id AS token FROM access_tokens t JOIN users u ON u.id = t.user_id",
        )
    }
    assert "Tests" in await seen(rob, f"/admin/people/{ann.public_id}/tokens")
    assert "removal" not in await seen(rob, f"/admin/people/{olga.public_id}/tokens", 200)
    path = "/admin/people/{}/tokens/{}/removal"
    assert (await rob.browser.post(path.format(olga.public_id, ids[olga.public_id]))).status_code == 403
    assert (await rob.browser.post(path.format(ann.public_id, ids[olga.public_id]))).status_code == 404
    assert (await rob.browser.post(path.format(ann.public_id, ids[ann.public_id]))).status_code == 303
    await problem(await asked(app.test_client(), "/api/v1/me", tokens[ann.public_id]), 401)
    assert (await asked(app.test_client(), "/api/v1/me", tokens[olga.public_id])).status_code == 200
    await limits.forget_all()


# Answers


@pytest.fixture
async def olgas(cast: Cast) -> str:
    return await a_token(await cast.olga())


async def pages(client: TestClientProtocol, path: str, token: str) -> list[list[dict[str, Any]]]:
    found, address = [], f"{path}?limit=2"
    while address:
        answer = await asked(client, address, token)
        page = await data(answer)
        found.append(page["data"])
        cursor = page["next_cursor"]
        address = f"{path}?limit=2&cursor={cursor}" if cursor else ""
        link = f'<http://localhost{address}>; rel="next"' if cursor else None
        assert answer.headers.get("Link") == link
    return found


async def test_lists_come_in_pages_that_miss_nothing_and_repeat_nothing(
    app: Lectern, client: TestClientProtocol, olgas: str
) -> None:
    orders = [await an_order(total=100 + n) for n in range(5)]
    found = await pages(client, "/api/v1/orders", olgas)
    assert [len(page) for page in found] == [2, 2, 1]
    assert [order["id"] for page in found for order in page] == orders[::-1]
    for n in range(3):
        await a_course(f"course-{n}", f"Course {n}", state="draft" if n else "published")
    found = await pages(client, "/api/v1/courses", olgas)
    assert [course["slug"] for page in found for course in page] == ["course-2", "course-1", "course-0"]
    assert (await pages(client, "/api/v1/people", olgas))[0][0]["name"] == "Olga Oster"


async def test_what_comes_in_between_does_not_shift_the_pages(client: TestClientProtocol, olgas: str) -> None:
    orders = [await an_order() for _ in range(4)]
    first = await data(await asked(client, "/api/v1/orders?limit=2", olgas))
    await an_order()
    second = await data(await asked(client, f"/api/v1/orders?limit=2&cursor={first['next_cursor']}", olgas))
    assert [order["id"] for order in second["data"]] == [orders[1], orders[0]]


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=101",
        "limit=-1",
        "limit=x",
        "limit=",
        "limit=1e1",
        "limit=%C2%B2",
        "cursor=x",
        "cursor=AAAA",
        "cursor=%ff",
    ],
)
async def test_parameters_that_make_no_sense_are_problems(client: TestClientProtocol, olgas: str, query: str) -> None:
    await problem(await asked(client, f"/api/v1/orders?{query}", olgas), 400)


async def test_a_cursor_is_good_for_its_own_list(client: TestClientProtocol, olgas: str) -> None:
    for _ in range(3):
        await an_order()
    cursor = (await data(await asked(client, "/api/v1/orders?limit=1", olgas)))["next_cursor"]
    await problem(await asked(client, f"/api/v1/people?cursor={cursor}", olgas), 400)
    assert (await asked(client, f"/api/v1/orders?cursor={cursor}", olgas)).status_code == 200


async def test_an_order_has_its_amounts_in_minor_units_and_its_moments_in_utc(
    client: TestClientProtocol, olgas: str
) -> None:
    order = await an_order(total=24900, refunded=900, state="partially_refunded")
    found = await data(await asked(client, f"/api/v1/orders/{order}", olgas))
    assert (found["total_minor"], found["refunded_minor"], found["currency"]) == (24900, 900, "EUR")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", found["paid_at"])
    assert found["closed_at"] is None
    await problem(await asked(client, "/api/v1/orders/nothing", olgas), 404)


async def test_whatever_is_wrong_below_api_is_a_problem_and_not_a_page(
    app: Lectern, client: TestClientProtocol, olgas: str
) -> None:
    for path in ("/api", "/api/", "/api/v1", "/api/v1/nothing", "/api/v2/me", "/api/v1/orders/%ff"):
        await problem(await asked(client, path, olgas), 404)
    for headers in ({}, {"HX-Request": "true", "HX-Target": "main#page"}, {"Accept": "text/html"}):
        await problem(await asked(client, "/api/v1/nothing", olgas, **headers), 404)
    answer = await client.delete("/api/v1/me", headers={"Authorization": f"Bearer {olgas}", "Origin": "null"})
    await problem(answer, 403)  # type: ignore[arg-type]
    answer = await client.delete("/api/v1/me", headers={"Authorization": f"Bearer {olgas}"})
    await problem(answer, 405)  # type: ignore[arg-type]
    assert "GET" in answer.headers["Allow"]


async def test_a_fault_is_a_problem_that_tells_nothing(
    app: Lectern, client: TestClientProtocol, olgas: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken() -> str:
        raise RuntimeError("the database password is hunter2")

    broken.guard = guard_of(app.view_functions["accounts_api.show_me"])  # type: ignore[attr-defined]
    monkeypatch.setitem(app.view_functions, "accounts_api.show_me", broken)
    answer = await asked(client, "/api/v1/me", olgas)
    assert "hunter2" not in str(await problem(answer, 500))


@pytest.mark.usefixtures("store")
async def test_limits_are_told_and_kept(app: Lectern, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    few = Limit(3, 60)
    for endpoint in ("accounts_api.show_me", "accounts_api.list_people"):
        view = app.view_functions[endpoint]
        guard = guard_of(view)
        assert guard is not None
        monkeypatch.setattr(view, "guard", type(guard)(guard.kind, guard.capability, few))
    ann, bob = await cast.ann(), await cast.bob()
    token, another, bobs = await a_token(ann), await a_token(ann), await a_token(bob)
    client = app.test_client()
    for left in (2, 1, 0):
        answer = await asked(client, "/api/v1/me", token)
        assert answer.status_code == 200
        assert answer.headers["RateLimit-Policy"] == '"api";q=3;w=60'
        assert re.fullmatch(rf'"api";r={left};t=\d+', answer.headers["RateLimit"])
    for again in (token, another):  # of one person
        answer = await asked(client, "/api/v1/me", again)
        await problem(answer, 429)
        wait = int(answer.headers["Retry-After"])
        assert 1 <= wait <= 60
        assert answer.headers["RateLimit"] == f'"api";r=0;t={wait}'
    assert (await asked(client, "/api/v1/me", bobs)).status_code == 200


async def test_the_programs_of_one_place_have_a_limit_together(
    app: Lectern, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "API_ADDRESS", Limit(2, 60))
    client = app.test_client()
    for person in (await cast.ann(), await cast.bob()):
        assert (await asked(client, "/api/v1/me", await a_token(person))).status_code == 200
    await problem(await asked(client, "/api/v1/me", await a_token(await cast.ines())), 429)


@pytest.mark.parametrize(
    ("path", "most"), [("me", 1), ("courses", 2), ("orders", 2), ("people", 2), ("openapi.json", 1)]
)
async def test_an_answer_costs_its_statements_however_much_there_is(
    client: TestClientProtocol, olgas: str, path: str, most: int
) -> None:
    await asked(client, f"/api/v1/{path}", olgas)
    for rows_more in (1, 30):
        for n in range(rows_more):
            await an_order()
            await a_course(f"course-{rows_more}-{n}", lessons=0, previews=0)
        with db.count_queries() as count:
            assert (await asked(client, f"/api/v1/{path}", olgas)).status_code == 200
        assert count.total == most


# The description


def shape(value: Any, schema: dict[str, Any], whole: dict[str, Any], where: str) -> None:
    """Compare an answer with what is written about it; the part of JSON Schema that we use."""
    if "$ref" in schema:
        target: Any = whole
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        shape(value, target, whole, where)
        return
    kinds = schema.get("type")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    if value is None:
        assert "null" in kinds, where
        return
    tests: dict[str, Callable[[Any], bool]] = {
        "string": lambda v: isinstance(v, str),
        "integer": lambda v: isinstance(v, int) and not isinstance(v, bool),
        "boolean": lambda v: isinstance(v, bool),
        "array": lambda v: isinstance(v, list),
        "object": lambda v: isinstance(v, dict),
    }
    assert any(kind in tests and tests[kind](value) for kind in kinds), (where, value, kinds)
    assert value in schema.get("enum", [value]), (where, value)
    assert re.search(schema.get("pattern", ""), str(value)), (where, value)
    if schema.get("format") == "date-time":
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", value), (where, value)
    if isinstance(value, dict) and "properties" in schema:
        assert set(schema["required"]) <= set(value), (where, value)
        if schema.get("additionalProperties") is False:
            assert set(value) == set(schema["properties"]), where
        for name, each in value.items():
            if name in schema["properties"]:
                shape(each, schema["properties"][name], whole, f"{where}.{name}")
    if isinstance(value, list):
        for each in value:
            shape(each, schema["items"], whole, f"{where}[]")


async def test_the_description_has_every_address_and_nothing_else(app: Lectern, client: TestClientProtocol) -> None:
    described = await data(await asked(client, "/api/v1/openapi.json"))
    assert described["servers"] == [{"url": "http://localhost/api/v1"}]
    served = {}
    for rule in app.url_map.iter_rules():
        guard = guard_of(app.view_functions[rule.endpoint])
        if guard is not None and guard.kind == "api":
            path = re.sub(r"<([^>]+)>", r"{\1}", rule.rule.removeprefix("/api/v1"))
            methods = {method.lower() for method in rule.methods or ()} - {"head", "options"}
            served[path] = (methods, rule.endpoint.rpartition(".")[2], guard.capability)
    found = {
        path: (
            {*operations},
            operation["operationId"],
            next(iter(operation["security"]), {"token": [None]})["token"][0],
        )
        for path, operations in described["paths"].items()
        for operation in operations.values()
    }
    assert found == served


async def test_answers_look_as_described(app: Lectern, client: TestClientProtocol, cast: Cast, olgas: str) -> None:
    described = orjson.loads(web_api.DESCRIPTION.read_bytes())
    places = await everywhere.one_of_everything(app, instructor_id=(await cast.ines()).id)
    await an_order(state="pending")
    await db.run(
        """
        INSERT INTO order_items (order_id, product_id, title, amount_minor, tax_minor)
        SELECT o.id, p.id, p.title, 100, 0 FROM orders o, products p
        """
    )
    await db.run(
        """
        INSERT INTO refunds (public_id, order_id, amount_minor, state, created_at)
        SELECT 'refund', id, 1, 'succeeded', now() FROM orders LIMIT 1
        """
    )
    for path, operations in described["paths"].items():
        responses = operations["get"]["responses"]
        address = "/api/v1" + path.replace("{public_id}", places["/orders"])
        answer = await asked(client, address, olgas)
        body = await data(answer)
        assert body.get("data") != []
        shape(body, responses["200"]["content"]["application/json"]["schema"], described, path)
        for name in responses["200"]["headers"]:
            assert name in answer.headers or name == "Link", (path, name)


async def test_a_wrong_description_would_be_noticed() -> None:
    """The negative control."""
    schema = {
        "type": "object",
        "properties": {"a": {"type": "integer"}},
        "required": ["a"],
        "additionalProperties": False,
    }
    shape({"a": 1}, schema, {}, "")
    for wrong in ({"a": "1"}, {"a": None}, {}, {"a": 1, "b": 2}, [], {"a": True}):
        with pytest.raises(AssertionError):
            shape(wrong, schema, {}, "")


# Other sites


async def test_another_site_gets_nothing_through_the_browser_of_somebody_signed_in(app: Lectern, cast: Cast) -> None:
    olga = await cast.olga()
    await a_token(olga)
    before = await db.value("SELECT json_agg(t)::text FROM access_tokens t")
    for path in (*[rule for rule in WITH_SCOPE if "<" not in rule], "/api/v1/openapi.json"):
        for kind in ("application/json", "application/x-www-form-urlencoded", "text/plain", "multipart/form-data", ""):
            for origin in (
                {"Sec-Fetch-Site": "cross-site"},
                {"Origin": "https://evil.example"},
                {"Origin": "null"},
                {},
            ):
                answer = await olga.browser.post(path, headers={"Content-Type": kind, **origin}, data=b'{"name": "M"}')
                assert answer.status_code in (403, 405), (path, kind, origin)
        for method in ("GET", "OPTIONS"):
            answer = await olga.browser.open(
                path, method=method, headers={"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
            )
            assert answer.status_code == 401 or path.endswith(".json"), (method, path)
            assert not [name for name, _value in answer.headers if name.lower().startswith("access-control")]
    assert await db.value("SELECT json_agg(t)::text FROM access_tokens t") == before
