"""The lists of connected accounts and of deliveries in the back office."""

from babel.support import LazyProxy

from app.core.i18n import lazy
from app.web.tables import Choice, Column, Dates, Empty, Listing, Search, Select, Toggle

DELIVERY_STATES = {
    "waiting": lazy("Waits to be sent"),
    "sent": lazy("Sent"),
    "skipped": lazy("Not to be sent"),
    "held": lazy("Held"),
}
# How it ended, in words.
OUTCOMES: dict[str, LazyProxy] = {
    "created": lazy("New there"),
    "updated": lazy("Brought up to date"),
    "posted": lazy("Posted"),
    "left": lazy("Had left, and stays so"),
    "no_consent": lazy("No agreement: nothing was sent"),
    "condition": lazy("The condition did not hold"),
}

CONNECTIONS = Listing(
    name="connections",
    select="""c.public_id, c.name, c.provider, c.account, c.state, c.checked_at AS checked, c.paused_until,
              (SELECT count(*) FROM form_deliveries d WHERE d.connection_id = c.id AND d.state = 'held') AS held,
              '/admin/connections/' || c.public_id AS url""",
    source="form_connections c",
    key="c.id",
    columns=[
        Column("name", lazy("Name"), sort="lower(c.name)"),
        Column("provider", lazy("Service"), sort="c.provider", priority="mid"),
        Column("state", lazy("State")),
        Column("held", lazy("Held"), align="end"),
        Column("checked", lazy("Checked"), sort="c.checked_at", nullable=True, align="end", priority="mid"),
    ],
    filters=[
        Search("q", lazy("Name or account"), ["c.name", "c.account", "c.provider"]),
        Select("provider", lazy("Any service"), "c.provider"),
        Select(
            "state", lazy("Any state"), "c.state",
            [Choice("good", lazy("Works"), indexed=False), Choice("refused", lazy("Refused"), indexed=False)],
        ),
        Toggle(
            "held", lazy("With held deliveries"),
            "EXISTS (SELECT 1 FROM form_deliveries d WHERE d.connection_id = c.id AND d.state = 'held')", indexed=False,
        ),
    ],
    sort="name",
    empty=Empty(
        lazy("Nothing is connected yet"),
        lazy("Connect a newsletter, a channel or a table once: any form can hand its entries to it then."),
        "/admin/connections/new",
        lazy("Connect a service"),
    ),
)  # fmt: skip


def _deliveries(name: str, where: str, when: str, *extra: Select) -> Listing:
    return Listing(
        name=name,
        select=f"""d.id, e.email, e.public_id AS entry, f.title AS form, coalesce(c.name, '') AS connection, c.provider,
              d.state, d.outcome, d.error, d.attempts, {when} AS came,
              greatest(d.next_at, d.claimed_until, c.paused_until) AS due, c.paused_until, e.state AS entry_state,
              '/admin/forms/' || f.public_id || '/deliveries/' || d.id AS url""",
        source="""form_deliveries d JOIN form_entries e ON e.id = d.entry_id JOIN forms f ON f.id = e.form_id
              LEFT JOIN form_connections c ON c.id = d.connection_id""",
        key="d.id",
        columns=[
            Column("came", lazy("Came"), sort=when, descending_first=True),
            Column("email", lazy("Of"), priority="mid"),
            Column("form" if name == "connection-deliveries" else "connection", lazy("Form")
                   if name == "connection-deliveries" else lazy("Sent to")),
            Column("state", lazy("State")),
            Column("said", lazy("What came of it"), priority="mid"),
        ],
        where=where,
        filters=[
            *extra,
            Select(
                "state", lazy("Any state"), "d.state",
                [Choice(value, label, indexed=False) for value, label in DELIVERY_STATES.items()],
            ),
            Dates("came", lazy("Came"), when),
        ],
        sort="-came",
        empty=Empty(
            lazy("Nothing was handed on yet"), lazy("What leaves of each entry stands here, with what was answered.")
        ),
        export=[
            (lazy("Came"), lambda row: row.came),
            (lazy("Of"), lambda row: row.email),
            (lazy("Form"), lambda row: row.form),
            (lazy("Sent to"), lambda row: row.connection),
            (lazy("State"), lambda row: row.state),
            (lazy("What came of it"), lambda row: row.error or row.outcome),
        ],
        export_needs="entries.export",
    )  # fmt: skip


OF_FORM = _deliveries(
    "form-deliveries",
    "e.form_id = :form_id",
    "e.created_at",
    Select("provider", lazy("Any service"), "c.provider"),
)
OF_CONNECTION = _deliveries(
    "connection-deliveries",
    "d.connection_id = :connection_id",
    "d.created_at",
    Select("form", lazy("Any form"), "f.public_id"),
)
