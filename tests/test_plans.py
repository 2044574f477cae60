"""No page reads a big table from end to end: the statements are those that the pages send, with what they send.

The planner is told that reading a whole table is very dear (`enable_seqscan = off`), on a few rows: where it does so
all the same, no index could serve. Both a plan for these values and one for any values are asked for, since a
connection changes over to the second.
"""

import re
from typing import Any

import pytest

from app import Lectern
from app.access import entitlements
from app.admin import figures
from app.core import audit, clock, db
from tests.cast import Cast, Person
from tests.office import a_delivery, a_failed_mail, an_order
from tests.school import a_course

BIG = {
    "users", "sessions", "one_time_tokens", "orders", "order_items", "order_events", "refunds", "entitlements",
    "user_tags", "person_notes", "bulk_items", "mfa_secrets",
    "consents", "access_tokens", "imports", "erasures", "impersonations", "impersonation_visits",
    "enrolments", "lesson_progress", "learner_days", "learners", "mails", "audit_log", "webhook_events", "carts",
    # Not the queue itself: it holds what waits, and each index on it costs every job.
    "pgqueuer_log",
}  # fmt: skip

OFFICE = [
    "/admin", "/admin?period=365", "/admin?from=2026-01-01&to=2026-02-01",
    "/admin/search?q=ann", "/admin/search?q=1010",
    "/admin/people", "/admin/people?sort=name", "/admin/people?sort=-seen", "/admin/people?sort=seen",
    "/admin/people?sort=email", "/admin/people?q=ann", "/admin/people?role=team", "/admin/people?state=suspended",
    "/admin/people?state=unverified", "/admin/people?from=2026-01-01&to=2026-01-31", "/admin/people/{ann}",
    "/admin/people/{ann}/orders", "/admin/people/{ann}/access", "/admin/people/{ann}/notes", "/admin/people/{ann}/details",
    "/admin/people?tag=press", "/admin/people?seen=week", "/admin/people?seen=month&sort=name",
    "/admin/people?seen=long_ago", "/admin/people?seen=never", "/admin/people?second_step=on",
    "/admin/people?second_step=off&sort=-seen", "/admin/people/tags", "/admin/people/tags/press", "/admin/bulk/{run}",
    "/admin/learners", "/admin/learners?sort=-days", "/admin/learners?sort=name", "/admin/learners?q=ann",
    "/admin/learners?from=2026-01-01&to=2026-01-31",
    "/admin/orders", "/admin/orders?sort=customer", "/admin/orders?sort=-total", "/admin/orders?sort=-number",
    "/admin/orders?q=ann", "/admin/orders?state=sold", "/admin/orders?state=paid", "/admin/orders?state=waiting",
    "/admin/orders?state=refunded", "/admin/orders?state=given_up", "/admin/orders?state=flagged",
    "/admin/orders?state=refunding", "/admin/orders?free=1", "/admin/orders/{order}",
    "/admin/mails", "/admin/mails?q=ann", "/admin/mails?state=failed", "/admin/mails?sort=recipient",
    "/admin/mails?template=accounts/verify_email",
    "/admin/webhooks", "/admin/webhooks?q=evt_1", "/admin/webhooks?state=failed",
    "/admin/webhooks/stripe/evt_1",
    "/admin/jobs", "/admin/jobs?state=failed", "/admin/jobs/log", "/admin/jobs/log?state=failed",
    "/admin/jobs/log?job=core.deliver_mail",
    "/admin/audit", "/admin/audit?q=ann", "/admin/audit?actor={olga}",
    "/admin/audit?address=127.0.0.1", "/admin/audit?as=1", "/admin/audit/{act}", "/admin/audit/person/{ann}",
    "/admin/people?state=merged", "/admin/people/imports", "/admin/privacy", "/admin/privacy?state=waiting",
    "/admin/privacy?state=done", "/admin/privacy?sort=due", "/admin/impersonations", "/account/tokens",
    "/admin/impersonations?from=2026-01-01&to=2026-01-31",
    "/admin/roles", "/admin/roles/clerk", "/admin/people?role=clerk",
]  # fmt: skip
MEMBER = [
    "/", "/courses", "/courses/{course}", "/cart", "/account", "/account/orders", "/account/sessions", "/account/privacy",
    "/account/security", "/learn",
    "/learn/{course}", "/learn/{course}/lesson-1", "/learn/{course}/access", "/account/orders/{order}",
]  # fmt: skip


async def plans(statement: str, arguments: list[Any]) -> list[str]:
    """What the planner would do, for these values and for any."""
    found = []
    async with db.transaction(), db.raw() as connection:
        await connection.execute("SET LOCAL enable_seqscan = off; SET LOCAL plan_cache_mode = force_generic_plan")
        found.append("\n".join(row[0] for row in await connection.fetch(f"EXPLAIN {statement}", *arguments)))
        # EXPLAIN by itself takes the values that it is sent; a plan for any does not look at them.
        await connection.execute(f"PREPARE sent AS {statement}")
        sent = f"sent ({', '.join(['NULL'] * len(arguments))})" if arguments else "sent"
        found.append("\n".join(row[0] for row in await connection.fetch(f"EXPLAIN EXECUTE {sent}")))
        await connection.execute("DEALLOCATE sent")
    return found


def whole(plan: str) -> set[str]:
    """The big tables that a plan reads from end to end."""
    return set(re.findall(r"Seq Scan on (\w+)", plan)) & BIG


@pytest.fixture
async def visited(cast: Cast) -> dict[str, Any]:
    olga, ann = await cast.olga(), await cast.ann()
    course = await a_course()
    await a_delivery()
    await a_failed_mail()
    order = await an_order(user_id=ann.id)
    await db.run("INSERT INTO learner_days VALUES (:day, :id)", day=clock.now().date(), id=ann.id)
    async with db.transaction():
        await entitlements.grant(ann.id, course.product_id or 0, source="manual", source_ref="manual:1")
    await figures.write_down()
    await cast.role("clerk", ["admin.enter"])
    async with db.transaction():
        await audit.record("people.test", "person", ann.public_id)
    act = await db.value("SELECT max(id) FROM audit_log")
    await db.run("INSERT INTO tags (public_id, name, created_at) VALUES ('press', 'Press', now())")
    await db.run("INSERT INTO user_tags (user_id, tag_id) SELECT :id, id FROM tags", id=ann.id)
    form = {"act": "suspend", "scope": "all", "path": "/admin/people"}
    chosen = await olga.browser.post("/admin/bulk/lists/people", form=form)
    run = chosen.headers["Location"].rpartition("/")[2]
    await db.script("ANALYZE")
    names = {
        "ann": ann.public_id,
        "olga": olga.public_id,
        "order": order,
        "course": course.slug,
        "act": act,
        "run": run,
    }
    return {"olga": olga, "ann": ann, "names": names}


async def offenders(person: Person, path: str) -> list[str]:
    with db.count_queries() as count:
        answer = await person.browser.get(path)
    assert answer.status_code in (200, 303), path
    assert count.statements, path
    found = []
    for statement, arguments in zip(count.statements, count.arguments, strict=True):
        if not re.match(r"\s*(SELECT|WITH|\(|UPDATE|DELETE)", statement):
            continue
        for plan in await plans(statement, arguments):
            if tables := whole(plan):
                found.append(f"{path}: {tables}\n{plan}")
    return found


@pytest.mark.parametrize("who", ["office", "member"])
async def test_no_page_reads_a_big_table_from_end_to_end(visited: dict[str, Any], who: str) -> None:
    person = visited["olga" if who == "office" else "ann"]
    found: list[str] = []
    for path in OFFICE if who == "office" else MEMBER:
        found += await offenders(person, path.format(**visited["names"]))
    assert not found, "\n\n".join(found)


async def test_a_list_without_its_index_would_be_noticed(visited: dict[str, Any]) -> None:
    made_by = await db.value("SELECT pg_get_indexdef(CAST('users_by_word' AS regclass))")
    await db.script("DROP INDEX users_by_word")
    try:
        assert await offenders(visited["olga"], "/admin/people?q=ann")
    finally:
        await db.script(made_by)


async def test_the_same_statement_without_an_index_reads_everything(app: Lectern) -> None:
    (plan, _generic) = await plans("SELECT id FROM users WHERE headline = $1", ["x"])
    assert whole(plan) == {"users"}
