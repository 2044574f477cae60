"""What the office does with an entry, and an entry that was taken for spam let out again.

Whoever was held back by mistake was never led to a payment page: where the entry costs something it waits for its payment like
any other, and its sender gets the way there by mail. Until they follow it the entry takes nothing of a stock; the order is
placed when they do, at the prices of then.
"""

from datetime import timedelta

from app.accounts import users
from app.core import clock, db, mail
from app.core.errors import Conflict
from app.core.i18n import _
from app.core.ids import public_id
from app.core.money import format_money
from app.formbuilder import entries
from app.formbuilder.definition import readings
from app.formbuilder.logic import days
from app.formbuilder.models import Definition, Entry, Form
from app.formbuilder.payment import bills, payments, stock
from app.formbuilder.payment.bills import Bill
from app.formbuilder.queries import forms as form_queries
from app.formbuilder.queries import inbox as queries
from app.formbuilder.queries import payments as payment_queries
from app.formbuilder.queries.entries import entry_by_id

PAY_WITHIN = timedelta(days=14)


class NobodyToAsk(Conflict):
    """An entry that costs something names nobody who could be asked to pay."""


class NoPrice(Conflict):
    """An entry of a form that takes payment does not tell what it costs."""


async def act(entry: Entry, name: str, definition: Definition, *, by: int) -> str:
    """Do what entries.MOVES tells under this name, as the office; the state it is in then. What costs something leaves the
    quarantine as unpaid, and its sender is asked to pay.

    Raises Conflict when it stands elsewhere by now, NobodyToAsk when nobody could be asked, NoPrice when its answers do not
    tell what it costs.
    """
    bill = await _due(entry, definition) if name == "not_spam" else None
    if bill is None:
        return await entries.move(entry, name, definition, by=by)
    buyer = await payments.buyer_of(entry)
    if buyer is None:
        raise NobodyToAsk(
            _(
                "This entry costs something, and has no email address to ask for the payment. Write one into its answers first."
            )
        )
    async with db.transaction():
        state = await entries.move(entry, "ask", definition, by=by)
        await payment_queries.ask_to_pay(entry.id, clock.now() + PAY_WITHIN, clock.now())
        await _mail(entry, definition, bill, buyer.email, fact=f"form_entry:{entry.id}:payment")
    return state


async def ask_again(entry: Entry, definition: Definition, *, by: int) -> None:
    """Mail the way to the payment once more; it leads there for another fortnight. Raises Conflict for an entry that was
    not asked for its payment, or has it."""
    bill, buyer = await payments.bill_of(definition, entry.answers), await payments.buyer_of(entry)
    async with db.transaction():
        if buyer is None or not await payment_queries.set_pay_until(entry.id, clock.now() + PAY_WITHIN):
            raise Conflict(_("This entry waits for no payment by mail."))
        await _mail(entry, definition, bill, buyer.email, fact=f"form_entry:{entry.id}:payment:{public_id()}")
        await queries.insert_act(entry.id, "resend", by, "payment", None, None, clock.now())


async def is_asked(entry: Entry) -> bool:
    """Whether the sender may pay for it by the link of a mail now."""
    until = await payment_queries.pay_until(entry.id) if entry.state == "unpaid" else None
    return until is not None and clock.now() < until


async def order_asked_for(form: Form, entry: Entry) -> None:
    """Place the order of an entry whose sender follows the link of the mail, if there is none that is open. What is free by
    now goes on as paid.

    Raises Conflict when it cannot be had any more: sold out, or not for sale.
    """
    version = await form_queries.version_by_id(entry.version_id)
    if version is None or not await is_asked(entry):  # asked once more under the lock: most who come here were not
        return
    definition = readings.of(version)
    async with db.transaction():
        # One at a time, as when a form is sent: the stock is counted under this lock, and answers are changed under it.
        await form_queries.lock_form(form.id)
        if entry.user_id is not None:
            await users.hold(entry.user_id)
        entry = await entry_by_id(entry.id) or entry
        bill, buyer = await payments.bill_of(definition, entry.answers), await payments.buyer_of(entry)
        order = await payments.order_of(entry.id)
        if buyer is None or not await is_asked(entry) or (order is not None and (order.is_open or order.is_paid)):
            return
        if not payments.is_due(definition, entry.answers, bill):
            await entries.move(entry, "pay", definition)
            return
        refused = bill.wrong or await stock.sold_out(form, definition, entry.answers)
        if refused:
            raise Conflict(" ".join(dict.fromkeys(refused.values())))
        await payment_queries.keep(entry.id)
        await stock.hold(form.id, entry.id, definition, entry.answers)
        await payments.place(entry, bill, buyer)


async def _due(entry: Entry, definition: Definition) -> Bill | None:
    """What an entry in quarantine is still to be paid; None for one that costs nothing, that counted before, or that is paid.
    What a program filled in was kept as it came, without a look at the price. Raises NoPrice."""
    if not bills.takes_payment(definition):
        return None
    standing, order = await queries.standing(entry.id), await payments.order_of(entry.id)
    if standing is None or standing.counted_at is not None or (order is not None and order.is_paid):
        return None
    bill = await payments.bill_of(definition, entry.answers)
    if bills.lacks_price(definition, entry.answers, bill, await days.today()):
        raise NoPrice(_("What this entry costs cannot be worked out from its answers. Correct them first."))
    return bill if payments.is_due(definition, entry.answers, bill) else None


async def _mail(entry: Entry, definition: Definition, bill: Bill, to: str, *, fact: str) -> None:
    form = await form_queries.version_by_id(entry.version_id)
    assert form is not None  # a version with entries stays
    words = {
        "title": definition.title,
        "amount": format_money(bill.minor, bill.currency),
        "path": f"/forms/{form.slug}/payments/{payments.token_of(entry)}",
    }
    await mail.send(to, "formbuilder/payment", words, fact=fact)
