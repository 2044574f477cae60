"""Payments in a form: the amount is worked out here, the sale is an order of the shop, the entry counts once it is paid."""

import asyncio
import html
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any
from unittest.mock import patch
from urllib.parse import urlencode

import pytest
from quart.typing import TestClientProtocol

from app import Lectern
from app.catalogue import products
from app.commerce import checkouts, orders
from app.commerce.models import Received
from app.core import clock, db, queue
from app.formbuilder import entries as entry_moves
from app.formbuilder.definition import definitions, readings, versions
from app.formbuilder.models import Form
from app.formbuilder.payment import bills, payments, stock
from app.formbuilder.queries import entries as entry_queries
from app.formbuilder.queries import forms as form_queries
from app.formbuilder.queries.entries import entry_by_id
from app.formbuilder.routes import stamp_of
from tests import stripe
from tests.accounts.conftest import Mailbox, text_of
from tests.cast import Cast
from tests.commerce.shop import Shop
from tests.school import a_course

TICKETS = {
    "id": "q3",
    "kind": "radio",
    "label": "Ticket",
    "required": True,
    "settings": {
        "options": [
            {"value": "full", "label": "Full", "price": 5000, "stock": 1},
            {"value": "half", "label": "Half", "price": 2500},
            {"value": "none", "label": "Only listening"},
        ]
    },
}
FIELDS = [
    {"id": "q1", "kind": "short_text", "label": "Name"},
    {"id": "q2", "kind": "email", "label": "Email", "required": True},
    TICKETS,
]
MAIL = {"id": "n1", "name": "To me", "to": "owner", "subject": "{q1} paid {amount}", "body": "{all}"}


async def a_form(*, fields: list[Any] | None = None, payment: dict[str, Any] | None = None) -> Form:
    told = {
        "title": "Evening",
        "fields": fields or FIELDS,
        "payment": payment if payment is not None else {"on": True},
        "notifications": [MAIL],
    }
    return await versions.publish((await versions.create(definitions.read(told), by=None)).id)


async def send(form: Form, browser: TestClientProtocol, *, stamp: str = "", **texts: str) -> Any:
    """Send the form as a visitor."""
    stamp = stamp or stamp_of(clock.now().timestamp() - 10)
    sent = {"version": "1", "stamp": stamp, "website": "", "q1": "Ann", "q2": "ann@x.example", "q3": "half", **texts}
    return await browser.post(f"/forms/{form.slug}", form=sent)


async def entries() -> list[db.Row]:
    return await db.many(db.Row, "SELECT id, public_id, state, order_id, answers FROM form_entries ORDER BY id")


async def told() -> list[str]:
    """The subjects of the mails that say that an entry came."""
    rows = await db.many(db.Row, "SELECT subject FROM mails WHERE template = 'formbuilder/notification' ORDER BY id")
    return [row.subject for row in rows]


async def test_a_form_is_paid_and_counts_once(shop: Shop, app: Lectern) -> None:
    form = await a_form()
    answer = await send(form, shop.client)
    assert answer.status_code == 303
    [entry] = await entries()
    assert entry.state == "unpaid"
    order = await shop.order()
    assert (order.total_minor, order.currency, order.email, order.id) == (2500, "EUR", "ann@x.example", entry.order_id)
    assert order.tax_minor == 399  # 19 % inside
    await queue.drain()
    assert await told() == []  # nothing leaves before the money is there
    back = await shop.pay(answer.headers["Location"])
    waiting = await shop.client.get(back)
    assert "Waiting for the payment" in await waiting.get_data(as_text=True)
    assert waiting.headers["Refresh"] == "3"
    for _twice in range(2):
        await shop.tell()
        assert [each.state for each in await entries()] == ["received"]
        assert await told() == ["Ann paid €25"]
    thanks = await shop.client.get(back)
    assert (thanks.status_code, "/thanks/" in thanks.headers["Location"]) == (303, True)
    assert (await shop.order()).state == "paid"
    assert len(await shop.mails("commerce/order_confirmation")) == 1


async def test_a_ticket_is_called_no_course(shop: Shop, cast: Cast, mailbox: Mailbox) -> None:
    olga = await cast.olga()
    answer = await send(await a_form(), shop.client)
    await shop.pay(answer.headers["Location"])
    await shop.tell()
    order = await shop.order()
    office = await shop.text(f"/admin/orders/{order.public_id}", olga.browser)
    assert "Sold by a form" in office and "Never opened" not in office
    receipt = await shop.text(f"/admin/orders/{order.public_id}/receipt", olga.browser)
    assert "Ticket: Half" in receipt and "Half, course" not in receipt
    texts = [text_of(mail) for mail in await mailbox.all("ann@x.example")]
    [told] = [text for text in texts if "Ticket: Half" in text]
    assert "It is paid." in told and "Begin learning" not in told


async def test_who_pays_while_the_form_is_archived_comes_back_to_its_thanks(shop: Shop, app: Lectern) -> None:
    form = await a_form()
    answer = await send(form, shop.client)
    await versions.archive(form.id)
    back = await shop.pay(answer.headers["Location"])
    waiting = await shop.text(back)
    assert "Waiting for the payment" in waiting and "Back to the form" not in waiting
    await shop.tell()
    assert [each.state for each in await entries()] == ["received"]
    thanks = await shop.client.get((await shop.client.get(back)).headers["Location"])
    assert thanks.status_code == 200
    assert (await shop.client.get(f"/forms/{form.slug}")).status_code == 404


async def test_money_that_is_on_its_way_is_not_asked_for_again(shop: Shop, app: Lectern) -> None:
    answer = await send(await a_form(), shop.client)
    back = await shop.pay(answer.headers["Location"])
    await db.run("UPDATE orders SET state = 'processing'")
    waiting = await shop.client.get(back)
    page = await waiting.get_data(as_text=True)
    assert "Waiting for your bank" in page and "€25" in page
    assert "Go on to payment" not in page and "Back to the form" not in page
    assert waiting.headers["Refresh"] == "60"
    await db.run("UPDATE orders SET state = 'failed'")
    page = await shop.text(back)
    assert "Your bank did not make the payment" in page and "Back to the form" in page


def test_a_question_needs_no_colon_on_a_receipt() -> None:
    field = definitions.read({"title": "x", "fields": [TICKETS]}).fields[0]
    for label, said in (("Which one?", "Which one? Half"), ("Ticket", "Ticket: Half"), ("", "Half")):
        assert bills._said(replace(field, label=label), "Half") == said


async def test_sending_the_same_page_twice_leads_to_one_payment_page(shop: Shop, app: Lectern) -> None:
    form = await a_form()
    stamp = stamp_of(clock.now().timestamp() - 10)
    both = await asyncio.gather(*(send(form, app.test_client(), stamp=stamp) for _click in range(2)))
    assert len({answer.headers["Location"] for answer in both}) == 1
    assert len(await entries()) == 1
    assert await db.value("SELECT count(*) FROM orders") == 1


async def test_two_entries_of_one_person_are_two_orders(shop: Shop, app: Lectern) -> None:
    form = await a_form()
    for _time in range(2):
        await send(form, shop.client)
    assert len({entry.order_id for entry in await entries()}) == 2


async def test_what_costs_nothing_counts_at_once(shop: Shop, app: Lectern) -> None:
    answer = await send(await a_form(), shop.client, q3="none")
    assert "/thanks/" in answer.headers["Location"]
    assert [entry.state for entry in await entries()] == ["received"]
    assert await db.value("SELECT count(*) FROM orders") == 0


async def test_a_declined_card_leaves_the_page_open_for_another(shop: Shop, app: Lectern) -> None:
    answer = await send(await a_form(), shop.client)
    refused = await shop.stripe.pay(answer.headers["Location"], **stripe.DECLINED)
    assert refused.status_code != 303
    await shop.tell()
    assert [entry.state for entry in await entries()] == ["unpaid"]
    await shop.pay(answer.headers["Location"])
    await shop.tell()
    assert [entry.state for entry in await entries()] == ["received"]


async def test_who_turns_back_finds_everything_and_pays_for_what_is_sent_then(shop: Shop, app: Lectern) -> None:
    form = await a_form()
    first = await send(form, shop.client, q1="Ann & Co", q3="full")
    [entry] = await entries()
    found = await payments.entry_of_token(form, payments.token_of(await _entry(entry.id)))
    back = f"/forms/{form.slug}?payment={payments.token_of(found)}"
    page = await shop.text(back)
    assert "Ann &amp; Co" in page
    assert re.search(r'value="full"[^>]*checked', page)
    instead = re.search(r'name="instead" value="([^"]+)"', page)
    assert instead is not None
    again = await send(form, shop.client, q3="full", instead=html.unescape(instead[1]))
    assert again.status_code == 303  # the only full ticket was their own
    await queue.drain()
    old = await orders.find(entry.order_id)
    assert old is not None
    assert old.state == "cancelled"
    assert (await shop.stripe.pay(first.headers["Location"])).status_code != 303
    await shop.pay(again.headers["Location"])
    await shop.tell()
    assert [each.state for each in await entries()] == ["unpaid", "received"]


async def _entry(entry_id: int) -> Any:
    from app.formbuilder.queries import entries as queries

    return await queries.entry_by_id(entry_id)


async def test_of_two_who_want_the_last_one_gets_it(shop: Shop, app: Lectern) -> None:
    form = await a_form()
    both = await asyncio.gather(*(send(form, app.test_client(), q3="full", q2=f"p{n}@x.example") for n in range(2)))
    assert sorted(answer.status_code for answer in both) == [303, 422]
    [refused] = [answer for answer in both if answer.status_code == 422]
    assert "“Full” is sold out." in await refused.get_data(as_text=True)
    assert len(await entries()) == 1
    # What is not counted goes to both.
    more = await asyncio.gather(*(send(form, app.test_client(), q3="half", q2=f"h{n}@x.example") for n in range(2)))
    assert [answer.status_code for answer in more] == [303, 303]


async def test_without_the_lock_two_would_get_the_last_one(
    shop: Shop,
    app: Lectern,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The negative control of the test above: it is the lock that keeps them apart."""
    form = await a_form()

    async def unlocked(form_id: int) -> Form | None:
        return await form_queries.live_form(form.slug)

    async def slowly(*given: Any) -> dict[str, str]:
        found = await really(*given)
        await asyncio.sleep(0.3)
        return found

    really = stock.sold_out
    monkeypatch.setattr(form_queries, "lock_form", unlocked)
    monkeypatch.setattr(stock, "sold_out", slowly)
    both = await asyncio.gather(*(send(form, app.test_client(), q3="full", q2=f"p{n}@x.example") for n in range(2)))
    assert [answer.status_code for answer in both] == [303, 303]


async def test_a_ticket_that_nobody_paid_is_free_again(shop: Shop, app: Lectern) -> None:
    form = await a_form()
    await send(form, shop.client, q3="full")
    assert (await send(form, shop.client, q3="full")).status_code == 422
    order = await shop.order()
    # Old news of an end: the page is open.
    assert not await payments.given_up(order.id)
    session = order.stripe_session_id
    await shop.stripe.post(f"/v1/checkout/sessions/{session}/expire")
    await shop.tell()
    assert (await shop.order()).state == "expired"
    assert (await send(form, shop.client, q3="full")).status_code == 303
    assert [entry.state for entry in await entries()] == ["unpaid", "unpaid"]


async def test_news_that_were_lost_are_looked_for(shop: Shop, app: Lectern, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = await send(await a_form(), shop.client, q3="full")
    await shop.pay(answer.headers["Location"])
    order = await shop.order()
    checkout = await checkouts.payments.gateway().find_checkout(order.stripe_session_id or "")
    assert checkout is not None
    await checkouts.settle(order, checkout, told_by="reconciliation")
    await db.run("DELETE FROM pgqueuer")  # the job that would have told the form
    assert not await payments.given_up(order.id)
    assert await db.value("SELECT count(*) FROM form_stock") == 1
    await db.run("UPDATE form_entries SET created_at = created_at - interval '1 hour'")
    assert await payments.look_for_forgotten() == 1
    assert await payments.look_for_forgotten() == 0
    assert [entry.state for entry in await entries()] == ["received"]


async def test_entries_that_were_given_up_keep_no_younger_one_from_its_lost_news(
    shop: Shop,
    app: Lectern,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(payments, "_AT_ONCE", 1)
    form = await a_form()
    await send(form, shop.client, q1="Ann")
    await orders.mark_expired((await shop.order()).id)
    await queue.drain()
    await send(form, app.test_client(), q1="Ben", q2="ben@x.example")
    _ann, ben = await entries()
    await db.run("UPDATE orders SET state = 'paid', paid_at = now() WHERE id = :id", id=ben.order_id)
    await db.run("UPDATE form_entries SET created_at = created_at - interval '1 hour'")
    assert await payments.look_for_forgotten() == 1
    assert [entry.state for entry in await entries()] == ["unpaid", "received"]


async def test_money_that_comes_after_the_end_counts_all_the_same(shop: Shop, app: Lectern) -> None:
    answer = await send(await a_form(), shop.client, q3="full")
    await shop.pay(answer.headers["Location"])
    order = await shop.order()
    await orders.mark_expired(order.id)
    await queue.drain()
    assert await db.value("SELECT count(*) FROM form_stock") == 0
    assert await db.value("SELECT given_up_at FROM form_entries") is not None
    await shop.tell()
    assert [entry.state for entry in await entries()] == ["received"]
    assert await db.value("SELECT count(*) FROM form_stock") == 1
    # It counts for the limits of the form again, too.
    assert await db.value("SELECT given_up_at FROM form_entries") is None


async def test_money_that_comes_for_an_entry_in_the_bin_brings_it_back(shop: Shop, app: Lectern) -> None:
    form = await a_form()
    answer = await send(form, shop.client, q3="full")
    entry = await entry_queries.entry_by_id((await entries())[0].id)
    assert entry is not None
    await entry_moves.move(entry, "bin", readings.of(form))
    await shop.pay(answer.headers["Location"])
    await shop.tell()
    assert [each.state for each in await entries()] == ["received"]
    assert await told() == ["Ann paid €50"]
    assert await db.value("SELECT count(*) FROM form_stock WHERE is_held") == 1
    # Thrown away now, it stays there, however often the news come.
    counted = await entry_queries.entry_by_id(entry.id)
    assert counted is not None
    await entry_moves.move(counted, "bin", readings.of(form))
    assert not await payments.received((await shop.order()).id)
    assert [each.state for each in await entries()] == ["binned"]


async def test_money_whose_news_were_lost_is_found_for_an_entry_in_the_bin_too(shop: Shop, app: Lectern) -> None:
    form = await a_form()
    for email in ("ann@x.example", "ben@x.example"):
        assert (await send(form, app.test_client(), q2=email, q3="full")).status_code == 303
        entry = await entry_queries.entry_by_id((await entries())[-1].id)
        assert entry is not None
        await entry_moves.move(entry, "bin", readings.of(form))
        order = await shop.order()
        await orders.mark_paid(
            order.id, Received(order.total_minor, order.currency, payment_id=f"pi_{order.public_id}")
        )
    # What went back to its sender meanwhile may stay there.
    await db.run("UPDATE orders SET state = 'refunded', refunded_minor = total_minor WHERE id = :id", id=order.id)
    await db.run("DELETE FROM pgqueuer")
    assert await payments.look_for_forgotten() == 0  # too fresh: the news may still come
    with clock.shifted(timedelta(minutes=21)):
        assert await payments.look_for_forgotten() == 1
        assert await payments.look_for_forgotten() == 0
    assert [each.state for each in await entries()] == ["received", "binned"]


COURSE = {
    "id": "q4",
    "kind": "product",
    "label": "Course",
    "settings": {
        "options": [{"value": "reading-price", "label": "Reading price"}, {"value": "own", "label": "Own", "price": 5}]
    },
}


@pytest.fixture
def sold() -> list[Any]:
    """A form that sells a product of the shop, and something of its own that is too cheap for a card."""
    return [*FIELDS[:2], COURSE]


def prices_in(page: str) -> str:
    found = re.search(r'name="prices" value="([^"]+)"', page)
    assert found is not None
    return html.unescape(found[1])


async def test_a_product_has_the_price_of_the_shop_and_opens_what_it_opens(
    shop: Shop,
    cast: Cast,
    sold: list[Any],
) -> None:
    course = await a_course()
    form = await a_form(fields=sold, payment={})
    ann = await cast.ann()
    prices = prices_in(await shop.text(f"/forms/{form.slug}", ann.browser))
    answer = await send(form, ann.browser, q4="reading-price", prices=prices)
    order = await shop.order()
    assert (order.total_minor, order.user_id, order.email) == (24900, ann.id, "ann@example.org")
    await shop.pay(answer.headers["Location"])
    await shop.tell()
    assert await db.value("SELECT product_id FROM entitlements WHERE user_id = :id", id=ann.id) == course.product_id


@pytest.mark.parametrize(("now", "status"), [(24901, 422), (24900, 303), (100, 303)])
async def test_a_price_that_rose_since_the_page_was_drawn_needs_another_yes(
    shop: Shop,
    sold: list[Any],
    now: int,
    status: int,
) -> None:
    course = await a_course()
    form = await a_form(fields=sold, payment={})
    prices = prices_in(await shop.text(f"/forms/{form.slug}"))
    await products.set_price(course.id, now, "EUR")
    answer = await send(form, shop.client, q4="reading-price", prices=prices)
    assert answer.status_code == status
    if status == 422:
        page = await answer.get_data(as_text=True)
        assert "€249.01" in page
        answer = await send(form, shop.client, q4="reading-price", prices=prices_in(page))
        assert answer.status_code == 303
    assert (await shop.order()).total_minor == now


async def test_without_the_prices_of_a_page_of_today_nothing_is_ordered(shop: Shop, sold: list[Any]) -> None:
    await a_course()
    form = await a_form(fields=sold, payment={})
    with patch("itsdangerous.timed.time.time", return_value=1_700_000_000):
        old = prices_in(await shop.text(f"/forms/{form.slug}"))
    for prices in ("", "made up", old):
        answer = await send(form, shop.client, q4="reading-price", prices=prices)
        assert answer.status_code == 422
        assert "Please look at the prices once more" in await answer.get_data(as_text=True)
    assert await entries() == []


async def test_an_entry_in_the_bin_leads_to_no_payment(shop: Shop) -> None:
    form = await a_form()
    assert (await send(form, shop.client)).status_code == 303
    entry = await entry_by_id((await entries())[0].id)
    assert entry is not None
    assert await payments.lead_on(form, entry)
    await db.run("UPDATE form_entries SET state = 'binned', binned_from = 'unpaid'")
    assert await payments.lead_on(form, replace(entry, state="binned")) == ""


async def test_what_one_holds_unpaid_is_not_sold_out_for_oneself(shop: Shop) -> None:
    form = await a_form()
    definition = readings.of(form)
    assert (await send(form, shop.client, q3="full")).status_code == 303
    [held] = await db.many(db.Row, "SELECT entry_id FROM form_stock")
    assert await stock.gone(form.id, definition) == {("q3", "full")}
    assert not await stock.gone(form.id, definition, but=held.entry_id)


async def test_an_older_page_never_pays_less_than_the_form_costs_now(shop: Shop, cast: Cast) -> None:
    form = await a_form()
    olga = await cast.olga()
    dearer = {**TICKETS, "settings": {"options": [{"value": "half", "label": "Half", "price": 3000}]}}
    after = definitions.read(
        {**definitions.write_definition(definitions.read(form.definition)), "fields": [*FIELDS[:2], dearer]}
    )
    who: Any = olga
    await versions.edit(form.id, lambda _now: after, words="Dearer", by=who)
    await versions.publish(form.id)
    answer = await send(form, shop.client)
    page = await answer.get_data(as_text=True)
    assert answer.status_code == 422
    assert "A price has changed" in page
    assert 'name="version" value="2"' in page
    assert (await send(form, shop.client, version="2")).status_code == 303
    assert (await shop.order()).total_minor == 3000


async def test_a_calculation_can_be_the_amount_to_the_cent(shop: Shop, app: Lectern) -> None:
    sums = {
        "id": "q9",
        "kind": "calculation",
        "label": "Total",
        "settings": {"expression": "{q8} * 1.005", "decimals": 6},
    }
    fields = [*FIELDS[:2], {"id": "q8", "kind": "number", "label": "Seats", "settings": {"high": 1000}}, sums]
    form = await a_form(fields=fields, payment={"on": True, "amount": "q9", "title": "Seats"})
    await send(form, shop.client, q8="3")
    order = await shop.order()
    assert order.total_minor == 302  # 3.015
    assert [item.title for item in await orders.items_of(order)] == ["Seats"]


@pytest.mark.parametrize(
    ("expression", "status"),
    [("100 / {q8}", 422), ('if({q8} = "", "free", 5)', 422), ("concat({q8}, 5)", 422), ("{q8} * 10", 303)],
)
@pytest.mark.parametrize("hidden", [False, True])
async def test_an_amount_that_is_no_number_is_not_taken_for_nothing_to_pay(
    shop: Shop,
    expression: str,
    status: int,
    *,
    hidden: bool,
) -> None:
    people = {"id": "q8", "kind": "number", "label": "People", "settings": {}}
    share = {
        "id": "q9",
        "kind": "calculation",
        "label": "Share",
        "settings": {"expression": expression, "hidden": hidden},
    }
    form = await a_form(fields=[*FIELDS[:2], people, share], payment={"on": True, "amount": "q9"})
    answer = await send(form, shop.client, q3="")
    assert answer.status_code == status
    assert ("cannot be worked out" in await answer.get_data(as_text=True)) is (status == 422)
    assert [entry.state for entry in await entries()] == ([] if status == 422 else ["received"])


async def test_a_hidden_calculation_asks_for_nothing(shop: Shop) -> None:
    share = {"id": "q9", "kind": "calculation", "label": "Share", "settings": {"expression": "100 / {q8}"}}
    people = {"id": "q8", "kind": "number", "label": "People", "settings": {}}
    rule = {"id": "r1", "when": {"all": [{"field": "q8", "is": "not_empty"}]}, "do": "show", "targets": ["q9"]}
    told = {
        "title": "Evening", "fields": [*FIELDS[:2], people, share], "rules": [rule], "payment": {"on": True, "amount": "q9"}
    }  # fmt: skip
    form = await versions.publish((await versions.create(definitions.read(told), by=None)).id)
    assert (await send(form, shop.client, q3="")).status_code == 303
    assert [entry.state for entry in await entries()] == ["received"]


@pytest.mark.parametrize("required", [False, True])
def test_the_owner_is_told_that_how_many_counts_as_none_in_a_calculation(*, required: bool) -> None:
    how_many = {"id": "q8", "kind": "quantity", "label": "Seats", "required": required, "settings": {"of": "q3"}}
    sums = {"id": "q9", "kind": "calculation", "label": "Total", "settings": {"expression": "price(q3) * {q8}"}}
    told = {"title": "Evening", "fields": [*FIELDS, how_many, sums], "payment": {"on": True, "amount": "q9"}}
    said = [
        problem.sentence
        for problem in definitions.problems(definitions.read(told))
        if "counts as 0" in problem.sentence
    ]
    assert len(said) == (0 if required else 1)


@pytest.mark.parametrize(
    "sent",
    [
        {"q8": "\x1f3"},  # space for Python, none for browsers
        {"q7": "\x85big"},
        {"q5": ["off", "off", "off"], "q7": "big"},
        {"q6": [*[""] * 500, "hat"]},
        {"q4": "10,50"},
        {"q4": "12."},
        {"q4": "0000000000000012"},
        {"q8": "200000000000"},
        {"q8": "-999999999999999"},
        {"q10": "a", "q10.quantity": ""},
    ],
    ids=lambda sent: ", ".join(sent),
)
async def test_however_an_answer_is_written_what_it_costs_is_paid(
    shop: Shop,
    sent: dict[str, Any],
) -> None:
    """A calculation reads what was sent, an answer too: nothing may be an answer in one and nothing in the other."""
    options = {
        "options": [{"value": "off", "label": "Less", "points": -10}, {"value": "hat", "label": "Hat", "points": 15}]
    }
    fields = [
        *FIELDS[:2],
        {"id": "q4", "kind": "custom_amount", "label": "Gift", "settings": {}},
        {"id": "q5", "kind": "checkbox", "label": "Less", "settings": options},
        {"id": "q6", "kind": "checkbox", "label": "Things", "settings": options},
        {"id": "q7", "kind": "radio", "label": "Size", "settings": {"options": [{"value": "big", "label": "Big", "points": 30}]}},
        {"id": "q8", "kind": "number", "label": "Seats", "settings": {}},
        {
            "id": "q9",
            "kind": "calculation",
            "label": "Total",
            "settings": {
                "expression": "{q4} + points(q5) + points(q6) + points(q7) + {q8} * 10 + price(q10) * {q10.quantity}"
            },
        },
        {"id": "q10", "kind": "product", "label": "Mug", "settings": {"options": [{"value": "a", "label": "A", "price": 1500}], "most": 5}},
    ]  # fmt: skip
    form = await a_form(fields=fields, payment={"on": True, "amount": "q9"})
    known = {"version": "1", "stamp": stamp_of(clock.now().timestamp() - 10), "website": "", "q2": "ann@x.example"}
    answer = await shop.client.post(
        f"/forms/{form.slug}",
        data=urlencode({**known, **sent}, doseq=True),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert answer.status_code == 422 or [entry.state for entry in await entries()] == ["unpaid"]


@pytest.mark.parametrize("case", ["not for sale", "gone", "too little", "too much"])
async def test_what_cannot_be_sold_is_refused_beside_its_field(
    shop: Shop,
    sold: list[Any],
    case: str,
) -> None:
    value, amount = "reading-price", {"id": "q5", "kind": "custom_amount", "label": "Gift", "settings": {}}
    gift = "2"
    if case == "not for sale":
        course = await a_course()
        await db.run("UPDATE products SET is_active = false WHERE id = :id", id=course.product_id)
    elif case == "gone":
        sold[-1] = {**COURSE, "settings": {"options": [{"value": "other", "label": "Other", "price": 900}]}}
    elif case == "too little":
        value, gift = "own", ""
    else:
        value, gift = "own", "999999.99"
    form = await a_form(fields=[*sold, amount], payment={"on": True})
    answer = await send(form, shop.client, q4=value, q5=gift)
    assert answer.status_code == 422
    assert re.search('id="q[45]-error"', await answer.get_data(as_text=True))
    assert await entries() == []


@pytest.mark.parametrize(
    ("currency", "amount", "status"), [("SEK", "2.99", 422), ("SEK", "3", 303), ("GBP", "0.30", 303)]
)
async def test_the_smallest_amount_is_that_of_its_currency(
    shop: Shop,
    currency: str,
    amount: str,
    status: int,
) -> None:
    gift = {"id": "q5", "kind": "custom_amount", "label": "Gift", "settings": {"currency": currency}}
    form = await a_form(fields=[*FIELDS[:2], gift], payment={"on": True})
    answer = await send(form, shop.client, q3="", q5=amount)
    assert answer.status_code == status
    assert ("Cards cannot be charged this little." in await answer.get_data(as_text=True)) is (status == 422)


async def test_a_product_whose_address_changed_is_sold_as_before(shop: Shop, sold: list[Any]) -> None:
    course = await a_course()
    form = await a_form(fields=sold, payment={"on": True})
    for slug in ("a-first-change", "a-second"):
        await db.run("UPDATE courses SET slug = :slug", slug=slug)
        await products.follow_course(course.id)
        prices = prices_in(await shop.text(f"/forms/{form.slug}"))
        answer = await send(form, shop.client, q3="", q4="reading-price", prices=prices)
        assert "/pay/" in answer.headers["Location"]
        [line] = await orders.items_of(await shop.order())
        assert (line.amount_minor, line.product_id) == (24900, course.product_id)
    # Whatever has the name now is what is meant by it.
    other = await a_course("reading-price", "Another")
    assert [each.course_id for each in await products.offers_named(["reading-price"])] == [other.id]


async def test_a_form_is_kept_while_the_payment_service_is_away(shop: Shop, app: Lectern) -> None:
    form = await a_form()
    await shop.stripe.switch(api_fault="error", api_fault_times=20)
    answer = await send(form, shop.client)
    page = await answer.get_data(as_text=True)
    assert answer.status_code == 503
    action = re.search(r'action="(/forms/[^"]+/payments/[^"]+)"', page)
    assert action is not None
    await shop.stripe.http.delete("/_sandbox/behaviour")
    on = await shop.client.post(action[1])
    assert on.status_code == 303
    await shop.pay(on.headers["Location"])
    await shop.tell()
    assert [entry.state for entry in await entries()] == ["received"]


async def test_a_token_of_another_entry_or_none_shows_nothing(shop: Shop, app: Lectern) -> None:
    form = await a_form()
    await send(form, shop.client)
    [entry] = await entries()
    good = payments.token_of(await _entry(entry.id))
    other = payments.token_of(replace(await _entry(entry.id), public_id="another"))
    for token in (f"{good}x", good[:-1], other, entry.public_id, f"{entry.public_id}-", "%00", "-"):
        assert (await shop.client.get(f"/forms/{form.slug}/payments/{token}")).status_code in (404, 422)
        assert (await shop.client.get(f"/forms/{form.slug}?payment={token}")).status_code in (404, 422)


async def test_a_form_that_takes_payment_asks_for_an_address() -> None:
    definition = definitions.read({"title": "F", "fields": [FIELDS[0], TICKETS], "payment": {"on": True}})
    assert [each.level for each in definitions.problems(definition) if "email address" in each.sentence] == ["error"]


async def test_a_form_has_one_currency_and_sells_nothing_again_and_again() -> None:
    gift = {"id": "q5", "kind": "custom_amount", "label": "Gift", "settings": {"currency": "USD"}}
    plan = {"id": "q6", "kind": "subscription", "label": "Plan", "settings": {}}
    told = definitions.read({"title": "F", "fields": [*FIELDS[:2], COURSE, gift, plan]})
    errors = [each.sentence for each in definitions.problems(told) if each.level == "error"]
    assert "All prices of a form are in one currency." in errors
    assert any("again and again" in each for each in errors)
    off = replace(told, payment={"on": False})
    assert not [each for each in definitions.problems(off) if each.level == "error"]


@pytest.mark.parametrize(
    ("state", "may"),
    [
        ("expired", True),
        ("failed", True),
        ("pending", False),
        ("processing", False),
        ("paid", False),
        ("cancelled", False),
    ],
)
async def test_an_entry_that_was_given_up_may_be_replaced_when_its_payment_page_closed_unused(
    shop: Shop,
    state: str,
    *,
    may: bool,
) -> None:
    assert (await send(await a_form(), shop.client, q3="full")).status_code == 303
    entry = await entry_queries.entry_by_id((await entries())[0].id)
    assert entry is not None
    assert await payments.may_return(entry)
    await db.run("UPDATE form_entries SET given_up_at = now()")
    await db.run("UPDATE orders SET state = :state", state=state)
    assert await payments.may_return(entry) is may
    assert not await payments.may_return(replace(entry, state="received"))
