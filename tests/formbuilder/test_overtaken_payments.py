"""Something else happens to an entry between the look at it and what its payment does with it."""

import asyncio
import io
from collections.abc import Coroutine
from contextvars import Context
from typing import Any

import pytest
from quart.datastructures import FileStorage

from app.access import entitlements
from app.accounts import merging
from app.commerce import orders
from app.commerce.models import Order, Received
from app.core import clock, db
from app.formbuilder import entries
from app.formbuilder.definition import definitions
from app.formbuilder.models import Entry, Form
from app.formbuilder.payment import payments
from app.formbuilder.queries import entries as entry_queries
from app.formbuilder.queries import forms as form_queries
from app.formbuilder.routes import stamp_of
from tests.accounts.test_people import signed_in
from tests.cast import Cast
from tests.commerce.conftest import local_stripe, shop  # noqa: F401 (fixtures)
from tests.commerce.shop import Shop
from tests.formbuilder.test_paid_entries import FIELDS, a_form, send
from tests.formbuilder.test_payments import COURSE, prices_in
from tests.school import a_course

pytestmark = pytest.mark.usefixtures("unlimited")


async def elsewhere(work: Coroutine[Any, Any, Any]) -> Any:
    """Do it as another request or job would, on a connection of its own."""
    return await asyncio.create_task(work, context=Context())


async def newest() -> Entry:
    found = await entry_queries.entry_by_id(await db.value("SELECT max(id) FROM form_entries"))
    assert found is not None
    return found


async def with_a_file(shop: Shop, form: Form) -> tuple[Entry, Order]:  # noqa: F811
    """An unpaid entry that came with a file, and its order."""
    told = {"version": "1", "stamp": stamp_of(clock.now().timestamp() - 10), "website": "", "q1": "Ann"}
    paper = FileStorage(io.BytesIO(b"%PDF-1.4\n%%EOF\n"), filename="paper.pdf", content_type="application/pdf")
    sent = await shop.client.post(
        f"/forms/{form.slug}", form={**told, "q2": "ann@x.example", "q3": "full"}, files={"q5": paper}
    )
    assert sent.headers["Location"].startswith("http")
    return await newest(), await shop.order()


def paid_meanwhile(order: Order, monkeypatch: pytest.MonkeyPatch) -> None:
    """The money of an entry comes just before another one takes its place."""
    take_place = payments.replace

    async def overtaken(entry: Entry) -> bool:
        await elsewhere(orders.mark_paid(order.id, Received(order.total_minor, "EUR", payment_id="pi_first")))
        await elsewhere(payments.received(order.id))
        return await take_place(entry)

    monkeypatch.setattr(payments, "replace", overtaken)


async def choose(form: Form, entry: Entry, ticket: str, by: int) -> None:
    """The office writes another ticket into the answers."""
    answers = {**entry.answers, "q3": {**entry.answers["q3"], "value": ticket}}
    assert await entries.edit(entry, definitions.read(form.definition), answers, "", entry.email, by=by)


async def test_what_was_ordered_while_the_account_was_merged_opens_in_the_one_that_stays(
    shop: Shop,  # noqa: F811
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
