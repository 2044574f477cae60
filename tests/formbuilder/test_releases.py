"""What costs something and was held back as spam by mistake: let out, it waits for its payment, and its sender can pay."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from app import Lectern
from app.commerce import orders
from app.core import clock, db, queue
from app.formbuilder import entries
from app.formbuilder.answering import submissions
from app.formbuilder.answering.submissions import Sender
from app.formbuilder.definition import definitions, readings
from app.formbuilder.inbox import entries_in_bulk, privacy
from app.formbuilder.models import Entry, Form, Posted
from app.formbuilder.payment import bills, payments, releases, stock
from app.formbuilder.queries import entries as entry_queries
from tests.cast import Cast
from tests.commerce.shop import Shop
from tests.formbuilder.test_paid_entries import FIELDS, a_form, left, send, states, told

WORDS = {"spam_words": ["casino"]}


async def held_back(shop: Shop, form: Form, **texts: str) -> Entry:
    """An entry in quarantine."""
    answer = await send(form, shop.client, q1="casino", **texts)
    assert answer.status_code == 303
    found = await entry_queries.entry_by_id(await db.value("SELECT max(id) FROM form_entries"))
    assert found is not None and found.state == "spam"
    return found


async def let_out(form: Form, entry: Entry, by: int) -> str:
    return await releases.act(entry, "not_spam", readings.of(form), by=by)


def path_of(form: Form, entry: Entry) -> str:
    return f"/forms/{form.slug}/payments/{payments.token_of(entry)}"


async def test_it_waits_for_its_payment_and_the_mailed_link_leads_to_it(shop: Shop, cast: Cast) -> None:
    form, olga = await a_form(settings=WORDS), await cast.olga()
    entry = await held_back(shop, form)
    assert await left(form) == 3
    answer = await olga.browser.post(
        f"/admin/forms/{form.public_id}/entries/{entry.public_id}/state", form={"act": "not_spam"}
    )
    assert answer.status_code == 303
    assert await states() == ["unpaid"]
    [mailed] = await shop.mails("formbuilder/payment")
    assert mailed.recipient == "ann@x.example"
    # Nothing is taken, ordered or told before somebody follows the link.
    assert (await left(form), await db.value("SELECT count(*) FROM orders")) == (3, 0)
    await queue.drain()
    await payments.look_for_forgotten()
    assert await told() == []
    shown = await shop.client.get(path_of(form, entry))
    assert "Go on to payment" in await shown.get_data(as_text=True)
    assert "Refresh" not in shown.headers
    paying = await shop.client.post(path_of(form, entry))
    assert paying.headers["Location"].startswith("http")
    assert await left(form) == 2
    await shop.pay(paying.headers["Location"])
    await shop.tell()
    assert await states() == ["received"]
    assert await told() == ["casino paid €50"]
    assert "/thanks/" in (await shop.client.get(path_of(form, entry))).headers["Location"]


async def test_two_clicks_on_the_link_are_one_order(shop: Shop, app: Lectern, cast: Cast) -> None:
    form = await a_form(settings=WORDS)
    entry = await held_back(shop, form)
    await let_out(form, entry, (await cast.olga()).id)
    both = await asyncio.gather(*(app.test_client().post(path_of(form, entry)) for _click in range(2)))
    assert len({answer.headers["Location"] for answer in both}) == 1
    assert await db.value("SELECT count(*) FROM orders") == 1


async def test_a_payment_page_that_closed_can_be_opened_again_for_a_fortnight(shop: Shop, cast: Cast) -> None:
    form = await a_form(settings=WORDS)
    entry = await held_back(shop, form)
    await let_out(form, entry, (await cast.olga()).id)
    await shop.client.post(path_of(form, entry))
    first = await shop.order()
    assert first.stripe_session_id is not None
    await shop.stripe.post(f"/v1/checkout/sessions/{first.stripe_session_id}/expire")
    await shop.tell()
    assert (await states(), await left(form)) == (["unpaid"], 3)
    again = await shop.client.post(path_of(form, entry))
    assert again.headers["Location"].startswith("http")
    assert ((await shop.order()).id > first.id, await left(form)) == (True, 2)
    await db.run("UPDATE form_entries SET pay_until = pay_until - interval '15 days'")
    await orders.mark_expired((await shop.order()).id)
    await queue.drain()
    late = await shop.client.post(path_of(form, entry))
    assert late.status_code == 409
    assert "Go on to payment" not in await late.get_data(as_text=True)


async def test_what_is_sold_out_meanwhile_is_said_and_nothing_is_charged(shop: Shop, cast: Cast) -> None:
    form = await a_form(settings=WORDS)
    entry = await held_back(shop, form)
    await let_out(form, entry, (await cast.olga()).id)
    assert (await send(form, shop.client, **{"q3.quantity": "3"})).status_code == 303
    answer = await shop.client.post(path_of(form, entry))
    assert answer.status_code == 409
    assert "“Full” is sold out." in await answer.get_data(as_text=True)
    assert await states() == ["unpaid", "unpaid"]
    assert await db.value("SELECT count(*) FROM orders") == 1


async def test_without_an_address_the_office_is_told_and_it_stays_where_it_is(shop: Shop, cast: Cast) -> None:
    form, olga = await a_form(settings=WORDS), await cast.olga()
    await send(form, shop.client, q2="no address", website="x")
    entry = await entry_queries.entry_by_id(await db.value("SELECT max(id) FROM form_entries"))
    assert entry is not None
    with pytest.raises(releases.NobodyToAsk):
        await let_out(form, entry, olga.id)
    assert await states() == ["spam"]
    assert await shop.mails("formbuilder/payment") == []


@pytest.mark.parametrize("case", ["counted before", "paid before", "costs nothing", "paid otherwise"])
async def test_what_is_not_to_be_paid_goes_its_way(shop: Shop, cast: Cast, case: str) -> None:
    olga = await cast.olga()
    if case in ("counted before", "paid before"):
        form = await a_form(settings={"approval": case == "paid before"})
        await shop.pay((await send(form, shop.client)).headers["Location"])
        await shop.tell()
        entry = await entry_queries.entry_by_id(await db.value("SELECT max(id) FROM form_entries"))
        assert entry is not None
        await entries.move(entry, "spam", readings.of(form), by=olga.id)
    elif case == "costs nothing":
        form = await a_form(settings=WORDS)
        entry = await held_back(shop, form, q3="")
    else:
        ways = {"id": "q4", "kind": "payment_method", "label": "How", "settings": {"methods": ["card", "invoice"]}}
        form = await a_form([*FIELDS, ways], settings=WORDS)
        entry = await held_back(shop, form, q4="invoice")
    again = await entry_queries.entry_by_id(entry.id)
    assert again is not None
    assert await let_out(form, again, olga.id) == ("waiting" if case == "paid before" else "received")
    assert await shop.mails("formbuilder/payment") == []


async def test_the_office_mails_the_way_to_the_payment_again(shop: Shop, cast: Cast) -> None:
    form, olga = await a_form(settings=WORDS), await cast.olga()
    entry = await held_back(shop, form)
    await let_out(form, entry, olga.id)
    base = f"/admin/forms/{form.public_id}/entries/{entry.public_id}"
    assert "Send the link again" in await (await olga.browser.get(base)).get_data(as_text=True)
    assert (await olga.browser.post(f"{base}/sending", form={"link": "1"})).status_code == 303
    assert len(await shop.mails("formbuilder/payment")) == 2


async def test_answers_that_may_still_be_paid_for_are_not_let_go_of(shop: Shop, cast: Cast) -> None:
    form, olga = await a_form(settings={**WORDS, "no_store": True}), await cast.olga()
    entry = await held_back(shop, form)
    await let_out(form, entry, olga.id)
    with clock.shifted(timedelta(days=25)):
        again = await entry_queries.entry_by_id(entry.id)
        assert again is not None
        await releases.ask_again(again, readings.of(form), by=olga.id)
    with clock.shifted(timedelta(days=35)):
        assert await privacy.let_go() == 0
    with clock.shifted(timedelta(days=40)):
        assert await privacy.let_go() == 1


async def test_what_is_thrown_away_or_called_spam_takes_nothing_and_takes_it_again(shop: Shop, cast: Cast) -> None:
    """The table that public pages are drawn from follows the entry, whoever moves it."""
    form, olga = await a_form(), await cast.olga()
    await shop.pay((await send(form, shop.client, **{"q3.quantity": "3"})).headers["Location"])
    await shop.tell()
    definition = readings.of(form)
    for act, count in (("spam", 3), ("not_spam", 0), ("bin", 3), ("restore", 0)):
        entry = await entry_queries.entry_by_id(await db.value("SELECT max(id) FROM form_entries"))
        assert entry is not None
        await entries.move(entry, act, definition, by=olga.id)
        assert await left(form) == count, act
    assert await stock.gone(form.id, definition) == {("q3", "full")}
    await db.run("DELETE FROM form_entries")
    assert await stock.gone(form.id, definition) == frozenset()


async def test_who_sends_it_again_instead_pays_for_that_one_only(shop: Shop, cast: Cast) -> None:
    form = await a_form(settings=WORDS)
    entry = await held_back(shop, form)
    await let_out(form, entry, (await cast.olga()).id)
    page = await shop.text(f"/forms/{form.slug}?payment={payments.token_of(entry)}")
    assert 'value="casino"' in page  # everything stands there as it was written
    again = await send(form, shop.client, instead=payments.token_of(entry))
    assert again.headers["Location"].startswith("http")
    late = await shop.client.post(path_of(form, entry))
    assert late.headers["Location"] == path_of(form, entry)
    assert "Go on to payment" not in await shop.text(path_of(form, entry))
    assert await db.value("SELECT count(*) FROM orders") == 1


PEOPLE = {"id": "q8", "kind": "number", "label": "People", "settings": {}}


def amount(expression: str) -> dict[str, Any]:
    return {"id": "q9", "kind": "calculation", "label": "Share", "settings": {"expression": expression}}


async def trapped(form: Form, **texts: str) -> Entry:
    """An entry that a program filled in: kept as it came."""
    posted = Posted({"q1": ["Ann"], "q2": ["ann@x.example"]} | {name: [text] for name, text in texts.items()})
    return await submissions.submit(form, readings.of(form), posted, Sender(suspicion="trap"))


@pytest.mark.parametrize(
    ("fields", "payment", "texts"),
    [
        ([PEOPLE, amount("100 / {q8}")], {"on": True, "amount": "q9"}, {}),
        ([PEOPLE, amount("concat({q8}, 5)")], {"on": True, "amount": "q9"}, {"q8": "4"}),
        ([{**PEOPLE, "required": True}], {"on": True, "amount": "q8"}, {"q8": "many"}),
        ([{**FIELDS[2], "required": True}], {}, {"q3": "no such"}),
    ],
)
async def test_what_does_not_tell_its_price_is_not_let_out_for_nothing(
    app: Lectern, cast: Cast, fields: list[dict[str, Any]], payment: dict[str, Any], texts: dict[str, str]
) -> None:
    olga = await cast.olga()
    form = await a_form(fields=[*FIELDS[:2], *fields], payment=payment)
    entry = await trapped(form, **texts)
    with pytest.raises(releases.NoPrice):
        await let_out(form, entry, olga.id)
    assert await states() == ["spam"]
    act = next(act for act in entries_in_bulk.ACTS if act.key == "not_spam")
    async with db.transaction():
        found = await act.carry_out([entry.id], {}, olga.id)
    assert found[entry.id].reason == "price"


async def test_what_tells_its_price_once_it_is_corrected_waits_for_its_payment(shop: Shop, cast: Cast) -> None:
    olga = await cast.olga()
    form = await a_form(fields=[*FIELDS[:2], PEOPLE, amount("100 / {q8}")], payment={"on": True, "amount": "q9"})
    entry = await trapped(form)
    path = f"/admin/forms/{form.public_id}/entries/{entry.public_id}"
    assert (await olga.browser.post(f"{path}/state", form={"act": "not_spam"})).status_code == 409
    sent = {"q1": "Ann", "q2": "ann@x.example", "q8": "4"}
    assert (await olga.browser.post(f"{path}/answers", form=sent)).status_code == 303
    assert (await olga.browser.post(f"{path}/state", form={"act": "not_spam"})).status_code == 303
    assert await states() == ["unpaid"]


@pytest.mark.parametrize(("expression", "state"), [("0 * {q8}", "received"), ("10 * {q8}", "unpaid")])
async def test_an_amount_that_is_a_number_is_taken_as_it_is(
    shop: Shop,
    cast: Cast,
    expression: str,
    state: str,
) -> None:
    form = await a_form(fields=[*FIELDS[:2], PEOPLE, amount(expression)], payment={"on": True, "amount": "q9"})
    assert await let_out(form, await trapped(form, q8="4"), (await cast.olga()).id) == state


async def test_what_chose_nothing_where_nothing_must_be_chosen_is_free(app: Lectern, cast: Cast) -> None:
    form = await a_form()
    assert await let_out(form, await trapped(form), (await cast.olga()).id) == "received"


def test_prices_in_two_currencies_are_not_nothing() -> None:
    """A product of the shop can come to cost another currency than the form was made for."""
    gifts = [
        {"id": name, "kind": "custom_amount", "label": name, "settings": {"currency": currency}}
        for name, currency in (("q5", "EUR"), ("q6", "USD"))
    ]
    definition = definitions.read({"title": "Gifts", "fields": gifts})
    answers = {"q5": {"minor": 500, "currency": "EUR"}, "q6": {"minor": 500, "currency": "USD"}}
    assert bills.lacks_price(definition, answers, bills.bill(definition, answers, {}), "2026-01-01")
    one = {"q5": answers["q5"]}
    assert not bills.lacks_price(definition, one, bills.bill(definition, one, {}), "2026-01-01")
