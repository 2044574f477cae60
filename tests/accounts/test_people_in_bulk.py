"""Acts on many people: chosen, looked at, carried out by a job with another look at the rights, and taken back."""

import asyncio
import csv
import io
import itertools
import re
from contextvars import Context
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from app.accounts import hashing, tags
from app.core import clock, db, queue
from app.web.tables import bulk
from tests.accounts.conftest import Browser, Mailbox, count
from tests.cast import PASSWORD, Cast, Person
from tests.meeting import until_it_waits
from tests.office import seen


async def crowd(number: int) -> list[str]:
    """So many members more; their public ids."""
    rows = await db.many(
        db.Row,
        """
        INSERT INTO users (public_id, email, name, created_at)
        SELECT 'p' || n, 'p' || n || '@example.org', 'Person ' || n, now() - n * interval '1 minute'
        FROM generate_series(1, CAST(:number AS int)) n RETURNING public_id
        """,
        number=number,
    )
    return [row.public_id for row in rows]


async def choose(by: Person, act: str, picked: list[str] | None = None, query: str = "", status: int = 303) -> str:
    """Choose people (all that the query finds, without `picked`) for an act; the page of what it would do."""
    form = {"act": act, "path": "/admin/people", "scope": "all" if picked is None else "picked", "pick": picked or []}
    answer = await by.browser.post(
        f"/admin/bulk/lists/people?{query}",
        data=urlencode(form, doseq=True),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert answer.status_code == status, await answer.get_data(as_text=True)
    return str(answer.headers.get("Location", ""))


async def carry_out(by: Person, page: str, **form: str) -> str:
    """Begin what was looked at, let the job run; the page of what came of it."""
    answer = await by.browser.post(f"{page.partition('?')[0]}/beginning", form=form)
    assert answer.status_code == 303, await answer.get_data(as_text=True)
    await queue.drain()
    return await seen(by, page.partition("?")[0])


async def take_back(by: Person, page: str) -> str:
    answer = await by.browser.post(f"{page}/undoing")
    assert answer.status_code == 303, await answer.get_data(as_text=True)
    await queue.drain()
    return await seen(by, answer.headers["Location"])


def shares(page: str) -> dict[str, int]:
    """The rows of the table: what, and of how many."""
    found = re.findall(r'<th scope="row">([^<]+)<small.*?<td class="table__num">([\d,]+)</td>', page, re.DOTALL)
    return {what.strip(): int(number.replace(",", "")) for what, number in found}


async def states() -> str:
    return str(await db.value("SELECT string_agg(state, ' ' ORDER BY id) FROM users"))


# What is looked at is what is done


async def test_a_closed_account_gets_no_tag(cast: Cast) -> None:
    ann, bob, rob = await cast.ann(), await cast.bob(), await cast.rob()
    page = await choose(rob, "tag", [ann.public_id, bob.public_id])
    await db.run("UPDATE users SET state = 'suspended', erased_at = now() WHERE id = :id", id=ann.id)
    assert "is a closed account" in await seen(rob, f"{page}?tag=Press")
    await carry_out(rob, page, tag="Press")
    assert await db.value("SELECT array_agg(user_id) FROM user_tags") == [bob.id]


@pytest.mark.parametrize(("path", "said"), [("/admin/people?q=x", "People"), ("/admin/orders", "Orders"), ("/", None)])
async def test_the_menu_says_where_one_came_from(cast: Cast, path: str, said: str | None) -> None:
    ann, olga = await cast.ann(), await cast.olga()
    answer = await olga.browser.post(
        "/admin/bulk/lists/people", form={"act": "suspend", "path": path.partition("?")[0], "pick": ann.public_id}
    )
    page = await seen(olga, answer.headers["Location"])
    nav = page.partition('class="office__nav"')[2].partition("</nav>")[0]
    current = re.findall(r'aria-current="page">(?:<svg.*?</svg>)?\s*([^<]+?)\s*<', nav, re.DOTALL)
    assert current == ([said] if said else [])


async def test_the_dry_run_says_what_would_happen_to_how_many_and_changes_nothing(cast: Cast) -> None:
    await cast.ann()
    bob, rob = await cast.bob(), await cast.rob()
    await cast.olga()
    await db.run("UPDATE users SET state = 'suspended' WHERE id = :id", id=bob.id)
    page = await seen(rob, await choose(rob, "suspend"))
    assert shares(page) == {
        "Suspend 1 person": 1,
        "is suspended already": 1,
        "is yourself": 1,
        "may do more than you": 1,
    }
    assert "4 chosen" in page
    assert "Ann Archer" in page
    assert await states() == "active suspended active active"
    assert not await count("audit_log WHERE action LIKE 'people.%'")


async def test_what_was_chosen_is_done_by_a_job_and_noted_for_each(cast: Cast) -> None:
    ann, bob, rob = await cast.ann(), await cast.bob(), await cast.rob()
    page = await choose(rob, "suspend", [ann.public_id, bob.public_id])
    assert (await rob.browser.post(f"{page}/beginning", form={"reason": ""})).status_code == 422
    assert await states() == "active active active"
    done = await carry_out(rob, page, reason="shared their passwords")
    assert "Done: 2 changed." in done
    assert await states() == "suspended suspended active"
    assert not await Browser(ann.browser).is_signed_in()
    rows = await db.many(
        db.Row,
        "SELECT actor_id, subject_id, summary, address FROM audit_log WHERE action = 'people.suspend' ORDER BY id",
    )
    assert [(row.actor_id, row.subject_id, row.summary) for row in rows] == [
        (rob.id, ann.public_id, "shared their passwords"),
        (rob.id, bob.public_id, "shared their passwords"),
    ]
    assert all(row.address for row in rows)
    assert await count("audit_log WHERE action = 'list.bulk'") == 1


async def test_all_that_match_are_all_on_every_page_and_nobody_who_came_later(cast: Cast) -> None:
    olga = await cast.olga()
    await crowd(250)
    page = await choose(olga, "tag", query="role=member&q=person")
    await db.run(
        "INSERT INTO users (public_id, email, name, created_at) VALUES ('late', 'l@example.org', 'Person Late', now())"
    )
    assert shares(await seen(olga, f"{page}?tag=Autumn")) == {"Tag 250 people “Autumn”": 250}
    assert not await count("tags")
    assert "Done: 250 changed." in await carry_out(olga, page, tag="Autumn")
    assert await count("user_tags") == 250
    assert "250" in await seen(olga, "/admin/people/tags")


async def test_picked_rows_are_those_and_no_others(cast: Cast) -> None:
    olga, picked = await cast.olga(), (await crowd(9))[2:5]
    page = await choose(olga, "tag", [*picked, "nobody", picked[0]])
    await carry_out(olga, page, tag="Press")
    rows = await db.many(db.Row, "SELECT u.public_id FROM user_tags t JOIN users u ON u.id = t.user_id ORDER BY u.id")
    assert [row.public_id for row in rows] == picked


async def test_nothing_chosen_says_so(cast: Cast) -> None:
    olga = await cast.olga()
    assert await choose(olga, "tag", []) == "/admin/people"
    assert "Tick the rows" in await seen(olga, "/admin/people")
    assert await choose(olga, "tag", query="q=zzz") == "/admin/people?q=zzz"
    assert await choose(olga, "fly") == "/admin/people"
    assert not await count("bulk_runs")


# Rights


async def test_only_acts_that_one_may_do_are_offered_and_taken(cast: Cast) -> None:
    ann, sam = await cast.ann(), await cast.sam()
    page = await seen(sam, "/admin/people")
    acts = re.findall(r'<option value="([\w-]+)">', page.split('id="list-act"')[1].split("</select>")[0])
    assert acts == ["tag", "untag"]
    for act in ("suspend", "role", "sign-out", "password", "link"):
        await choose(sam, act, [ann.public_id], status=403)
    for person in (await cast.ines(), await cast.bob()):
        await choose(person, "tag", [ann.public_id], status=403)
    assert not await count("bulk_runs")


async def test_a_run_is_only_for_who_chose_it(cast: Cast) -> None:
    ann, rob, olga = await cast.ann(), await cast.rob(), await cast.olga()
    page = await choose(rob, "suspend", [ann.public_id])
    await seen(olga, page, 404)
    assert (await olga.browser.post(f"{page}/beginning", form={"reason": "x"})).status_code == 404
    assert await states() == "active active active"


async def test_rights_are_looked_at_again_for_each_person_when_it_is_done(cast: Cast) -> None:
    """Between the look and the job Bob became an administrator of another kind, and Rob was deposed half-way."""
    ann, bob, rob = await cast.ann(), await cast.bob(), await cast.rob()
    page = await choose(rob, "suspend", [ann.public_id, bob.public_id])
    await rob.browser.post(f"{page}/beginning", form={"reason": "x"})
    await db.run("UPDATE users SET role = 'owner' WHERE id = :id", id=bob.id)
    await queue.drain()
    assert shares(await seen(rob, page)) == {"may do more than you": 1}
    assert await states() == "suspended active active"


@pytest.mark.parametrize("change", ["role = 'support'", "state = 'suspended'"])
async def test_who_may_not_act_any_more_does_nothing(cast: Cast, change: str) -> None:
    ann, rob = await cast.ann(), await cast.rob()
    page = await choose(rob, "suspend", [ann.public_id])
    await rob.browser.post(f"{page}/beginning", form={"reason": "x"})
    await db.run(f"UPDATE users SET {change} WHERE id = :id", id=rob.id)
    await queue.drain()
    assert await db.value("SELECT state FROM users WHERE id = :id", id=ann.id) == "active"
    assert await db.value("SELECT reason FROM bulk_items") == "right"


async def test_nobody_gives_many_what_they_may_not_give_one(cast: Cast) -> None:
    await cast.role("deputy", ["admin.enter", "people.view", "people.roles"])
    ann, kim = await cast.ann(), await cast.person("Kim Kern", "kim@example.org", role="deputy")
    page = await choose(kim, "role", [ann.public_id])
    for role in ("owner", "admin"):
        assert shares(await seen(kim, f"{page}?role={role}")) == {}
        assert (await kim.browser.post(f"{page}/beginning", form={"role": role})).status_code == 422
    assert shares(await seen(kim, f"{page}?role=deputy")) == {"Give 1 person the role Deputy": 1}
    await carry_out(kim, page, role="deputy")
    assert await db.value("SELECT role FROM users WHERE id = :id", id=ann.id) == "deputy"


async def test_beginning_asks_for_a_fresh_sign_in(cast: Cast) -> None:
    ann, rob = await cast.ann(), await cast.rob()
    page = await choose(rob, "suspend", [ann.public_id])
    await cast.sign_in(rob, fresh=False)
    answer = await rob.browser.post(f"{page}/beginning", form={"reason": "x"})
    assert "fresh=1" in answer.headers["Location"]
    assert await states() == "active active"


# Each act


async def test_roles_are_given_and_taken_back_as_they_were(cast: Cast) -> None:
    ann = await cast.ann()
    await cast.sam()
    olga = await cast.olga()
    page = await choose(olga, "role")
    assert "Look at what it does" in await seen(olga, page)
    assert shares(await seen(olga, f"{page}?role=instructor")) == {
        "Give 2 people the role Instructor": 2,
        "is yourself": 1,
    }
    await carry_out(olga, page, role="instructor")
    assert await db.value("SELECT string_agg(role, ' ' ORDER BY id) FROM users") == "instructor instructor owner"
    await db.run("UPDATE users SET role = 'admin' WHERE id = :id", id=ann.id)
    assert shares(await take_back(olga, page)) == {"has changed since": 1}
    assert await db.value("SELECT string_agg(role, ' ' ORDER BY id) FROM users") == "admin support owner"


async def test_suspensions_are_taken_back_but_not_those_that_stood_before(cast: Cast) -> None:
    ann, bob, rob = await cast.ann(), await cast.bob(), await cast.rob()
    await db.run("UPDATE users SET state = 'suspended', suspension_reason = 'old' WHERE id = :id", id=bob.id)
    page = await choose(rob, "suspend", [ann.public_id, bob.public_id])
    await carry_out(rob, page, reason="x")
    assert await states() == "suspended suspended active"
    assert "1 changed" in await take_back(rob, page)
    assert await states() == "active suspended active"
    assert "This was taken back" in await seen(rob, page)

    page = await choose(rob, "unsuspend", [bob.public_id])
    await carry_out(rob, page)
    assert await states() == "active active active"
    await take_back(rob, page)
    assert await db.value("SELECT suspension_reason FROM users WHERE id = :id", id=bob.id) == "old"


async def test_who_was_suspended_for_something_else_since_stays_so_when_the_first_is_taken_back(cast: Cast) -> None:
    ann, rob = await cast.ann(), await cast.rob()
    page = await choose(rob, "suspend", [ann.public_id])
    await carry_out(rob, page, reason="By mistake")
    await carry_out(rob, await choose(rob, "unsuspend", [ann.public_id]))
    again = await choose(rob, "suspend", [ann.public_id], "sort=name")
    await carry_out(rob, again, reason="She shares her account")
    assert shares(await take_back(rob, page)) == {"has changed since": 1}
    assert await states() == "suspended active"


async def test_who_was_asked_for_a_password_again_since_chooses_one_all_the_same(cast: Cast) -> None:
    ann, rob = await cast.ann(), await cast.rob()
    await db.run("UPDATE users SET password_hash = :h WHERE id = :id", h=await hashing.hashed(PASSWORD), id=ann.id)
    page = await choose(rob, "password", [ann.public_id])
    await carry_out(rob, page)
    await db.run("UPDATE users SET password_change_required_at = NULL WHERE id = :id", id=ann.id)  # she chose one
    await carry_out(rob, await choose(rob, "password", [ann.public_id], "sort=name"))
    assert shares(await take_back(rob, page)) == {"has changed since": 1}
    assert await count("users WHERE password_change_required_at IS NOT NULL") == 1


async def test_a_tag_is_taken_from_many_and_given_back(cast: Cast) -> None:
    olga = await cast.olga()
    await crowd(3)
    await carry_out(olga, await choose(olga, "tag", query="role=member"), tag="Press")
    page = await choose(olga, "untag")
    assert "There is no such tag" in await seen(olga, f"{page}?tag=Other")
    assert shares(await seen(olga, f"{page}?tag=press")) == {"Take “Press” from 3 people": 3, "does not have it": 1}
    await carry_out(olga, page, tag="press")
    assert not await count("user_tags")
    await take_back(olga, page)
    assert await count("user_tags") == 3


async def test_many_are_signed_out_and_asked_for_a_new_password(cast: Cast) -> None:
    ann, bob, rob = await cast.ann(), await cast.bob(), await cast.rob()
    await db.run("UPDATE users SET password_hash = :h WHERE id = :id", h=await hashing.hashed(PASSWORD), id=ann.id)
    page = await choose(rob, "password", query="role=member")
    assert shares(await seen(rob, page)) == {
        "Ask 1 person for a new password": 1,
        "is asked for one already, or has none": 1,
    }
    await carry_out(rob, page)
    assert await count("users WHERE password_change_required_at IS NOT NULL") == 1
    await take_back(rob, page)
    assert await count("users WHERE password_change_required_at IS NOT NULL") == 0

    page = await choose(rob, "sign-out", query="role=member")
    assert "This cannot be taken back" in await seen(rob, page)
    done = await carry_out(rob, page)
    assert "Done: 1 changed" in done  # Ann was, when she was asked for a new password
    assert "Take it back" not in done
    assert (await rob.browser.post(f"{page}/undoing")).status_code == 409
    assert not await Browser(bob.browser).is_signed_in()


async def test_many_are_sent_the_link_that_each_needs(cast: Cast, mailbox: Mailbox) -> None:
    ann, bob, rob = await cast.ann(), await cast.bob(), await cast.rob()
    await db.run("UPDATE users SET password_hash = :h WHERE id = :id", h=await hashing.hashed(PASSWORD), id=ann.id)
    await carry_out(rob, await choose(rob, "link", [ann.public_id, bob.public_id]))
    assert "password" in (await mailbox.last(ann.email))["Subject"].lower()
    assert "Welcome" in (await mailbox.last(bob.email))["Subject"]


# Twice, and at once


async def test_begun_twice_at_once_it_is_done_once(cast: Cast) -> None:
    ann, rob = await cast.ann(), await cast.rob()
    page = await choose(rob, "suspend", [ann.public_id])
    await asyncio.gather(*(rob.browser.post(f"{page}/beginning", form={"reason": "x"}) for _ in range(3)))
    await queue.drain()
    assert await count("audit_log WHERE action = 'people.suspend'") == 1
    assert await count("audit_log WHERE action = 'list.bulk'") == 1


async def test_taken_back_twice_at_once_it_is_taken_back_once(cast: Cast) -> None:
    ann, rob = await cast.ann(), await cast.rob()
    page = await choose(rob, "suspend", [ann.public_id])
    await carry_out(rob, page, reason="x")
    answers = await asyncio.gather(*(rob.browser.post(f"{page}/undoing") for _ in range(3)))
    assert len({answer.headers["Location"] for answer in answers}) == 1
    await queue.drain()
    assert await count("bulk_runs") == 2
    assert await count("audit_log WHERE action = 'people.unsuspend'") == 1


async def test_what_is_not_through_or_takes_something_back_itself_is_not_taken_back(cast: Cast) -> None:
    ann, rob = await cast.ann(), await cast.rob()
    page = await choose(rob, "suspend", [ann.public_id])
    assert (await rob.browser.post(f"{page}/undoing")).status_code == 409
    assert (await rob.browser.get(f"{page}/result.csv")).status_code == 409
    await rob.browser.post(f"{page}/beginning", form={"reason": "x"})
    assert (await rob.browser.post(f"{page}/undoing")).status_code == 409
    await queue.drain()
    back = (await rob.browser.post(f"{page}/undoing")).headers["Location"]
    await queue.drain()
    assert (await rob.browser.post(f"{back}/undoing")).status_code == 409
    assert await count("bulk_runs") == 2


async def test_a_role_that_has_grown_since_is_not_given_back_by_who_may_do_less(cast: Cast) -> None:
    await cast.role("deputy", ["admin.enter", "people.view", "people.roles"])
    await cast.role("helper", ["admin.enter"])
    ann, kim = await cast.ann(), await cast.person("Kim Kern", "kim@example.org", role="deputy")
    await db.run("UPDATE users SET role = 'helper' WHERE id = :id", id=ann.id)
    page = await choose(kim, "role", [ann.public_id])
    await carry_out(kim, page, role="member")
    await db.run("UPDATE roles SET capabilities = '{admin.enter,settings.edit}' WHERE key = 'helper'")
    assert shares(await take_back(kim, page)) == {"you may not give this role": 1}
    assert await db.value("SELECT role FROM users WHERE id = :id", id=ann.id) == "member"


async def test_a_job_that_is_run_by_two_workers_at_once_does_each_row_once(cast: Cast) -> None:
    olga = await cast.olga()
    await crowd(250)
    page = await choose(olga, "tag", query="role=member")
    await olga.browser.post(f"{page}/beginning", form={"tag": "Autumn"})
    run_id = await db.value("SELECT id FROM bulk_runs")

    async def work() -> None:
        async with db.hold():
            await bulk.work_through(run_id)

    await asyncio.gather(work(), work(), work())
    run = await db.one(db.Row, "SELECT state, acted, skipped FROM bulk_runs")
    assert run is not None
    assert (run.state, run.acted, run.skipped) == ("done", 250, 0)
    assert await count("audit_log WHERE action = 'people.tag'") == 250


async def test_a_job_that_dies_between_two_hundreds_goes_on_where_it_was(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    olga = await cast.olga()
    await crowd(250)
    page = await choose(olga, "tag", query="role=member")
    await olga.browser.post(f"{page}/beginning", form={"tag": "Autumn"})
    run_id = await db.value("SELECT id FROM bulk_runs")
    assert await bulk._one_batch(run_id)
    half_way = await seen(olga, page)
    assert "100 of 250" in half_way
    assert 'hx-trigger="every 1s"' in half_way
    assert (await olga.browser.get(f"{page}?seen=100-0")).status_code == 204
    await bulk.work_through(run_id)
    await bulk.work_through(run_id)
    assert "Done: 250 changed." in await seen(olga, page)
    assert await count("audit_log WHERE action = 'people.tag'") == 250


async def test_whoever_is_gone_meanwhile_is_left_out(cast: Cast) -> None:
    olga = await cast.olga()
    await crowd(2)
    page = await choose(olga, "tag", query="role=member")
    await db.run("DELETE FROM users WHERE public_id = 'p1'")
    assert shares(await seen(olga, f"{page}?tag=A")) == {"Tag 1 person “A”": 1, "is not there any more": 1}
    assert shares(await carry_out(olga, page, tag="A")) == {"is not there any more": 1}


async def test_what_was_never_begun_is_forgotten_after_a_day_and_the_rest_after_a_month(cast: Cast) -> None:
    olga = await cast.olga()
    await crowd(2)
    await choose(olga, "untag", query="role=member")
    await carry_out(olga, await choose(olga, "tag", query="role=member"), tag="A")
    for days, left in ((0, 2), (2, 1), (31, 0)):
        with clock.shifted(timedelta(days=days)):
            await bulk.forget_old_runs()
        assert await count("bulk_runs") == left
    assert not await count("bulk_items")


async def test_what_is_begun_while_old_ones_are_forgotten_is_done(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    ann, rob = await cast.ann(), await cast.rob()
    page = await choose(rob, "suspend", [ann.public_id])
    enqueue, forgetting = queue.enqueue, []

    async def forget() -> None:
        with clock.shifted(timedelta(days=2)):
            await bulk.forget_old_runs()

    async def overtaken(*arguments: Any, **more: Any) -> None:
        monkeypatch.setattr(queue, "enqueue", enqueue)
        await enqueue(*arguments, **more)
        forgetting.append(asyncio.create_task(forget(), context=Context()))
        await until_it_waits(forgetting[0])

    monkeypatch.setattr(queue, "enqueue", overtaken)
    await rob.browser.post(f"{page}/beginning", form={"reason": "x"})
    await forgetting[0]
    await queue.drain()
    assert await count("audit_log WHERE action = 'people.suspend'") == 1


async def test_what_is_being_taken_back_is_not_forgotten_with_what_it_takes_back(cast: Cast) -> None:
    ann, rob = await cast.ann(), await cast.rob()
    page = await choose(rob, "suspend", [ann.public_id])
    await carry_out(rob, page, reason="x")
    await db.run("UPDATE bulk_runs SET created_at = created_at - interval '30 days'")
    await rob.browser.post(f"{page}/undoing")
    await bulk.forget_old_runs()
    await queue.drain()
    assert await count("audit_log WHERE action = 'people.unsuspend'") == 1
    with clock.shifted(timedelta(days=31)):
        await bulk.forget_old_runs()
    assert not await count("bulk_runs")


@pytest.mark.parametrize("number", [10, 200])
async def test_looking_costs_the_same_for_few_and_for_many(cast: Cast, number: int) -> None:
    olga = await cast.olga()
    await crowd(number)
    page = await choose(olga, "suspend", query="role=member")
    await seen(olga, page)
    with db.count_queries() as sent:
        await seen(olga, page)
    assert sent.total == 5


@pytest.mark.parametrize("is_held", [True, False])
async def test_without_the_hold_on_the_run_rows_would_be_done_twice(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, is_held: bool
) -> None:
    """The negative control of the two tests above: without `FOR UPDATE`, two workers take the same hundred."""
    olga = await cast.olga()
    await crowd(40)
    page = await choose(olga, "tag", query="role=member")
    await olga.browser.post(f"{page}/beginning", form={"tag": "Autumn"})
    run_id = await db.value("SELECT id FROM bulk_runs")
    one, many, gate = db.one, db.many, asyncio.Barrier(2)

    async def unheld(kind: Any, sql: str, **binds: Any) -> Any:
        return await one(kind, sql.replace("FOR UPDATE", "") if "FROM bulk_runs" in sql else sql, **binds)

    async def both_have_looked(kind: Any, sql: str, **binds: Any) -> Any:
        rows = await many(kind, sql, **binds)
        if "FROM bulk_items" in sql and rows:
            await asyncio.wait_for(gate.wait(), 20)
        return rows

    async def work() -> None:
        async with db.hold():
            await bulk._one_batch(run_id)

    if not is_held:
        monkeypatch.setattr(db, "one", unheld)
        monkeypatch.setattr(db, "many", both_have_looked)
    await asyncio.gather(work(), work())
    monkeypatch.undo()
    run = await db.one(db.Row, "SELECT acted + skipped AS dealt_with FROM bulk_runs")
    assert run is not None
    assert run.dealt_with == (40 if is_held else 80)


# When it fails


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """From the second hundred on the act fails, until `undo()` of this."""
    real, begun = tags.give, itertools.count()

    async def give(subject: Any, tag: Any) -> bool:
        if next(begun) >= 100:
            raise RuntimeError("the disk is full")
        return await real(subject, tag)

    monkeypatch.setattr(tags, "give", give)
    return monkeypatch


async def failed_run(olga: Person, *, people: int = 250) -> str:
    await crowd(people)
    page = await choose(olga, "tag", query="role=member")
    await olga.browser.post(f"{page}/beginning", form={"tag": "Autumn"})
    await queue.drain(ignore_delays=True)
    return page


async def test_a_run_that_failed_for_good_says_so_and_what_was_done(cast: Cast, broken: pytest.MonkeyPatch) -> None:
    olga = await cast.olga()
    page = await failed_run(olga)
    said = await seen(olga, page)
    assert "This failed half-way" in said
    assert "100 were changed." in said
    assert "150 were not reached." in said
    assert "hx-trigger" not in said.split('id="bulk-run"')[1].split(">")[0]  # it does not ask on and on
    assert (await olga.browser.get(f"{page}?seen=100-0")).status_code == 200  # whoever looked on sees it, too
    assert (await olga.browser.post(f"{page}/undoing")).status_code == 409


async def test_while_tries_are_left_it_is_running(cast: Cast, broken: pytest.MonkeyPatch) -> None:
    olga = await cast.olga()
    await crowd(150)
    page = await choose(olga, "tag", query="role=member")
    await olga.browser.post(f"{page}/beginning", form={"tag": "Autumn"})
    await queue.drain()  # the first try; the second waits
    assert "100 of 150" in await seen(olga, page)


async def test_it_goes_on_with_the_rest_and_does_nothing_twice(cast: Cast, broken: pytest.MonkeyPatch) -> None:
    olga = await cast.olga()
    page = await failed_run(olga)
    broken.undo()
    answers = await asyncio.gather(*(olga.browser.post(f"{page}/continuation") for _ in range(3)))
    assert {answer.status_code for answer in answers} == {303}
    assert "100 of 250" in await seen(olga, page)
    await queue.drain()
    assert "Done: 250 changed." in await seen(olga, page)
    assert await count("audit_log WHERE action = 'people.tag'") == 250
    assert await count("audit_log WHERE action = 'list.bulk_continue'") == 1
    assert not await count("pgqueuer WHERE entrypoint = 'web.work_through'")
    await olga.browser.post(f"{page}/continuation")  # of a page that is old
    assert not await count("pgqueuer WHERE entrypoint = 'web.work_through'")


async def test_left_at_that_it_is_through_and_can_be_taken_back(cast: Cast, broken: pytest.MonkeyPatch) -> None:
    olga = await cast.olga()
    page = await failed_run(olga)
    assert (await olga.browser.post(f"{page}/cancellation")).status_code == 303
    done = await seen(olga, page)
    assert "Done: 100 changed." in done
    assert shares(done) == {"was not reached, since it stopped half-way": 150}
    broken.undo()
    assert "100 changed" in await take_back(olga, page)
    assert not await count("user_tags")


async def test_nobody_stops_or_begins_again_what_is_under_way(cast: Cast) -> None:
    olga = await cast.olga()
    await crowd(3)
    page = await choose(olga, "tag", query="role=member")
    await olga.browser.post(f"{page}/beginning", form={"tag": "Autumn"})
    for below in ("cancellation", "continuation"):
        await olga.browser.post(f"{page}/{below}")
    assert await db.value("SELECT state FROM bulk_runs") == "running"
    assert await count("pgqueuer WHERE entrypoint = 'web.work_through'") == 1


async def test_a_run_whose_job_was_discarded_is_not_running_for_ever(cast: Cast, broken: pytest.MonkeyPatch) -> None:
    olga = await cast.olga()
    page = await failed_run(olga, people=150)
    await db.run("DELETE FROM pgqueuer")
    assert "This failed half-way" in await seen(olga, page)
    with clock.shifted(timedelta(days=31)):
        await bulk.forget_old_runs()
    assert not await count("bulk_runs")


# The file of what came of it


async def lines(by: Person, page: str) -> list[list[str]]:
    answer = await by.browser.get(f"{page}/result.csv")
    assert answer.status_code == 200
    assert "attachment" in answer.headers["Content-Disposition"]
    return list(csv.reader(io.StringIO((await answer.get_data(as_text=True)).removeprefix("\ufeff"))))


async def test_the_file_says_of_each_what_came_of_it(cast: Cast) -> None:
    ann, rob = await cast.ann(), await cast.rob()
    bob = await cast.person("=cmd()", "bob@example.org")
    await db.run("UPDATE users SET state = 'suspended' WHERE id = :id", id=bob.id)
    page = await choose(rob, "suspend", [ann.public_id, bob.public_id, rob.public_id])
    await carry_out(rob, page, reason="x")
    assert await lines(rob, page) == [
        ["Name", "Email", "Outcome", "Reason"],
        ["Ann Archer", "ann@example.org", "done", ""],
        ["Rob Rask", "rob@meridian.example", "left alone", "is yourself"],
        ["'=cmd()", "bob@example.org", "left alone", "is suspended already"],
    ]
    assert await count("audit_log WHERE action = 'list.bulk_result'") == 1


async def test_the_file_of_a_run_that_failed_says_who_was_not_reached(cast: Cast, broken: pytest.MonkeyPatch) -> None:
    olga = await cast.olga()
    page = await failed_run(olga, people=150)
    outcomes = [line[2] for line in (await lines(olga, page))[1:]]
    assert (outcomes.count("done"), outcomes.count("not reached")) == (100, 50)


async def test_whoever_may_not_export_people_gets_no_addresses_and_nobody_else_gets_the_file(cast: Cast) -> None:
    ann, sam, olga = await cast.ann(), await cast.sam(), await cast.olga()
    page = await choose(sam, "tag", [ann.public_id])
    assert (await sam.browser.get(f"{page}/result.csv")).status_code == 409
    await carry_out(sam, f"{page}?tag=A", tag="A")
    assert await lines(sam, page) == [["Name", "Outcome", "Reason"], ["Ann Archer", "done", ""]]
    assert (await olga.browser.get(f"{page}/result.csv")).status_code == 404
