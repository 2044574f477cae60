"""What the office does with one person beside roles and suspensions: details, entrance, notes, tags."""

import asyncio
import re
from html import unescape

import pytest

from app.accounts import hashing, merging, people, totp
from app.core import db
from app.core.errors import Conflict
from tests.accounts.conftest import Browser, Mailbox, count, text_of
from tests.accounts.test_people import signed_in
from tests.cast import PASSWORD, Cast, Person
from tests.office import seen
from tests.school import a_course

DETAILS = {"name": "Ann Archer", "email": "ann@example.org", "headline": "", "country": "", "time_zone": ""}


async def an_app(person: Person) -> None:
    await db.run(
        "INSERT INTO mfa_secrets (user_id, sealed_secret, created_at, last_step) VALUES (:id, :kept, now(), 0)",
        id=person.id,
        kept=totp.kept(b"12345678901234567890"),
    )


async def acts() -> list[str]:
    rows = await db.many(
        db.Row, "SELECT action FROM audit_log WHERE action LIKE 'people.%' OR action LIKE 'tag.%' ORDER BY id"
    )
    return [row.action for row in rows]


# Details


async def test_details_are_changed_with_what_they_were_in_the_log(cast: Cast) -> None:
    ann, rob = await cast.ann(), await cast.rob()
    path = f"/admin/people/{ann.public_id}/details"
    assert 'value="ann@example.org"' in await seen(rob, path)
    form = {**DETAILS, "name": "Anna Archer", "country": "NL", "time_zone": "Europe/Amsterdam", "headline": "Trader"}
    assert (await rob.browser.post(path, form=form)).status_code == 303
    page = await seen(rob, f"/admin/people/{ann.public_id}")
    for words in ("Anna Archer", "Netherlands", "Europe/Amsterdam", "Trader"):
        assert words in page
    row = await db.one(db.Row, "SELECT before, after FROM audit_log WHERE action = 'people.edit'")
    assert row is not None
    assert row.before["name"] == "Ann Archer"
    assert row.after == {"name": "Anna Archer", "headline": "Trader", "time_zone": "Europe/Amsterdam", "country": "NL"}
    await rob.browser.post(path, form=form)
    assert await acts() == ["people.edit"]


async def test_another_address_is_told_to_both_and_has_to_be_confirmed(cast: Cast, mailbox: Mailbox) -> None:
    ann, rob = await cast.ann(), await cast.rob()
    await cast.bob()
    path = f"/admin/people/{ann.public_id}/details"
    assert "Another account has this address" in await seen_post(rob, path, {**DETAILS, "email": "BOB@example.org"})
    await rob.browser.post(path, form={**DETAILS, "email": "new@example.org"})
    person = await people.find(ann.public_id)
    assert (person.email, person.email_verified_at) == ("new@example.org", None)
    assert not await Browser(ann.browser).is_signed_in()
    assert await mailbox.all("ann@example.org")
    assert any("/verify/" in text_of(mail) for mail in await mailbox.all("new@example.org"))


async def seen_post(person: Person, path: str, form: dict[str, str]) -> str:
    answer = await person.browser.post(path, form=form)
    assert answer.status_code == 422
    return str(await answer.get_data(as_text=True))


@pytest.mark.parametrize(
    "change",
    [
        "email = 'new@example.org'",
        "name = 'Ann Baker'",
        "headline = 'Navigator'",
        "country = 'NL'",
        "time_zone = 'Europe/Amsterdam'",
    ],
)
async def test_a_page_that_was_left_open_takes_nothing_back_that_changed_since(cast: Cast, change: str) -> None:
    """The person's own new address, above all: the old one may be somebody else's by now."""
    ann, rob = await cast.ann(), await cast.rob()
    path = f"/admin/people/{ann.public_id}/details"
    [mark] = re.findall(r'name="seen"[^>]*value="([^"]+)"', await seen(rob, path))
    await db.run(f"UPDATE users SET {change} WHERE id = :id", id=ann.id)
    changed = await people.find(ann.public_id)
    answer = await rob.browser.post(path, form={**DETAILS, "seen": mark, "headline": "Trader"})
    assert answer.status_code == 409
    text = str(await answer.get_data(as_text=True))
    assert "Somebody saved this after you opened it" in text
    told = change.partition("'")[2].rstrip("'").replace("NL", "Netherlands")
    assert f'<dd class="stored">{told}' in text
    assert "Trader" in text
    assert await people.find(ann.public_id) == changed
    assert await acts() == []
    # What was typed is made against what is kept now.
    [mark] = re.findall(r'name="seen"[^>]*value="([^"]+)"', text)
    fresh = {**DETAILS, "email": changed.email, "seen": mark, "headline": "Trader"}
    for _click in range(2):
        assert (await rob.browser.post(path, form=fresh)).status_code == 303
    assert await acts() == ["people.edit"]


async def test_who_may_give_nobody_of_the_team_an_address_can_go_on_after_it_has_changed(cast: Cast) -> None:
    """They cannot write it in: the field is only to be read."""
    ines, rob = await cast.ines(), await cast.rob()
    path = f"/admin/people/{ines.public_id}/details"
    [mark] = re.findall(r'name="seen"[^>]*value="([^"]+)"', await seen(rob, path))
    await db.run("UPDATE users SET email = 'new@example.org' WHERE id = :id", id=ines.id)
    form = {**DETAILS, "name": ines.name, "email": ines.email, "headline": "Trader", "seen": mark}
    answer = await rob.browser.post(path, form=form)
    assert answer.status_code == 409
    text = str(await answer.get_data(as_text=True))
    again = dict(re.findall(r'name="(seen|email)"[^>]*value="([^"]+)"', text))
    assert (await rob.browser.post(path, form={**form, **again})).status_code == 303
    found = await people.find(ines.public_id)
    assert (found.email, found.headline) == ("new@example.org", "Trader")


@pytest.mark.parametrize(
    "wrong",
    [{"name": ""}, {"name": "https://x.example"}, {"email": "nowhere"}, {"country": "XX"}, {"time_zone": "Moon"}],
)
async def test_details_that_cannot_be_are_refused(cast: Cast, wrong: dict[str, str]) -> None:
    ann, rob = await cast.ann(), await cast.rob()
    await seen_post(rob, f"/admin/people/{ann.public_id}/details", {**DETAILS, **wrong})
    assert await acts() == []


async def test_nobody_edits_who_can_do_more_or_themselves_here(cast: Cast) -> None:
    rob, olga = await cast.rob(), await cast.olga()
    for whom in (rob, olga):
        path = f"/admin/people/{whom.public_id}"
        assert (await rob.browser.get(f"{path}/details")).status_code == 403
        for below, form in (
            ("details", {**DETAILS, "email": "mine@example.org"}),
            ("password-change", {}),
            ("second-factor/removal", {"second-reason": "x"}),
        ):
            assert (await rob.browser.post(f"{path}/{below}", form=form)).status_code == 403, below
    assert await acts() == []


async def test_editing_needs_a_fresh_sign_in(cast: Cast) -> None:
    ann, rob = await cast.ann(), await cast.rob()
    await cast.sign_in(rob, fresh=False)
    for below in ("details", "second-factor/removal"):
        answer = await rob.browser.post(f"/admin/people/{ann.public_id}/{below}", form=DETAILS)
        assert "fresh=1" in answer.headers["Location"]


# Entrance


async def test_a_suspension_says_why_to_the_team(cast: Cast) -> None:
    ann, rob = await cast.ann(), await cast.rob()
    path = f"/admin/people/{ann.public_id}/suspension"
    assert "Say why" in await seen_post(rob, path, {"reason": " "})
    await rob.browser.post(path, form={"reason": "sells our films"})
    assert "Suspended: sells our films" in await seen(rob, f"/admin/people/{ann.public_id}")
    await rob.browser.post(f"{path}/removal")
    assert "sells our films" not in (await seen(rob, f"/admin/people/{ann.public_id}")).split('id="history"')[0]


@pytest.mark.parametrize(
    ("page", "form", "field"),
    [("", "suspension", "reason"), ("", "second-factor/removal", "second-reason"), ("/details", "details", "headline")],
)
async def test_what_was_typed_outlasts_the_question_for_the_password(
    cast: Cast, page: str, form: str, field: str
) -> None:
    ann, olga = await cast.ann(), await cast.olga()
    await an_app(ann)
    await cast.sign_in(olga, fresh=False)
    path = f"/admin/people/{ann.public_id}"
    here = f"http://localhost{path}{page}"
    typed = DETAILS | {field: "The card was stolen"}
    answer = await olga.browser.post(f"{path}/{form}", form=typed, headers={"Referer": here})
    assert "fresh=1" in answer.headers["Location"]
    assert await acts() == []
    await db.run("UPDATE sessions SET fresh_at = now()")
    shown = await seen(olga, path + page)
    assert 'value="The card was stolen"' in shown
    assert shown.count('<details class="disclosure" open>') == (not page), "where it is seen"
    assert 'value="The card was stolen"' not in await seen(olga, path + page), "once"


async def test_a_lost_second_step_is_turned_off_for_a_reason_and_told(cast: Cast, mailbox: Mailbox) -> None:
    ann, rob = await cast.ann(), await cast.rob()
    path = f"/admin/people/{ann.public_id}"
    assert "Turn off the second step" not in await seen(rob, path)
    assert (await rob.browser.post(f"{path}/second-factor/removal", form={"second-reason": "x"})).status_code == 409
    await an_app(ann)
    assert "Turn off the second step" in await seen(rob, path)
    assert "Say why" in await seen_post(rob, f"{path}/second-factor/removal", {"second-reason": ""})
    await rob.browser.post(f"{path}/second-factor/removal", form={"second-reason": "phoned, knew the last order"})
    assert not await count("mfa_secrets")
    assert not await Browser(ann.browser).is_signed_in()
    assert "turned off" in (await mailbox.last(ann.email))["Subject"]
    row = await db.one(db.Row, "SELECT actor_id, summary FROM audit_log WHERE action = 'people.second_factor_off'")
    assert row is not None
    assert (row.actor_id, row.summary) == (rob.id, "phoned, knew the last order")


async def test_two_who_turn_it_off_at_once_do_it_once(cast: Cast) -> None:
    ann, rob, olga = await cast.ann(), await cast.rob(), await cast.olga()
    await an_app(ann)
    path = f"/admin/people/{ann.public_id}/second-factor/removal"
    answers = await asyncio.gather(*(who.browser.post(path, form={"second-reason": "x"}) for who in (rob, olga)))
    assert sorted(answer.status_code for answer in answers) == [303, 409]
    assert await acts() == ["people.second_factor_off"]


async def test_the_command_line_lets_a_locked_out_owner_in(cast: Cast, mailbox: Mailbox) -> None:
    olga = await cast.olga()
    with pytest.raises(Conflict):
        await people.reset_second_factor(olga.email)
    await an_app(olga)
    assert await people.reset_second_factor(olga.email.upper())
    assert not await people.reset_second_factor("nobody@example.org")
    assert not await count("mfa_secrets")
    assert await mailbox.all(olga.email)


async def test_a_person_is_asked_for_a_new_password_once(cast: Cast) -> None:
    ann, rob = await cast.ann(), await cast.rob()
    path = f"/admin/people/{ann.public_id}/password-change"
    await rob.browser.post(path)
    assert await acts() == []
    await db.run("UPDATE users SET password_hash = :h WHERE id = :id", h=await hashing.hashed(PASSWORD), id=ann.id)
    await rob.browser.post(path)
    await rob.browser.post(path)
    assert await acts() == ["people.require_password"]
    assert "must be changed" in await seen(rob, f"/admin/people/{ann.public_id}")


async def test_an_invitation_is_seen_sent_again_and_accepted(cast: Cast, mailbox: Mailbox, browser: Browser) -> None:
    rob = await cast.rob()
    await rob.browser.post("/admin/people", form={"name": "Nia", "email": "nia@example.org"})
    await mailbox.all()
    nia = await db.value("SELECT public_id FROM users WHERE email = 'nia@example.org'")
    assert "not accepted yet" in await seen(rob, f"/admin/people/{nia}")
    await db.run(
        "UPDATE one_time_tokens SET expires_at = now() - interval '1 day', created_at = now() - interval '8 days'"
    )
    page = await seen(rob, f"/admin/people/{nia}")
    assert "the link has run out" in page
    assert "Send the invitation again" in page
    await rob.browser.post(f"/admin/people/{nia}/reset")
    assert len(await mailbox.all("nia@example.org")) == 2
    link = await mailbox.link("nia@example.org")
    assert (await browser.post(link, new_password="a long walk by the river")).status_code == 303
    assert "accepted" in await seen(rob, f"/admin/people/{nia}")


# Notes


async def test_notes_are_written_by_support_read_by_the_team_and_removed_by_their_author(cast: Cast) -> None:
    ann, sam, rob = await cast.ann(), await cast.sam(), await cast.rob()
    path = f"/admin/people/{ann.public_id}/notes"
    assert "Nothing is written" in await seen(sam, path)
    await sam.browser.post(path, form={"body": "Asked for <b>an invoice</b>\nin Dutch"})
    page = await seen(rob, path)
    assert "Asked for &lt;b&gt;an invoice&lt;/b&gt;\nin Dutch" in page
    assert "Sam Sorel" in page
    note = await db.value("SELECT public_id FROM person_notes")
    assert f"/notes/{note}/removal" not in page
    assert (await rob.browser.post(f"{path}/{note}/removal")).status_code == 404
    bob = await cast.bob()
    assert (await sam.browser.post(f"/admin/people/{bob.public_id}/notes/{note}/removal")).status_code == 404
    await sam.browser.post(f"{path}/{note}/removal")
    assert not await count("person_notes")
    assert await acts() == ["people.note", "people.note_removal"]
    assert not await count(
        "audit_log WHERE CAST(after AS text) LIKE '%invoice%' OR CAST(before AS text) LIKE '%invoice%'"
    )


@pytest.mark.parametrize("body", ["", "  \n ", "x" * 4001, "a\x00b"])
async def test_a_note_that_says_nothing_or_too_much_is_refused(cast: Cast, body: str) -> None:
    ann, sam = await cast.ann(), await cast.sam()
    await seen_post(sam, f"/admin/people/{ann.public_id}/notes", {"body": body})
    assert not await count("person_notes")


async def test_the_part_of_the_page_comes_alone_when_it_is_asked_for(cast: Cast) -> None:
    ann, sam = await cast.ann(), await cast.sam()
    part = await seen(
        sam, f"/admin/people/{ann.public_id}/notes", headers={"HX-Request": "true", "HX-Target": "section#notes"}
    )
    assert part.lstrip().startswith('<section class="office-section" id="notes"')


# Tags


async def test_tags_are_made_on_the_fly_found_in_the_list_and_the_file(cast: Cast) -> None:
    ann, olga = await cast.ann(), await cast.olga()
    await cast.bob()
    path = f"/admin/people/{ann.public_id}/tags"
    for name in ("Early  bird", "early bird", "Press"):
        assert (await olga.browser.post(path, form={"tag": name})).status_code == 303
    tag = await db.value("SELECT public_id FROM tags WHERE name = 'Early bird'")
    page = await seen(olga, f"/admin/people?tag={tag}")
    assert "Ann Archer</a>" in page
    assert "Bob Breuer</a>" not in page
    assert "Early bird, Press" in page
    file = await (await olga.browser.get(f"/admin/people?tag={tag}&format=csv")).get_data(as_text=True)
    assert "Tags" in file.splitlines()[0]
    assert '"Early bird, Press"' in file
    await olga.browser.post(f"{path}/{tag}/removal")
    await olga.browser.post(f"{path}/{tag}/removal")
    assert await acts() == ["tag.create", "people.tag", "tag.create", "people.tag", "people.export", "people.untag"]


@pytest.mark.parametrize("name", ["", " ", "a, b", "x" * 41])
async def test_a_tag_that_cannot_be_is_refused(cast: Cast, name: str) -> None:
    ann, sam = await cast.ann(), await cast.sam()
    await seen_post(sam, f"/admin/people/{ann.public_id}/tags", {"tag": name})
    await seen_post(sam, "/admin/people/tags", {"tag": name})
    assert not await count("tags")


async def tagged(olga: Person, *pairs: tuple[Person, str]) -> dict[str, str]:
    for person, name in pairs:
        await olga.browser.post(f"/admin/people/{person.public_id}/tags", form={"tag": name})
    return {row.name: row.public_id for row in await db.many(db.Row, "SELECT name, public_id FROM tags")}


async def test_a_tag_is_renamed_but_not_to_the_name_of_another(cast: Cast) -> None:
    ann, olga = await cast.ann(), await cast.olga()
    ids = await tagged(olga, (ann, "Press"), (ann, "News"))
    path = f"/admin/people/tags/{ids['Press']}"
    assert "Merge the two instead" in await seen_post(olga, path, {"tag": "news"})
    await olga.browser.post(path, form={"tag": "PRESS"})
    assert "PRESS" in await seen(olga, "/admin/people/tags")
    assert (await acts())[-1] == "tag.rename"


async def test_merged_tags_leave_each_person_once_with_the_other(cast: Cast) -> None:
    ann, bob, olga = await cast.ann(), await cast.bob(), await cast.olga()
    ids = await tagged(olga, (ann, "Press"), (ann, "News"), (bob, "News"))
    path = f"/admin/people/tags/{ids['News']}/merger"
    for into in (ids["News"], "nothing"):
        await olga.browser.post(path, form={"into": into})
    assert await count("tags") == 2
    await olga.browser.post(path, form={"into": ids["Press"]})
    rows = await db.many(db.Row, "SELECT user_id FROM user_tags ORDER BY user_id")
    assert [row.user_id for row in rows] == [ann.id, bob.id]
    assert await db.value("SELECT name FROM tags") == "Press"
    assert (await acts())[-1] == "tag.merge"


async def test_a_tag_goes_from_everybody_when_its_name_is_typed(cast: Cast) -> None:
    ann, olga = await cast.ann(), await cast.olga()
    ids = await tagged(olga, (ann, "Press"))
    path = f"/admin/people/tags/{ids['Press']}/removal"
    await seen_post(olga, path, {"confirmation": "Pres"})
    await olga.browser.post(path, form={"confirmation": "Press"})
    assert not await count("user_tags")
    assert "No tags yet" in await seen(olga, "/admin/people/tags")


async def test_two_who_make_the_same_tag_at_once_make_one(cast: Cast) -> None:
    ann, bob, rob, olga = await cast.ann(), await cast.bob(), await cast.rob(), await cast.olga()
    await asyncio.gather(
        *(who.browser.post(f"/admin/people/{whom.public_id}/tags", form={"tag": "Press"})
          for who, whom in ((rob, ann), (olga, bob), (rob, bob)))
    )  # fmt: skip
    assert (await count("tags"), await count("user_tags")) == (1, 2)
    assert sorted(await acts()) == ["people.tag", "people.tag", "tag.create"]


async def test_merged_accounts_leave_their_notes_and_tags_to_the_one_that_stays(cast: Cast) -> None:
    ann, other, olga = await cast.ann(), await cast.person("Ann Archer", "a.archer@example.org"), await cast.olga()
    await tagged(olga, (ann, "Press"), (other, "Press"), (ann, "News"))
    await olga.browser.post(f"/admin/people/{ann.public_id}/notes", form={"body": "Phoned"})
    await merging.merge(ann.public_id, other.public_id, by=await signed_in(olga))
    rows = await db.many(db.Row, "SELECT user_id FROM user_tags UNION ALL SELECT user_id FROM person_notes")
    assert [row.user_id for row in rows] == [other.id] * 3


# The list's filters


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("seen=week", {"Ann"}),
        ("seen=month", {"Ann", "Bob"}),
        ("seen=long_ago", {"Una"}),
        ("seen=never", {"Sam", "Olga"}),
        ("second_step=on", {"Bob"}),
        ("second_step=off&role=member", {"Ann", "Una"}),
        ("second_step=on&seen=week", set()),
        ("seen=never&second_step=nonsense", {"Sam", "Olga"}),
    ],
)
async def test_the_list_is_filtered_by_visits_and_second_steps(cast: Cast, query: str, shown: set[str]) -> None:
    ann, bob, una = await cast.ann(), await cast.bob(), await cast.person("Una Ulm", "una@example.org")
    await cast.sam()
    olga = await cast.olga()
    for person, days in ((ann, 2), (bob, 20), (una, 100)):
        await db.run(
            "UPDATE users SET last_seen_at = now() - make_interval(days => :n) WHERE id = :id", n=days, id=person.id
        )
    await an_app(bob)
    part = await seen(olga, f"/admin/people?{query}", headers={"HX-Request": "true", "HX-Target": "div#list"})
    names = {"Ann Archer", "Bob Breuer", "Sam Sorel", "Olga Oster", "Una Ulm"}
    assert {name.split()[0] for name in names if f">{name}</a>" in part} == shown


# Closed accounts


@pytest.mark.parametrize("closed", ["merged", "erased"])
async def test_a_closed_account_is_left_as_it_is(cast: Cast, closed: str) -> None:
    """Another address would give an account that nobody can open to somebody who has done nothing."""
    ann, olga = await cast.ann(), await cast.olga()
    if closed == "merged":
        bob = await cast.bob()
        await db.run("UPDATE users SET state = 'merged', merged_into_id = :bob WHERE id = :id", id=ann.id, bob=bob.id)
    else:
        await db.run("UPDATE users SET state = 'suspended', erased_at = now() WHERE id = :id", id=ann.id)
    await db.run("UPDATE users SET email_verified_at = NULL WHERE id = :id", id=ann.id)
    before = await db.one(db.Row, "SELECT * FROM users WHERE id = :id", id=ann.id)
    page = f"/admin/people/{ann.public_id}"
    product = await db.value("SELECT public_id FROM products WHERE id = :id", id=(await a_course()).product_id)
    for path, form in (
        ("details", {**DETAILS, "email": "new@example.org", "name": "New"}),
        ("role", {"role": "admin"}),
        ("suspension", {"reason": "why"}),
        ("suspension/removal", {}),
        ("password-change", {}),
        ("verification", {}),
        ("second-factor/removal", {"second-reason": "why"}),
        ("erasure", {"confirmation": "ann@example.org"}),
        ("notes", {"body": "Ann Archer called"}),
        ("tags", {"tag": "Press"}),
        ("access", {"product": product, "reason": "a gift", "ref": "0123456789ab"}),
    ):
        answer = await olga.browser.post(f"{page}/{path}", form=form)
        assert answer.status_code in (303, 403, 409, 422), path
    for part in ("notes", "access"):
        assert "<form" not in (await seen(olga, f"{page}/{part}")).partition('class="office-section"')[2], part
    assert await count("person_notes") == await count("user_tags") == await count("entitlements") == 0
    assert await db.one(db.Row, "SELECT * FROM users WHERE id = :id", id=ann.id) == before
    assert await count("erasures") == await count("mails") == 0
    assert not await acts()
    text = await seen(olga, page)
    for offered in ("details", "role", "suspension/removal", "erasure", "verification"):
        assert f'{page}/{offered}"' not in text, offered


async def test_a_way_back_that_was_left_open_ends_no_later_suspension(cast: Cast) -> None:
    ann, rob, olga = await cast.ann(), await cast.rob(), await cast.olga()
    path = f"/admin/people/{ann.public_id}/suspension"
    await rob.browser.post(path, form={"reason": "Late with a payment"})
    page = await seen(rob, f"/admin/people/{ann.public_id}")
    way_back = unescape(re.findall(rf'action="({path}/removal[^"]*)"', page)[0])
    await olga.browser.post(f"{path}/removal")
    await olga.browser.post(path, form={"reason": "Sold the films"})
    await rob.browser.post(way_back)
    assert (await people.find(ann.public_id)).state == "suspended"
    assert "Nothing was changed" in await seen(rob, f"/admin/people/{ann.public_id}")
    await olga.browser.post(f"{path}/removal")
    await rob.browser.post(path, form={"reason": "Late with a payment"})
    await rob.browser.post(way_back)
    assert (await people.find(ann.public_id)).state == "active"
