"""To be forgotten: what goes, what stays, what can be taken back, and what is done again after a worker was killed."""

from datetime import timedelta
from typing import Any

import pytest

from app import Lectern
from app.access import entitlements
from app.accounts import consents, erasures, exports
from app.core import audit, clock, db, mail, personal, queue
from app.core.i18n import format_day
from tests.accounts.conftest import Browser, Mailbox, text_of
from tests.cast import Cast, Person
from tests.everywhere import a_form
from tests.office import an_order, seen
from tests.school import a_course

EMAIL, WORK = "annabel.quarrington@example.org", "aq@quarrington-works.example"
NAME = "Annabel Quarrington"
FORMER = "anna.quarr@example.org"
SIGNS = ("annabel", "quarr", "203.0.113.77")
DAYS = timedelta(days=15)


pytestmark = pytest.mark.usefixtures("unlimited")


async def annabel(cast: Cast) -> Person:
    """Somebody who left her name wherever the school keeps one."""
    person, rob = await cast.person(NAME, EMAIL), await cast.rob()
    course = await a_course()
    assert course.product_id is not None
    await db.run(
        "UPDATE users SET headline = 'Quarrington trades', biography = 'I am Annabel', country = 'DE' WHERE id = :id",
        id=person.id,
    )
    async with db.transaction():
        await entitlements.grant(
            person.id, course.product_id, source="manual", source_ref="m:1", note="Annabel Quarrington asked nicely"
        )
    await seen(person, "/learn/reading-price/lesson-1")
    for number, (state, email) in enumerate([("paid", EMAIL), ("pending", WORK), ("paid", WORK)]):
        order = await an_order(
            email, user_id=person.id, state=state, at=clock.now() - timedelta(days=4500 * (number == 2))
        )
        await db.run(
            """
            UPDATE orders SET name = :name, failure = CASE WHEN state = 'pending' THEN 'Annabel has no money' ELSE '' END
            WHERE public_id = :id
            """,
            id=order,
            name=NAME,
        )
        await db.run(
            """
            INSERT INTO order_events (order_id, kind, detail, created_at)
            SELECT id, 'placed', CAST(:detail AS jsonb), now() FROM orders WHERE public_id = :id
            """,
            id=order,
            detail={"told_by": "evt_1", "email": email, "lines": 1},
        )
    await db.run(
        """
        INSERT INTO refunds (public_id, order_id, amount_minor, reason, state, created_at)
        SELECT 'r-' || id, id, 1, 'Annabel Quarrington was unhappy', 'succeeded', now() FROM orders WHERE state = 'paid'
        """
    )
    await db.run("INSERT INTO carts (user_id, created_at, updated_at) VALUES (:id, now(), now())", id=person.id)
    for table in ("one_time_tokens", "identities"):
        columns = {
            "one_time_tokens": "token_hash, purpose, user_id, email, created_at, expires_at) VALUES ('x', 'verify_email', :id, :email, now(), now()",
            "identities": "provider, subject, user_id, email, created_at) VALUES ('google', '1', :id, :email, now()",
        }[table]
        await db.run(f"INSERT INTO {table} ({columns})", id=person.id, email=EMAIL)
    await db.run(
        """
        INSERT INTO passkeys (public_id, user_id, name, credential_id, public_key, sign_count, created_at, user_handle,
                              is_backup_eligible)
        VALUES ('p', :id, 'Phone of Annabel', 'x', 'y', 1, now(), 'z', false)
        """,
        id=person.id,
    )
    await db.run(
        """
        INSERT INTO email_changes (user_id, old_email, new_email, state, created_at, expires_at, old_confirmed_at,
                                   new_confirmed_at)
        VALUES (:id, :old, :new, 'done', now() - interval '1 hour', now(), now(), now())
        """,
        id=person.id,
        old=FORMER,
        new=EMAIL,
    )
    await db.run(
        """
        INSERT INTO users (public_id, email, name, state, merged_into_id, created_at)
        VALUES ('merged', 'annabel.old@example.org', 'Annabel Quarrington', 'merged', :id, now())
        """,
        id=person.id,
    )
    await db.run(
        """
        INSERT INTO access_tokens (public_id, user_id, name, token_hash, ending, scopes, second_factor, created_at, expires_at)
        VALUES ('t', :id, 'Script of Annabel', 'x', 'abcd', '{x}', false, now(), now() + interval '1 day')
        """,
        id=person.id,
    )
    await db.run(
        """
        INSERT INTO sign_in_links (token_hash, user_id, email, browser_hash, user_agent, address, onward, created_at,
                                   expires_at)
        VALUES ('x', :id, :email, 'x', '', '203.0.113.77', '', now(), now())
        """,
        id=person.id,
        email=EMAIL,
    )
    await db.run(
        """
        INSERT INTO imports (public_id, kind, state, file_name, storage_key, size_bytes, encoding, delimiter, header,
                             samples, row_count, created_at, moved_at)
        VALUES ('i', 'people', 'done', 'list.csv', 'imports/x', 1, 'utf-8', ',', '{}', CAST(:samples AS jsonb), 1, now(),
                now())
        """,
        samples=[["x@example.org", "Xaver"], [EMAIL, NAME]],
    )
    await db.run("UPDATE users SET suspension_reason = 'Annabel owes us' WHERE id = :id", id=person.id)
    await db.run(
        """
        INSERT INTO person_notes (public_id, user_id, author_id, body, created_at)
        VALUES ('n1', :id, :rob, 'Annabel called twice', now()), ('n2', :rob, :rob, 'Knows annabel QUARRINGTON well', now())
        """,
        id=person.id,
        rob=rob.id,
    )
    await db.run(
        """
        INSERT INTO saved_views (public_id, list, path, query, name, owner_id, created_at)
        VALUES ('v1', 'people', '/admin/people', 'q=annabel.quarrington%40example.org', 'Hers', :rob, now()),
               ('v2', 'people', '/admin/people', '', 'Views of Annabel', :id, now())
        """,
        id=person.id,
        rob=rob.id,
    )
    await db.run(
        """
        WITH run AS (
            INSERT INTO bulk_runs (public_id, list, act, options, actor_id, actor, came_from, created_at)
            VALUES ('b', 'people', 'suspend', '{"reason": "as Annabel Quarrington said"}', :id,
                    '{"user_id": 1, "address": "203.0.113.77"}', '/admin/people?q=Annabel+Quarrington', now())
            RETURNING id)
        INSERT INTO bulk_items (run_id, subject_id, before) SELECT id, :id, '{"name": "Annabel"}' FROM run
        """,
        id=person.id,
    )
    async with db.transaction():
        await audit.record("order.note", "order", "o2", after={"from": FORMER})
    await db.run("UPDATE sessions SET address = '203.0.113.77' WHERE user_id = :id", id=person.id)
    for number, (to, state) in enumerate(
        [(EMAIL, "sent"), (EMAIL, "queued"), (WORK, "failed"), ("rob@x.example", "failed")]
    ):
        await db.run(
            """
            INSERT INTO mails (public_id, fact, recipient, template, context, state, subject, error, created_at)
            VALUES (:n, :n, :to, 'accounts/welcome', CAST(:context AS jsonb), :state, 'For Annabel Quarrington',
                    'no such box: annabel.quarrington@example.org', now())
            """,
            n=f"mail-{number}",
            to=to,
            state=state,
            context={"name": NAME, "lines": [[EMAIL, 1]], "number": 1001},
        )
    await db.run(
        """
        INSERT INTO webhook_events (provider, event_id, type, payload, state, received_at)
        VALUES ('stripe', 'evt_1', 'charge.refunded', CAST(:payload AS jsonb), 'handled', now())
        """,
        payload={"id": "evt_1", "data": {"customer": {"email": EMAIL, "name": NAME.upper()}, "amount": 100}},
    )
    await db.run(
        """
        INSERT INTO pgqueuer_log (job_id, status, priority, entrypoint, traceback)
        VALUES (1, 'failed', 0, 'x', CAST(:trace AS jsonb))
        """,
        trace={"exception_message": f"no mail to {EMAIL}", "exception_type": "OSError"},
    )
    with audit.acting(audit.Actor(person.id, "203.0.113.77", "r1", None, "Annabel's browser")):
        async with db.transaction():
            await audit.record("password.change", "person", person.public_id)
            await consents.say(person.id, consents.MARKETING, yes=True, origin="registration")
    with audit.acting(audit.Actor(rob.id)):
        async with db.transaction():
            await audit.record(
                "people.edit", "person", person.public_id, before={"name": "Annabel Q"}, after={"name": NAME}
            )
            await audit.record("order.refund", "order", "o1", after={"to": EMAIL}, summary=f"for {NAME}")
    await rob.browser.post(
        f"/admin/people/{person.public_id}/impersonation", form={"reason": "Annabel wrote that lesson two is shut"}
    )
    await seen(rob, "/courses?q=annabel")
    await rob.browser.post("/impersonation/end")
    return person


async def where_she_is_named() -> set[str]:
    """Every column of every table that holds one of the signs, as text, JSON, words or bytes."""
    columns = await db.many(
        db.Row,
        """
        SELECT c.table_name AS t, c.column_name AS c, c.data_type AS kind FROM information_schema.columns c
        JOIN information_schema.tables b ON b.table_name = c.table_name AND b.table_schema = c.table_schema
        WHERE c.table_schema = 'public' AND b.table_type = 'BASE TABLE'
        """,
    )
    found = set()
    for column in columns:
        text = f"encode({column.c}, 'escape')" if column.kind == "bytea" else f"CAST({column.c} AS text)"
        for sign in SIGNS:
            if await db.value(f"SELECT EXISTS (SELECT 1 FROM {column.t} WHERE {text} ILIKE :sign)", sign=f"%{sign}%"):
                found.add(f"{column.t}.{column.c}")
    return found


async def ask(person: Person) -> None:
    answer = await person.browser.post("/account/privacy/erasure", form={"confirmation": person.email.upper()})
    assert answer.status_code == 303, await answer.get_data(as_text=True)


async def carry_out() -> None:
    from app.accounts.jobs import erase_due

    await erase_due()
    await queue.drain()


async def test_nothing_names_her_afterwards_but_the_orders_that_the_tax_office_may_ask_for(
    app: Lectern, cast: Cast, mailbox: Mailbox
) -> None:
    person = await annabel(cast)
    before = await where_she_is_named()
    # The negative control: the scan sees her everywhere.
    assert before >= {
        "users.name", "users.email", "users.headline", "users.biography", "users.words", "orders.email", "orders.name",
        "orders.words", "orders.failure", "order_events.detail", "refunds.reason", "entitlements.note", "mails.recipient",
        "mails.subject", "mails.context", "mails.error", "mails.words", "webhook_events.payload", "pgqueuer_log.traceback",
        "audit_log.before", "audit_log.after", "audit_log.summary", "audit_log.address", "audit_log.user_agent",
        "impersonations.reason", "impersonation_visits.query", "identities.email", "one_time_tokens.email",
        "passkeys.name", "access_tokens.name", "sign_in_links.email", "imports.samples", "person_notes.body", "saved_views.query", "saved_views.name",
        "bulk_runs.options", "bulk_runs.actor", "bulk_runs.came_from", "bulk_items.before", "users.suspension_reason",
        "sessions.address", "consents.address", "audit_log.words",
    }  # fmt: skip
    await ask(person)
    await queue.drain()
    with clock.shifted(DAYS):
        await carry_out()
        farewell = await db.one(db.Row, "SELECT recipient, state FROM mails WHERE fact LIKE 'erasure:%:done'")
        assert farewell is not None
        assert (farewell.recipient, farewell.state) == (EMAIL, "sent")
        await carry_out()  # and its address goes, since it was sent
    assert await where_she_is_named() == {"orders.email", "orders.name", "orders.words"}
    orders = await db.many(db.Row, "SELECT state, email, name, failure FROM orders ORDER BY id")
    assert [(row.state, row.email, row.name) for row in orders] == [
        ("paid", EMAIL, NAME),
        ("pending", "erased@erased.invalid", ""),
        ("paid", "erased@erased.invalid", ""),
    ]
    row = await db.one(
        db.Row, "SELECT name, email, state, erased_at, password_hash FROM users WHERE id = :id", id=person.id
    )
    assert row is not None
    assert (row.name, row.state, row.password_hash) == ("Erased person", "suspended", None)
    assert row.email == f"erased-{person.public_id}@erased.invalid"
    for table in ("sessions", "passkeys", "identities", "one_time_tokens", "consents", "entitlements", "enrolments",
                  "lesson_progress", "learner_days", "learners", "carts", "personal_exports"):  # fmt: skip
        column = "user_id"
        assert not await db.value(f"SELECT count(*) FROM {table} WHERE {column} = :id", id=person.id), table
    done = await db.one(db.Row, "SELECT state, words FROM erasures")
    assert done is not None
    assert (done.state, done.words) == ("done", [])


async def test_the_years_of_the_school_end_for_orders_too(cast: Cast) -> None:
    person = await annabel(cast)
    await ask(person)
    from app.commerce.personal import forget_old_orders

    with clock.shifted(DAYS):
        await carry_out()
        await carry_out()
        await forget_old_orders()
    assert await db.value("SELECT count(*) FROM orders WHERE email = :email", email=EMAIL) == 1
    with clock.shifted(timedelta(days=366 * 10 + 20)):
        await forget_old_orders()
    assert await where_she_is_named() == set()


async def test_nothing_of_others_goes(cast: Cast) -> None:
    person, bob = await annabel(cast), await cast.bob()
    course = await db.value("SELECT min(id) FROM products")
    async with db.transaction():
        await entitlements.grant(bob.id, course, source="manual", source_ref="m:2", note="a gift")
        await consents.say(bob.id, consents.MARKETING, yes=True, origin="account")
    await seen(bob, "/learn/reading-price/lesson-1")
    await an_order(bob.email, user_id=bob.id)
    await mail.send(bob.email, "accounts/welcome", {"name": bob.name}, fact="welcome:bob")
    await queue.drain()
    async with db.transaction():
        await audit.record("people.edit", "person", bob.public_id, after={"name": "Bob Breuer"})
    before = await of_bob(bob)
    await ask(person)
    with clock.shifted(DAYS):
        await carry_out()
    assert await of_bob(bob) == before


async def of_bob(bob: Person) -> list[Any]:
    found = []
    for table in ("entitlements", "consents", "enrolments", "lesson_progress", "orders", "sessions", "learners"):
        found.append(await db.value(f"SELECT json_agg(t)::text FROM {table} t WHERE user_id = :id", id=bob.id))
    found.append(await db.value("SELECT json_agg(t)::text FROM users t WHERE id = :id", id=bob.id))
    found.append(await db.value("SELECT json_agg(t)::text FROM mails t WHERE recipient = :email", email=bob.email))
    found.append(await db.value("SELECT json_agg(t)::text FROM audit_log t WHERE subject_id = :id", id=bob.public_id))
    assert None not in found[:4]
    return found


async def _steps() -> list[str]:
    return list(await db.value("SELECT steps FROM erasures"))


@pytest.mark.parametrize("killed_after", range(12))
async def test_killed_half_way_and_done_again_it_ends_the_same(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, killed_after: int
) -> None:
    """The process dies inside each step in turn, after its work and before its commit."""
    person = await annabel(cast)
    await ask(person)
    order = [*(step for step in personal.ERASURES if step != erasures.LAST), erasures.LAST]
    assert len(order) == 12
    victim, real = order[killed_after], personal.ERASURES[order[killed_after]]

    class Killed(BaseException):
        pass

    async def dies(subject: personal.Subject) -> None:
        await real(subject)
        raise Killed

    erasure = await db.value("SELECT id FROM erasures")
    with clock.shifted(DAYS):
        monkeypatch.setitem(personal.ERASURES, victim, dies)
        with pytest.raises(Killed):
            await erasures.carry_out(erasure)
        # "merged" does the other steps for an account that was merged into hers, so it dies there of any of them.
        assert await _steps() == order[: min(killed_after, order.index("merged"))]
        assert await db.value("SELECT state FROM erasures") == "begun"
        monkeypatch.setitem(personal.ERASURES, victim, real)
        assert await erasures.carry_out(erasure)
        assert await _steps() == order
        assert not await erasures.carry_out(erasure)  # once more, for nothing
        await queue.drain()
        await carry_out()
    assert await where_she_is_named() == {"orders.email", "orders.name", "orders.words"}
    assert await db.value("SELECT count(*) FROM audit_log WHERE action = 'erasure.done'") == 1


async def test_nobody_enters_an_account_whose_erasure_has_begun(
    app: Lectern, cast: Cast, ann: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step fails, and goes on failing: the steps before it are done, and would not see what comes now."""
    await ask(ann)

    async def fails(_subject: personal.Subject) -> None:
        raise OSError("the disk is full")

    monkeypatch.setitem(personal.ERASURES, erasures.LAST, fails)
    with clock.shifted(DAYS):
        with pytest.raises(OSError, match="disk"):
            await erasures.carry_out(await db.value("SELECT id FROM erasures"))
        rob = await cast.rob()
        answer = await rob.browser.post(f"/admin/people/{ann.public_id}/suspension/removal")
        assert "is being erased" in await seen(rob, answer.headers["Location"])
        again = Browser(app.test_client())
        await again.sign_in(ann.email)
        assert not await again.is_signed_in()


async def test_every_step_may_be_done_twice(cast: Cast) -> None:
    """A step whose commit came through though nobody heard of it."""
    person = await annabel(cast)
    await ask(person)
    erasure = await db.value("SELECT id FROM erasures")
    with clock.shifted(DAYS):
        assert await erasures.carry_out(erasure)
        await db.run(
            "UPDATE erasures SET state = 'begun', steps = '{}', words = :words", words=[EMAIL, WORK, NAME, FORMER]
        )
        assert await erasures.carry_out(erasure)
        await queue.drain()
        await carry_out()
    assert await where_she_is_named() == {"orders.email", "orders.name", "orders.words"}


async def test_two_workers_at_once_do_it_once(cast: Cast) -> None:
    import asyncio

    person = await annabel(cast)
    await ask(person)
    erasure = await db.value("SELECT id FROM erasures")

    async def work() -> bool:
        async with db.hold():
            return await erasures.carry_out(erasure)

    with clock.shifted(DAYS):
        await asyncio.gather(work(), work())
    assert await db.value("SELECT count(*) FROM audit_log WHERE action = 'erasure.done'") == 1
    assert (
        await db.value("SELECT count(*) FROM audit_log WHERE action = 'audit.shred'") == 2
    )  # and of the merged account


async def test_those_that_are_hindered_keep_no_other_from_its_turn(cast: Cast) -> None:
    for number in range(erasures.AT_ONCE):
        hindered = await cast.person(f"Paying {number}", f"paying-{number}@example.org")
        await ask(hindered)
        await an_order(hindered.email, user_id=hindered.id, state="processing")
    last = await cast.bob()
    await ask(last)
    with clock.shifted(DAYS):
        await carry_out()
        assert await db.value("SELECT count(*) FROM erasures WHERE hindrance <> ''") == erasures.AT_ONCE
        await carry_out()
    assert await db.value("SELECT erased_at IS NOT NULL FROM users WHERE id = :id", id=last.id)


async def test_it_is_not_done_before_its_time(cast: Cast) -> None:
    ann = await cast.ann()
    await ask(ann)
    with clock.shifted(timedelta(days=13)):
        await carry_out()
        assert not await erasures.carry_out(await db.value("SELECT id FROM erasures"))
    assert await db.value("SELECT name FROM users WHERE id = :id", id=ann.id) == "Ann Archer"


async def test_it_is_asked_for_with_a_fresh_sign_in_and_the_address_typed(cast: Cast) -> None:
    ann = await cast.ann()
    page = await seen(ann, "/account/privacy/erasure")
    assert "for 10 years" in page
    answer = await ann.browser.post("/account/privacy/erasure", form={"confirmation": "bob@example.org"})
    assert answer.status_code == 422
    assert "Type your email address as it stands here" in await answer.get_data(as_text=True)
    await cast.sign_in(ann, fresh=False)
    answer = await ann.browser.post("/account/privacy/erasure", form={"confirmation": ann.email})
    assert "fresh=1" in answer.headers["Location"]
    assert await db.value("SELECT count(*) FROM erasures") == 0


async def test_it_is_shown_meanwhile_and_taken_back_on_the_page(cast: Cast, mailbox: Mailbox) -> None:
    ann = await cast.ann()
    await ask(ann)
    assert "Your account will be erased on" in await seen(ann, "/learn")
    assert (await ann.browser.post("/account/privacy/erasure/removal")).status_code == 303
    assert "will be erased" not in await seen(ann, "/learn")
    with clock.shifted(DAYS):
        await carry_out()
    assert await db.value("SELECT name FROM users WHERE id = :id", id=ann.id) == "Ann Archer"
    await queue.drain()
    assert await db.value("SELECT count(*) FROM mails WHERE template = 'accounts/erasure_cancelled'") == 1
    await ask(ann)  # and it can be asked for again


async def test_the_link_of_the_mail_takes_it_back_without_a_sign_in(app: Lectern, cast: Cast, mailbox: Mailbox) -> None:
    ann = await cast.ann()
    await ask(ann)
    due = await db.value("SELECT due_at FROM erasures")
    told = text_of(await mailbox.last(ann.email))
    assert f"It happens on {format_day(due)}." in told
    path = await mailbox.link(ann.email)
    stranger = app.test_client()
    page = await (await stranger.get(path)).get_data(as_text=True)
    assert "Keep my account" in page
    assert await db.value("SELECT state FROM erasures") == "waiting"  # looking does nothing
    for _time in range(2):
        assert (await stranger.post(path)).status_code == 303
    assert "Your account stays" in await (await stranger.get(path)).get_data(as_text=True)
    assert await db.value("SELECT state FROM erasures") == "cancelled"
    assert (await stranger.get(path + "x")).status_code == 404
    assert (await stranger.post(path + "x")).status_code == 303
    with clock.shifted(DAYS):
        await carry_out()
    assert await db.value("SELECT erased_at FROM users WHERE id = :id", id=ann.id) is None


async def test_afterwards_the_link_and_the_sign_in_are_worth_nothing(
    app: Lectern, cast: Cast, mailbox: Mailbox
) -> None:
    ann = await cast.ann()
    await ask(ann)
    path = await mailbox.link(ann.email)
    with clock.shifted(DAYS):
        await carry_out()
        stranger = app.test_client()
        await stranger.post(path)
        assert "The account is erased" in await (await stranger.get(path)).get_data(as_text=True)
        assert (await ann.browser.get("/learn")).status_code == 303
    olga = await cast.olga()
    await olga.browser.post(f"/admin/people/{ann.public_id}/suspension/removal")
    assert await db.value("SELECT state FROM users WHERE id = :id", id=ann.id) == "suspended"
    assert "Ann Archer" not in await seen(olga, f"/admin/people/{ann.public_id}")


@pytest.mark.parametrize("role", ["owner", "admin", "instructor", "support"])
async def test_somebody_of_the_team_hands_over_first(cast: Cast, role: str) -> None:
    kim = await cast.person("Kim Kern", "kim@example.org", role=role)
    await ask(kim)
    assert "Hand over first" in await seen(kim, "/account/privacy")
    assert await db.value("SELECT count(*) FROM erasures") == 0


async def test_who_got_a_role_meanwhile_is_not_erased(cast: Cast) -> None:
    ann, olga = await cast.ann(), await cast.olga()
    await ask(ann)
    await db.run("UPDATE users SET role = 'support' WHERE id = :id", id=ann.id)
    with clock.shifted(DAYS):
        await carry_out()
    assert await db.value("SELECT name FROM users WHERE id = :id", id=ann.id) == "Ann Archer"
    assert "Has a role by now" in await seen(olga, "/admin/privacy")


async def test_a_course_keeps_its_teacher_and_money_under_way_its_buyer(cast: Cast) -> None:
    ann, bob = await cast.ann(), await cast.bob()
    await a_course(instructor_id=ann.id)
    await ask(ann)
    assert "names this person as its teacher" in await seen(ann, "/account/privacy")
    await an_order(bob.email, user_id=bob.id)
    await db.run("UPDATE orders SET state = 'processing', paid_at = NULL")
    await ask(bob)
    assert "still on its way" in await seen(bob, "/account/privacy")
    assert await db.value("SELECT count(*) FROM erasures") == 0


async def test_the_office_asks_for_somebody_and_takes_it_back(cast: Cast, mailbox: Mailbox) -> None:
    rob, ann, sam = await cast.rob(), await cast.ann(), await cast.sam()
    path = f"/admin/people/{ann.public_id}/erasure"
    assert "Type ann@example.org to confirm" in await seen(rob, path)
    answer = await rob.browser.post(path, form={"confirmation": "x"})
    assert answer.status_code == 422
    assert (await rob.browser.post(path, form={"confirmation": ann.email})).status_code == 303
    assert "Ann Archer" in await seen(rob, "/admin/privacy")
    assert "This account will be erased on" in await seen(rob, f"/admin/people/{ann.public_id}")
    assert "will be erased" in await seen(ann, "/learn")
    assert (await rob.browser.post(f"{path}/removal")).status_code == 303
    assert "will be erased" not in await seen(ann, "/learn")
    assert (await sam.browser.post(path, form={"confirmation": ann.email})).status_code == 403
    acts = await db.many(db.Row, "SELECT action, actor_id FROM audit_log WHERE action LIKE 'erasure%' ORDER BY id")
    assert [(act.action, act.actor_id) for act in acts] == [("erasure.ask", rob.id), ("erasure.cancel", rob.id)]


async def test_a_file_of_an_export_goes_with_its_person(cast: Cast) -> None:
    ann = await cast.ann()
    await ann.browser.post("/account/privacy/exports")
    await queue.drain()
    export = await exports.last_of(ann.id)
    assert export is not None
    assert export.storage_key is not None
    assert await exports._shelf().size(export.storage_key)
    await ask(ann)
    # Without the seven days' own end, which would take it anyway.
    await db.run("UPDATE personal_exports SET expires_at = now() + interval '90 days'")
    with clock.shifted(DAYS):
        await carry_out()
        await queue.drain()
    assert await exports._shelf().size(export.storage_key) is None


async def test_a_name_of_one_word_is_not_looked_for_in_texts_of_others(cast: Cast) -> None:
    """Else "Ann" would take every annual report with it."""
    ann = await cast.person("Ann", "ann@example.org")
    async with db.transaction():
        await audit.record("course.edit", "course", "c1", after={"title": "The annual report"})
    await ask(ann)
    with clock.shifted(DAYS):
        await carry_out()
    kept = await db.value("SELECT after FROM audit_log WHERE action = 'course.edit'")
    assert kept == {"title": "The annual report"}


async def _noted_elsewhere(text: str, times: int = 1) -> None:
    async with db.transaction():
        for _time in range(times):
            await audit.record("course.edit", "course", "c1", after={"said": text})


async def _erased(person: Person) -> list[str]:
    """What the log says about a course after this person was erased."""
    await ask(person)
    with clock.shifted(DAYS):
        await carry_out()
    assert await db.value("SELECT erased_at IS NOT NULL FROM users WHERE id = :id", id=person.id)
    rows = await db.many(
        db.Row, "SELECT after->>'said' AS said FROM audit_log WHERE action = 'course.edit' ORDER BY id"
    )
    return [row.said for row in rows]


async def test_what_she_did_not_buy_as_a_guest_is_forgotten_too(cast: Cast) -> None:
    ann = await cast.ann()
    given_up = [await an_order(email, state="pending") for email in (ann.email.upper(), "somebody.else@example.org")]
    await db.run("UPDATE orders SET state = 'expired', closed_at = now(), name = 'Ann Archer'")
    open_one = await an_order(ann.email, state="pending")
    await _erased(ann)
    left = {
        row.public_id: (row.email, row.name)
        for row in await db.many(db.Row, "SELECT public_id, email, name FROM orders")
    }
    assert left == {
        given_up[0]: ("erased@erased.invalid", ""),
        given_up[1]: ("somebody.else@example.org", "Ann Archer"),
        open_one: (ann.email, ""),  # it may be paid yet, and then somebody wants to be let in
    }


async def test_a_name_that_is_theirs_alone_goes_from_texts_about_others(cast: Cast) -> None:
    """The control of the next ones."""
    await _noted_elsewhere("as Mallory Mandel asked")
    assert await _erased(await cast.person("Mallory Mandel", "m@example.org")) == ["[erased]"]


@pytest.mark.parametrize(
    "name", ["Olga Oster", "olga OSTER", "Reading Price", "Head office", "Lesson number", "Ask us"]
)
async def test_whoever_takes_a_name_that_something_else_has_does_not_take_its_traces_away(
    cast: Cast, name: str
) -> None:
    """People call themselves as they like: as the owner, as a course."""
    olga = await cast.olga()
    await a_course()
    await cast.role("head", ["admin.enter"], "Head Office")
    await a_form(olga.id, "ask-us")
    await db.run(
        "INSERT INTO person_notes (public_id, user_id, body, created_at) VALUES ('n', :id, :body, now())",
        id=olga.id,
        body=f"About {name}",
    )
    await _noted_elsewhere(f"Something about {name}")
    assert await _erased(await cast.person(name, "m@example.org")) == [f"Something about {name}"]
    assert await db.value("SELECT body FROM person_notes") == f"About {name}"


async def test_words_of_the_language_are_no_name(cast: Cast) -> None:
    await _noted_elsewhere("The price of the course", times=51)
    assert await _erased(await cast.person("of the", "m@example.org")) == ["The price of the course"] * 51


async def test_an_address_that_nobody_confirmed_takes_nothing_with_it(cast: Cast) -> None:
    """Mallory registers Vera's address, who answered a form: asked to be forgotten, or led to an address of his own."""
    olga, mallory = await cast.olga(), await cast.person("Mallory", "vera@example.org", verified=False)
    await a_form(olga.id, "ask-us")
    await db.run("UPDATE form_entries SET user_id = NULL, email = 'vera@example.org'")
    answer = await mallory.browser.post("/account/privacy/erasure", form={"confirmation": mallory.email})
    assert answer.status_code == 303
    assert "Confirm your email address first" in await seen(mallory, "/account/privacy")
    assert await db.value("SELECT count(*) FROM erasures") == 0
    await an_order(mallory.email, user_id=mallory.id, state="pending")
    await mallory.browser.post("/account/email", form={"email": "m@example.org"})
    await db.run(
        "UPDATE email_changes SET state = 'done', new_confirmed_at = now(), ended_at = now() WHERE state = 'open'"
    )
    await db.run("UPDATE users SET email = 'm@example.org', email_verified_at = now() WHERE id = :id", id=mallory.id)
    await db.run(
        """
        INSERT INTO users (public_id, email, name, state, merged_into_id, created_at)
        VALUES ('gone', 'Vera@example.org', 'Mallory', 'merged', :id, now())
        """,
        id=mallory.id,
    )
    await _erased(Person(mallory.id, mallory.public_id, "m@example.org", mallory.name, mallory.browser))
    assert await db.value("SELECT count(*) FROM form_entries WHERE email = 'vera@example.org'") == 1


async def test_every_table_that_points_at_a_person_is_dealt_with(app: Lectern) -> None:
    """A new table with people in it fails here until somebody says what an erasure does with it."""
    rows = await db.many(
        db.Row,
        """
        SELECT DISTINCT conrelid::regclass::text AS name FROM pg_constraint
        WHERE contype = 'f' AND confrelid = 'users'::regclass
        """,
    )
    assert {row.name for row in rows} == DEALT_WITH


DEALT_WITH = {
    # deleted
    "access_tokens", "carts", "consents", "default_views", "email_changes", "enrolments", "entitlements", "identities", "learner_days", "learners", "lesson_progress",
    "merged_carts", "mfa_secrets", "one_time_tokens", "passkeys", "pending_sign_ins", "personal_exports", "recovery_codes", "sessions", "saved_views", "sign_in_links", "user_tags",
    "form_columns", "form_drafts", "form_entries",
    # without what names anybody
    "courses", "form_connections", "form_entry_acts", "form_links", "form_versions", "forms", "erasures", "impersonations", "imports", "order_events", "orders", "person_notes", "refunds", "uploads", "users",
}  # fmt: skip


async def test_who_is_erased_twice_at_once_is_asked_for_once(cast: Cast) -> None:
    import asyncio

    ann = await cast.ann()
    await asyncio.gather(*(ask(ann) for _time in range(4)))
    assert await db.value("SELECT count(*) FROM erasures") == 1
    assert await db.value("SELECT count(*) FROM mails WHERE template = 'accounts/erasure_asked'") == 1
