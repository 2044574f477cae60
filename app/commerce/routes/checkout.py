"""From the cart to the payment page and back: the page that waits for the truth."""

from quart import Response, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from app.accounts import consents
from app.commerce import carts, checkouts, orders, quotes
from app.commerce.forms import GuestForm, QuoteForm
from app.commerce.models import Buyer, Cart, Order, Quote
from app.commerce.routes import routes
from app.commerce.routes.cart import cart_page
from app.commerce.routes.visitor import cart_token, whose_cart
from app.core import limits, tokens
from app.core.errors import Conflict, NotFound, Unavailable
from app.core.i18n import _
from app.core.settings import school
from app.web.flash import flash
from app.web.forms import submitted
from app.web.guards import public
from app.web.render import page
from app.web.request import fragment, user
from app.web.traps import captcha_headers, captcha_passes


@routes.get("/checkout")
@public()
async def show_checkout() -> Response | BaseResponse:
    """A guest says who buys. A member pays from the cart."""
    cart = await carts.show(await whose_cart())
    _tell(cart)
    if user() is not None or not cart.lines or cart.needs_yes:
        return redirect(url_for("commerce.show_cart"), 303)
    assert cart.id is not None
    # Who turned back at the payment page need not type it all again.
    last = await orders.last_of_guest(cart.id)
    form = GuestForm(data={"email": last.email, "name": last.name} if last is not None else None)
    return await _guest_page(cart, await _quote(cart), form)


@routes.post("/checkout")
@public(limit=limits.SENSITIVE)
async def create_checkout() -> Response | BaseResponse:
    """Place the order for what was shown, and lead to the payment page."""
    cart = await carts.show(await whose_cart())
    person = user()
    form = await submitted(QuoteForm if person is not None else GuestForm)
    _tell(cart)
    quote = await _quote(cart)
    problem = _not_as_shown(cart, quote, quotes.read(form.quote.data or ""))
    if problem:
        flash(problem, "care")
    if problem or cart.id is None or not cart.lines:
        return redirect(url_for("commerce.show_cart"), 303)
    if isinstance(form, GuestForm):
        if form.is_trapped():  # a program; it gets what looks like the next page, for nothing
            return redirect(url_for("commerce.show_cart"), 303)
        if not form.validate() or not await captcha_passes(form, "checkout"):
            return await _guest_page(cart, quote, form, status=422)
    try:
        on = await checkouts.start(quote, _buyer(form), cart_id=cart.id)
        if isinstance(form, GuestForm) and form.marketing.data:
            await consents.say_as_guest(consents.MARKETING, origin=f"order:{on.order.public_id}")
    except Conflict as error:
        flash(error.message, "care")
        return redirect(url_for("commerce.show_cart"), 303)
    except Unavailable as error:
        if isinstance(form, GuestForm):
            return await _guest_page(cart, quote, form, trouble=error.message, status=503)
        return await cart_page(cart, trouble=error.message, status=503)
    return redirect(on.url or url_for("commerce.show_success", order=on.order.public_id), 303)


def _buyer(form: QuoteForm) -> Buyer:
    person = user()
    if person is not None:
        return Buyer(person.email, person.name, person.id)
    assert isinstance(form, GuestForm)
    return Buyer(form.email.data, form.name.data)


def _not_as_shown(cart: Cart, quote: Quote, shown: quotes.Shown | None) -> str:
    """Why this checkout cannot go on with the prices that the buyer saw; empty when it can."""
    if not cart.lines:
        return "" if cart.news else _("Your cart is empty.")
    if shown is None:
        return _("Prices are held for half an hour, and that is over. Here is your cart as it stands now.")
    if shown.cart_id != cart.id or not quotes.same_things(shown, quote):
        return _("Your cart has changed since that page was shown. Here it is as it stands now.")
    if cart.needs_yes or not quotes.still_good(shown, quote):
        return _("A price has risen since you saw it. Look at the new one before you pay.")
    return ""


def _tell(cart: Cart) -> None:
    for sentence in cart.news:
        flash(sentence, "care")


async def _quote(cart: Cart) -> Quote:
    settings = await school()
    return quotes.make([line.offer for line in cart.lines], settings.tax_rate, settings.tax_label)


async def _guest_page(cart: Cart, quote: Quote, form: GuestForm, *, trouble: str = "", status: int = 200) -> Response:
    assert cart.id is not None
    form.quote.data = quotes.sign(quote, cart.id)
    return await page(
        "commerce/checkout.html",
        status=status,
        headers=captcha_headers(),
        cart=cart,
        quote=quote,
        form=form,
        trouble=trouble,
    )


@routes.get("/checkout/success")
@public()
async def show_success() -> Response:
    """How the order stands, by our own books: the way back from the payment page proves nothing.

    The waiting page asks again each second with what it shows (`seen`); 204 says that nothing has changed.
    """
    order = await _buyers_order(request.args.get("order", ""))
    if fragment() is not None and request.args.get("seen") == order.state:
        return Response("", 204)
    return await page(
        "commerce/success.html",
        order=order,
        lines=await orders.items_of(order),
        headers={"HX-Trigger": "cart-changed"} if fragment() is not None else None,
        again_url=url_for(
            "commerce.show_success", order=order.public_id, session_id=request.args.get("session_id") or None
        ),
    )


async def _buyers_order(public_id: str) -> Order:
    """The order, for its buyer only: signed in, in the browser it was made with, or back from its payment page."""
    person, token = user(), cart_token()
    found = await orders.find_for_buyer(
        public_id[:40],
        user_id=person.id if person is not None else None,
        token_hash=tokens.hashed(token) if token else None,
        session_id=request.args.get("session_id", "")[:200],
    )
    if found is None:
        raise NotFound(_("There is no such order, or it is not yours. Sign in with the address you bought it with."))
    return found


@routes.get("/checkout/confirmations/<token>")
@public()
async def show_confirmation(token: str) -> Response:
    """The link from the mail about a free order: a button, because mail programs open links by themselves."""
    order = await checkouts.order_to_confirm(token)
    if order is None or (not order.is_paid and not order.is_open):
        raise NotFound(_("This link is too old. Begin again from the course's page."))
    return await page("commerce/confirmation.html", order=order, token=token, lines=await orders.items_of(order))


@routes.post("/checkout/confirmations/<token>")
@public(limit=limits.SENSITIVE)
async def create_confirmation(token: str) -> BaseResponse:
    """The owner of the address wants it."""
    order = await checkouts.order_to_confirm(token)
    if order is None or (not order.is_paid and not order.is_open):
        raise NotFound(_("This link is too old. Begin again from the course's page."))
    await checkouts.confirm(order)
    return redirect(url_for("commerce.show_confirmation", token=token), 303)
