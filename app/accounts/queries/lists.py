"""The office's list of people."""

from app.accounts.roles import LABELS
from app.core import db
from app.core.i18n import lazy
from app.web import tables
from app.web.tables import Choice

TEAM = Choice("team", lazy("All but members"), "u.role <> 'member'", rare=True)
# The first rows by the last visit; "never" has an index in the list's own order.
_SEEN = "SELECT u.* FROM users u WHERE {} ORDER BY u.last_seen_at {}"
_LATELY, _WITHIN_A_MONTH, _LONG_AGO = (
    "u.last_seen_at > now() - interval '7 days'",
    "u.last_seen_at > now() - interval '30 days'",
    "u.last_seen_at < now() - interval '90 days'",
)
SEEN = [
    Choice("week", lazy("Seen in the last 7 days"), _LATELY, _SEEN.format(_LATELY, "DESC"), indexed=False),
    Choice(
        "month", lazy("Seen in the last 30 days"), _WITHIN_A_MONTH, _SEEN.format(_WITHIN_A_MONTH, "DESC"), indexed=False
    ),
    Choice("long_ago", lazy("Not seen for 90 days"), _LONG_AGO, _SEEN.format(_LONG_AGO, "ASC"), indexed=False),
    Choice("never", lazy("Never seen"), "u.last_seen_at IS NULL"),
]
_HAS_SECOND_STEP = """(EXISTS (SELECT 1 FROM mfa_secrets m WHERE m.user_id = u.id)
                       OR EXISTS (SELECT 1 FROM passkeys k WHERE k.user_id = u.id))"""
SECOND_STEP = [
    Choice(
        "on",
        lazy("With a second step"),
        _HAS_SECOND_STEP,
        """SELECT u.* FROM (SELECT user_id FROM mfa_secrets UNION SELECT user_id FROM passkeys) f
           JOIN users u ON u.id = f.user_id""",
        indexed=False,
        rare=True,
    ),
    Choice("off", lazy("Without a second step"), f"NOT {_HAS_SECOND_STEP}", indexed=False),
]
PEOPLE = tables.Listing(
    name="people",
    select="""u.name, u.email, u.role, u.state, u.created_at AS joined, u.last_seen_at AS seen,
              u.email_verified_at IS NOT NULL AS is_verified, '/admin/people/' || u.public_id AS url,
              (SELECT string_agg(t.name, ', ' ORDER BY lower(t.name)) FROM user_tags x JOIN tags t ON t.id = x.tag_id
               WHERE x.user_id = u.id) AS tags""",
    source="users u",
    key="u.id",
    columns=[
        tables.Column("name", lazy("Name"), sort="lower(u.name)", of_names=True),
        tables.Column("email", lazy("Email"), sort="lower(u.email)", priority="mid", of_names=True),
        tables.Column("role", lazy("Role")),
        tables.Column("state", lazy("State")),
        tables.Column("tags", lazy("Tags"), priority="wide"),
        tables.Column("joined", lazy("Joined"), sort="u.created_at", descending_first=True, priority="mid"),
        tables.Column(
            "seen", lazy("Last seen"), sort="u.last_seen_at", nullable=True, descending_first=True, priority="wide"
        ),
    ],
    filters=[
        tables.Search("q", lazy("Name or email"), words="u.words", of_names=True),
        tables.Select(
            "role",
            lazy("Any role"),
            "u.role",
            # Those of the school come with the request.
            [*(Choice(role, label) for role, label in LABELS.items()), TEAM],
        ),
        tables.Select(
            "state",
            lazy("Any state"),
            "u.state",
            [
                Choice("active", lazy("Active")),
                Choice("suspended", lazy("Suspended"), "u.state = 'suspended'"),
                Choice("merged", lazy("Merged into another"), "u.state = 'merged'"),
                Choice("unverified", lazy("Address not confirmed"), "u.email_verified_at IS NULL"),
            ],
        ),
        # Those that there are come with the request.
        tables.Select("tag", lazy("Any tag")),
        tables.Select("seen", lazy("Seen whenever"), "", SEEN),
        tables.Select("second_step", lazy("With and without second step"), "", SECOND_STEP),
        tables.Dates("joined", lazy("Joined"), "u.created_at"),
    ],
    pick="u.public_id",
    sort="-joined",
    empty=tables.Empty(
        lazy("Nobody yet"),
        lazy("Whoever registers or buys stands here."),
        "/admin/people/new",
        lazy("Add a person"),
    ),
    export=[
        (lazy("Name"), "name"),
        (lazy("Email"), "email"),
        (lazy("Role"), "role"),
        (lazy("State"), "state"),
        (lazy("Tags"), "tags"),
        (lazy("Address confirmed"), "is_verified"),
        (lazy("Joined"), "joined"),
        (lazy("Last seen"), "seen"),
    ],
    export_needs="people.export",
)


async def roles_and_tags() -> tuple[dict[str, str], list[db.Row]]:
    """The names of the school's own roles by their keys, and all tags (id, public_id, name), by name."""
    rows = await db.many(
        db.Row,
        """
        SELECT 'role' AS kind, id, key, name FROM roles
        UNION ALL SELECT 'tag', id, public_id, name FROM tags ORDER BY 1, 4, 2
        """,
    )
    return {row.key: row.name for row in rows if row.kind == "role"}, [row for row in rows if row.kind == "tag"]


def tag_choices(tags: list[db.Row]) -> list[Choice]:
    """The filter's options: people with that tag."""
    return [
        Choice(
            tag.key,
            tag.name,
            f"{int(tag.id)} = ANY (ARRAY(SELECT x.tag_id FROM user_tags x WHERE x.user_id = u.id))",  # noqa: S608
            f"""SELECT u.* FROM user_tags x JOIN users u ON u.id = x.user_id
                WHERE x.tag_id = {int(tag.id)} ORDER BY x.user_id DESC""",  # noqa: S608
            indexed=False,
        )
        for tag in sorted(tags, key=lambda tag: tag.name.lower())
    ]
