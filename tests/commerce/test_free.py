"""What costs nothing: closed for somebody it stays closed by every way, and nobody's mailbox is flooded."""

from datetime import timedelta

from quart.typing import TestClientProtocol

from app import Lectern
from app.access import entitlements
from app.commerce.models import CONFIRMATION_LIFETIME
from app.core import clock, db, queue
from tests.cast import Cast, Person
from tests.commerce.shop import Shop
from tests.commerce.test_carts import token_of
from tests.commerce.test_checkout import confirmation_link
from tests.school import a_course


async def closed_for(shop: Shop, person: Person, slug: str) -> None:
    """The person began it, and the school closed it."""
    await shop.add(slug, person.browser)
    ref = await db.value("SELECT source_ref FROM entitlements")
    await entitlements.close(ref, reason="shared the account")


async def test_what_was_closed_for_a_person_cannot_be_had_again_as_a_guest(shop: Shop, cast: Cast) -> None:
    course = await a_course("first", "Your First Chart", price=0)
    ann = await cast.ann()
    await closed_for(shop, ann, "first")
    await shop.add("first")
    await shop.check_out_as_guest("ANN@example.org", "Ann")
    answer = await shop.client.post(await confirmation_link(shop))
    assert answer.status_code == 409
    assert "was closed" in await answer.get_data(as_text=True)
    assert (await shop.order()).state == "pending"
    assert not await entitlements.allows(ann.id, course.id)


async def test_what_was_closed_is_not_opened_by_a_guests_cart_that_came_along(shop: Shop, cast: Cast) -> None:
    course = await a_course("first", "Your First Chart", price=0)
    ann = await cast.ann()
    await closed_for(shop, ann, "first")
    await shop.add("first")
    ann.browser.set_cookie("localhost", "cart", token_of(shop.client) or "")
    answer = await ann.browser.post("/checkout", form={"quote": await shop.quote(ann.browser)})
    assert answer.headers["Location"] == "/cart"
    assert "was closed" in await shop.text("/cart", ann.browser)
    assert not await entitlements.allows(ann.id, course.id)


async def test_what_was_closed_stays_closed_beside_something_that_is_paid(shop: Shop, cast: Cast) -> None:
    free = await a_course("first", "Your First Chart", price=0)
    paid = await a_course()
    ann, olga = await cast.ann(), await cast.olga()
    await closed_for(shop, ann, "first")
    await shop.add("first")
    await shop.add("reading-price")
    await shop.pay(await shop.check_out_as_guest(ann.email))
    await shop.tell()
    assert await entitlements.allows(ann.id, paid.id)
    assert not await entitlements.allows(ann.id, free.id)
    page = await shop.text(f"/admin/orders/{(await shop.order()).public_id}", olga.browser)
    assert "Stays closed, as it was closed before: Your First Chart" in page


async def test_what_a_guest_began_and_the_school_closed_cannot_be_begun_as_a_member(shop: Shop, cast: Cast) -> None:
    course = await a_course("first", "Your First Chart", price=0)
    ann = await cast.ann()
    await shop.add("first")
    await shop.check_out_as_guest(ann.email)
    assert (await shop.client.post(await confirmation_link(shop))).status_code == 303
    assert await entitlements.allows(ann.id, course.id)
    await entitlements.close(entitlements.free_ref(ann.id, course.product_id or 0), reason="shared the account")
    assert (await shop.add("first", ann.browser)).status_code == 409
    assert not await entitlements.allows(ann.id, course.id)


async def ask(shop: Shop, browser: TestClientProtocol, email: str) -> int:
    """Ask for the free course in a browser of one's own; the status of the answer."""
    await shop.add("first", browser)
    form = {"quote": await shop.quote(browser, "/checkout"), "email": email, "name": "Gus"}
    return int((await browser.post("/checkout", form=form)).status_code)


async def test_one_address_is_not_flooded_with_mail_about_free_courses(shop: Shop, app: Lectern) -> None:
    await a_course("first", "Your First Chart", price=0)
    answers = [await ask(shop, app.test_client(), address) for address in ["gus@example.org", "GUS@example.org"] * 4]
    assert answers == [303] * 5 + [429] * 3
    await queue.drain()
    assert len(await shop.mails("commerce/free_confirmation")) == 5
    assert await ask(shop, app.test_client(), "hal@example.org") == 303


async def test_a_guest_who_turned_back_finds_name_and_address_again(shop: Shop, app: Lectern) -> None:
    await a_course()
    await shop.add("reading-price")
    await shop.check_out_as_guest("gus@example.org", "Gus Guest")
    assert "nothing was charged" in await shop.text("/cart?payment=stopped")
    page = await shop.text("/checkout")
    assert 'value="gus@example.org"' in page
    assert 'value="Gus Guest"' in page
    stranger = app.test_client()
    await shop.add("reading-price", stranger)
    assert "gus@example.org" not in await shop.text("/checkout", stranger)


async def test_beside_something_that_was_closed_the_rest_of_a_free_order_opens(shop: Shop, cast: Cast) -> None:
    closed = await a_course("first", "Your First Chart", price=0)
    other = await a_course("second", "Your Second Chart", price=0)
    ann = await cast.ann()
    await closed_for(shop, ann, "first")
    for slug in ("first", "second"):
        await shop.add(slug)
    await shop.check_out_as_guest(ann.email, "Ann")
    assert (await shop.client.post(await confirmation_link(shop))).status_code == 303
    assert await entitlements.allows(ann.id, other.id)
    assert not await entitlements.allows(ann.id, closed.id)


async def test_who_asks_for_it_again_after_the_link_has_ended_gets_another_link(shop: Shop) -> None:
    await a_course("first", "Your First Chart", price=0)
    await shop.add("first")
    await shop.check_out_as_guest("gus@example.org", "Gus")
    old = await shop.order()
    with clock.shifted(CONFIRMATION_LIFETIME + timedelta(minutes=1)):
        await shop.check_out_as_guest("gus@example.org", "Gus")
        new = await shop.order()
        assert new.id != old.id
        assert [await db.value("SELECT state FROM orders WHERE id = :id", id=each.id) for each in (old, new)] == [
            "expired", "pending"
        ]  # fmt: skip
    assert len(await shop.mails("commerce/free_confirmation")) == 2
