"""What keeps a cart whole while two sessions act on it, and what would happen without: the controls of test_pairs.py."""

from datetime import datetime
from functools import partial
from typing import Any

import pytest
from asyncpg import UniqueViolationError

from app import Lectern
from app.commerce import carts, orders
from app.commerce.queries import carts as cart_queries
from app.core import db, submissions
from app.core.ids import public_id
from tests.cast import Cast
from tests.commerce.shop import Shop
from tests.commerce.test_pairs import a_cart, check_out
from tests.meeting import Meeting
from tests.pairs import together
from tests.school import a_course

pytestmark = pytest.mark.usefixtures("unlimited")


async def orders_of_two_checkouts(shop: Shop, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> int:
    """Two sessions go to payment with one cart, and the form is not known from a moment ago."""

    claim = submissions.claim

    async def as_if_new(_key: bytes) -> Any:
        return await claim(public_id().encode())

    ann, quote = await a_cart(shop, cast)
    monkeypatch.setattr(submissions, "claim", as_if_new)
    await together(*(partial(check_out, shop, ann, quote) for _session in range(2)))
    return int(await db.value("SELECT count(*) FROM orders"))


async def test_two_checkouts_of_one_cart_make_one_order(
    shop: Shop, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await orders_of_two_checkouts(shop, cast, monkeypatch) == 1


async def test_without_the_key_of_a_quote_they_would_make_two(
    shop: Shop, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders, "quote_key", lambda *_facts: public_id())
    assert await orders_of_two_checkouts(shop, cast, monkeypatch) == 2


async def two_first_things(cast: Cast) -> list[Any]:
    """A member who never had a cart puts things in from two sessions at once; what came of it."""
    for slug in ("reading-price", "risk"):
        await a_course(slug, slug.title())
    ann = await cast.ann()
    whose = carts.Whose(user_id=ann.id)
    return await together(
        lambda: carts.add(whose, "reading-price"), lambda: carts.add(whose, "risk"), allowed=[UniqueViolationError]
    )


async def test_two_first_things_make_one_cart(app: Lectern, cast: Cast) -> None:
    assert [one.outcome for one in await two_first_things(cast)] == ["added", "added"]
    assert await db.value("SELECT count(*) FROM carts") == 1
    assert await db.value("SELECT count(*) FROM cart_items") == 2


async def test_a_cart_that_is_looked_for_before_it_is_made_would_break(
    app: Lectern, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As against making and finding it in one statement."""

    both = Meeting(2)

    async def ensure(user_id: int, now: datetime) -> int:
        found = await cart_queries.cart_of_user(user_id)
        await both.wait()
        if found is None:
            insert = "INSERT INTO carts (user_id, created_at, updated_at) VALUES (:user, :now, :now) RETURNING id"
            found = int(await db.value(insert, user=user_id, now=now))
        return found

    monkeypatch.setattr(cart_queries, "ensure_cart_of_user", ensure)
    outcomes = await two_first_things(cast)
    assert any(isinstance(one, UniqueViolationError) for one in outcomes)
