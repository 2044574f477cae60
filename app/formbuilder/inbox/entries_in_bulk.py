"""What the office does to many entries at once (app/web/tables/bulk.py): each act judges all, then acts on locked rows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wtforms import StringField
from wtforms.validators import DataRequired, Length

from app.accounts import users
from app.core import audit, clock
from app.core.errors import Conflict
from app.core.i18n import lazy, ngettext
from app.formbuilder import entries
from app.formbuilder.definition import entry_settings, readings
from app.formbuilder.inbox import table
from app.formbuilder.inbox.listing import ENTRIES
from app.formbuilder.models import Definition
from app.formbuilder.payment import releases
from app.formbuilder.queries import forms as form_queries
from app.formbuilder.queries import inbox as queries
from app.formbuilder.queries.entries import entry_by_id
from app.web.forms import BaseForm
from app.web.tables import bulk
from app.web.tables.acts import Act, Bulk, Outcome, Plan
from app.web.tables.declaration import Text

_CHANGED = lazy("has changed since")
CAPABILITY = "entries.edit"


async def _may(actor_id: int) -> bool:
    actor = await users.find(actor_id)
    return actor is not None and actor.state == "active" and actor.can(CAPABILITY)


@dataclass(frozen=True)
class _MarkAct:
    """Read or unread, starred or not."""

    key: str
    label: Text
    column: str
    on: bool
    sentence: Callable[[int], str]
    capability: str = CAPABILITY
    returns: bool = True

    @property
    def reasons(self) -> Mapping[str, Text]:
        return {"already": lazy("is so already"), "changed": _CHANGED}

    async def plan(self, person: Any, sent: Any) -> Plan:
        now = "e.is_starred" if self.column == "is_starred" else "e.read_at IS NOT NULL"
        return Plan(self.sentence, f"CASE WHEN ({now}) = {self.on} THEN 'already' ELSE '' END", options={})

    async def begin(self, options: dict[str, Any], person: Any) -> dict[str, Any]:
        return options

    async def carry_out(self, ids: Sequence[int], options: dict[str, Any], actor_id: int) -> Mapping[int, Outcome]:
        return await self._mark(ids, actor_id, self.on)

    async def take_back(
        self, before: Mapping[int, Any], options: dict[str, Any], actor_id: int
    ) -> Mapping[int, Outcome]:
        return await self._mark(list(before), actor_id, not self.on)

    async def _mark(self, ids: Sequence[int], actor_id: int, on: bool) -> Mapping[int, Outcome]:
        if not await _may(actor_id):
            return dict.fromkeys(ids, Outcome("right"))
        rows = await queries.lock_many(ids)
        stars = self.column == "is_starred"
        fits = [row.id for row in rows if (row.is_starred if stars else row.read_at is not None) != on]
        if stars:
            await queries.set_star(fits, on)
        else:
            await queries.set_read(fits, clock.now() if on else None)
        return {row.id: Outcome("" if row.id in fits else "already") for row in rows}


class BulkStatusForm(BaseForm):
    """A word for where entries stand."""

    status = StringField(lazy("Status"), [DataRequired(), Length(max=200)])


@dataclass(frozen=True)
class _StatusAct:
    """One of the form's own words. An entry whose form does not have it is left alone."""

    label: Text
    key: str = "status"
    capability: str = CAPABILITY
    returns: bool = True

    @property
    def reasons(self) -> Mapping[str, Text]:
        return {
            "already": lazy("has it already"),
            "word": lazy("its form does not have this word"),
            "changed": _CHANGED,
        }

    async def plan(self, person: Any, sent: Any) -> Plan:
        default = next(one.default for one in entry_settings.SETTINGS if one.name == "statuses")
        form = BulkStatusForm(sent)
        if not sent or not form.validate():
            return Plan(lambda number: "", form=form, suggestions=list(default))
        word = " ".join(form.status.data.split())
        reason = """CASE WHEN e.status = :word THEN 'already'
                         WHEN NOT coalesce((SELECT v.definition #> '{settings,statuses}' FROM form_versions v
                                            WHERE v.id = coalesce(f.live_id, f.head_id)), CAST(:words AS jsonb)) ? :word
                         THEN 'word' ELSE '' END"""

        def said(number: int) -> str:
            return ngettext("Set %(num)s entry to “%(word)s”", "Set %(num)s entries to “%(word)s”", number, word=word)

        return Plan(said, reason, {"word": word, "words": list(default)}, form, {"status": word}, True)

    async def begin(self, options: dict[str, Any], person: Any) -> dict[str, Any]:
        return options

    async def carry_out(self, ids: Sequence[int], options: dict[str, Any], actor_id: int) -> Mapping[int, Outcome]:
        if not await _may(actor_id):
            return dict.fromkeys(ids, Outcome("right"))
        words: dict[int, Sequence[str]] = {}
        found: dict[int, Outcome] = {}
        for row in await queries.lock_many(ids):
            if row.form_id not in words:
                form = await form_queries.asked_now(row.form_id)
                words[row.form_id] = readings.of(form).settings["statuses"] if form else ()
            if options["status"] not in words[row.form_id]:
                found[row.id] = Outcome("word")
            else:
                found[row.id] = await self._set(row, options["status"], actor_id)
        return found

    async def take_back(
        self, before: Mapping[int, Any], options: dict[str, Any], actor_id: int
    ) -> Mapping[int, Outcome]:
        if not await _may(actor_id):
            return dict.fromkeys(before, Outcome("right"))
        found: dict[int, Outcome] = {}
        for row in await queries.lock_many(list(before)):
            if row.status != options["status"]:
                found[row.id] = Outcome("changed")
            else:
                found[row.id] = await self._set(row, before[row.id]["status"], actor_id)
        return found

    async def _set(self, row: Any, status: str, actor_id: int) -> Outcome:
        if row.status == status:
            return Outcome("already")
        old, new = {"status": row.status}, {"status": status}
        await queries.set_status([row.id], status)
        await queries.insert_act(row.id, "status", actor_id, "", old, new, clock.now())
        await audit.record("form_entry.status", "form_entry", row.public_id, before=old, after=new)
        return Outcome("", old)


@dataclass(frozen=True)
class _MoveAct:
    """A move of entries.MOVES; `back` is the move that takes it back."""

    key: str
    sentence: Callable[[int], str]
    back: str = ""
    capability: str = CAPABILITY

    @property
    def label(self) -> Text:
        return entries.MOVES[self.key].label

    @property
    def returns(self) -> bool:
        return bool(self.back)

    @property
    def reasons(self) -> Mapping[str, Text]:
        return {
            "elsewhere": lazy("stands elsewhere"),
            "nobody": lazy("costs something, and has no email address to ask for the payment"),
            "price": lazy("does not tell what it costs"),
            "taken": lazy(
                "has an answer that may be there once only, or the last of something, and another entry has it by now"
            ),
            "changed": _CHANGED,
        }

    async def plan(self, person: Any, sent: Any) -> Plan:
        reason = "CASE WHEN e.state = ANY(CAST(:before AS text[])) THEN '' ELSE 'elsewhere' END"
        return Plan(self.sentence, reason, {"before": list(entries.MOVES[self.key].before)}, options={})

    async def begin(self, options: dict[str, Any], person: Any) -> dict[str, Any]:
        return options

    async def carry_out(self, ids: Sequence[int], options: dict[str, Any], actor_id: int) -> Mapping[int, Outcome]:
        found = await self._move(ids, self.key, actor_id, "elsewhere")
        moves = await queries.last_moves([number for number, outcome in found.items() if not outcome.reason])
        return {
            number: Outcome("", {**(outcome.before or {}), "move": moves[number]}) if number in moves else outcome
            for number, outcome in found.items()
        }

    async def take_back(
        self, before: Mapping[int, Any], options: dict[str, Any], actor_id: int
    ) -> Mapping[int, Outcome]:
        """What somebody took back meanwhile and did anew is theirs. Runs of before this was kept do not say which move was theirs."""
        there = [row.id for row in await self._locked(list(before), self.back)]
        moves = await queries.last_moves(there)
        theirs = [number for number in there if before[number].get("move", moves.get(number)) != moves.get(number)]
        ours = [number for number in there if number not in theirs]
        return {**dict.fromkeys(theirs, Outcome("changed")), **await self._move(ours, self.back, actor_id, "changed")}

    async def _locked(self, ids: Sequence[int], act: str) -> Sequence[Any]:
        if act in entries.BACK:  # their forms before them, as everywhere
            await form_queries.lock_forms_of(ids)
        return await queries.lock_many(ids)

    async def _move(self, ids: Sequence[int], act: str, actor_id: int, otherwise: str) -> Mapping[int, Outcome]:
        if not await _may(actor_id):
            return dict.fromkeys(ids, Outcome("right"))
        read: dict[int, Definition] = {}
        found: dict[int, Outcome] = {}
        for row in await self._locked(ids, act):
            if row.state not in entries.MOVES[act].before:
                found[row.id] = Outcome(otherwise)
                continue
            if row.version_id not in read:
                form = await form_queries.version_by_id(row.version_id)
                assert form is not None  # a version with entries stays
                read[row.version_id] = readings.of(form)
            entry = await entry_by_id(row.id)
            assert entry is not None  # it is locked
            try:
                await releases.act(entry, act, read[row.version_id], by=actor_id)
            except releases.NobodyToAsk:
                found[row.id] = Outcome("nobody")
            except releases.NoPrice:
                found[row.id] = Outcome("price")
            except entries.Missing:
                found[row.id] = Outcome("taken")
            except Conflict:
                found[row.id] = Outcome(otherwise)
            else:
                found[row.id] = Outcome("", {"state": row.state})
        return found


ACTS: list[Act] = [
    _MarkAct(
        "read", lazy("Mark as read"), "read_at", True,
        lambda n: ngettext("Mark %(num)s entry as read", "Mark %(num)s entries as read", n),
    ),
    _MarkAct(
        "unread", lazy("Mark as unread"), "read_at", False,
        lambda n: ngettext("Mark %(num)s entry as unread", "Mark %(num)s entries as unread", n),
    ),
    _MarkAct(
        "star", lazy("Star"), "is_starred", True,
        lambda n: ngettext("Star %(num)s entry", "Star %(num)s entries", n),
    ),
    _MarkAct(
        "unstar", lazy("Take the star away"), "is_starred", False,
        lambda n: ngettext("Take the star from %(num)s entry", "Take the star from %(num)s entries", n),
    ),
    _StatusAct(lazy("Set the status")),
    _MoveAct("approve", lambda n: ngettext("Approve %(num)s entry", "Approve %(num)s entries", n)),
    _MoveAct("refuse", lambda n: ngettext("Refuse %(num)s entry", "Refuse %(num)s entries", n)),
    _MoveAct("spam", lambda n: ngettext("Mark %(num)s entry as spam", "Mark %(num)s entries as spam", n), "not_spam"),
    _MoveAct("not_spam", lambda n: ngettext("Call %(num)s entry no spam", "Call %(num)s entries no spam", n)),
    _MoveAct("bin", lambda n: ngettext("Delete %(num)s entry", "Delete %(num)s entries", n), "restore"),
    _MoveAct("restore", lambda n: ngettext("Bring %(num)s entry back", "Bring %(num)s entries back", n), "bin"),
]  # fmt: skip

ENTRIES_IN_BULK = bulk.register(
    Bulk(
        listing=ENTRIES,
        label=lazy("Entries"),
        needs="entries.view",
        acts=ACTS,
        source="form_entries e JOIN forms f ON f.id = e.form_id",
        key="e.id",
        name="coalesce(nullif(e.email, ''), nullif(left(e.said, 40), ''), e.public_id)",
        facts=[(lazy("Form"), "f.title", ""), (lazy("Email"), "e.email", "entries.export")],
        narrowed=table.narrowed,
    )
)
