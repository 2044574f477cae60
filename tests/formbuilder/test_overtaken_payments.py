"""Something else happens to an entry between the look at it and what its payment does with it."""

import asyncio
import io
from collections.abc import Coroutine
from contextvars import Context
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from quart.datastructures import FileStorage

from app.access import entitlements
from app.accounts import merging
from app.commerce import orders, refunds
from app.commerce.models import Order, Received
from app.core import clock, db, queue
from app.formbuilder import entries
from app.formbuilder.answering import links
from app.formbuilder.definition import definitions
from app.formbuilder.models import Entry, Form
from app.formbuilder.payment import payments, stock
from app.formbuilder.queries import drafts
from app.formbuilder.queries import entries as entry_queries
from app.formbuilder.queries import forms as form_queries
from app.formbuilder.queries import payments as payment_queries
from app.formbuilder.routes import stamp_of
from app.gateways.payments import Refund
from tests.accounts.test_people import signed_in
from tests.cast import Cast
from tests.commerce.shop import Shop
from tests.formbuilder.test_paid_entries import FIELDS, a_form, left, send, states
from tests.formbuilder.test_payments import COURSE, prices_in
from tests.formbuilder.test_releases import WORDS, held_back, let_out, path_of
from tests.meeting import until_it_waits
from tests.school import a_course

pytestmark = pytest.mark.usefixtures("unlimited")


async def elsewhere(work: Coroutine[Any, Any, Any]) -> Any:
    """Do it as another request or job would, on a connection of its own."""
    return await asyncio.create_task(work, context=Context())


async def newest() -> Entry:
    found = await entry_queries.entry_by_id(await db.value("SELECT max(id) FROM form_entries"))
    assert found is not None
    return found


async def with_a_file(shop: Shop, form: Form) -> tuple[Entry, Order]:
    """An unpaid entry that came with a file, and its order."""
    told = {"version": "1", "stamp": stamp_of(clock.now().timestamp() - 10), "website": "", "q1": "Ann"}
    paper = FileStorage(io.BytesIO(b"%PDF-1.4\n%%EOF\n"), filename="paper.pdf", content_type="application/pdf")
    sent = await shop.client.post(
        f"/forms/{form.slug}", form={**told, "q2": "ann@x.example", "q3": "full"}, files={"q5": paper}
    )
    assert sent.headers["Location"].startswith("http")
    return await newest(), await shop.order()


def meanwhile(work: Coroutine[Any, Any, Any], monkeypatch: pytest.MonkeyPatch) -> list[asyncio.Task[Any]]:
    """Do it just before another entry takes the place of the first; where that is locked, it waits."""
    take_place = payments.replace
    begun: list[asyncio.Task[Any]] = []

    async def overtaken(entry: Entry) -> bool:
        begun.append(asyncio.create_task(work, context=Context()))
        await asyncio.wait(begun, timeout=0.5)
        return await take_place(entry)

    monkeypatch.setattr(payments, "replace", overtaken)
    return begun


def merged_after(
    place: Any, name: str, merge: Coroutine[Any, Any, Any], monkeypatch: pytest.MonkeyPatch
) -> list[asyncio.Task[Any]]:
    """Merge two accounts after this step, as far as that comes."""
    step, begun = getattr(place, name), list[asyncio.Task[Any]]()

    async def overtaken(*args: Any) -> Any:
        monkeypatch.setattr(place, name, step)
        found = await step(*args)
        begun.append(asyncio.create_task(merge, context=Context()))
        await until_it_waits(begun[0])
        return found

    monkeypatch.setattr(place, name, overtaken)
    return begun


async def choose(form: Form, entry: Entry, ticket: str, by: int) -> None:
    """The office writes another ticket into the answers."""
    answers = {**entry.answers, "q3": {**entry.answers["q3"], "value": ticket}}
    assert await entries.edit(entry, definitions.read(form.definition), answers, "", entry.email, by=by)


async def test_what_was_ordered_while_the_account_was_merged_opens_in_the_one_that_stays(
    shop: Shop,
    cast: Cast,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    course = await a_course()
    form = await a_form(fields=[*FIELDS[:2], COURSE], payment={})
    ann, bob, olga = await cast.ann(), await cast.bob(), await signed_in(await cast.olga())
    prices = prices_in(await shop.text(f"/forms/{form.slug}", ann.browser))
    lock = form_queries.lock_form

    async def overtaken(form_id: int) -> Form | None:
        monkeypatch.setattr(form_queries, "lock_form", lock)
        await elsewhere(merging.merge(ann.public_id, bob.public_id, by=olga))
        return await lock(form_id)

    monkeypatch.setattr(form_queries, "lock_form", overtaken)
    answer = await send(form, ann.browser, q3="", q4="reading-price", prices=prices)
    await shop.pay(answer.headers["Location"])
    await shop.tell()
    assert await entitlements.allows(bob.id, course.id)
    assert (await shop.order()).user_id == bob.id


async def test_an_entry_that_was_paid_while_it_was_sent_again_keeps_its_files(
    shop: Shop,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    form = await a_form([*FIELDS, {"id": "q5", "kind": "file", "label": "Paper", "settings": {}}])
    first, order = await with_a_file(shop, form)

    async def paid() -> bool:
        await orders.mark_paid(order.id, Received(5000, "EUR", payment_id="pi_first"))
        return await payments.received(order.id)

    news = meanwhile(paid(), monkeypatch)
    await send(form, shop.client, q3="half", instead=payments.token_of(first))
    assert await news[0]
    assert await states() == ["received", "unpaid"]
    assert await db.value("SELECT entry_id FROM form_entry_files") == first.id


async def test_who_sends_again_and_who_merges_their_account_do_not_wait_for_each_other(
    shop: Shop, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = await a_form()
    ann, bob, olga = await cast.ann(), await cast.bob(), await signed_in(await cast.olga())
    await send(form, ann.browser)
    first = await newest()
    under_way = merged_after(payments, "replace", merging.merge(ann.public_id, bob.public_id, by=olga), monkeypatch)
    answer = await send(form, ann.browser, q3="half", instead=payments.token_of(first))
    await under_way[0]
    assert (answer.status_code, await states()) == (303, ["unpaid", "unpaid"])
    assert await db.value("SELECT count(*) FROM form_entries WHERE user_id = :id", id=bob.id) == 2


async def test_who_sends_what_they_began_and_who_merges_their_account_do_not_wait_for_each_other(
    shop: Shop, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = [FIELDS[0], {"id": "p2", "kind": "page_break", "label": "Then"}, FIELDS[1]]
    form = await a_form(fields, payment={})
    ann, bob, olga = await cast.ann(), await cast.bob(), await signed_in(await cast.olga())
    begun = (await send(form, ann.browser, screen="start", go="next")).headers["Location"]
    merge = merging.merge(ann.public_id, bob.public_id, by=olga)
    under_way = merged_after(drafts, "lock", merge, monkeypatch)
    answer = await ann.browser.post(begun, form={"version": "1", "screen": "p2", "q2": "ann@x.example", "go": "next"})
    await under_way[0]
    assert "/thanks/" in answer.headers["Location"]
    assert await db.value("SELECT count(*) FROM form_entries WHERE user_id = :id", id=bob.id) == 1


async def test_who_follows_the_link_to_pay_and_who_merges_their_account_do_not_wait_for_each_other(
    shop: Shop, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = await a_form(settings=WORDS)
    ann, bob, olga = await cast.ann(), await cast.bob(), await signed_in(await cast.olga())
    await send(form, ann.browser, q1="casino")
    entry = await newest()
    await let_out(form, entry, olga.id)
    merge = merging.merge(ann.public_id, bob.public_id, by=olga)
    under_way = merged_after(stock, "hold", merge, monkeypatch)
    answer = await ann.browser.post(path_of(form, entry))
    await under_way[0]
    assert answer.headers["Location"].startswith("http")
    assert (await shop.order()).user_id == bob.id


async def test_an_entry_that_was_thrown_away_while_it_was_sent_again_gives_its_link_to_nobody(
    shop: Shop,
    cast: Cast,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    form = await a_form(settings={"by_link": True})
    definition = definitions.read(form.definition)
    await links.make(form, definition, 1, {}, by=await signed_in(await cast.olga()))
    [made] = await db.many(db.Row, "SELECT public_id FROM form_links")
    token = links.path(form, made).partition("link=")[2]
    assert (await send(form, shop.client, link=token)).headers["Location"].startswith("http")
    first = await newest()
    meanwhile(entries.move(first, "bin", definition), monkeypatch)
    assert (await send(form, shop.client, instead=payments.token_of(first))).status_code == 409
    assert await states() == ["binned"]


async def test_money_that_comes_for_an_entry_that_was_sent_again_brings_its_files_back(shop: Shop) -> None:
    form = await a_form([*FIELDS, {"id": "q5", "kind": "file", "label": "Paper", "settings": {}}])
    first, order = await with_a_file(shop, form)
    await send(form, shop.client, q3="half", instead=payments.token_of(first))
    assert await db.value("SELECT entry_id FROM form_entry_files") is None
    await orders.mark_paid(order.id, Received(5000, "EUR", payment_id="pi_first"))
    assert await payments.received(order.id)
    assert await db.value("SELECT entry_id FROM form_entry_files") == first.id


async def test_answers_that_were_changed_while_the_money_came_hold_what_they_say(
    shop: Shop,
    cast: Cast,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    form, olga = await a_form(), await cast.olga()
    await shop.pay((await send(form, shop.client)).headers["Location"])
    entry, order = await newest(), await shop.order()
    assert await left(form) == 2
    read = form_queries.version_by_id

    async def overtaken(version_id: int) -> Form | None:
        monkeypatch.setattr(form_queries, "version_by_id", read)
        edit = asyncio.create_task(choose(form, entry, "half", olga.id), context=Context())
        await asyncio.wait([edit], timeout=0.5)  # where the entry is locked it waits
        edits.append(edit)
        return await read(version_id)

    edits: list[asyncio.Task[None]] = []
    monkeypatch.setattr(form_queries, "version_by_id", overtaken)
    assert await payments.received(order.id)
    await edits[0]
    assert (await newest()).answers["q3"]["value"] == "half"
    assert await left(form) == 3


async def test_money_that_is_back_before_the_payment_is_heard_of_holds_nothing(shop: Shop) -> None:
    form = await a_form()
    await send(form, shop.client)
    order = await shop.order()
    await orders.mark_paid(order.id, Received(5000, "EUR", payment_id="pi_ticket"))
    await refunds.record(order.id, Refund("re_1", "succeeded", 5000, "EUR", payment_id="pi_ticket"))
    # The job that counts the entry is tried again later.
    await payments.paid_back(order.id)
    assert await payments.received(order.id)
    assert (await states(), await left(form)) == (["received"], 3)


async def test_a_payment_that_is_asked_for_anew_while_the_last_one_is_given_up_keeps_its_ticket(
    shop: Shop,
    cast: Cast,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    form = await a_form(settings=WORDS)
    entry = await held_back(shop, form)
    await let_out(form, entry, (await cast.olga()).id)
    await shop.client.post(path_of(form, entry))
    first, look_up = await shop.order(), orders.find
    await orders.mark_expired(first.id)
    clicks: list[asyncio.Task[Any]] = []

    async def overtaken(order_id: int) -> Order | None:
        monkeypatch.setattr(orders, "find", look_up)
        found = await look_up(order_id)
        clicks.append(asyncio.create_task(shop.client.post(path_of(form, entry)), context=Context()))
        await asyncio.wait(clicks, timeout=1)  # where the entry is locked it waits
        return found

    monkeypatch.setattr(orders, "find", overtaken)
    await payments.given_up(first.id)
    assert (await clicks[0]).headers["Location"].startswith("http")
    assert await left(form) == 2
    assert await db.value("SELECT given_up_at FROM form_entries") is None


async def test_money_that_comes_back_while_its_ticket_is_freed_keeps_it(
    shop: Shop,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    form = await a_form()
    await send(form, shop.client)
    order, look_up = await shop.order(), orders.find
    await orders.mark_paid(order.id, Received(5000, "EUR", payment_id="pi_ticket"))
    await queue.drain()
    went = Refund("re_1", "succeeded", 5000, "EUR", payment_id="pi_ticket")
    await refunds.record(order.id, went)
    bank: list[asyncio.Task[Any]] = []

    async def returned() -> None:
        await refunds.record(order.id, replace(went, state="failed"))
        await payments.regained(order.id)

    async def overtaken(order_id: int) -> Order | None:
        monkeypatch.setattr(orders, "find", look_up)
        found = await look_up(order_id)
        bank.append(asyncio.create_task(returned(), context=Context()))
        await asyncio.wait(bank, timeout=0.5)  # where the entry is locked it waits
        return found

    monkeypatch.setattr(orders, "find", overtaken)
    await payments.paid_back(order.id)
    await bank[0]
    assert ((await shop.order()).state, await left(form)) == ("paid", 2)


async def test_answers_that_were_changed_while_their_payment_was_asked_for_are_what_is_paid(
    shop: Shop,
    cast: Cast,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    form, olga = await a_form(settings=WORDS), await cast.olga()
    entry = await held_back(shop, form)
    await let_out(form, entry, olga.id)
    lock = form_queries.lock_form

    async def overtaken(form_id: int) -> Form | None:
        monkeypatch.setattr(form_queries, "lock_form", lock)
        await elsewhere(choose(form, entry, "half", olga.id))
        return await lock(form_id)

    monkeypatch.setattr(form_queries, "lock_form", overtaken)
    await shop.client.post(path_of(form, entry))
    assert ((await shop.order()).total_minor, await left(form)) == (2500, 3)


async def test_an_entry_that_was_sent_anew_is_not_asked_for_its_payment_once_more(
    shop: Shop,
    cast: Cast,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    form, olga = await a_form(settings=WORDS), await cast.olga()
    entry = await held_back(shop, form)
    await let_out(form, entry, olga.id)
    set_until = payment_queries.set_pay_until

    async def overtaken(entry_id: int, until: datetime | None) -> bool:
        monkeypatch.setattr(payment_queries, "set_pay_until", set_until)
        again = await elsewhere(send(form, shop.client, instead=payments.token_of(entry)))
        assert again.headers["Location"].startswith("http")
        return await set_until(entry_id, until)

    monkeypatch.setattr(payment_queries, "set_pay_until", overtaken)
    path = f"/admin/forms/{form.public_id}/entries/{entry.public_id}/sending"
    assert (await olga.browser.post(path, form={"link": "1"})).status_code == 409
    await shop.client.post(path_of(form, entry))
    assert await db.value("SELECT count(*) FROM orders") == 1
    assert len(await shop.mails("formbuilder/payment")) == 1


@pytest.mark.parametrize("how", ["paid", "on its way", "heard of", "looked at"])
async def test_a_page_that_was_left_open_asks_nobody_to_pay_again(shop: Shop, how: str) -> None:
    form = await a_form()
    await send(form, shop.client)
    entry, order = await newest(), await shop.order()
    back = f"/forms/{form.slug}?payment={payments.token_of(entry)}"
    assert "Ann" in await shop.text(back)
    if how == "on its way":
        await orders.mark_processing(order.id, Received(5000, "EUR", payment_id="pi_first"))
    else:
        amount = 4900 if how == "looked at" else 5000
        await orders.mark_paid(order.id, Received(amount, "EUR", payment_id="pi_first"))
    if how == "heard of":
        assert await payments.received(order.id)
    answer = await send(form, shop.client, q3="half", instead=payments.token_of(entry))
    assert answer.status_code == 409
    assert "need not be sent again" in await answer.get_data(as_text=True)
    assert (len(await states()), await left(form), await db.value("SELECT count(*) FROM orders")) == (1, 2, 1)
    again = await shop.client.get(back)
    assert again.status_code == 303
    assert ("/thanks/" if how == "heard of" else path_of(form, entry)) in again.headers["Location"]
    # Something else may be sent at any time.
    assert (await send(form, shop.client)).headers["Location"].startswith("http")
