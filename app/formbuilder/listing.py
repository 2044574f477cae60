"""The lists of forms and of entries in the back office."""

from app.core.i18n import lazy
from app.web.tables import Choice, Column, Dates, Empty, Listing, Search, Select, Toggle

FORM_STATES = {
    "draft": lazy("Draft"),
    "open": lazy("Open"),
    "closed": lazy("Closed"),
    "archived": lazy("Archived"),
}
ENTRY_STATES = {
    "received": lazy("Received"),
    "unconfirmed": lazy("Waits for a click in the mail"),
    "waiting": lazy("Waits for approval"),
    "unpaid": lazy("Waits for payment"),
    "spam": lazy("Held as spam"),
    "refused": lazy("Refused"),
    "binned": lazy("In the bin"),
}

# A list of forms counts no further than this.
MOST_COUNTED = 1000

FORMS = Listing(
    name="forms",
    select=f"""f.public_id, f.title, f.slug, f.state, f.updated_at AS changed,
              (SELECT count(*) FROM (SELECT 1 FROM form_entries e WHERE e.form_id = f.id AND e.state <> 'spam'
                                     LIMIT {MOST_COUNTED + 1}) few) AS entries,
              '/admin/forms/' || f.public_id AS url""",  # noqa: S608 (a number of ours)
    source="forms f",
    key="f.id",
    columns=[
        Column("title", lazy("Form"), sort="lower(f.title)"),
        Column("state", lazy("State")),
        Column("entries", lazy("Entries"), align="end"),
        Column("changed", lazy("Changed"), sort="f.updated_at", align="end", descending_first=True),
    ],
    filters=[
        Search("q", lazy("Name or address"), ["f.title", "f.slug"]),
        Select("state", lazy("Any state"), "f.state", [Choice(value, label) for value, label in FORM_STATES.items()]),
    ],
    sort="-changed",
    empty=Empty(
        lazy("No form yet"),
        lazy("A form begins with its name. Nobody sees it until you publish it."),
        "/admin/forms/new",
        lazy("Make the first form"),
    ),
)

ENTRIES = Listing(
    name="form-entries",
    select="""e.public_id, e.email, left(e.said, 160) AS said, e.state, e.status, e.created_at AS came,
              e.read_at IS NULL AS is_new, e.is_starred, e.answers, f.public_id AS form,
              '/admin/forms/' || f.public_id || '/entries/' || e.public_id AS url""",
    source="form_entries e JOIN forms f ON f.id = e.form_id",
    key="e.id",
    columns=[
        Column("came", lazy("Came"), sort="e.created_at", descending_first=True),
        Column("said", lazy("Answers")),
        Column("email", lazy("Email"), priority="mid"),
        Column("status", lazy("Status"), priority="mid"),
        Column("state", lazy("State"), priority="mid"),
    ],
    # Which form, and whether spam and the bin are looked at: app/formbuilder/inbox.py.
    where="false",
    filters=[
        Search("q", lazy("Words in the answers"), words="e.words"),
        Select("state", lazy("Any state"), "e.state", [Choice(value, label) for value, label in ENTRY_STATES.items()]),
        Select("status", lazy("Any status"), "e.status"),
        Toggle("unread", lazy("Unread"), "e.read_at IS NULL"),
        Toggle("starred", lazy("Starred"), "e.is_starred"),
        Dates("came", lazy("Came"), "e.created_at"),
    ],
    sort="-came",
    empty=Empty(lazy("No entries yet"), lazy("What visitors send stands here."), "", ""),
    export_needs="entries.export",
    pick="e.public_id",
)
