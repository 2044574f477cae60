"""The back office of orders: the list, one order with its timeline, refunds, and the panel of a person."""

from quart import Blueprint, Response, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from app.accounts import users
from app.commerce import letters, orders, refunds, timeline
from app.commerce.forms import RefundForm
from app.commerce.models import Order
from app.commerce.queries import lists
from app.core.errors import Invalid, NotFound
from app.core.i18n import _
from app.core.ids import public_id as new_public_id
from app.core.money import format_money, parse_money, plain_amount
from app.gateways import payments
from app.web import tables, typed
from app.web.flash import flash
from app.web.forms import submitted
from app.web.guards import requires
from app.web.render import page
from app.web.request import signed_in_user

admin = Blueprint("commerce_admin", __name__, url_prefix="/admin")

# Orders on the page of a person; all are in the list of orders.
_SHOWN = 100


@admin.get("/orders")
@requires("orders.view")
async def list_orders() -> Response:
    """Every order, newest first."""
    choices = lists.product_choices(await lists.sold_products())
    return await tables.show(lists.ORDERS, "commerce/admin/orders.html", choices={"product": choices})


@admin.get("/orders/<public_id>")
@requires("orders.view")
async def show_order(public_id: str) -> Response:
    """One order: what, who, what happened, what went back."""
    return await _order_page(public_id)


@admin.get("/orders/<public_id>/receipt")
@requires("orders.view")
async def show_receipt(public_id: str) -> Response:
    """The receipt as the buyer sees it."""
    order = await _order(public_id)
    return await page(
        "commerce/receipt.html",
        order=order,
        lines=await orders.items_of(order),
        refunds=[refund for refund in await refunds.of(order) if refund.state == "succeeded"],
        back_url=url_for(".show_order", public_id=order.public_id),
    )


@admin.post("/orders/<public_id>/receipts")
@requires("orders.view", once=True)
async def create_receipt(public_id: str) -> BaseResponse:
    """Mail the receipt once more."""
    order = await _order(public_id)
    await letters.send_receipt_again(order)
    flash(_("The receipt is on its way to %(email)s.", email=order.email))
    return redirect(url_for(".show_order", public_id=public_id), 303)


@admin.post("/orders/<public_id>/refunds")
@requires("orders.refund", fresh=True)
async def create_refund(public_id: str) -> Response | BaseResponse:
    """Give money back, after the order's number was typed."""
    order = await _order(public_id)
    form = await submitted(RefundForm)
    if not form.validate() or not _is_confirmed(form, order):
        return await _order_page(public_id, form=form, status=422)
    try:
        amount = parse_money(form.amount.data, order.currency)
        refund = await orders.refund(
            order, amount, reason=form.reason.data, ref=form.ref.data, requested_by=signed_in_user().id
        )
    except ValueError:
        form.refuse(Invalid(_("Write an amount such as 49 or 49.50."), field="amount"))
        return await _order_page(public_id, form=form, status=422)
    except Invalid as error:
        form.refuse(error)
        return await _order_page(public_id, form=form, status=422)
    # Of the refund, not as typed: a page that was sent before, and is sent again with another amount, sends that one.
    await _perform(refund.id, format_money(refund.amount_minor, order.currency))
    return redirect(url_for(".show_order", public_id=public_id), 303)


async def _perform(refund_id: int, amount: str) -> None:
    """Try at once and say how it went; a job goes on trying when Stripe is away."""
    try:
        done = await refunds.perform(refund_id)
    except payments.Unavailable:
        flash(_("Stripe cannot be reached. The refund of %(amount)s is kept and tried again.", amount=amount), "care")
        return
    if done.state == "failed":
        flash(_("Stripe refused the refund: %(error)s", error=done.error), "bad")
    elif done.state == "pending":
        flash(_("The refund of %(amount)s is on its way; the bank has not confirmed it yet.", amount=amount))
    else:
        flash(_("%(amount)s was refunded.", amount=amount))


def _is_confirmed(form: RefundForm, order: Order) -> bool:
    if (form.confirmation.data or "").lstrip("#") == str(order.number):
        return True
    form.refuse(Invalid(_("Type %(number)s to confirm.", number=order.number), field="confirmation"))
    return False


@admin.post("/orders/<public_id>/acceptance")
@requires("orders.decide", fresh=True)
async def create_acceptance(public_id: str) -> BaseResponse:
    """Open what a flagged order holds, although its payment does not fit."""
    order = await _order(public_id)
    went_back = await orders.accept(order, seen=(await request.form).get("seen", ""))
    flash(_("Order %(number)s is accepted, and what it holds is open.", number=order.number))
    if went_back:
        flash(_("The payments that came before the last one go back."))
    return redirect(url_for(".show_order", public_id=public_id), 303)


@admin.post("/orders/<public_id>/rejection")
@requires("orders.decide", fresh=True)
async def create_rejection(public_id: str) -> BaseResponse:
    """Give the payment of a flagged order back and end the order."""
    order = await _order(public_id)
    if await orders.reject(order):
        flash(_("Order %(number)s is not accepted. Its payment goes back.", number=order.number))
    else:
        flash(_("Order %(number)s has ended. No payment came for it, so none goes back.", number=order.number))
    return redirect(url_for(".show_order", public_id=public_id), 303)


@admin.post("/orders/<public_id>/returns")
@requires("orders.refund", fresh=True)
async def create_return(public_id: str) -> BaseResponse:
    """Deal with a payment that paid nothing and could not be given back: send it again, or note that it went by hand."""
    order = await _order(public_id)
    sent = await request.form
    ref, back = sent.get("refund", "")[:40], redirect(url_for(".show_order", public_id=public_id), 303)
    if sent.get("how") == "by-hand":
        await refunds.settle_by_hand(order, ref, requested_by=signed_in_user().id)
        flash(_("It is written down that the payment went back by hand."))
        return back
    begun = await refunds.send_again(order, ref, requested_by=signed_in_user().id)
    await _perform(begun.id, format_money(begun.amount_minor, begun.currency or order.currency))
    return back


@admin.get("/people/<public_id>/orders")
@requires("orders.view")
async def list_orders_of_person(public_id: str) -> Response:
    """What one person bought; a page, or the block `orders` of the person's page."""
    person = await users.find_by_public_id(public_id)
    if person is None:
        raise NotFound()
    found = await orders.of_member(person.id, limit=_SHOWN + 1)
    shown = found[:_SHOWN]
    return await page(
        "commerce/admin/person_orders.html",
        person=person,
        orders=shown,
        has_more=len(found) > _SHOWN,
        items=await orders.items_by_order(shown),
        trail=[(_("People"), "/admin/people"), (person.name or person.email, f"/admin/people/{person.public_id}")],
    )


async def _order(public_id: str) -> Order:
    order = await orders.find_by_public_id(public_id[:40])
    if order is None:
        raise NotFound()
    return order


async def _order_page(public_id: str, *, form: RefundForm | None = None, status: int = 200) -> Response:
    order = await orders.file(public_id[:40])
    if order is None:
        raise NotFound()
    if form is None:
        fresh = {"ref": new_public_id(), "amount": plain_amount(order.left_minor, order.currency)}
        form = RefundForm(data={**fresh, **typed.take()})
    return await page(
        "commerce/admin/order.html",
        status=status,
        order=order,
        lines=await orders.items_of(order),
        story=await timeline.of(order),
        to_give_back=await orders.to_give_back(order) if order.flag else [],
        stranded=await refunds.stranded(order) if order.has_stranded else [],
        form=form,
        may_refund=signed_in_user().can("orders.refund"),
        may_decide=signed_in_user().can("orders.decide"),
        trail=[(_("Orders"), url_for(".list_orders"))],
    )
