"""Payments in a form: what its answers cost, the order that an entry waits for, and what options have left.

The sale is an ordinary order of the shop, with its receipt, refunds, tax and what it opens; nothing is added for us. The
amount is worked out here, from the answers and the prices of now, and never taken from a browser. An unpaid entry counts
once its order is paid; what it holds of a stock is free again when the order ends without payment.
"""

import hmac
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import structlog
from babel.numbers import get_currency_precision

from app.catalogue import products
from app.catalogue.models import Offer
from app.commerce import checkouts, orders
from app.commerce.models import Buyer, Quote, QuoteLine
from app.core import clock, db, events, queue, tokens
from app.core.errors import Conflict, NotFound
from app.core.i18n import _
from app.core.money import format_money, included_tax
from app.core.settings import school
from app.formbuilder import definitions
from app.formbuilder.events import EntryReceived
from app.formbuilder.fields.kinds import Charge, kind_of
from app.formbuilder.models import Answer, Definition, Entry, Form
from app.formbuilder.queries import entries as entry_queries
from app.formbuilder.queries import forms as form_queries
from app.formbuilder.queries import payments as queries

log = structlog.get_logger()

MOST_QUANTITY = 10_000
LARGEST_MINOR = (
    99_999_999  # Stripe takes eight digits: https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts
)
# A shown price holds as long as the page is good.
PRICES_SECONDS = 24 * 3600
_PRICES, _TOKEN = "form-prices", "form-payment"
# News of a payment can be lost; after that, unpaid entries are looked at.
_FORGOTTEN = timedelta(minutes=20)
_AT_ONCE = 500
_site = ""


def configure(app_url: str) -> None:
    """Say where the payment page leads back to; called once by create_app()."""
    global _site
    _site = app_url.rstrip("/")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a bill; `field` is the id of the field whose answer made it."""

    title: str
    amount_minor: int
    product_id: int | None = None
    field: str = ""


@dataclass(frozen=True, slots=True)
class Bill:
    """What answers cost, in minor units of the school's currency. `wrong` has a sentence for each field that cannot be sold."""

    currency: str
    lines: tuple[Line, ...] = ()
    wrong: Mapping[str, str] = field(default_factory=dict)

    @property
    def total_minor(self) -> int:
        return sum(line.amount_minor for line in self.lines)


def takes_payment(definition: Definition) -> bool:
    """Whether sending this form may cost something."""
    told = definition.payment.get("on")
    return told is True or (told is None and any(kind_of(each).group == "money" for each in definition.fields))


async def bill_of(definition: Definition, answers: Mapping[str, Answer]) -> Bill:
    """What these answers cost now. With `payment.amount` (the id of a field) its number is the whole amount."""
    settings = await school()
    if not takes_payment(definition):
        return Bill(settings.currency)
    whole = str(definition.payment.get("amount") or "")
    if whole:
        return _whole(definition, answers.get(whole), whole, settings.currency)
    lines: list[Line] = []
    wrong: dict[str, str] = {}
    for each in definition.fields:
        answer = answers.get(each.id)
        for charge in kind_of(each).charges(each, answer) if answer is not None else ():
            try:
                line = await _line(charge, each.id, settings.currency)
            except Conflict as error:
                wrong[each.id] = error.message
            else:
                lines.append(line)
    return _checked(Bill(settings.currency, _together(lines), wrong))


def _whole(definition: Definition, amount: Any, name: str, currency: str) -> Bill:
    """One line of the amount that a field has, rounded to the currency's smallest coin; none, or below 0, costs nothing."""
    if not isinstance(amount, int | float) or isinstance(amount, bool) or not 0 < amount < 1e12:
        return Bill(currency)
    minor = int(Decimal(str(amount)).scaleb(get_currency_precision(currency)).to_integral_value(ROUND_HALF_UP))
    title = str(definition.payment.get("title") or "").strip()[:200] or definition.title
    return _checked(Bill(currency, (Line(title, minor, field=name),) if minor else ()))


async def _line(charge: Charge, field_id: str, currency: str) -> Line:
    quantity = charge.quantity
    if not isinstance(quantity, int) or not 0 < quantity <= MOST_QUANTITY:
        raise Conflict(_("This number cannot be ordered."))
    amount, title, product_id = charge.amount_minor, charge.title, None
    if charge.product:
        offer = await _offer(charge.product, currency)
        amount, title, product_id = offer.amount_minor, offer.title, offer.product_id
    if amount < 0:
        raise Conflict(_("This amount cannot be paid."))
    named = f"{title} × {quantity}" if quantity > 1 else title
    return Line(named[:250], amount * quantity, product_id, field_id)


async def _offer(slug: str, currency: str) -> Offer:
    offer = await products.offer(slug)
    if offer is None or not offer.is_for_sale or offer.currency != currency:
        raise Conflict(_("This is not for sale any more."))
    return offer


def _together(lines: list[Line]) -> tuple[Line, ...]:
    """Lines that cost something, each product once: an order has a line for each."""
    found: dict[Any, Line] = {}
    for number, line in enumerate(lines):
        key = line.product_id if line.product_id is not None else f"line {number}"
        before = found.get(key)
        amount = line.amount_minor + (before.amount_minor if before is not None else 0)
        found[key] = Line(line.title, amount, line.product_id, line.field)
    return tuple(line for line in found.values() if line.amount_minor or line.product_id is not None)


def _checked(bill: Bill) -> Bill:
    if bill.total_minor <= LARGEST_MINOR or not bill.lines:
        return bill
    return Bill(bill.currency, (), {**bill.wrong, bill.lines[-1].field: _("This amount cannot be paid.")})


# --- shown prices -----------------------------------------------------------------------------------------------------


async def shown_prices(definition: Definition) -> str:
    """What a page carries: the prices of the shop's products in it as they are now, signed. Empty without any."""
    prices = await _prices(definition)
    return tokens.sign(prices, _PRICES) if prices else ""


async def dearer(definition: Definition, shown: str) -> str:
    """A sentence when a product of the form costs more than the page said; its sender has to agree to that first."""
    now = await _prices(definition)
    if not now:
        return ""
    told = tokens.unsign(shown, _PRICES, PRICES_SECONDS)
    known = told if isinstance(told, dict) else {}
    currency = (await school()).currency
    rose = [slug for slug, amount in now.items() if amount > known.get(slug, -1)]
    if not rose:
        return ""
    if not known:
        return _("Please look at the prices once more, then send it.")
    offers = [offer for slug in rose if (offer := await products.offer(slug)) is not None]
    said = ", ".join(f"{offer.title}: {format_money(offer.amount_minor, currency)}" for offer in offers)
    return _("A price has changed: %(prices)s. Send it again if you agree.", prices=said)


async def _prices(definition: Definition) -> dict[str, int]:
    """The price of each product that can be ordered, by slug."""
    if not takes_payment(definition):
        return {}
    found = {}
    for each in definition.fields:
        for slug in kind_of(each).products(each):
            offer = await products.offer(slug)
            if offer is not None:
                found[slug] = offer.amount_minor
    return found


# --- stock ------------------------------------------------------------------------------------------------------------


def _taken(definition: Definition, answers: Mapping[str, Answer]) -> Counter[tuple[str, str]]:
    """How much of each option with a stock these answers take."""
    found: Counter[tuple[str, str]] = Counter()
    for each in definition.fields:
        kind = kind_of(each)
        limited = {option.value for option in kind.options(each) if option.stock is not None}
        answer = answers.get(each.id)
        if not limited or answer is None:
            continue
        for value, quantity in kind.takes(each, answer).items():
            if value in limited:
                found[each.id, value] += quantity
    return found


async def sold_out(form: Form, definition: Definition, answers: Mapping[str, Answer]) -> dict[str, str]:
    """A sentence for each field that wants more of an option than is left. The form is locked, and stays so."""
    wanted = _taken(definition, answers)
    if not wanted:
        return {}
    left = await left_of(form.id, definition)
    found = {}
    for (field_id, value), quantity in wanted.items():
        if quantity > left[field_id, value]:
            label = _label(definition, field_id, value)
            few = left[field_id, value]
            found[field_id] = (
                _("Of “%(option)s” there are only %(n)s left.", option=label, n=few)
                if few > 0
                else _("“%(option)s” is sold out.", option=label)
            )
    return found


async def left_of(form_id: int, definition: Definition) -> dict[tuple[str, str], int]:
    """What is left of each option with a stock, by field and option; never below 0."""
    stock = {
        (each.id, option.value): option.stock
        for each in definition.fields
        for option in kind_of(each).options(each)
        if option.stock is not None
    }
    if not stock:
        return {}
    rows = await queries.held(form_id, list({field_id for field_id, _value in stock}))
    held = {(row.field_id, row.option): row.quantity for row in rows}
    return {key: max(0, count - held.get(key, 0)) for key, count in stock.items()}


async def hold(form_id: int, entry_id: int, definition: Definition, answers: Mapping[str, Answer]) -> None:
    """Take what an entry wants of options with a stock."""
    for (field_id, value), quantity in _taken(definition, answers).items():
        await queries.hold(form_id, entry_id, field_id, value, quantity)


def _label(definition: Definition, field_id: str, value: str) -> str:
    found = definition.find(field_id)
    options = kind_of(found).options(found) if found is not None else ()
    return next((option.label for option in options if option.value == value), value)


# --- orders -----------------------------------------------------------------------------------------------------------


async def place(entry: Entry, bill: Bill, buyer: Buyer) -> None:
    """The order that this entry waits for, in the caller's transaction."""
    settings = await school()
    lines = tuple(
        QuoteLine(line.product_id, line.title, line.amount_minor, included_tax(line.amount_minor, settings.tax_rate))
        for line in bill.lines
    )
    total, tax = bill.total_minor, sum(line.tax_minor for line in lines)
    quote = Quote(lines, bill.currency, settings.tax_rate, settings.tax_label, total - tax, tax, total)
    order = await orders.place(quote, buyer, cart_id=None, reference=f"entry:{entry.public_id}")
    await queries.set_order(entry.id, order.id)


async def lead_on(form: Form, entry: Entry) -> str:
    """The address of the payment page of an entry; empty when there is nothing to pay (any more).

    Raises Unavailable while the payment service is away, Conflict when the page has closed.
    """
    order_id = await queries.order_id_of(entry.id)
    order = await orders.find(order_id) if order_id is not None else None
    if order is None or entry.state != "unpaid":
        return ""
    token = token_of(entry)
    returns = checkouts.Returns(
        success_url=f"{_site}/forms/{form.slug}/payments/{token}",
        cancel_url=f"{_site}/forms/{form.slug}?payment={token}",
    )
    return (await checkouts.resume(order, returns)).url


def token_of(entry: Entry) -> str:
    """What only the one who sent an entry knows of it: the same each time, so that a payment page is asked for as before."""
    return f"{entry.public_id}-{_mac(entry.public_id)}"


def _mac(name: str) -> str:
    return tokens.keyed(f"{_TOKEN}:{name}").hex()[:32]


async def entry_of_token(form: Form, token: str) -> Entry:
    """The entry that a token speaks of. Raises NotFound."""
    name, _dash, mac = token.rpartition("-")
    if not hmac.compare_digest(_mac(name).encode(), mac.encode("utf-8", "replace")):
        raise NotFound
    entry = await entry_queries.entry(form.id, name)
    if entry is None:
        raise NotFound
    return entry


async def received(order_id: int) -> bool:
    """The order was paid: its entry counts from now, once. False when there was nothing to do."""
    entry_id = await queries.entry_of_order(order_id)
    if entry_id is None:
        return False
    async with db.transaction():
        if not await queries.set_received(entry_id):
            return False
        entry = await entry_queries.entry_by_id(entry_id)
        assert entry is not None
        form = await form_queries.version_by_id(entry.version_id)
        if form is not None:
            # It may have been given back, if the money came late: what was paid for is taken all the same.
            await hold(form.id, entry_id, definitions.read(form.definition), entry.answers)
        await events.publish(EntryReceived(entry_id))
    return True


async def given_up(order_id: int) -> bool:
    """The order ended without payment: what its entry held is free again. The entry stays, unpaid."""
    entry_id = await queries.entry_of_order(order_id)
    order = await orders.find(order_id)
    if entry_id is None or order is None or order.is_paid or order.is_open:
        return False
    return bool(await queries.give_back(entry_id))


async def replace(entry: Entry) -> None:
    """Another entry takes this one's place: its stock is free at once, its payment page is closed by a job."""
    if entry.state != "unpaid":
        return
    async with db.transaction():
        await queries.give_back(entry.id)
        await queue.enqueue(close_replaced, entry_id=entry.id)


@queue.job(attempts=8)
async def close_replaced(entry_id: int) -> None:
    """Close the payment page of an entry that was sent again. What was paid meanwhile counts."""
    order_id = await queries.order_id_of(entry_id)
    order = await orders.find(order_id) if order_id is not None else None
    if order is not None and order.is_open:
        await checkouts.replace(order)


async def look_for_forgotten() -> int:
    """Entries whose order was paid, or ended, without their hearing of it; how many changed."""
    changed = 0
    for row in await queries.waiting(clock.now() - _FORGOTTEN, _AT_ONCE):
        order = await orders.find(row.order_id) if row.order_id is not None else None
        if order is None:
            changed += bool(await queries.give_back(row.id))
        elif order.is_paid:
            changed += await received(order.id)
        elif not order.is_open:
            changed += await given_up(order.id)
    return changed


def wrong(definition: Definition) -> list[str]:
    """Why a form cannot take payment, a sentence each."""
    if not takes_payment(definition):
        return []
    found = []
    if not any(each.kind == "email" for each in definition.fields):
        found.append(_("A form that takes payment asks for an email address: the receipt goes there."))
    amount = str(definition.payment.get("amount") or "")
    if amount and definition.find(amount) is None:
        found.append(_("The field with the amount to pay is gone."))
    return found


definitions.checked_by("error", wrong)
