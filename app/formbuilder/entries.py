"""Entries after they came in: what they wait for, what counts, notes, edits. The one table of moves is MOVES.

An entry counts when it is `received`; `EntryReceived` is published in the transaction that makes it so, once, whoever
asks and however many at once: `counted_at` is set by one guarded update.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import orjson

from app.core import audit, clock, db, events, mail, queue, tokens
from app.core.errors import Conflict, Invalid
from app.core.i18n import _, lazy
from app.formbuilder.answering import uniqueness
from app.formbuilder.definition import readings
from app.formbuilder.events import EntryReceived, EntryReturned
from app.formbuilder.fields.kinds import kind_of
from app.formbuilder.logic import scoring
from app.formbuilder.models import Answer, Definition, Entry, Form
from app.formbuilder.payment import bills, stock
from app.formbuilder.queries import forms as form_queries
from app.formbuilder.queries import inbox as queries
from app.formbuilder.queries import payments as payment_queries
from app.formbuilder.queries import retention
from app.formbuilder.queries.entries import entry_by_id
from app.formbuilder.settings import Words
from app.formbuilder.typed_addresses import may_ask

CONFIRM_WITHIN = timedelta(days=7)
# An unconfirmed entry stays for a while after its link ended, so that another can be asked for; then it is swept.
SWEPT_AFTER = timedelta(days=7)
BINNED_FOR = timedelta(days=30)
# What a form without storage sends out has this long to be planned; what still waits then holds the answers.
EMPTY_AFTER = timedelta(hours=1)
LONGEST_NOTE = 5000


@dataclass(frozen=True, slots=True)
class Move:
    """Something that may be done with an entry: from which states, and to which. `to` "" is what comes next for it."""

    before: tuple[str, ...]
    to: str
    label: Words
    done: Words


_LIVE = ("received", "unconfirmed", "waiting", "unpaid", "spam", "refused")
MOVES: dict[str, Move] = {
    "confirm": Move(("unconfirmed",), "", lazy("Confirm"), lazy("Confirmed")),
    "approve": Move(("waiting", "refused"), "received", lazy("Approve"), lazy("Approved")),
    "refuse": Move(("waiting",), "refused", lazy("Refuse"), lazy("Refused")),
    "pay": Move(("unpaid",), "", lazy("Paid"), lazy("Paid")),
    # No spam after all, and still to be paid for.
    "ask": Move(
        ("spam",), "unpaid", lazy("Ask for the payment"), lazy("No spam after all; its sender is asked to pay by mail")
    ),
    "spam": Move(("received", "unconfirmed", "waiting"), "spam", lazy("Mark as spam"), lazy("Marked as spam")),
    "not_spam": Move(("spam",), "", lazy("Not spam"), lazy("No spam after all")),
    "bin": Move(_LIVE, "binned", lazy("Delete"), lazy("Deleted")),
    "restore": Move(("binned",), "", lazy("Bring back"), lazy("Brought back")),
}
# What counts for nothing, in limits, stock and unique answers; and what may bring that back.
_AWAY = ("spam", "refused", "binned")
BACK = ("approve", "not_spam", "restore")
# What the office may do; the others are for whoever sent it, and for money.
BY_OFFICE = ("approve", "refuse", "not_spam", "spam", "bin", "restore")


def first_state(definition: Definition, email: str, *, is_spam: bool = False, is_unpaid: bool = False) -> str:
    """Where an entry begins: what it waits for first, or `received` when it counts at once."""
    if is_spam:
        return "spam"
    if is_unpaid:
        return "unpaid"
    return _next(definition, email, "unpaid")


def _next(definition: Definition, email: str, passed: str) -> str:
    """What comes after what it has passed: payment, then the click in the mail, then approval."""
    if passed == "unpaid" and definition.settings["opt_in"] and email:
        return "unconfirmed"
    if passed in ("unpaid", "unconfirmed") and definition.settings["approval"]:
        return "waiting"
    return "received"


async def arrived(entry: Entry, definition: Definition) -> None:
    """What follows in the transaction that an entry came in with: it counts, or its link is mailed."""
    if entry.state == "received":
        await _count(entry.id, definition)
    elif entry.state == "unconfirmed":
        await _mail_link(entry, definition)


async def _count(entry_id: int, definition: Definition, counted_at: datetime | None = None) -> None:
    now = clock.now()
    empty_after = now + EMPTY_AFTER if definition.settings["no_store"] else None
    is_new = await queries.count_in(entry_id, now, empty_after)
    await events.publish(EntryReceived(entry_id) if is_new else EntryReturned(entry_id))
    # Gone before it was opened, what is free is opened when it is back; not anew, and not of long ago.
    if bills.may_sell_products(definition) and (is_new or (counted_at is not None and counted_at > now - BINNED_FOR)):
        await queue.enqueue_named([("formbuilder.open_free", {"entry_id": entry_id})])


async def move(entry: Entry, act: str, definition: Definition, *, by: int | None = None) -> str:
    """Do what MOVES tells under this name; the state it is in then. Raises Conflict when it is not where that may begin, Missing
    where the office (`by`) brings back what cannot count again: whose money came is not asked.

    Of two at once one does it, and the other is told.
    """
    known = MOVES[act]
    now = clock.now()
    async with db.transaction():
        if act in BACK:  # one at a time, as when a form is sent
            await form_queries.lock_form(entry.form_id)
        before = await queries.lock_state(entry.id)
        if before is None or before.state not in known.before:
            raise Conflict(_quicker())
        state = known.to or _after(act, before, entry, definition)
        if act in BACK and by is not None and before.state in _AWAY and state not in _AWAY:
            await _check_return(entry, before.answers)
        if not await queries.move(entry.id, list(known.before), state, now):
            raise Conflict(_quicker())
        await queries.insert_act(entry.id, "state", by, act, {"state": before.state}, {"state": state}, now)
        await audit.record(
            f"form_entry.{act}", "form_entry", entry.public_id, before={"state": before.state}, after={"state": state}
        )
        if state == "received":
            await _count(entry.id, definition, before.counted_at)
        elif state == "unconfirmed" and before.state != "binned":
            # Who has paid waits for it, however often the address was typed.
            await _mail_link(entry, definition, counts=by is None and act != "pay")
        elif state == "refused" and before.state == "waiting" and definition.settings["refusal"] and entry.email:
            words = {"title": definition.title, "words": definition.settings["refusal"]}
            await mail.send(entry.email, "formbuilder/refusal", words, fact=f"form_entry:{entry.id}:refusal")
    return state


class Missing(Conflict):
    """Others have by now what an entry had before it went."""


async def _check_return(entry: Entry, answers: Mapping[str, Answer]) -> None:
    """Raise Missing where another entry has an answer that may be there once only, or the last of an option. The form is locked,
    and is asked as it is now: where it cannot be read, it says nothing of either. What was given up counts for nothing."""
    form = await form_queries.asked_now(entry.form_id)
    now = readings.soundly(form.definition) if form is not None else None
    if form is None or now is None or not await payment_queries.is_held(entry.id):
        return
    found = await uniqueness.taken(form.id, now, answers, but=entry.id) | await stock.taken_since(form, entry.id, now)
    if found:
        labels = {each.id: each.label or each.id for each in now.fields}
        why = " ".join(f"“{labels[name]}”: {sentence}" for name, sentence in found.items())
        raise Missing(_("It cannot come back with these answers. %(why)s", why=why))


async def throw_away(entry: Entry, definition: Definition, *, by: int) -> int:
    """Move it to the bin; the number of that move, by which it can be taken back. Raises Conflict as `move` does."""
    async with db.transaction():
        await move(entry, "bin", definition, by=by)
        return (await queries.last_moves([entry.id]))[entry.id]


async def take_back(entry: Entry, definition: Definition, number: int, *, by: int) -> None:
    """Bring it back, if nobody moved it after the move of this number. Raises Conflict."""
    async with db.transaction():
        await form_queries.lock_form(entry.form_id)  # before the entry, as everywhere
        await queries.lock_state(entry.id)
        if (await queries.last_moves([entry.id])).get(entry.id) != number:
            raise Conflict(_quicker())
        await move(entry, "restore", definition, by=by)


def _quicker() -> str:
    return _("Somebody was quicker: this entry stands elsewhere now. Look at it again.")


def _after(act: str, before: Any, entry: Entry, definition: Definition) -> str:
    if act == "restore":
        return str(before.binned_from or "received")
    if before.counted_at is not None:
        return "received"
    if act != "not_spam":
        return _next(definition, entry.email, before.state)
    return _next(definition, entry.email, "unconfirmed" if before.is_confirmed else "unpaid")


# --- the click in the mail -------------------------------------------------------------------------------------------


async def _mail_link(entry: Entry, definition: Definition, *, counts: bool = True) -> bool:
    """False, and no mail, when this address was written to often enough, if that `counts`."""
    if counts and not await may_ask(entry.email):
        return False
    token, now = tokens.random_token(), clock.now()
    form = await form_queries.version_by_id(entry.version_id)
    assert form is not None  # a version with entries stays
    await queries.set_link(entry.id, tokens.hashed(token), now + CONFIRM_WITHIN)
    await mail.send(
        entry.email,
        "formbuilder/confirm",
        {"title": definition.title, "path": f"/forms/{form.slug}/confirmations/{token}"},
        fact=f"form_entry:{entry.id}:confirm:{tokens.hashed(token).hex()[:16]}",
    )
    return True


async def of_link(token: str) -> tuple[Entry, bool] | None:
    """The entry that a mailed link is about, and whether the link is still good; None for one that never was."""
    found = await queries.entry_of_link(tokens.hashed(token)) if len(token) < 100 else None
    if found is None:
        return None
    entry = await entry_by_id(found.id)
    return (entry, found.expires_at > clock.now()) if entry is not None else None


async def confirm(token: str, definition: Definition) -> str:
    """Somebody pressed the button behind the link: the state it is in now. Done before, it stays; raises Conflict after its time."""
    found = await of_link(token)
    if found is None or not found[1]:
        raise Conflict(_("This link is too old. Ask for another one."))
    entry, _good = found
    if entry.state != "unconfirmed":
        return entry.state
    try:
        return await move(entry, "confirm", definition)
    except Conflict:
        again = await entry_by_id(entry.id)
        return again.state if again is not None else ""


async def send_link_again(entry: Entry, definition: Definition, *, by: int | None = None) -> None:
    """Mail another link; the one before ends. Raises Conflict for an entry that waits for no click, and for an address that
    visitors had written to often enough."""
    async with db.transaction():
        before = await queries.lock_state(entry.id)
        if before is None or before.state != "unconfirmed":
            raise Conflict(_("This entry waits for no click any more."))
        if not await _mail_link(entry, definition, counts=by is None):
            raise Conflict(_("This address was written to often enough for now. Please try again tomorrow."))
        await queries.insert_act(entry.id, "resend", by, "confirm", None, None, clock.now())


async def sweep() -> tuple[int, int]:
    """Take away what was never confirmed and what was thrown away long ago; how many of each."""
    now = clock.now()
    unconfirmed = await retention.delete_unconfirmed(now - SWEPT_AFTER, now - CONFIRM_WITHIN - SWEPT_AFTER)
    binned = await retention.delete_binned(now - BINNED_FOR)
    if unconfirmed or binned:
        async with db.transaction():
            await audit.record(
                "form_entry.sweep", "form_entry", "all", after={"unconfirmed": unconfirmed, "binned": binned}
            )
    return unconfirmed, binned


# --- what the office writes ------------------------------------------------------------------------------------------


async def mark(entry: Entry, *, is_starred: bool | None = None, is_read: bool | None = None) -> None:
    """Star it or not, call it read or not."""
    if is_starred is not None:
        await queries.set_star([entry.id], is_starred)
    if is_read is not None:
        await queries.set_read([entry.id], clock.now() if is_read else None)


async def set_status(entry: Entry, status: str, definition: Definition, *, by: int) -> None:
    """One of the form's words, or none. Raises Invalid for another."""
    if status and status not in definition.settings["statuses"]:
        raise Invalid(_("Choose one of the list."))
    async with db.transaction():
        before = await queries.lock_state(entry.id)
        if before is None or before.status == status:
            return
        await queries.set_status([entry.id], status)
        await queries.insert_act(entry.id, "status", by, "", {"status": before.status}, {"status": status}, clock.now())
        await audit.record(
            "form_entry.status",
            "form_entry",
            entry.public_id,
            before={"status": before.status},
            after={"status": status},
        )


async def note(entry: Entry, text: str, *, by: int) -> None:
    """Write something down beside it. Raises Invalid for nothing, or for too much."""
    text = text.replace("\r\n", "\n").strip()
    if not text:
        raise Invalid(_("Write something first."))
    if len(text) > LONGEST_NOTE:
        raise Invalid(_("At most %(n)s characters.", n=LONGEST_NOTE))
    async with db.transaction():
        await queries.insert_act(entry.id, "note", by, text, None, None, clock.now())
        await audit.record("form_entry.note", "form_entry", entry.public_id)


class ChangedMeanwhile(Conflict):
    """The answers are not those any more that the editor saw."""


class Unkept(Invalid):
    """Answers that cannot be put in place of those: a sentence by field id."""

    def __init__(self, sentences: Mapping[str, str]) -> None:
        super().__init__(" ".join(dict.fromkeys(sentences.values())))
        self.sentences = sentences


class SoldOut(Unkept):
    """Of something that the answers want there is too little left."""


class Taken(Unkept):
    """Another entry has an answer that may be there once only."""


def mark_of(answers: Mapping[str, Answer]) -> str:
    """What the form of an edit carries, so that it is known whether the answers it shows are still those."""
    return tokens.keyed(f"form-answers:{orjson.dumps(answers, option=orjson.OPT_SORT_KEYS).decode()}").hex()[:24]


async def edit(
    entry: Entry,
    definition: Definition,
    answers: Mapping[str, Answer],
    said: str,
    email: str,
    *,
    by: int,
    seen: str = "",
) -> bool:
    """Put other answers in place of those; whether anything changed. What was there before stays in the history.

    `seen` is the mark of what the editor saw. Raises ChangedMeanwhile when somebody has changed that, Conflict when the answers
    are gone, SoldOut where they want more of something than is left, Taken where another entry has what may be there once only.
    """
    async with db.transaction():
        # One at a time, as when a form is sent: stock and unique answers are counted under this lock.
        await form_queries.lock_form(entry.form_id)
        before = await queries.lock_state(entry.id)
        if before is None or before.emptied_at is not None:
            raise Conflict(_("The answers of this entry are gone."))
        if seen and seen != mark_of(before.answers) and before.answers != answers:
            raise ChangedMeanwhile(
                _(
                    "Somebody changed these answers while you did. Nothing of yours is kept yet: keep it again to put it in place of theirs."
                )
            )
        changed = [name for name in {**before.answers, **answers} if before.answers.get(name) != answers.get(name)]
        if not changed:
            return False
        form = await form_queries.asked_now(entry.form_id)
        # Visitors are held to what the form says now. Where that cannot be read, it says nothing of how much there is.
        now = readings.soundly(form.definition) if form is not None else None
        fresh = {name: answers[name] for name in changed if name in answers}
        if given := await uniqueness.taken(entry.form_id, now or definition, fresh, but=entry.id):
            raise Taken(given)
        if form is not None and now is not None:
            await _take_stock(form, now, replace(entry, answers=before.answers), answers)
        await queries.set_answers(entry.id, dict(answers), said, email)
        if email.lower() != before.email.lower() and not before.is_confirmed:
            await queries.end_link(entry.id)  # it was mailed to somebody else
            if before.state == "unconfirmed" and email:
                await _mail_link(replace(entry, email=email), definition, counts=False)
        result = scoring.result_of(definition, answers)
        if result is not None:
            await payment_queries.set_score(entry.id, result.score, result.outcome or result.grade)
        await queries.insert_act(
            entry.id,
            "edit",
            by,
            "",
            {name: before.answers.get(name) for name in changed},
            {name: answers.get(name) for name in changed},
            clock.now(),
        )
        # Which questions, not what was answered: the log outlives the entry.
        await audit.record("form_entry.edit", "form_entry", entry.public_id, after={"fields": sorted(changed)})
    return True


async def _take_stock(form: Form, now: Definition, entry: Entry, answers: Mapping[str, Answer]) -> None:
    """How much there is says what visitors answer now, as when a form is sent."""
    if out := await stock.change(form, entry, now, answers):
        raise SoldOut(out)


def with_kept(definition: Definition, before: Mapping[str, Answer], after: Mapping[str, Answer]) -> dict[str, Answer]:
    """Edited answers with those that the form of the edit could not show: fields of groups such as files, agreements, which
    are kept word for word as they were given, and what everything came to when it was sent."""
    kept = {
        field.id: before[field.id]
        for field in definition.fields
        if field.id in before and (kind_of(field).group == "file" or field.kind in ("consent", "total"))
        and (field.id in after or kind_of(field).group == "file")
    }  # fmt: skip
    return {**after, **kept}


@dataclass(frozen=True, slots=True)
class Change:
    """One answer before and after, as people read it."""

    label: str
    before: str
    after: str


def changes(
    definition: Definition, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> Sequence[Change]:
    """What an edit changed, in words."""
    found = []
    for name in after or {}:
        field = definition.find(name)
        old, new = (before or {}).get(name), (after or {}).get(name)
        if field is None:
            found.append(Change(name, str(old or ""), str(new or "")))
        else:
            kind = kind_of(field)
            found.append(Change(field.label or name, kind.text(field, old), kind.text(field, new)))
    return found
