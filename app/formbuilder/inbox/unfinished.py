"""Forms that were begun and not sent: what was answered so far, as a list and as a file.

What is half typed is read as what is sent is: an answer that would be refused is left out. A form that keeps no answers shows none.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from app.core.i18n import _, lazy
from app.formbuilder.answering import submissions
from app.formbuilder.fields.kinds import kind_of
from app.formbuilder.inbox.table import Asked
from app.formbuilder.models import Answer, Definition, Posted
from app.formbuilder.queries import reports as queries
from app.web.tables import Column, Dates, Empty, Listing, Search, Toggle

UNFINISHED = Listing(
    name="form-drafts",
    select="d.id, d.created_at AS began, d.updated_at AS touched, d.step, d.email, d.posted",
    source="form_drafts d",
    key="d.id",
    columns=[
        Column("touched", lazy("Last touched"), sort="d.updated_at", descending_first=True),
        Column("step", lazy("Came to")),
        Column("said", lazy("Answered so far")),
        Column("email", lazy("Email"), priority="mid"),
        Column("began", lazy("Began"), priority="mid"),
    ],
    where="false",
    filters=[
        Search("q", lazy("Email"), ["d.email"]),
        Toggle("mail", lazy("With an address"), "d.email <> ''", indexed=False),
        Dates("on", lazy("Last touched"), "d.updated_at"),
    ],
    sort="-touched",
    empty=Empty(
        lazy("Nothing unfinished"),
        lazy("Of a form with several pages, what visitors began and did not send stands here for a month."),
        "",
        "",
    ),
    export_needs="entries.export",
)


@dataclass(frozen=True, slots=True)
class Begun:
    """A form that was begun, as the files of entries have a line for it."""

    public_id: str
    created_at: datetime
    began_at: datetime
    answers: dict[str, Answer]
    email: str
    member: str | None
    version: int
    state: str = ""
    status: str = ""
    is_starred: bool = False
    address: str = ""
    user_agent: str = ""


def listing_of(found: Asked, today: str) -> Listing:
    """The list of this form's."""
    return replace(
        UNFINISHED,
        where=f"d.form_id = {int(found.form.id)} AND d.entry_id IS NULL",
        export=[
            (lazy("Last touched"), "touched"),
            (lazy("Came to"), lambda row: came_to(found.definition, row.step)),
            (lazy("Answered so far"), lambda row: said(found.definition, row.posted, today)),
            (lazy("Email"), "email"),
            (lazy("Began"), "began"),
        ],
    )


def answers_of(definition: Definition, posted: dict[str, Sequence[str]], today: str) -> dict[str, Answer]:
    """What was answered so far."""
    if definition.settings["no_store"]:
        return {}
    secret = {field.id for field in definition.fields if kind_of(field).is_secret}
    read = submissions.read_answers(definition, Posted(posted), today)
    return {name: answer for name, answer in read.answers.items() if name not in secret}


def said(definition: Definition, posted: dict[str, Sequence[str]], today: str) -> str:
    """The same in a line."""
    answers = answers_of(definition, posted, today)
    return " · ".join(submissions.said(definition, answers).splitlines())


def came_to(definition: Definition, screen_id: str) -> str:
    """The page or question that it would be gone on with at."""
    step = next((step for step in definition.steps if step.id == screen_id), None)
    if step is not None:
        return step.title or _("First page")
    field = definition.find(screen_id)
    return field.label if field is not None else screen_id


async def for_file(found: Asked, today: str) -> AsyncIterator[Any]:
    """Each of them, the oldest first, without holding them in memory."""
    async for row in queries.unfinished(found.form.id):
        answers = answers_of(found.definition, row.posted, today)
        yield Begun(f"{row.id}", row.touched, row.began, answers, row.email, row.member, row.version)
