from decimal import Decimal
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import Lectern
from app.catalogue.models import Offer
from app.commerce import orders, quotes
from app.commerce.models import Buyer
from app.core import tokens

percents = st.decimals(0, 100, places=3)
amounts = st.integers(0, 99_999_999)


def offer(product_id: int, amount: int, currency: str = "EUR") -> Offer:
    return Offer(
        product_id,
        f"p{product_id}",
        f"P {product_id}",
        "course",
        product_id,
        f"p{product_id}",
        "",
        "",
        amount,
        currency,
        True,
        True,
    )


def quote_of(prices: list[int], percent: Decimal = Decimal(19)) -> quotes.Quote:
    return quotes.make([offer(number, price) for number, price in enumerate(prices, 1)], percent, "VAT")


@given(prices=st.lists(amounts, max_size=20), percent=percents)
def test_lines_and_sums_fit_to_the_cent(prices: list[int], percent: Decimal) -> None:
    quote = quote_of(prices, percent)
    assert quote.total_minor == sum(prices)
    assert quote.tax_minor == sum(line.tax_minor for line in quote.lines)
    assert quote.subtotal_minor + quote.tax_minor == quote.total_minor
    for line in quote.lines:
        assert 0 <= line.tax_minor <= line.amount_minor


@given(price=amounts, percent=percents)
def test_the_tax_of_a_line_is_within_half_a_cent_of_the_exact_one(price: int, percent: Decimal) -> None:
    [line] = quote_of([price], percent).lines
    exact = Decimal(price) - Decimal(price) / (1 + percent / 100)
    assert abs(line.tax_minor - exact) <= Decimal("0.5001")


def test_one_quote_has_one_currency() -> None:
    with pytest.raises(ValueError, match="several currencies"):
        quotes.make([offer(1, 100), offer(2, 100, "USD")], Decimal(0), "")


@given(prices=st.lists(amounts, min_size=1, max_size=5))
def test_what_was_signed_is_read_back(prices: list[int]) -> None:
    tokens.configure("a key of the tests")
    quote = quote_of(prices)
    shown = quotes.read(quotes.sign(quote, 7))
    assert shown is not None
    assert shown.cart_id == 7
    assert shown.prices == {line.product_id: line.amount_minor for line in quote.lines}
    assert quotes.still_good(shown, quote)


@given(
    prices=st.lists(st.integers(1, 10_000), min_size=1, max_size=5),
    changes=st.lists(st.integers(-5, 5), min_size=5, max_size=5),
)
def test_a_yes_covers_lower_prices_and_never_a_higher_one(prices: list[int], changes: list[int]) -> None:
    shown = quotes.Shown(1, dict(enumerate(prices, 1)), "EUR")
    now = [max(0, price + change) for price, change in zip(prices, changes, strict=False)]
    assert quotes.still_good(shown, quote_of(now)) == all(new <= old for new, old in zip(now, prices, strict=True))


def test_a_yes_covers_neither_other_things_nor_another_currency() -> None:
    shown = quotes.Shown(1, {1: 100, 2: 100}, "EUR")
    assert not quotes.still_good(shown, quote_of([100]))
    assert not quotes.still_good(shown, quote_of([100, 100, 100]))
    assert not quotes.still_good(quotes.Shown(1, {1: 100}, "USD"), quote_of([100]))


@given(place=st.integers(0, 200), letter=st.sampled_from("aZ0-_."))
def test_a_changed_quote_is_not_read(place: int, letter: str) -> None:
    tokens.configure("a key of the tests")
    signed = quotes.sign(quote_of([24900]), 1)
    place %= len(signed)
    if signed[place] == letter:
        return
    changed = signed[:place] + letter + signed[place + 1 :]
    # The last letter of base64 carries unused bits: another letter may stand for the same signature.
    assert quotes.read(changed) in (None, quotes.read(signed))
    if place < len(signed) - 1 and "." not in (signed[place], letter):
        assert quotes.read(changed) is None


def test_a_quote_is_good_for_half_an_hour(app: Lectern) -> None:
    with patch("itsdangerous.timed.time.time", return_value=1_000_000):
        signed = quotes.sign(quote_of([100]), 1)
    with patch("itsdangerous.timed.time.time", return_value=1_000_000 + 30 * 60):
        assert quotes.read(signed) is not None
    with patch("itsdangerous.timed.time.time", return_value=1_000_000 + 30 * 60 + 2):
        assert quotes.read(signed) is None


def test_what_was_signed_for_something_else_is_no_quote() -> None:
    tokens.configure("a key of the tests")
    assert quotes.read(tokens.sign({"cart": 1, "prices": {"1": 1}, "currency": "EUR"}, "session")) is None
    assert quotes.read("") is None


def test_two_orders_are_one_only_when_cart_buyer_things_prices_currency_and_tax_are_the_same() -> None:
    def key(
        prices: tuple[int, ...] = (100, 200), email: str = "gus@example.org", cart: int | None = 7, **other: Any
    ) -> str:
        currency, percent = other.get("currency", "EUR"), Decimal(other.get("percent", 19))
        offers = [offer(number, price, currency) for number, price in enumerate(prices, 1)]
        buyer = Buyer(email, "Gus", other.get("user_id"))
        return orders.quote_key(quotes.make(offers, percent, "VAT"), buyer, cart, other.get("reference", ""))

    assert key() == key(email="Gus@Example.org")
    others = [
        key(cart=8),
        key(cart=None),
        key(email="eve@example.org"),
        key(user_id=7),
        key((200, 100)),
        key((100,)),
        key(currency="USD"),
        key(percent=20),
        key(reference="entry:abc"),
    ]
    assert len({key(), *others}) == 1 + len(others)
