"""Roles as sets of named capabilities, in one place. Guards and templates ask the same question: `user.can(...)`."""

from app.core.i18n import lazy

# Capability → what it allows, in the words of the back office.
CAPABILITIES = {
    "admin.enter": "See the back office",
    "dashboard.view": "See revenue, orders and learners",
    "courses.view": "See all courses, drafts too",
    "courses.edit": "Edit the courses that one teaches",
    "courses.edit_any": "Create and edit any course, its price too",
    "courses.publish": "Publish and unpublish courses",
    "orders.view": "See orders",
    "orders.refund": "Refund orders",
    "people.view": "See members and what they may use",
    "people.edit": "Edit members, grant and close access",
    "people.roles": "Change roles",
    "jobs.view": "See jobs, mails and webhook deliveries",
    "jobs.retry": "Retry and replay them",
    "audit.view": "Read the audit log",
    "settings.edit": "Change the school's settings",
}

_SUPPORT = {"admin.enter", "dashboard.view", "courses.view", "orders.view", "people.view", "jobs.view"}
_INSTRUCTOR = {"admin.enter", "courses.view", "courses.edit"}
_ADMIN = set(CAPABILITIES) - {"people.roles"}

ROLES: dict[str, frozenset[str]] = {
    "owner": frozenset(CAPABILITIES),
    "admin": frozenset(_ADMIN),
    "instructor": frozenset(_INSTRUCTOR),
    "support": frozenset(_SUPPORT),
    "member": frozenset(),
}

LABELS = {
    "owner": lazy("Owner"),
    "admin": lazy("Administrator"),
    "instructor": lazy("Instructor"),
    "support": lazy("Support"),
    "member": lazy("Member"),
}


def covers(role: str, other: str) -> bool:
    """Whether somebody of `role` may decide about somebody of `other`: nobody may touch who can do more."""
    return ROLES[role] >= ROLES[other]
