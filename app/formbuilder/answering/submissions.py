"""Answers coming in: what was posted becomes an entry, or is refused with a sentence beside each field.

One transaction: evaluate, validate, insert, publish. What a hidden field was sent is dropped before it is looked at.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from app.accounts import users
from app.commerce.models import Buyer
from app.core import clock, db, tokens
from app.core import limits as counts
from app.core.errors import Conflict, Invalid
from app.core.i18n import _
from app.core.ids import public_id
from app.core.limits import Limit
from app.core.settings import school
from app.formbuilder import entries
from app.formbuilder.answering import contests, files, limits, links, spam, uniqueness
from app.formbuilder.definition import readings
from app.formbuilder.fields.kinds import Wrong, kind_of
from app.formbuilder.fields.pricing import Prices
from app.formbuilder.logic import days, plans, scoring
from app.formbuilder.logic.evaluation import Outcome
from app.formbuilder.models import Answer, Definition, Draft, Entry, Field, Form, Posted
from app.formbuilder.payment import bills, payments, stock
from app.formbuilder.payment.bills import Bill
from app.formbuilder.queries import drafts as draft_queries
from app.formbuilder.queries import entries as queries
from app.formbuilder.queries import forms as form_queries
from app.formbuilder.queries import limits as limit_queries
from app.formbuilder.queries import payments as payment_queries
from app.web.clients import network_of

# What one network may add to the quarantine in a day, where it lies for a month; who goes on is a program.
QUARANTINE = Limit(300, 24 * 3600)


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sent a form, as far as is known: kept with the entry unless the form says otherwise."""

    user_id: int | None = None
    address: str = ""
    user_agent: str = ""
    # The page that was opened, told by its stamp: its number, and when it was first touched.
    stamp: str = ""
    began_at: datetime | None = None
    # Two letters, where the proxy tells them.
    country: str = ""
    # What it was begun as, and the link for one answer that it came by.
    draft: Draft | None = None
    link_id: int | None = None
    # Why it goes into quarantine whatever it says (spam.REASONS).
    suspicion: str = ""
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


class GoneOn(Exception):
    """What was begun was gone on with since it was read: on another device, or in another window."""


@dataclass(frozen=True, slots=True)
class Read:
    """What was posted, understood: answers by field id, and what is wrong."""

    answers: dict[str, Answer] = field(default_factory=dict)
    mistakes: dict[str, Mistake] = field(default_factory=dict)


def read_answers(definition: Definition, posted: Posted, today: str, *, only: Collection[str] | None = None) -> Read:
    """The answers of a form, or of some fields of it. Hidden fields have none."""
    outcome = plans.evaluate(definition, posted.texts, today)
    found = Read()
    for each in definition.fields:
        if each.id not in outcome.visible or not kind_of(each).has_answer or (only is not None and each.id not in only):
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


def has_secret(definition: Definition) -> bool:
    """Whether something must be known to send the form."""
    return any(kind_of(each).is_secret for each in definition.fields)


def is_known(each: Field, posted: Posted) -> bool:
    """Whether what was written for a secret is right."""
    try:
        return kind_of(each).read(each, posted) is not None
    except Wrong:
        return False


def sealed(definition: Definition, posted: Posted) -> Posted:
    """The same, fit to lie in a draft and to stand on a page again: without what must be known and is not to be shown."""
    texts: Mapping[str, Sequence[str]] = posted.texts
    for each in definition.fields:
        if kind_of(each).is_secret:
            texts = kind_of(each).sealed(each, texts)
    return Posted(texts, posted.files)


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

    Raises Refused for wrong answers, Conflict for a form that takes none any more, TooMany for a flood of spam, GoneOn where these
    are not all the answers any more.
    """
    today = await days.today()
    found = read_answers(definition, posted, today)
    prices, currency = await bills.prices_of(definition), (await school()).currency
    found.answers.update(bills.totals(definition, found.answers, prices, currency=currency))
    bill = bills.bill(definition, found.answers, prices, currency=currency)
    bill = replace(bill, wrong={**bills.unpriced(definition, posted.texts, today), **bill.wrong})
    words, email = said(definition, found.answers), email_of(definition, found.answers)
    sent = _Sent(form, definition, posted, found, bill, prices, sender, words, email)
    stamp = tokens.hashed(sender.stamp) if sender.stamp else None
    async with db.transaction():
        # One at a time: totals, stock and unique answers are counted under this lock.
        locked = await form_queries.lock_form(form.id)
        if stamp is not None and (before := await queries.entry_of_stamp(form.id, stamp)) is not None:
            return before
        if sender.user_id is not None and (sender.draft is not None or sender.instead):
            await users.hold(sender.user_id)  # before what they began, or sent before
        if sender.draft is not None:
            begun = await draft_queries.lock(sender.draft.id)
            if begun is not None and begun.posted != sender.draft.posted:
                raise GoneOn
        now = definition if sender.suspicion else await _now(locked, form, definition)
        if now is not definition:  # published while this was on its way: settings are those of now
            sent = replace(sent, definition=replace(definition, settings=now.settings))
        suspicion = sender.suspicion or await _judge(sent, locked, now)
        if suspicion and sender.address:
            await counts.check("form-quarantine", network_of(sender.address), QUARANTINE)
        is_due = not suspicion and payments.is_due(definition, found.answers, sent.bill)
        if not suspicion:
            await _check_sale(sent, now, is_due=is_due)
        return await _keep(sent, now, stamp, suspicion, is_due=is_due)


@dataclass(frozen=True, slots=True)
class _Sent:
    """A form that was sent, read: what it says, and what it costs."""

    form: Form
    definition: Definition
    posted: Posted
    found: Read
    bill: Bill
    prices: Prices
    sender: Sender
    said: str
    email: str


async def _judge(sent: _Sent, locked: Form | None, now: Definition) -> str:
    """Why it belongs into quarantine; empty when it does not. Raises Refused for what is wrong, Conflict for a form that takes
    nothing from here. The form is locked, and `now` is what it asks by now."""
    form, definition, sender = sent.form, sent.definition, sent.sender
    await _give_place(form, definition, sender)
    await limits.check(locked, definition, user_id=sender.user_id, email=sent.email, address=sender.address)
    taken = await uniqueness.taken(form.id, now, sent.found.answers)
    mistakes = sent.found.mistakes | {name: Mistake(sentence) for name, sentence in taken.items()}
    mistakes |= {name: Mistake(sentence) for name, sentence in sent.bill.wrong.items()}
    if mistakes:
        # What cannot be paid may be told by a sum that nobody sees.
        raise Refused(mistakes, " ".join(dict.fromkeys(sent.bill.wrong.values())))
    return await spam.suspicion(form, definition, said=sent.said, address=sender.address, country=sender.country)


async def _check_sale(sent: _Sent, now: Definition, *, is_due: bool) -> None:
    """Raise Refused for what cannot be sold like this: nobody to write to, a price that rose, an option that is sold out."""
    if (is_due or bills.opens_free(sent.definition, sent.bill)) and not (sent.sender.email or sent.email):
        raise Refused({}, _("Please give an email address: what you order is sent there."))
    if now is not sent.definition:
        await _check_version(now, sent, is_due=is_due)
    if is_due and (dearer := bills.dearer(sent.definition, sent.prices, sent.sender.prices)):
        raise Refused({}, dearer)
    if out := await stock.sold_out(sent.form, now, sent.found.answers):
        raise Refused({name: Mistake(sentence) for name, sentence in out.items()})


async def _keep(sent: _Sent, now: Definition, stamp: bytes | None, suspicion: str, *, is_due: bool) -> Entry:
    """The entry with everything that is kept in its transaction. Raises Refused for a file that is not there any more."""
    form, definition, answers, sender = sent.form, sent.definition, sent.found.answers, sent.sender
    is_nameless = definition.settings["no_address"]
    entry_id = await queries.insert_entry(
        {
            "public_id": public_id(),
            "form_id": form.id,
            "version_id": form.version_id,
            "state": entries.first_state(definition, sent.email, is_spam=bool(suspicion), is_unpaid=is_due),
            "answers": answers,
            "said": sent.said,
            "email": sent.email,
            "user_id": sender.user_id,
            "stamp": stamp,
            "address": "" if is_nameless else sender.address,
            "user_agent": "" if is_nameless else sender.user_agent[:300],
            "began_at": sender.began_at,
            "created_at": clock.now(),
        }
    )
    assert entry_id is not None  # the form is locked, and was looked at for the stamp
    gone = await files.bind(form.id, entry_id, definition, answers)
    if gone and not suspicion:
        raise Refused({each: Mistake(_("Please attach this once more: it was not sent in time.")) for each in gone})
    await _conclude(entry_id, sender, suspicion)
    entry = await queries.entry_by_id(entry_id)
    assert entry is not None
    await stock.hold(form.id, entry_id, now, answers)
    result = scoring.result_of(definition, answers)
    if result is not None:
        await payment_queries.set_score(entry_id, result.score, result.outcome or result.grade)
    if is_due:
        await payments.place(entry, sent.bill, Buyer(sender.email or sent.email, sender.name, sender.user_id))
    await entries.arrived(entry, definition)
    return entry


async def _give_place(form: Form, definition: Definition, sender: Sender) -> None:
    """The unpaid entry that was sent before from this page, if the token is its, holds nothing any more.

    Raises Conflict where only that lets somebody in, by a link, and it gave its place already: of two at once, to the other;
    and where it is paid for since that page was shown.
    """
    before = await payments.sent_before(form, sender.instead) if sender.instead else None
    if before is None:
        return
    if await payments.has_money(before):
        raise Conflict(
            _(
                "What you sent before is paid for, or its payment is on its way: it need not be sent again. To send something else, open the form anew."
            )
        )
    may_return = await payments.may_return(before)
    has_place = await payments.replace(before) and may_return
    if definition.settings["by_link"] and sender.link_id is None and not has_place:
        raise Conflict(links.used_words())


async def _now(locked: Form | None, form: Form, definition: Definition) -> Definition:
    """The form as it is now: an older page may still be answered, but sells nothing that is not there any more."""
    if locked is None or locked.live_id in (None, form.version_id) or await contests.is_tried(form):
        return definition
    live = await form_queries.version_by_id(locked.live_id or 0)
    return readings.of(live) if live is not None else definition


async def _check_version(now: Definition, sent: _Sent, *, is_due: bool) -> None:
    """Raise Refused where an older page would get past what the form has come to ask since: a password, or money.

    What the older page is charged at once counts, if it is. Otherwise it is answered as it was shown.
    """
    words = {each.id: each.settings for each in sent.definition.fields if kind_of(each).is_secret}
    if any(words.get(each.id) != each.settings for each in now.fields if kind_of(each).is_secret):
        sentence = _("This form has changed since this page was shown. Please look at it once more.")
        raise Refused({}, sentence, outdated=True)
    if not bills.takes_payment(now):
        return
    read = read_answers(now, sent.posted, await days.today())
    asked = bills.bill(now, read.answers, await bills.prices_of(now), currency=(await school()).currency)
    charged = sent.bill.minor if is_due else 0
    is_dearer = payments.is_due(now, read.answers, asked) and asked.minor > charged
    if is_dearer or bills.priced(now) & read.mistakes.keys():
        sentence = _("A price has changed since this page was shown. Send it again if you agree.")
        raise Refused({}, sentence, outdated=True)


async def _conclude(entry_id: int, sender: Sender, suspicion: str) -> None:
    """What an entry uses up, and why it is held back."""
    if suspicion:
        await limit_queries.hold_back(entry_id, suspicion)
    if sender.link_id is not None:
        await links.use(sender.link_id, entry_id)
    if sender.draft is not None:
        await draft_queries.finish(sender.draft.id, entry_id, clock.now())


def said(definition: Definition, answers: Mapping[str, Answer]) -> str:
    """Everything that was answered as people read it, for the search."""
    texts = (kind_of(each).text(each, answers[each.id]) for each in definition.fields if each.id in answers)
    return "\n".join(text for text in texts if text)[:20_000]


def email_of(definition: Definition, answers: Mapping[str, Answer]) -> str:
    """The first address among the answers; who is to be written to."""
    for each in definition.fields:
        if address := kind_of(each).address(each, answers.get(each.id)):
            return address
    return ""
