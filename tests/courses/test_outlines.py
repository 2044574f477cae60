from app.core import clock, db
from app.courses import courses, lessons, outlines
from tests.cast import Cast


async def a_course_in_rows(state: str = "published") -> int:
    now = clock.now()
    course_id: int = await db.value(
        """INSERT INTO courses (public_id, slug, title, state, created_at, updated_at)
           VALUES ('c1', 'reading-price', 'Reading Price', :state, :now, :now) RETURNING id""",
        state=state,
        now=now,
    )
    for position, title in enumerate(("Bars", "Levels", "Empty"), 1):
        section_id = await db.value(
            """INSERT INTO sections (public_id, course_id, title, position)
               VALUES (:title, :course_id, :title, :position) RETURNING id""",
            title=title,
            course_id=course_id,
            position=position,
        )
        for at in (1, 2) if title != "Empty" else ():
            await db.run(
                """INSERT INTO lessons (public_id, course_id, section_id, slug, title, kind, state, position,
                                        duration_seconds, created_at, updated_at)
                   VALUES (:slug, :course_id, :section_id, :slug, :slug, 'text', :state, :position, 60, :now, :now)""",
                slug=f"{title.lower()}-{at}",
                course_id=course_id,
                section_id=section_id,
                state="draft" if (title, at) == ("Bars", 2) else "published",
                position=at,
                now=now,
            )
    return course_id


async def test_an_outline_counts_its_lessons_through_and_leaves_drafts_out(cast: Cast) -> None:
    course_id = await a_course_in_rows()
    with db.count_queries() as count:
        outline = await outlines.of(course_id)
    assert count.total == 1
    assert [(s.title, [(x.number, x.slug) for x in s.lessons]) for s in outline.sections] == [
        ("Bars", [(1, "bars-1")]),
        ("Levels", [(2, "levels-1"), (3, "levels-2")]),
    ]
    assert outline.sections[1].duration_seconds == 120
    whole = await outlines.of(course_id, published_only=False)
    assert [x.slug for x in whole.lessons] == ["bars-1", "bars-2", "levels-1", "levels-2"]
    assert [s.title for s in whole.sections] == ["Bars", "Levels", "Empty"]


async def test_a_draft_lesson_is_found_only_when_drafts_are_asked_for(cast: Cast) -> None:
    course = await courses.find_by_slug("reading-price")
    assert course is None
    course_id = await a_course_in_rows()
    assert await lessons.find(course_id, "bars-2") is None
    draft = await lessons.find(course_id, "bars-2", published_only=False)
    assert draft is not None
    assert draft.transcript == []
    assert (await courses.find_by_slug("reading-price")) == (await courses.find(course_id))
    assert (await courses.find_by_public_id("c1")) == (await courses.find(course_id))
