"""Payments in a form: the order that an entry waits for, and what follows when it is paid, given up or paid back.

The sale is an ordinary order of the shop, with its receipt, refunds, tax and what it opens; nothing is added for us. What
it costs is worked out here (app/formbuilder/payment/bills.py), from the answers and the prices of now. An unpaid entry goes on to
what it waits for next once its order is paid; what it holds of a stock is free again when the order ends without payment.
Free products are ordered once the entry counts, and open as the shop opens what is free.
"""

import dataclasses
import hmac
from collections.abc import Mapping, Sequence
from datetime import timedelta

import structlog

from app.accounts import users
from app.commerce import checkouts, orders
from app.commerce.models import Buyer, Order, Quote, QuoteLine
from app.core import clock, db, queue, tokens
from app.core.errors import Conflict, NotFound
from app.core.money import included_tax
from app.core.settings import school
from app.formbuilder import entries
from app.formbuilder.answering import files
from app.formbuilder.definition import definitions, readings
from app.formbuilder.models import Answer, Definition, Entry, Form
from app.formbuilder.payment import bills, stock
from app.formbuilder.payment.bills import Bill, Line
from app.formbuilder.queries import entries as entry_queries
from app.formbuilder.queries import files as file_queries
from app.formbuilder.queries import forms as form_queries
from app.formbuilder.queries import inbox as inbox_queries
from app.formbuilder.queries import payments as queries

log = structlog.get_logger()

_OF_ENTRY = "form-payment"
# News of a payment can be lost; after that, unpaid entries are looked at.
_FORGOTTEN = timedelta(minutes=20)
# Money may come although an entry was given up.
_LATE = timedelta(days=3)
_AT_ONCE = 500
_site = ""


def configure(app_url: str) -> None:
    """Say where the payment page leads back to; called once by create_app()."""
    global _site
    _site = app_url.rstrip("/")


def is_due(definition: Definition, answers: Mapping[str, Answer], bill: Bill) -> bool:
    """Whether these answers are paid at once, by card. Another way of paying, where the form offers some, is between the
    sender and the school: the entry counts, and says which."""
    if not bill.minor or not bills.takes_payment(definition):
        return False
    ways = [answers[each.id] for each in definition.fields if each.kind == "payment_method" and each.id in answers]
    return not ways or ways[0].get("value") == "card"


# --- orders -----------------------------------------------------------------------------------------------------------


async def bill_of(definition: Definition, answers: Mapping[str, Answer]) -> Bill:
    """What these answers come to at the prices of now."""
    prices, currency = await bills.prices_of(definition), (await school()).currency
    return bills.bill(definition, answers, prices, currency=currency)


async def place(entry: Entry, bill: Bill, buyer: Buyer) -> None:
    """The order that this entry waits for, in the caller's transaction."""
    await queries.set_order(entry.id, (await _order(entry, bill, buyer)).id)


async def _order(entry: Entry, bill: Bill, buyer: Buyer) -> Order:
    settings = await school()
    lines = tuple(
        QuoteLine(line.product_id, line.title, line.minor, included_tax(line.minor, settings.tax_rate))
        for line in _together(bill.lines)
    )
    total, tax = bill.minor, sum(line.tax_minor for line in lines)
    quote = Quote(lines, bill.currency, settings.tax_rate, settings.tax_label, total - tax, tax, total)
    return await orders.place(quote, buyer, cart_id=None, reference=f"entry:{entry.public_id}")


async def buyer_of(entry: Entry) -> Buyer | None:
    """Who pays for an entry: the account that sent it, else whoever has its address; None when nobody is known."""
    person = await users.find(entry.user_id) if entry.user_id is not None else None
    if person is not None:
        return Buyer(person.email, person.name, person.id)
    return Buyer(entry.email, "") if entry.email else None


@queue.job(attempts=8, first_delay=timedelta(minutes=10))
async def open_free(entry_id: int) -> None:
    """Order the free products of an entry that counts, and open them as the shop does: for a member at once, for a guest
    by the link in a mail. The waits are as long as those of the limit of such mails."""
    entry = await entry_queries.entry_by_id(entry_id)
    order = await _free_order(entry) if entry is not None and entry.state == "received" else None
    if order is None or not order.is_free:
        return
    try:
        await checkouts.open_free(order)
    except Conflict as error:
        log.warning("a form's free order opens nothing", order=order.public_id, why=error.message)


async def _free_order(entry: Entry) -> Order | None:
    form = await form_queries.version_by_id(entry.version_id)
    assert form is not None  # a version with entries stays
    definition = readings.of(form)
    bill, buyer = await bill_of(definition, entry.answers), await buyer_of(entry)
    async with db.transaction():
        if entry.user_id is not None:
            await users.hold(entry.user_id)
        standing, before = await inbox_queries.lock_state(entry.id), await order_of(entry.id)
        if before is not None or buyer is None or not bills.opens_free(definition, bill):
            return before
        if standing is None or standing.state != "received":  # thrown away, or called spam, a moment ago
            return None
        order = await _order(entry, bill, buyer)
        await queries.set_free_order(entry.id, order.id)
        return order


async def lead_on(form: Form, entry: Entry) -> str:
    """The address of the payment page of an entry; empty when there is nothing to pay (any more).

    Raises Unavailable while the payment service is away, Conflict when the page has closed.
    """
    order = await order_of(entry.id)
    if order is None or entry.state != "unpaid":
        return ""
    token = token_of(entry)
    returns = checkouts.Returns(
        success_url=f"{_site}/forms/{form.slug}/payments/{token}",
        cancel_url=f"{_site}/forms/{form.slug}?payment={token}",
    )
    return (await checkouts.resume(order, returns)).url


async def order_of(entry_id: int) -> Order | None:
    """The order that pays an entry, if there is one."""
    order_id = await queries.order_id_of(entry_id)
    return await orders.find(order_id) if order_id is not None else None


def token_of(entry: Entry) -> str:
    """What only the one who sent an entry knows of it: the same each time, so that a payment page is asked for as before."""
    return f"{entry.public_id}-{_mac(entry.public_id)}"


def _mac(name: str) -> str:
    return tokens.keyed(f"{_OF_ENTRY}:{name}").hex()[:32]


async def entry_of_token(form: Form, token: str) -> Entry:
    """The entry that a token speaks of. Raises NotFound."""
    name, _dash, mac = token.rpartition("-")
    if not hmac.compare_digest(_mac(name).encode(), mac.encode("utf-8", "replace")):
        raise NotFound
    entry = await entry_queries.entry(form.id, name)
    if entry is None:
        raise NotFound
    return entry


async def sent_before(form: Form, token: str) -> Entry | None:
    """The entry that a token speaks of; None when it speaks of none."""
    try:
        return await entry_of_token(form, token)
    except NotFound:
        return None


async def may_return(entry: Entry) -> bool:
    """Whether what is sent next may take an entry's place: not once it was paid, or another one took it."""
    if entry.state != "unpaid":
        return False
    if await queries.is_held(entry.id):
        return True
    order = await order_of(entry.id)
    return order is not None and order.state in ("expired", "failed")


async def has_money(entry: Entry) -> bool:
    """Whether it is paid for, its payment is on its way, or a person looks at it: nobody has to pay again."""
    order = await order_of(entry.id)
    if order is None or order.state == "refunded":
        return False
    return order.is_paid or order.state == "processing" or bool(order.flag)


async def holds(entry: Entry) -> bool:
    """Whether an unpaid entry still counts for limits."""
    return entry.state == "unpaid" and await queries.is_held(entry.id)


def _together(lines: Sequence[Line]) -> list[Line]:
    """Lines that cost something, each product once: an order has a line for each."""
    found: dict[object, Line] = {}
    for number, line in enumerate(lines):
        key = line.product_id if line.product_id is not None else f"line {number}"
        before = found.get(key)
        if before is not None:
            line = dataclasses.replace(line, quantity=before.quantity + line.quantity, minor=before.minor + line.minor)
        found[key] = line
    return [line for line in found.values() if line.minor or line.product_id is not None]


async def received(order_id: int) -> bool:
    """The order was paid: its entry goes on, to the click in the mail, to approval or into the inbox, once. One that was
    thrown away unpaid comes back: nobody's money lies in the bin. False when there was nothing to do."""
    try:
        async with db.transaction():
            entry, form, order = await _locked(order_id)
            if entry is None or form is None or order is None or entry.state not in ("unpaid", "binned"):
                return False
            definition = readings.of(form)
            standing = await inbox_queries.standing(entry.id)
            if standing is not None and standing.state == "binned" and standing.binned_from == "unpaid":
                await entries.move(entry, "restore", definition)
            await entries.move(entry, "pay", definition)
            # It may have been given back, if the money came late: what was paid for is taken all the same, and its files too,
            # where nobody else has them. Money that is back already takes nothing.
            await queries.keep(entry.id)
            await files.bind(form.id, entry.id, definition, entry.answers)
            if order.state != "refunded":
                await stock.hold(form.id, entry.id, definition, entry.answers)
    except Conflict:
        return False
    return True


async def given_up(order_id: int) -> bool:
    """The order ended without payment: what its entry held is free again. The entry stays, unpaid."""
    async with db.transaction():
        entry, _form, order = await _locked(order_id)
        if entry is None or order is None or order.is_paid or order.is_open:
            return False
        return await queries.give_up(entry.id, clock.now())


async def paid_back(order_id: int) -> bool:
    """All of the order's money went back: what its entry held is free again. The entry stays as it is."""
    async with db.transaction():
        entry, _form, order = await _locked(order_id)
        if entry is None or order is None or order.state != "refunded":
            return False
        return bool(await queries.give_back(entry.id))


async def regained(order_id: int) -> None:
    """The order's money did not go back after all: its entry holds again what it held, even if others took it meanwhile."""
    async with db.transaction():
        entry, form, order = await _locked(order_id)
        if entry is not None and form is not None and order is not None and order.is_paid and order.state != "refunded":
            await stock.hold(form.id, entry.id, readings.of(form), entry.answers)


async def _locked(order_id: int) -> tuple[Entry | None, Form | None, Order | None]:
    """The entry that this order pays, with what it answered and the order, as they are now. Whatever else is done with the entry
    waits until the transaction ends: news of one order may be worked on at the same time, and in any order."""
    form_id = await queries.form_of_order(order_id)
    if form_id is None:
        return None, None, None
    await form_queries.lock_form(form_id)  # before the entry, as whoever sends or changes one does
    entry_id = await queries.lock_entry_of_order(order_id)
    entry = await entry_queries.entry_by_id(entry_id) if entry_id is not None else None
    if entry is None:
        return None, None, None
    return entry, await form_queries.version_by_id(entry.version_id), await orders.find(order_id)


async def replace(entry: Entry) -> bool:
    """Another entry takes this one's place: its stock and its files are free at once, its payment page is closed by a job,
    and a link that was mailed leads to none. False when it waits for no payment, or was paid a moment ago."""
    async with db.transaction():
        standing = await inbox_queries.lock_state(entry.id)
        if standing is None or standing.state != "unpaid":
            return False
        await queries.give_up(entry.id, clock.now())
        await queries.set_pay_until(entry.id, None)
        await file_queries.unbind(entry.id)
        await queue.enqueue(close_replaced, entry_id=entry.id)
        return True


@queue.job(attempts=8)
async def close_replaced(entry_id: int) -> None:
    """Close the payment page of an entry that was sent again. What was paid meanwhile counts."""
    order = await order_of(entry_id)
    if order is not None and order.is_open:
        await checkouts.replace(order)


async def look_for_forgotten() -> int:
    """Entries whose order was paid, or ended, without their hearing of it; how many changed."""
    changed = 0
    for row in await queries.forgotten(clock.now() - _FORGOTTEN, clock.now() - _LATE, _AT_ONCE):
        if row.is_paid:
            try:
                changed += await received(row.order_id)
            except readings.Unreadable:
                continue  # it is logged, and must not keep all others from their payments
        elif row.order_id is not None:
            changed += await given_up(row.order_id)
        else:
            changed += await queries.give_up(row.id, clock.now())
    return changed


definitions.checked_by("error", bills.wrong)
definitions.checked_by("warning", bills.doubts)
