from app.core import db
from tests.cast import Cast
from tests.office import an_order, seen
from tests.school import a_course


async def test_an_order_a_person_a_course_and_a_page_are_found(cast: Cast) -> None:
    olga, ann = await cast.olga(), await cast.ann()
    course = await a_course()
    order_id = await an_order("ann@example.org")
    number = await db.value("SELECT number FROM orders")
    assert f"/admin/orders/{order_id}" in await seen(olga, f"/admin/search?q={number}")
    assert f"/admin/orders/{order_id}" in await seen(olga, f"/admin/search?q=%23{number}")
    found = await seen(olga, "/admin/search?q=ANN")
    assert f"/admin/orders/{order_id}" in found
    assert f"/admin/people/{ann.public_id}" in found
    assert f"/admin/courses/{course.public_id}" in await seen(olga, "/admin/search?q=reading")
    assert 'href="/admin/settings"' in (await seen(olga, "/admin/search?q=sett")).split("<main")[1]


async def test_nobody_finds_what_they_may_not_see(cast: Cast) -> None:
    ines, ann = await cast.ines(), await cast.ann()
    await an_order("ann@example.org")
    found = await seen(ines, "/admin/search?q=ann")
    assert ann.public_id not in found
    assert "/admin/orders/" not in found
    assert "Nothing found" in found


async def test_odd_words_are_only_words(cast: Cast) -> None:
    olga = await cast.olga()
    for text in ("%25", "_", "'; DROP TABLE users; --", "9" * 30, "%00", "", "%C2%B2", "\\"):
        await seen(olga, f"/admin/search?q={text}")
    assert "Olga" not in (await seen(olga, "/admin/search?q=%25")).split("<main")[1]


async def test_a_search_costs_at_most_five_queries(cast: Cast) -> None:
    olga = await cast.olga()
    with db.count_queries() as count:
        await seen(olga, "/admin/search?q=ann")
    assert count.total <= 5, count.statements
