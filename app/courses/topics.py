"""Topics: what courses are about."""

from app.courses.models import Topic, free_slug, slug_of
from app.courses.queries import courses as queries


async def all_topics() -> list[Topic]:
    """Every topic in the school's order."""
    return await queries.topics()


async def ensure(name: str, *, slug: str = "") -> int:
    """The key of the topic of this name, made when there is none.

    Two names may have the same letters of an address: "C" and "C++", or all that are not written in Latin ones.
    """
    wanted = slug or slug_of(name)
    while True:
        known = await queries.topic_named(name)
        if known is not None:
            return known
        made = await queries.insert_topic(free_slug(wanted, {topic.slug for topic in await queries.topics()}), name)
        if made is not None:
            return made
        # Somebody has made one with these letters since they were free: this one, or another.
