"""What ends with what happens to an account: sessions, half-done sign-ins, access tokens; one row of a table an act."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import pytest

import app.accounts
from app import Lectern
from app.accounts import access_tokens, bulk, endings, erasures, hashing, jobs, links, merging, queries, sign_ins, users
from app.accounts.models import User
from app.accounts.queries import second_factors as factor_queries
from app.core import clock, db, settings, tokens
from app.core.ids import public_id
from tests.accounts.conftest import Browser, Mailbox, count
from tests.accounts.test_second_factors import enrol, half_way
from tests.cast import PASSWORD, Cast, Person

NEW = "nine quiet otters by the mill"


@pytest.fixture
async def ann(cast: Cast) -> Person:
    person = await cast.ann()
    await queries.set_password(person.id, await hashing.hashed(PASSWORD))
    return person


async def a_token(user_id: int, *, second_factor: bool = False, scope: str = "me") -> str:
    token, now = access_tokens.new_token(), clock.now()
    await db.run(
        """
        INSERT INTO access_tokens (public_id, user_id, name, token_hash, ending, scopes, second_factor, created_at, expires_at)
        VALUES (:id, :user, 'Program', :hash, :ending, CAST(:scopes AS text[]), :second_factor, :now, :until)
        """,
        id=public_id(),
        user=user_id,
        hash=tokens.hashed(token),
        ending=token[-4:],
        scopes=[scope],
        second_factor=second_factor,
        now=now,
        until=now + timedelta(days=9),
    )
    return token


async def opens(lectern: Lectern, token: str, path: str = "/api/v1/me") -> int:
    answer = await lectern.test_client().get(path, headers={"Authorization": f"Bearer {token}"})
    return int(answer.status_code)


async def another_session(cast: Cast, ann: Person) -> Browser:
    """A second device, on which Ann is signed in."""
    there = Person(ann.id, ann.public_id, ann.email, ann.name, cast._app.test_client())
    await cast.sign_in(there)
    return Browser(there.browser)


async def office(cast: Cast, ann: Person, below: str, **form: Any) -> None:
    answer = await (await cast.olga()).browser.post(f"/admin/people/{ann.public_id}/{below}", form=form)
    assert answer.status_code == 303, await answer.get_data(as_text=True)


async def own(ann: Person, path: str, **form: Any) -> None:
    answer = await Browser(ann.browser).post(path, **form)
    assert answer.status_code == 303, await answer.get_data(as_text=True)


async def change_password(ann: Person, _cast: Cast, _box: Mailbox) -> None:
    await own(ann, "/account/password", current_password=PASSWORD, new_password=NEW)


async def reset_password(ann: Person, cast: Cast, box: Mailbox) -> None:
    stranger = Browser(cast._app.test_client())
    await stranger.post("/password/forgot", email=ann.email)
    assert (await stranger.post(await box.link(ann.email), new_password=NEW)).status_code == 303


async def not_me(ann: Person, cast: Cast, _box: Mailbox) -> None:
    async with db.transaction():
        _id, token = await links.issue(ann.id, ann.email, "not_me")
    assert (await Browser(cast._app.test_client()).post(f"/not-me/{token}")).status_code == 303


async def require_password(ann: Person, cast: Cast, _box: Mailbox) -> None:
    await office(cast, ann, "password-change")


async def suspend(ann: Person, cast: Cast, _box: Mailbox) -> None:
    await office(cast, ann, "suspension", reason="chargeback")


async def sign_out(ann: Person, cast: Cast, _box: Mailbox) -> None:
    await office(cast, ann, "sessions/removal")


async def office_address(ann: Person, cast: Cast, _box: Mailbox) -> None:
    form = {"name": ann.name, "email": "new@example.org", "headline": "", "country": "", "time_zone": ""}
    await office(cast, ann, "details", **form)


async def office_second_step(ann: Person, cast: Cast, _box: Mailbox) -> None:
    await office(cast, ann, "second-factor/removal", **{"second-reason": "lost the telephone"})


async def role(ann: Person, cast: Cast, _box: Mailbox) -> None:
    await office(cast, ann, "role", role="support")


async def merge_away(ann: Person, cast: Cast, _box: Mailbox) -> None:
    await merge(ann, await cast.bob(), cast)


async def merge(gone: Person, kept: Person, cast: Cast) -> None:
    olga = await users.find((await cast.olga()).id)
    assert olga is not None
    await merging.merge(gone.public_id, kept.public_id, by=olga)  # type: ignore[arg-type]


async def erase(ann: Person, _cast: Cast, _box: Mailbox) -> None:
    await own(ann, "/account/privacy/erasure", confirmation=ann.email)
    with clock.shifted(timedelta(days=40)):
        [waiting] = await erasures.due()
        assert await erasures._begin(waiting)  # the first step, before anything is forgotten


async def turn_off_app(ann: Person, _cast: Cast, _box: Mailbox) -> None:
    await own(ann, "/account/security/totp/removal")


async def sign_out_others(ann: Person, _cast: Cast, _box: Mailbox) -> None:
    await own(ann, "/account/sessions/removal")


async def nothing(_ann: Person, _cast: Cast, _box: Mailbox) -> None:
    """The negative control."""


Deed = Callable[[Person, Cast, Mailbox], Awaitable[None]]

# act                  its row of the table    another device is out    the token is dead    half a sign-in is over
TABLE: list[tuple[Deed, str, bool, bool, bool]] = [
    (change_password,    "password",           True,                    True,                True),
    (reset_password,     "reset",              True,                    True,                True),
    (not_me,             "not_me",             True,                    True,                True),
    (require_password,   "password_required",  True,                    True,                True),
    (suspend,            "suspension",         True,                    True,                True),
    (sign_out,           "office_sign_out",    True,                    True,                True),
    (office_address,     "office_address",     True,                    True,                True),
    (office_second_step, "office_second_step", True,                    True,                True),
    (merge_away,         "",                   True,                    True,                True),
    (erase,              "erasure",            True,                    True,                True),
    (role,               "role",               True,                    False,               True),
    (turn_off_app,       "second_step",        True,                    False,               True),
    (sign_out_others,    "other_devices",      True,                    False,               True),
    (nothing,            "",                   False,                   False,               False),
]  # fmt: skip


@pytest.mark.parametrize(("deed", "row", "out", "dead", "over"), TABLE, ids=[line[0].__name__ for line in TABLE])
async def test_what_ends(
    app: Lectern, cast: Cast, ann: Person, mailbox: Mailbox, deed: Deed, row: str, out: bool, dead: bool, over: bool
) -> None:
    await enrol(ann)
    there, half = await another_session(cast, ann), Browser(app.test_client())
    await half_way(half, ann)
    token = await a_token(ann.id)
    assert await there.is_signed_in()
    assert await opens(app, token) == 200
    await deed(ann, cast, mailbox)
    assert await there.is_signed_in() is not out
    assert await opens(app, token) == (401 if dead else 200)
    assert ((await half.get("/login/second-step")).headers.get("Location") == "/login") is over
    if row:
        assert endings.TOKENS_END[row] is dead  # type: ignore[index]


async def test_a_token_that_a_suspension_ended_stays_dead_when_the_person_is_let_in(
    app: Lectern, cast: Cast, ann: Person
) -> None:
    token = await a_token(ann.id)
    rob = await cast.rob()
    await rob.browser.post(f"/admin/people/{ann.public_id}/suspension", form={"reason": "x"})
    await rob.browser.post(f"/admin/people/{ann.public_id}/suspension/removal")
    assert await opens(app, token) == 401


async def test_the_office_is_told_how_many_tokens_ended_and_it_is_noted(cast: Cast, ann: Person) -> None:
    rob = await cast.rob()
    await db.run("DELETE FROM sessions WHERE user_id = :id", id=ann.id)
    await a_token(ann.id)
    await rob.browser.post(f"/admin/people/{ann.public_id}/sessions/removal")
    assert "1 access token ended" in await Browser(rob.browser).text(f"/admin/people/{ann.public_id}")
    assert await db.value("SELECT after FROM audit_log WHERE action = 'people.sign_out'") == {
        "sessions": 0,
        "tokens": 1,
    }


async def test_a_token_holds_no_rights_that_need_a_second_step_when_the_last_one_is_gone(
    app: Lectern, cast: Cast
) -> None:
    sam = await cast.sam()
    await queries.set_password(sam.id, await hashing.hashed(PASSWORD))
    await enrol(sam)
    token = await a_token(sam.id, second_factor=True, scope="people.view")
    await settings.save_school(second_factor_roles=["support"])
    assert await opens(app, token, "/api/v1/people") == 200
    await own(sam, "/account/security/totp/removal")
    assert await opens(app, token, "/api/v1/people") == 403


async def test_pages_say_what_happens_to_tokens(cast: Cast, ann: Person) -> None:
    """A new password ends them; signing other devices out does not."""
    await a_token(ann.id)
    await another_session(cast, ann)
    mine = Browser(ann.browser)
    assert "access tokens" in (await mine.text("/account")).partition('id="password-section"')[2]
    assert "access tokens" in (await mine.text("/account/sessions")).partition('class="keyring__all"')[2]


def test_every_row_of_the_table_is_tried_or_explained_and_nobody_ends_sessions_beside_it() -> None:
    tried = {row for _deed, row, *_ in TABLE if row}
    # A claim is tried below, the change of one's own address in test_email_changes.py, letting in above.
    assert set(get_args(endings.Act)) == set(endings.TOKENS_END) == tried | {"claim", "address", "unsuspension"}
    folder = Path(app.accounts.__file__).parent
    beside = re.compile(r"delete_sessions_of\(|delete_tokens_of\(")
    found = {path.name for path in folder.glob("*.py") if beside.search(path.read_text(encoding="utf-8"))}
    assert found == {"endings.py"}


# Half-done sign-ins


async def test_a_person_has_so_many_half_done_sign_ins_and_the_oldest_goes(
    app: Lectern, cast: Cast, ann: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sign_ins, "MOST", 3)
    bob = await cast.bob()
    await queries.set_password(bob.id, await hashing.hashed(PASSWORD))
    await enrol(ann)
    await enrol(bob)
    of_bob, begun = Browser(app.test_client()), []
    await half_way(of_bob, bob)
    for _ in range(4):
        begun.append(Browser(app.test_client()))
        await half_way(begun[-1], ann)
    assert await count(f"pending_sign_ins WHERE user_id = {ann.id}") == 3
    assert (await begun[0].get("/login/second-step")).headers["Location"] == "/login"
    for still in (*begun[1:], of_bob):
        assert (await still.get("/login/second-step")).status_code == 200


@pytest.mark.parametrize("is_held", [True, False])
async def test_begun_at_the_same_time_they_are_counted_one_after_the_other(
    app: Lectern, ann: Person, monkeypatch: pytest.MonkeyPatch, is_held: bool
) -> None:
    """Without the hold on the person's row (the negative control), two that begin at once do not see each other."""
    monkeypatch.setattr(sign_ins, "MOST", 1)
    insert, trim, gate = factor_queries.insert_pending, factor_queries.delete_oldest_pending, asyncio.Barrier(2)

    async def unheld(_ids: list[int]) -> list[User]:
        return []

    async def both_are_in(**binds: Any) -> bool:
        made = await insert(**binds)
        await gate.wait()
        return made

    async def both_have_counted(user_id: int, *, keep: int) -> None:
        await trim(user_id, keep=keep)
        await gate.wait()

    if not is_held:
        monkeypatch.setattr(sign_ins, "people_queries", SimpleNamespace(lock_users=unheld))
        monkeypatch.setattr(factor_queries, "insert_pending", both_are_in)
        monkeypatch.setattr(factor_queries, "delete_oldest_pending", both_have_counted)

    async def begin() -> None:
        async with db.hold(), app.test_request_context("/"):
            assert not await sign_ins.go_on(ann.id, method="password")

    await enrol(ann)
    await asyncio.gather(begin(), begin())
    assert await count("pending_sign_ins") == (1 if is_held else 2)


async def test_those_that_nobody_finished_are_swept_away(app: Lectern, ann: Person) -> None:
    await enrol(ann)
    await half_way(Browser(app.test_client()), ann)
    await jobs.clear_expired()
    assert await count("pending_sign_ins") == 1
    with clock.shifted(sign_ins.LIFETIME + timedelta(seconds=1)):
        await jobs.clear_expired()
    assert await count("pending_sign_ins") == 0


# An account that somebody prepared before its owner came


async def prepared(cast: Cast, *, address_by_office: bool = False) -> tuple[Person, str]:
    """An unproved account with everything that could open it later, and its token."""
    ann = await cast.person("Ann Archer", "ann@example.org")
    await queries.set_password(ann.id, await hashing.hashed(PASSWORD))
    await enrol(ann)
    token = await a_token(ann.id)
    await half_way(Browser(cast._app.test_client()), ann)
    await db.run(
        """
        WITH a AS (INSERT INTO identities (user_id, provider, subject, email, created_at)
                   VALUES (:id, 'google', 'mallory', 'm@example.org', now())),
             b AS (INSERT INTO passkeys (public_id, user_id, name, credential_id, public_key, sign_count, user_handle, is_backup_eligible,
                                         created_at)
                   VALUES ('k', :id, 'hers', 'c', 'p', 0, 'h', false, now())),
             c AS (INSERT INTO email_changes (user_id, old_email, new_email, created_at, expires_at, old_confirmed_at)
                   VALUES (:id, 'ann@example.org', 'm@example.org', now(), now() + interval '1 day', now())),
             d AS (INSERT INTO one_time_tokens (token_hash, purpose, user_id, email, created_at, expires_at)
                   VALUES ('t', 'new_email', :id, 'm@example.org', now(), now() + interval '1 day'))
        UPDATE users SET email_verified_at = NULL WHERE id = :id
        """,
        id=ann.id,
    )
    if address_by_office:
        await db.run(
            "INSERT INTO audit_log (action, subject_type, subject_id, created_at) VALUES ('people.email', 'person', :id, now())",
            id=ann.public_id,
        )
    return ann, token


LEFT = {
    "password": "SELECT count(*) FROM users WHERE id = :id AND password_hash IS NOT NULL",
    "sessions": "SELECT count(*) FROM sessions WHERE user_id = :id",
    "half-done": "SELECT count(*) FROM pending_sign_ins WHERE user_id = :id",
    "tokens": "SELECT count(*) FROM access_tokens WHERE user_id = :id",
    "app": "SELECT count(*) FROM mfa_secrets WHERE user_id = :id",
    "codes": "SELECT count(*) FROM recovery_codes WHERE user_id = :id",
    "passkeys": "SELECT count(*) FROM passkeys WHERE user_id = :id",
    "Google": "SELECT count(*) FROM identities WHERE user_id = :id",
    "address": "SELECT count(*) FROM email_changes WHERE user_id = :id AND state = 'open'",
    "links": "SELECT count(*) FROM one_time_tokens WHERE user_id = :id AND purpose = 'new_email' AND used_at IS NULL",
}


async def left(ann: Person) -> set[str]:
    return {name for name, sql in LEFT.items() if await db.value(sql, id=ann.id)}


async def buys(_ann: Person, _cast: Cast, _box: Mailbox) -> None:
    async with db.transaction():
        await users.ensure("ann@example.org")


async def is_imported(ann: Person, _cast: Cast, _box: Mailbox) -> None:
    async with db.transaction():
        await bulk.claim([ann.id, ann.id], invite=True)


async def is_merged_into(ann: Person, cast: Cast, _box: Mailbox) -> None:
    await merge(await cast.person("Ann Archer", "a.archer@example.org", verified=False), ann, cast)


async def follows_a_link(ann: Person, cast: Cast, box: Mailbox) -> None:
    stranger = Browser(cast._app.test_client())
    await stranger.post("/login/link", email=ann.email)
    assert (await stranger.post(await box.link(ann.email))).headers["Location"] != "/login/second-step"


CLAIMS: list[tuple[Deed, set[str]]] = [
    (buys, set()),
    (is_imported, set()),
    (is_merged_into, set()),
    (follows_a_link, {"sessions"}),  # the owner's own
    (reset_password, {"sessions", "password"}),  # the owner's own
    (nothing, set(LEFT)),
]


@pytest.mark.parametrize(("claim", "stays"), CLAIMS, ids=[line[0].__name__ for line in CLAIMS])
async def test_nothing_that_was_prepared_outlives_the_owners_claim(
    app: Lectern, cast: Cast, mailbox: Mailbox, claim: Deed, stays: set[str]
) -> None:
    ann, token = await prepared(cast)
    assert await left(ann) == set(LEFT)
    mallory = Browser(ann.browser)
    assert await mallory.is_signed_in()
    await claim(ann, cast, mailbox)
    assert await left(ann) == stays
    is_control = claim is nothing
    assert await mallory.is_signed_in() is is_control
    assert await opens(app, token) == (200 if is_control else 401)


@pytest.mark.parametrize("claim", [buys, is_imported])
async def test_an_app_stays_where_the_office_changed_the_address(cast: Cast, mailbox: Mailbox, claim: Deed) -> None:
    """There it is of somebody who had proved who they are, and whoever reads the new mailbox must not pass it."""
    ann, _token = await prepared(cast, address_by_office=True)
    await claim(ann, cast, mailbox)
    assert await left(ann) == {"app", "codes"}


async def test_a_proved_account_loses_nothing_by_a_purchase(cast: Cast, mailbox: Mailbox) -> None:
    ann, _token = await prepared(cast)
    await db.run("UPDATE users SET email_verified_at = now()")
    await buys(ann, cast, mailbox)
    await is_imported(ann, cast, mailbox)
    assert await left(ann) == set(LEFT)


async def test_whoever_lost_something_gets_the_link_to_enter_once(cast: Cast, mailbox: Mailbox) -> None:
    ann, _token = await prepared(cast)
    for _ in range(2):
        await buys(ann, cast, mailbox)
    subjects = [mail["Subject"] for mail in await mailbox.all(ann.email)]
    assert subjects.count("Welcome to Meridian") == 1
