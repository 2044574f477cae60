"""Products and their prices: what a buyer is offered, and how the owner changes it."""

from app.catalogue import queries
from app.catalogue.events import PriceChanged
from app.catalogue.models import Offer
from app.core import audit, clock, db, events
from app.core.errors import Conflict, Invalid
from app.core.i18n import _
from app.core.ids import public_id
from app.core.money import CURRENCIES

# Stripe refuses to charge less, in minor units (https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts).
SMALLEST_CHARGES = {
    "EUR": 50, "USD": 50, "GBP": 30, "CHF": 50, "SEK": 300, "NOK": 300, "DKK": 250, "PLN": 200, "CZK": 1500, "JPY": 50,
    "CAD": 50, "AUD": 50,
}  # fmt: skip


async def offer(slug: str) -> Offer | None:
    """The product of this slug with its current price; None when there is none or it has no price."""
    return await queries.offer(slug)


async def offers_named(slugs: list[str]) -> list[Offer]:
    """The products that these slugs name, or named before, with their current prices and these names; those that are not there,
    or have no price, are missing.
    """
    return await queries.offers_named(slugs) if slugs else []


async def offers(product_ids: list[int]) -> list[Offer]:
    """These products with their current prices; those without a price are missing."""
    return await queries.offers(product_ids) if product_ids else []


async def offer_of_course(course_id: int) -> Offer | None:
    """The product that opens this course, or None when it has no price yet."""
    return await queries.offer_of_course(course_id)


async def set_price(course_id: int, amount_minor: int, currency: str) -> Offer:
    """Give a course a price from now on (0: free), making its product when missing. Raises Invalid."""
    if currency not in CURRENCIES:
        raise Invalid(_("The school does not sell in this currency."), field="price")
    if is_too_little(amount_minor, currency):
        raise Invalid(_("Cards cannot be charged this little. Ask for more, or make the course free."), field="price")
    async with db.transaction():
        await queries.lock_course(course_id)
        before = await queries.offer_of_course(course_id)
        left_behind = await queries.make_way(course_id, clock.now())
        product_id = await queries.insert_course_product(public_id=public_id(), course_id=course_id, now=clock.now())
        if left_behind is not None:
            await follow_course(left_behind)
        changed = await queries.replace_price(product_id, amount_minor=amount_minor, currency=currency, now=clock.now())
        after = await queries.offer_of_course(course_id)
        assert after is not None
        if changed:
            await events.publish(PriceChanged(product_id))
            await audit.record(
                "product.price", "product", after.slug, before=_facts(before), after=_facts(after), summary=after.title
            )
        return after


def is_too_little(amount_minor: int, currency: str) -> bool:
    """Whether an amount is less than a card can be charged; 0 is free, and charged to none."""
    return 0 < amount_minor < SMALLEST_CHARGES.get(currency, 0)


async def stop_selling(course_id: int) -> None:
    """Take a course off sale; those who own it keep it. Raises Conflict when it is not for sale."""
    async with db.transaction():
        if not await queries.set_active(course_id, False, clock.now()):
            raise Conflict(_("This course is not for sale."))
        await _note("product.stop", course_id)


async def start_selling(course_id: int) -> None:
    """Put a course with a price back on sale. Raises Conflict when it is already."""
    async with db.transaction():
        if not await queries.set_active(course_id, True, clock.now()):
            raise Conflict(_("This course is for sale already, or has no price."))
        await _note("product.start", course_id)


async def _note(action: str, course_id: int) -> None:
    offer = await queries.offer_of_course(course_id)
    if offer is not None:
        await audit.record(action, "product", offer.slug, summary=offer.title)


async def follow_course(course_id: int) -> None:
    """Let the product carry its course's new title and slug. Safe to repeat."""
    async with db.transaction():
        left_behind = await queries.make_way(course_id, clock.now())
        await queries.follow_course(course_id, clock.now())
        if left_behind is not None:
            await follow_course(left_behind)


def _facts(offer: Offer | None) -> dict[str, object]:
    return {"amount_minor": offer.amount_minor, "currency": offer.currency} if offer else {}
