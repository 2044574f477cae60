"""Mails: each tells one fact, once, in words and numbers that fit, in HTML and in plain text."""

import re
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path

import pytest

from app.commerce import letters, orders
from app.config import Config
from app.core import db, queue
from app.core.settings import save_school
from tests.cast import Cast
from tests.commerce.shop import Shop
from tests.commerce.test_orders import an_order, received
from tests.commerce.test_refunds import a_sale
from tests.commerce.test_refunds import refund as give_back
from tests.school import a_course


def mailbox(config: Config) -> Path:
    return config.data_dir / "mail"


@pytest.fixture(autouse=True)
def empty_mailbox(config: Config) -> None:
    for path in mailbox(config).glob("*.eml"):
        path.unlink()


def letter(config: Config, tag: str) -> tuple[EmailMessage, str, str]:
    """The one delivered mail of this template: message, text, HTML."""
    found = [
        BytesParser(policy=policy.default).parsebytes(path.read_bytes())
        for path in sorted(mailbox(config).glob("*.eml"))
    ]
    [message] = [message for message in found if message["X-Tag"] == tag]
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    assert text is not None
    assert html is not None
    return message, str(text.get_content()), str(html.get_content())  # type: ignore[attr-defined, return-value]


async def test_the_receipt_in_a_persons_data_has_the_day_of_the_school(shop: Shop, cast: Cast) -> None:
    sale, _course = await a_sale(shop, await cast.ann())
    await save_school(time_zone="Pacific/Auckland")
    await db.run("UPDATE orders SET paid_at = '2026-03-01 23:30+00'")
    order = await orders.find(sale.id)
    assert order is not None
    assert "Paid on 2 March 2026" in await letters.receipt_text(order)


async def test_the_confirmation_is_a_receipt(shop: Shop, cast: Cast, config: Config) -> None:
    ann = await cast.ann()
    order, _course = await a_sale(shop, ann)
    message, text, html = letter(config, "commerce/order_confirmation")
    assert message["To"] == "ann@example.org"
    assert message["Subject"] == f"Your order {order.number} at Meridian"
    for part in (text, html):
        for words in (
            "Reading Price",
            "€249",
            "VAT 19 %",
            "€39.76",
            "http://localhost/learn/reading-price",
            f"/account/orders/{order.public_id}",
        ):
            assert words in part, words
    assert "<" not in text
    assert not re.search(r"<script|<link|https?://(?!localhost)", html)


async def test_the_owner_hears_of_each_sale(shop: Shop, cast: Cast, config: Config) -> None:
    ann = await cast.ann()
    order, _course = await a_sale(shop, ann)
    message, text, _html = letter(config, "commerce/owner_new_order")
    assert message["To"] == "olga@meridian.example"
    assert message["Subject"] == f"Order {order.number}: €249"
    assert "Ann Archer (ann@example.org)" in text
    assert f"http://localhost/admin/orders/{order.public_id}" in text


async def test_a_name_cannot_write_into_the_mail(shop: Shop, config: Config) -> None:
    await a_course()
    await shop.add("reading-price")
    await shop.pay(await shop.check_out_as_guest("gus@example.org", "<a href=x>Gus</a> %(name)s"))
    await shop.tell()
    _message, text, html = letter(config, "commerce/order_confirmation")
    assert "<a href=x>" not in html
    assert "&lt;a href=x&gt;Gus" in html
    assert "%(name)s" in text


async def test_a_refund_says_how_much_and_what_becomes_of_the_course(shop: Shop, cast: Cast, config: Config) -> None:
    ann, olga = await cast.ann(), await cast.olga()
    order, _course = await a_sale(shop, ann)
    await give_back(shop, olga, order, amount="100")
    await queue.drain()
    message, text, _html = letter(config, "commerce/refund")
    assert message["Subject"] == f"€100 of order {order.number} is on its way back"
    assert "stays open" in text


async def test_a_full_refund_says_that_the_course_closes(shop: Shop, cast: Cast, config: Config) -> None:
    ann, olga = await cast.ann(), await cast.olga()
    order, _course = await a_sale(shop, ann)
    await give_back(shop, olga, order)
    await queue.drain()
    assert "is closed" in letter(config, "commerce/refund")[1]


async def test_the_owner_hears_of_a_payment_that_does_not_fit(shop: Shop, cast: Cast, config: Config) -> None:
    await a_course()
    ann = await cast.ann()
    order, _page = await an_order(shop, ann)
    await orders.mark_paid(order.id, received(order, amount_minor=1))
    await queue.drain()
    message, text, _html = letter(config, "commerce/owner_flagged_order")
    assert str(order.number) in message["Subject"]
    assert "1 EUR came for 24900 EUR" in text


async def test_a_bank_that_refuses_days_later_is_told_by_mail(shop: Shop, cast: Cast, config: Config) -> None:
    await a_course()
    ann = await cast.ann()
    order, _page = await an_order(shop, ann)
    for _ in range(2):
        await orders.mark_failed(order.id, reason="bank")
    await queue.drain()
    message, text, _html = letter(config, "commerce/payment_failed")
    assert message["Subject"] == f"The payment for your order {order.number} failed"
    assert "nothing was charged" in text
    assert "http://localhost/cart" in text


async def test_a_page_that_nobody_used_is_not_worth_a_mail(shop: Shop, cast: Cast) -> None:
    await a_course()
    ann = await cast.ann()
    order, _page = await an_order(shop, ann)
    await orders.mark_expired(order.id)
    await queue.drain()
    assert await shop.mails("commerce/payment_failed") == []


async def test_the_link_to_a_free_course_is_in_the_mail(shop: Shop, config: Config) -> None:
    await a_course("first", "Your First Chart", price=0)
    await shop.add("first")
    await shop.check_out_as_guest("gus@example.org", "Gus")
    await queue.drain()
    _message, text, html = letter(config, "commerce/free_confirmation")
    link = re.search(r"http://localhost(/checkout/confirmations/\S+)", text)
    assert link is not None
    assert link.group(0) in html
    assert (await shop.client.get(link.group(1))).status_code == 200


async def test_without_an_owners_address_nobody_is_alerted(shop: Shop, cast: Cast) -> None:
    letters.configure("")
    try:
        ann = await cast.ann()
        await a_sale(shop, ann)
        assert await shop.mails("commerce/owner_new_order") == []
    finally:
        letters.configure("olga@meridian.example")
