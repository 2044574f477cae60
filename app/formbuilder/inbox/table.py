"""The list of a form's entries as one person sees it: its questions as columns, its choices as filters.

The list is declared for each request anew from what the form asks, and has asked before: ids of fields are never used again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from app.core.errors import Invalid, NotFound
from app.core.i18n import _
from app.formbuilder.definition import definitions, readings
from app.formbuilder.fields.kinds import kind_of
from app.formbuilder.inbox.listing import ENTRIES
from app.formbuilder.models import Definition, Field
from app.formbuilder.queries import inbox as queries
from app.formbuilder.queries.inbox import Box
from app.web.tables import Choice, Column, Listing, Select, Toggle
from app.web.tables.declaration import AnyFilter, Choices

MOST_COLUMNS = 8
_CHOICE_FILTERS = 3


@dataclass(frozen=True, slots=True)
class Asked:
    """Everything that a form asks or has asked, by id; what is asked now first."""

    form: Box
    definition: Definition
    fields: Mapping[str, Field]

    @property
    def questions(self) -> list[Field]:
        """The fields that have answers."""
        return [field for field in self.fields.values() if kind_of(field).has_answer]


async def asked(form_id: str, *, by: int = 0) -> Asked:
    """What the form asks, over all versions that may have been answered, with the columns of this person. A version that
    cannot be read does not keep its entries from being seen: its questions are those of the others. Raises NotFound."""
    form = await queries.box(form_id, by)
    if form is None:
        raise NotFound
    read = [each for each in map(readings.soundly, form.definitions) if each is not None]
    read = read or [definitions.read({"title": form.title})]
    fields: dict[str, Field] = {}
    for definition in read:
        for field in definition.fields:
            fields.setdefault(field.id, field)
    return Asked(form, read[0], fields)


def listing_of(found: Asked, chosen: Sequence[str] | None, args: Mapping[str, str]) -> tuple[Listing, Choices]:
    """The list with these questions as columns, and the choices of its filters."""
    shown = [found.fields[name] for name in chosen or () if name in found.fields][:MOST_COLUMNS]
    answers = [Column(f"a_{field.id}", field.label or field.id) for field in shown]
    columns = [column for column in ENTRIES.columns if column.key != "said" or not answers]
    if any(field.kind == "email" for field in shown):
        columns = [column for column in columns if column.key != "email"]
    state = args.get("state", "").strip()
    apart = "" if state in ("spam", "binned") else " AND e.state NOT IN ('spam', 'binned')"
    filters, choices = _filters(found, shown, args)
    listing = replace(
        ENTRIES,
        columns=[columns[0], *answers, *columns[1:]],
        where=f"e.form_id = {int(found.form.id)}{apart}",
        filters=filters,
        export=_file(columns, shown),
        empty=replace(ENTRIES.empty, action_url=f"/admin/forms/{found.form.public_id}", action_label=_("To the form")),
    )
    return listing, choices


def _filters(found: Asked, shown: Sequence[Field], args: Mapping[str, str]) -> tuple[list[AnyFilter], Choices]:
    statuses = found.definition.settings["statuses"]
    choices: dict[str, Sequence[Choice]] = {"status": [Choice(word, word) for word in statuses]}
    known = [field for field in found.questions if kind_of(field).options(field)]
    wanted = [field for field in known if field in shown or args.get(f"f_{field.id}")] or known[:_CHOICE_FILTERS]
    filters = list(ENTRIES.filters)
    if not statuses:
        filters = [item for item in filters if item.name != "status"]
    place = next(n for n, item in enumerate(filters) if isinstance(item, Toggle))
    for number, field in enumerate(wanted):
        name = f"f_{field.id}"
        filters.insert(place + number, Select(name, field.label or field.id))
        choices[name] = [_choice(found.form.id, field.id, value, label) for value, label in _options(field)]
    return filters, choices


def _options(field: Field) -> list[tuple[str, str]]:
    found = [(option.value, option.label) for option in kind_of(field).options(field)]
    return [*found, ("__other__", _("Something else"))] if field.settings.get("other") else found


def _choice(form_id: int, field_id: str, value: str, label: str) -> Choice:
    """Entries with this answer, by the table of choices: first the rows when they are few, else along the list."""
    literal = "'" + f"{field_id}={value[:100]}".replace("'", "''") + "'"
    one = f"c.form_id = {int(form_id)} AND c.choice = {literal}"
    return Choice(
        value,
        label,
        # One look at the key for each row that is walked past: an EXISTS may become a join that reads every choice.
        f"(SELECT true FROM form_answer_choices c WHERE {one} AND c.created_at = e.created_at AND c.entry_id = e.id LIMIT 1)",  # noqa: S608
        f"""SELECT e.* FROM form_answer_choices c JOIN form_entries e ON e.id = c.entry_id
            WHERE {one} ORDER BY c.created_at DESC, c.entry_id DESC""",  # noqa: S608
        indexed=False,
    )


def cell(found: Asked, row: Any, key: str) -> str:
    """What stands in the column of a question."""
    field = found.fields[key.removeprefix("a_")]
    return kind_of(field).text(field, row.answers.get(field.id))


def _file(columns: Sequence[Column], shown: Sequence[Field]) -> list[tuple[Any, Any]]:
    def answer(field: Field, row: Any) -> str:
        return kind_of(field).text(field, row.answers.get(field.id))

    rest: list[tuple[Any, Any]] = [(column.label, column.key) for column in columns[1:]]
    answers = [(field.label or field.id, partial(answer, field)) for field in shown]
    return [(columns[0].label, columns[0].key), *answers, *rest]


async def choose_columns(form_id: str, fields: Sequence[str], *, by: int) -> None:
    """Keep which questions this person wants to see as columns. Raises Invalid for more than there is room for."""
    found = await asked(form_id)
    kept = [name for name in dict.fromkeys(fields) if name in found.fields]
    if len(kept) > MOST_COLUMNS:
        raise Invalid(_("At most %(n)s columns.", n=MOST_COLUMNS))
    await queries.set_columns(by, found.form.id, kept)


async def narrowed(path: str, args: Mapping[str, str]) -> tuple[Listing, Choices]:
    """The list at this address, for acts on everything that its filters find. Raises NotFound."""
    parts = path.strip("/").split("/")
    if len(parts) != 4 or parts[:2] != ["admin", "forms"] or parts[3] != "entries":
        raise NotFound
    return listing_of(await asked(parts[2]), None, args)
