"""The public pages of the catalogue. Nothing on them depends on the visitor: personal parts are fragments."""

from urllib.parse import urlencode

from quart import Blueprint, Response, current_app, request, url_for

from app.catalogue import listing
from app.catalogue.models import PAGE_SIZE, Results, Search, read_search
from app.core.errors import NotFound
from app.core.i18n import _
from app.core.settings import school
from app.courses import lessons, outlines
from app.media import uploads
from app.web.guards import public
from app.web.page_cache import cached
from app.web.render import page

routes = Blueprint("catalogue", __name__)


@routes.get("/")
@public()
@cached()
async def show_home() -> Response:
    """The front page: the school's words, its courses and who teaches them."""
    settings = await school()
    return await page(
        "catalogue/home.html",
        courses=await listing.front_page(),
        teachers=await listing.teachers(),
        excerpt_source=await listing.excerpt_source(settings.home_excerpt_from),
        free_lesson=await listing.first_free_lesson(),
    )


@routes.get("/courses")
@public()
@cached(query=("level", "topic", "preview", "sort", "page"), unkept=("q",))
async def list_courses() -> Response:
    """All published courses, found by words and filters that live in the address."""
    search = read_search(request.args)
    results = await listing.find(search)
    if not results.courses and search.page > 1:
        raise NotFound(_("This list is not that long."))
    return await page(
        "catalogue/courses.html",
        search=search,
        results=results,
        chips=_chips(search, results),
        page_links=_page_links(search, results),
        next_url=_address(search, page=str(search.page + 1)) if search.page < results.pages else None,
        first=(search.page - 1) * PAGE_SIZE + 1,
        address=lambda **changes: _address(search, **changes),
    )


@routes.get("/courses/<slug>")
@public()
@cached()
async def show_course(slug: str) -> Response:
    """The page that a course is sold on."""
    course = await listing.course_page(slug)
    if course is None:
        raise NotFound()
    outline = await outlines.of(course.id)
    first_free = next((lesson for part in outline.sections for lesson in part.lessons if lesson.is_preview), None)
    return await page(
        "catalogue/course.html",
        course=course,
        outline=outline,
        first_free=first_free,
        level_name=listing.level_name(course.level),
        teacher=next((person for person in await listing.teachers() if person.id == course.instructor_id), None),
        has_offer="commerce.show_offer" in current_app.view_functions,
    )


@routes.get("/teachers/<slug>")
@public()
@cached()
async def show_teacher(slug: str) -> Response:
    """Who somebody is that teaches here, and what."""
    teacher = await listing.teacher(slug)
    if teacher is None:
        raise NotFound()
    return await page("catalogue/teacher.html", teacher=teacher, courses=await listing.taught_by(teacher))


@routes.get("/courses/<slug>/preview/<lesson_slug>")
@public()
@cached()
async def show_preview(slug: str, lesson_slug: str) -> Response:
    """A free lesson, for anyone."""
    course = await listing.course_page(slug)
    lesson = await lessons.find(course.id, lesson_slug) if course is not None else None
    if course is None or lesson is None or not lesson.is_preview or lesson.state != "published":
        raise NotFound(_("This lesson is not open to everyone. The course page shows which ones are."))
    outline = await outlines.of(course.id)
    in_order = [item for part in outline.sections for item in part.lessons]
    here = next((item for item in in_order if item.id == lesson.id), None)
    if here is None:  # taken back since it was found
        raise NotFound(_("This lesson is not open to everyone. The course page shows which ones are."))
    free = [item for item in in_order if item.is_preview]
    return await page(
        "catalogue/preview.html",
        course=course,
        lesson=lesson,
        here=here,
        outline=outline,
        following=next((item for item in free if item.number > here.number), None),
        media=await _media([lesson.video_id, lesson.captions_id, lesson.poster_id]),
    )


async def _media(upload_ids: list[int | None]) -> dict[int, str]:
    found = await uploads.find_many([upload_id for upload_id in upload_ids if upload_id is not None])
    return {upload_id: uploads.address(upload) for upload_id, upload in found.items()}


def _address(search: Search, **changes: object) -> str:
    if "page" not in changes:
        changes["page"] = ""
    pairs = search.pairs(**changes)
    return url_for("catalogue.list_courses") + (f"?{urlencode(pairs)}" if pairs else "")


def _chips(search: Search, results: Results) -> list[tuple[str, str]]:
    """The filters that are set, each with the address without it."""
    topic_names = {facet.value: facet.label for facet in results.topics}
    chips = [(f"“{search.q}”", _address(search, q=""))] if search.q else []
    for level in search.levels:
        chips.append((listing.level_name(level), _address(search, level=_without(search.levels, level))))
    for topic in search.topics:
        chips.append((topic_names.get(topic, topic), _address(search, topic=_without(search.topics, topic))))
    if search.preview:
        chips.append((_("Free lesson"), _address(search, preview="")))
    return chips


def _without(values: tuple[str, ...], value: str) -> tuple[str, ...]:
    return tuple(other for other in values if other != value)


def _page_links(search: Search, results: Results) -> list[dict[str, object]]:
    return [
        {"number": n, "url": _address(search, page=str(n) if n > 1 else ""), "current": n == search.page}
        for n in range(1, results.pages + 1)
    ]
