"""Whatever a request carries, it is answered, refused or ignored: never a fault. Made from the URL map, so that a new
route is attacked without anybody remembering to.
"""

import inspect
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict
from wtforms import Form, HiddenField, PasswordField, StringField

import app as package
from app import Lectern
from app.core import limits, tokens
from app.gateways.storage import disposition
from app.media import ranges
from app.web.forms import BaseForm
from app.web.request import safe_next
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
    "year 0": "0000-01-01",
    "year 99999": "99999-01-01T00:00",
    "a moment without end": "2026-01-01T00:00:00.000000000000000000001+99:99",
    "minus nothing": "-0",
    "decimal": "1.0000000000000000000001",
    "comma": "1,5",
    "infinite": "-Infinity",
    "hexadecimal": "0x1F",
    "underscored": "1_000",
    "a cursor": "eyJhIjogMX0",
    "a signed thing": "WyJhIl0.Zm9v.c2lnbmF0dXJl",
    "header": "x\r\nX-Injected: yes\r\n\r\n<script>alert(1)</script>",
    "attribute": '" onmouseover="alert(1)" \'',
    "deep": "[" * 1500,
    "template": "{{ 7*7 }}${7*7}<%= 7*7 %>",
    "formula": '=HYPERLINK("//evil.example")',
    "file address": "file:///etc/passwd",
    "inner address": "http://169.254.169.254/latest/meta-data/",
    "climbing, encoded": "..%2f..%2fetc%2fpasswd",
    "emoji joined": "👩‍👩‍👧‍👦" * 50,
    "composed": "e" + "\u0301" * 500,
}
# Bytes that are no text, as they stand in an address or a form.
RAW = ["%ff%fe", "%c0%ae%c0%ae%c0%af", "%ed%a0%80", "%f8%88%80%80%80", "%", "%zz", "%u0041", "+%2B%00", "%e2%80%ae"]
LONGEST = 2.0
SCRIPT = b"<script>alert(1)</script>"
INJECTED = ("x-injected", "x-a")
# All values everywhere take minutes: HOSTILE=long.
SOME = 1 if os.environ.get("HOSTILE") == "long" else 6


def _names_of_parameters() -> list[str]:
    """Every name under which some handler, table or form reads something."""
    names = {"csrf", "unknown"}
    for path in SOURCE.rglob("*.py"):
        if "sandbox" in path.parts or "demo" in path.parts:
            continue
        text = path.read_text("utf-8")
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


def test_spaces_are_no_answer_where_one_is_required(app: Lectern) -> None:
    for kind in _forms(BaseForm):
        for name, field in kind()._fields.items():
            if not field.flags.required or not isinstance(field, StringField):
                continue
            if isinstance(field, (HiddenField, PasswordField)):
                continue
            sent = kind(MultiDict({name: "   "}))._fields[name]
            assert not sent.validate(sent), f"{kind.__name__}.{name} takes spaces"


@pytest.fixture
async def places(app: Lectern, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """One of everything; and no limits, since we ask a lot."""

    async def nothing(*_args: Any) -> None:
        return None

    monkeypatch.setattr(limits, "check", nothing)
    return await everywhere.one_of_everything(app)


async def attack(person: Person, method: str, path: str, **kwargs: Any) -> int:
    begun = time.process_time()  # what it costs us, however busy the machine is
    answer = await person.browser.open(path, method=method, **kwargs)
    what = f"{answer.status_code} {method} {path[:200]} {str(kwargs)[:300]}"
    assert time.process_time() - begun < LONGEST, what
    assert answer.status_code < 500, what
    for name, value in answer.headers:
        assert "\n" not in value and "\r" not in value, name
        assert name.lower() not in INJECTED, what
    if answer.mimetype == "text/html":
        assert SCRIPT not in await answer.get_data(), what
    return int(answer.status_code)


async def test_every_place_of_every_address_takes_anything(app: Lectern, cast: Cast, places: dict[str, str]) -> None:
    olga = await cast.olga()
    values = [what[:2000] for what in HOSTILE.values() if what]
    for method in ("GET", "POST"):
        for number, rule in enumerate(routes(app, method)):
            for place in rule.arguments:
                some = SOME // 3 or 1 if method == "GET" else SOME
                for what in values[number % some :: some]:
                    await attack(olga, method, address(rule.rule, places, **{place: what}))
                marked = address(rule.rule, places, **{place: "PLACE"})
                for raw in RAW[number % SOME :: SOME]:
                    await attack(olga, method, marked.replace("PLACE", raw))


async def test_every_parameter_of_every_page_takes_anything(app: Lectern, cast: Cast, places: dict[str, str]) -> None:
    olga, names = await cast.olga(), _names_of_parameters()
    for rule in routes(app, "GET"):
        path = address(rule.rule, places)
        for turn in range(0, len(HOSTILE), SOME):
            query = mixed(names, turn, longest=300)
            await attack(olga, "GET", f"{path}?{query}&{query}")
        await attack(olga, "GET", f"{path}?{query}", headers={"HX-Request": "true", "HX-Target": "main#page"})


async def test_every_form_takes_anything(app: Lectern, cast: Cast, places: dict[str, str]) -> None:
    olga, names = await cast.olga(), _names_of_parameters()
    form_type = {"Content-Type": "application/x-www-form-urlencoded"}
    for rule in routes(app, "POST"):
        path = address(rule.rule, places)
        for turn in range(0, len(HOSTILE), SOME + 2):
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
    ("multipart/form-data; boundary=x", b"--x\r\n" + b"X-Header: " + b"y" * 300_000 + b"\r\n\r\nfile\r\n--x--"),
    ("multipart/form-data; boundary=x", b"--x\r\n" + b"X-A: y\r\n" * 20_000 + b"\r\nfile\r\n--x--"),
    ("multipart/form-data; boundary=", b"--\r\n\r\n--"),
    ("multipart/mixed; boundary=x", b"--x\r\n\r\n--x--"),
    ("application/x-www-form-urlencoded", b"".join(b"f%d=x&" % n for n in range(50_000))),
    ("application/json", b'{"a":' * 50_000),
    ("application/json", b"NaN"),
    ("text/plain", b"email=ann@example.org\r\n"),
    ("\x00", b"\x00"),
    ("", b"\xff" * 1000),
]


async def test_every_write_takes_any_body(app: Lectern, cast: Cast, places: dict[str, str]) -> None:
    olga = await cast.olga()
    for number, rule in enumerate(routes(app, "POST")):
        for content_type, body in BODIES[number % SOME :: SOME]:
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
    {"X-HTTP-Method-Override": "DELETE", "X-Original-URL": "/admin", "X-Rewrite-URL": "/admin"},
    {"HX-Request": "true", "HX-Request-Type": "x" * 5000, "HX-Current-URL": "javascript:alert(1)", "HX-Target": "#"},
    {"HX-Request": "true", "HX-Target": "<script>alert(1)</script>#<script>alert(1)</script>"},
    {"HX-Request": "true", "HX-Boosted": "\xff", "HX-Trigger": "a\x00b", "HX-History-Restore-Request": "maybe"},
    {"Range": "bytes=9999999999999999999999-"},
    {"Range": "bytes=5-1", "If-Range": '"' + "x" * 5000},
    {"If-None-Match": ", ".join(f'"{n}"' for n in range(3000))},
    {"If-None-Match": "*", "If-Match": "*", "If-Unmodified-Since": "x"},
    {"If-Modified-Since": "Thu, 99 Foo 99999 99:99:99 GMT"},
    {"Referer": "javascript:alert(1)//<script>alert(1)</script>"},
    {"Host": "evil.example", "X-Forwarded-Proto": "javascript"},
    {"Accept": "*/*;q=" + "9" * 5000, "TE": "trailers", "Expect": "nothing"},
    {"Cookie": "a=b; " * 5000},
    {"Cookie": "session=" + "x" * 50 + "; session=" + "y" * 50 + "; cart=" + "[" * 2000},
]


async def test_every_route_takes_any_header(app: Lectern, cast: Cast, places: dict[str, str]) -> None:
    olga = await cast.olga()
    for method in ("GET", "POST"):
        for number, rule in enumerate(routes(app, method)):
            for headers in HEADERS[number % (SOME + 2) :: SOME + 2]:
                await cast.sign_in(olga)
                await attack(olga, method, address(rule.rule, places), headers=headers)


# --- small readers of what people and browsers send ---

any_text = st.text(st.characters(exclude_categories=()), max_size=200)


@given(any_text, st.sampled_from(["", "/", "//", "/\\", "\\", "/\t/", "https:", "/%2f", "/.", "javascript:"]))
def test_what_comes_next_is_always_here(text: str, start: str) -> None:
    found = safe_next(start + text, "/here")
    assert found.startswith("/")
    assert urljoin("https://school.example/x", found.encode("utf-8", "replace").decode()).startswith(
        "https://school.example/"
    )
    assert not re.search(r"[\x00-\x1f\\\\]", found)


@given(any_text)
def test_no_file_name_breaks_out_of_its_header(name: str) -> None:
    header = disposition(name.encode("utf-8", "replace").decode(), inline=False)
    assert re.fullmatch(r"attachment; filename=\"[^\"\\\\\r\n]*\"; filename\*=UTF-8''[\w.~%-]*", header, re.ASCII)


@given(any_text | st.from_regex(r"bytes=[0-9-,]{0,20}", fullmatch=True), st.integers(0, 1000))
def test_a_range_lies_within_its_file(header: str, size: int) -> None:
    try:
        found = ranges.wanted(header, size)
    except ranges.Unsatisfiable:
        return
    assert found is None or 0 <= found[0] <= found[1] < size


@given(
    any_text | st.binary(max_size=100).map(lambda raw: raw.decode("latin-1")),
    st.sampled_from(["media", "flash", "device"]),
)
def test_nothing_that_we_did_not_sign_is_believed(text: str, purpose: str) -> None:
    assert tokens.unsign(text, purpose) is None
    assert tokens.unsign(tokens.sign("x", "other"), purpose) is None
