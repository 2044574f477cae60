"""The page after the payment page: true, patient, and only for the buyer."""

from app import Lectern
from app.commerce import orders
from app.commerce.models import Received
from app.core import queue
from tests.cast import Cast
from tests.commerce.shop import Shop
from tests.commerce.test_orders import an_order
from tests.school import a_course

ASKING = {"HX-Request": "true", "HX-Target": "section#order-state"}


async def test_the_way_back_proves_nothing(shop: Shop, cast: Cast) -> None:
    await a_course()
    ann = await cast.ann()
    order, page = await an_order(shop, ann)
    text = await shop.text(f"/checkout/success?order={order.public_id}&session_id=cs_test_paid", ann.browser)
    assert "Waiting for the payment" in text
    assert (await shop.order()).state == "pending"
    # Without scripts the page asks again by itself, and offers a link.
    assert '<noscript><meta http-equiv="refresh" content="3"></noscript>' in text
    assert "Look again" in text
    assert page


async def test_the_page_asks_again_until_something_changed(shop: Shop, cast: Cast) -> None:
    await a_course()
    ann = await cast.ann()
    order, page = await an_order(shop, ann)
    again = f"/checkout/success?order={order.public_id}&seen=pending"
    assert (await ann.browser.get(again, headers=ASKING)).status_code == 204
    await shop.pay(page)
    await shop.tell()
    answer = await ann.browser.get(again, headers=ASKING)
    block = await answer.get_data(as_text=True)
    assert answer.status_code == 200
    assert block.lstrip().startswith('<section class="order-state" id="order-state"')
    assert "Thank you" in block
    assert "hx-trigger" not in block
    assert "<html" not in block
    assert answer.headers["HX-Trigger"] == "cart-changed"
    assert "noscript" not in await shop.text(f"/checkout/success?order={order.public_id}", ann.browser)


async def test_only_the_buyer_sees_the_order(shop: Shop, cast: Cast, app: Lectern) -> None:
    await a_course()
    ann, bob, olga = await cast.ann(), await cast.bob(), await cast.olga()
    order, page = await an_order(shop, ann)
    path = f"/checkout/success?order={order.public_id}"
    for browser in (bob.browser, app.test_client(), olga.browser):
        assert (await browser.get(path)).status_code == 404
        assert (await browser.get(path + "&session_id=cs_test_guess")).status_code == 404
        assert (await browser.get(path + "&session_id=None")).status_code == 404
    assert (await ann.browser.get(path)).status_code == 200
    assert (await ann.browser.get("/checkout/success")).status_code == 404
    assert (await ann.browser.get("/checkout/success?order=%00")).status_code == 422
    assert page


async def test_a_guest_sees_the_order_in_the_browser_it_was_made_with(shop: Shop, app: Lectern) -> None:
    await a_course()
    await shop.add("reading-price")
    await shop.check_out_as_guest("gus@example.org")
    order = await shop.order()
    path = f"/checkout/success?order={order.public_id}"
    assert (await shop.client.get(path)).status_code == 200
    assert (await app.test_client().get(path)).status_code == 404
    stranger = app.test_client()
    await shop.add("reading-price", stranger)
    assert (await stranger.get(path)).status_code == 404


async def test_coming_back_from_the_payment_page_in_another_browser_shows_it_too(shop: Shop, app: Lectern) -> None:
    """A phone opens the bank's app, and the bank's app opens another browser."""
    await a_course()
    await shop.add("reading-price")
    back = await shop.pay(await shop.check_out_as_guest("gus@example.org"))
    assert (await app.test_client().get(back)).status_code == 200


async def test_an_order_without_a_cart_is_nobodys_by_accident(shop: Shop, cast: Cast) -> None:
    """A guest's forgotten cart leaves orders without one; a member who never had a cart does not match them."""
    from app.core import db

    await a_course()
    await shop.add("reading-price")
    await shop.check_out_as_guest("gus@example.org")
    await db.run("DELETE FROM carts")
    bob = await cast.bob()
    order = await shop.order()
    assert order.cart_id is None
    assert (await bob.browser.get(f"/checkout/success?order={order.public_id}")).status_code == 404


async def test_a_guest_who_signs_in_after_paying_still_sees_it(shop: Shop, cast: Cast) -> None:
    await a_course()
    await shop.add("reading-price")
    await shop.check_out_as_guest("ann@example.org")
    order = await shop.order()
    ann = await cast.ann()
    from tests.commerce.test_carts import token_of

    ann.browser.set_cookie("localhost", "cart", token_of(shop.client) or "")
    await ann.browser.get("/cart")  # the carts merge
    path = f"/checkout/success?order={order.public_id}"
    assert (await ann.browser.get(path)).status_code == 200
    await orders.mark_paid(order.id, Received(24900, "EUR", payment_id="pi_1"))
    assert (await ann.browser.get(path)).status_code == 200


async def test_what_was_bought_for_somebody_else_is_not_shown_to_who_signs_in_there_next(
    shop: Shop, cast: Cast
) -> None:
    await a_course()
    ann, bob = await cast.ann(), await cast.bob()
    await shop.add("reading-price")
    await shop.check_out_as_guest(bob.email)
    order = await shop.order()
    await orders.mark_paid(order.id, Received(24900, "EUR", payment_id="pi_1"))
    from tests.commerce.test_carts import token_of

    ann.browser.set_cookie("localhost", "cart", token_of(shop.client) or "")
    await ann.browser.get("/cart")  # the carts merge, and their orders with them
    assert (await ann.browser.get(f"/checkout/success?order={order.public_id}")).status_code == 404
    assert (await bob.browser.get(f"/checkout/success?order={order.public_id}")).status_code == 200


async def test_a_failed_payment_says_so_and_leads_back(shop: Shop, cast: Cast) -> None:
    await a_course()
    ann = await cast.ann()
    order, _page = await an_order(shop, ann)
    await orders.mark_failed(order.id, reason="bank")
    await queue.drain()
    text = await shop.text(f"/checkout/success?order={order.public_id}", ann.browser)
    assert "The payment failed" in text
    assert "Nothing was charged" in text
