"""A plate for a thing without a picture: a line engraving drawn from its name, always the same for the same name.

Two symbols, `line` and `mark`, in a box of 400 by 500, like the files under `static/art`.
"""

import hashlib
from collections.abc import Callable
from functools import lru_cache
from math import cos, exp, pi, sin
from random import Random

from quart import Blueprint, Quart, Response

from app.core.errors import NotFound
from app.web.guards import public

routes = Blueprint("plates", __name__)
_WIDTH, _HEIGHT = 400, 500


def address(name: str) -> str:
    """Where the plate of this name is drawn."""
    return f"/art/{name}.svg"


@routes.get("/art/<name>.svg")
@public()
async def show_plate(name: str) -> Response:
    """Any name has a plate; it is drawn in a few milliseconds and kept by the browser."""
    if len(name) > 100:
        raise NotFound
    response = Response(draw(name), content_type="image/svg+xml; charset=utf-8")
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return response


def install(app: Quart) -> None:
    """Put the route into the application."""
    app.register_blueprint(routes)


@lru_cache(maxsize=64)
def draw(name: str) -> str:
    """The SVG of a name."""
    rng = Random(hashlib.sha256(name.encode("utf-8", "replace")).digest())  # noqa: S311 (a picture, not a secret)
    line, mark = rng.choice(_FAMILIES)(rng)
    shared = 'viewBox="0 0 400 500" preserveAspectRatio="xMidYMid slice" fill="none" stroke="currentColor"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg"><symbol id="line" {shared}>{line}</symbol>'
        f'<symbol id="mark" {shared}>{mark}</symbol></svg>'
    )


def _path(points: list[tuple[float, float]], width: float = 1) -> str:
    steps = "L".join(f"{round(x, 1):g} {round(y, 1):g}" for x, y in points)
    return f'<path d="M{steps}" stroke-width="{width:g}"/>'


def _waves(rng: Random) -> tuple[str, str]:
    """Level lines over a hill that wanders; one of them is meant."""
    peak, slope, turns = rng.uniform(90, 310), rng.uniform(40, 90), rng.uniform(1.5, 4)
    height, phase, count = rng.uniform(40, 90), rng.uniform(0, 2 * pi), 44

    def level(number: int) -> list[tuple[float, float]]:
        base = 30 + number * 440 / (count - 1)
        middle = peak + 70 * sin(number / count * turns + phase)
        return [
            (x, base - height * exp(-((x - middle) ** 2) / (2 * slope**2)) * sin(number / count * pi))
            for x in range(0, _WIDTH + 1, 8)
        ]

    meant = rng.randrange(12, 32)
    at = max(level(meant), key=lambda point: -point[1])
    dot = f'<circle cx="{at[0]:g}" cy="{at[1]:.1f}" r="6" fill="currentColor" stroke="none"/>'
    return "".join(_path(level(n)) for n in range(count) if n != meant), _path(level(meant), 2.6) + dot


def _rings(rng: Random) -> tuple[str, str]:
    """Two families of circles, and the chord on which they meet."""
    angle, gap, step = rng.uniform(0, pi), rng.uniform(50, 110), rng.uniform(7, 11)
    centres = [(200 + side * gap * cos(angle) / 2, 250 + side * gap * sin(angle) / 2) for side in (-1, 1)]
    rings = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius * step:.1f}"/>' for x, y in centres for radius in range(2, 22)
    )
    reach = 300
    across = [
        (200 - reach * sin(angle), 250 + reach * cos(angle)),
        (200 + reach * sin(angle), 250 - reach * cos(angle)),
    ]
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="currentColor" stroke="none"/>' for x, y in centres)
    return f'<g stroke-width=".9">{rings}</g>', _path(across, 1.6) + dots


def _steps(rng: Random) -> tuple[str, str]:
    """A walk of short strokes between two levels that hold."""
    y, strokes, tops = rng.uniform(200, 300), [], []
    for number in range(47):
        length = rng.uniform(8, 34)
        y = min(420.0, max(80.0, y + rng.gauss(0, 16)))
        strokes.append(f"M{16 + number * 8} {y - length / 2:.1f}v{length:.1f}")
        tops.append((y - length / 2, y + length / 2))
    upper, lower = min(top for top, _bottom in tops), max(bottom for _top, bottom in tops)
    levels = f'<path d="M0 {upper - 6:.1f}H400M0 {lower + 6:.1f}H400" stroke-width="1.4"/>'
    last = f'<path d="{strokes[-6]}{strokes[-5]}{strokes[-4]}" stroke-width="4"/>'
    return f'<path d="{"".join(strokes)}" stroke-width="2"/>', levels + last


_FAMILIES: tuple[Callable[[Random], tuple[str, str]], ...] = (_waves, _rings, _steps)
