"""What the catalogue does when it hears of changes."""

from app.catalogue import products
from app.core import events
from app.courses.events import CourseChanged


@events.on(CourseChanged)
async def follow_course(event: CourseChanged) -> None:
    """The product is called like its course."""
    await products.follow_course(event.course_id)
