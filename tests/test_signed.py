"""Everything that we sign and hand out: nobody changes it, keeps it too long, or uses it for another purpose."""

import re
from pathlib import Path

import pytest
from itsdangerous import URLSafeTimedSerializer

from app import Lectern
from app.core import tokens
from tests.test_outgoing import SOURCE

# Purpose → seconds that it is good for; None: what is signed says so itself, or opens nothing.
SIGNED = {
    "device": 400 * 24 * 3600, "flash": 300, "typed": 600, "quote": 1800, "totp-offer": 1800, "discarded job": 24 * 3600,
    "register-form": None, "media": None, "list:people:-joined": None,
}  # fmt: skip


def spoiled(text: str) -> list[str]:
    places = range(0, len(text) - 1, 7)
    swapped = [text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :] for at in places]
    payload, moment, signature = text.rsplit(".", 2)
    parts = [
        f"{payload}.{signature}",
        f"{payload}.{moment}.",
        f".{moment}.{signature}",
        f"{payload}.AAAAAA.{signature}",
    ]
    return [
        *swapped,
        *parts,
        "",
        text[:-1],
        text + "A",
        text * 2,
        text.swapcase(),
        f"{text}\x00",
        f"{text}\x00!\x00!",
        "\ud800",
        "." * 50,
    ]


@pytest.mark.parametrize("purpose", SIGNED)
def test_what_is_signed_is_good_unchanged_for_its_purpose_and_time_alone(app: Lectern, purpose: str) -> None:
    lifetime, value = SIGNED[purpose], [1, "ann@example.org", {"role": "member"}]
    signed = tokens.sign(value, purpose)
    assert tokens.unsign(signed, purpose, lifetime) == value
    assert [bad for bad in spoiled(signed) if tokens.unsign(bad, purpose, lifetime) is not None] == []
    others = [other for other in SIGNED if other != purpose]
    assert all(tokens.unsign(signed, other) is None for other in others)
    assert tokens.unsign(tokens.sign(value, f"{purpose} "), purpose) is None


def test_a_key_of_another_school_signs_nothing_here(app: Lectern) -> None:
    ours = tokens.sign("x", "quote")
    kept = tokens._secret_key
    try:
        tokens.configure("the key of another school, also long enough")
        theirs, sealed = tokens.sign("x", "quote"), tokens.seal(b"x", "totp")
    finally:
        tokens.configure(kept)
    assert (tokens.unsign(ours, "quote"), tokens.unsign(theirs, "quote")) == ("x", None)
    assert tokens.unseal(sealed, "totp") is None


def test_each_thing_that_opens_something_says_how_long_it_is_good() -> None:
    """Those without a time carry it inside (media, register-form) or open nothing (cursors of lists)."""
    without = set()
    for path in Path(SOURCE).rglob("*.py"):
        for call in re.findall(r"tokens\.unsign\(([^\n]*)", path.read_text("utf-8")):
            if call.count(",") < 2 and "max_age" not in call:
                without.add(path.relative_to(SOURCE).as_posix())
    # The link that takes an erasure back is good while its row waits.
    # Where a look tells nothing but whose tries are counted, or the time is read from what was signed.
    assert without <= {
        "media/uploads.py",
        "accounts/forms.py",
        "web/tables/state.py",
        "web/traps.py",
        "accounts/erasures.py",
        "formbuilder/answering/links.py",  # good while its row is there
        "formbuilder/answering/files.py",
    }, without


def test_sealed_secrets_open_unchanged_alone(app: Lectern) -> None:
    sealed = tokens.seal(b"a key of twenty bytes", "totp")
    for at in range(0, len(sealed), 3):
        assert tokens.unseal(sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :], "totp") is None
        assert tokens.unseal(sealed[:at], "totp") is None
    assert tokens.seal(b"x", "totp") != tokens.seal(b"x", "totp")


def test_what_is_signed_is_as_the_library_signs_it(app: Lectern) -> None:
    library = URLSafeTimedSerializer(tokens._secret_key, salt="flash")
    value = {"text": "Grüße", "list": [1, None, True, "x" * 300]}
    assert library.loads(tokens.sign(value, "flash")) == value
    assert tokens.unsign(library.dumps(value), "flash") == value
