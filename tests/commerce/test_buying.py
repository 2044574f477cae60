"""A sale from the course's page to the open course, through the local Stripe."""

from app.access import entitlements
from app.accounts import users
from tests.cast import Cast
from tests.commerce.shop import Shop
from tests.school import a_course


async def test_a_guest_buys_a_course_and_gets_an_account(shop: Shop) -> None:
    course = await a_course()
    assert (await shop.add("reading-price")).status_code == 303
    page = await shop.check_out_as_guest("gus@example.org", "Gus Guest")
    assert page.startswith(shop.stripe.url)
    back = await shop.pay(page)
    assert "/checkout/success?order=" in back

    waiting = await shop.text(back)
    assert "Waiting for the payment" in waiting
    order = await shop.order()
    assert order.state == "pending"

    await shop.tell("checkout.session.completed")
    order = await shop.order()
    assert order.state == "paid"
    gus = await users.find_by_email("gus@example.org")
    assert gus is not None and order.user_id == gus.id
    assert await entitlements.allows(gus.id, course.id)
    assert "Thank you" in await shop.text(back)
    assert order.payment_method == "visa 4242"
    assert "is empty" in await shop.text("/cart")
    [mail] = await shop.mails("commerce/order_confirmation")
    assert (mail.recipient, mail.state) == ("gus@example.org", "sent")
    assert mail.subject == f"Your order {order.number} at Meridian"
    assert len(await shop.mails("commerce/owner_new_order")) == 1


async def test_a_member_buys_two_courses_in_one_order(shop: Shop, cast: Cast) -> None:
    first = await a_course()
    second = await a_course("risk", "The Arithmetic of Risk", price=18900)
    ann = await cast.ann()
    await shop.add("reading-price", ann.browser)
    await shop.add("risk", ann.browser)
    back = await shop.pay(await shop.check_out(ann.browser))
    await shop.tell()
    order = await shop.order()
    assert (order.state, order.total_minor, order.user_id) == ("paid", 43800, ann.id)
    assert order.subtotal_minor + order.tax_minor == order.total_minor
    assert await entitlements.allows(ann.id, first.id)
    assert await entitlements.allows(ann.id, second.id)
    assert "Thank you" in await shop.text(back, ann.browser)
