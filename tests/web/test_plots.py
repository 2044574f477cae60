"""Plots turn numbers into coordinates."""

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.web import plots

finite = st.floats(min_value=0, max_value=1e9, allow_nan=False)


def test_steps_are_round_and_cover_the_highest_value() -> None:
    assert plots.nice_steps(2690) == (1000, 2000, 3000)
    assert plots.nice_steps(4.1) == (2, 4, 6)
    assert plots.nice_steps(0.9) == (0.5, 1.0)
    assert plots.nice_steps(30) == (10, 20, 30)


def test_what_is_counted_has_no_halves() -> None:
    assert [line.label for line in plots.line([0, 1], ["a", "b"]).grid] == ["1"]
    assert [line.label for line in plots.bars([2, 7], ["a", "b"]).grid] == ["5", "10"]
    assert [line.label for line in plots.line([0, 1.5], ["a", "b"]).grid] == ["0.5", "1", "1.5"]


def test_a_series_of_zeros_has_an_axis_all_the_same() -> None:
    plot = plots.line([0, 0, 0], ["a", "b", "c"])
    assert [line.label for line in plot.grid] == ["1"]
    assert set(re.findall(r"[ML][\d.]+ ([\d.]+)", plot.line)) == {"180"}


@given(finite)
def test_steps_never_exceed_three_and_always_reach_the_top(highest: float) -> None:
    steps = plots.nice_steps(highest)
    assert 1 <= len(steps) <= 3
    assert steps[-1] >= highest * (1 - 1e-6) or highest < 1e-6


@given(st.lists(finite, min_size=1, max_size=60))
def test_every_point_of_a_line_lies_inside_the_picture(values: list[float]) -> None:
    plot = plots.line(values, [str(n) for n in range(len(values))])
    for x, y in re.findall(r"[ML]([\d.e+-]+) ([\d.e+-]+)", plot.line):
        assert 0 <= float(x) <= plot.width
        assert 0 <= float(y) <= plot.axis_y


def test_the_highest_value_stands_on_the_top_line_when_it_is_round() -> None:
    plot = plots.line([0, 3000], ["a", "b"])
    assert plot.line == "M44 180L746 20"
    assert plot.area == "M44 180L44 180L746 20V180Z"


def test_the_period_before_shares_the_scale_and_the_positions() -> None:
    plot = plots.line([1000, 2000], ["a", "b"], before=[3000, 1000])
    assert plot.grid[-1].label == "3,000"
    assert plot.before.startswith("M44 20L746 ")
    assert plot.rows[0] == ("a", "1,000", "3,000")


def test_a_shorter_period_before_leaves_the_rest_empty() -> None:
    plot = plots.line([1, 2, 3], ["a", "b", "c"], before=[2])
    assert plot.rows[2] == ("c", "3", "")
    assert plot.before == "M44 73.3"


def test_a_named_point_keeps_its_words_inside_the_picture() -> None:
    left = plots.line([5, 1, 1], ["a", "b", "c"], name=(0, "five")).named
    right = plots.line([1, 1, 5], ["a", "b", "c"], name=(2, "five")).named
    assert left is not None
    assert left.anchor == "start"
    assert left.label_x > left.x
    assert right is not None
    assert right.anchor == "end"
    assert right.label_x < right.x


@pytest.mark.parametrize("count", [1, 2, 5, 7, 12, 28, 31, 90, 365])
def test_labels_below_the_axis_are_few_and_end_with_the_last(count: int) -> None:
    labels = [str(n) for n in range(count)]
    ticks = plots.line([1.0] * count, labels, last_label="today").ticks
    assert 1 <= len(ticks) <= 6
    assert ticks[-1].label == "today"
    gaps = [b.x - a.x for a, b in itertools.pairwise(ticks)]
    assert count < 9 or all(gap >= 80 for gap in gaps)


def test_bars_stand_on_the_axis_and_only_the_last_may_be_now() -> None:
    plot = plots.bars([1, 0, 4], ["a", "b", "c"], last_is_now=True, last_label="this week")
    assert all(round(bar.y + bar.height, 1) == plot.axis_y for bar in plot.bars)
    assert [bar.now for bar in plot.bars] == [False, False, True]
    assert plot.bars[1].height == 0
    assert plot.ticks[-1].strong


def test_values_and_labels_must_agree() -> None:
    with pytest.raises(ValueError, match="2 values need as many labels, not 1"):
        plots.line([1, 2], ["a"])


def test_no_values_draw_nothing_and_break_nothing() -> None:
    assert plots.line([], []).line == ""
    assert plots.bars([], []).bars == ()
    assert plots.spark([]) == ""


def test_a_spark_runs_from_edge_to_edge_and_a_flat_one_through_the_middle() -> None:
    assert plots.spark([1, 3, 2]) == "M0 22L48 2L96 12"
    assert plots.spark([7, 7]) == "M0 12L96 12"
    assert plots.spark([7]) == "M0 12L96 12"
