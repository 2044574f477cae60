"""What is measured: each page with its requests, and whether it is also written by hand to compare with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.bench import people as who
from tests.bench.load import Request
from tests.bench.people import People

# Makes so many requests (or fewer, to be walked in a circle).
Requests = Callable[[People, int], list[Request]]


@dataclass(frozen=True, slots=True)
class Page:
    """A row of the table. `hand`: its queries are also sent by a page written by hand (tests/bench/reference.py)."""

    name: str
    title: str
    requests: Requests
    hand: bool = False
    # Requests a second that are made ready for a pass, for pages whose requests may be sent only once.
    once: int = 0
    # Seconds that a measurement must last to tell anything.
    least: float = 0


def _get(path: Callable[[People], str], cookie: Callable[[People], str] = lambda people: "") -> Requests:
    return lambda people, number: [who.get(path(people), cookie(people))]


def _member(people: People) -> str:
    return people.member


def _owner(people: People) -> str:
    return people.owner


PAGES = (
    Page("home", "Home", _get(lambda people: "/")),
    Page("catalogue", "Catalogue", _get(lambda people: "/courses")),
    Page("course", "Course page", _get(lambda people: people.course)),
    Page("free", "Free lesson", _get(lambda people: people.free_lesson)),
    Page("home-member", "Home, signed in", _get(lambda people: "/", _member), hand=True),
    Page("catalogue-member", "Catalogue, signed in", _get(lambda people: "/courses", _member), hand=True),
    Page("course-member", "Course page, signed in", _get(lambda people: people.course, _member), hand=True),
    Page("cart", "Cart", _get(lambda people: "/cart", lambda people: people.cart), hand=True),
    Page("learn", "Member's courses", _get(lambda people: "/learn", _member), hand=True),
    Page("lesson", "Lesson", _get(lambda people: people.lesson, _member), hand=True),
    Page("admin", "Office: today", _get(lambda people: "/admin", _owner), hand=True),
    Page("orders", "Office: orders, filtered", _get(lambda people: "/admin/orders?state=paid&q=an", _owner), hand=True),
    Page("login-page", "Sign-in form", _get(lambda people: "/login")),
    Page("sign-in", "Sign-in", who.sign_ins, least=4),
    Page("webhook", "Webhook", who.deliveries, once=2500),
    Page("progress", "Progress write", who.positions),
    Page("form", "Form, kept", _get(lambda people: people.form)),
    # What fills it in from the address draws it each time.
    Page("form-drawn", "Form, drawn", _get(lambda people: f"{people.form}?q1=Ann"), hand=True),
    Page("form-send", "Form, sent", who.answers, once=700),
)


def chosen(names: str) -> list[Page]:
    """The pages of a list of names with commas between. Raises ValueError for one that is not there."""
    known = {page.name: page for page in PAGES}
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    if unknown := [name for name in wanted if name not in known]:
        raise ValueError(f"there is no page {unknown[0]}: choose from {', '.join(known)}")
    return [known[name] for name in wanted] or list(PAGES)
