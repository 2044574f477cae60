"""Sections of a course: made, renamed, put in order, removed."""

from dataclasses import dataclass

from app.core import db, events, queue
from app.core.errors import Conflict, Invalid, NotFound
from app.core.i18n import _
from app.core.ids import public_id
from app.courses import jobs
from app.courses.events import LessonRemoved
from app.courses.queries import lessons as queries
from app.courses.rights import changed, locked, locked_section
from app.web.request import Visitor


@dataclass(frozen=True, slots=True)
class Removed:
    """What it takes to make an empty section again."""

    course_id: int
    public_id: str
    title: str
    position: int


async def create(course_id: int, title: str, *, by: Visitor | None) -> str:
    """A new last section; its public id."""
    new_id = public_id()
    await _insert(new_id, course_id, title, None, by)
    return new_id


async def restore(removed: Removed, *, by: Visitor | None) -> None:
    """Make an empty section that was removed again, in its old place and under its old id. Twice is once."""
    await _insert(removed.public_id, removed.course_id, removed.title, removed.position, by)


async def _insert(new_id: str, course_id: int, title: str, position: int | None, by: Visitor | None) -> None:
    _check_title(title)
    async with db.transaction():
        course = await locked(course_id, by)
        section_id = await queries.insert_section(new_id, course_id, title)
        if section_id is None:
            return
        if position is not None:
            others = [row.id for row in await queries.sections_of(course_id) if row.id != section_id]
            await queries.place_sections([*others[: position - 1], section_id, *others[position - 1 :]])
        await changed(course, "section.create", subject=("section", new_id), after={"title": title}, summary=title)


async def rename(section_public_id: str, title: str, *, by: Visitor | None) -> None:
    """Give a section another title."""
    _check_title(title)
    async with db.transaction():
        course, section = await locked_section(section_public_id, by)
        if section.title == title:
            return
        await queries.rename_section(section.id, title)
        await changed(
            course,
            "section.rename",
            subject=("section", section_public_id),
            before={"title": section.title},
            after={"title": title},
            summary=title,
        )


async def move(section_public_id: str, step: int, *, by: Visitor | None) -> None:
    """Move a section one place up (-1) or down (1); at the end of the line nothing happens."""
    async with db.transaction():
        _course, section = await locked_section(section_public_id, by)
        order = [row.public_id for row in await queries.sections_of(section.course_id)]
        at = order.index(section_public_id)
        if 0 <= at + step < len(order):
            order[at], order[at + step] = order[at + step], order[at]
            await arrange(section.course_id, order, by=by)


async def arrange(course_id: int, order: list[str], *, by: Visitor | None) -> None:
    """Put the sections into this order of public ids. Raises Conflict when these are not all of them (any more)."""
    async with db.transaction():
        course = await locked(course_id, by)
        rows = await queries.sections_of(course_id)
        keys = {row.public_id: row.id for row in rows}
        if len(order) != len(rows) or set(order) != set(keys):
            raise Conflict(_("The sections have changed meanwhile. Look at them again."))
        before = [row.public_id for row in rows]
        if order != before:
            await queries.place_sections([keys[each] for each in order])
            await changed(course, "course.arrange", before={"sections": before}, after={"sections": order})


async def remove(section_public_id: str, *, confirmation: str = "", by: Visitor | None) -> Removed | None:
    """Remove a section. An empty one just goes, and can be `restore`d from what this returns; one with lessons, which
    learners may have progress in, asks for its title. Raises Invalid when that is typed wrong."""
    async with db.transaction():
        course, section = await locked_section(section_public_id, by)
        if section.lesson_count and confirmation.strip() != section.title:
            raise Invalid(_("Type the title exactly as it is written."), field="confirmation")
        for upload_id in await queries.uploads_of_section(section.id):
            await queue.enqueue(jobs.drop_unused_upload, upload_id=upload_id)
        if section.lesson_count:
            await queries.hold_lessons(course.id)
            await events.publish(LessonRemoved(course.id))
        await queries.delete_section(section.id)
        rest = [row.id for row in await queries.sections_of(course.id)]
        await queries.place_sections(rest)
        before = {"title": section.title, "lessons": section.lesson_count}
        await changed(
            course, "section.remove", subject=("section", section_public_id), before=before, summary=section.title
        )
    return None if section.lesson_count else Removed(course.id, section_public_id, section.title, section.position)


async def find(section_public_id: str) -> db.Row:
    """The section: id, public_id, course_id, title, position, lesson_count. Raises NotFound."""
    section = await queries.section_by_public_id(section_public_id)
    if section is None:
        raise NotFound
    return section


def _check_title(title: str) -> None:
    if not title:
        raise Invalid(_("Give the section a title."), field="title")
    if len(title) > 150:
        raise Invalid(_("Use at most 150 characters."), field="title")
