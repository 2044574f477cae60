import asyncio
from datetime import datetime

import pytest

from app import Lectern
from app.catalogue import products, queries
from app.core import db
from app.core.errors import Invalid
from app.core.money import CURRENCIES
from app.sandbox.stripe.money import least
from tests.cast import Cast
from tests.meeting import Meeting
from tests.school import a_course


async def test_a_first_price_makes_the_product(app: Lectern) -> None:
    course = await a_course(price=None)
    offer = await products.set_price(course.id, 12900, "EUR")
    assert (offer.slug, offer.amount_minor, offer.currency) == ("reading-price", 12900, "EUR")
    assert offer.is_for_sale


async def test_a_new_price_keeps_the_old_one_in_the_books(app: Lectern) -> None:
    course = await a_course()
    await products.set_price(course.id, 19900, "EUR")
    rows = await db.many(db.Row, "SELECT amount_minor, replaced_at IS NULL AS current FROM prices ORDER BY id")
    assert [(row.amount_minor, row.current) for row in rows] == [(24900, False), (19900, True)]


async def test_setting_the_same_price_twice_changes_nothing(app: Lectern) -> None:
    course = await a_course()
    await products.set_price(course.id, 24900, "EUR")
    assert await db.value("SELECT count(*) FROM prices") == 1


async def test_two_prices_at_once_leave_one_current(app: Lectern) -> None:
    course = await a_course()
    await asyncio.gather(*(products.set_price(course.id, amount, "EUR") for amount in (10000, 20000, 30000)))
    assert await db.value("SELECT count(*) FROM prices WHERE replaced_at IS NULL") == 1


async def test_two_first_prices_at_once_make_one_product(app: Lectern) -> None:
    course = await a_course(price=None)
    for _round in range(30):
        await asyncio.gather(*(products.set_price(course.id, amount, "EUR") for amount in (10000, 20000, 30000, 40000)))
        told = await db.many(db.Row, "SELECT before, after FROM audit_log WHERE action = 'product.price' ORDER BY id")
        amounts = [(row.before["amount_minor"], row.after["amount_minor"]) for row in told[-4:]]
        assert [before for before, _after in amounts] == [None, *(after for _before, after in amounts[:-1])]
        await db.run("DELETE FROM prices")
        await db.run("DELETE FROM products")


@pytest.mark.parametrize(
    ("amount", "currency"), [(49, "EUR"), (29, "GBP"), (299, "SEK"), (1499, "CZK"), (24900, "XXX")]
)
async def test_a_price_that_cannot_be_charged_is_refused(app: Lectern, amount: int, currency: str) -> None:
    course = await a_course()
    with pytest.raises(Invalid):
        await products.set_price(course.id, amount, currency)


@pytest.mark.parametrize("currency", CURRENCIES)
async def test_the_smallest_price_is_what_stripe_charges_at_least(app: Lectern, currency: str) -> None:
    course = await a_course()
    assert (await products.set_price(course.id, least(currency.lower()), currency)).currency == currency
    with pytest.raises(Invalid):
        await products.set_price(course.id, least(currency.lower()) - 1, currency)


async def test_the_owner_sets_a_price_on_its_page(app: Lectern, cast: Cast) -> None:
    rob, course = await cast.rob(), await a_course()
    path = f"/admin/courses/{course.public_id}/price"
    answer = await rob.browser.post(path, form={"price": "199,50", "currency": "EUR"})
    assert answer.status_code == 303
    assert "buy it for €199.50" in await (await rob.browser.get(path)).get_data(as_text=True)
    refused = await rob.browser.post(path, form={"price": "a lot", "currency": "EUR"})
    body = await refused.get_data(as_text=True)
    assert refused.status_code == 422
    assert "Write an amount" in body
    assert "a lot" in body
    await rob.browser.post(path, form={"price": "0", "currency": "EUR"})
    assert "begin it for free" in await (await rob.browser.get(path)).get_data(as_text=True)


async def test_the_page_of_the_price_says_how_the_course_stands_and_publishes_it_as_its_other_pages_do(
    app: Lectern, cast: Cast
) -> None:
    rob, course = await cast.rob(), await a_course(state="draft")
    body = await (await rob.browser.get(f"/admin/courses/{course.public_id}/price")).get_data(as_text=True)
    assert "Draft" in body
    assert f"/admin/courses/{course.public_id}/preview" in body
    assert "Publish the course" in body


async def test_a_member_cannot_set_a_price(app: Lectern, cast: Cast) -> None:
    ann, course = await cast.ann(), await a_course()
    answer = await ann.browser.post(f"/admin/courses/{course.public_id}/price", form={"price": "1", "currency": "EUR"})
    assert answer.status_code == 403
    assert await db.value("SELECT amount_minor FROM prices WHERE replaced_at IS NULL") == 24900


async def test_taking_a_course_off_sale_can_be_undone(app: Lectern, cast: Cast) -> None:
    rob, course = await cast.rob(), await a_course()
    await rob.browser.post(f"/admin/courses/{course.public_id}/sale/end")
    assert not (await products.offer("reading-price")).is_for_sale  # type: ignore[union-attr]
    await rob.browser.post(f"/admin/courses/{course.public_id}/sale")
    assert (await products.offer("reading-price")).is_for_sale  # type: ignore[union-attr]


async def test_another_price_does_not_put_a_course_back_on_sale(app: Lectern, cast: Cast) -> None:
    course, rob = await a_course(), await cast.rob()
    await rob.browser.post(f"/admin/courses/{course.public_id}/sale/end")
    await rob.browser.post(f"/admin/courses/{course.public_id}/price", form={"price": "199", "currency": "EUR"})
    offer = await products.offer("reading-price")
    assert offer is not None
    assert (offer.amount_minor, offer.is_for_sale) == (19900, False)


async def _rename(course_id: int, slug: str) -> None:
    """The course has another address; its product hears of that from the worker, later."""
    await db.run("UPDATE courses SET slug = :slug WHERE id = :id", id=course_id, slug=slug)


async def _slugs() -> dict[int, tuple[str, list[str]]]:
    rows = await db.many(db.Row, "SELECT course_id, slug, former_slugs FROM products ORDER BY id")
    return {row.course_id: (row.slug, row.former_slugs) for row in rows}


async def test_a_course_is_priced_under_an_address_that_another_has_just_left(app: Lectern) -> None:
    old, new = await a_course("maps"), await a_course("globes", price=None)
    await _rename(old.id, "old-maps")
    await _rename(new.id, "maps")
    offer = await products.set_price(new.id, 12900, "EUR")
    assert offer.slug == "maps"
    await products.follow_course(old.id)
    assert await _slugs() == {old.id: ("old-maps", ["maps"]), new.id: ("maps", [])}


async def test_products_follow_courses_that_have_exchanged_their_addresses(app: Lectern) -> None:
    first, second, third = await a_course("maps"), await a_course("globes"), await a_course("charts")
    for course, slug in ((first, "while-moving"), (second, "maps"), (third, "globes"), (first, "charts")):
        await _rename(course.id, slug)
    for course in (first, second, third):
        await products.follow_course(course.id)
    assert await _slugs() == {
        first.id: ("charts", ["maps"]),
        second.id: ("maps", ["globes"]),
        third.id: ("globes", ["charts"]),
    }


async def test_products_that_make_way_for_each_other_at_once_wait_for_each_other_in_no_circle(
    app: Lectern, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await a_course("maps"), await a_course("globes")
    for course, slug in ((first, "while-moving"), (second, "maps"), (first, "globes")):
        await _rename(course.id, slug)
    true, met = queries.make_way, Meeting(2, patience=1.5)

    async def unhurried(course_id: int, now: datetime) -> int | None:
        found = await true(course_id, now)
        await met.wait()
        return found

    monkeypatch.setattr(queries, "make_way", unhurried)
    await asyncio.gather(products.follow_course(first.id), products.follow_course(second.id))
    assert await _slugs() == {first.id: ("globes", ["maps"]), second.id: ("maps", ["globes"])}
