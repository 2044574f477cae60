"""Roles of the school: who may make, change, give and remove them, and that a change counts at the next request."""

import asyncio
from typing import Any
from urllib.parse import urlencode

import asyncpg
import pytest

from app import Lectern
from app.accounts import access_tokens, custom_roles, people
from app.accounts.roles import CAPABILITIES, GROUPS, ROLES, capabilities_of, may_give, with_needed
from app.core import db
from app.core.errors import Conflict, Forbidden, Invalid, NotFound
from tests.accounts.conftest import count
from tests.accounts.test_people import fresh, signed_in
from tests.cast import Cast, Person
from tests.office import seen

CLERK = ["admin.enter", "orders.view"]
DEPUTY = ["admin.enter", "people.view", "people.suspend", "people.roles", "roles.edit", "orders.view"]


async def post(person: Person, path: str, form: dict[str, Any]) -> Any:
    """A form with ticks: the test client knows no lists."""
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return await person.browser.post(path, data=urlencode(form, doseq=True), headers=headers)


async def make(owner: Person, name: str = "Bookkeeper", capabilities: list[str] | None = None) -> str:
    """A role that was made on the page; its key."""
    form = {"name": name, "description": "Counts", "capabilities": CLERK if capabilities is None else capabilities}
    answer = await post(owner, "/admin/roles", form)
    assert answer.status_code == 303, await answer.get_data(as_text=True)
    return str(answer.headers["Location"]).rpartition("/")[2]


async def role_row(key: str) -> Any:
    return await db.one(db.Row, "SELECT * FROM roles WHERE key = :key", key=key)


# --- the sets ---


def test_every_capability_needs_only_capabilities_that_there_are() -> None:
    for one in CAPABILITIES.values():
        assert set(one.needs) <= CAPABILITIES.keys(), one.name
    assert len(CAPABILITIES) == sum(len(group.capabilities) for group in GROUPS)


def test_built_in_roles_hold_what_their_capabilities_need() -> None:
    for name, held in ROLES.items():
        assert with_needed(held) == held, name


def test_a_role_that_is_gone_and_a_capability_that_is_gone_hold_nothing() -> None:
    assert capabilities_of("gone", None) == frozenset()
    assert capabilities_of("clerk", ["orders.view", "moon.fly"]) == {"orders.view"}
    assert capabilities_of("owner", ["orders.view"]) == ROLES["owner"]


async def test_only_an_owner_covers_an_owner_however_much_a_role_holds(cast: Cast) -> None:
    await cast.role("deputy", list(CAPABILITIES))
    kim = await fresh(await cast.person("Kim Kern", "kim@example.org", role="deputy"))
    olga = await fresh(await cast.olga())
    assert kim.capabilities == olga.capabilities
    assert not may_give(kim, "owner", ROLES["owner"])
    assert may_give(kim, "admin", ROLES["admin"])


# --- on the pages ---


async def test_an_owner_makes_a_role_and_somebody_works_with_it(cast: Cast) -> None:
    olga, ann = await cast.olga(), await cast.ann()
    key = await make(olga)
    assert (await role_row(key)).capabilities == CLERK
    answer = await olga.browser.post(f"/admin/people/{ann.public_id}/role", form={"role": key})
    assert answer.status_code == 303
    assert await count("sessions WHERE user_id = " + str(ann.id)) == 0
    await cast.sign_in(ann)
    await seen(ann, "/admin/orders")
    assert (await ann.browser.get("/admin/people")).status_code == 403
    page = await seen(olga, "/admin/roles")
    assert "Bookkeeper" in page and "1 person" in page
    assert "Ann Archer" in await seen(olga, f"/admin/people?role={key}")
    assert "Bookkeeper" in await seen(olga, f"/admin/people/{ann.public_id}")


async def test_what_a_tick_cannot_work_without_comes_with_it(cast: Cast) -> None:
    key = await make(await cast.olga(), capabilities=["courses.edit_any"])
    assert set((await role_row(key)).capabilities) == {
        "admin.enter",
        "courses.view",
        "courses.edit",
        "courses.edit_any",
    }


@pytest.mark.parametrize(
    "name", ["", "   ", "Owner", "administrator", "BOOKKEEPER", "x" * 61, "Click http://evil.example/"]
)
async def test_a_bad_name_is_refused_beside_its_field(cast: Cast, name: str) -> None:
    olga = await cast.olga()
    await make(olga)
    answer = await post(olga, "/admin/roles", {"name": name, "capabilities": CLERK})
    assert answer.status_code == 422
    assert 'id="name-error"' in await answer.get_data(as_text=True)
    assert await count("roles") == 1


async def test_capabilities_that_nobody_knows_are_refused(cast: Cast) -> None:
    answer = await post(await cast.olga(), "/admin/roles", {"name": "New", "capabilities": ["moon.fly"]})
    assert answer.status_code == 422
    assert await count("roles") == 0


async def test_a_copy_begins_with_the_same_ticks(cast: Cast) -> None:
    olga = await cast.olga()
    page = await seen(olga, "/admin/roles/new?from=support")
    for name in CAPABILITIES:
        assert (f'value="{name}" checked' in page) == (name in ROLES["support"]), name
    page = await seen(olga, f"/admin/roles/new?from={await make(olga)}")
    assert 'value="orders.view" checked' in page
    assert (await olga.browser.get("/admin/roles/new?from=nothing")).status_code == 404


async def test_built_in_roles_cannot_be_edited_or_removed(cast: Cast) -> None:
    olga = await cast.olga()
    for key in ROLES:
        for path in (f"/admin/roles/{key}", f"/admin/roles/{key}/removal"):
            assert (await olga.browser.post(path, form={"name": "Mine"})).status_code == 404


async def test_a_changed_role_counts_at_the_next_request_everywhere(app: Lectern, cast: Cast) -> None:
    olga = await cast.olga()
    key = await make(olga)
    kim = await cast.person("Kim Kern", "kim@example.org", role=key)
    await seen(kim, "/admin/orders")
    # As another process would: behind this one's back. There is no copy that could be old.
    await db.run("UPDATE roles SET capabilities = '{admin.enter}' WHERE key = :key", key=key)
    assert (await kim.browser.get("/admin/orders")).status_code == 403
    await db.run("UPDATE roles SET capabilities = '{}' WHERE key = :key", key=key)
    assert (await kim.browser.get("/admin")).status_code == 403


async def test_changing_what_a_role_may_do_ends_the_sessions_of_its_holders_alone(cast: Cast) -> None:
    olga, ann = await cast.olga(), await cast.ann()
    key = await make(olga)
    kim = await cast.person("Kim Kern", "kim@example.org", role=key)
    form = {"name": "Bookkeeper", "description": "", "capabilities": CLERK, "revision": "1"}
    assert (await post(olga, f"/admin/roles/{key}", form)).status_code == 303
    await seen(kim, "/admin/orders")  # another description is no other right
    form |= {"capabilities": [*CLERK, "orders.refund"], "revision": "2"}
    assert (await post(olga, f"/admin/roles/{key}", form)).status_code == 303
    assert (await kim.browser.get("/admin/orders")).status_code == 303
    await seen(ann, "/account")
    row = await db.one(
        db.Row, "SELECT before, after FROM audit_log WHERE action = 'role.change' ORDER BY id DESC LIMIT 1"
    )
    assert row is not None
    assert row.before == {"capabilities": CLERK}
    assert row.after == {"capabilities": ["admin.enter", "orders.view", "orders.refund"]}


async def test_a_page_that_is_old_does_not_undo_what_somebody_else_saved(cast: Cast) -> None:
    olga = await cast.olga()
    key = await make(olga)
    form = {"name": "First", "capabilities": CLERK, "revision": "1"}
    assert (await post(olga, f"/admin/roles/{key}", form)).status_code == 303
    answer = await post(olga, f"/admin/roles/{key}", form | {"name": "Second"})
    assert answer.status_code == 409
    assert (await role_row(key)).name == "First"


async def test_a_role_that_nobody_holds_goes_and_one_that_is_held_needs_another(cast: Cast) -> None:
    olga = await cast.olga()
    key, other = await make(olga), await make(olga, "Clerk")
    kim = await cast.person("Kim Kern", "kim@example.org", role=key)
    name = {"confirmation": "bookkeeper"}
    for form in (
        name,
        {**name, "move_to": "nothing"},
        {**name, "move_to": key},
        {"confirmation": "X", "move_to": other},
    ):
        answer = await olga.browser.post(f"/admin/roles/{key}/removal", form=form)
        assert answer.status_code == 422, form
    assert (await olga.browser.post(f"/admin/roles/{key}/removal", form={**name, "move_to": other})).status_code == 303
    assert await db.value("SELECT role FROM users WHERE id = :id", id=kim.id) == other
    assert await count(f"sessions WHERE user_id = {kim.id}") == 0
    assert (await olga.browser.post(f"/admin/roles/{key}/removal")).status_code == 404
    await db.run("UPDATE users SET role = 'member' WHERE id = :id", id=kim.id)
    assert (await olga.browser.post(f"/admin/roles/{other}/removal", form={"confirmation": "Clerk"})).status_code == 303
    assert await count("roles") == 0
    actions = await db.value(
        "SELECT string_agg(action, ' ' ORDER BY id) FROM audit_log WHERE action ~ '^(role|people)'"
    )
    assert actions == "role.create role.create people.role role.delete role.delete"


async def test_whoever_lacks_the_capability_sees_and_changes_no_role(cast: Cast) -> None:
    key = await make(await cast.olga())
    for person in (await cast.rob(), await cast.sam(), await cast.ann()):
        for method, path in (
            ("GET", "/admin/roles"),
            ("GET", f"/admin/roles/{key}"),
            ("POST", "/admin/roles"),
            ("POST", f"/admin/roles/{key}"),
            ("POST", f"/admin/roles/{key}/removal"),
        ):
            answer = await person.browser.open(path, method=method, form={"name": "X"} if method == "POST" else None)
            assert answer.status_code == 403, (person.name, method, path)
    assert await count("roles") == 1


# --- nobody rises above themselves ---


async def test_a_deputy_gives_only_what_they_may_do_themselves(cast: Cast) -> None:
    olga, ann, rob = await cast.olga(), await cast.ann(), await cast.rob()
    await cast.role("deputy", DEPUTY)
    await cast.role("clerk", CLERK)
    await cast.role("refunder", [*CLERK, "orders.refund"])
    kim = await cast.person("Kim Kern", "kim@example.org", role="deputy")
    for role in ("owner", "admin", "instructor", "support", "refunder"):
        answer = await kim.browser.post(f"/admin/people/{ann.public_id}/role", form={"role": role})
        assert answer.status_code == 422, role
        with pytest.raises(Forbidden):
            await people.change_role(ann.public_id, role, by=await signed_in(kim))
    for other in (olga, rob, kim):
        for act in ("role", "suspension", "sessions/removal"):
            answer = await kim.browser.post(f"/admin/people/{other.public_id}/{act}", form={"role": "clerk"})
            assert answer.status_code == 403, (other.name, act)
    assert (await kim.browser.post(f"/admin/people/{ann.public_id}/role", form={"role": "clerk"})).status_code == 303
    roles = await db.value("SELECT string_agg(role, ' ' ORDER BY id) FROM users")
    assert roles == "owner clerk admin deputy"


async def test_a_deputy_makes_and_changes_no_role_that_does_more_than_theirs(cast: Cast) -> None:
    await cast.role("deputy", DEPUTY)
    await cast.role("refunder", [*CLERK, "orders.refund"])
    kim = await cast.person("Kim Kern", "kim@example.org", role="deputy")
    me = await signed_in(kim)
    more, less = [*CLERK, "orders.refund"], CLERK
    with pytest.raises(Forbidden):
        await custom_roles.create(name="More", description="", capabilities=more, by=me)
    role = await custom_roles.create(name="Less", description="", capabilities=less, by=me)
    for key, wanted in (("refunder", less), ("deputy", less), ("deputy", list(CAPABILITIES)), (role.key, more)):
        with pytest.raises(Forbidden):
            await custom_roles.change(key, name="X", description="", capabilities=wanted, revision=1, by=me)
    for key in ("refunder", "deputy"):
        with pytest.raises(Forbidden):
            await custom_roles.delete(key, move_to="member", by=me)
    answer = await post(kim, "/admin/roles", {"name": "More", "capabilities": more})
    assert answer.status_code == 403
    assert await count("roles") == 3


async def test_a_deputy_does_not_take_the_rights_of_fellows_away_by_their_role(cast: Cast) -> None:
    """One who may do as much holds it. A role that nobody holds is anybody's to change who may give it."""
    for key in ("deputy", "twin"):
        await cast.role(key, ["admin.enter", "people.view", "roles.edit"])
    deputy = await cast.person("Dee Deputy", "dee@example.org", role="deputy")
    await cast.person("Tim Twin", "tim@example.org", role="twin")
    less = {"name": "Twin", "description": "", "capabilities": ["admin.enter"], "revision": "1"}
    assert "Save" not in (await seen(deputy, "/admin/roles/twin")).partition("<main")[2]
    for path, form in (("", less), ("/removal", {"confirmation": "Twin", "move_to": "member"})):
        answer = await post(deputy, f"/admin/roles/twin{path}", form)
        assert answer.status_code == 403
        assert "Ask an owner" in await answer.get_data(as_text=True)
    assert await db.value("SELECT cardinality(capabilities) FROM roles WHERE key = 'twin'") == 3
    await db.run("UPDATE users SET role = 'member' WHERE role = 'twin'")
    assert (await post(deputy, "/admin/roles/twin", less)).status_code == 303
    assert await db.value("SELECT cardinality(capabilities) FROM roles WHERE key = 'twin'") == 1


async def test_a_deputy_who_was_demoted_meanwhile_does_nothing_more(cast: Cast) -> None:
    await cast.role("deputy", DEPUTY)
    kim, ann = await cast.person("Kim Kern", "kim@example.org", role="deputy"), await cast.ann()
    me = await signed_in(kim)
    await db.run("UPDATE roles SET capabilities = '{admin.enter}' WHERE key = 'deputy'")
    await cast.role("clerk", CLERK)
    with pytest.raises(Forbidden):
        await people.change_role(ann.public_id, "clerk", by=me)
    with pytest.raises(Forbidden):
        await custom_roles.create(name="Clerks", description="", capabilities=CLERK, by=me)


async def test_who_may_keep_nobody_out_any_more_ends_no_token_of_others(cast: Cast) -> None:
    """The role changed after the guard of the request had looked."""
    rob, ann = await cast.rob(), await cast.ann()
    me, subject = await signed_in(rob), await people.find(ann.public_id)
    await db.run("UPDATE users SET role = 'instructor' WHERE id = :id", id=rob.id)
    with pytest.raises(Forbidden):
        await access_tokens.remove_of(subject, "no such token", by=me)


async def test_the_last_owner_stays(cast: Cast) -> None:
    olga = await cast.olga()
    for form in ({"role": "member"}, {"role": "admin"}):
        answer = await olga.browser.post(f"/admin/people/{olga.public_id}/role", form=form)
        assert answer.status_code == 403
    assert (await olga.browser.post(f"/admin/people/{olga.public_id}/suspension")).status_code == 403
    assert await count("users WHERE role = 'owner' AND state = 'active'") == 1


# --- two at once, and the database itself ---


async def outcome(act: Any) -> str:
    try:
        await act
    except (Forbidden, Conflict, Invalid, NotFound) as error:
        return type(error).__name__
    return "done"


async def test_two_owners_who_demote_each_other_leave_one(cast: Cast) -> None:
    olga, otto = await cast.olga(), await cast.person("Otto Ort", "otto@example.org", role="owner")
    one, other = await signed_in(olga), await signed_in(otto)
    ends = await asyncio.gather(
        outcome(people.change_role(otto.public_id, "member", by=one)),
        outcome(people.change_role(olga.public_id, "member", by=other)),
    )
    assert sorted(ends) == ["Forbidden", "done"]
    assert await count("users WHERE role = 'owner'") == 1


async def test_a_role_that_is_given_while_it_goes_leaves_nobody_without_one(cast: Cast) -> None:
    olga, otto = await cast.olga(), await cast.person("Otto Ort", "otto@example.org", role="owner")
    one, other = await signed_in(olga), await signed_in(otto)
    ann = await cast.ann()
    for _round in range(5):
        await cast.role("clerk", CLERK)
        await db.run("UPDATE users SET role = 'member' WHERE id = :id", id=ann.id)
        await asyncio.gather(
            outcome(people.change_role(ann.public_id, "clerk", by=one)),
            outcome(custom_roles.delete("clerk", move_to="support", by=other)),
        )
        held, there = await db.value("SELECT role FROM users WHERE id = :id", id=ann.id), await count("roles")
        assert (held, there) in (("member", 0), ("support", 0)), (held, there)


async def test_the_database_refuses_a_role_that_is_not_there_and_keeps_one_that_is_held(cast: Cast) -> None:
    ann = await cast.ann()
    for role in ("nothing", "", "Owner", "support "):
        with pytest.raises((asyncpg.ForeignKeyViolationError, asyncpg.CheckViolationError)):
            await db.run("UPDATE users SET role = :role WHERE id = :id", role=role, id=ann.id)
    await cast.role("clerk", CLERK)
    await db.run("UPDATE users SET role = 'clerk' WHERE id = :id", id=ann.id)
    for statement in ("DELETE FROM roles", "UPDATE roles SET key = 'other'"):
        with pytest.raises(asyncpg.ForeignKeyViolationError):
            await db.run(statement)
    with pytest.raises(asyncpg.CheckViolationError):
        await cast.role("admin", list(CAPABILITIES))
