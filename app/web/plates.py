"""Plates: line engravings for courses that have no picture, drawn from the letters of a slug.

The same slug always gives the same plate. A plate has two symbols, ``line`` and ``mark``, like the files in
``static/art``; the sheet ``plate.css`` colours them. Coordinates are in a box of 400 by 500.
"""

import math
from collections.abc import Callable, Iterable
from random import Random

from quart import Blueprint, Quart, Response

from app.web.guards import public
from app.web.page_cache import cached

routes = Blueprint("plates", __name__)

WIDTH, HEIGHT = 400, 500
Layers = tuple[str, str]


@routes.get("/plates/<slug>.svg")
@public()
@cached(invented=True)
async def show_plate(slug: str) -> Response:
    """The plate of a slug. It never changes, so it may be kept for ever."""
    response = Response(draw(slug[:100]), content_type="image/svg+xml")
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return response


def install(app: Quart) -> None:
    """Put the route into the application."""
    app.register_blueprint(routes)


def draw(slug: str) -> str:
    """The SVG document of a plate, 2 to 12 KB. Any text is a slug; an empty one is too."""
    chance = Random(f"plate {slug}")  # noqa: S311 - a drawing, not a secret
    line, mark = chance.choice(FAMILIES)(chance)
    return (
        '<svg xmlns="http://www.w3.org/2000/svg">'
        f"{_symbol('line', line)}{_symbol('mark', mark)}"
        f'<use href="#line" color="#4a514c"/><use href="#mark" color="#1f5a3c"/></svg>'
    )


def bars(chance: Random) -> Layers:
    """Days of a market as strokes from low to high, with a quiet stretch marked."""
    count, level = 48, 250.0
    days = []
    drift = chance.uniform(-1.2, 1.2)
    for day in range(count):
        level = min(400.0, max(100.0, level + chance.gauss(drift, 13)))
        reach = abs(chance.gauss(16, 9)) + 4
        days.append((24 + day * 7.5, level - reach, level + reach))
    start = chance.randrange(8, count - 18)
    marked = range(start, start + chance.randrange(6, 12))
    middle = sum(top + bottom for _, top, bottom in days) / (2 * count)
    days = [(x, top + 250 - middle, bottom + 250 - middle) for x, top, bottom in days]
    line = "".join(_stroke(*day) for number, day in enumerate(days) if number not in marked)
    mark = "".join(_stroke(*days[number]) for number in marked)
    floor = max(days[number][2] for number in marked) + 14
    left, right = days[marked[0]][0] - 4, days[marked[-1]][0] + 4
    bracket = f"M{left:.1f} {floor - 8:.1f}V{floor:.1f}H{right:.1f}V{floor - 8:.1f}"
    return _path(line, 2.2), _path(mark, 3.4) + _path(bracket, 1.6)


def fan(chance: Random) -> Layers:
    """Many ways that could have been taken from one point, and the one that was."""
    origin = (36.0, chance.uniform(210, 330))
    ways = [_way(chance, origin, chance.uniform(-3.4, 3.4)) for _ in range(34)]
    taken = ways.pop(chance.randrange(len(ways)))
    return _path("".join(ways), 0.8), _path(taken, 2.6)


def rings(chance: Random) -> Layers:
    """Heights of a hill seen from above, one contour marked."""
    centre = (chance.uniform(150, 250), chance.uniform(180, 320))
    lean, wobble, lobes = chance.uniform(0.62, 0.95), chance.uniform(0.03, 0.1), chance.randrange(2, 5)
    turn = chance.uniform(0, math.tau)
    contours = [_contour(centre, 12 + step * 17.0, lean, wobble * (1 + step / 9), lobes, turn) for step in range(22)]
    marked = chance.randrange(4, 10)
    line = "".join(contour for number, contour in enumerate(contours) if number != marked)
    return _path(line, 1.1), _path(contours[marked], 2.8)


def waves(chance: Random) -> Layers:
    """A field of lines that give way to something passing below."""
    centre, width, height = chance.uniform(140, 260), chance.uniform(36, 70), chance.uniform(34, 78)
    lines = []
    for number in range(26):
        base = 70 + number * 15.5
        depth = height * math.exp(-(((number - 13) / 7.5) ** 2))
        sway = chance.uniform(-14, 14)
        points = (
            (x, base - depth * math.exp(-(((x - centre - sway) / width) ** 2))) for x in range(30, WIDTH - 25, 10)
        )
        lines.append(_through(points))
    marked = chance.randrange(10, 17)
    line = "".join(each for number, each in enumerate(lines) if number != marked)
    return _path(line, 1.2), _path(lines[marked], 2.8)


def meridians(chance: Random) -> Layers:
    """A globe of lines, one meridian marked from pole to pole."""
    radius, count = chance.uniform(140, 162), chance.randrange(7, 11)
    arcs = [radius * math.sin(math.pi / 2 * step / count) for step in range(1, count + 1)]
    marked = chance.randrange(1, count - 2)
    top, bottom = 250 - radius, 250 + radius
    line = f"M200 {top:.1f}V{bottom:.1f}" + "".join(
        f"M200 {top:.1f}A{arc:.1f} {radius:.1f} 0 0 {side} 200 {bottom:.1f}" for arc in arcs for side in (0, 1)
    )
    for step in range(-count + 1, count):
        y = radius * math.sin(math.pi / 2 * step / count)
        half = math.sqrt(radius**2 - y**2)
        line += f"M{200 - half:.1f} {250 + y:.1f}H{200 + half:.1f}"
    side = chance.randrange(2)
    mark = f"M200 {top:.1f}A{arcs[marked]:.1f} {radius:.1f} 0 0 {side} 200 {bottom:.1f}"
    poles = "".join(f'<circle cx="200" cy="{y:.1f}" r="5" fill="currentColor" stroke="none"/>' for y in (top, bottom))
    return _path(line, 0.9), _path(mark, 2.6) + poles


FAMILIES: tuple[Callable[[Random], Layers], ...] = (bars, fan, rings, waves, meridians)


def _symbol(name: str, inside: str) -> str:
    return (
        f'<symbol id="{name}" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="xMidYMid slice" '
        f'fill="none" stroke="currentColor">{inside}</symbol>'
    )


def _path(d: str, width: float) -> str:
    return f'<path d="{d}" stroke-width="{width}"/>'


def _stroke(x: float, top: float, bottom: float) -> str:
    return f"M{x:.1f} {top:.1f}V{bottom:.1f}"


def _way(chance: Random, origin: tuple[float, float], drift: float) -> str:
    x, y = origin
    steps = []
    for _ in range(28):
        x += 12
        y = min(470.0, max(30.0, y + chance.gauss(drift, 7)))
        steps.append((x, y))
    return _through([origin, *steps])


def _contour(centre: tuple[float, float], radius: float, lean: float, wobble: float, lobes: int, turn: float) -> str:
    points = []
    for step in range(48):
        angle = math.tau * step / 48
        reach = radius * (1 + wobble * math.sin(lobes * angle + turn))
        points.append((centre[0] + reach * lean * math.cos(angle), centre[1] + reach * math.sin(angle)))
    return _through(points) + "Z"


def _through(points: Iterable[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
