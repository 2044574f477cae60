"""Looking as another person: never more than both may, reading only, everything noted, and over when it is over."""

from datetime import timedelta

import pytest

from app import Lectern
from app.access import entitlements
from app.accounts import impersonations
from app.core import clock, db, settings
from app.core.errors import Forbidden
from tests import everywhere
from tests.accounts.test_people import signed_in
from tests.cast import Cast, Person
from tests.office import seen
from tests.school import a_course

REASON = "She wrote that lesson two does not open"


pytestmark = pytest.mark.usefixtures("unlimited")


async def look(actor: Person, subject: Person, reason: str = REASON, *, status: int = 303) -> str:
    answer = await actor.browser.post(f"/admin/people/{subject.public_id}/impersonation", form={"reason": reason})
    assert answer.status_code == status, await answer.get_data(as_text=True)
    return await answer.get_data(as_text=True)


async def name_shown(person: Person) -> str:
    return await seen(person, "/account/corner")


async def test_the_school_is_seen_as_the_person_sees_it_and_then_as_oneself(cast: Cast) -> None:
    rob, ann = await cast.rob(), await cast.ann()
    assert "Why" not in await seen(rob, f"/admin/people/{ann.public_id}/impersonation")
    await look(rob, ann)
    page = await seen(rob, "/learn")
    assert "You are Rob Rask and look as Ann Archer" in page
    assert "Ann Archer" in await name_shown(rob)
    assert "You look as Ann Archer, who may not open this" in await seen(rob, "/admin", 403)
    answer = await rob.browser.post("/impersonation/end")
    assert answer.headers["Location"] == f"/admin/people/{ann.public_id}"
    page = await seen(rob, "/admin")
    assert "look as" not in page
    assert "Rob Rask" in await name_shown(rob)
    assert "Ann Archer" in await name_shown(ann)


async def test_the_reason_is_asked_for_and_kept_with_every_address(cast: Cast) -> None:
    rob, ann, olga = await cast.rob(), await cast.ann(), await cast.olga()
    assert "Say in a few words why" in await look(rob, ann, " too short ", status=422)
    assert await db.value("SELECT count(*) FROM impersonations") == 0
    await look(rob, ann)
    await seen(rob, "/learn?page=2&token=secret&code=secret&state=secret&session_id=secret")
    await seen(rob, "/learn/nothing", 404)
    await rob.browser.post("/account/profile", form={"name": "Mallory"})
    await rob.browser.get("/verify/a-secret-token")
    await rob.browser.post("/impersonation/end")
    rows = await db.many(db.Row, "SELECT method, path, query FROM impersonation_visits ORDER BY id")
    assert [(row.method, row.path, row.query) for row in rows] == [
        ("GET", "/learn", "page=2"),
        ("GET", "/learn/nothing", ""),
        ("POST", "/account/profile", ""),
        ("GET", "/verify/<token>", ""),
        ("POST", "/impersonation/end", ""),
    ]
    one = await db.value("SELECT public_id FROM impersonations")
    page = await seen(olga, "/admin/impersonations")
    assert "Rob Rask" in page
    assert "Ann Archer" in page
    assert REASON in page
    page = await seen(olga, f"/admin/impersonations/{one}")
    assert "/learn/nothing" in page
    assert "secret" not in page
    acts = await db.many(
        db.Row, "SELECT action, actor_id, subject_id FROM audit_log WHERE action LIKE 'impers%' ORDER BY id"
    )
    assert [(act.action, act.actor_id, act.subject_id) for act in acts] == [
        ("impersonation.start", rob.id, ann.public_id),
        ("impersonation.end", rob.id, ann.public_id),
    ]


async def test_it_asks_for_a_fresh_sign_in(cast: Cast) -> None:
    rob, ann = await cast.rob(), await cast.ann()
    await cast.sign_in(rob, fresh=False)
    for method in ("GET", "POST"):
        answer = await rob.browser.open(f"/admin/people/{ann.public_id}/impersonation", method=method)
        assert answer.status_code == 303
        assert "fresh=1" in answer.headers["Location"]


LOOKERS = ["admin.enter", "people.view", "people.impersonate"]


async def test_nobody_looks_as_somebody_who_may_do_more_or_as_themselves(cast: Cast) -> None:
    await cast.role("looker", LOOKERS)
    kim = await cast.person("Kim Kern", "kim@example.org", role="looker")
    olga, rob, sam, ines = await cast.olga(), await cast.rob(), await cast.sam(), await cast.ines()
    other = await cast.person("Oda Orth", "oda@example.org", role="owner")
    for actor, subject in ((kim, sam), (kim, ines), (kim, rob), (rob, olga), (olga, other), (olga, olga), (kim, kim)):
        assert "You cannot look as this person" in await look(actor, subject, status=403)
        await seen(actor, f"/admin/people/{subject.public_id}/impersonation", 403)
        assert "Look as this person" not in await seen(actor, f"/admin/people/{subject.public_id}")
    assert await db.value("SELECT count(*) FROM impersonations") == 0
    await look(rob, sam)
    assert "Look as this person" in await seen(olga, f"/admin/people/{sam.public_id}")


async def test_whoever_is_suspended_meanwhile_looks_as_nobody(cast: Cast) -> None:
    rob, ann = await cast.rob(), await cast.ann()
    by = await signed_in(rob)
    await db.run("UPDATE users SET state = 'suspended' WHERE id = :id", id=rob.id)
    with pytest.raises(Forbidden):
        await impersonations.start(ann.public_id, REASON, by=by)


async def test_it_is_over_with_the_session_at_the_latest(cast: Cast) -> None:
    rob, ann = await cast.rob(), await cast.ann()
    await db.run("UPDATE sessions SET expires_at = now() + interval '10 minutes' WHERE user_id = :id", id=rob.id)
    await look(rob, ann)
    row = await db.one(
        db.Row, "SELECT i.ends_at, s.expires_at FROM impersonations i JOIN sessions s ON s.id = i.session_id"
    )
    assert row is not None
    assert row.ends_at == row.expires_at


async def test_a_suspended_person_is_not_looked_as(cast: Cast) -> None:
    rob, ann = await cast.rob(), await cast.ann()
    await db.run("UPDATE users SET state = 'suspended' WHERE id = :id", id=ann.id)
    await look(rob, ann, status=403)


async def test_it_never_holds_more_than_both_may(cast: Cast) -> None:
    """A role that gains something meanwhile gains nothing for who looks."""
    await cast.role("looker", [*LOOKERS, "orders.view"])
    await cast.role("clerk", ["admin.enter", "people.view"])
    kim = await cast.person("Kim Kern", "kim@example.org", role="looker")
    cleo = await cast.person("Cleo Clerk", "cleo@example.org", role="clerk")
    await look(kim, cleo)
    await seen(kim, "/admin/people")
    await seen(kim, "/admin/orders", 403)
    await db.run("UPDATE roles SET capabilities = capabilities || '{audit.view,orders.view}' WHERE key = 'clerk'")
    await seen(kim, "/admin/orders")
    await seen(kim, "/admin/audit", 403)
    await seen(cleo, "/admin/audit")


async def test_a_second_step_that_the_other_role_asks_for_is_asked_for_here_too(cast: Cast) -> None:
    rob, sam = await cast.rob(), await cast.sam()
    await look(rob, sam)
    await seen(rob, "/admin/orders")
    await settings.save_school(second_factor_roles=["support"])
    answer = await rob.browser.get("/admin/orders")
    assert (answer.status_code, "Sam" in await answer.get_data(as_text=True)) == (303, False)


async def test_nothing_is_sent_from_any_form(app: Lectern, cast: Cast) -> None:
    """Every POST of the product but the way back and the sign-out; the database is the same afterwards."""
    rob, places = await cast.rob(), await everywhere.one_of_everything(app)
    pat = await db.value("SELECT id FROM users WHERE email = 'pat@example.org'")
    await look(rob, Person(pat, places["/people"], "pat@example.org", "Pat", rob.browser))
    before = await dump()
    for rule in everywhere.routes(app, "POST"):
        if rule.rule in ("/impersonation/end", "/logout", "/webhooks/stripe"):
            continue
        answer = await rob.browser.post(everywhere.address(rule.rule, places), form={"name": "x", "marketing": "y"})
        assert answer.status_code == 403, rule.rule
        assert "change nothing" in await answer.get_data(as_text=True), rule.rule
    assert await dump() == before


async def test_every_page_carries_the_bar_and_leaves_no_trace_of_the_person(app: Lectern, cast: Cast) -> None:
    """Every GET of the product, as a member with a course, a cart that has changed, and an order."""
    rob, places = await cast.rob(), await everywhere.one_of_everything(app)
    pat = await db.value("SELECT id FROM users WHERE email = 'pat@example.org'")
    other = await a_course("risk", "The Arithmetic of Risk", price=18900)
    async with db.transaction():
        product = await db.value("SELECT min(id) FROM products")
        await entitlements.grant(pat, product, source="manual", source_ref="m:1")
    await db.run("INSERT INTO carts (user_id, created_at, updated_at) VALUES (:id, now(), now())", id=pat)
    await db.run(
        """
        INSERT INTO cart_items (cart_id, product_id, agreed_minor, agreed_currency, added_at)
        SELECT c.id, p.id, 99999999, 'EUR', now() FROM carts c, products p WHERE p.id IN (:own, :other)
        """,
        own=product,
        other=other.product_id,
    )
    guests = await app.test_client().post("/cart/items", form={"product": "risk"})
    cookie = next(text for name, text in guests.headers if name.lower() == "set-cookie" and text.startswith("cart="))
    rob.browser.set_cookie("localhost", "cart", cookie.partition("=")[2].partition(";")[0])
    await look(rob, Person(pat, places["/people"], "pat@example.org", "Pat", rob.browser))
    before, whole, shut = await dump(), 0, set()
    for rule in everywhere.routes(app, "GET"):
        path = everywhere.address(rule.rule, places)
        answer = await rob.browser.get(path)
        page = await answer.get_data(as_text=True)
        assert answer.status_code < 500, path
        if answer.status_code == 403 and "alone" in page:
            shut.add(rule.rule)
        if "<html" in page and answer.status_code not in (302, 303, 308):
            whole += 1
            assert 'action="/impersonation/end"' in page, path
            assert answer.headers["Cache-Control"] == "private, no-store", path
            assert "Cookie" in answer.headers["Vary"], path
    assert whole > 40
    assert await dump() == before
    assert {
        "/account/security",
        "/account/privacy",
        "/account/sessions",
        "/login",
        "/checkout",
        "/password/forgot",
    } <= shut
    assert not {"/account", "/account/orders", "/learn", "/cart", "/courses/<slug>"} & shut
    # The same pages leave their traces when the member comes.
    client = app.test_client()
    member = Person(pat, places["/people"], "pat@example.org", "Pat", client)
    await cast.sign_in(member)
    await seen(member, "/learn/reading-price/lesson-1")
    await seen(member, "/cart")
    assert await dump() != before


async def dump() -> str:
    """Every row of the database, but for what notes the looking itself and the visit of who looks."""
    tables = await db.many(
        db.Row,
        """
        SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' AND tablename NOT IN
        ('impersonation_visits', 'impersonations', 'submissions', 'schema_migrations', 'pgqueuer_schedules')
        """,
    )
    found = []
    for table in tables:
        found.append(
            await db.value(
                f"SELECT '{table.name}' || coalesce(json_agg(t ORDER BY t::text)::text, '') FROM {table.name} t"
            )
        )
    return "\n".join(sorted(found))


async def test_after_an_hour_it_is_over_and_nobody_goes_on_as_themselves_unasked(cast: Cast) -> None:
    rob, ann = await cast.rob(), await cast.ann()
    await look(rob, ann)
    with clock.shifted(impersonations.LONGEST + timedelta(seconds=1)):
        page = await seen(rob, "/learn", 403)
        assert "Looking as Ann Archer is over" in page
        assert "/account/corner" not in page  # a part that is refused as well would say the same a second time
        assert "Rob" not in page.partition("<main")[2].partition("</main>")[0]
        answer = await rob.browser.post("/account/profile", form={"name": "Typed on Ann's page"})
        assert answer.status_code == 403
        assert await db.value("SELECT string_agg(name, ',' ORDER BY id) FROM users") == "Rob Rask,Ann Archer"
        await seen(rob, "/admin", 403)
        assert (await rob.browser.post("/impersonation/end")).status_code == 303
        await seen(rob, "/admin/people")
    assert await db.value("SELECT ended_at = ends_at FROM impersonations"), "no longer than it really was"


@pytest.mark.parametrize("whose", ["rob", "ann"])
@pytest.mark.parametrize(
    "change",
    [
        "UPDATE users SET password_hash = 'another' WHERE id = :id",
        "UPDATE users SET state = 'suspended' WHERE id = :id",
        "UPDATE users SET role = 'support' WHERE id = :id",
        "UPDATE users SET email = 'new@example.org' WHERE id = :id",
    ],
)
async def test_a_change_of_either_account_ends_it_at_once(cast: Cast, whose: str, change: str) -> None:
    rob, ann = await cast.rob(), await cast.ann()
    await look(rob, ann)
    await seen(rob, "/learn")
    await db.run(change, id={"rob": rob, "ann": ann}[whose].id)
    answer = await rob.browser.get("/learn")
    assert answer.status_code in (303, 403)
    assert "ann@example.org" not in await answer.get_data(as_text=True)
    assert await db.value("SELECT ended_at IS NOT NULL FROM impersonations")


async def test_what_changes_nothing_of_an_account_does_not_end_it(cast: Cast) -> None:
    """The negative control of the test above."""
    rob, ann = await cast.rob(), await cast.ann()
    await look(rob, ann)
    await db.run("UPDATE users SET name = 'Ann Other', last_seen_at = now() WHERE id = :id", id=ann.id)
    assert "look as Ann Other" in await seen(rob, "/learn")


async def test_the_sign_out_ends_it_too(cast: Cast) -> None:
    rob, ann = await cast.rob(), await cast.ann()
    await look(rob, ann)
    assert (await rob.browser.post("/logout")).status_code == 303
    assert (await rob.browser.get("/learn")).status_code == 303
    row = await db.one(db.Row, "SELECT session_id, ended_at FROM impersonations")
    assert row is not None
    assert row.session_id is None
    assert row.ended_at is not None
    assert (await ann.browser.get("/learn")).status_code == 200
    await cast.sign_in(rob)
    assert "look as" not in await seen(rob, "/admin/people")


async def test_it_is_in_one_session_only(cast: Cast, app: Lectern) -> None:
    rob, ann = await cast.rob(), await cast.ann()
    await look(rob, ann)
    elsewhere = Person(rob.id, rob.public_id, rob.email, rob.name, app.test_client())
    await cast.sign_in(elsewhere)
    assert "Rob Rask" in await name_shown(elsewhere)
    assert "Ann Archer" in await name_shown(rob)


async def test_a_capability_that_was_withdrawn_ends_it(cast: Cast) -> None:
    await cast.role("looker", LOOKERS)
    kim, ann = await cast.person("Kim Kern", "kim@example.org", role="looker"), await cast.ann()
    await look(kim, ann)
    await db.run("UPDATE roles SET capabilities = '{admin.enter,people.view}' WHERE key = 'looker'")
    assert "is over" in await seen(kim, "/learn", 403)


async def test_who_looks_is_seen_there_and_the_person_is_not(cast: Cast) -> None:
    rob, ann = await cast.rob(), await cast.ann()
    long_ago = clock.now() - timedelta(days=3)
    await db.run("UPDATE users SET last_seen_at = :at", at=long_ago)
    await look(rob, ann)
    with clock.shifted(timedelta(minutes=20)):
        await seen(rob, "/learn")
    assert await db.value("SELECT last_seen_at FROM users WHERE id = :id", id=ann.id) == long_ago
    assert await db.value("SELECT last_seen_at FROM users WHERE id = :id", id=rob.id) > long_ago


async def test_the_person_sees_that_somebody_looked_where_the_school_says_so(cast: Cast) -> None:
    rob, ann = await cast.rob(), await cast.ann()
    assert "Somebody of the school" not in await seen(ann, "/account/sessions")
    await look(rob, ann)
    page = await seen(ann, "/account/sessions")
    assert "Somebody of Meridian" in page
    assert REASON not in page
    assert "Rob" not in page
    await settings.save_school(show_impersonations=False)
    assert "Somebody of Meridian" not in await seen(ann, "/account/sessions")


async def test_a_page_drawn_while_looking_is_kept_for_nobody(app: Lectern, cast: Cast) -> None:
    rob, ann = await cast.rob(), await cast.ann()
    await a_course()
    await look(rob, ann)
    assert "look as Ann Archer" in await seen(rob, "/courses")
    answer = await app.test_client().get("/courses")
    assert "look as" not in await answer.get_data(as_text=True)


async def test_parts_of_a_page_are_refused_like_the_page(cast: Cast) -> None:
    rob, ann = await cast.rob(), await cast.ann()
    await look(rob, ann)
    answer = await rob.browser.post(
        "/account/profile", form={"name": "x"}, headers={"HX-Request": "true", "HX-Target": "div#profile-section"}
    )
    assert answer.status_code == 403
    assert answer.headers["HX-Retarget"] == "#notices"


async def test_two_starts_at_once_are_one(cast: Cast) -> None:
    import asyncio

    rob, ann, bob = await cast.rob(), await cast.ann(), await cast.bob()
    paths = [f"/admin/people/{one.public_id}/impersonation" for one in (ann, bob, ann, bob)]
    answers = await asyncio.gather(*(rob.browser.post(path, form={"reason": REASON}) for path in paths))
    assert sorted(answer.status_code for answer in answers)[0] == 303
    assert [answer.status_code for answer in answers].count(303) == 1
    assert await db.value("SELECT count(*) FROM impersonations") == 1


async def test_what_asks_for_a_fresh_sign_in_is_refused_and_no_password_is_asked_for(cast: Cast) -> None:
    olga, rob, ann = await cast.olga(), await cast.rob(), await cast.ann()
    path = f"/admin/people/{ann.public_id}/impersonation"
    await seen(rob, path)
    await look(olga, rob)
    assert "belongs to Rob Rask alone" in await seen(olga, path, 403)


async def test_files_are_not_made_while_looking(cast: Cast) -> None:
    rob, sam = await cast.rob(), await cast.sam()
    await look(rob, sam)
    await seen(rob, "/admin/orders")
    assert "Files are not made" in await seen(rob, "/admin/orders?format=csv", 403)


async def test_the_office_makes_no_file_either_and_keeps_no_trace(app: Lectern, cast: Cast) -> None:
    """Every page of the office, by an owner who looks as an administrator; each file that they may have as themselves."""
    olga, rob = await cast.olga(), await cast.rob()
    places = await everywhere.one_of_everything(app)
    paths = [everywhere.address(rule.rule, places) for rule in everywhere.routes(app, "GET") if "/admin" in rule.rule]
    files = {path for path in paths if await is_file(olga, path)}
    assert {path.rpartition("/")[2] for path in files} >= {"file", "pdf", "definition.json"}
    await look(olga, rob)
    before = await dump()
    for path in paths:
        answer = await olga.browser.get(path)
        assert answer.status_code < 500, path
        assert not answer.headers.get("Content-Disposition", "").startswith("attachment"), path
        assert (answer.status_code == 403) or path not in files, path
    for kind in ("csv", "json", "xlsx", "CSV"):
        await seen(olga, f"/admin/people?format={kind}", 403)
    assert await dump() == before


async def is_file(person: Person, path: str) -> bool:
    answer = await person.browser.get(path)
    return bool(answer.headers.get("Content-Disposition", "").startswith("attachment"))


async def test_who_looks_as_another_has_the_form_open_themselves(app: Lectern, cast: Cast) -> None:
    olga, rob, oda = await cast.olga(), await cast.rob(), await cast.person("Oda Orth", "oda@example.org", role="owner")
    form = await everywhere.a_form(olga.id, "ask-us")
    await look(olga, rob)
    await seen(olga, f"/admin/forms/{form}/editors")
    page = await seen(oda, f"/admin/forms/{form}/editors")
    assert "Olga Oster" in page
    assert "Rob Rask" not in page
