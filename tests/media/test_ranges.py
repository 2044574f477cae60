import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.media.ranges import Unsatisfiable, wanted


@pytest.mark.parametrize(
    ("header", "part"),
    [
        ("bytes=0-0", (0, 0)),
        ("bytes=0-", (0, 99)),
        ("bytes=10-19", (10, 19)),
        ("bytes=90-500", (90, 99)),
        ("bytes=-10", (90, 99)),
        ("bytes=-500", (0, 99)),
        (" bytes = 5 - 6 ", (5, 6)),
        (None, None),
        ("", None),
        ("bytes=-", None),
        ("bytes=9-5", None),
        ("bytes=0-1,5-6", None),
        ("items=0-1", None),
        ("bytes=a-b", None),
        ("bytes=٣-٤", None),
    ],
)
def test_one_range_is_answered_and_what_is_not_understood_is_ignored(
    header: str | None, part: tuple[int, int] | None
) -> None:
    assert wanted(header, 100) == part


@pytest.mark.parametrize(("header", "size"), [("bytes=100-", 100), ("bytes=-0", 100), ("bytes=0-", 0), ("bytes=-1", 0)])
def test_a_range_outside_of_the_file_cannot_be_satisfied(header: str, size: int) -> None:
    with pytest.raises(Unsatisfiable):
        wanted(header, size)


@given(
    st.one_of(st.text(), st.from_regex(r"bytes=\d{0,20}-\d{0,20}(,\d*-\d*)?", fullmatch=True)),
    st.integers(0, 10**12),
)
def test_a_range_always_lies_inside_of_the_file(header: str, size: int) -> None:
    try:
        part = wanted(header, size)
    except Unsatisfiable:
        return
    if part is not None:
        assert 0 <= part[0] <= part[1] < size
