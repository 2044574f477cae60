"""Whatever a request carries, it is answered, refused or ignored: never a fault. Made from the URL map, so that a new
route is attacked without anybody remembering to.
"""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from wtforms import Form

import app as package
from app import Lectern
from app.core import limits
from app.web.forms import BaseForm
from tests import everywhere
from tests.cast import Cast, Person
from tests.everywhere import address, quoted, routes

SOURCE = Path(inspect.getfile(package)).parent

# What is put into every place of an address, every parameter and every field.
HOSTILE = {
    "nothing": "",
    "NUL": "a\x00b",
    "lone surrogate": "\ud800",
    "control characters": "a\r\nSet-Cookie: a=b\x1b[31m",
    "negative": "-1",
    "beyond 64 bits": "99999999999999999999999999",
    "beyond int()": "9" * 5000,
    "not a number": "NaN",
    "digits of another script": "٣٤",
    "superscript": "²",
    "exponent": "1e400",
    "quotes": "'\"; DROP TABLE users; --",
    "wild": "%_\\",
    "percent": "%(name)s %s {0}",
    "markup": "<script>alert(1)</script>",
    "climbing": "../../etc/passwd",
    "other host": "//evil.example/\\",
    "right to left": "\u202eabc\ufeff",
    "a list": "[1,2]",
    "a day that is none": "2026-02-30",
    "far day": "9999-12-31",
    "long": "x" * 20_000,
}


def _names_of_parameters() -> list[str]:
    """Every name under which some handler, table or form reads something."""
    names = {"csrf", "unknown"}
    for path in SOURCE.rglob("*.py"):
        if "sandbox" in path.parts or "demo" in path.parts:
            continue
        text = path.read_text()
        names |= set(re.findall(r'(?:args|form\)?|posted|values)\.get(?:list)?\(\s*"([\w-]+)"', text))
        names |= set(re.findall(r'\b(?:Search|Select|Toggle)\(\s*"(\w+)"', text))
        for name in re.findall(r'\bDates\(\s*"(\w+)"', text):
            names |= {f"{name}_from", f"{name}_to"}
    for form in _forms(BaseForm):
        names |= set(form()._fields)
    return sorted(names)


def _forms(parent: type[Form]) -> Iterator[type[Form]]:
    for child in parent.__subclasses__():
        if child.__module__.startswith("app."):
            yield child
            yield from _forms(child)


def mixed(names: list[str], turn: int, longest: int = 20_000) -> str:
    """Every name with a hostile value; each turn moves the values on to other names."""
    values = list(HOSTILE.values())
    pairs = [(name, values[(number + turn) % len(values)]) for number, name in enumerate(names)]
    return "&".join(f"{name}={quoted(value[:longest])}" for name, value in pairs)


@pytest.fixture
async def places(app: Lectern, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """One of everything; and no limits, since we ask a lot."""

    async def nothing(*_args: Any) -> None:
        return None

    monkeypatch.setattr(limits, "check", nothing)
    return await everywhere.one_of_everything(app)


async def attack(person: Person, method: str, path: str, **kwargs: Any) -> int:
    answer = await person.browser.open(path, method=method, **kwargs)
    assert answer.status_code < 500, f"{answer.status_code} {method} {path[:200]} {str(kwargs)[:300]}"
    for name, value in answer.headers:
        assert "\n" not in value and "\r" not in value, name
    return int(answer.status_code)


async def test_every_place_of_every_address_takes_anything(app: Lectern, cast: Cast, places: dict[str, str]) -> None:
    olga = await cast.olga()
    values = [what[:2000] for what in HOSTILE.values() if what]
    for method in ("GET", "POST"):
        for number, rule in enumerate(routes(app, method)):
            for place in rule.arguments:
                for what in values if method == "GET" else values[number % 3 :: 3]:
                    await attack(olga, method, address(rule.rule, places, **{place: what}))


async def test_every_parameter_of_every_page_takes_anything(app: Lectern, cast: Cast, places: dict[str, str]) -> None:
    olga, names = await cast.olga(), _names_of_parameters()
    for rule in routes(app, "GET"):
        path = address(rule.rule, places)
        for turn in range(0, len(HOSTILE), 3):
            query = mixed(names, turn, longest=300)
            await attack(olga, "GET", f"{path}?{query}&{query}")
        await attack(olga, "GET", f"{path}?{query}", headers={"HX-Request": "true", "HX-Target": "main#page"})


async def test_every_form_takes_anything(app: Lectern, cast: Cast, places: dict[str, str]) -> None:
    olga, names = await cast.olga(), _names_of_parameters()
    form_type = {"Content-Type": "application/x-www-form-urlencoded"}
    for rule in routes(app, "POST"):
        path = address(rule.rule, places)
        for turn in range(0, len(HOSTILE), 4):
            await cast.sign_in(olga)
            await attack(olga, "POST", path, data=mixed(names, turn).encode(), headers=form_type)


BODIES = [
    ("application/x-www-form-urlencoded", b"email=%ff%fe&password=\xff\xfe&%00=%00"),
    ("application/x-www-form-urlencoded; charset=utf-99", b"a=b"),
    ("application/x-www-form-urlencoded", b"a=" * 200_000),
    ("application/x-www-form-urlencoded", b"&" * 500_000),
    ("application/x-www-form-urlencoded", b"email=" + b"x" * 1_000_000),
    ("application/json", b"[" * 200_000),
    ("application/json", b'{"email": {"a": [1]}}'),
    ("multipart/form-data", b"no boundary"),
    ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data\r\n\r\n\r\n--x--"),
    ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="email"\r\n\r\nnever ends'),
    (
        "multipart/form-data; boundary=x",
        b'--x\r\nContent-Disposition: form-data; name="email"; filename="a\x00b"\r\n\r\nfile\r\n'
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="../../a.png"\r\n\r\nfile\r\n--x--\r\n',
    ),
    (
        "multipart/form-data; boundary=x",
        b"".join(b'--x\r\nContent-Disposition: form-data; name="%d"\r\n\r\n\r\n' % n for n in range(3000)) + b"--x--",
    ),
    ("multipart/form-data; boundary=" + "y" * 300, b"--x"),
    ("\x00", b"\x00"),
    ("", b"\xff" * 1000),
]


async def test_every_write_takes_any_body(app: Lectern, cast: Cast, places: dict[str, str]) -> None:
    olga = await cast.olga()
    for number, rule in enumerate(routes(app, "POST")):
        for content_type, body in BODIES[number % 3 :: 3]:
            await cast.sign_in(olga)
            await attack(olga, "POST", address(rule.rule, places), data=body, headers={"Content-Type": content_type})


HEADERS = [
    {"Cookie": "session=\xff\xfe; cart=\x80; flash=\x81"},
    {"Cookie": "session=" + "x" * 90 + "; cart=" + "y" * 90 + "; flash=" + "z" * 5000},
    {"Cookie": '=;;;=; session; cart="\\303\\050"; flash="a'},
    {"HX-Request": "true", "HX-Target": "x#" + "y" * 5000},
    {"HX-Request": "true", "HX-Target": "main#__class__"},
    {"HX-Request": "true", "HX-Target": "#{{ 7 }}"},
    {"Range": "bytes=-", "If-Range": "x", "If-None-Match": "\xff", "If-Modified-Since": "never"},
    {"Range": "bytes=" + "1-2," * 3000},
    {"Accept-Encoding": "br;q=x, gzip;q=nan, \xff", "Accept-Language": "x" * 5000},
    {"X-Forwarded-For": "," * 3000, "X-Forwarded-Host": "evil.example", "Forwarded": "for=\xff"},
    {"User-Agent": "\xff\xfe" * 300, "Referer": "\x80//evil"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "\xff"},
    {"Stripe-Signature": "t=\xb2,v1=\xff"},
    {"Stripe-Signature": "t=99999999999999999999,v1=x,t,=,v1"},
    {"Content-Length": "-1"},
]


async def test_every_route_takes_any_header(app: Lectern, cast: Cast, places: dict[str, str]) -> None:
    olga = await cast.olga()
    for method in ("GET", "POST"):
        for number, rule in enumerate(routes(app, method)):
            for headers in HEADERS[number % 4 :: 4]:
                await cast.sign_in(olga)
                await attack(olga, method, address(rule.rule, places), headers=headers)
