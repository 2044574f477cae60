"""Money: whole minor units everywhere, every sum exact, and no float anywhere near."""

import ast
import os
import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.commerce.models import Order, state_after_refunds
from app.core import clock
from app.core.money import CURRENCIES, Money, parse_money, plain_amount
from tests.commerce.test_quotes import quote_of

APP = Path(__file__).parents[2] / "app"
MIGRATIONS = APP.parent / "migrations"
CAREFUL = sorted(
    [
        *APP.glob("commerce/**/*.py"),
        *APP.glob("access/*.py"),
        APP / "core" / "money.py",
        APP / "catalogue" / "products.py",
    ]
)

# bin/faults asks for ten thousand.
EXAMPLES = int(os.environ.get("LECTERN_EXAMPLES", "1000"))

amounts = st.integers(0, 99_999_999)
rates = st.decimals(0, 99, places=3)
AN_ORDER = Order(
    *(1, "o", 1001, 1, None, "ann@example.org", "Ann", "paid", "EUR", 0, 0, Decimal(0), "", 0, 0, 1, None, None, None),
    *("", "", "", clock.now(), None, None),
)


def floats_in(source: str) -> list[int]:
    """The lines where a float may come to be: a literal outside a pause, `float`, or a division that is not Decimal's."""
    tree = ast.parse(source)
    pauses = {
        id(part)
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and getattr(call.func, "attr", "") == "sleep"
        for part in ast.walk(call)
    }
    found = []
    for node in ast.walk(tree):
        literal = isinstance(node, ast.Constant) and isinstance(node.value, float) and id(node) not in pauses
        named = isinstance(node, ast.Name) and node.id == "float"
        divided = (
            isinstance(node, ast.BinOp | ast.AugAssign)
            and isinstance(node.op, ast.Div)
            and "rate" not in ast.unparse(node)
        )
        rounded = isinstance(node, ast.Call) and getattr(node.func, "id", "") == "round"
        if literal or named or divided or rounded:
            found.append(getattr(node, "lineno", 0))
    return found


@pytest.mark.parametrize("path", CAREFUL, ids=lambda path: str(path.relative_to(APP)))
def test_no_float_comes_near_money(path: Path) -> None:
    assert floats_in(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("bad", ["x = 0.5", "x = float(y)", "x = total / 2", "x /= 2", "x = round(y)"])
def test_a_float_would_be_found(bad: str) -> None:
    """The negative control."""
    assert floats_in(bad) == [1]


def test_every_amount_is_kept_as_a_whole_number() -> None:
    lines = [line.strip() for path in MIGRATIONS.glob("*.sql") for line in path.read_text("utf-8").splitlines()]
    columns = [line for line in lines if line.split(" ")[0].endswith("_minor")]
    assert len(columns) >= 9
    assert all(line.split(" ")[1] == "bigint" for line in columns), columns
    code = [line.split("--")[0].lower() for line in lines if not line.startswith("COMMENT ON")]
    assert not [line for line in code if re.search(r"\breal\b|double precision", line)]


@settings(max_examples=EXAMPLES, deadline=None)
@given(prices=st.lists(amounts, min_size=1, max_size=6), percent=rates, parts=st.lists(st.integers(0, 100), max_size=5))
def test_quotes_taxes_and_refunds_sum_up_to_the_unit(prices: list[int], percent: Decimal, parts: list[int]) -> None:
    """A cart is quoted, bought and given back in parts: nothing appears and nothing is lost."""
    quote = quote_of(prices, percent)
    assert quote.total_minor == sum(prices) == quote.subtotal_minor + quote.tax_minor
    for line in quote.lines:
        exact = line.amount_minor - Decimal(line.amount_minor) / (1 + percent / 100)
        assert abs(line.tax_minor - exact) <= Decimal("0.5")
        assert type(line.tax_minor) is type(line.amount_minor) is int
    left, back = quote.total_minor, 0
    for part in parts:
        amount = left * part // 100
        left, back = left - amount, back + amount
        assert left + back == quote.total_minor
        state = state_after_refunds(replace(AN_ORDER, total_minor=quote.total_minor), back)
        assert (state == "paid") == (back == 0)
        assert (state == "refunded") == (back == quote.total_minor and back > 0)


@settings(max_examples=EXAMPLES, deadline=None)
@given(minor=amounts, currency=st.sampled_from(CURRENCIES), other=amounts)
def test_an_amount_is_written_and_read_again_without_loss(minor: int, currency: str, other: int) -> None:
    assert parse_money(plain_amount(minor, currency), currency) == minor
    total = Money(minor, currency) + Money(other, currency)
    assert (total - Money(other, currency)).minor == minor


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("1.000,00", "EUR", 100_000),
        ("1.249,5", "EUR", 124_950),
        ("123.456,78", "EUR", 12_345_678),
        ("1,249.50", "EUR", 124_950),
        ("1,500", "EUR", 150_000),
        ("249,50", "EUR", 24_950),
        ("1 249,50", "EUR", 124_950),
        ("12.", "EUR", 1_200),
        ("1,500", "JPY", 1_500),
    ],
)
def test_thousands_are_parted_as_people_part_them(text: str, currency: str, minor: int) -> None:
    assert parse_money(text, currency) == minor


@pytest.mark.parametrize(
    ("text", "currency"),
    [("1.500", "EUR"), ("1.000", "EUR"), ("1.000", "JPY"), ("1.000.000", "EUR"), ("1e999999", "EUR")],
)
def test_what_may_be_a_thousand_times_as_much_is_asked_again(text: str, currency: str) -> None:
    with pytest.raises(ValueError, match="not an amount"):
        parse_money(text, currency)
