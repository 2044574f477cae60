import asyncio
import re
from collections.abc import Awaitable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from quart.typing import TestClientProtocol

from app import Lectern
from app.access import entitlements
from app.catalogue import products
from app.commerce import carts, orders, quotes
from app.commerce.carts import Whose
from app.commerce.models import Buyer
from app.commerce.queries import carts as cart_queries
from app.core import clock, db, queue, settings, tokens, webhooks
from app.core.errors import Conflict
from tests.cast import Cast, Person
from tests.commerce.shop import Shop
from tests.school import MadeCourse, a_course


async def own(person: Person, course: MadeCourse) -> None:
    assert course.product_id is not None
    async with db.transaction():
        await entitlements.grant(
            person.id, course.product_id, source="manual", source_ref=f"manual:{person.id}:{course.id}"
        )


def token_of(browser: TestClientProtocol) -> str | None:
    found = [cookie for cookie in browser.cookie_jar if cookie.name == "cart"]  # type: ignore[union-attr]
    return found[0].value if found else None


async def slugs(whose: Whose) -> list[str]:
    return [line.offer.slug for line in (await carts.show(whose)).lines]


async def test_a_guest_gathers_several_things_under_a_cookie_that_scripts_cannot_read(shop: Shop) -> None:
    await a_course()
    await a_course("risk", "The Arithmetic of Risk", price=18900)
    answer = await shop.add("reading-price")
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    await shop.add("risk")
    page = await shop.text("/cart")
    assert "Reading Price" in page
    assert "The Arithmetic of Risk" in page
    assert "€438" in page
    assert (await shop.text("/cart/count")).startswith("2")
    token = token_of(shop.client)
    assert token is not None
    assert await db.value("SELECT count(*) FROM carts WHERE token_hash = :hash", hash=tokens.hashed(token)) == 1


async def test_on_tls_the_cookie_is_bound_to_the_host(shop: Shop, app: Lectern) -> None:
    await a_course()
    app.config["SECURE_COOKIES"] = True
    try:
        cookie = (await shop.add("reading-price")).headers["Set-Cookie"]
    finally:
        app.config["SECURE_COOKIES"] = False
    assert cookie.startswith("__Host-cart=")
    assert "Secure" in cookie
    assert "Path=/" in cookie
    assert "Domain" not in cookie


async def test_looking_at_an_empty_cart_sets_no_cookie(shop: Shop) -> None:
    answer = await shop.client.get("/cart")
    assert "Your cart is empty" in await answer.get_data(as_text=True)
    assert "Set-Cookie" not in answer.headers
    assert (await shop.text("/cart/count")).strip() == ""


async def test_adding_twice_holds_one(shop: Shop) -> None:
    await a_course()
    await shop.add("reading-price")
    await shop.add("reading-price")
    assert "was in your cart already" in await shop.text("/cart")
    assert (await shop.text("/cart/count")).startswith("1")


async def test_adding_at_once_from_two_tabs_holds_one(shop: Shop, cast: Cast) -> None:
    await a_course()
    ann = await cast.ann()
    await asyncio.gather(*(shop.add("reading-price", ann.browser) for _ in range(6)))
    assert await slugs(Whose(ann.id)) == ["reading-price"]


async def test_taking_out_can_be_taken_back(shop: Shop) -> None:
    await a_course()
    await shop.add("reading-price")
    await shop.client.post("/cart/items/reading-price/removal")
    page = await shop.text("/cart")
    assert "Reading Price was taken out." in page
    undo = re.search(r'action="(/cart/items\?product=reading-price)"', page)
    assert undo is not None
    await shop.client.post(undo.group(1))
    assert (await shop.text("/cart/count")).startswith("1")


async def test_taking_out_twice_is_no_error(shop: Shop) -> None:
    await a_course()
    await shop.add("reading-price")
    for _ in range(2):
        assert (await shop.client.post("/cart/items/reading-price/removal")).status_code == 303


@pytest.mark.parametrize("slug", ["nothing", "", "x" * 300, "a'b", "ä"])
async def test_what_is_not_for_sale_cannot_be_added(shop: Shop, slug: str) -> None:
    assert (await shop.add(slug)).status_code == 404


async def test_a_draft_or_withdrawn_course_cannot_be_added(shop: Shop) -> None:
    await a_course("draft", "A Draft", state="draft")
    gone = await a_course("gone", "Gone")
    await products.stop_selling(gone.id)
    assert (await shop.add("draft")).status_code == 404
    assert (await shop.add("gone")).status_code == 404


async def test_the_cart_of_another_browser_is_another_cart(shop: Shop, app: Lectern) -> None:
    await a_course()
    await shop.add("reading-price")
    assert "Your cart is empty" in await shop.text("/cart", app.test_client())
    stranger = app.test_client()
    stranger.set_cookie("localhost", "cart", "not-a-token-of-anyone")
    assert "Your cart is empty" in await shop.text("/cart", stranger)
    stranger.set_cookie("localhost", "cart", "x" * 3000)
    assert "Your cart is empty" in await shop.text("/cart", stranger)


async def test_the_guests_cart_comes_along_at_sign_in(shop: Shop, cast: Cast) -> None:
    first, second, third = await a_course("one", "One"), await a_course("two", "Two"), await a_course("three", "Three")
    assert first.product_id and second.product_id and third.product_id
    ann = await cast.ann()
    await shop.add("one", ann.browser)
    await shop.add("two", ann.browser)

    guest = shop.client
    await shop.add("two", guest)
    await shop.add("three", guest)
    token = token_of(guest)
    assert token is not None
    ann.browser.set_cookie("localhost", "cart", token)

    answer = await ann.browser.get("/cart/count")
    assert (await answer.get_data(as_text=True)).startswith("3")
    assert "cart=;" in answer.headers["Set-Cookie"]
    assert sorted(await slugs(Whose(ann.id))) == ["one", "three", "two"]
    assert await db.value("SELECT count(*) FROM carts") == 1
    assert "Your cart is empty" in await shop.text("/cart", guest)


async def test_of_two_yeses_to_one_thing_the_lower_price_holds_after_the_merge(shop: Shop, cast: Cast) -> None:
    course = await a_course(price=10000)
    ann = await cast.ann()
    await shop.add("reading-price", ann.browser)
    await products.set_price(course.id, 15000, "EUR")
    await carts.add(Whose(token="guest"), "reading-price")
    await carts.merge(ann.id, "guest")
    cart = await carts.show(Whose(ann.id))
    assert cart.lines[0].agreed_minor == 10000
    assert cart.needs_yes


async def test_the_lower_price_holds_too_when_it_was_the_guest_who_saw_it(shop: Shop, cast: Cast) -> None:
    course = await a_course(price=15000)
    ann = await cast.ann()
    await shop.add("reading-price", ann.browser)
    await products.set_price(course.id, 10000, "EUR")
    await carts.add(Whose(token="guest"), "reading-price")
    await products.set_price(course.id, 15000, "EUR")
    await carts.merge(ann.id, "guest")
    cart = await carts.show(Whose(ann.id))
    assert cart.lines[0].agreed_minor == 10000
    assert cart.needs_yes


async def test_of_two_yeses_in_two_currencies_none_becomes_an_amount_of_the_other(shop: Shop, cast: Cast) -> None:
    course = await a_course(price=15000)
    ann = await cast.ann()
    await shop.add("reading-price", ann.browser)
    await products.set_price(course.id, 10000, "USD")
    await carts.add(Whose(token="guest"), "reading-price")
    await carts.merge(ann.id, "guest")
    cart = await carts.show(Whose(ann.id))
    assert (cart.lines[0].agreed_minor, cart.lines[0].agreed_currency) == (15000, "EUR")
    assert cart.needs_yes


async def test_merging_at_once_merges_once(app: Lectern, cast: Cast) -> None:
    await a_course()
    ann = await cast.ann()
    await carts.add(Whose(token="guest"), "reading-price")
    merged = await asyncio.gather(*(carts.merge(ann.id, "guest") for _ in range(8)))
    assert merged.count(True) == 1
    assert await slugs(Whose(ann.id)) == ["reading-price"]


async def test_what_one_owns_falls_out_with_a_sentence_when_the_carts_merge(shop: Shop, cast: Cast) -> None:
    course = await a_course()
    await a_course("risk", "The Arithmetic of Risk")
    await shop.add("reading-price")
    await shop.add("risk")
    ann = await cast.ann()
    await own(ann, course)
    token = token_of(shop.client)
    assert token is not None
    ann.browser.set_cookie("localhost", "cart", token)
    page = await shop.text("/cart", ann.browser)
    assert "Reading Price is yours already, so it was taken out." in page
    assert await slugs(Whose(ann.id)) == ["risk"]
    assert "is yours already" not in await shop.text("/cart", ann.browser)


async def test_adding_what_one_owns_leads_to_it(shop: Shop, cast: Cast) -> None:
    course = await a_course()
    ann = await cast.ann()
    await own(ann, course)
    answer = await shop.add("reading-price", ann.browser)
    assert answer.headers["Location"] == "/learn/reading-price"
    assert await slugs(Whose(ann.id)) == []


async def test_what_is_withdrawn_falls_out_with_a_sentence(shop: Shop) -> None:
    course = await a_course()
    hidden = await a_course("risk", "The Arithmetic of Risk")
    await shop.add("reading-price")
    await shop.add("risk")
    await products.stop_selling(course.id)
    await db.run("UPDATE courses SET state = 'draft' WHERE id = :id", id=hidden.id)
    page = await shop.text("/cart")
    assert "Reading Price is no longer for sale" in page
    assert "The Arithmetic of Risk is no longer for sale" in page
    assert "Your cart is empty" in page


async def test_a_lower_price_is_taken_over_and_said(shop: Shop) -> None:
    course = await a_course(price=24900)
    await shop.add("reading-price")
    await products.set_price(course.id, 19900, "EUR")
    page = await shop.text("/cart")
    assert "Reading Price costs less now: €199." in page
    assert "costs less now" not in await shop.text("/cart")
    await products.set_price(course.id, 24900, "EUR")
    assert "The price rose from €199 to €249" in await shop.text("/cart")


async def test_a_higher_price_needs_a_new_yes_before_the_way_to_payment_opens(shop: Shop) -> None:
    course = await a_course(price=19900)
    await shop.add("reading-price")
    await products.set_price(course.id, 24900, "EUR")
    page = await shop.text("/cart")
    assert "The price rose from €199 to €249" in page
    assert "Go to payment" not in page
    assert (await shop.client.get("/checkout")).headers["Location"] == "/cart"

    answer = await shop.client.post("/cart/items/reading-price/agreement", form={"amount": "24900"})
    assert answer.status_code == 303
    page = await shop.text("/cart")
    assert "The price rose" not in page
    assert "Go to payment" in page


@pytest.mark.parametrize("amount", ["24900", "", "abc", "-1", "9" * 40])
async def test_a_yes_to_a_price_that_has_risen_further_does_not_count(shop: Shop, amount: str) -> None:
    course = await a_course(price=19900)
    await shop.add("reading-price")
    await products.set_price(course.id, 29900, "EUR")
    await shop.client.post("/cart/items/reading-price/agreement", form={"amount": amount})
    page = await shop.text("/cart")
    assert "changed once more" in page
    assert "Accept the new price" in page


async def test_things_in_two_currencies_do_not_share_a_cart(shop: Shop) -> None:
    await a_course()
    await a_course("risk", "The Arithmetic of Risk", currency="USD")
    await shop.add("reading-price")
    await shop.add("risk")
    page = await shop.text("/cart")
    assert "sold in another currency" in page
    assert "The Arithmetic of Risk" not in page


async def test_a_thing_whose_currency_changed_asks_for_a_new_yes(shop: Shop) -> None:
    course = await a_course()
    await a_course("risk", "The Arithmetic of Risk")
    await shop.add("risk")
    await shop.add("reading-price")
    await products.set_price(course.id, 20000, "USD")
    assert "Reading Price is sold in another currency" in await shop.text("/cart")
    await shop.client.post("/cart/items/risk/removal")
    await settings.save_school(currency="USD")
    await carts.add(Whose(token="another"), "reading-price")
    await products.set_price(course.id, 20000, "EUR")
    assert (await carts.show(Whose(token="another"))).needs_yes


async def test_a_member_begins_a_free_course_at_once(shop: Shop, cast: Cast) -> None:
    course = await a_course("first", "Your First Chart", price=0)
    ann = await cast.ann()
    for _ in range(2):
        assert (await shop.add("first", ann.browser)).headers["Location"] == "/learn/first"
    assert await entitlements.allows(ann.id, course.id)
    assert await db.value("SELECT count(*) FROM entitlements") == 1
    assert await db.value("SELECT count(*) FROM orders") == 0
    await queue.drain()
    assert await db.value("SELECT count(*) FROM enrolments WHERE user_id = :id", id=ann.id) == 1


async def test_beginning_at_once_from_six_tabs_grants_once(shop: Shop, cast: Cast) -> None:
    await a_course("first", "Your First Chart", price=0)
    ann = await cast.ann()
    answers = await asyncio.gather(*(shop.add("first", ann.browser) for _ in range(6)))
    assert {answer.headers["Location"] for answer in answers} == {"/learn/first"}
    assert await db.value("SELECT count(*) FROM entitlements") == 1


async def test_what_costs_something_cannot_be_begun_for_nothing(app: Lectern, cast: Cast) -> None:
    course, ann = await a_course(), await cast.ann()
    offer = await products.offer("reading-price")
    assert offer is not None
    with pytest.raises(Conflict):
        await carts.begin(ann.id, offer)
    assert not await entitlements.allows(ann.id, course.id)


async def test_a_free_course_that_was_closed_does_not_open_itself_again(shop: Shop, cast: Cast) -> None:
    course = await a_course("first", "Your First Chart", price=0)
    ann = await cast.ann()
    await shop.add("first", ann.browser)
    await entitlements.close(f"free:{ann.id}:{course.product_id}", reason="spam in the discussion")
    answer = await shop.add("first", ann.browser)
    assert answer.status_code == 409
    assert not await entitlements.allows(ann.id, course.id)


async def test_the_cart_page_of_a_member_asks_at_most_five_queries(shop: Shop, cast: Cast) -> None:
    await a_course()
    await a_course("risk", "The Arithmetic of Risk")
    ann = await cast.ann()
    await shop.add("reading-price", ann.browser)
    await shop.add("risk", ann.browser)
    await shop.text("/cart", ann.browser)
    with db.count_queries() as count:
        await shop.text("/cart", ann.browser)
    assert count.total <= 5, count.statements


async def test_the_courses_page_asks_for_what_the_visitor_can_do(shop: Shop, cast: Cast) -> None:
    course = await a_course()
    ann = await cast.ann()
    hole = {"HX-Request": "true", "HX-Target": "div#offer"}

    async def offer() -> str:
        return str(await (await ann.browser.get("/courses/reading-price/offer", headers=hole)).get_data(as_text=True))

    assert "Add to cart" in await offer()
    await shop.add("reading-price", ann.browser)
    assert "In your cart" in await offer()
    await own(ann, course)
    assert "Go on learning" in await offer()
    assert (await ann.browser.get("/courses/reading-price/offer")).headers["Location"] == "/courses/reading-price"
    assert (await ann.browser.get("/courses/nothing/offer", headers=hole)).status_code == 404


async def test_guests_carts_are_forgotten_when_nobody_touches_them(app: Lectern, cast: Cast) -> None:
    from app.commerce.jobs import forget_stale_carts

    await a_course()
    ann = await cast.ann()
    for whose in (Whose(token="old"), Whose(token="new"), Whose(token="paying"), Whose(ann.id)):
        await carts.add(whose, "reading-price")
    await db.run(
        "UPDATE carts SET updated_at = now() - interval '91 days' WHERE token_hash IS DISTINCT FROM :h",
        h=tokens.hashed("new"),
    )
    cart = await carts.show(Whose(token="paying"))
    quote = quotes.make([line.offer for line in cart.lines], Decimal(19), "VAT")
    await orders.place(quote, Buyer("gus@example.org", "Gus"), cart_id=cart.id)
    await forget_stale_carts()
    assert await carts.find(Whose(token="old")) is None
    assert await carts.find(Whose(token="paying")) is not None
    assert await carts.find(Whose(token="new")) is not None
    assert await carts.find(Whose(ann.id)) is not None


async def an_old_cart() -> None:
    await a_course()
    await carts.add(Whose(token="old"), "reading-price")
    await db.run("UPDATE carts SET updated_at = now() - interval '91 days'")


async def touch_while(sql: str, act: Awaitable[Any]) -> None:
    """Let `act` run while another connection has changed a row and not yet committed."""

    async def held() -> None:
        async with db.hold():
            await act

    async with db.hold(), db.transaction():
        assert await db.run(sql)
        waiting = asyncio.create_task(held())
        for _look in range(200):
            if await db.value("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"):
                break
            await asyncio.sleep(0.02)
        else:
            raise AssertionError("nothing waited for the row")
    await waiting


async def test_a_cart_that_is_touched_while_old_ones_are_forgotten_stays(app: Lectern) -> None:
    await an_old_cart()
    await touch_while("UPDATE carts SET updated_at = now()", cart_queries.delete_stale(clock.now() - carts.STALE))
    assert await slugs(Whose(token="old")) == ["reading-price"]


async def test_a_delivery_that_is_replayed_while_old_ones_are_forgotten_stays(app: Lectern) -> None:
    await db.run(
        """
        INSERT INTO webhook_events (provider, event_id, type, payload, state, received_at)
        VALUES ('stripe', 'evt_1', 'x', '{}', 'handled', now() - interval '91 days')
        """
    )
    await touch_while("UPDATE webhook_events SET state = 'received'", webhooks.prune())
    assert await db.value("SELECT count(*) FROM webhook_events") == 1
    await db.run("UPDATE webhook_events SET state = 'handled'")
    assert await webhooks.prune() == 1


async def add_while_merging(ann: Person, monkeypatch: pytest.MonkeyPatch, *, first: bool) -> None:
    """A guest signs in while a click of theirs is under way in the same browser. `first`: it was the first one."""
    for slug in ("one", "two"):
        await a_course(slug, slug.title())
    if not first:
        await carts.add(Whose(token="guest"), "one")
    # Its worst moment: there is no cart to merge yet, or everything was moved and the cart is about to go.
    step = "cart_of_token" if first else "delete_cart"
    real, adding = getattr(cart_queries, step), []

    async def click() -> None:
        async with db.hold():
            await carts.add(Whose(token="guest"), "two")

    async def slow(*arguments: Any) -> Any:
        found = await real(*arguments) if first else None
        if not adding:
            adding.append(asyncio.create_task(click()))
            await asyncio.sleep(0.3)
        return found if first else await real(*arguments)

    monkeypatch.setattr(cart_queries, step, slow)
    async with db.hold():
        await carts.merge(ann.id, "guest")
    await asyncio.gather(*adding)
    monkeypatch.setattr(cart_queries, step, real)


@pytest.mark.parametrize("first", [True, False])
async def test_what_a_guest_adds_during_the_merge_goes_where_the_cart_goes(
    app: Lectern, cast: Cast, monkeypatch: pytest.MonkeyPatch, first: bool
) -> None:
    ann = await cast.ann()
    await add_while_merging(ann, monkeypatch, first=first)
    assert sorted(await slugs(Whose(ann.id))) == (["two"] if first else ["one", "two"])
    assert await db.value("SELECT count(*) FROM carts") == 1
    # Whoever comes later with that cookie, and is nobody, has a cart of their own.
    with clock.shifted(timedelta(minutes=3)):
        await carts.add(Whose(token="guest"), "one")
        assert await slugs(Whose(token="guest")) == ["one"]


@pytest.mark.parametrize("first", [True, False])
async def test_without_the_lock_and_the_note_it_would_be_lost(
    app: Lectern, cast: Cast, monkeypatch: pytest.MonkeyPatch, first: bool
) -> None:
    ann = await cast.ann()

    async def nothing(*_arguments: Any) -> None:
        return None

    monkeypatch.setattr(cart_queries, "lock_token", nothing)
    monkeypatch.setattr(cart_queries, "merged_into", nothing)
    await add_while_merging(ann, monkeypatch, first=first)
    assert "two" not in await slugs(Whose(ann.id))


async def test_a_cart_holds_so_much_and_no_more(app: Lectern, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carts, "LARGEST", 2)
    guest = Whose(token="somebody")
    for slug in ("one", "two", "three"):
        await a_course(slug, slug.title())
    for slug in ("one", "two"):
        assert (await carts.add(guest, slug)).outcome == "added"
    with pytest.raises(Conflict, match="Your cart is full"):
        await carts.add(guest, "three")
    assert (await carts.add(guest, "two")).outcome == "there"
    assert await slugs(guest) == ["one", "two"]
    await carts.remove(guest, "one")
    assert (await carts.add(guest, "three")).outcome == "added"
