import csv
import io

import pytest

from app.commerce import orders
from app.core import db
from tests.cast import Cast
from tests.commerce.shop import Shop
from tests.commerce.test_orders import an_order
from tests.commerce.test_refunds import a_sale
from tests.office import an_order as a_past_order
from tests.office import seen
from tests.school import a_course

PATHS = ("/admin/orders", "/admin/orders/{order}", "/admin/orders/{order}/receipt", "/admin/people/{person}/orders")


async def test_only_those_who_may_see_orders_see_them(shop: Shop, cast: Cast) -> None:
    ann, sam, ines = await cast.ann(), await cast.sam(), await cast.ines()
    order, _course = await a_sale(shop, ann)
    for pattern in PATHS:
        path = pattern.format(order=order.public_id, person=ann.public_id)
        assert (await sam.browser.get(path)).status_code == 200, path
        assert (await ines.browser.get(path)).status_code == 403, path
        assert (await ann.browser.get(path)).status_code == 403, path
        assert (await shop.client.get(path)).status_code == 303, path
    assert (await sam.browser.get("/admin/orders/nothing")).status_code == 404
    assert (await sam.browser.get("/admin/people/nobody/orders")).status_code == 404


async def three_orders(shop: Shop, cast: Cast) -> None:
    ann, bob = await cast.ann(), await cast.bob()
    await a_sale(shop, ann)
    await a_course("risk", "The Arithmetic of Risk", price=18900)
    await shop.add("risk", bob.browser)
    await shop.check_out(bob.browser)
    await a_course("first", "Your First Chart", price=0)
    await shop.add("first")
    await shop.check_out_as_guest("gus@example.org", "Gus Guest")


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", {"Ann Archer", "Bob Breuer", "Gus Guest"}),
        ("q=archer", {"Ann Archer"}),
        ("q=GUS@example", {"Gus Guest"}),
        ("q=breuer+bo", {"Bob Breuer"}),
        ("q=reuer", set()),  # words are found by how they begin
        ("state=paid", {"Ann Archer"}),
        ("state=waiting", {"Bob Breuer", "Gus Guest"}),
        ("state=refunded", set()),
        ("state=flagged", set()),
        ("free=1", {"Gus Guest"}),
        ("from=2000-01-01&to=2000-01-02", set()),
        ("state=paid&q=bob", set()),
    ],
)
async def test_orders_are_found_by_words_state_and_day(shop: Shop, cast: Cast, query: str, shown: set[str]) -> None:
    await three_orders(shop, cast)
    sam = await cast.sam()
    page = await shop.text(f"/admin/orders?{query}", sam.browser)
    table = page.partition("<tbody>")[2].partition("</tbody>")[0]
    assert {name for name in ("Ann Archer", "Bob Breuer", "Gus Guest") if name in table} == shown


async def test_orders_are_found_by_number_and_by_course(shop: Shop, cast: Cast) -> None:
    await three_orders(shop, cast)
    sam = await cast.sam()
    number = await db.value("SELECT number FROM orders WHERE name = 'Bob Breuer'")
    assert "Bob Breuer" in await shop.text(f"/admin/orders?q={number}", sam.browser)
    product = await db.value("SELECT public_id FROM products WHERE slug = 'risk'")
    table = (await shop.text(f"/admin/orders?product={product}", sam.browser)).partition("<tbody>")[2]
    assert "Bob Breuer" in table
    assert "Ann Archer" not in table


async def test_the_list_is_sorted_as_the_address_says(shop: Shop, cast: Cast) -> None:
    await three_orders(shop, cast)
    sam = await cast.sam()
    table = (await shop.text("/admin/orders?sort=-total", sam.browser)).partition("<tbody>")[2]
    assert table.index("Ann Archer") < table.index("Bob Breuer") < table.index("Gus Guest")


async def test_the_list_is_exported_as_it_is_filtered(shop: Shop, cast: Cast) -> None:
    await three_orders(shop, cast)
    sam = await cast.sam()
    answer = await sam.browser.get("/admin/orders?format=csv&state=paid")
    text = (await answer.get_data(as_text=True)).lstrip("\ufeff")
    [row] = list(csv.DictReader(io.StringIO(text)))
    assert row["Name"] == "Ann Archer"
    assert row["Total"] == "249.00"
    assert row["Tax included"] == "39.76"
    assert row["What"] == "Reading Price"
    assert row["State"] == "paid"


async def test_htmx_gets_only_the_list_and_how_many_there_are(shop: Shop, cast: Cast) -> None:
    await three_orders(shop, cast)
    sam = await cast.sam()
    assert '<span id="counted">3</span>' in await shop.text("/admin/orders", sam.browser)
    assert '<span id="counted"></span>' in await shop.text("/admin/orders?q=nobody", sam.browser)
    answer = await sam.browser.get("/admin/orders?q=ann", headers={"HX-Request": "true", "HX-Target": "div#list"})
    body = await answer.get_data(as_text=True)
    assert body.lstrip().startswith('<div class="list" id="list"')
    assert "Ann Archer" in body
    assert '<hx-partial hx-target="#counted" hx-swap="innerHTML">1</hx-partial>' in body


async def test_an_order_shows_lines_access_customer_and_story(shop: Shop, cast: Cast) -> None:
    ann, sam = await cast.ann(), await cast.sam()
    order, _course = await a_sale(shop, ann)
    page = await shop.text(f"/admin/orders/{order.public_id}", sam.browser)
    for words in (
        f"Order {order.number}",
        "Reading Price",
        "Open, for good",
        "VAT 19 % included",
        "Ann Archer",
        "1, together €249",
        "Paid €249, and what it opens is open",
        "Payment page opened",
        "Went to payment",
        str(order.stripe_payment_intent_id),
    ):
        assert words in page, words
    assert f"/admin/people/{ann.public_id}" in page
    assert 'id="refund"' not in page  # Sam may look, not refund


async def test_a_guests_order_is_shown_before_there_is_an_account(shop: Shop, cast: Cast) -> None:
    await a_course()
    await shop.add("reading-price")
    await shop.check_out_as_guest("gus@example.org", "Gus <b>Guest</b>")
    sam = await cast.sam()
    order = await shop.order()
    page = await shop.text(f"/admin/orders/{order.public_id}", sam.browser)
    assert "Made when the order is paid" in page
    assert "Gus &lt;b&gt;Guest" in page
    assert "Never opened" in page


async def test_a_receipt_can_be_sent_again(shop: Shop, cast: Cast) -> None:
    ann, sam = await cast.ann(), await cast.sam()
    order, _course = await a_sale(shop, ann)
    path = f"/admin/orders/{order.public_id}/receipts"
    assert (await sam.browser.post(path)).status_code == 303
    assert len(await shop.mails("commerce/order_confirmation")) == 2
    assert "Receipt sent again" in await shop.text(f"/admin/orders/{order.public_id}", sam.browser)
    assert (await ann.browser.post(path)).status_code == 403


async def test_an_unpaid_order_has_no_receipt_to_send(shop: Shop, cast: Cast) -> None:
    await a_course()
    ann, sam = await cast.ann(), await cast.sam()
    order, _page = await an_order(shop, ann)
    assert (await sam.browser.post(f"/admin/orders/{order.public_id}/receipts")).status_code == 409


async def test_a_persons_orders_are_a_panel_and_a_page(shop: Shop, cast: Cast) -> None:
    ann, sam = await cast.ann(), await cast.sam()
    order, _course = await a_sale(shop, ann)
    path = f"/admin/people/{ann.public_id}/orders"
    assert "<html" in await shop.text(path, sam.browser)
    answer = await sam.browser.get(path, headers={"HX-Request": "true", "HX-Target": "section#orders"})
    panel = await answer.get_data(as_text=True)
    assert panel.lstrip().startswith('<section class="office-section" id="orders"')
    assert str(order.number) in panel


async def test_the_pages_of_orders_ask_at_most_five_queries(shop: Shop, cast: Cast) -> None:
    ann, sam = await cast.ann(), await cast.sam()
    order, _course = await a_sale(shop, ann)
    for browser, path in (
        (sam.browser, "/admin/orders"),
        (sam.browser, f"/admin/orders/{order.public_id}"),
        (sam.browser, f"/admin/people/{ann.public_id}/orders"),
        (sam.browser, f"/admin/people/{ann.public_id}/access"),
        (ann.browser, "/account/orders"),
        (ann.browser, f"/account/orders/{order.public_id}"),
        (ann.browser, f"/checkout/success?order={order.public_id}"),
    ):
        await browser.get(path)
        with db.count_queries() as count:
            assert (await browser.get(path)).status_code == 200
        assert count.total <= 5, (path, "\n".join(" ".join(sql.split())[:90] for sql in count.statements))


async def test_a_person_with_very_many_orders_has_a_way_to_all_of_them(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.commerce.admin._SHOWN", 2)
    ann, olga = await cast.ann(), await cast.olga()
    for _order in range(2):
        await a_past_order(ann.email, user_id=ann.id)
    page = await seen(olga, f"/admin/people/{ann.public_id}/orders")
    assert "See all" not in page
    await a_past_order(ann.email, user_id=ann.id)
    page = await seen(olga, f"/admin/people/{ann.public_id}/orders")
    assert "These are the newest 2." in page and "/admin/orders?q=ann@example.org" in page
    assert page.count('<th scope="row">') == 2


async def test_the_page_of_an_order_counts_what_its_own_buyer_bought(shop: Shop, cast: Cast) -> None:
    ann, bob = await cast.ann(), await cast.bob()
    bought, _course = await a_sale(shop, ann)
    await a_course("risk", "The Arithmetic of Risk", price=1000)
    for person in (bob, bob):
        other, page = await an_order(shop, person, "risk")
    await shop.pay(page)
    await shop.tell()
    mine, theirs = await orders.file(bought.public_id), await orders.file(other.public_id)
    assert mine is not None and theirs is not None
    assert (mine.customer_id, mine.orders, mine.spent_minor) == (ann.public_id, 1, 24900)
    assert (theirs.customer_id, theirs.orders, theirs.spent_minor) == (bob.public_id, 1, 1000)
