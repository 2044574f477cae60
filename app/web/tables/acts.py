"""What a list says of the acts on many of its rows; `bulk` carries them out."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from app.core.errors import Forbidden, Invalid
from app.core.i18n import _, lazy
from app.web.forms import BaseForm
from app.web.request import Visitor
from app.web.tables.declaration import Choices, Listing, Text

# Why a row is left alone, whatever the act.
STOPPED = "stopped"
REASONS: dict[str, Text] = {
    STOPPED: lazy("was not reached, since it stopped half-way"),
    "gone": lazy("is not there any more"),
    "right": lazy("your role did not allow it any more"),
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one row: no `reason` when it was done; `before` is what taking it back needs."""

    reason: str = ""
    before: dict[str, Any] | None = None


@dataclass(slots=True)
class Plan:
    """An act with what was chosen for it. `form` is shown beside it; without `options` it has to be filled in first, and
    when it was (`is_settled`), it is shown as it is looked at. `suggestions` are words for its first field.

    `reason` is SQL over the list's source: why a row is left alone, '' when it is not.
    """

    sentence: Callable[[int], str]
    reason: str = "''"
    binds: dict[str, Any] = field(default_factory=dict)
    form: BaseForm | None = None
    options: dict[str, Any] | None = None
    is_settled: bool = False
    suggestions: Sequence[str] = ()


class Act(Protocol):
    """Something that may be done to many rows."""

    @property
    def key(self) -> str: ...

    @property
    def label(self) -> Text: ...

    @property
    def capability(self) -> str: ...

    @property
    def reasons(self) -> Mapping[str, Text]:
        """Why it may leave a row alone, in words."""
        ...

    @property
    def returns(self) -> bool:
        """Whether it can be taken back."""
        ...

    async def plan(self, person: Any, sent: Any) -> Plan:
        """What would be done with the options that were `sent` (form fields; empty at first)."""
        ...

    async def begin(self, options: dict[str, Any], person: Any) -> dict[str, Any]:
        """The options as the job needs them, in the transaction that begins it. Raises Forbidden and Invalid."""
        ...

    async def carry_out(self, ids: Sequence[int], options: dict[str, Any], actor_id: int) -> Mapping[int, Outcome]:
        """Do it to these, in the current transaction, after another look at who may. Ids that are left out are gone."""
        ...

    async def take_back(
        self, before: Mapping[int, Any], options: dict[str, Any], actor_id: int
    ) -> Mapping[int, Outcome]:
        """Undo it for these, in the same way."""
        ...


@dataclass(frozen=True, slots=True)
class Bulk:
    """What may be done to many rows of a list. `source`, `key`, `name`: the rows by their key, for words about them.

    `narrowed`: for a list that is declared for each request anew, what it is at a path with these parameters.
    `facts` stand in the file of what came of it: a title, SQL over the source, and the capability it needs, or "".
    """

    listing: Listing
    label: Text
    needs: str
    acts: Sequence[Act]
    source: str
    key: str
    name: str
    facts: Sequence[tuple[Text, str, str]]
    choices: Callable[[], Awaitable[Choices]] | None = None
    narrowed: Callable[[str, Mapping[str, str]], Awaitable[tuple[Listing, Choices]]] | None = None

    def act(self, key: str, person: Visitor) -> Act:
        """The act of this name. Raises Forbidden when the person may not see the list or do it, Invalid when it is none."""
        if not person.can(self.needs):
            raise Forbidden(_("Your role does not allow this."))
        found = next((act for act in self.acts if act.key == key), None)
        if found is None:
            raise Invalid(_("Choose what to do."))
        if not person.can(found.capability):
            raise Forbidden(_("Your role does not allow this."))
        return found

    def offered(self, person: Visitor | None) -> list[Act]:
        """The acts that this person may do."""
        return [act for act in self.acts if person is not None and person.can(act.capability)]
