"""Nobody rises by what a form does not have: every write of every address, with the fields of all tables in it.

A member, somebody of the support and an administrator send each form with `role=owner`, `state=active`, `user_id=…` and
so on, aimed at the owner. Afterwards the owner's account, everybody's role and the roles stand as before.
"""

import re
from html import unescape
from typing import Any

import pytest

from app import Lectern
from app.accounts import hashing, queries
from app.core import db, settings
from tests import everywhere
from tests.cast import PASSWORD, Cast, Person
from tests.everywhere import address, routes
from tests.test_hostile_input import _names_of_parameters

# What an attacker hopes that a row takes over.
HOPED = {
    "role": "owner",
    "roles": "owner",
    "is_admin": "1",
    "admin": "true",
    "capabilities": "people.roles",
    "granted": "people.roles",
    "at_most": "people.roles",
    "state": "active",
    "password_hash": "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaA",
    "email_verified_at": "2020-01-01",
    "is_held_back": "0",
    "second_factor_at": "2099-01-01",
    "must_choose_password": "0",
    "impersonation_id": "1",
    "method": "passkey",
    "fresh_at": "2099-01-01",
    "expires_at": "2099-01-01",
    "scopes": "people.roles",
    "email": "mallory@evil.example",
    "new_password": "nine quiet otters by the mill",
    "password": PASSWORD,
    "current_password": PASSWORD,
    "confirmation": "Olga Oster",
    "reason": "because I would like to",
    "amount": "1",
    "price": "0",
    "total_minor": "0",
}
# Kinds of nesting that some frameworks unfold into attributes.
SHAPES = ("{}", "user[{}]", "user.{}", "user__{}", "{}[]")


pytestmark = pytest.mark.usefixtures("unlimited")


def form_for(attacker: Person, owner: Person) -> dict[str, str]:
    ids = {
        name: str(value)
        for name, value in {"id": owner.id, "user_id": owner.id, "owner_id": attacker.id, "by": owner.id}.items()
    }
    ids |= {"public_id": owner.public_id, "person_id": owner.public_id, "instructor_id": str(attacker.id)}
    plain = {**HOPED, **ids}
    known = {name: "x" for name in _names_of_parameters() if name not in plain}
    shaped = {shape.format(name): value for shape in SHAPES for name, value in plain.items()}
    return {**known, **shaped}


async def standing(but: int) -> dict[str, Any]:
    """What nobody may raise or take: all accounts but the attacker's own in full, all roles, whose things are whose."""
    columns = "public_id, role, state, email, password_hash, email_verified_at"
    return {
        "owners": await db.value(
            f"SELECT json_agg(u)::text FROM (SELECT {columns} FROM users WHERE role = 'owner' ORDER BY id) u"
        ),
        "roles": await db.value(
            "SELECT json_agg(r)::text FROM (SELECT public_id, role FROM users WHERE role <> 'member' ORDER BY id) r"
        ),
        "custom": await db.value("SELECT json_agg(r ORDER BY key)::text FROM roles r"),
        "orders": await db.value(
            "SELECT json_agg(o)::text FROM (SELECT public_id, user_id, total_minor FROM orders ORDER BY id) o"
        ),
        "keys": await db.value(
            """
            SELECT (SELECT count(*) FROM passkeys WHERE user_id <> :but) + (SELECT count(*) FROM mfa_secrets)
                 + (SELECT count(*) FROM identities) + (SELECT count(*) FROM access_tokens WHERE user_id <> :but)
                 + (SELECT count(*) FROM entitlements WHERE user_id = :but)
            """,
            but=but,
        ),
    }


@pytest.mark.parametrize("role", ["member", "instructor", "support", "admin"])
async def test_no_field_of_any_form_raises_anybody(app: Lectern, cast: Cast, role: str) -> None:
    olga = await cast.olga()
    await queries.set_password(olga.id, await hashing.hashed("something that only Olga knows"))
    kim = await cast.person("Kim Kern", "kim@example.org", role=role)
    places = await everywhere.one_of_everything(app)
    places["/people"] = olga.public_id
    places["key"] = await cast.role("deputy", ["admin.enter", "people.view"])
    form, before, asked, faults = form_for(kim, olga), await standing(kim.id), 0, []
    for rule in routes(app, "POST"):
        await cast.sign_in(kim)
        answer = await kim.browser.post(address(rule.rule, places), form=form)
        if answer.status_code >= 500:
            faults.append(rule.rule)
        assert await standing(kim.id) == before, (rule.rule, answer.status_code)
        asked += 1
    assert asked > 100
    assert faults == []
    assert await db.value("SELECT role FROM users WHERE id = :id", id=kim.id) == role


async def test_an_owner_who_sends_the_same_changes_something(app: Lectern, cast: Cast) -> None:
    """The negative control: the forms do act for whoever may."""
    olga, rob = await cast.olga(), await cast.rob()
    before = await standing(olga.id)
    answer = await olga.browser.post(
        f"/admin/people/{rob.public_id}/role", form={**form_for(olga, rob), "role": "owner"}
    )
    assert answer.status_code == 303
    assert await standing(olga.id) != before


async def test_only_who_makes_roles_decides_who_needs_a_second_step(app: Lectern, cast: Cast) -> None:
    olga, rob = await cast.olga(), await cast.rob()
    form = {"name": "Meridian", "currency": "EUR", "tax_percent": "19", "time_zone": "UTC", "language": "en"}
    await settings.save_school(second_factor_roles=["instructor"])

    async def asked() -> list[str]:
        await settings.forget_copy()
        return list((await settings.school()).second_factor_roles)

    assert (await rob.browser.post("/admin/settings", form=await as_shown(rob) | form)).status_code == 403
    await cast.sign_in(olga, fresh=False)
    answer = await olga.browser.post("/admin/settings", form=await as_shown(olga) | form)
    assert "fresh=1" in answer.headers["Location"]
    assert await asked() == ["instructor"]
    await cast.sign_in(olga)
    assert (await olga.browser.post("/admin/settings", form=await as_shown(olga) | form)).status_code == 303
    assert await asked() == []


async def test_a_deputy_does_not_take_the_second_step_from_those_who_may_do_more(app: Lectern, cast: Cast) -> None:
    """Of those who may do as much or less they decide."""
    await cast.role("deputy", ["admin.enter", "settings.edit", "roles.edit", "courses.view", "courses.edit"])
    dee = await cast.person("Dee Deputy", "dee@example.org", role="deputy")
    form = {"name": "Meridian", "currency": "EUR", "tax_percent": "19", "time_zone": "UTC", "language": "en"}
    for role, status in (("owner", 403), ("admin", 403), ("support", 403), ("instructor", 303), ("deputy", 303)):
        await settings.save_school(second_factor_roles=[role])
        if role == "deputy":  # who is asked for one has shown it
            await db.run("UPDATE sessions SET second_factor_at = now()")
        answer = await dee.browser.post("/admin/settings", form=await as_shown(dee) | form)
        assert answer.status_code == status, role


async def as_shown(person: Person) -> dict[str, str]:
    """What the page of settings holds, without the ticks."""
    text = await (await person.browser.get("/admin/settings")).get_data(as_text=True)
    found = dict(re.findall(r'<input[^>]*name="(\w+)"[^>]*value="([^"]*)"', text))
    chosen = re.findall(r'<select[^>]*name="(\w+)".*?<option[^>]*value="([^"]*)"[^>]*selected', text, re.DOTALL)
    return {name: unescape(value) for name, value in {**found, **dict(chosen)}.items() if "roles" not in name}
