"""What the macros of templates/components/table.html read (docs/tables.md), made from a state and its rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from app.core import i18n
from app.core.i18n import _, ngettext
from app.web.tables import kept
from app.web.tables.declaration import (
    AnyFilter,
    Choice,
    Choices,
    Column,
    Dates,
    Empty,
    Listing,
    Select,
    Toggle,
    choices_of,
    names,
)
from app.web.tables.kept import KeptRows
from app.web.tables.state import State, sign_cursor
from app.web.tables.views import Views, query_of


@dataclass(slots=True)
class Head:
    """A column as it is drawn."""

    key: str
    label: str
    cls: str
    sort_url: str | None
    sort_state: str


@dataclass(slots=True)
class Option:
    """An option of a select filter."""

    value: str
    label: str
    selected: bool


@dataclass(slots=True)
class Filter:
    """A filter as it is drawn, with what is set."""

    kind: str
    name: str
    label: str
    value: Any = ""
    options: list[Option] = field(default_factory=list)
    from_name: str = ""
    from_value: str = ""
    to_name: str = ""
    to_value: str = ""


@dataclass(slots=True)
class Chip:
    """A filter that is set, and the address without it."""

    label: str
    clear_url: str


@dataclass(slots=True)
class Table:
    """Everything `ui.filters` and `ui.table` read."""

    id: str
    base_url: str
    columns: list[Head]
    rows: list[Any]
    filters: list[Filter]
    hidden: list[tuple[str, str]]
    chips: list[Chip]
    prev_url: str | None
    next_url: str | None
    sentence: str
    # How many rows the filters find, as far as it is known, in words.
    counted: str
    export_url: str | None
    empty: Empty
    is_filtered: bool
    clear_url: str
    by_time: bool
    # The filters and the order alone, as a view keeps them.
    query: str
    # All rows that the filters find, in words.
    everything: str
    # Whether only the list is drawn, so that the tabs above it have to come along.
    is_part: bool = False
    views: Views | None = None
    picking: "Picking | None" = None
    kept: KeptRows | None = None


@dataclass(frozen=True, slots=True)
class Picking:
    """The bar below a list whose rows may be picked. `everything` says how many the filters find."""

    url: str
    acts: list[tuple[str, str]]
    everything: str

    @classmethod
    def of(cls, listing: Listing, table: Table, acts: list[tuple[str, str]]) -> "Picking":
        """The bar for what this table shows."""
        url = f"/admin/bulk/lists/{listing.name}"
        return cls(f"{url}?{table.query}" if table.query else url, acts, table.everything)


def draw(
    listing: Listing,
    base_url: str,
    state: State,
    rows: list[Any],
    zone: ZoneInfo,
    choices: Choices | None,
    *,
    plain_url: str = "",
    is_cut: bool = False,
) -> Table:
    """The table of one page. `rows` may hold one row more than a page, which tells that there are more. `is_cut`: they are
    of those that were found first, where not all were looked at.
    """
    backward = state.cursor is not None and state.cursor.backward
    has_more = len(rows) > listing.page_size
    rows = rows[: listing.page_size]
    if backward:
        rows.reverse()
    address = _Address(listing, base_url, state, plain_url or base_url)
    has_previous = has_more if backward else state.cursor is not None
    has_next = backward or has_more
    total = rows[0].list_total if rows else 0
    # Counted among the first of very many, there may be fewer than stand here.
    is_more = bool(rows) and rows[0].list_is_more
    if is_more and is_cut and not total:
        # None of these fits, so all were looked at.
        is_cut, is_more = False, has_more or state.cursor is not None
        total = len(rows)
    elif is_more and not is_cut and not has_more and state.cursor is None:
        # Few of very many fit: to find out, all were walked past.
        is_more, total = False, len(rows)
    total = max(total, len(rows)) if is_more else total
    about = _about(listing, state) if is_more else 0
    return Table(
        id="list",
        base_url=base_url,
        columns=[_head(column, state, address) for column in listing.columns],
        rows=rows,
        filters=[_filter(item, state, choices_of(item, choices)) for item in listing.filters],
        hidden=[("sort", state.sort_name)] if state.sort_name != listing.sort else [],
        chips=_chips(listing, state, address, choices),
        prev_url=address.at("before", sign_cursor(listing, state, rows[0])) if rows and has_previous else None,
        next_url=address.at("after", sign_cursor(listing, state, rows[-1])) if rows and has_next else None,
        sentence=_sentence(rows, total, zone, is_more=is_more, is_cut=is_cut, about=about),
        counted=_counted(total, about, is_more=is_more),
        export_url=address.at("format", "csv") if rows else None,
        empty=listing.empty,
        is_filtered=bool(state.values),
        clear_url=address.without(*state.values),
        by_time=bool(rows) and isinstance(rows[0].list_value, date),
        query=query_of(state.values, state.sort_name if state.sort_name != listing.sort else ""),
        everything=_everything(total, is_more=is_more),
        kept=kept.of(listing.name) if listing.keeps_rows else None,
    )


def _counted(total: int, about: int, *, is_more: bool) -> str:
    if about:
        return _("about %(total)s", total=i18n.format_number(about))
    if is_more:
        return _("more than %(total)s", total=i18n.format_number(total))
    return i18n.format_number(total) if total else ""


def _everything(total: int, *, is_more: bool) -> str:
    if is_more:
        return _("All that match")
    return ngettext("The one that matches", "All %(count)s that match", total, count=i18n.format_number(total))


class _Address:
    """Addresses of this list with something changed; each forgets the place."""

    def __init__(self, listing: Listing, base_url: str, state: State, plain_url: str) -> None:
        self._base_url = base_url
        self._plain_url = plain_url
        self._values = dict(state.values)
        if state.sort_name != listing.sort:
            self._values["sort"] = state.sort_name
        self._default = listing.sort

    def at(self, name: str, value: str) -> str:
        return self._with({**self._values, name: value})

    def sorted(self, name: str) -> str:
        return self._with({**self._values, "sort": "" if name == self._default else name})

    def without(self, *names: str) -> str:
        return self._with({name: value for name, value in self._values.items() if name not in names})

    def _with(self, values: Mapping[str, str]) -> str:
        query = urlencode([(name, value) for name, value in values.items() if value])
        return f"{self._base_url}?{query}" if query else self._plain_url


def _head(column: Column, state: State, address: _Address) -> Head:
    url, order = None, "none"
    if column.sort:
        descending = column.descending_first
        if column.key == state.sort.key:
            order = "descending" if state.descending else "ascending"
            descending = not state.descending
        url = address.sorted(f"-{column.key}" if descending else column.key)
    classes = ["table__num"] if column.align == "end" else []
    classes += [f"table__{column.priority}"] if column.priority else []
    return Head(column.key, str(column.label), " ".join(classes), url, order)


def _filter(item: AnyFilter, state: State, choices: Sequence[Choice]) -> Filter:
    label = str(item.label)
    if isinstance(item, Dates):
        start, end = state.values.get(item.from_name, ""), state.values.get(item.to_name, "")
        return Filter("dates", item.name, label, "", [], item.from_name, start, item.to_name, end)
    value = state.values.get(item.name, "")
    if isinstance(item, Select):
        options = [Option("", label, not value)]
        options += [Option(choice.value, str(choice.label), choice.value == value) for choice in choices]
        return Filter("select", item.name, label, value, options)
    if isinstance(item, Toggle):
        return Filter("toggle", item.name, label, bool(value))
    return Filter("search", item.name, label, value)


def _chips(listing: Listing, state: State, address: _Address, choices: Choices | None) -> list[Chip]:
    chips = []
    for item in listing.filters:
        for name in names(item):
            if name in state.values:
                text = _chip_text(item, name, state.values[name], choices_of(item, choices))
                chips.append(Chip(text, address.without(name)))
    return chips


def _chip_text(item: AnyFilter, name: str, value: str, choices: Sequence[Choice]) -> str:
    if isinstance(item, Select):
        return next((str(choice.label) for choice in choices if choice.value == value), value)
    if isinstance(item, Toggle):
        return str(item.label)
    if isinstance(item, Dates):
        day = i18n.format_day(date.fromisoformat(value), "d MMMM y")
        return _("From %(day)s", day=day) if name == item.from_name else _("Until %(day)s", day=day)
    return _("“%(text)s”", text=value)


def _about(listing: Listing, state: State) -> int:
    """About how many rows a common word finds, in two digits; 0 where something else is asked for as well."""
    is_all = len(state.values) == 1 and not listing.where
    return round(state.about, 2 - len(str(state.about))) if is_all else 0


def _sentence(rows: Sequence[Any], total: int, zone: ZoneInfo, *, is_more: bool, is_cut: bool, about: int) -> str:
    if not rows:
        return ""
    number = i18n.format_number(total)
    if is_more and is_cut:
        said = _("%(shown)s of the first %(total)s found", shown=len(rows), total=number)
    elif is_more and about:
        said = _("%(shown)s of about %(total)s", shown=len(rows), total=i18n.format_number(about))
    elif is_more:
        said = _("%(shown)s of more than %(total)s", shown=len(rows), total=number)
    elif total == len(rows):
        said = ngettext("%(total)s in all", "%(total)s in all", total, total=number)
    else:
        said = _("%(shown)s of %(total)s", shown=len(rows), total=number)
    first, last = rows[0].list_value, rows[-1].list_value
    if isinstance(first, date) and isinstance(last, date):
        start, end = (i18n.format_day(_local(moment, zone), "d MMM y") for moment in (first, last))
        if start == end:
            return _("%(said)s, from %(day)s", said=said, day=start)
        if first > last:
            return _("%(said)s, from %(start)s back to %(end)s", said=said, start=start, end=end)
        return _("%(said)s, from %(start)s to %(end)s", said=said, start=start, end=end)
    return said


def _local(moment: date, zone: ZoneInfo) -> date:
    return moment.astimezone(zone) if isinstance(moment, datetime) else moment
