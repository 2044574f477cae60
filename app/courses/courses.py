"""Courses: found, made, changed, published, archived.

Verbs take `by`, the person who acts; None is the system itself (the demo school, say).
"""

from dataclasses import asdict, replace

from asyncpg import UniqueViolationError

from app.core import clock, db, events, queue
from app.core.errors import Conflict, Forbidden, Invalid, NotFound, Stale
from app.core.i18n import _
from app.core.ids import public_id
from app.courses import jobs
from app.courses.events import CoursePublished
from app.courses.models import GROUNDS, LEVELS, Course, CourseDetails, free_slug, is_slug, missing_to_publish, slug_of
from app.courses.queries import courses as queries
from app.courses.rights import changed, locked, may_edit
from app.media import uploads
from app.web.request import Visitor


async def find(course_id: int) -> Course | None:
    """The course with this key in whatever state, or None. What is shown to visitors must be `is_published`."""
    return await queries.course(course_id)


async def find_by_slug(slug: str) -> Course | None:
    """The course at this address in whatever state, or None. What is shown to visitors must be `is_published`."""
    return await queries.course_by_slug(slug)


async def find_by_public_id(public_id: str) -> Course | None:
    """The course with this public id in whatever state, or None."""
    return await queries.course_by_public_id(public_id)


async def editable(public_id: str, *, by: Visitor) -> Course:
    """The course with this public id for somebody who may change it. Raises NotFound, Forbidden."""
    course = await queries.course_by_public_id(public_id)
    if course is None:
        raise NotFound
    if not may_edit(course, by):
        raise Forbidden(_("This course is taught by somebody else."))
    return course


async def create(details: CourseDetails, *, by: Visitor | None) -> Course:
    """A new draft, taught by its maker unless it names somebody else. Raises Invalid for a field."""
    if by is not None and not by.can("courses.edit_any"):
        raise Forbidden(_("Your role does not allow this."))
    if details.instructor_id is None and by is not None:
        details = replace(details, instructor_id=by.id)
    if details.slug:
        return await _insert(details)
    try:
        return await _insert(await _with_free_slug(details))
    except Invalid as error:
        if error.field != "slug":
            raise
        # Somebody has taken the address since it was free, and nobody typed it.
        return await _insert(await _with_free_slug(details))


async def _with_free_slug(details: CourseDetails) -> CourseDetails:
    slug = slug_of(details.title)
    return replace(details, slug=free_slug(slug, await queries.slugs_like(slug)))


async def _insert(details: CourseDetails) -> Course:
    try:
        async with db.transaction():
            await _check(details, may_teach=await _may_teach(details))
            course_id = await queries.insert_course(public_id(), asdict(details), clock.now())
            course = await queries.course(course_id)
            assert course is not None
            await changed(course, "course.create", after={"title": course.title, "slug": course.slug})
    except UniqueViolationError:
        raise _slug_taken() from None
    return course


async def edit(course_id: int, details: CourseDetails, *, revision: int, by: Visitor | None) -> Course:
    """Change the details, if nobody saved them since `revision`. Raises Stale, Invalid for a field."""
    try:
        async with db.transaction():
            # The person before the course, as whoever merges accounts.
            may_teach = await _may_teach(details)
            before = await locked(course_id, by)
            if before.revision != revision:
                raise Stale(_("Somebody saved this course after you opened it."))
            if by is not None and not by.can("courses.edit_any"):
                details = replace(details, instructor_id=before.instructor_id)
            await _check(details, before, may_teach=may_teach)
            await queries.update_details(course_id, asdict(details), clock.now())
            old = {name: getattr(before, name) for name in asdict(details)}
            await changed(before, "course.edit", before=old, after=asdict(details), summary=details.title)
            await _let_go_of_picture(before, details.plate)
    except UniqueViolationError:
        raise _slug_taken() from None
    course = await queries.course(course_id)
    assert course is not None
    return course


async def _may_teach(details: CourseDetails) -> bool:
    return details.instructor_id is not None and await queries.is_teacher(details.instructor_id)


async def _check(details: CourseDetails, before: Course | None = None, *, may_teach: bool) -> None:
    if not details.title:
        raise Invalid(_("Give the course a title."), field="title")
    if not is_slug(details.slug):
        raise Invalid(
            _(
                "Use small letters, digits and single hyphens, such as reading-price. A few words are kept for our pages."
            ),
            field="slug",
        )
    if await queries.is_slug_taken(details.slug, before.id if before else None):
        raise _slug_taken()
    if details.level not in LEVELS:
        raise Invalid(_("Choose one of the list."), field="level")
    if details.plate_ground not in GROUNDS:
        raise Invalid(_("Choose one of the list."), field="plate_ground")
    teacher = details.instructor_id
    is_new = teacher is not None and (before is None or teacher != before.instructor_id)
    if is_new and not may_teach:
        raise Invalid(_("Choose somebody who may teach."), field="instructor")
    if before is not None and before.is_published:
        wanting = missing_to_publish(replace(before, promise=details.promise, instructor_id=details.instructor_id))
        if wanting:
            field = "promise" if not details.promise else "instructor"
            raise Invalid(_("The course is published: %(why)s", why=wanting[0]), field=field)


def _slug_taken() -> Invalid:
    return Invalid(_("Another course has this address. Choose a different one."), field="slug")


async def set_picture(course_id: int, address: str, *, by: Visitor | None) -> str:
    """Show an uploaded picture (its lasting address) instead of the plate; '' goes back to the plate. The address of the
    picture before it, or ''. Raises NotFound for a picture that is gone by now.
    """
    async with db.transaction():
        course = await locked(course_id, by)
        if course.plate == address or not (address or course.picture_url):  # a drawing was chosen since
            return ""
        if address:
            await _hold_picture(address)
        await queries.set_plate(course_id, address, clock.now())
        await changed(course, "course.picture", before={"plate": course.plate}, after={"plate": address})
        await _let_go_of_picture(course, address)
    return course.picture_url


async def put_picture_back(course_id: int, address: str, *, by: Visitor | None) -> None:
    """Show a picture again that was taken away. Twice is once. Raises Conflict when something else is shown since."""
    async with db.transaction():
        course = await locked(course_id, by)
        if course.plate not in ("", address):
            raise Conflict(_("This has been changed since. Look at it again."))
        await set_picture(course_id, address, by=by)


async def _hold_picture(address: str) -> None:
    """Let nobody forget a picture that is about to be shown. One that is put back has its whole day again afterwards."""
    picture = await uploads.find_by_address(address)
    if picture is None or not await uploads.lock(picture.id):
        raise NotFound
    await queue.forget_undone(jobs.drop_unused_picture, "address", address)


async def _let_go_of_picture(before: Course, plate: str) -> None:
    """Forget the picture that a course had, a day after it shows something else."""
    if before.picture_url and before.picture_url != plate:
        await queue.enqueue(jobs.drop_unused_picture, after=jobs.KEPT, address=before.picture_url)


async def publish(course_id: int, *, by: Visitor | None) -> Course:
    """Show the course to everyone. Twice is once. Raises Invalid with all that is missing, Conflict when archived."""
    async with db.transaction():
        course = await locked(course_id, by, capability="courses.publish")
        if course.state == "archived":
            raise Conflict(_("This course is archived. Take it out of the archive first."))
        missing = missing_to_publish(course)
        if missing:
            raise Invalid(" ".join(missing))
        if await queries.publish(course_id, clock.now()):
            await changed(course, "course.publish", before={"state": course.state}, after={"state": "published"})
            await events.publish(CoursePublished(course_id))
    return await _again(course_id)


async def unpublish(course_id: int, *, by: Visitor | None) -> Course:
    """Make a draft of it again: nobody learns in it until it is published, those who have it neither. Twice is once."""
    return await _set_state(course_id, "course.unpublish", by)


async def archive(course_id: int, *, by: Visitor | None) -> Course:
    """Put the course away: out of the catalogue and out of the list of courses. `restore` brings it back as it was."""
    return await _set_state(course_id, "course.archive", by)


async def restore(course_id: int, *, by: Visitor | None) -> Course:
    """Take the course out of the archive, in the state it had before."""
    return await _set_state(course_id, "course.restore", by)


_STATE_CHANGES = {
    "course.unpublish": queries.unpublish,
    "course.archive": queries.archive,
    "course.restore": queries.restore,
}


async def _set_state(course_id: int, action: str, by: Visitor | None) -> Course:
    async with db.transaction():
        course = await locked(course_id, by, capability="courses.publish")
        if await _STATE_CHANGES[action](course_id, clock.now()):
            after = await _again(course_id)
            await changed(course, action, before={"state": course.state}, after={"state": after.state})
            if after.is_published:
                await events.publish(CoursePublished(course_id))
    return await _again(course_id)


async def _again(course_id: int) -> Course:
    course = await queries.course(course_id)
    assert course is not None
    return course


async def titles() -> list[tuple[str, str]]:
    """What somebody chooses a course from: slug and title, by title."""
    return [(row.slug, row.title) for row in await queries.titles()]


async def teachers() -> list[db.Row]:
    """People who may teach a course: id and name, by name."""
    return await queries.teachers()
