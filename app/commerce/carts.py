"""Carts: one for each member, one for each guest's browser; a guest's is merged into the member's at sign-in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from app.access import entitlements
from app.catalogue import products
from app.catalogue.models import Offer
from app.commerce.models import Cart, CartItem, CartLine
from app.commerce.queries import carts as queries
from app.core import clock, db, tokens
from app.core.errors import Conflict, NotFound
from app.core.i18n import _
from app.core.money import format_money

LARGEST = 50
STALE = timedelta(days=90)
# No request takes longer than this.
UNDER_WAY = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Whose:
    """Whose cart: a signed-in person's, else that of a browser, by the token in its cookie."""

    user_id: int | None = None
    token: str | None = None

    @property
    def token_hash(self) -> bytes | None:
        return tokens.hashed(self.token) if self.token and self.user_id is None else None


@dataclass(frozen=True, slots=True)
class Addition:
    """What came of adding: `added`, `there` (it stood there already) or `owned`."""

    offer: Offer
    outcome: str


async def count(whose: Whose) -> int:
    """How many things stand in the cart, without looking closer."""
    return await queries.count_items(whose.user_id, whose.token_hash)


async def find(whose: Whose) -> int | None:
    """The cart's id, or None while nothing was ever put in."""
    if whose.user_id is not None:
        return await queries.cart_of_user(whose.user_id)
    return await queries.cart_of_token(whose.token_hash) if whose.token_hash else None


async def holds(whose: Whose, product_id: int) -> bool:
    """Whether a product stands in the cart."""
    return await queries.holds(whose.user_id, whose.token_hash, product_id)


async def merge(user_id: int, token: str) -> bool:
    """Put what a guest's browser gathered into the cart of the person who signed in there, once; False: nothing there.

    One transaction: things in both collapse into one line, and orders that came from the guest's cart go along. What a
    click that is under way adds for the guest goes there too.
    """
    token_hash = tokens.hashed(token)
    async with db.transaction():
        await queries.lock_token(token_hash)
        await queries.note_merged(token_hash, user_id, clock.now())
        guest_id = await queries.cart_of_token(token_hash)
        if guest_id is None:
            return False
        member_id = await queries.ensure_cart_of_user(user_id, clock.now())
        # Orders before items: booking a payment takes its locks in this order too.
        await queries.move_orders(guest_id, member_id)
        await queries.move_items(guest_id, member_id)
        await queries.delete_cart(guest_id)
        return True


async def show(whose: Whose, *, is_kept: bool = True) -> Cart:
    """The cart as it stands now. What cannot be bought any more falls out and a lower price is taken over; `news`
    says so in sentences, once. Unless `is_kept`, nothing of that is written.
    """
    cart_id = await find(whose)
    if cart_id is None:
        return Cart(None)
    items = await queries.items(cart_id)
    ids = [item.product_id for item in items]
    offers = {offer.product_id: offer for offer in await products.offers(ids)}
    owned = await entitlements.owned(whose.user_id, ids) if whose.user_id is not None else set()
    kept, fallen = sort_out(items, offers, owned)
    cheaper = [line for line in kept if line.is_cheaper]
    if is_kept and (fallen or cheaper):
        async with db.transaction():
            await queries.delete_items(cart_id, [product_id for product_id, _why in fallen])
            for line in cheaper:
                offer = line.offer
                await queries.agree(cart_id, offer.product_id, amount_minor=offer.amount_minor, currency=offer.currency)
    news = [_fallen(offers.get(product_id), why) for product_id, why in fallen]
    news += [_got_cheaper(line) for line in cheaper]
    return Cart(cart_id, kept, news)


def sort_out(
    items: Sequence[CartItem], offers: Mapping[int, Offer], owned: set[int]
) -> tuple[list[CartLine], list[tuple[int, str]]]:
    """The lines that can be bought, and those that fall out: (product, `gone` | `owned` | `currency`)."""
    kept: list[CartLine] = []
    fallen: list[tuple[int, str]] = []
    for item in items:
        offer = offers.get(item.product_id)
        if offer is None or not offer.is_for_sale:
            fallen.append((item.product_id, "gone"))
        elif item.product_id in owned:
            fallen.append((item.product_id, "owned"))
        elif kept and offer.currency != kept[0].offer.currency:
            fallen.append((item.product_id, "currency"))
        else:
            kept.append(CartLine(offer, item.agreed_minor, item.agreed_currency))
    return kept, fallen


def _fallen(offer: Offer | None, why: str) -> str:
    title = offer.title if offer is not None else ""
    if not title:
        return _("Something in your cart is no longer for sale, so it was taken out.")
    if why == "owned":
        return _("%(title)s is yours already, so it was taken out.", title=title)
    if why == "currency":
        return _("%(title)s is sold in another currency, so it was taken out. Buy it by itself.", title=title)
    return _("%(title)s is no longer for sale, so it was taken out.", title=title)


def _got_cheaper(line: CartLine) -> str:
    price = format_money(line.offer.amount_minor, line.offer.currency)
    return _("%(title)s costs less now: %(price)s.", title=line.offer.title, price=price)


async def add(whose: Whose, slug: str) -> Addition:
    """Put a product in at its price of now. Raises NotFound when it is not for sale, Conflict when it does not fit in."""
    offer = await products.offer(slug)
    if offer is None or not offer.is_for_sale:
        raise NotFound(_("This is not for sale."))
    if whose.user_id is not None and await entitlements.owned(whose.user_id, [offer.product_id]):
        return Addition(offer, "owned")
    async with db.transaction():
        cart_id = await _ensure(await _since_merged(whose))
        others = [item for item in await queries.items(cart_id) if item.product_id != offer.product_id]
        if any(item.agreed_currency != offer.currency for item in others):
            raise Conflict(_("This is sold in another currency than what is in your cart. Pay for that first."))
        if len(others) >= LARGEST:
            raise Conflict(_("Your cart is full. Pay for what is in it first."))
        added = await queries.insert_item(
            cart_id, offer.product_id, amount_minor=offer.amount_minor, currency=offer.currency, now=clock.now()
        )
    return Addition(offer, "added" if added else "there")


async def _since_merged(whose: Whose) -> Whose:
    """Whose cart it is by now: the guest may have signed in, in the same browser, since this request began."""
    if whose.token_hash is None:
        return whose
    await queries.lock_token(whose.token_hash)
    user_id = await queries.merged_into(whose.token_hash, clock.now() - UNDER_WAY)
    return whose if user_id is None else Whose(user_id)


async def _ensure(whose: Whose) -> int:
    if whose.user_id is not None:
        return await queries.ensure_cart_of_user(whose.user_id, clock.now())
    if whose.token_hash is None:
        raise RuntimeError("a guest's cart needs a token")
    return await queries.insert_guest_cart(whose.token_hash, clock.now())


async def remove(whose: Whose, slug: str) -> Offer:
    """Take a product out; safe to repeat. Raises NotFound when there is no such product."""
    offer = await products.offer(slug)
    if offer is None:
        raise NotFound(_("There is no such thing in your cart."))
    cart_id = await find(whose)
    if cart_id is not None:
        await queries.delete_items(cart_id, [offer.product_id])
    return offer


async def agree(whose: Whose, slug: str, amount_minor: int) -> bool:
    """Say yes to a price that was shown as `amount_minor`; False when it has risen further meanwhile."""
    offer = await products.offer(slug)
    cart_id = await find(whose)
    if offer is None or cart_id is None:
        raise NotFound(_("There is no such thing in your cart."))
    if offer.amount_minor > amount_minor:
        return False
    await queries.agree(cart_id, offer.product_id, amount_minor=offer.amount_minor, currency=offer.currency)
    return True


async def begin(user_id: int, offer: Offer) -> None:
    """Let a signed-in person begin what is free, at once and without an order.

    Raises Conflict when it is not free, or when it was taken from this person before.
    """
    if offer.amount_minor:
        raise Conflict(_("%(title)s is not free.", title=offer.title))
    async with db.transaction():
        granted = await entitlements.grant(
            user_id,
            offer.product_id,
            source="free",
            source_ref=entitlements.free_ref(user_id, offer.product_id),
        )
        if not granted and not await entitlements.allows(user_id, offer.course_id):
            raise Conflict(_("Your access to %(title)s was closed. Write to us if that is wrong.", title=offer.title))
        cart_id = await queries.cart_of_user(user_id)
        if cart_id is not None:
            await queries.delete_items(cart_id, [offer.product_id])
