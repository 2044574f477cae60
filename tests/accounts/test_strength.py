"""Rules for passwords, pure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.accounts.strength import LONGEST, SHORTEST, weakness

ANN = ["ann.archer@example.org", "ann.archer", "example.org", "Ann Archer", "Meridian"]


@pytest.mark.parametrize(
    "password",
    [
        "password",
        "P@ssw0rd1",
        "p4ssw0rd2024",
        "iloveyou2",
        "dragon123",
        "welcome2026",
        "letmein!!!!",
        "mypassword1",
        "passwordpassword",
        "lovelove12",
        "Superman1!",
    ],
)
def test_a_common_password_is_refused_however_it_is_dressed_up(password: str) -> None:
    assert "tried first" in (weakness(password, ANN) or "")


@pytest.mark.parametrize(
    "password", ["abcdefgh", "87654321", "qwertyuiop", "aaaaaaaa", "abcabcabc", "1q1q1q1q", "19840312", "asdfghjkl"]
)
def test_a_pattern_is_refused(password: str) -> None:
    assert "pattern" in (weakness(password) or "")


@pytest.mark.parametrize("password", ["annarcher", "ann.archer1", "Archer2024", "meridian12", "Ann Archer!"])
def test_the_persons_own_name_and_the_schools_are_refused(password: str) -> None:
    assert "your name" in (weakness(password, ANN) or "")


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery staple",
        "kzqv83hd",
        "tide under seven clocks",
        "Überraschung im Gürteltier",
        "пароль-не-простой",
    ],
)
def test_a_password_that_is_like_nothing_else_is_taken(password: str) -> None:
    assert weakness(password, ANN) is None


def test_length_is_counted_in_characters() -> None:
    assert weakness("kzqv83h") is not None
    assert weakness("kzqv83hd" * 17) is not None
    assert weakness("ü8ßq§xØż") is None


@given(st.text(max_size=LONGEST + 20), st.lists(st.text(max_size=40), max_size=4))
def test_any_text_gets_an_answer(password: str, known: list[str]) -> None:
    why = weakness(password, known)
    assert why is None or why.endswith(".")
    if why is None:
        assert len(password) >= 1


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=SHORTEST - 1))
def test_nothing_short_is_taken(password: str) -> None:
    assert weakness(password) is not None


@given(st.integers(1, 6), st.integers(2, 10), st.data())
def test_a_repeated_unit_is_never_taken(size: int, times: int, data: st.DataObject) -> None:
    unit = data.draw(st.text(alphabet="abcdefgh12345", min_size=size, max_size=size))
    assert weakness(unit * times) is not None
