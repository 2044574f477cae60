"""Who may take whose role, and help whom in: one table, for one person and for many."""

import pytest

from app.accounts import hashing, people, queries
from app.accounts.roles import ROLES, Held, covers, may_help_in, outranks
from app.core import db
from tests.accounts.conftest import Browser, Mailbox, count
from tests.accounts.test_office_people import DETAILS, an_app
from tests.accounts.test_people_in_bulk import carry_out, choose, shares
from tests.cast import PASSWORD, Cast, Person
from tests.office import seen

# who acts, about whom:  covers, outranks, may help in
RULES = {
    ("owner", "owner"): (True, True, True),
    ("owner", "admin"): (True, True, True),
    ("owner", "member"): (True, True, True),
    ("admin", "owner"): (False, False, False),
    ("admin", "admin"): (True, False, False),
    ("admin", "support"): (True, True, False),
    ("admin", "instructor"): (True, True, False),
    ("admin", "member"): (True, True, True),
    ("support", "support"): (True, False, False),
    ("support", "instructor"): (False, False, False),
    ("support", "member"): (True, True, True),
    ("member", "member"): (True, False, False),
    ("member", "support"): (False, False, False),
}


@pytest.mark.parametrize(("actor", "subject"), RULES, ids="-".join)
def test_the_rules_of_rank(actor: str, subject: str) -> None:
    one, other = Held(actor, ROLES[actor]), Held(subject, ROLES[subject])
    assert (covers(one, other), outranks(one, other), may_help_in(one, other)) == RULES[actor, subject]


async def with_everything(cast: Cast, role: str) -> Person:
    """Somebody with a password and an app."""
    kim = await cast.person("Kim Kern", "kim@example.org", role=role)
    await queries.set_password(kim.id, await hashing.hashed(PASSWORD))
    await an_app(kim)
    return kim


# act: the rest of the address, the form, and what stands in the audit log once it is done
WAYS_IN = {
    "address": ("details", {**DETAILS, "name": "Kim Kern", "email": "new@example.org"}, "people.email"),
    "second step": ("second-factor/removal", {"second-reason": "lost it"}, "people.second_factor_off"),
    "password": ("password-change", {}, "people.require_password"),
}


@pytest.mark.parametrize("act", WAYS_IN)
@pytest.mark.parametrize(
    ("actor", "subject", "may"),
    [
        ("admin", "member", True),
        ("admin", "support", False),
        ("admin", "admin", False),
        ("admin", "owner", False),
        ("owner", "admin", True),
        ("owner", "owner", True),
    ],
)
async def test_those_of_the_team_are_helped_in_by_owners_alone(
    cast: Cast, act: str, actor: str, subject: str, may: bool
) -> None:
    below, form, action = WAYS_IN[act]
    kim, by = await with_everything(cast, subject), await (cast.rob() if actor == "admin" else cast.olga())
    answer = await by.browser.post(f"/admin/people/{kim.public_id}/{below}", form=form)
    assert answer.status_code == (303 if may else 422 if act == "address" and subject != "owner" else 403)
    assert await count(f"audit_log WHERE action = '{action}'") == may
    assert await Browser(kim.browser).is_signed_in() is not may
    email = await db.value("SELECT email FROM users WHERE id = :id", id=kim.id)
    assert email == ("new@example.org" if may and act == "address" else kim.email)


async def test_a_page_offers_only_what_the_rank_allows(cast: Cast) -> None:
    kim, rob, olga = await with_everything(cast, "admin"), await cast.rob(), await cast.olga()
    path = f"/admin/people/{kim.public_id}"
    for words in ("Ask for a new password", "Turn off the second step"):
        assert words in await seen(olga, path)
        assert words not in await seen(rob, path)
    assert "Only an owner may give" in await seen(rob, f"{path}/details")
    assert "readonly" in await seen(rob, f"{path}/details")
    assert "readonly" not in await seen(olga, f"{path}/details")
    form = {**DETAILS, "name": "Kim K.", "email": kim.email}  # the rest is a fellow's to correct
    assert (await rob.browser.post(f"{path}/details", form=form)).status_code == 303
    assert (await people.find(kim.public_id)).name == "Kim K."


async def test_another_address_of_a_member_is_unproved_told_and_noted(cast: Cast, mailbox: Mailbox) -> None:
    kim, rob = await with_everything(cast, "member"), await cast.rob()
    await rob.browser.post(f"/admin/people/{kim.public_id}/details", form=WAYS_IN["address"][1])
    person = await people.find(kim.public_id)
    assert (person.email, person.email_verified_at) == ("new@example.org", None)
    assert "changed" in (await mailbox.all("kim@example.org"))[0]["Subject"]
    row = await db.one(db.Row, "SELECT actor_id, before, after FROM audit_log WHERE action = 'people.email'")
    assert row is not None
    assert (row.actor_id, row.before, row.after) == (rob.id, {"email": kim.email}, {"email": "new@example.org"})


async def deputies(cast: Cast) -> tuple[Person, Person, Person]:
    """Two fellows who may give roles and merge, and one below them."""
    held = ["admin.enter", "people.view", "people.edit", "people.roles", "people.suspend", "people.merge"]
    await cast.role("deputy", held)
    await cast.role("clerk", held[:2])
    return (
        await cast.person("Kim Kern", "kim@example.org", role="deputy"),
        await cast.person("Lou Lind", "lou@example.org", role="deputy"),
        await cast.person("Cy Clark", "cy@example.org", role="clerk"),
    )


async def test_fellows_keep_each_others_roles(cast: Cast) -> None:
    kim, lou, cy = await deputies(cast)
    assert "Change the role" not in await seen(kim, f"/admin/people/{lou.public_id}")
    answer = await kim.browser.post(f"/admin/people/{lou.public_id}/role", form={"role": "clerk"})
    assert answer.status_code == 403
    answer = await kim.browser.post(f"/admin/people/{cy.public_id}/role", form={"role": "member"})
    assert answer.status_code == 303
    assert await db.value("SELECT string_agg(role, ' ' ORDER BY id) FROM users") == "deputy deputy member"


async def test_a_fellow_is_not_merged_away(cast: Cast) -> None:
    kim, lou, cy = await deputies(cast)
    ann = await cast.ann()
    for gone, status in ((lou, 403), (cy, 303)):
        form = {"other": ann.public_id, "keep": "other", "confirmation": gone.email}
        answer = await kim.browser.post(f"/admin/people/{gone.public_id}/merge", form=form)
        assert answer.status_code == status, await answer.get_data(as_text=True)
    assert await db.value("SELECT string_agg(state, ' ' ORDER BY id) FROM users") == "active active merged active"


async def test_many_are_judged_and_done_by_the_same_rules(cast: Cast) -> None:
    kim, lou, cy = await deputies(cast)
    ann = await cast.ann()
    await db.run("UPDATE users SET password_hash = 'x'")
    everybody = [one.public_id for one in (kim, lou, cy, ann)]
    page = await choose(kim, "role", everybody)
    assert shares(await seen(kim, f"{page}?role=member")) == {
        "Give 1 person the role Member": 1,
        "is yourself": 1,
        "may do as much as you, or more": 1,
        "has it already": 1,
    }
    # What was looked at is one thing, what is done another look at the same rules.
    assert "Done: 1 changed" in await carry_out(kim, page, role="member")
    page = await choose(kim, "password", everybody)
    await db.run("UPDATE users SET role = 'clerk' WHERE id = :id", id=cy.id)
    assert shares(await seen(kim, page)) == {
        "Ask 1 person for a new password": 1,
        "is yourself": 1,
        "is of the team, whom only an owner helps in": 2,
    }
    assert "Done: 1 changed" in await carry_out(kim, page)
    rows = await db.many(db.Row, "SELECT id FROM users WHERE password_change_required_at IS NOT NULL")
    assert [row.id for row in rows] == [ann.id]
