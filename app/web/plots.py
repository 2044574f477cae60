"""Geometry of plots: from numbers to the coordinates that the component ``plot.html`` writes down as SVG.

Pure functions. Coordinates are in the units of the plot's own viewBox and rounded to one decimal. The rules
are those of the look: labels stand on their grid lines, the past is dotted, one point may be named in words,
and the same numbers are handed over as a table.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 760, 210
TOP, AXIS = 20.0, 180.0
LEFT, RIGHT = 44.0, 14.0
TICK_Y = 200.0

Show = Callable[[float], str]


def plain(value: float) -> str:
    """Write a number as a label: thousands apart, no needless decimals."""
    return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"


@dataclass(frozen=True, slots=True)
class GridLine:
    """A horizontal line and the label that stands on it."""

    y: float
    label_y: float
    label: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A label below the axis; ``anchor`` is start, middle or end; ``strong`` marks the running period."""

    x: float
    label: str
    anchor: str
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Point:
    """A dot at ``x, y`` and, when ``label`` is set, where its words stand."""

    x: float
    y: float
    label: str = ""
    label_x: float = 0.0
    label_y: float = 0.0
    anchor: str = "end"


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar; ``now`` marks the period that still runs."""

    x: float
    y: float
    width: float
    height: float
    now: bool = False


@dataclass(frozen=True, slots=True)
class LinePlot:
    """A line over its area, the period before dotted; ``heads`` and ``rows`` are its numbers as a table."""

    width: int
    height: int
    axis_y: float
    tick_y: float
    grid: tuple[GridLine, ...]
    ticks: tuple[Tick, ...]
    line: str
    area: str
    before: str
    named: Point | None
    last: Point | None
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class BarPlot:
    """Bars from zero. ``heads`` and ``rows`` are the same numbers as a table."""

    width: int
    height: int
    axis_y: float
    tick_y: float
    grid: tuple[GridLine, ...]
    ticks: tuple[Tick, ...]
    bars: tuple[Bar, ...]
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def nice_steps(highest: float, lines: int = 3, *, whole: bool = False) -> tuple[float, ...]:
    """Choose at most ``lines`` grid values that cover ``highest``: 1, 2, 2.5 or 5 times a power of ten.

    ``whole``: what is counted has no halves, and neither has the grid.
    """
    if not math.isfinite(highest) or highest < 1e-6:
        return (1.0,)
    rough = highest / lines
    power = 10.0 ** math.floor(math.log10(rough))
    choices = [m * power for m in (1, 2, 2.5, 5, 10, 20) if m * power * lines >= highest * (1 - 1e-9)]
    step = next(each for each in choices if not whole or each.is_integer())
    count = max(1, math.ceil(highest / step - 1e-9))
    return tuple(float(f"{step * n:.10g}") for n in range(1, count + 1))


def line(
    values: Sequence[float],
    labels: Sequence[str],
    *,
    before: Sequence[float] = (),
    show: Show = plain,
    name: tuple[int, str] | None = None,
    heads: Sequence[str] = ("", ""),
    last_label: str | None = None,
) -> LinePlot:
    """Draw ``values`` as a line, one point a label.

    ``before`` is the period to compare with, point by point; ``show`` writes a value as words; ``name`` is
    the index of one point and what to say of it; ``last_label`` replaces the last label ("today"). Negative
    values are drawn on the axis. Raises ValueError when labels and values differ in number.
    """
    _check(values, labels)
    steps = _steps([*values, *before])
    points = _points(values, steps[-1])
    path = _path(points)
    return LinePlot(
        width=WIDTH,
        height=HEIGHT,
        axis_y=AXIS,
        tick_y=TICK_Y,
        grid=_grid(steps, show),
        ticks=_ticks([x for x, _ in points], labels, last_label),
        line=path,
        area=f"M{_n(points[0][0])} {_n(AXIS)}L{path[1:]}V{_n(AXIS)}Z" if points else "",
        before=_path(_points(before[: len(values)], steps[-1], len(values))),
        named=_named(points, name),
        last=Point(*points[-1]) if points else None,
        heads=tuple(heads),
        rows=_rows(labels, values, before, show),
    )


def bars(
    values: Sequence[float],
    labels: Sequence[str],
    *,
    show: Show = plain,
    heads: Sequence[str] = ("", ""),
    last_is_now: bool = False,
    last_label: str | None = None,
) -> BarPlot:
    """Draw ``values`` as bars from zero; ``last_is_now`` marks the last, whose period still runs."""
    _check(values, labels)
    steps = _steps(values)
    slot = (WIDTH - LEFT - RIGHT) / max(1, len(values))
    width = round(min(slot * 0.66, 48.0), 1)
    drawn = []
    for index, value in enumerate(values):
        y = _y(value, steps[-1])
        x = round(LEFT + index * slot, 1)
        drawn.append(Bar(x, y, width, round(AXIS - y, 1), last_is_now and index == len(values) - 1))
    return BarPlot(
        width=WIDTH,
        height=HEIGHT,
        axis_y=AXIS,
        tick_y=TICK_Y,
        grid=_grid(steps, show),
        ticks=_ticks([bar.x for bar in drawn], labels, last_label, start=True, strong=last_is_now),
        bars=tuple(drawn),
        heads=tuple(heads),
        rows=_rows(labels, values, (), show),
    )


def spark(values: Sequence[float], width: float = 96.0, height: float = 24.0) -> str:
    """Draw ``values`` as a path from edge to edge, lowest near the bottom; a flat series in the middle."""
    if not values:
        return ""
    low, high = min(values), max(values)
    reach = (high - low) or 1.0
    step = width / max(1, len(values) - 1)
    inset = 2.0
    flat = high == low
    points = [
        (index * step, height / 2 if flat else inset + (high - value) / reach * (height - 2 * inset))
        for index, value in enumerate(values)
    ]
    if len(points) == 1:
        points.append((width, points[0][1]))
    return _path(points)


def _steps(values: Sequence[float]) -> tuple[float, ...]:
    return nice_steps(max(values, default=0), whole=all(float(value).is_integer() for value in values))


def _check(values: Sequence[float], labels: Sequence[str]) -> None:
    if len(values) != len(labels):
        raise ValueError(f"{len(values)} values need as many labels, not {len(labels)}")


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _y(value: float, top: float) -> float:
    return round(AXIS - max(0.0, min(value, top)) / top * (AXIS - TOP), 1)


def _points(values: Sequence[float], top: float, slots: int | None = None) -> list[tuple[float, float]]:
    count = slots or len(values)
    step = (WIDTH - LEFT - RIGHT) / max(1, count - 1)
    return [(round(LEFT + index * step, 1), _y(value, top)) for index, value in enumerate(values)]


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{_n(x)} {_n(y)}" for x, y in points) if points else ""


def _grid(steps: Sequence[float], show: Show) -> tuple[GridLine, ...]:
    lines = ((_y(step, steps[-1]), show(step)) for step in steps)
    return tuple(GridLine(y, round(y - 6, 1), label) for y, label in lines)


def _ticks(
    xs: Sequence[float],
    labels: Sequence[str],
    last_label: str | None,
    *,
    start: bool = False,
    strong: bool = False,
) -> tuple[Tick, ...]:
    """Pick about five labels, first and last among them, so that they never run into each other."""
    if not xs:
        return ()
    last = len(xs) - 1
    every = max(1, round(last / 4))
    chosen = [index for index in range(0, last, every) if last - index >= every * 0.75] + [last]
    ticks = []
    for index in sorted(set(chosen)):
        anchor = "start" if start or index == 0 else "end" if index == last else "middle"
        label = last_label if last_label and index == last else labels[index]
        ticks.append(Tick(xs[index], label, anchor, strong and index == last))
    return tuple(ticks)


def _named(points: Sequence[tuple[float, float]], name: tuple[int, str] | None) -> Point | None:
    if name is None:
        return None
    x, y = points[name[0]]
    if x < WIDTH / 2:
        return Point(x, y, name[1], x + 8, round(y - 6, 1), "start")
    else:
        return Point(x, y, name[1], x - 8, round(y - 6, 1), "end")


def _rows(
    labels: Sequence[str], values: Sequence[float], before: Sequence[float], show: Show
) -> tuple[tuple[str, ...], ...]:
    rows = []
    for index, (label, value) in enumerate(zip(labels, values, strict=True)):
        past = (show(before[index]) if index < len(before) else "",) if before else ()
        rows.append((label, show(value), *past))
    return tuple(rows)
