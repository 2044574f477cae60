"""The cart, its count in the masthead, and the personal part of a course's page."""

from quart import Response, redirect, url_for
from werkzeug.wrappers import Response as BaseResponse

from app.access import entitlements
from app.catalogue import products
from app.commerce import carts, quotes
from app.commerce.models import Cart
from app.commerce.routes import routes
from app.commerce.routes.visitor import whose_cart
from app.core.errors import Conflict, NotFound
from app.core.i18n import _
from app.core.numbers import whole_number
from app.core.settings import school
from app.courses import courses
from app.web import acting
from app.web.current import request
from app.web.flash import flash
from app.web.guards import public
from app.web.render import page
from app.web.request import fragment, user


@routes.get("/cart")
@public()
async def show_cart() -> Response:
    """What is in the cart, what it costs, and the way to pay."""
    cart = await carts.show(await whose_cart(), is_kept=acting.current() is None)
    return await cart_page(cart, stopped=request.args.get("payment") == "stopped")


async def cart_page(cart: Cart, *, stopped: bool = False, trouble: str = "", status: int = 200) -> Response:
    """The page of a cart; for a member, whose form it is that leads to payment, with its prices signed."""
    settings = await school()
    quote = quotes.make([line.offer for line in cart.lines], settings.tax_rate, settings.tax_label)
    return await page(
        "commerce/cart.html",
        status=status,
        headers={"HX-Trigger": "cart-changed"} if fragment() else None,
        cart=cart,
        quote=quote,
        signed=quotes.sign(quote, cart.id) if user() is not None and cart.id is not None and cart.lines else "",
        stopped=stopped,
        trouble=trouble,
    )


@routes.get("/cart/count")
@public()
async def show_count() -> Response:
    """How many things are in the cart: the hole in the masthead."""
    return await page("commerce/cart_count.html", count=await carts.count(await whose_cart()))


@routes.post("/cart/items")
@public()
async def create_item() -> BaseResponse:
    """Put a thing into the cart. What is free and asked for by a member begins at once; what is owned leads there."""
    slug = (await request.form).get("product") or request.args.get("product", "")
    person = user()
    whose = await whose_cart(make=True)
    if person is not None and await _begin_free(person.id, slug):
        return redirect(f"/learn/{slug}", 303)
    try:
        addition = await carts.add(whose, slug)
    except Conflict as error:
        flash(error.message, "care")
        return redirect(url_for(".show_cart"), 303)
    title = addition.offer.title
    if addition.outcome == "owned":
        flash(_("%(title)s is yours already. Go on where you were.", title=title), "")
        return redirect(f"/learn/{addition.offer.course_slug}", 303)
    if addition.outcome == "there":
        flash(_("%(title)s was in your cart already.", title=title), "")
    else:
        flash(
            _("%(title)s is in your cart.", title=title), undo_url=url_for(".create_removal", slug=addition.offer.slug)
        )
    return redirect(url_for(".show_cart"), 303)


async def _begin_free(user_id: int, slug: str) -> bool:
    offer = await products.offer(slug)
    if offer is None or not offer.is_for_sale or offer.amount_minor:
        return False
    await carts.begin(user_id, offer)
    return True


@routes.post("/cart/items/<slug>/removal")
@public()
async def create_removal(slug: str) -> BaseResponse:
    """Take a thing out, with a way back."""
    offer = await carts.remove(await whose_cart(), slug)
    undo = url_for(".create_item", product=offer.slug) if offer.is_for_sale else ""
    flash(_("%(title)s was taken out.", title=offer.title), undo_url=undo)
    return redirect(url_for(".show_cart"), 303)


@routes.post("/cart/items/<slug>/agreement")
@public()
async def create_agreement(slug: str) -> BaseResponse:
    """Say yes to a price that rose."""
    amount = whole_number((await request.form).get("amount"), 12)
    if amount is None or not await carts.agree(await whose_cart(), slug, amount):
        flash(_("The price has changed once more. Please look at it again."), "care")
    return redirect(url_for(".show_cart"), 303)


@routes.get("/courses/<slug>/offer")
@public()
async def show_offer(slug: str) -> Response | BaseResponse:
    """What the visitor can do about this course: buy it, see it in the cart, go on learning."""
    course = await courses.find_by_slug(slug)
    offer = await products.offer_of_course(course.id) if course is not None and course.is_published else None
    if offer is None:
        raise NotFound()
    if fragment() is None:
        return redirect(url_for("catalogue.show_course", slug=slug), 303)
    person, whose = user(), await whose_cart()
    cause = await entitlements.explain(person.id, offer.course_id) if person is not None else None
    return await page(
        "commerce/offer.html",
        offer=offer,
        access=cause if cause is not None and cause.allowed else None,
        in_cart=await carts.holds(whose, offer.product_id),
    )
