"""Go to an order, a person, a course or a page of the back office."""

from collections.abc import Callable
from dataclasses import dataclass

from app.admin import navigation, queries
from app.web.forms import unreadable

_LIMIT = 8
_LONGEST = 100


@dataclass(frozen=True, slots=True)
class Hit:
    """Something found: its name, what tells it from others, where it is."""

    label: str
    note: str
    url: str


@dataclass(frozen=True, slots=True)
class Hits:
    """What was found, each kind best first."""

    text: str
    orders: list[Hit]
    people: list[Hit]
    courses: list[Hit]
    pages: list[Hit]

    @property
    def total(self) -> int:
        return len(self.orders) + len(self.people) + len(self.courses) + len(self.pages)


async def find(text: str, can: Callable[[str], bool]) -> Hits:
    """What this person may see of what `text` may mean: the number of an order, an email address, a name, a title."""
    text = text.strip()[:_LONGEST]
    if not text or unreadable(text):
        return Hits("", [], [], [], [])
    rows = await queries.found(
        text,
        orders=can("orders.view"),
        people=can("people.view"),
        courses=can("courses.view"),
        limit=_LIMIT,
    )
    pages = [link for link in navigation.links() if text.lower() in link.label.lower()]
    return Hits(
        text,
        [Hit(row.label, row.note, f"/admin/orders/{row.ref}") for row in rows if row.kind == "order"],
        [Hit(row.label, row.note, f"/admin/people/{row.ref}") for row in rows if row.kind == "person"],
        [Hit(row.label, row.note, f"/admin/courses/{row.ref}") for row in rows if row.kind == "course"],
        [Hit(link.label, link.group, link.url) for link in pages],
    )
