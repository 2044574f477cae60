"""Two accounts of one person become one: everything moves or nothing does, and nobody gets in who could not."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.access import entitlements
from app.accounts import erasures, merging, people, users
from app.commerce import carts
from app.core import clock, db, queue
from app.core.errors import Conflict, Forbidden, NotFound, Refused
from app.learning import progress
from tests.accounts.conftest import Browser, Mailbox, body, text_of
from tests.accounts.test_people import signed_in
from tests.accounts.test_signing_in import set_password
from tests.cast import Cast, Person
from tests.office import an_order
from tests.school import a_course

# Every column that points at a person: it moves to the kept account, ends with the closed one, or stays as it was
# written (who acted, who uploaded). A new one fails until somebody has decided; columns of tables that are not there yet
# may stand here.
COLUMNS = """
access_tokens.user_id           ends
carts.user_id                   moves
consents.user_id                stays
courses.instructor_id           moves
default_views.user_id           stays
email_changes.user_id           stays
enrolments.user_id              moves
entitlements.granted_by         stays
entitlements.user_id            moves
erasures.asked_by               stays
erasures.cancelled_by           stays
erasures.user_id                stays
form_columns.user_id            stays
form_connections.created_by      stays
form_drafts.user_id             moves
form_entries.user_id            moves
form_entry_acts.made_by         stays
form_links.made_by              moves
form_versions.made_by           moves
forms.created_by                moves
identities.user_id              ends
impersonations.actor_id         stays
impersonations.subject_id       stays
imports.created_by              stays
learner_days.user_id            moves
learners.user_id                moves
lesson_progress.user_id         moves
merged_carts.user_id            moves
mfa_secrets.user_id             ends
one_time_tokens.user_id         ends
order_events.actor_id           stays
orders.user_id                  moves
passkeys.user_id                ends
pending_sign_ins.user_id        ends
person_notes.author_id          stays
person_notes.user_id            moves
personal_exports.user_id        stays
recovery_codes.user_id          ends
refunds.requested_by            stays
saved_views.owner_id            stays
sessions.user_id                ends
sign_in_links.user_id           ends
uploads.owner_id                stays
user_tags.user_id               moves
users.merged_into_id            moves
"""
DECIDED = {line.split()[0]: line.split()[1] for line in COLUMNS.split("\n") if line}


async def pointing_at_people() -> list[str]:
    rows = await db.many(
        db.Row,
        """
        SELECT c.conrelid::regclass::text || '.' || a.attname AS place FROM pg_constraint c
        JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
        WHERE c.contype = 'f' AND c.confrelid = 'users'::regclass ORDER BY 1
        """,
    )
    return [row.place for row in rows]


async def merge(gone: Person, kept: Person, by: Person) -> None:
    await merging.merge(gone.public_id, kept.public_id, by=await signed_in(by))


async def world() -> Any:
    """Everything that a merge may change, as text."""
    tables = ("users", "sessions", "orders", "carts", "entitlements", "enrolments", "lesson_progress", "learner_days")
    return [
        await db.value(f"SELECT CAST(json_agg(t ORDER BY CAST(t AS text)) AS text) FROM {table} t")
        for table in (*tables, "audit_log", "mails", "identities", "passkeys")
    ]


async def two_anns(cast: Cast) -> tuple[Person, Person]:
    """The account that goes and the one that stays."""
    return await cast.person("Ann Archer", "ann.archer+old@example.org"), await cast.person(
        "Ann Archer", "annarcher@example.org"
    )


async def furnish(person: Person, products: list[Any]) -> None:
    """Something in every table that moves or ends."""
    await an_order(user_id=person.id)
    async with db.transaction():
        for product in products:
            await entitlements.grant(
                person.id, product.id, source="free", source_ref=entitlements.free_ref(person.id, product.id)
            )
    await queue.drain()
    first = await db.one(db.Row, "SELECT id, course_id FROM lessons ORDER BY id LIMIT 1")
    assert first is not None
    statements = (
        "INSERT INTO lesson_progress (user_id, lesson_id, course_id, first_opened_at, updated_at) VALUES (:id, :lesson, :course, now(), now())",
        "INSERT INTO learner_days (on_date, user_id) VALUES (CURRENT_DATE, :id)",
        "INSERT INTO carts (user_id, created_at, updated_at) VALUES (:id, now(), now())",
        "INSERT INTO cart_items (cart_id, product_id, agreed_minor, agreed_currency, added_at) SELECT c.id, p.id, 1, 'EUR', now() FROM carts c, products p WHERE c.user_id = :id LIMIT 1",
        "INSERT INTO merged_carts (token_hash, user_id, merged_at) VALUES (decode(md5(CAST(CAST(:id AS bigint) AS text)), 'hex'), :id, now())",
        "UPDATE courses SET instructor_id = :id",
        "INSERT INTO tags (public_id, name, created_at) VALUES ('gold', 'Gold', now()) ON CONFLICT DO NOTHING",
        "INSERT INTO user_tags (user_id, tag_id) SELECT :id, id FROM tags",
        "INSERT INTO person_notes (public_id, user_id, body, created_at) VALUES (CAST(CAST(:id AS bigint) AS text), :id, 'x', now())",
        "INSERT INTO identities (user_id, provider, subject, email, created_at) VALUES (:id, 'google', CAST(CAST(:id AS bigint) AS text), 'x', now())",
        "INSERT INTO mfa_secrets (user_id, sealed_secret, created_at, last_step) VALUES (:id, 'x', now(), 0)",
        "INSERT INTO pending_sign_ins (token_hash, user_id, method, created_at, expires_at) VALUES (decode(md5(CAST(CAST(:id AS bigint) AS text)), 'hex'), :id, 'x', now(), now())",
        "INSERT INTO one_time_tokens (token_hash, purpose, user_id, email, created_at, expires_at) VALUES (decode(md5(CAST(CAST(:id AS bigint) AS text)), 'hex'), 'reset_password', :id, 'x', now(), now())",
        "INSERT INTO passkeys (public_id, user_id, name, credential_id, public_key, sign_count, created_at, user_handle, is_backup_eligible) VALUES (CAST(CAST(:id AS bigint) AS text), :id, 'x', decode(md5(CAST(CAST(:id AS bigint) AS text)), 'hex'), 'x', 0, now(), 'x', false)",
        "INSERT INTO access_tokens (public_id, user_id, name, token_hash, ending, scopes, second_factor, created_at, expires_at) VALUES (CAST(CAST(:id AS bigint) AS text), :id, 'x', decode(md5(CAST(CAST(:id AS bigint) AS text)), 'hex'), 'x', '{me}', false, now(), now() + interval '1 day')",
        "INSERT INTO recovery_codes (user_id, code_hash, created_at, salt) VALUES (:id, decode(md5(CAST(CAST(:id AS bigint) AS text)), 'hex'), now(), 'x')",
        "INSERT INTO sign_in_links (token_hash, user_id, email, browser_hash, user_agent, address, onward, created_at, expires_at) VALUES (decode(md5(CAST(CAST(:id AS bigint) AS text)), 'hex'), :id, 'x', 'x', 'x', 'x', 'x', now(), now())",
        "INSERT INTO sessions (public_id, token_hash, user_id, created_at, fresh_at, last_seen_at, expires_at) VALUES (CAST(CAST(:id AS bigint) AS text), decode(md5(CAST(CAST(:id AS bigint) AS text)), 'hex'), :id, now(), now(), now(), now())",
        "INSERT INTO forms (public_id, slug, title, created_at, updated_at, created_by) VALUES (CAST(CAST(:id AS bigint) AS text), CAST(CAST(:id AS bigint) AS text), 'x', now(), now(), :id)",
        "INSERT INTO form_versions (form_id, number, definition, made_at, made_by) SELECT id, 1, '{}', now(), :id FROM forms WHERE created_by = :id",
        "INSERT INTO form_links (public_id, form_id, is_single, made_at, made_by) SELECT CAST(CAST(:id AS bigint) AS text), id, false, now(), :id FROM forms WHERE created_by = :id",
        "INSERT INTO form_entries (public_id, form_id, version_id, state, answers, created_at, user_id) SELECT CAST(CAST(:id AS bigint) AS text), form_id, id, 'received', '{}', now(), :id FROM form_versions WHERE made_by = :id",
        "INSERT INTO form_drafts (form_id, version_id, token_hash, step, created_at, updated_at, expires_at, user_id) SELECT form_id, id, decode(md5(CAST(CAST(:id AS bigint) AS text)), 'hex'), 'x', now(), now(), now(), :id FROM form_versions WHERE made_by = :id",
    )
    for statement in statements:
        binds = {"id": person.id, "lesson": first.id, "course": first.course_id}
        await db.run(statement, **{name: value for name, value in binds.items() if f":{name}" in statement})


async def products() -> list[Any]:
    return await db.many(db.Row, "SELECT id, course_id FROM products ORDER BY id")


# What moves


async def test_it_is_decided_for_every_column_that_points_at_a_person(cast: Cast) -> None:
    assert [place for place in await pointing_at_people() if place not in DECIDED] == []


async def test_nothing_that_moves_or_ends_is_left_with_the_closed_account(cast: Cast) -> None:
    await a_course("reading-price")
    olga = await cast.olga()
    gone, kept = await two_anns(cast)
    await furnish(gone, await products())

    async def held() -> set[str]:
        """Where something is of the account that goes."""
        found = set()
        for place in await pointing_at_people():
            table, column = place.split(".")
            if DECIDED[place] in ("moves", "ends"):
                if await db.value(f"SELECT count(*) FROM {table} WHERE {column} = :id", id=gone.id):
                    found.add(place)
        return found

    decided = {place for place in await pointing_at_people() if DECIDED[place] in ("moves", "ends")}
    assert decided - await held() == {"users.merged_into_id"}, "of these nothing could be left"
    await merge(gone, kept, olga)
    assert await held() == set()
    assert await db.value("SELECT state FROM users WHERE id = :id", id=gone.id) == "merged"
    assert await db.value("SELECT merged_into_id FROM users WHERE id = :id", id=gone.id) == kept.id


async def test_orders_access_and_the_cart_of_both_are_with_the_kept_account(cast: Cast) -> None:
    await a_course("reading-price")
    await a_course("risk", "Risk")
    olga = await cast.olga()
    gone, kept = await two_anns(cast)
    both = await products()
    await furnish(gone, both)
    await furnish(kept, both[:1])
    await merge(gone, kept, olga)
    await queue.drain()
    assert await db.value("SELECT count(*) FROM orders WHERE user_id = :id", id=kept.id) == 2
    causes = await db.many(db.Row, "SELECT source_ref FROM entitlements WHERE user_id = :id ORDER BY id", id=kept.id)
    assert [row.source_ref for row in causes] == [
        f"free:{gone.id}:{both[0].id}",  # the kept account has one of its own
        f"free:{kept.id}:{both[1].id}",
        f"free:{kept.id}:{both[0].id}",
    ]
    assert await entitlements.open_courses(kept.id) == sorted(product.course_id for product in both)
    assert await entitlements.open_courses(gone.id) == []
    assert (
        await db.value(
            "SELECT count(*) FROM cart_items i JOIN carts c ON c.id = i.cart_id WHERE c.user_id = :id", id=kept.id
        )
        == 1
    )
    assert await db.value("SELECT count(*) FROM enrolments WHERE user_id = :id", id=kept.id) == 2
    assert await db.value("SELECT count(*) FROM user_tags WHERE user_id = :id", id=kept.id) == 1
    assert await db.value("SELECT count(*) FROM person_notes WHERE user_id = :id", id=kept.id) == 2


async def test_what_stands_in_one_cart_only_and_its_order_come_along(cast: Cast) -> None:
    first, second = await a_course("reading-price"), await a_course("risk", "Risk")
    olga = await cast.olga()
    gone, kept = await two_anns(cast)
    for person, slug in ((gone, "risk"), (kept, "reading-price")):
        await carts.add(carts.Whose(person.id), slug)
    order_id = await an_order(user_id=gone.id)
    cart_id = await carts.find(carts.Whose(gone.id))
    await db.run("UPDATE orders SET cart_id = :cart WHERE public_id = :id", cart=cart_id, id=order_id)
    await merge(gone, kept, olga)
    kept_cart = await carts.find(carts.Whose(kept.id))
    rows = await db.many(db.Row, "SELECT cart_id, product_id FROM cart_items ORDER BY product_id")
    assert [(row.cart_id, row.product_id) for row in rows] == [
        (kept_cart, first.product_id),
        (kept_cart, second.product_id),
    ]
    assert await db.value("SELECT cart_id FROM orders WHERE public_id = :id", id=order_id) == kept_cart


async def test_of_what_was_learned_in_both_the_further_counts(cast: Cast) -> None:
    await a_course("reading-price", lessons=3)
    olga = await cast.olga()
    gone, kept = await two_anns(cast)
    course = await db.value("SELECT id FROM courses")
    lessons = [row.id for row in await db.many(db.Row, "SELECT id FROM lessons ORDER BY id")]
    statement = """
        INSERT INTO lesson_progress (user_id, lesson_id, course_id, position_seconds, first_opened_at, updated_at, completed_at)
        VALUES (:user, :lesson, :course, :seconds, now() - :age * interval '1 day', now() - :age * interval '1 day',
                CASE WHEN :done THEN now() - :age * interval '1 day' END)
    """
    for user, lesson, seconds, age, done in (
        (gone, 0, 90, 5, True),
        (kept, 0, 30, 1, False),
        (gone, 1, 10, 5, False),
        (kept, 1, 60, 1, True),
        (gone, 2, 20, 2, True),
    ):
        binds = {
            "user": user.id,
            "lesson": lessons[lesson],
            "course": course,
            "seconds": seconds,
            "age": age,
            "done": done,
        }
        await db.run(statement, **binds)
    for user, age, last, done in ((gone, 9, 2, 2), (kept, 3, 1, 1)):
        await db.run(
            """
            INSERT INTO enrolments (user_id, course_id, enrolled_at, last_activity_at, last_lesson_id, completed_count)
            VALUES (:user, :course, now() - :age * interval '1 day', now() - :age * interval '1 hour', :last, :done)
            """,
            user=user.id, course=course, age=age, last=lessons[last], done=done,
        )  # fmt: skip
    for user, day in ((gone, 1), (gone, 2), (kept, 2), (kept, 3)):
        await db.run(
            "INSERT INTO learner_days (on_date, user_id) VALUES (CURRENT_DATE - CAST(:day AS int), :user)",
            day=day,
            user=user.id,
        )
    await merge(gone, kept, olga)
    found = await progress.of(course, kept.id)
    assert [(step.completed_at is not None, step.position_seconds) for step in found.steps] == [
        (True, 90),
        (True, 60),
        (True, 20),
    ]
    enrolment = await db.one(
        db.Row,
        """
        SELECT completed_count, completed_at IS NOT NULL AS is_done, last_lesson_id, enrolled_at < now() - interval '8 days' AS is_early
        FROM enrolments WHERE user_id = :id
        """,
        id=kept.id,
    )
    assert enrolment is not None
    # Each half was unfinished; together they are the whole course.
    assert (enrolment.completed_count, enrolment.is_done, enrolment.last_lesson_id, enrolment.is_early) == (
        3,
        True,
        lessons[1],
        True,
    )
    assert await db.value("SELECT days FROM learners WHERE user_id = :id", id=kept.id) == 3
    assert await db.value("SELECT count(*) FROM learners WHERE user_id = :id", id=gone.id) == 0


async def test_what_was_finished_and_opened_last_in_the_closed_account_counts(cast: Cast) -> None:
    await a_course("reading-price", lessons=3)
    olga = await cast.olga()
    gone, kept = await two_anns(cast)
    course = await db.value("SELECT id FROM courses")
    lessons = [row.id for row in await db.many(db.Row, "SELECT id FROM lessons ORDER BY id")]
    for user, last, hours, is_done in ((gone, 2, 1, True), (kept, 0, 5, False)):
        await db.run(
            """
            INSERT INTO enrolments (user_id, course_id, enrolled_at, last_activity_at, last_lesson_id, completed_at)
            VALUES (:user, :course, now(), now() - :hours * interval '1 hour', :last, CASE WHEN :is_done THEN now() END)
            """,
            user=user.id, course=course, last=lessons[last], hours=hours, is_done=is_done,
        )  # fmt: skip
    await merge(gone, kept, olga)
    row = await db.one(db.Row, "SELECT user_id, last_lesson_id, completed_at IS NOT NULL AS is_done FROM enrolments")
    assert row is not None
    assert (row.user_id, row.last_lesson_id, row.is_done) == (kept.id, lessons[2], True)


async def test_access_that_was_closed_enrols_nobody_when_it_moves(cast: Cast) -> None:
    course = await a_course("reading-price")
    olga = await cast.olga()
    gone, kept = await two_anns(cast)
    async with db.transaction():
        await entitlements.grant(gone.id, course.product_id or 0, source="manual", source_ref="manual:1")
        await entitlements.close("manual:1", reason="shared the account")
    await db.run("DELETE FROM pgqueuer")  # it was closed before anybody heard that it was open
    await merge(gone, kept, olga)
    await queue.drain()
    assert await entitlements.open_courses(kept.id) == []
    assert not await db.value("SELECT count(*) FROM enrolments")


async def test_a_step_that_fails_leaves_everything_as_it_was(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    await a_course("reading-price")
    olga = await cast.olga()
    gone, kept = await two_anns(cast)
    await furnish(gone, await products())
    before = await world()

    async def failing(_gone: int, _kept: int) -> Mapping[str, int]:
        raise RuntimeError("no")

    async def nothing(_gone: int, _kept: int) -> list[str]:
        return []

    monkeypatch.setitem(merging._steps, "failing", merging.Step("failing", nothing, failing))
    with pytest.raises(RuntimeError):
        await merge(gone, kept, olga)
    assert await world() == before


async def test_what_was_merged_before_follows(cast: Cast) -> None:
    olga = await cast.olga()
    first, second = await two_anns(cast)
    third = await cast.person("Ann Archer", "ann@archer.example")
    await merge(first, second, olga)
    await merge(second, third, olga)
    for person in (first, second):
        kept = await merging.kept_for(person.id)
        assert kept is not None
        assert kept.id == third.id


# Who, and what not


async def test_only_who_may_decide_about_both_merges_them(cast: Cast) -> None:
    olga, rob, sam = await cast.olga(), await cast.rob(), await cast.sam()
    other = await cast.person("Otto Oster", "otto@meridian.example", role="owner")
    gone, kept = await two_anns(cast)
    for mine, theirs, by in (
        (olga, kept, rob),
        (gone, olga, rob),
        (rob, kept, rob),
        (gone, rob, rob),
        (olga, kept, olga),
    ):
        with pytest.raises(Forbidden):
            await merge(mine, theirs, by)
    with pytest.raises(Conflict):
        await merge(gone, gone, rob)
    with pytest.raises(NotFound):
        await merging.merge("nobody", kept.public_id, by=await signed_in(rob))
    assert (await sam.browser.get(f"/admin/people/{gone.public_id}/merge")).status_code == 403
    # An owner by another one; the role does not come along, and one owner stays.
    await merge(other, kept, olga)
    rows = await db.many(db.Row, "SELECT email FROM users WHERE role = 'owner'")
    assert [row.email for row in rows] == [olga.email]
    assert await db.value("SELECT role FROM users WHERE id = :id", id=kept.id) == "member"


async def test_whoever_got_another_role_meanwhile_merges_nobody(cast: Cast) -> None:
    rob = await cast.rob()
    gone, kept = await two_anns(cast)
    by = await signed_in(rob)
    await cast.role("looker", ["admin.enter", "people.view", "people.edit", "people.notes"])
    for role in ("looker", "owner"):
        await db.run("UPDATE users SET role = :role WHERE id = :id", role=role, id=rob.id)
        with pytest.raises(Forbidden):
            await merging.merge(gone.public_id, kept.public_id, by=by)


async def test_two_owners_who_merge_each_other_away_leave_one(cast: Cast) -> None:
    olga = await cast.olga()
    otto = await cast.person("Otto Oster", "otto@meridian.example", role="owner")
    ann, bob = await cast.ann(), await cast.bob()
    by_olga, by_otto = await signed_in(olga), await signed_in(otto)
    results = await asyncio.gather(
        merging.merge(otto.public_id, ann.public_id, by=by_olga),
        merging.merge(olga.public_id, bob.public_id, by=by_otto),
        return_exceptions=True,
    )
    assert sum(isinstance(result, Forbidden) for result in results) == 1
    assert await db.value("SELECT count(*) FROM users WHERE role = 'owner' AND state = 'active'") == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("state = 'suspended'", "suspended"),
        ("email_verified_at = NULL", "address is confirmed"),
    ],
)
async def test_a_suspended_or_unproven_account_is_not_kept(cast: Cast, change: str, said: str) -> None:
    olga = await cast.olga()
    gone, kept = await two_anns(cast)
    await db.run(f"UPDATE users SET {change} WHERE id = :id", id=kept.id)
    with pytest.raises(Conflict, match=said):
        await merge(gone, kept, olga)


async def test_a_password_that_proved_nothing_does_not_open_what_comes(cast: Cast) -> None:
    olga = await cast.olga()
    gone = await cast.person("Ann", "ann+a@example.org", verified=False)
    kept = await cast.person("Ann", "ann@example.org", verified=False)
    await set_password(kept.id)
    await merge(gone, kept, olga)
    assert await db.value("SELECT password_hash IS NULL FROM users WHERE id = :id", id=kept.id)


async def test_two_who_merge_the_same_accounts_at_once_do_it_once(cast: Cast) -> None:
    olga, rob = await cast.olga(), await cast.rob()
    await a_course("reading-price")
    gone, kept = await two_anns(cast)
    await furnish(gone, await products())
    results = await asyncio.gather(
        merge(gone, kept, olga), merge(gone, kept, rob), merge(kept, gone, olga), return_exceptions=True
    )
    assert sum(result is None for result in results) == 1, results
    assert all(result is None or isinstance(result, Refused) for result in results)
    assert await db.value("SELECT count(*) FROM users WHERE state = 'merged'") == 1
    assert await db.value("SELECT count(*) FROM audit_log WHERE action = 'people.merge'") == 2


async def test_without_the_lock_both_would_close_the_other(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: when both look before either writes, each closes the other, and the person has none."""
    olga = await cast.olga()
    gone, kept = await two_anns(cast)
    meeting = asyncio.Barrier(2)

    async def seen(ids: list[int]) -> list[Any]:
        found = [user for user in [await users.find(id) for id in ids] if user is not None]
        await meeting.wait()
        return found

    monkeypatch.setattr(merging.queries, "lock_users", seen)
    closed = 0
    for _time in range(20):  # PostgreSQL may find the two in each other's way, and end one of them
        await db.run("UPDATE users SET state = 'active', merged_into_id = NULL WHERE state = 'merged'")
        await asyncio.gather(merge(gone, kept, olga), merge(kept, gone, olga), return_exceptions=True)
        closed = await db.value("SELECT count(*) FROM users WHERE state = 'merged'")
        if closed == 2:
            break
    assert closed == 2


# Afterwards


async def test_the_closed_account_opens_nothing_and_says_why_to_whoever_has_its_password(
    cast: Cast, browser: Browser, mailbox: Mailbox
) -> None:
    olga = await cast.olga()
    gone, kept = await two_anns(cast)
    await set_password(gone.id)
    await merge(gone, kept, olga)
    assert (await gone.browser.get("/account/corner")).status_code == 204
    wrong = await body(await browser.sign_in(gone.email, "not the password"))
    right = await body(await browser.sign_in(gone.email))
    assert "do not go together" in wrong
    assert "was merged into another one of yours" in right
    assert kept.email not in right
    assert not await browser.is_signed_in()
    told = {mail["To"]: text_of(mail) for mail in await mailbox.all()}
    assert kept.email in told[gone.email]
    assert gone.email in told[kept.email]
    await browser.post("/password/forgot", email=gone.email)
    assert len(await mailbox.all(gone.email)) == 2
    assert "/password/reset/" not in text_of(await mailbox.last(gone.email))


async def test_what_is_bought_with_the_closed_address_belongs_to_the_kept_account(cast: Cast) -> None:
    olga = await cast.olga()
    gone, kept = await two_anns(cast)
    await merge(gone, kept, olga)
    person, is_new = await people.add(gone.email, "Ann")
    assert (person.id, is_new) == (kept.id, False)


async def test_both_histories_tell_of_it(cast: Cast) -> None:
    olga = await cast.olga()
    gone, kept = await two_anns(cast)
    await an_order(user_id=gone.id)
    await merge(gone, kept, olga)
    rows = await db.many(
        db.Row, "SELECT subject_id, after, summary FROM audit_log WHERE action = 'people.merge' ORDER BY id"
    )
    assert [(row.subject_id, row.after, row.summary) for row in rows] == [
        (gone.public_id, {"state": "merged", "into": kept.public_id}, kept.email),
        (kept.public_id, {"from": gone.public_id, "orders": 1}, gone.email),
    ]


async def test_the_profile_is_completed_and_not_overwritten(cast: Cast) -> None:
    olga = await cast.olga()
    gone, kept = await two_anns(cast)
    await db.run("UPDATE users SET headline = 'Old', biography = 'Old' WHERE id = :id", id=gone.id)
    await db.run("UPDATE users SET headline = 'New' WHERE id = :id", id=kept.id)
    await merge(gone, kept, olga)
    found = await users.find(kept.id)
    assert found is not None
    assert (found.headline, found.biography) == ("New", "Old")


async def test_whoever_is_forgotten_is_forgotten_under_both_names(cast: Cast) -> None:
    olga = await cast.olga()
    gone = await cast.person("Anna Maria Archer", "anna@old.example")
    kept = await cast.person("Ann Archer", "ann@example.org")
    await merge(gone, kept, olga)
    await kept.browser.post("/account/privacy/erasure", form={"confirmation": kept.email})
    assert await db.value("SELECT count(*) FROM erasures") == 1
    with clock.shifted(timedelta(days=40)):
        for erasure_id in await erasures.due():
            await erasures.carry_out(erasure_id)
    rows = await db.many(db.Row, "SELECT email, name FROM users WHERE role = 'member'")
    assert all(row.email.endswith("@erased.invalid") for row in rows)
    assert len(rows) == 2
    log = await db.value("SELECT CAST(json_agg(a) AS text) FROM audit_log a")
    assert "old.example" not in log


@pytest.mark.parametrize("whose", ["gone", "kept"])
async def test_who_asked_to_be_forgotten_is_not_merged(cast: Cast, whose: str) -> None:
    olga = await cast.olga()
    gone, kept = await two_anns(cast)
    person = {"gone": gone, "kept": kept}[whose]
    await person.browser.post("/account/privacy/erasure", form={"confirmation": person.email})
    with pytest.raises(Conflict, match="forgotten"):
        await merge(gone, kept, olga)


# Likely duplicates


@pytest.mark.parametrize(
    ("name", "email", "why"),
    [
        ("Somebody Else", "ann.archer@example.org", "address"),
        ("Somebody Else", "Ann.Archer+course@Example.org", "address"),
        ("ann archer", "ann@archer.example", "name"),
        ("Ann Archer", "a.archer77@elsewhere.example", "name"),
        ("Ann Archer", "violet@elsewhere.example", None),
        ("Bob Breuer", "ann.archer@other.example", None),
        ("Bob Breuer", "annarcher2@example.org", None),
    ],
)
async def test_likely_duplicates_are_found_by_address_and_by_name(
    cast: Cast, name: str, email: str, why: str | None
) -> None:
    ann = await cast.person("Ann Archer", "annarcher@example.org")
    await cast.person(name, email)
    person = await users.find(ann.id)
    assert person is not None
    assert [one.why for one in await merging.likely(person)] == ([why] if why else [])


async def test_an_account_that_was_merged_is_no_duplicate_any_more(cast: Cast) -> None:
    olga = await cast.olga()
    gone, kept = await two_anns(cast)
    await merge(gone, kept, olga)
    person = await users.find(kept.id)
    assert person is not None
    assert await merging.likely(person) == []


_LOCAL = st.text("abc.+AB", min_size=1, max_size=8)


@given(_LOCAL, st.sampled_from(["example.org", "googlemail.com", "Gmail.com"]))
def test_a_plain_address_stays_plain(local: str, domain: str) -> None:
    plain = merging.plain_address(f"{local}@{domain}")
    assert merging.plain_address(plain) == plain


async def test_python_and_the_database_agree_on_plain_addresses(cast: Cast) -> None:
    for email in ("Ann.Archer+x+y@Example.org", "a@googlemail.com", "a.b@GMAIL.com", "+@x.y", "a..b@x.y"):
        assert await db.value("SELECT plain_address(:email)", email=email) == merging.plain_address(email)


# The pages


async def test_an_account_is_chosen_looked_at_and_merged_by_its_address(cast: Cast) -> None:
    olga = await cast.olga()
    gone, kept = await two_anns(cast)
    await an_order(user_id=gone.id)
    office = Browser(olga.browser)
    here = f"/admin/people/{kept.public_id}/merge"
    assert f"?with={gone.public_id}" in await office.text(here)
    shown = await office.text(f"{here}?with={gone.public_id}")
    assert "1 order moves." in shown
    assert "The role of the closed account" not in shown
    form = {"other": gone.public_id, "keep": "this"}
    refused = await office.post(here, **form, confirmation=kept.email)
    assert refused.status_code == 422
    assert f"Type {gone.email} to confirm." in await body(refused)
    done = await office.post(here, **form, confirmation=gone.email.upper())
    assert done.headers["Location"] == f"/admin/people/{kept.public_id}"
    assert (await office.post(here, **form, confirmation=gone.email)).status_code == 409
    assert "was merged into" in await office.text(f"/admin/people/{gone.public_id}")
    assert gone.name in await office.text("/admin/people?state=merged")


async def test_the_other_way_round_the_other_one_stays(cast: Cast) -> None:
    olga = await cast.olga()
    kept, gone = await two_anns(cast)
    office = Browser(olga.browser)
    here = f"/admin/people/{gone.public_id}/merge"
    assert "keep=other" in await office.text(f"{here}?with={kept.email.replace('+', '%2B')}")
    await office.post(here, other=kept.public_id, keep="other", confirmation=gone.email)
    assert await db.value("SELECT state FROM users WHERE id = :id", id=gone.id) == "merged"


async def test_merging_asks_for_a_fresh_sign_in(cast: Cast) -> None:
    olga = await cast.olga()
    gone, kept = await two_anns(cast)
    await cast.sign_in(olga, fresh=False)
    form = {"other": gone.public_id, "keep": "this", "confirmation": gone.email}
    await Browser(olga.browser).post(f"/admin/people/{kept.public_id}/merge", **form)
    assert await db.value("SELECT count(*) FROM users WHERE state = 'merged'") == 0


async def test_unknown_addresses_and_hindrances_are_told(cast: Cast) -> None:
    olga = await cast.olga()
    _gone, kept = await two_anns(cast)
    office = Browser(olga.browser)
    here = f"/admin/people/{kept.public_id}/merge"
    assert "There is no account" in await office.text(f"{here}?with=nobody%40example.org")
    assert "You cannot do this to yourself" in await office.text(f"{here}?with={olga.public_id}")
