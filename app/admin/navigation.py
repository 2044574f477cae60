"""Which pages of the back office this person may open, and what waits there. Other domains are named, not imported."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from babel.support import LazyProxy
from quart import Quart, current_app

from app.admin import queries
from app.admin.models import Waiting
from app.core import clock, i18n
from app.core.i18n import lazy
from app.web import render
from app.web.current import g, request
from app.web.request import fragment, path_for, user


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A page of the back office. `counts` names the fields of Waiting that are added up beside it."""

    group: LazyProxy | str
    label: LazyProxy
    icon: str
    endpoint: str
    capability: str
    counts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Link:
    """An entry as it is drawn for one person."""

    group: str
    label: str
    icon: str
    url: str
    current: bool
    count: int


_TEACH, _KEEP = lazy("Teach"), lazy("Keep")
ENTRIES = (
    Entry("", lazy("Today"), "bell", "admin.show_today", "dashboard.view"),
    Entry("", lazy("Orders"), "receipt", "commerce_admin.list_orders", "orders.view", ("refunds", "flagged")),
    Entry("", lazy("People"), "users", "accounts_admin.list_people", "people.view"),
    Entry(_TEACH, lazy("Courses"), "book-open", "courses_admin.list_courses", "courses.view"),
    Entry(_TEACH, lazy("Forms"), "file-text", "forms_admin.list_forms", "forms.view"),
    Entry(
        _TEACH,
        lazy("Connections"),
        "link",
        "connections_admin.list_connections",
        "connections.edit",
        ("held_deliveries",),
    ),
    Entry(_KEEP, lazy("Jobs"), "workflow", "ops_admin.list_jobs", "jobs.view", ("failed_jobs",)),
    Entry(_KEEP, lazy("Mails"), "mail", "ops_admin.list_mails", "jobs.view", ("failed_mails",)),
    Entry(_KEEP, lazy("Webhooks"), "link", "ops_admin.list_webhooks", "jobs.view", ("failed_webhooks",)),
    Entry(_KEEP, lazy("Roles"), "key-round", "accounts_admin.list_roles", "roles.edit"),
    Entry(_KEEP, lazy("Audit log"), "rows-3", "ops_admin.list_audit", "audit.view"),
    Entry(_KEEP, lazy("Settings"), "settings", "admin.show_settings", "settings.edit"),
)


def install(app: Quart) -> None:
    """Count what waits before a whole page of the office is drawn, and put the navigation into it."""

    @app.before_request
    async def count_waiting() -> None:
        if not _in_office():
            return
        person = user()
        if request.method == "GET" and fragment() is None and person and person.can("dashboard.view"):
            g.waiting = await queries.waiting(clock.now())

    render.add_context(_context)


def waiting() -> Waiting:
    """What was counted for this request."""
    found: Waiting = g.get("waiting") or Waiting()
    return found


def links() -> tuple[Link, ...]:
    """The entries that exist and that this person may open."""
    person = user()
    if person is None:
        return ()
    views, counted = current_app.view_functions, waiting()
    may_open = tuple(entry for entry in ENTRIES if person.can(entry.capability) and entry.endpoint in views)
    counts = tuple(sum(getattr(counted, name) for name in entry.counts) for entry in may_open)
    return _drawn_links(may_open, counts, request.path, i18n.locale())


@lru_cache(maxsize=256)
def _drawn_links(entries: tuple[Entry, ...], counts: tuple[int, ...], path: str, locale: str) -> tuple[Link, ...]:
    links = []
    for entry, count in zip(entries, counts, strict=True):
        url = path_for(entry.endpoint)
        current = path == url or (url != "/admin" and path.startswith(f"{url}/"))
        links.append(Link(str(entry.group), str(entry.label), entry.icon, url, current, count))
    return tuple(links)


def _context() -> Mapping[str, Any]:
    return {"office_nav": links()} if _in_office() else {}


def _in_office() -> bool:
    path = request.path
    return path == "/admin" or path.startswith("/admin/")
