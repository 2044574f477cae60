"""What a domain says of a list: columns, filters, and the SQL fragments they stand for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from babel.support import LazyProxy

from app.core.i18n import lazy

# Written down at import, so `i18n.lazy("…")`; names that people gave (a course's title) are plain strings.
Text = str | LazyProxy


@dataclass(frozen=True, slots=True)
class Column:
    """A column: the cell is `row.<key>`. `sort`: the SQL it is sorted by ("" when it cannot be).

    `of_names`: these are people's names or addresses, which have much to do with the words that are searched for.
    """

    key: str
    label: Text
    sort: str = ""
    align: Literal["", "end"] = ""
    priority: Literal["", "mid", "wide"] = ""
    nullable: bool = False
    descending_first: bool = False
    of_names: bool = False


@dataclass(frozen=True, slots=True)
class Search:
    """Free text. With `words`, a column made by `search_words(…)` that has a GIN index, every word that is typed must
    begin one of these: fast in any number of rows. `of_names`: these are people's names and addresses, so that one or two
    letters begin a good part of them, and `word_beginnings(words)` has an index too. With `expressions`, for short lists
    only, every word must occur somewhere in one of them.
    """

    name: str
    label: Text
    expressions: Sequence[str] = ()
    words: str = ""
    of_names: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """One value of a Select. `where` replaces the comparison with the select's expression.

    `indexed`: an index finds its rows in the list's own order; see `Listing`. `rows`: a SELECT of the list's rows that it
    stands for, by way of another table; when they are few they are taken from there. `rare`: they are fewer than what
    anything else finds nearly always, so that they are looked for first. `has_words`: the words of its rows have an index
    of their own, which finds a name among them however common it is in the whole list.
    """

    value: str
    label: Text
    where: str = ""
    rows: str = ""
    indexed: bool = True
    rare: bool = False
    has_words: bool = False


@dataclass(frozen=True, slots=True)
class Select:
    """One of some values. `label` is the option for "any". Choices known only at run time: `show(choices={name: …})`."""

    name: str
    label: Text
    expression: str = ""
    choices: Sequence[Choice] = ()


@dataclass(frozen=True, slots=True)
class Dates:
    """Days in the school's time zone, both ends included, on a timestamptz.

    `where` replaces the comparison: a condition on the dates `:first` and `:last`, such as an EXISTS over days. `within` is
    another that goes before it: what an index finds in the list's own order; of these, `certain` ones match without a look
    at `where`, and are counted first.
    """

    name: str
    label: Text
    expression: str = ""
    from_name: str = "from"
    to_name: str = "to"
    where: str = ""
    within: str = ""
    certain: str = "false"


@dataclass(frozen=True, slots=True)
class Toggle:
    """On or off; `where` holds when it is on."""

    name: str
    label: Text
    where: str
    indexed: bool = True


@dataclass(frozen=True, slots=True)
class Empty:
    """What stands there when nothing exists yet."""

    title: Text
    text: Text = ""
    action_url: str | None = None
    action_label: Text | None = None


AnyFilter = Search | Select | Dates | Toggle


@dataclass(frozen=True, slots=True)
class Listing:
    """A list. `where` is a condition that always holds; its binds come with each `show` or `load`. `source` is its table with
    an alias; what is joined to it brings what is shown, and leaves no row out.

    Its rows are counted up to a limit, among those that one indexed filter and the dates find: an index on the filter's
    expression and the list's own order is what it takes. Choices and toggles that have none say `indexed=False`.

    `export` replaces the columns in the CSV: pairs of a label and a function from the row to the cell's value.
    `export_needs` is the capability that the CSV asks for, when seeing the list is not enough.
    `pick` is the expression by which rows are picked for an act on several (see `bulk`).
    `keeps_rows`: its template draws a row from the row alone, never from who looks or what was asked (see `kept`).
    """

    name: str
    select: str
    source: str
    key: str
    columns: Sequence[Column]
    sort: str
    where: str = ""
    filters: Sequence[AnyFilter] = ()
    empty: Empty = field(default_factory=lambda: Empty(lazy("Nothing here yet")))
    page_size: int = 40
    export: Sequence[tuple[Text, Any]] | None = None
    export_needs: str = ""
    pick: str = ""
    keeps_rows: bool = False

    def column(self, key: str) -> Column | None:
        """The sortable column of this key."""
        return next((column for column in self.columns if column.key == key and column.sort), None)


Choices = Mapping[str, Sequence[Choice]]


def names(item: AnyFilter) -> tuple[str, ...]:
    """The parameters of a filter in the address."""
    return (item.from_name, item.to_name) if isinstance(item, Dates) else (item.name,)


def choices_of(item: AnyFilter, choices: Choices | None) -> Sequence[Choice]:
    """The values that a Select offers in this request."""
    if not isinstance(item, Select):
        return ()
    return (choices or {}).get(item.name, item.choices)
