import pytest

from app.core.numbers import whole_number


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("007", 7), ("123456789", 123_456_789)])
def test_a_whole_number_is_read(text: str, number: int) -> None:
    assert whole_number(text) == number


@pytest.mark.parametrize("text", [None, "", " 1", "1_0", "-1", "+1", "1.0", "1e3", "²", "٣", "1234567890", "9" * 5000])
def test_anything_else_is_none(text: str | None) -> None:
    assert whole_number(text) is None


def test_the_caller_says_how_long_it_may_be() -> None:
    assert whole_number("12", 1) is None
    assert whole_number("9" * 18, 18) == 10**18 - 1
