"""Roles as sets of named capabilities, in one place. Guards and templates ask the same question: `user.can(...)`.

The built-in roles are below; owners make more (app/accounts/custom_roles.py, table `roles`). docs/permissions.md tells
how a capability is added and asked for.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from babel.support import LazyProxy

from app.core.i18n import lazy


@dataclass(frozen=True, slots=True)
class Capability:
    """Something that may be done, in the words of the back office. `needs`: others that it is no use without."""

    name: str
    label: LazyProxy
    needs: tuple[str, ...] = ("admin.enter",)


@dataclass(frozen=True, slots=True)
class Group:
    """Capabilities that stand together on the page of a role."""

    key: str
    label: LazyProxy
    capabilities: tuple[Capability, ...]


GROUPS = (
    Group(
        "office",
        lazy("Back office"),
        (
            Capability("admin.enter", lazy("Enter the back office"), needs=()),
            Capability("dashboard.view", lazy("See revenue, orders and learners in figures")),
            Capability("settings.edit", lazy("Change the school's settings")),
        ),
    ),
    Group(
        "courses",
        lazy("Courses"),
        (
            Capability("courses.view", lazy("See all courses, drafts too")),
            Capability("courses.edit", lazy("Edit the courses that one teaches"), needs=("courses.view",)),
            Capability("courses.edit_any", lazy("Create courses and edit anybody's"), needs=("courses.edit",)),
            Capability("courses.publish", lazy("Publish, unpublish and archive courses"), needs=("courses.view",)),
            Capability("courses.price", lazy("Set prices, start and stop the sale"), needs=("courses.view",)),
        ),
    ),
    Group(
        "forms",
        lazy("Forms"),
        (
            Capability("forms.view", lazy("See forms and how they do")),
            Capability("forms.edit", lazy("Build forms, open and close them"), needs=("forms.view",)),
            Capability("connections.edit", lazy("Connect the services that entries go to"), needs=("forms.view",)),
            Capability("entries.view", lazy("Read what was answered"), needs=("forms.view",)),
            Capability("entries.edit", lazy("Approve, sort, change and delete entries"), needs=("entries.view",)),
            Capability("entries.export", lazy("Export entries as a file"), needs=("entries.view",)),
        ),
    ),
    Group(
        "orders",
        lazy("Orders and money"),
        (
            Capability("orders.view", lazy("See orders, send receipts again")),
            Capability("orders.refund", lazy("Refund orders"), needs=("orders.view",)),
            Capability("orders.decide", lazy("Accept or reject orders that were flagged"), needs=("orders.view",)),
            Capability("orders.export", lazy("Export orders as a file"), needs=("orders.view",)),
        ),
    ),
    Group(
        "people",
        lazy("People"),
        (
            Capability("people.view", lazy("See members and what they may use")),
            Capability("people.edit", lazy("Add and edit people, send them links to enter"), needs=("people.view",)),
            Capability("people.notes", lazy("Write notes about people, tag them"), needs=("people.view",)),
            Capability("people.access", lazy("Grant and close access"), needs=("people.view",)),
            Capability("people.suspend", lazy("Suspend people, sign them out"), needs=("people.view",)),
            Capability("people.import", lazy("Import people from a file"), needs=("people.view", "people.edit")),
            Capability("people.merge", lazy("Merge two accounts of one person"), needs=("people.view", "people.edit")),
            Capability("people.export", lazy("Export members as a file"), needs=("people.view",)),
            Capability("people.roles", lazy("Give people roles"), needs=("people.view",)),
            Capability("people.impersonate", lazy("Look at the school as another person"), needs=("people.view",)),
            Capability("people.erase", lazy("Erase people, see who asked for it"), needs=("people.view",)),
            Capability("roles.edit", lazy("Make and change roles")),
        ),
    ),
    Group(
        "keep",
        lazy("Keep"),
        (
            Capability("jobs.view", lazy("See jobs, mails and webhook deliveries")),
            Capability("jobs.retry", lazy("Retry and replay them"), needs=("jobs.view",)),
            Capability("audit.view", lazy("Read the audit log")),
            Capability("audit.export", lazy("Export the audit log as a file"), needs=("audit.view",)),
        ),
    ),
)
# Name → capability, in the order of the page.
CAPABILITIES = {capability.name: capability for group in GROUPS for capability in group.capabilities}

_SUPPORT = {
    "admin.enter", "dashboard.view", "courses.view", "orders.view", "orders.export", "people.view", "people.notes",
    "forms.view", "entries.view", "jobs.view",
}  # fmt: skip
_INSTRUCTOR = {"admin.enter", "courses.view", "courses.edit"}
# What an owner alone may do, or gives to somebody in a custom role.
_ADMIN = set(CAPABILITIES) - {"people.roles", "roles.edit"}

ROLES: dict[str, frozenset[str]] = {
    "owner": frozenset(CAPABILITIES),
    "admin": frozenset(_ADMIN),
    "instructor": frozenset(_INSTRUCTOR),
    "support": frozenset(_SUPPORT),
    "member": frozenset(),
}

# The built-in roles; those of the school come with `custom_roles.labels()`.
LABELS = {
    "owner": lazy("Owner"),
    "admin": lazy("Administrator"),
    "instructor": lazy("Instructor"),
    "support": lazy("Support"),
    "member": lazy("Member"),
}

DESCRIPTIONS = {
    "owner": lazy("May do everything, also what comes with later versions."),
    "admin": lazy("Everything but giving and changing roles."),
    "instructor": lazy("Sees all courses, and edits those that they teach."),
    "support": lazy("Looks things up for members: orders, access, mails."),
    "member": lazy("Learns. Does not enter the back office."),
}


def capabilities_of(role: str, granted: Sequence[str] | None = None) -> frozenset[str]:
    """What a role holds. `granted` is what the database says of a custom one; a role that is gone holds nothing."""
    built_in = ROLES.get(role)
    return built_in if built_in is not None else frozenset(granted or ()) & CAPABILITIES.keys()


def with_needed(names: Iterable[str]) -> frozenset[str]:
    """These capabilities and those that they are no use without; unknown names are left out."""
    found: set[str] = set()
    left = [name for name in names if name in CAPABILITIES]
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += CAPABILITIES[name].needs
    return frozenset(found)


class Holder(Protocol):
    """Somebody with a role: a `User`, the `SignedIn` of a request, or `Held`."""

    @property
    def role(self) -> str: ...

    @property
    def capabilities(self) -> frozenset[str]: ...


@dataclass(frozen=True, slots=True)
class Held:
    """A role and what it holds, as if somebody had it."""

    role: str
    capabilities: frozenset[str]


Rule = Callable[[Holder, Holder], bool]


def covers(actor: Holder, subject: Holder) -> bool:
    """Whether `actor` may decide about `subject`: nobody may touch who can do more, and only owners touch owners."""
    return may_give(actor, subject.role, subject.capabilities)


def outranks(actor: Holder, subject: Holder) -> bool:
    """Whether `actor` may take the role of `subject` away, as by another one or a merge: only of who can do less.

    Fellows keep each other's roles. Owners stand above everybody, each other too.
    """
    return actor.role == "owner" or (covers(actor, subject) and actor.capabilities > subject.capabilities)


def may_help_in(actor: Holder, subject: Holder) -> bool:
    """Whether `actor` may change how `subject` proves who they are: address, second step, a password to be chosen anew.

    Whoever holds these can act in the other's name, and the audit log would name the other one. So those of the team are
    helped by owners alone; members by everybody whose role says so.
    """
    return actor.role == "owner" or (outranks(actor, subject) and not subject.capabilities)


def may_give(actor: Holder, role: str, capabilities: Iterable[str]) -> bool:
    """Whether `actor` may give this role: nothing that they do not hold themselves, and only owners make owners."""
    if actor.role == "owner":
        return True
    return role != "owner" and actor.capabilities >= frozenset(capabilities)
