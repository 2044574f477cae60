"""Carts, quotes, orders and refunds as plain data, with the rules that need no database."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from app.catalogue.models import Offer

# An order waits for its payment this long; then its payment page closes.
CHECKOUT_LIFETIME = timedelta(hours=2)
# A payment page must stay open for 30 minutes at least (Stripe), so an older order without one is not taken up again.
CHECKOUT_REUSE = timedelta(minutes=80)
# A guest's free order waits this long for the link in the mail.
CONFIRMATION_LIFETIME = timedelta(hours=24)

PAID_STATES = ("paid", "partially_refunded", "refunded")
OPEN_STATES = ("pending", "processing")


@dataclass(frozen=True, slots=True)
class CartItem:
    """What stands in a cart: a product, and the price that was last said yes to."""

    product_id: int
    agreed_minor: int
    agreed_currency: str
    added_at: datetime


@dataclass(frozen=True, slots=True)
class CartLine:
    """A thing in the cart with its price of now."""

    offer: Offer
    agreed_minor: int
    agreed_currency: str

    @property
    def needs_yes(self) -> bool:
        """The price rose (or is in another currency) since the buyer last agreed to it."""
        return self.agreed_currency != self.offer.currency or self.offer.amount_minor > self.agreed_minor

    @property
    def is_cheaper(self) -> bool:
        return self.agreed_currency == self.offer.currency and self.offer.amount_minor < self.agreed_minor


@dataclass(frozen=True, slots=True)
class Cart:
    """A cart as its owner sees it. `id` is None while nothing was ever put in."""

    id: int | None
    lines: list[CartLine] = field(default_factory=list)
    # Sentences about what fell out or got cheaper since the last look.
    news: list[str] = field(default_factory=list)

    @property
    def needs_yes(self) -> bool:
        return any(line.needs_yes for line in self.lines)

    @property
    def is_free(self) -> bool:
        return all(line.offer.amount_minor == 0 for line in self.lines)


@dataclass(frozen=True, slots=True)
class QuoteLine:
    """A priced line: gross, and the tax inside it, in minor units. Without a product it opens nothing."""

    product_id: int | None
    title: str
    amount_minor: int
    tax_minor: int


@dataclass(frozen=True, slots=True)
class Quote:
    """What a cart costs. Prices include tax, so `total` is the sum of the lines and `subtotal` is what is left
    without tax: subtotal + tax = total, to the cent.
    """

    lines: tuple[QuoteLine, ...]
    currency: str
    tax_percent: Decimal
    tax_label: str
    subtotal_minor: int
    tax_minor: int
    total_minor: int

    @property
    def tax_rate(self) -> str:
        return plain_percent(self.tax_percent)


@dataclass(frozen=True, slots=True)
class Buyer:
    """Who buys: a signed-in person, or a guest with an address."""

    email: str
    name: str
    user_id: int | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """An order. Amounts are minor units of `currency`; `user_id` is None until a guest's payment made an account."""

    id: int
    public_id: str
    number: int
    user_id: int | None
    cart_id: int | None
    email: str
    name: str
    state: str
    currency: str
    subtotal_minor: int
    tax_minor: int
    tax_percent: Decimal
    tax_label: str
    total_minor: int
    refunded_minor: int
    checkout_attempt: int
    stripe_session_id: str | None
    stripe_session_url: str | None
    stripe_payment_intent_id: str | None
    payment_method: str
    failure: str
    flag: str
    created_at: datetime
    paid_at: datetime | None
    closed_at: datetime | None

    @property
    def is_paid_elsewhere(self) -> bool:
        """Money came, but never through Stripe: an order brought over from another system, or of the demo's past."""
        known_to_stripe = self.stripe_session_id or self.stripe_payment_intent_id
        return self.is_paid and self.total_minor > 0 and not known_to_stripe

    @property
    def is_paid(self) -> bool:
        return self.state in PAID_STATES

    @property
    def is_open(self) -> bool:
        return self.state in OPEN_STATES

    @property
    def in_question(self) -> str:
        """What a person decides about while it is flagged: why, and the payment that came last."""
        return f"{self.flag}:{self.stripe_payment_intent_id or ''}" if self.flag else ""

    @property
    def is_free(self) -> bool:
        return self.total_minor == 0

    @property
    def tax_rate(self) -> str:
        return plain_percent(self.tax_percent)

    @property
    def remaining_minor(self) -> int:
        """What has not been given back."""
        return self.total_minor - self.refunded_minor

    @property
    def idempotency_key(self) -> str:
        """The key under which its payment page is opened."""
        return self.public_id if self.checkout_attempt == 1 else f"{self.public_id}-{self.checkout_attempt}"

    @property
    def card(self) -> str:
        """`4242` of "visa 4242"; empty when it was not paid by card."""
        last = self.payment_method.rpartition(" ")[2]
        return last if last.isdecimal() and len(last) == 4 else ""


@dataclass(frozen=True, slots=True)
class OrderFile(Order):
    """An order with what the back office says about its buyer; without an account all of that is empty."""

    customer_id: str | None
    customer_name: str | None
    customer_email: str | None
    customer_since: datetime | None
    orders: int
    spent_minor: int
    currencies: int
    refunded_orders: int
    # Given back or on its way: what is left of the order can still be refunded.
    promised_minor: int
    # A payment that paid nothing could not be given back, once at least.
    has_stranded: bool

    @property
    def left_minor(self) -> int:
        return self.total_minor - self.promised_minor if self.is_paid else 0

    @property
    def on_its_way_minor(self) -> int:
        return max(0, self.promised_minor - self.refunded_minor)


@dataclass(frozen=True, slots=True)
class OrderItem:
    """A line of an order, as sold: later changes of the product do not change it."""

    id: int
    order_id: int
    # None for what is in no catalogue, as a form sells it.
    product_id: int | None
    title: str
    amount_minor: int
    tax_minor: int
    course_slug: str | None
    plate: str
    plate_ground: str
    # What it opened, if it did.
    starts_at: datetime | None
    ends_at: datetime | None
    access_closed_at: datetime | None

    @property
    def is_course(self) -> bool:
        """Whether it opens a course; a ticket that a form sells opens nothing."""
        return self.product_id is not None

    @property
    def art(self) -> str:
        """What `ui.cover` draws when there is no picture."""
        return "" if self.plate.startswith("/") else self.plate or self.course_slug or "course"

    @property
    def picture_url(self) -> str:
        return self.plate if self.plate.startswith("/") else ""


@dataclass(frozen=True, slots=True)
class OrderEvent:
    """One thing that happened to an order."""

    kind: str
    detail: dict[str, Any]
    actor_name: str | None
    created_at: datetime

    @property
    def titles(self) -> list[str]:
        """The products that it names."""
        return list(self.detail.get("titles", []))


@dataclass(frozen=True, slots=True)
class Refund:
    """Money given back, or about to be. `state` is pending, succeeded or failed."""

    id: int
    public_id: str
    order_id: int
    amount_minor: int
    reason: str
    state: str
    attempt: int
    stripe_refund_id: str | None
    error: str
    requested_by: int | None
    requested_by_name: str | None
    created_at: datetime
    finished_at: datetime | None
    # Of a payment that did not pay the order (one that does not fit, a second one), which goes back whole.
    payment_id: str | None = None
    currency: str | None = None

    @property
    def is_booked(self) -> bool:
        """Whether it takes something away from what was paid for the order."""
        return self.payment_id is None

    @property
    def idempotency_key(self) -> str:
        """The key under which it is sent."""
        return self.public_id if self.attempt == 1 else f"{self.public_id}-{self.attempt}"


@dataclass(frozen=True, slots=True)
class Received:
    """A payment as the payment service reported it."""

    amount_minor: int
    currency: str
    session_id: str = ""
    payment_id: str = ""
    told_by: str = ""  # the event or job that brought the news


def mismatch(order: Order, received: Received) -> str:
    """Why this payment does not fit the order; empty when it does."""
    if received.currency != order.currency or received.amount_minor != order.total_minor:
        return f"{received.amount_minor} {received.currency} came for {order.total_minor} {order.currency}"
    return ""


def state_after_refunds(order: Order, refunded_minor: int) -> str:
    """The state of a paid order of which this much has been given back."""
    if refunded_minor <= 0:
        return "paid"
    return "refunded" if refunded_minor >= order.total_minor else "partially_refunded"


def plain_percent(percent: Decimal) -> str:
    """`19.000` as `19`, `7.500` as `7.5`."""
    return f"{percent.normalize():f}"
