"""Answers coming in: what was posted becomes an entry, or is refused with a sentence beside each field.

One transaction: evaluate, validate, insert, publish. What a hidden field was sent is dropped before it is looked at.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from app.commerce.models import Buyer
from app.core import clock, db, events, tokens
from app.core.errors import Conflict, Invalid, NotFound
from app.core.i18n import _
from app.core.ids import public_id
from app.core.settings import school
from app.formbuilder import definitions, payments, plans, scoring
from app.formbuilder.events import EntryReceived
from app.formbuilder.fields.kinds import Wrong, kind_of
from app.formbuilder.logic import Outcome
from app.formbuilder.models import Answer, Definition, Entry, Field, Form, Posted
from app.formbuilder.queries import entries as queries
from app.formbuilder.queries import forms as form_queries
from app.formbuilder.queries import payments as payment_queries


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sent a form, as far as is known: kept with the entry unless the form says otherwise."""

    user_id: int | None = None
    address: str = ""
    user_agent: str = ""
    # The page that was opened, told by its stamp: its number, and when it was first touched.
    stamp: str = ""
    began_at: datetime | None = None
    # Of somebody who is signed in: who buys, where the form takes payment.
    email: str = ""
    name: str = ""
    # The prices of the shop as the page showed them, signed; and the unpaid entry that this one takes the place of.
    prices: str = ""
    instead: str = ""


@dataclass(frozen=True, slots=True)
class Mistake:
    """Why a field was refused; `part` names its control when it has several."""

    sentence: str
    part: str = ""


class Refused(Invalid):
    """A form that was not accepted, with what is wrong by field id."""

    def __init__(self, mistakes: Mapping[str, Mistake], sentence: str = "", *, outdated: bool = False) -> None:
        super().__init__(sentence or _("Please look at what is marked below."))
        self.mistakes = mistakes
        # The page has to be shown as the form is now.
        self.outdated = outdated


@dataclass(frozen=True, slots=True)
class Read:
    """What was posted, understood: answers by field id, and what is wrong."""

    answers: dict[str, Answer] = field(default_factory=dict)
    mistakes: dict[str, Mistake] = field(default_factory=dict)


def read_answers(definition: Definition, posted: Posted, today: str, *, step: str | None = None) -> Read:
    """The answers of a form, or of one step of it. Hidden fields have none."""
    outcome = plans.evaluate(definition, posted.texts, today)
    found = Read()
    steps = [each for each in definition.steps if step is None or each.id == step]
    for each in (each for one in steps for each in one.fields):
        if each.id not in outcome.visible or not kind_of(each).has_answer:
            continue
        try:
            answer = _answer(each, posted, outcome)
        except Wrong as wrong:
            found.mistakes[each.id] = Mistake(str(wrong), wrong.part)
            continue
        if answer is not None:
            found.answers[each.id] = answer
        elif each.id in outcome.required:
            found.mistakes[each.id] = Mistake(kind_of(each).missing(each))
    return found


def _answer(each: Field, posted: Posted, outcome: Outcome) -> Answer:
    kind = kind_of(each)
    if kind.value_class == "calculation":
        return outcome.values.get(each.id)
    answer = kind.read(each, posted)
    if answer is not None:
        kind.check(each, answer)
    return answer


async def submit(form: Form, definition: Definition, posted: Posted, sender: Sender) -> Entry:
    """Keep what was answered. The same page sent again gives the entry that it made before.

    Raises Refused for wrong answers, Conflict for a form that takes none any more.
    """
    found = read_answers(definition, posted, await today())
    stamp = tokens.hashed(sender.stamp) if sender.stamp else None
    async with db.transaction():
        # One at a time: totals, stock and unique answers are counted under this lock.
        locked = await form_queries.lock_form(form.id)
        if stamp is not None and (before := await queries.entry_of_stamp(form.id, stamp)) is not None:
            return before
        await _check_open(locked, definition)
        mistakes = found.mistakes | await _taken(form, definition, found.answers)
        bill = await payments.bill_of(definition, found.answers)
        mistakes |= {name: Mistake(sentence) for name, sentence in bill.wrong.items()}
        earlier = await _replaced(form, sender.instead) if sender.instead else None
        if mistakes:
            raise Refused(mistakes)
        if dearer := await payments.dearer(definition, sender.prices):
            raise Refused({}, dearer)
        if await _is_dearer_now(locked, form, bill, found.answers):
            raise Refused(
                {}, _("A price has changed since this page was shown. Send it again if you agree."), outdated=True
            )
        if earlier is not None:
            await payments.replace(earlier)
        out = await payments.sold_out(form, definition, found.answers)
        if out:
            raise Refused({name: Mistake(sentence) for name, sentence in out.items()})
        entry_id = await queries.insert_entry(
            {
                "public_id": public_id(),
                "form_id": form.id,
                "version_id": form.version_id,
                "state": "unpaid" if bill.total_minor else "received",
                "answers": found.answers,
                "said": said(definition, found.answers),
                "email": email_of(definition, found.answers),
                "user_id": sender.user_id,
                "stamp": stamp,
                "address": sender.address,
                "user_agent": sender.user_agent[:300],
                "began_at": sender.began_at,
                "created_at": clock.now(),
            }
        )
        assert entry_id is not None  # the form is locked, and was looked at for the stamp
        entry = await queries.entry_by_id(entry_id)
        assert entry is not None
        await _follow(form, definition, entry, bill, sender)
    return entry


async def _follow(form: Form, definition: Definition, entry: Entry, bill: payments.Bill, sender: Sender) -> None:
    """What an entry holds, scored and is to be paid; one that counts already is told on."""
    await payments.hold(form.id, entry.id, definition, entry.answers)
    result = scoring.result_of(definition, entry.answers)
    if result is not None:
        await payment_queries.set_score(entry.id, result.score, result.outcome or result.grade)
    if entry.state == "unpaid":
        email = sender.email or entry.email
        if not email:
            raise Invalid(_("Please give an email address: the receipt goes there."))
        await payments.place(entry, bill, Buyer(email, sender.name, sender.user_id))
    elif entry.state == "received":
        await events.publish(EntryReceived(entry.id))


async def _is_dearer_now(locked: Form | None, form: Form, bill: payments.Bill, answers: Mapping[str, Answer]) -> bool:
    """Whether the same answers cost more in the form as it is now than in the older one that was answered."""
    if not bill.total_minor or locked is None or locked.live_id in (None, form.version_id):
        return False
    live = await form_queries.version_by_id(locked.live_id or 0)
    if live is None:
        return False
    now = definitions.read(live.definition)
    known = {name: answer for name, answer in answers.items() if now.find(name) is not None}
    return (await payments.bill_of(now, known)).total_minor > bill.total_minor


async def _replaced(form: Form, token: str) -> Entry | None:
    """The unpaid entry that was sent before from this page, if the token is its."""
    try:
        return await payments.entry_of_token(form, token)
    except NotFound:
        return None


async def today() -> str:
    """The school's day, as the logic of forms knows days."""
    return clock.now().astimezone((await school()).zone).date().isoformat()


def said(definition: Definition, answers: Mapping[str, Answer]) -> str:
    """Everything that was answered as people read it, for the search."""
    texts = (kind_of(each).text(each, answers[each.id]) for each in definition.fields if each.id in answers)
    return "\n".join(text for text in texts if text)[:20_000]


def email_of(definition: Definition, answers: Mapping[str, Answer]) -> str:
    """The first address among the answers; who is to be written to."""
    for each in definition.fields:
        if each.kind == "email" and isinstance(answers.get(each.id), str):
            return str(answers[each.id])
    return ""


async def _check_open(form: Form | None, definition: Definition) -> None:
    closed = Conflict(definition.settings["closed_words"] or _("This form takes no more answers."))
    if form is None or form.state != "open":
        raise closed
    most = definition.settings["most_entries"]
    if most is not None and await queries.count(form.id, most) >= most:
        raise closed


async def _taken(form: Form, definition: Definition, answers: Mapping[str, Answer]) -> dict[str, Mistake]:
    """Fields that want an answer nobody gave before, and got one that somebody did."""
    wanted = [each for each in definition.fields if each.settings.get("unique") and each.id in answers]
    return {
        each.id: Mistake(_("Somebody has given this answer already; it may be there once only."))
        for each in wanted
        if await queries.has_answer(form.id, {each.id: answers[each.id]})
    }
