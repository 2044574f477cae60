import asyncio
import csv
import io
from datetime import timedelta

import pytest

from app import Lectern
from app.accounts import people, queries, users
from app.accounts.models import SignedIn, User
from app.core import clock, db, queue
from app.core.errors import Forbidden
from tests.accounts.conftest import Browser, Mailbox, body, count, text_of
from tests.accounts.test_signing_in import set_password
from tests.cast import Cast, Person


async def fresh(person: Person) -> User:
    found = await users.find(person.id)
    assert found is not None
    return found


async def signed_in(person: Person) -> SignedIn:
    """The person as a request has loaded them."""
    token_hash = await db.value("SELECT token_hash FROM sessions WHERE user_id = :id", id=person.id)
    found = await queries.session_by_token(
        token_hash,
        clock.now(),
        seen_after=clock.now() - timedelta(days=1),
        staff_seen_after=clock.now() - timedelta(days=1),
    )
    assert found is not None
    return found


async def trail() -> list[tuple[str, int | None, str]]:
    rows = await db.many(
        db.Row, "SELECT action, actor_id, subject_id FROM audit_log WHERE action LIKE 'people.%' ORDER BY id"
    )
    return [(row.action, row.actor_id, row.subject_id) for row in rows]


# The list


async def test_the_list_shows_everybody_newest_first(cast: Cast) -> None:
    with clock.shifted(timedelta(days=-3)):
        ann = await cast.ann()
    olga = await cast.olga()
    page = await Browser(olga.browser).text("/admin/people")
    assert page.index("Olga Oster") < page.index(f'<a href="/admin/people/{ann.public_id}">Ann Archer</a>')
    assert "ann@example.org" in page
    assert "Add a person" in page


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("q=ann", {"Ann"}),
        ("q=BOB%40example", {"Bob"}),
        ("q=nobody", set()),
        ("role=support", {"Sam"}),
        ("role=team", {"Sam", "Olga"}),
        ("role=member", {"Ann", "Bob", "Una"}),
        ("state=suspended", {"Bob"}),
        ("state=unverified", {"Una"}),
        ("role=member&state=active&q=archer", {"Ann"}),
        ("role=nonsense&q=%00&sort=drop+table", {"Ann", "Bob", "Sam", "Olga", "Una"}),
        ("from=2000-01-01&to=2000-01-02", set()),
    ],
)
async def test_the_list_is_searched_and_filtered_in_the_address(cast: Cast, query: str, shown: set[str]) -> None:
    await cast.ann()
    bob = await cast.bob()
    await cast.sam()
    olga = await cast.olga()
    await cast.person("Una Unverified", "una@example.org", verified=False)
    await db.run("UPDATE users SET state = 'suspended' WHERE id = :id", id=bob.id)
    answer = await olga.browser.get(f"/admin/people?{query}", headers={"HX-Request": "true", "HX-Target": "div#list"})
    part = await answer.get_data(as_text=True)
    names = {"Ann Archer", "Bob Breuer", "Sam Sorel", "Olga Oster", "Una Unverified"}
    assert {name.split()[0] for name in names if f">{name}</a>" in part} == shown


async def test_every_page_of_a_long_list_is_reached_once(cast: Cast) -> None:
    olga = await cast.olga()
    await db.run(
        """
        INSERT INTO users (public_id, email, name, created_at)
        SELECT 'p' || n, 'p' || n || '@example.org', 'Person ' || n, now() - n * interval '1 minute'
        FROM generate_series(1, 95) n
        """
    )
    path, seen = "/admin/people?sort=name", []
    while path:
        page = await Browser(olga.browser).text(path)
        seen += [part.split("</a>")[0] for part in page.split('<th scope="row"')[1:]]
        marks = page.split('rel="next"')[0].rsplit('href="', 1)
        path = marks[1].split('"')[0].replace("&amp;", "&") if 'rel="next"' in page else ""
    assert len(seen) == 96
    assert len(set(seen)) == 96


async def test_the_export_holds_what_is_shown_and_is_noted(cast: Cast) -> None:
    await cast.person("=cmd()", "ann@example.org")
    olga = await cast.olga()
    answer = await olga.browser.get("/admin/people?role=member&format=csv")
    rows = list(csv.DictReader(io.StringIO((await answer.get_data()).decode("utf-8-sig"))))
    assert [(row["Name"], row["Email"]) for row in rows] == [("'=cmd()", "ann@example.org")]
    assert (await trail())[-1][:2] == ("people.export", olga.id)


async def test_the_list_asks_the_database_little(cast: Cast) -> None:
    olga = await cast.olga()
    await olga.browser.get("/account")  # the settings are known after the first page
    with db.count_queries() as sent:
        await olga.browser.get("/admin/people")
    assert sent.total <= 5


# Who may


WHY = {"reason": "shares the password"}
READS = ("/admin/people", "/admin/people/{id}")
EDITS = (
    "/admin/people/{id}/suspension",
    "/admin/people/{id}/suspension/removal",
    "/admin/people/{id}/sessions/removal",
    "/admin/people/{id}/verification",
    "/admin/people/{id}/reset",
    "/admin/people",
)


async def test_members_and_instructors_see_nobody(cast: Cast) -> None:
    ann = await cast.ann()
    for person in (await cast.bob(), await cast.ines()):
        for path in READS:
            assert (await person.browser.get(path.format(id=ann.public_id))).status_code == 403
        for path in EDITS:
            assert (await person.browser.post(path.format(id=ann.public_id))).status_code == 403
    assert (await fresh(ann)).state == "active"


async def test_support_sees_people_and_changes_nothing(cast: Cast) -> None:
    ann, sam = await cast.ann(), await cast.sam()
    for path in READS:
        assert (await sam.browser.get(path.format(id=ann.public_id))).status_code == 200
    page = await Browser(sam.browser).text(f"/admin/people/{ann.public_id}")
    assert "Suspend" not in page
    assert "Change the role" not in page
    for path in (*EDITS, "/admin/people/{id}/role"):
        assert (await sam.browser.post(path.format(id=ann.public_id), form={"role": "owner"})).status_code == 403
    assert await trail() == []


async def test_visitors_are_asked_to_sign_in(browser: Browser, cast: Cast) -> None:
    ann = await cast.ann()
    for path in READS:
        assert (await browser.get(path.format(id=ann.public_id))).headers["Location"].startswith("/login")


async def test_somebody_who_is_not_there_is_not_found(cast: Cast) -> None:
    olga = await cast.olga()
    for path in EDITS[:-1]:
        assert (await olga.browser.post(path.format(id="nobody"))).status_code == 404
    assert (await olga.browser.get("/admin/people/nobody")).status_code == 404
    assert (await olga.browser.post("/admin/people/nobody/role", form={"role": "admin"})).status_code == 404


# Roles


async def test_an_owner_gives_a_role_which_begins_with_a_sign_in(cast: Cast) -> None:
    ann, olga = await cast.ann(), await cast.olga()
    answer = await olga.browser.post(f"/admin/people/{ann.public_id}/role", form={"role": "instructor"})
    assert answer.status_code == 303
    assert (await fresh(ann)).role == "instructor"
    assert not await Browser(ann.browser).is_signed_in()
    row = await db.one(db.Row, "SELECT actor_id, before, after FROM audit_log WHERE action = 'people.role'")
    assert row is not None
    assert (row.actor_id, row.before, row.after) == (olga.id, {"role": "member"}, {"role": "instructor"})
    await olga.browser.post(f"/admin/people/{ann.public_id}/role", form={"role": "instructor"})
    assert await count("audit_log WHERE action = 'people.role'") == 1


async def test_an_administrator_cannot_change_roles(cast: Cast) -> None:
    ann, rob = await cast.ann(), await cast.rob()
    assert (await rob.browser.post(f"/admin/people/{ann.public_id}/role", form={"role": "admin"})).status_code == 403
    assert (await fresh(ann)).role == "member"


async def test_nobody_changes_their_own_role(cast: Cast) -> None:
    olga = await cast.olga()
    assert (await olga.browser.post(f"/admin/people/{olga.public_id}/role", form={"role": "member"})).status_code == 403
    assert (await fresh(olga)).role == "owner"


async def test_changing_a_role_needs_a_fresh_sign_in(cast: Cast) -> None:
    ann, olga = await cast.ann(), await cast.olga()
    await cast.sign_in(olga, fresh=False)
    answer = await olga.browser.post(
        f"/admin/people/{ann.public_id}/role",
        form={"role": "admin"},
        headers={"Referer": f"http://localhost/admin/people/{ann.public_id}"},
    )
    assert answer.status_code == 303
    assert "fresh=1" in answer.headers["Location"]
    assert f"next=/admin/people/{ann.public_id}" in answer.headers["Location"]
    assert (await fresh(ann)).role == "member"


@pytest.mark.parametrize("role", ["", "king", "owner\x00", "OWNER"])
async def test_a_role_that_is_none_is_refused(cast: Cast, role: str) -> None:
    ann, olga = await cast.ann(), await cast.olga()
    assert (await olga.browser.post(f"/admin/people/{ann.public_id}/role", form={"role": role})).status_code == 422
    assert (await fresh(ann)).role == "member"


async def test_two_owners_who_depose_each_other_leave_one(cast: Cast) -> None:
    olga = await signed_in(await cast.olga())
    otto = await signed_in(await cast.person("Otto Ost", "otto@meridian.example", role="owner"))

    async def depose(whom: SignedIn, by: SignedIn) -> str:
        async with db.hold():
            try:
                await people.change_role(whom.public_id, "member", by=by)
            except Forbidden:
                return "refused"
            return "done"

    for _ in range(5):
        await db.run("UPDATE users SET role = 'owner'")
        assert sorted(await asyncio.gather(depose(otto, olga), depose(olga, otto))) == ["done", "refused"]
        assert await count("users WHERE role = 'owner'") == 1


# Suspending and signing out


async def test_a_suspended_person_is_out_at_once_and_can_be_let_in_again(cast: Cast, browser: Browser) -> None:
    ann, rob = await cast.ann(), await cast.rob()
    await set_password(ann.id)
    await rob.browser.post(f"/admin/people/{ann.public_id}/suspension", form=WHY)
    assert (await fresh(ann)).state == "suspended"
    assert not await Browser(ann.browser).is_signed_in()
    assert (await browser.sign_in("ann@example.org")).status_code == 422
    page = await Browser(rob.browser).text(f"/admin/people/{ann.public_id}")
    assert "Suspended and signed out" in page
    assert "Undo" in page
    await rob.browser.post(f"/admin/people/{ann.public_id}/suspension/removal")
    assert (await browser.sign_in("ann@example.org")).status_code == 303
    assert await trail() == [
        ("people.suspend", rob.id, ann.public_id),
        ("people.unsuspend", rob.id, ann.public_id),
    ]


async def test_suspending_twice_at_once_is_noted_once(cast: Cast) -> None:
    ann, rob, olga = await cast.ann(), await cast.rob(), await cast.olga()
    await asyncio.gather(
        *(who.browser.post(f"/admin/people/{ann.public_id}/suspension", form=WHY) for who in (rob, olga, rob))
    )
    assert [action for action, _, _ in await trail()] == ["people.suspend"]


async def test_nobody_acts_on_who_can_do_more_or_on_themselves(cast: Cast) -> None:
    rob, olga = await cast.rob(), await cast.olga()
    for path in EDITS[:3]:
        assert (await rob.browser.post(path.format(id=olga.public_id))).status_code == 403
        assert (await rob.browser.post(path.format(id=rob.public_id))).status_code == 403
    assert (await fresh(olga)).state == (await fresh(rob)).state == "active"
    assert await Browser(olga.browser).is_signed_in()
    page = await Browser(rob.browser).text(f"/admin/people/{olga.public_id}")
    assert "/suspension" not in page


async def test_a_person_is_signed_out_everywhere(cast: Cast) -> None:
    ann, bob, rob = await cast.ann(), await cast.bob(), await cast.rob()
    await rob.browser.post(f"/admin/people/{ann.public_id}/sessions/removal")
    assert not await Browser(ann.browser).is_signed_in()
    assert await Browser(bob.browser).is_signed_in()
    assert "Signed out of 1 device" in await Browser(rob.browser).text(f"/admin/people/{ann.public_id}")
    assert await trail() == [("people.sign_out", rob.id, ann.public_id)]


# Links and new people


async def test_the_office_sends_links(cast: Cast, mailbox: Mailbox) -> None:
    una, rob = await cast.person("Una", "una@example.org", verified=False), await cast.rob()
    await rob.browser.post(f"/admin/people/{una.public_id}/verification")
    assert "/verify/" in text_of(await mailbox.last("una@example.org"))
    await rob.browser.post(f"/admin/people/{una.public_id}/reset")
    assert "/password/reset/" in text_of(await mailbox.last("una@example.org"))
    assert [action for action, _, _ in await trail()] == ["people.verification_mail", "people.invite"]


async def test_no_link_is_sent_that_would_not_help(cast: Cast, mailbox: Mailbox) -> None:
    ann, rob = await cast.ann(), await cast.rob()
    await rob.browser.post(f"/admin/people/{ann.public_id}/verification")
    assert "confirmed already" in await Browser(rob.browser).text("/admin/people")
    await rob.browser.post(f"/admin/people/{ann.public_id}/suspension", form=WHY)
    await rob.browser.post(f"/admin/people/{ann.public_id}/reset")
    assert await mailbox.all() == []


async def test_a_person_is_added_by_hand_once(cast: Cast, mailbox: Mailbox) -> None:
    rob = await cast.rob()
    assert (await rob.browser.get("/admin/people/new")).status_code == 200
    first = await rob.browser.post("/admin/people", form={"name": "Ann Archer", "email": "ann@example.org"})
    again = await rob.browser.post("/admin/people", form={"name": "Ann", "email": "ANN@example.org"})
    assert first.status_code == again.status_code == 303
    assert first.headers["Location"] == again.headers["Location"]
    assert [mail["Subject"] for mail in await mailbox.all("ann@example.org")] == ["Welcome to Meridian"]
    assert [action for action, _, _ in await trail()] == ["people.add"]


@pytest.mark.parametrize(("name", "email"), [("", "a@example.org"), ("Ann", "nowhere"), ("A\x00", "a@example.org")])
async def test_a_person_who_cannot_be_is_refused(cast: Cast, name: str, email: str) -> None:
    rob = await cast.rob()
    answer = await rob.browser.post("/admin/people", form={"name": name, "email": email})
    assert answer.status_code == 422
    assert await count("users") == 1


# The page


async def test_the_page_holds_the_parts_of_the_domains_that_are_there(cast: Cast) -> None:
    ann, olga = await cast.ann(), await cast.olga()
    path = f"/admin/people/{ann.public_id}"
    page = await Browser(olga.browser).text(path)
    for name in ("access", "orders", "learning"):
        there = (await olga.browser.get(f"{path}/{name}")).status_code == 200
        assert (f'hx-get="{path}/{name}"' in page) is there
        assert (f'<a href="{path}/{name}"' in page) is there


async def test_the_page_of_a_person_asks_the_database_little(cast: Cast) -> None:
    ann, olga = await cast.ann(), await cast.olga()
    await olga.browser.get("/account")  # the settings are known after the first page
    with db.count_queries() as sent:
        answer = await olga.browser.get(f"/admin/people/{ann.public_id}")
    assert "Ann Archer" in await body(answer)  # type: ignore[arg-type]
    assert sent.total <= 5


async def test_who_belongs_to_the_team_is_told_of_the_back_office(app: Lectern, mailbox: Mailbox) -> None:
    await people.make_owner("olga@meridian.example")
    await people.add("ann@example.org", "Ann")
    owner, member = [text_of(await mailbox.last(to)) for to in ("olga@meridian.example", "ann@example.org")]
    assert "/admin" in owner and "another address before" not in owner
    assert "/admin" not in member and "another address before" in member


async def test_the_command_line_makes_the_first_owner_and_mails_the_link(app: Lectern) -> None:
    await people.make_owner("olga@meridian.example")
    await people.make_owner("olga@meridian.example")
    await queue.drain()
    assert await db.value("SELECT role FROM users WHERE email = 'olga@meridian.example'") == "owner"
    templates = {row.template for row in await db.many(db.Row, "SELECT template FROM mails")}
    assert templates == {"accounts/welcome", "accounts/password_reset"}
