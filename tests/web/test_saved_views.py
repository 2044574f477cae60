"""Saved views: an address under a name, one's own or the team's, on every list of the office."""

import asyncio
import re
from contextvars import Context
from typing import Any
from unittest.mock import patch

import pytest

from app.core import db, tokens
from app.core.errors import Invalid, NotFound
from app.web.tables import views
from app.web.tables.views import View
from tests.accounts.test_people import signed_in
from tests.cast import Cast, Person
from tests.office import seen

OFFER = re.compile(r'name="offer" value="([^"]+)"')


async def offer_of(person: Person, path: str) -> str:
    found = OFFER.search(await seen(person, path))
    assert found, "the list does not offer to save what it shows"
    return found[1]


async def save(person: Person, path: str, name: str, **fields: str) -> str:
    """Save what the list shows at this address; where that leads."""
    answer = await person.browser.post(
        "/admin/views", form={"offer": await offer_of(person, path), "name": name, **fields}
    )
    assert answer.status_code == 303
    return str(answer.headers["Location"])


async def view_id(name: str) -> str:
    return str(await db.value("SELECT public_id FROM saved_views WHERE name = :name", name=name))


def tabs(page: str) -> dict[str, bool]:
    """The names above the list, and which is open."""
    part = page.split('aria-label="Saved views"')[1].split("</nav>")[0]
    found = re.findall(r'<a href="[^"]*"( aria-current="page")?>([^<]+?)\s*(?:<svg.*?)?</a>', part)
    return {name: bool(current) for current, name in found}


async def test_a_view_is_saved_and_opens_as_it_was(cast: Cast) -> None:
    olga = await cast.olga()
    assert 'aria-label="Saved views"' not in await seen(olga, "/admin/people")
    url = await save(olga, "/admin/people?state=suspended&role=&q=&sort=name", "Kept out")
    assert url == "/admin/people?sort=name&state=suspended"
    assert tabs(await seen(olga, url)) == {"All": False, "Kept out": True}
    assert tabs(await seen(olga, "/admin/people?state=suspended&sort=name&q=")) == {"All": False, "Kept out": True}
    assert tabs(await seen(olga, "/admin/people")) == {"All": True, "Kept out": False}
    assert not OFFER.search(await seen(olga, url))


@pytest.mark.parametrize(
    "path",
    ["/admin/orders?state=paid", "/admin/audit?as=1", "/admin/mails?state=failed", "/admin/jobs/log?state=failed"],
)
async def test_every_list_has_views_of_its_own(cast: Cast, path: str) -> None:
    olga = await cast.olga()
    await save(olga, path, "Mine")
    assert tabs(await seen(olga, path))["Mine"]
    assert "Mine" not in await seen(olga, "/admin/people")


async def test_a_view_is_ones_own_until_it_is_shared(cast: Cast) -> None:
    olga, sam, rob = await cast.olga(), await cast.sam(), await cast.rob()
    await save(sam, "/admin/people?role=member", "Members")
    assert "Members</a>" not in await seen(olga, "/admin/people")
    path = f"/admin/views/{await view_id('Members')}"
    assert (await olga.browser.post(path, form={"name": "Hers"})).status_code == 404
    assert (await olga.browser.post(f"{path}/removal")).status_code == 404
    await sam.browser.post(path, form={"name": "Members", "is_shared": "y"})
    assert "Members" in tabs(await seen(olga, "/admin/people"))
    ines = await cast.ines()
    assert (await ines.browser.post(f"{path}/removal")).status_code == 403
    await rob.browser.post(path, form={"name": "Students", "is_shared": "y"})
    assert "Students" in tabs(await seen(sam, "/admin/people"))
    actions = [
        row.action
        for row in await db.many(db.Row, "SELECT action FROM audit_log WHERE action LIKE 'view.%' ORDER BY id")
    ]
    assert actions == ["view.save", "view.change", "view.change"]


async def test_somebody_else_may_open_a_list_with_a_shared_view_and_not_rename_it(cast: Cast) -> None:
    olga, sam = await cast.olga(), await cast.sam()
    await save(olga, "/admin/people?role=team", "Team", is_shared="y")
    page = await seen(sam, "/admin/people?role=team")
    assert "Remove the view" not in page
    answer = await sam.browser.post(f"/admin/views/{await view_id('Team')}", form={"name": "Ours", "is_default": "y"})
    assert answer.status_code == 303
    assert await db.value("SELECT name FROM saved_views") == "Team"
    assert (await sam.browser.get("/admin/people")).headers["Location"] == "/admin/people?role=team"
    assert (await olga.browser.get("/admin/people")).status_code == 200


async def test_a_list_opens_with_the_chosen_view_and_all_of_it_is_one_click_away(cast: Cast) -> None:
    olga = await cast.olga()
    await cast.ann()
    await save(olga, "/admin/people?role=team", "Team", is_default="y")
    answer = await olga.browser.get("/admin/people")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/admin/people?role=team")
    page = await seen(olga, "/admin/people?role=team")
    assert 'href="/admin/people?view=all"' in page
    assert "Ann Archer" not in page
    everything = await seen(olga, "/admin/people?view=all")
    assert "Ann Archer" in everything
    assert tabs(everything) == {"All": True, "Team": False}
    part = await seen(olga, "/admin/people", headers={"HX-Request": "true", "HX-Target": "div#list"})
    assert "Ann Archer" in part
    await olga.browser.post(f"/admin/views/{await view_id('Team')}", form={"name": "Team"})
    assert "Ann Archer" in await seen(olga, "/admin/people")


async def test_the_tabs_come_along_with_a_list_that_is_swapped(cast: Cast) -> None:
    olga = await cast.olga()
    await save(olga, "/admin/people?role=team", "Team")
    part = await seen(olga, "/admin/people?role=team", headers={"HX-Request": "true", "HX-Target": "div#list"})
    assert part.count('<hx-partial hx-target="#list-views"') == 1
    assert tabs(part)["Team"]
    assert "<hx-partial" not in await seen(olga, "/admin/people?role=team")


async def test_saving_under_a_name_again_replaces_what_it_shows(cast: Cast) -> None:
    olga = await cast.olga()
    await save(olga, "/admin/people?role=team", "Mine")
    await save(olga, "/admin/people?role=member", "mine")
    assert [row.query for row in await db.many(db.Row, "SELECT query FROM saved_views")] == ["role=member"]


async def test_two_views_of_one_name_cannot_come_about_by_renaming(cast: Cast) -> None:
    olga = await cast.olga()
    await save(olga, "/admin/people?role=team", "One")
    await save(olga, "/admin/people?role=member", "Two")
    await olga.browser.post(f"/admin/views/{await view_id('Two')}", form={"name": "ONE"})
    assert "There is a view of this name already" in await seen(olga, "/admin/people")


@pytest.mark.parametrize("name", ["", "   ", "x" * 61])
async def test_a_view_needs_a_name_that_fits(cast: Cast, name: str) -> None:
    olga = await cast.olga()
    form = {"offer": await offer_of(olga, "/admin/people?role=team"), "name": name}
    await olga.browser.post("/admin/views", form=form)
    assert "at most 60 characters" in await seen(olga, "/admin/people")
    assert not await db.value("SELECT count(*) FROM saved_views")


async def test_what_was_not_shown_to_this_person_is_not_saved(cast: Cast) -> None:
    olga, sam = await cast.olga(), await cast.sam()
    hers = await offer_of(olga, "/admin/people?role=team")
    forged = tokens.sign(["people", "//evil.example", "q=1", sam.id], "another-purpose")
    for offer in (hers, forged, "", hers + "x"):
        await sam.browser.post("/admin/views", form={"offer": offer, "name": "Mine"})
    assert not await db.value("SELECT count(*) FROM saved_views")


async def test_a_removed_view_comes_back_by_undo_for_who_removed_it(cast: Cast) -> None:
    olga, sam = await cast.olga(), await cast.sam()
    await save(olga, "/admin/people?role=team", "Team", is_default="y", is_shared="y")
    answer = await olga.browser.post(f"/admin/views/{await view_id('Team')}/removal")
    assert answer.headers["Location"] == "/admin/people?view=all"
    page = await seen(olga, "/admin/people?view=all")
    undo = page.split('action="/admin/views/restorations/')[1].split('"')[0]
    assert (await sam.browser.post(f"/admin/views/restorations/{undo}")).status_code == 404
    assert (await olga.browser.post(f"/admin/views/restorations/{undo}")).status_code == 303
    assert (await olga.browser.get("/admin/people")).headers["Location"] == "/admin/people?role=team"


async def test_a_view_that_is_the_filterless_list_in_another_order_can_be_saved(cast: Cast) -> None:
    olga = await cast.olga()
    assert await save(olga, "/admin/people?sort=name", "By name") == "/admin/people?sort=name"


async def test_a_page_of_yesterday_saves_and_brings_back_nothing(cast: Cast) -> None:
    olga = await cast.olga()
    by = await signed_in(olga)
    await save(olga, "/admin/people?role=member", "Members")
    with patch("itsdangerous.timed.time.time", return_value=1_700_000_000):
        offer = await offer_of(olga, "/admin/people?role=team")
        _path, removed = await views.delete(await view_id("Members"), by=by)
    with pytest.raises(Invalid, match="too old"):
        await views.save(offer, name="Team", is_shared=False, is_default=False, by=by)
    with pytest.raises(NotFound):
        await views.restore(removed, by=by)
    assert not await db.value("SELECT count(*) FROM saved_views")


async def test_whoever_opens_a_list_with_it_no_more_leaves_that_to_the_others(cast: Cast) -> None:
    olga, sam = await cast.olga(), await cast.sam()
    await save(olga, "/admin/people?role=team", "Team", is_shared="y", is_default="y")
    path = f"/admin/views/{await view_id('Team')}"
    await sam.browser.post(path, form={"name": "Team", "is_default": "y"})
    await sam.browser.post(path, form={"name": "Team"})
    assert (await sam.browser.get("/admin/people")).status_code == 200
    assert (await olga.browser.get("/admin/people")).headers["Location"] == "/admin/people?role=team"


async def test_a_view_of_one_form_is_not_the_open_one_of_another(cast: Cast) -> None:
    olga = await signed_in(await cast.olga())
    mine = View(1, "v", "form-entries", "/admin/forms/one/entries", "starred=1", "Mine", olga.id, False, False)
    open_one = views.drawn([mine], olga, "form-entries", "/admin/forms/one/entries", "starred=1")
    assert open_one.current == mine
    other = views.drawn([mine], olga, "form-entries", "/admin/forms/two/entries", "starred=1")
    assert other.current is None
    assert other.offer, "it can be saved there too"


async def test_with_a_hundred_views_one_replaces_one_but_makes_no_more(cast: Cast) -> None:
    olga = await cast.olga()
    await db.run(
        """
        INSERT INTO saved_views (public_id, list, path, query, name, owner_id, is_shared, created_at)
        SELECT 'v' || n, 'people', '/admin/people', 'q=' || n, 'View ' || n, :me, false, now()
        FROM generate_series(1, CAST(:most AS int)) n
        """,
        me=olga.id,
        most=views.MOST,
    )
    await save(olga, "/admin/people?role=team", "Team")
    assert "You have a hundred views of this list" in await seen(olga, "/admin/people")
    assert await db.value("SELECT count(*) FROM saved_views") == views.MOST
    await save(olga, "/admin/people?role=team", "view 7")
    assert await db.value("SELECT query FROM saved_views WHERE name = 'view 7'") == "role=team"


async def test_what_comes_back_takes_no_other_views_place(cast: Cast) -> None:
    olga = await cast.olga()
    await save(olga, "/admin/people?role=team", "Mine")
    await olga.browser.post(f"/admin/views/{await view_id('Mine')}/removal")
    page = await seen(olga, "/admin/people?view=all")
    undo = "/admin/views/restorations/" + page.split('action="/admin/views/restorations/')[1].split('"')[0]
    await save(olga, "/admin/people?role=member", "mine")
    assert (await olga.browser.post(undo)).status_code == 303
    assert "There is a view of this name already" in await seen(olga, "/admin/people")
    assert await db.value("SELECT query FROM saved_views") == "role=member"
    await olga.browser.post(f"/admin/views/{await view_id('mine')}/removal")
    for _twice in range(2):
        assert (await olga.browser.post(undo)).headers["Location"] == "/admin/people?role=team"
    assert await db.value("SELECT count(*) FROM saved_views") == 1


async def test_two_views_that_are_given_one_name_at_once_are_told_apart(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    olga = await cast.olga()
    for name, state in (("One", "suspended"), ("Two", "active")):
        await save(olga, f"/admin/people?state={state}", name)
    one, two = f"/admin/views/{await view_id('One')}", f"/admin/views/{await view_id('Two')}"
    run = db.run

    async def overtaken(sql: str, **binds: Any) -> int:
        if sql.startswith("UPDATE saved_views SET name"):
            monkeypatch.setattr(db, "run", run)
            renaming = olga.browser.post(two, form={"name": "team"})
            assert (await asyncio.create_task(renaming, context=Context())).status_code == 303
        return await run(sql, **binds)

    monkeypatch.setattr(db, "run", overtaken)
    assert (await olga.browser.post(one, form={"name": "Team"})).status_code == 303
    page = await seen(olga, "/admin/people")
    assert "There is a view of this name already" in page
    assert {"One", "team"} <= tabs(page).keys()
