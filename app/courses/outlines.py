"""The outline of a course: its sections and their lessons, in order."""

from itertools import groupby

from app.core import db
from app.courses.models import LessonItem, Outline, Section
from app.courses.queries import lessons as queries


async def of(course_id: int, *, published_only: bool = True) -> Outline:
    """The outline in one query. With `published_only`, drafts and the sections that hold nothing else are left out."""
    rows = await queries.outline_rows(course_id, published_only=published_only)
    sections = []
    number = 0
    for _id, group in groupby(rows, key=lambda row: row.section_id):
        members = list(group)
        lessons = []
        for row in members:
            if row.id is not None:
                number += 1
                lessons.append(_item(row, number))
        if lessons or not published_only:
            first = members[0]
            sections.append(
                Section(first.section_id, first.section_public_id, first.section_title, first.section_position, lessons)
            )
    return Outline(course_id, sections)


def _item(row: db.Row, number: int) -> LessonItem:
    return LessonItem(
        id=row.id,
        public_id=row.public_id,
        slug=row.slug,
        title=row.title,
        summary=row.summary,
        kind=row.kind,
        duration_seconds=row.duration_seconds,
        is_preview=row.is_preview,
        state=row.state,
        position=row.position,
        number=number,
    )
