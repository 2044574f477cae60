"""Rows that were drawn before look as if they were drawn anew: for others, after a change, in another zone."""

import re
from datetime import UTC, datetime

import pytest

from app.core import db
from app.web.tables import kept
from tests.cast import Cast, Person
from tests.office import an_order

AT = datetime(2026, 7, 3, 22, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def forgotten() -> None:
    kept._lists.clear()


async def rows(person: Person) -> list[str]:
    text = await (await person.browser.get("/admin/orders?sort=number")).get_data(as_text=True)
    return re.findall(r"<tr>\s*<th scope=\"row\".*?</tr>", text, re.DOTALL)


async def test_a_kept_row_is_the_row_that_would_be_drawn(cast: Cast) -> None:
    olga = await cast.olga()
    for total in (0, 24900, 100):
        await an_order(total=total, at=AT)
    first = await rows(olga)
    assert len(first) == 3
    assert await rows(olga) == first  # kept
    kept._lists.clear()
    assert await rows(olga) == first  # anew


async def test_it_is_drawn_once(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    olga = await cast.olga()
    await an_order(at=AT)
    drawn = []
    keep = kept.KeptRows.keep
    monkeypatch.setattr(kept.KeptRows, "keep", lambda self, row, markup: drawn.append(row) or keep(self, row, markup))
    await rows(olga)
    await rows(olga)
    assert len(drawn) == 1


async def test_a_change_shows_at_once(cast: Cast) -> None:
    olga = await cast.olga()
    order = await an_order(at=AT)
    assert "Paid" in (await rows(olga))[0]
    await db.run("UPDATE orders SET state = 'refunded' WHERE public_id = :id", id=order)
    assert "Refunded" in (await rows(olga))[0]


async def test_everybody_sees_their_own_time(cast: Cast) -> None:
    olga, otto = await cast.olga(), await cast.person("Otto Ott", "otto@example.org", role="owner")
    await db.run("UPDATE users SET time_zone = 'Asia/Tokyo' WHERE id = :id", id=otto.id)
    await db.run("UPDATE users SET time_zone = 'UTC' WHERE id = :id", id=olga.id)
    await an_order(at=AT)
    for _time in range(2):
        assert "22:30" in (await rows(olga))[0]
        assert "7:30" in (await rows(otto))[0]


async def test_what_a_buyer_wrote_stays_text(cast: Cast) -> None:
    olga = await cast.olga()
    await an_order("<b>x</b>@example.org", at=AT)
    for _time in range(2):
        assert "&lt;b&gt;" in (await rows(olga))[0]
