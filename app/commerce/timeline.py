"""The timeline of an order: one line a thing that happened, in the transaction in which it happened."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.commerce.models import Order, OrderEvent
from app.commerce.queries import timeline as queries
from app.core import audit, clock
from app.core.i18n import _
from app.core.money import format_money

# Kinds that decide something; the others are the small steps between.
MAIN = {"paid", "refunded", "failed", "expired", "cancelled", "flagged", "accepted", "rejected"}


@dataclass(frozen=True, slots=True)
class Told:
    """A line of the timeline in words. `event_id` is the webhook delivery that brought the news, if one did."""

    what: str
    note: str
    at: datetime
    main: bool
    event_id: str = ""


async def note(order_id: int, kind: str, **detail: Any) -> None:
    """Write one line; who acts now is written with it."""
    kept = {key: value for key, value in detail.items() if value not in ("", None)}
    await queries.insert(order_id, kind, kept, actor_id=audit.current_actor().user_id, now=clock.now())


async def note_once(order_id: int, kind: str, *, told_by: str, **detail: Any) -> bool:
    """Write one line for what this event told, unless it is written already."""
    kept = {key: value for key, value in detail.items() if value not in ("", None)}
    return await queries.insert_once(order_id, kind, {**kept, "told_by": told_by}, now=clock.now())


async def of(order: Order) -> list[Told]:
    """What happened to an order, in words, newest first."""
    return [_told(event, order) for event in await queries.of_order(order.id)]


def _told(event: OrderEvent, order: Order) -> Told:
    told_by = str(event.detail.get("told_by", ""))
    return Told(
        what=_what(event, order),
        note=_note(event, told_by),
        at=event.created_at,
        main=event.kind in MAIN,
        event_id=told_by if told_by.startswith("evt_") else "",
    )


def _what(event: OrderEvent, order: Order) -> str:
    detail = event.detail
    amount = _amount(detail, order)
    words = {
        "placed": _("Went to payment as a guest") if detail.get("guest") else _("Went to payment"),
        "checkout_opened": _("Payment page opened"),
        "confirmation_asked": _("Link to confirm the address sent"),
        "processing": _("Payment on its way, the bank takes its time"),
        "payment_refused": _("Card refused"),
        "paid": _("Paid %(amount)s, and what it opens is open", amount=amount)
        if order.total_minor
        else _("Free, and open"),
        "paid_again": _("Paid a second time, %(amount)s. The second payment goes back", amount=amount),
        "second_given_back": _("The second payment of %(amount)s went back", amount=amount),
        "account": _("An account was made for the buyer") if detail.get("made") else _("Put into the buyer's account"),
        "bought_twice": _("Already owned: %(titles)s. The price goes back", titles=", ".join(event.titles)),
        "stays_closed": _("Stays closed, as it was closed before: %(titles)s", titles=", ".join(event.titles)),
        "access_opened": _("What had been closed is open again"),
        "rejected": _("Not accepted. The payment goes back")
        if detail.get("payment")
        else _("Not accepted. No payment came for this order, so none goes back"),
        "rejected_given_back": _("The payment that does not fit went back: %(amount)s", amount=amount),
        "give_back_begun": _("The payment of %(amount)s is sent back once more", amount=amount),
        "give_back_failed": _("The payment of %(amount)s, which paid nothing, could not be given back", amount=amount),
        "given_back_by_hand": _("The payment of %(amount)s was given back by hand", amount=amount),
        "flagged": _("Payment does not fit: %(why)s", why=detail.get("why", "")),
        "accepted": _("Accepted all the same, and what it opens is open"),
        "failed": _("Payment failed"),
        "expired": _("Payment page closed unused"),
        "cancelled": _("Replaced by a later order from the same cart"),
        "refund_begun": _("Refund of %(amount)s begun", amount=amount),
        "refunded": _("%(amount)s refunded", amount=amount),
        "refund_failed": _("Refund of %(amount)s failed", amount=amount),
        "access_closed": _("What it had opened was closed"),
        "receipt_sent": _("Receipt sent again"),
    }
    return words.get(event.kind, event.kind)


def _amount(detail: dict[str, Any], order: Order) -> str:
    """The amount of a line; that of a payment which never paid the order is in its own currency."""
    minor = detail.get("amount", detail.get("given_back"))
    return format_money(int(minor), str(detail.get("currency") or order.currency)) if minor is not None else ""


def _note(event: OrderEvent, told_by: str) -> str:
    by = {
        "reconciliation": _("Found by asking Stripe: the webhook had not come"),
        "checkout": _("Found by asking Stripe at the next try"),
        "replaced": "",
        "free": "",
        "confirmation": _("The link in the mail was used"),
    }.get(told_by, "")
    detail = event.detail
    said = str(detail.get("said") or detail.get("error") or detail.get("why") or "") if event.kind != "flagged" else ""
    reason = {"bought twice": _("It was bought twice"), "bank": _("The bank said no")}.get(
        str(detail.get("reason", "")), str(detail.get("reason", ""))
    )
    who = (
        _("By %(name)s", name=event.actor_name)
        if event.actor_name and event.kind not in ("placed", "checkout_opened")
        else ""
    )
    return ". ".join(part for part in (by, said, reason, who) if part)
