import re
from datetime import timedelta
from typing import Any

import pytest

from app import Lectern
from app.access import entitlements
from app.core import clock, db, queue
from app.core.ids import public_id
from app.core.settings import save_school
from app.web.forms import submitted
from tests.cast import Cast, Person
from tests.school import MadeCourse, a_course

PANEL = {"HX-Request": "true", "HX-Target": "section#access"}


async def product_of(course: MadeCourse) -> str:
    return str(await db.value("SELECT public_id FROM products WHERE id = :id", id=course.product_id))


async def grant_form(course: MadeCourse, **changes: str) -> dict[str, str]:
    return {
        "ref": public_id(),
        "product": await product_of(course),
        "reason": "won the contest",
        "until": "",
        **changes,
    }


async def text(person: Person, path: str, headers: dict[str, str] | None = None) -> str:
    return str(await (await person.browser.get(path, headers=headers)).get_data(as_text=True))


async def test_somebody_of_the_team_grants_access_with_a_reason(app: Lectern, cast: Cast) -> None:
    course = await a_course()
    ann, rob = await cast.ann(), await cast.rob()
    path = f"/admin/people/{ann.public_id}/access"
    assert (await rob.browser.post(path, form=await grant_form(course))).status_code == 303
    assert await entitlements.allows(ann.id, course.id)
    page = await text(rob, path)
    assert "Granted by Rob Rask: won the contest" in page
    row = await db.one(db.Row, "SELECT actor_id, subject_id, after FROM audit_log WHERE action = 'access.grant'")
    assert row is not None
    assert (row.actor_id, row.subject_id, row.after["reason"]) == (rob.id, ann.public_id, "won the contest")
    await queue.drain()
    assert await db.value("SELECT count(*) FROM enrolments WHERE user_id = :id", id=ann.id) == 1


async def test_nothing_is_granted_to_an_account_that_is_closed_while_the_form_comes_in(
    app: Lectern, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    course = await a_course()
    ann, rob = await cast.ann(), await cast.rob()

    async def meanwhile(*arguments: Any) -> Any:
        await db.run("UPDATE users SET state = 'merged', merged_into_id = :rob WHERE id = :ann", ann=ann.id, rob=rob.id)
        return await submitted(*arguments)

    monkeypatch.setattr("app.access.admin.submitted", meanwhile)
    answer = await rob.browser.post(f"/admin/people/{ann.public_id}/access", form=await grant_form(course))
    assert answer.status_code == 409
    assert await db.value("SELECT count(*) FROM entitlements") == 0


async def test_a_form_that_is_sent_twice_grants_once(app: Lectern, cast: Cast) -> None:
    course = await a_course()
    ann, rob = await cast.ann(), await cast.rob()
    form = await grant_form(course)
    path = f"/admin/people/{ann.public_id}/access"
    statuses = [(await rob.browser.post(path, form=form)).status_code for _ in range(2)]
    assert statuses == [303, 409]
    assert await db.value("SELECT count(*) FROM entitlements") == 1
    assert await db.value("SELECT count(*) FROM audit_log WHERE action = 'access.grant'") == 1


async def test_access_until_a_day_holds_to_the_end_of_that_day(app: Lectern, cast: Cast) -> None:
    course = await a_course()
    ann, rob = await cast.ann(), await cast.rob()
    day = (clock.now() + timedelta(days=3)).date()
    await rob.browser.post(
        f"/admin/people/{ann.public_id}/access", form=await grant_form(course, until=day.isoformat())
    )
    [cause] = await entitlements.causes_of(ann.id)
    assert cause.ends_at is not None
    assert cause.ends_at.date() == day + timedelta(days=1)
    assert "Open until" in await text(rob, f"/admin/people/{ann.public_id}/access")


@pytest.mark.parametrize(
    ("zone", "hour", "days", "granted"),
    [("Etc/GMT+12", 11, -1, 1), ("Etc/GMT-14", 12, 0, 0)],  # twelve hours behind UTC, and fourteen ahead of it
)
async def test_whether_a_day_is_over_is_told_by_the_schools_clock(
    app: Lectern, cast: Cast, zone: str, hour: int, days: int, granted: int
) -> None:
    await save_school(time_zone=zone)
    moment = clock.now().replace(hour=hour)
    until = (moment + timedelta(days=days)).date().isoformat()
    with clock.shifted(moment - clock.now()):
        course, ann, rob = await a_course(), await cast.ann(), await cast.rob()
        await rob.browser.post(f"/admin/people/{ann.public_id}/access", form=await grant_form(course, until=until))
    assert await db.value("SELECT count(*) FROM entitlements") == granted


@pytest.mark.parametrize(
    "changes",
    [
        {"reason": ""},
        {"reason": "x" * 201},
        {"until": "2001-01-01"},
        {"until": "soon"},
        {"until": "9999-12-31"},
        {"product": "nothing"},
        {"ref": ""},
        {"ref": "a:b"},
    ],
)
async def test_wrong_input_grants_nothing(app: Lectern, cast: Cast, changes: dict[str, str]) -> None:
    course = await a_course()
    ann, rob = await cast.ann(), await cast.rob()
    answer = await rob.browser.post(f"/admin/people/{ann.public_id}/access", form=await grant_form(course, **changes))
    assert answer.status_code == 422
    assert await db.value("SELECT count(*) FROM entitlements") == 0


async def test_closing_needs_a_reason_that_the_person_reads(app: Lectern, cast: Cast) -> None:
    course = await a_course()
    ann, rob = await cast.ann(), await cast.rob()
    path = f"/admin/people/{ann.public_id}/access"
    await rob.browser.post(path, form=await grant_form(course))
    closure = re.search(r'action="([^"]+/closure)"', await text(rob, path))
    assert closure is not None
    entitlement = closure.group(1).split("/")[-2]
    answer = await rob.browser.post(closure.group(1), form={f"{entitlement}-reason": ""})
    assert answer.status_code == 422
    assert "Write down why." in await answer.get_data(as_text=True)
    assert await entitlements.allows(ann.id, course.id)
    form = {f"{entitlement}-reason": "shared the password"}
    assert (await rob.browser.post(closure.group(1), form=form)).status_code == 303
    assert not await entitlements.allows(ann.id, course.id)
    assert (await rob.browser.post(closure.group(1), form=form)).status_code == 409
    assert "shared the password" in await text(ann, "/learn/reading-price/access")
    assert await db.value("SELECT count(*) FROM audit_log WHERE action = 'access.close'") == 1


async def test_only_those_who_edit_people_grant_and_close(app: Lectern, cast: Cast) -> None:
    course = await a_course()
    ann, sam, ines = await cast.ann(), await cast.sam(), await cast.ines()
    path = f"/admin/people/{ann.public_id}/access"
    for person in (ann, sam, ines):
        assert (await person.browser.post(path, form=await grant_form(course))).status_code == 403
    assert (await sam.browser.get(path)).status_code == 200
    assert (await ines.browser.get(path)).status_code == 403
    assert "Grant access by hand" not in await text(sam, path)


async def test_the_entitlement_of_another_person_is_not_closed(app: Lectern, cast: Cast) -> None:
    course = await a_course()
    ann, bob, rob = await cast.ann(), await cast.bob(), await cast.rob()
    await rob.browser.post(f"/admin/people/{ann.public_id}/access", form=await grant_form(course))
    [cause] = await entitlements.causes_of(ann.id)
    answer = await rob.browser.post(
        f"/admin/people/{bob.public_id}/access/{cause.public_id}/closure", form={f"{cause.public_id}-reason": "x"}
    )
    assert answer.status_code == 404
    assert await entitlements.allows(ann.id, course.id)


async def test_the_panel_is_a_block_of_the_persons_page(app: Lectern, cast: Cast) -> None:
    await a_course()
    ann, rob = await cast.ann(), await cast.rob()
    panel = await text(rob, f"/admin/people/{ann.public_id}/access", PANEL)
    assert panel.lstrip().startswith('<section class="office-section" id="access"')
    assert "<html" not in panel
    assert "Nothing yet" in panel
    assert (await rob.browser.get("/admin/people/nobody/access")).status_code == 404
