"""The meter below a new password, and the list of breached ones behind it."""

import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import Lectern
from app.accounts import breached, meter
from app.accounts.strength import weakness
from tests.accounts.conftest import Browser, body
from tests.cast import Cast

ANN = ["ann.archer@example.org", "Ann Archer"]


@pytest.mark.parametrize(
    "password",
    ["1qaz2wsx3edc", "superman123", "ncc1701d", "rush2112", "zaq12wsx", "0987654321", "ZAQ12WSX", "ncc1701d!!"],
)
def test_what_stands_on_the_list_of_breached_passwords_is_refused(password: str) -> None:
    assert weakness(password) is not None


def test_the_list_finds_all_of_its_own_and_few_others() -> None:
    plain = [f"password number {number}" for number in range(2000)]
    bits = breached.filter_of(plain)
    assert sum(byte.bit_count() for byte in bits) > 20_000
    dice = random.Random(7)
    others = ["".join(dice.choices(string.ascii_lowercase + string.digits, k=12)) for _ in range(20_000)]
    taken = sum(breached.is_breached(one) for one in others)
    assert taken < 30  # one in 3,000 is promised


def test_the_filter_that_is_shipped_holds_hundreds_of_thousands() -> None:
    """Twelve marks of each password: from the share of set bits follows how many there are."""
    import math

    content = breached.FILE.read_bytes()
    share = sum(byte.bit_count() for byte in content) / breached.BITS
    assert -breached.BITS / 12 * math.log(1 - share) == pytest.approx(474_743, rel=0.01)


@pytest.mark.parametrize(
    ("password", "level"),
    [
        ("", 1), ("short", 1), ("password1", 1), ("annarcher1", 1), ("kzqvhdmw", 3), ("queen-table", 3),
        ("tide under seven clocks", 4),
    ],
)  # fmt: skip
def test_the_reading_rises_with_what_guessing_takes(password: str, level: int) -> None:
    assert meter.read(password, ANN).level == level


def test_words_and_runs_cost_less_than_as_many_odd_characters() -> None:
    assert meter.guesses_for("dragonqwertyuiop") < meter.guesses_for("drugonqwextyuaop") / 1.5
    assert meter.guesses_for("abababab") < meter.guesses_for("abqkxwzt")


@given(st.text(max_size=140))
def test_the_meter_and_the_form_never_disagree(password: str) -> None:
    reading = meter.read(password, ANN)
    assert (reading.level == 1) == (weakness(password, ANN) is not None)


async def test_the_meter_answers_with_a_part_of_the_page(browser: Browser) -> None:
    answer = await browser.post("/password/strength", password="password1", email="kim@example.org", name="Kim Kern")
    words = await body(answer)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert '<meter class="strength__meter strength__meter--1"' in words
    assert "tried first" in words
    assert "password1" not in words
    own = await body(
        await browser.post("/password/strength", password="kimkern1", email="k@example.org", name="Kim Kern")
    )
    assert "your name" in own
    assert await body(await browser.post("/password/strength", password="")) == ""


async def test_the_meter_knows_who_is_signed_in(app: Lectern, cast: Cast) -> None:
    ann = await cast.ann()
    words = await body(await Browser(ann.browser).post("/password/strength", new_password="archer2024"))
    assert "your name" in words


async def test_every_page_where_a_password_is_chosen_has_the_meter(browser: Browser) -> None:
    page = await browser.text("/register")
    assert 'hx-post="/password/strength"' in page
    assert 'id="strength"' in page
