"""The mails of commerce. Each tells one fact and is sent once, however often it is asked for."""

from typing import Any

from app.accounts import users
from app.commerce import timeline
from app.commerce.models import Order, Refund
from app.commerce.queries import orders as order_queries
from app.commerce.queries import refunds as refund_queries
from app.commerce.queries import timeline as timeline_queries
from app.core import db, mail
from app.core.errors import Conflict
from app.core.i18n import _, format_day
from app.core.ids import public_id
from app.core.money import format_money
from app.core.settings import school

_owner = ""


def configure(owner: str) -> None:
    """Say where alerts for the owner go (ADMIN_EMAIL; empty: nowhere); called once by create_app()."""
    global _owner
    _owner = owner


async def confirm_order(order_id: int) -> None:
    """The receipt, to the buyer."""
    order = await order_queries.order(order_id)
    if order is None or order.user_id is None:
        return
    person = await users.find(order.user_id)
    context = await _facts(order)
    context["has_password"] = person is not None and person.has_password
    await mail.send(order.email, "commerce/order_confirmation", context, fact=f"order:{order.id}:confirmation")


async def send_receipt_again(order: Order) -> None:
    """The receipt once more, because somebody asked for it. Raises Conflict for an order that was not paid."""
    if not order.is_paid or order.user_id is None:
        raise Conflict(_("There is no receipt before the payment."))
    person = await users.find(order.user_id)
    context = {**await _facts(order), "has_password": person is not None and person.has_password}
    async with db.transaction():
        await mail.send(
            order.email, "commerce/order_confirmation", context, fact=f"order:{order.id}:receipt:{public_id()}"
        )
        await timeline.note(order.id, "receipt_sent")


async def receipt_text(order: Order) -> str:
    """The receipt as a text of its own, for somebody who takes their data along."""
    facts, settings = await _facts(order), await school()
    lines = [f"{title}: {price}" for title, price in facts["lines"]]
    given_back = [
        _("Given back: %(amount)s", amount=format_money(one.amount_minor, order.currency))
        for one in await refund_queries.refunds_of(order.id)
        if one.state == "succeeded" and one.is_booked
    ]
    tax = _("%(label)s included: %(tax)s", label=facts["tax_label"], tax=facts["tax"]) if facts["tax"] else ""
    paid_at = format_day(order.paid_at.astimezone(settings.zone), "long") if order.paid_at is not None else ""
    parts = [
        _("Receipt %(number)s", number=order.number),
        _("From: %(school)s", school=settings.legal_line or settings.name),
        _("To: %(name)s, %(email)s", name=order.name or order.email, email=order.email),
        _("Paid on %(day)s", day=paid_at),
        "",
        *lines,
        _("Total: %(total)s", total=facts["total"]),
        *([tax] if tax else []),
        *given_back,
    ]
    return "\n".join(parts) + "\n"


async def tell_owner_of_order(order_id: int) -> None:
    """A sale, to the owner."""
    order = await order_queries.order(order_id)
    if order is None or not _owner:
        return
    context = await _facts(order)
    context["twice"] = [
        title
        for event in await timeline_queries.of_order(order.id)
        if event.kind == "bought_twice"
        for title in event.titles
    ]
    await mail.send(_owner, "commerce/owner_new_order", context, fact=f"order:{order.id}:owner")


async def tell_owner_of_flag(order_id: int) -> None:
    """A payment that does not fit, to the owner."""
    order = await order_queries.order(order_id)
    if order is not None and order.flag and _owner:
        context = {**await _facts(order), "flag": order.flag}
        fact = f"order:{order.id}:flag:{order.in_question}"
        await mail.send(_owner, "commerce/owner_flagged_order", context, fact=fact)


async def tell_of_failure(order_id: int) -> None:
    """A payment that the bank refused days later, to the buyer, who is no longer looking at a page."""
    order = await order_queries.order(order_id)
    if order is not None and order.state == "failed":
        await mail.send(order.email, "commerce/payment_failed", await _facts(order), fact=f"order:{order.id}:failed")


async def confirm_refund(refund_id: int) -> None:
    """Money on its way back, to the buyer."""
    refund, order = await _refund(refund_id)
    if refund is None or order is None or refund.state != "succeeded":
        return
    context = {
        **await _facts(order),
        "amount": format_money(refund.amount_minor, order.currency),
        "closed": order.state == "refunded",
        "twice": refund.reason == "bought twice",
    }
    await mail.send(order.email, "commerce/refund", context, fact=f"refund:{refund.id}")


async def tell_owner_of_failed_refund(refund_id: int) -> None:
    """A refund that did not go through, to the owner."""
    refund, order = await _refund(refund_id)
    if refund is None or order is None or refund.state != "failed" or not _owner:
        return
    context = {
        **await _facts(order),
        "amount": format_money(refund.amount_minor, refund.currency or order.currency),
        "error": refund.error,
        "odd": not refund.is_booked,
        # Only a full refund had closed anything.
        "open": any(event.kind == "access_opened" for event in await timeline_queries.of_order(order.id)),
    }
    await mail.send(_owner, "commerce/owner_refund_failed", context, fact=f"refund:{refund.id}:failed")


async def _refund(refund_id: int) -> tuple[Refund | None, Order | None]:
    refund = await refund_queries.refund(refund_id)
    return refund, await order_queries.order(refund.order_id) if refund is not None else None


async def _facts(order: Order) -> dict[str, Any]:
    """An order as its mails show it, amounts in words."""
    lines = await order_queries.items([order.id])
    return {
        "number": order.number,
        "public_id": order.public_id,
        "name": order.name,
        "email": order.email,
        "lines": [[line.title, _price(line.amount_minor, order.currency)] for line in lines],
        "total": _price(order.total_minor, order.currency),
        "tax": format_money(order.tax_minor, order.currency) if order.tax_minor else "",
        "tax_label": f"{order.tax_label} {order.tax_rate} %",
        "opens": any(line.is_course for line in lines),
        "first_path": f"/learn/{lines[0].course_slug}" if len(lines) == 1 and lines[0].course_slug else "/learn",
    }


def _price(minor: int, currency: str) -> str:
    return format_money(minor, currency) if minor else _("free")
