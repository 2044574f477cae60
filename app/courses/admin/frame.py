"""What all pages of one course have in common."""

from typing import Any

from quart import current_app, url_for

from app.core.errors import NotFound
from app.courses import courses
from app.courses.models import Course, missing_to_publish
from app.courses.rights import may_edit
from app.web.request import signed_in_user


async def seen(public_id: str) -> Course:
    """The course for somebody who may see all of them. Raises NotFound."""
    course = await courses.find_by_public_id(public_id)
    if course is None:
        raise NotFound
    return course


async def edited(public_id: str) -> Course:
    """The course for somebody who changes it. Raises NotFound, Forbidden."""
    return await courses.editable(public_id, by=signed_in_user())


def around(course: Course, tab: str) -> dict[str, Any]:
    """The context of a page of a course: what may be done, what is missing, the tabs."""
    viewer = signed_in_user()
    can_edit = may_edit(course, viewer) and course.state != "archived"
    return {
        "course": course,
        "tab": tab,
        "can_edit": can_edit,
        "can_publish": viewer.can("courses.publish"),
        "missing": missing_to_publish(course) if course.state == "draft" else [],
        "price_url": _price_url(course) if viewer.can("courses.price") else None,
    }


def _price_url(course: Course) -> str | None:
    """The page of the price, which belongs to a domain that this one does not know."""
    if "catalogue_admin.show_price" not in current_app.view_functions:
        return None
    return url_for("catalogue_admin.show_price", public_id=course.public_id)
