"""Versions: every edit is one, undo goes to its parent, two editors do not lose each other's work."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from app.core import clock, db
from app.core.errors import Conflict, Invalid
from app.formbuilder import jobs
from app.formbuilder.definition import editing, versions
from app.formbuilder.models import Form
from app.formbuilder.queries import forms as queries
from app.formbuilder.queries import history
from tests.cast import Cast, Person
from tests.formbuilder.building import a_definition, now
from tests.formbuilder.entering import a_form, sent
from tests.meeting import Meeting
from tests.pairs import together


async def renamed(form: Form, by: Person, field_id: str, label: str) -> Form:
    def change(definition):  # type: ignore[no-untyped-def]
        return editing.changed(definition, field_id, {"label": label})[0]

    return await versions.edit(form.id, change, words="Changed", subject=field_id, by=by)


async def labels(form: Form) -> list[str]:
    return [field.label for field in (await now(form)).fields]


async def test_two_forms_made_at_once_get_an_address_each(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    olga, find = await cast.olga(), queries.slugs_like

    async def slowly(slug: str) -> set[str]:
        found = await find(slug)
        await asyncio.sleep(0.1)
        return found

    monkeypatch.setattr(queries, "slugs_like", slowly)
    made = await together(*[partial(versions.create, a_definition(), by=olga)] * 2)
    assert len({form.slug for form in made}) == 2
    moved = await together(*[partial(versions.move_to, form.id, "the-one") for form in made])
    assert {type(each) for each in moved} == {Form, Invalid}


async def test_a_long_title_may_be_had_many_times(cast: Cast) -> None:
    olga = await cast.olga()
    definition = replace(a_definition(), title="What we would like to know before you come " * 3)
    assert len({(await versions.create(definition, by=olga)).slug for _ in range(4)}) == 4


async def test_undo_goes_back_and_redo_on_along_what_was_made_last(cast: Cast) -> None:
    olga = await cast.olga()
    form = await versions.create(a_definition(), by=olga)
    await renamed(form, olga, "q1", "One")
    await renamed(form, olga, "q2", "Two")
    await versions.undo(form.id)
    assert await labels(form) == ["One", "Question 2", "Question 3"]
    await renamed(form, olga, "q3", "Three")  # another branch: "Two" is not redone any more
    await versions.undo(form.id)
    await versions.redo(form.id)
    assert await labels(form) == ["One", "Question 2", "Three"]
    await versions.undo(form.id)
    await versions.undo(form.id)
    with pytest.raises(Conflict):
        await versions.undo(form.id)
    await versions.redo(form.id)
    await versions.redo(form.id)
    with pytest.raises(Conflict):
        await versions.redo(form.id)
    assert await labels(form) == ["One", "Question 2", "Three"]


async def test_edits_of_one_field_within_a_minute_are_one_version(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    olga, ines = await cast.olga(), await cast.ines()
    form = await versions.create(a_definition(), by=olga)
    for label in ("N", "Na", "Name"):
        await renamed(form, olga, "q1", label)
    assert (await versions.find(form.public_id)).number == 2
    await renamed(form, ines, "q1", "Your name")  # somebody else
    assert (await versions.find(form.public_id)).number == 3
    await renamed(form, ines, "q2", "Mail")  # another field
    assert (await versions.find(form.public_id)).number == 4
    later = clock.now() + timedelta(seconds=61)
    monkeypatch.setattr(clock, "now", lambda: later)
    await renamed(form, ines, "q2", "Email")
    assert (await versions.find(form.public_id)).number == 5


async def test_a_published_version_is_not_written_into(cast: Cast) -> None:
    olga = await cast.olga()
    form = await versions.create(a_definition(), by=olga)
    await renamed(form, olga, "q1", "Name")
    live = await versions.publish(form.id)
    await renamed(form, olga, "q1", "Your name")
    assert (await versions.find(form.public_id)).number == live.number + 1
    visitors_see = await queries.live_form(form.slug)
    assert visitors_see is not None and visitors_see.definition["fields"][0]["label"] == "Name"


async def test_two_editors_at_once_both_keep_what_they_did(cast: Cast) -> None:
    olga, ines = await cast.olga(), await cast.ines()
    form = await versions.create(a_definition(), by=olga)
    add = partial(editing.added, kind="email", after="")
    await asyncio.gather(
        renamed(form, olga, "q1", "Name"), renamed(form, ines, "q2", "Mail"),
        *(versions.edit(form.id, add, words="Added", by=who) for who in (olga, ines)),
    )  # fmt: skip
    found = await now(form)
    assert [field.label for field in found.fields[:2]] == ["Name", "Mail"]
    assert [field.id for field in found.fields[3:]] == ["q4", "q5"]


async def test_without_the_lock_an_edit_would_be_lost(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    olga, ines = await cast.olga(), await cast.ines()
    form = await versions.create(a_definition(), by=olga)
    lock, both = queries.lock_form, Meeting(2)

    async def look(form_id: int) -> Form | None:
        found = await db.value("SELECT public_id FROM forms WHERE id = :id", id=form_id)
        seen = await queries.form_by_public_id(found)
        await both.wait()
        return seen

    monkeypatch.setattr(queries, "lock_form", look)
    await asyncio.gather(
        renamed(form, olga, "q1", "Name"), renamed(form, ines, "q2", "Mail"), return_exceptions=True
    )  # fmt: skip
    monkeypatch.setattr(queries, "lock_form", lock)
    assert (await labels(form))[:2] != ["Name", "Mail"]


async def test_an_old_version_is_restored_as_the_newest_and_that_can_be_undone(cast: Cast) -> None:
    olga = await cast.olga()
    form = await versions.create(a_definition(), by=olga)
    await renamed(form, olga, "q1", "Name")
    restored = await versions.restore(form.id, 1, by=olga)
    assert restored.number == 3 and await labels(form) == ["Question 1", "Question 2", "Question 3"]
    await versions.undo(form.id)
    assert (await labels(form))[0] == "Name"


async def test_a_form_with_a_wrong_rule_is_not_published(cast: Cast) -> None:
    wrong = {"id": "r1", "do": "show", "targets": ["q9"], "when": {"all": []}}
    form = await versions.create(a_definition(rules=[wrong]), by=await cast.olga())
    with pytest.raises(Invalid):
        await versions.publish(form.id)
    assert (await versions.find(form.public_id)).live_id is None


async def test_an_address_that_somebody_has_is_refused(cast: Cast) -> None:
    olga = await cast.olga()
    one = await versions.create(a_definition(title="One"), by=olga)
    other = await versions.create(a_definition(title="Other"), by=olga)
    with pytest.raises(Invalid):
        await versions.move_to(other.id, one.slug)
    with pytest.raises(Invalid):
        await versions.move_to(other.id, "Not An Address")
    assert (await versions.move_to(other.id, "another")).slug == "another"


async def test_old_versions_that_nobody_needs_are_swept(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    olga = await cast.olga()
    form, definition = await a_form()
    await sent(form, definition)
    for number in range(8):
        await versions.edit(form.id, partial(editing.added, kind="email", after=""), words=str(number), by=olga)
    await db.run("UPDATE form_versions SET made_at = made_at - interval '91 days'")
    assert await history.delete_old_versions(clock.now() - timedelta(days=90), 3, 100) == 5
    left = [row.number for row in await queries.versions(form.id, None, 50)]
    assert left == [9, 8, 7, 1]  # the newest three, and what is live and was answered
    await jobs.sweep_versions()  # with its own bounds there is nothing more to do
    assert len(await queries.versions(form.id, None, 50)) == 4
    assert (await versions.undo(form.id)).number == 8


async def test_versions_of_the_last_days_are_kept(cast: Cast) -> None:
    olga = await cast.olga()
    form = await versions.create(a_definition(), by=olga)
    for number in range(4):
        await versions.edit(form.id, partial(editing.added, kind="email", after=""), words=str(number), by=olga)
    assert await history.delete_old_versions(clock.now() - timedelta(days=90), 1, 100) == 0
