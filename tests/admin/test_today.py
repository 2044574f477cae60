import re
from datetime import timedelta

import pytest
from quart.typing import TestClientProtocol

from app.admin import dashboard
from app.core import clock, db
from app.core.settings import save_school
from tests.cast import Cast, Person
from tests.office import a_delivery, a_failed_job, a_failed_mail, an_order, seen
from tests.school import a_course


async def test_a_stranger_is_asked_to_sign_in(client: TestClientProtocol) -> None:
    for path in ("/admin", "/admin/search", "/admin/settings"):
        answer = await client.get(path)
        assert answer.status_code == 303
        assert answer.headers["Location"].startswith("/login?next=/admin")


async def test_a_member_is_refused(cast: Cast) -> None:
    ann = await cast.ann()
    for path in ("/admin", "/admin/search?q=ann", "/admin/settings"):
        assert "Settings" not in await seen(ann, path, 403)


async def test_support_sees_figures_but_not_the_settings(cast: Cast) -> None:
    sam = await cast.sam()
    page = await seen(sam, "/admin")
    assert "/admin/jobs" in page
    assert "/admin/audit" not in page
    await seen(sam, "/admin/settings", 403)


async def test_a_teacher_without_figures_begins_elsewhere(cast: Cast) -> None:
    ines = await cast.ines()
    answer = await ines.browser.get("/admin")
    assert answer.status_code in (303, 403)
    assert "Revenue" not in await answer.get_data(as_text=True)


async def test_figures_stand_beside_those_before_and_open_their_rows(cast: Cast) -> None:
    olga, now = await cast.olga(), clock.now()
    await an_order(total=24900, at=now - timedelta(days=2))
    await an_order(total=10000, refunded=4000, state="partially_refunded", at=now - timedelta(days=3))
    await an_order(total=12300, at=now - timedelta(days=40))
    await an_order(total=99900, state="pending")
    ann = await cast.ann()
    await db.run("INSERT INTO learner_days VALUES (:day, :ann)", day=now.date(), ann=ann.id)
    await db.run("INSERT INTO learner_days VALUES (:day, :ann)", day=(now - timedelta(days=1)).date(), ann=ann.id)
    page = await seen(olga, "/admin")
    figures = page.split('class="table table--middle figures"')[1].split("</table>")[0]
    assert ">€309<" in figures
    assert ">€123<" in figures
    assert "+151%" in figures
    rows = figures.split("<tr>")
    assert "/admin/orders?" in rows[2]
    assert ">2</a>" in rows[3]
    assert ">1</a>" in rows[4]  # Ann joined
    assert ">1</a>" in rows[5]  # and learned, on two days


async def test_the_period_stands_in_the_address_and_comes_as_a_fragment(cast: Cast) -> None:
    olga, now = await cast.olga(), clock.now()
    await an_order(total=5000, at=now - timedelta(days=9))
    assert ">€50<" not in (await seen(olga, "/admin?period=7")).split("</table>")[0].split("Before")[0]
    headers = {"HX-Request": "true", "HX-Target": "section#figures"}
    part = await seen(olga, "/admin?period=7", headers=headers)
    assert part.lstrip().startswith('<section class="office-section" id="figures"')
    assert '<a href="/admin?period=7" aria-current="page"' in part
    day = (now - timedelta(days=9)).date().isoformat()
    assert ">€50<" in await seen(olga, f"/admin?from={day}&to={day}", headers=headers)


async def test_days_and_money_are_those_of_the_school(cast: Cast) -> None:
    olga = await cast.olga()
    await save_school(currency="USD", time_zone="Pacific/Auckland")
    await an_order(total=5000, currency="EUR")
    await an_order(total=7000, currency="USD")
    page = await seen(olga, "/admin?period=7")
    assert ">US$70<" in page
    assert "Sales in EUR are counted as orders" in page


async def test_what_failed_is_said_and_counted(cast: Cast) -> None:
    olga = await cast.olga()
    assert "Nothing needs a person" in await _with_a_sale(olga)
    await a_failed_job()
    await a_failed_mail()
    await a_delivery()
    page = await seen(olga, "/admin")
    assert "3 things need a person" in page
    for words in ("1 job gave up", "1 mail could not be sent", "1 delivery of Stripe was not handled"):
        assert words in page
    assert 'href="/admin/jobs?state=failed"' in page


async def a_refund(order_id: str, state: str, *, days_ago: int = 0) -> None:
    await db.run(
        """
        INSERT INTO refunds (public_id, order_id, amount_minor, state, created_at)
        SELECT md5(random()::text), id, 100, :state, :at FROM orders WHERE public_id = :order_id
        """,
        order_id=order_id,
        state=state,
        at=clock.now() - timedelta(days=days_ago),
    )


async def test_a_refund_that_did_not_go_through_waits_until_another_was_begun(cast: Cast) -> None:
    olga, order_id, slow = await cast.olga(), await an_order(), await an_order()
    await a_refund(order_id, "failed")
    await a_refund(slow, "pending", days_ago=2)
    page = await seen(olga, "/admin")
    assert "2 refunds have not gone through" in page
    assert 'href="/admin/orders?state=refunding"' in page
    rows = await seen(olga, "/admin/orders?state=refunding")
    assert order_id in rows
    assert slow in rows
    await a_refund(order_id, "pending")
    assert "1 refund has not gone through" in await seen(olga, "/admin")


async def test_figures_open_the_rows_they_count(cast: Cast) -> None:
    olga, now = await cast.olga(), clock.now()
    sold, refunded = await an_order(), await an_order(state="refunded", refunded=24900)
    pending, old = await an_order(state="pending"), await an_order(at=now - timedelta(days=50))
    ann = await cast.ann()
    await db.run("INSERT INTO learner_days VALUES (:day, :ann)", day=now.date(), ann=ann.id)
    page = await seen(olga, "/admin?period=7")
    rows = page.split('class="table table--middle figures"')[1].split("</table>")[0].split("<tr>")[2:]
    links = [row.split('href="')[1].split('"')[0].replace("&amp;", "&") for row in rows]
    orders = await seen(olga, links[1])
    assert sold in orders
    assert refunded in orders
    assert pending not in orders
    assert old not in orders
    for link in links[2:]:
        listed = await seen(olga, link)
        assert ann.public_id in listed
        assert olga.public_id not in listed.split("<main")[1]


async def _with_a_sale(olga: object) -> str:
    await an_order()
    return await seen(olga, "/admin")  # type: ignore[arg-type]


async def test_a_new_school_is_told_the_next_steps(cast: Cast) -> None:
    olga = await cast.olga()
    page = await seen(olga, "/admin")
    assert "First steps" in page
    assert "2 of 5 done" in page  # it has a name, and Stripe
    assert "STRIPE_SECRET" not in page, "what is done needs no doing"
    await a_course()
    assert "5 of 5 done" in await seen(olga, "/admin")
    await an_order()
    assert "First steps" not in await seen(olga, "/admin")


async def test_latest_orders_show_who_and_what(cast: Cast) -> None:
    olga, ann = await cast.olga(), await cast.ann()
    course = await a_course()
    order_id = await an_order(user_id=ann.id)
    await db.run(
        """
        INSERT INTO order_items (order_id, product_id, title, amount_minor, tax_minor)
        SELECT id, :product, 'Reading <Price>', 24900, 0 FROM orders
        """,
        product=course.product_id,
    )
    page = await seen(olga, "/admin")
    assert f'href="/admin/orders/{order_id}"' in page
    assert "Reading &lt;Price&gt;" in page
    assert "Ann Archer, €249" in page


async def test_the_page_costs_at_most_five_queries(cast: Cast) -> None:
    olga = await cast.olga()
    await seen(olga, "/admin")
    with db.count_queries() as count:
        await seen(olga, "/admin")
    assert count.total <= 5, count.statements


async def test_very_many_learners_are_counted_once_a_minute_and_few_each_time(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    olga, ann, sam = await cast.olga(), await cast.ann(), await cast.sam()
    monkeypatch.setattr(dashboard, "_learners", {})

    async def learners() -> str:
        rows = (await seen(olga, "/admin")).split('class="table table--middle figures"')[1].split("<tr>")
        return re.findall(r">(\d+)</a>", rows[5])[0]

    async def learned(person: Person) -> None:
        await db.run("INSERT INTO learner_days VALUES (:day, :id)", day=clock.now().date(), id=person.id)

    await learned(ann)
    assert await learners() == "1"
    monkeypatch.setattr(dashboard, "_VERY_MANY", 1)
    assert await learners() == "1"
    await learned(sam)
    assert await learners() == "1"
    with clock.shifted(timedelta(seconds=61)):
        assert await learners() == "2"
