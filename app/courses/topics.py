"""Topics: what courses are about."""

from app.courses.models import Topic, slug_of
from app.courses.queries import courses as queries


async def all_topics() -> list[Topic]:
    """Every topic in the school's order."""
    return await queries.topics()


async def ensure(name: str, *, slug: str = "") -> int:
    """The key of the topic of this name, made when there is none."""
    return await queries.ensure_topic(slug or slug_of(name), name)
