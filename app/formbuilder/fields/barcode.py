"""The text of a bar code or QR code: typed, or brought by a scanner, which types. A code to be scanned can stand beside it."""

import io
from functools import lru_cache

import segno
from markupsafe import Markup

from app.core.i18n import _, lazy
from app.formbuilder.fields.kinds import Kind, Wrong
from app.formbuilder.models import Answer, Field, Posted
from app.formbuilder.settings import Choice, Switch, Text

_LENGTHS = {"ean13": (13,), "ean8": (8,), "upc": (12,), "isbn": (13,)}


class Barcode(Kind):
    name = "barcode"
    label = lazy("Bar code or QR code")
    group = "file"
    icon = "captions"
    has_sheet = True
    settings = (
        Choice(
            name="code", label=lazy("What is taken"), default="any",
            choices=(
                ("any", lazy("Any code")), ("ean13", "EAN-13"), ("ean8", "EAN-8"), ("upc", "UPC-A"), ("isbn", "ISBN"),
            ),
        ),
        Text(name="shows", label=lazy("Text or address to show as a QR code"), longest=500),
        Switch(name="unique", label=lazy("No two entries with the same answer")),
    )  # fmt: skip

    def drawing(self, field: Field) -> Markup:
        """The QR code of what is shown; nothing when nothing is."""
        return _drawn(field["shows"])

    def read(self, field: Field, posted: Posted) -> Answer:
        text = posted.one(field.id)
        return (text if field["code"] == "any" else text.replace("-", "").replace(" ", "")) or None

    def check(self, field: Field, answer: Answer) -> None:
        if len(answer) > 1000:
            raise Wrong(_("At most %(n)s characters.", n=1000))
        if field["code"] != "any" and not _is_code(answer, field["code"]):
            raise Wrong(_("This is not a whole code: its last digit does not fit the others."))


def _is_code(text: str, code: str) -> bool:
    """Whether the digits end in their check digit: each second one counts thrice (GS1 General Specifications, 7.9)."""
    if len(text) not in _LENGTHS[code] or not text.isascii() or not text.isdecimal():
        return False
    if code == "isbn" and not text.startswith(("978", "979")):
        return False
    weighted = (int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(reversed(text)))
    return sum(weighted) % 10 == 0


@lru_cache(maxsize=128)
def _drawn(text: str) -> Markup:
    if not text:
        return Markup("")
    drawing = io.BytesIO()
    segno.make(text, error="m", micro=False).save(
        drawing, kind="svg", scale=4, border=2, xmldecl=False, svgns=True, light="#fff", svgclass="qr", lineclass=None
    )
    return Markup(drawing.getvalue().decode())  # noqa: S704 (modules of a code, never its text)


KIND = Barcode()
