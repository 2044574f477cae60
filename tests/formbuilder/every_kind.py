"""A form with a field of every kind, what a visitor fills in for each, and what the office reads of it."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

# Of a file control: what is chosen in it.
TEXT_FILE = ("cv.txt", b"I have taught for nine years.\n", "text/plain")
PICTURE_FILE = (
    "me.png",
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\0\0\0\rIDATx\xdac\xfc\xff\x9f"
    b"\xa1\x1e\0\x07\x82\x02\x7f=\xc8H\xef\0\0\0\0IEND\xaeB`\x82",
    "image/png",
)
OPTIONS = [{"value": "tea", "label": "Green tea", "points": 2}, {"value": "milk", "label": "Oat milk", "points": 5}]


@dataclass(frozen=True)
class Filled:
    """Settings of the field, what is typed or chosen by part ("" is the field itself), what the office reads of it."""

    typed: dict[str, Any]
    read: str
    settings: dict[str, Any] = field(default_factory=dict)


FILLED: dict[str, Filled] = {
    "short_text": Filled({"": "Ann Hart"}, "Ann Hart"),
    "long_text": Filled({"": "One line\nand another"}, "and another"),
    "rich_text": Filled({"": "A **bold** word"}, "A **bold** word"),
    "email": Filled({"": "ann@example.org"}, "ann@example.org"),
    "confirm_email": Filled({"": "bea@example.org", "again": "bea@example.org"}, "bea@example.org"),
    "phone": Filled({"": "+49 30 1234567"}, "+49 30 1234567"),
    "url": Filled({"": "example.org/about"}, "example.org/about"),
    "number": Filled({"": "12.5"}, "12.5", {"unit": "km"}),
    "currency": Filled({"": "1249.50"}, "1,249.50"),
    "password": Filled({"": "sesame"}, "Known", {"word": "sesame"}),
    "masked": Filled({"": "ab-1234"}, "ab-1234", {"mask": "aa-9999"}),
    "hidden": Filled({}, "spring letter", {"value": "spring letter"}),
    "colour": Filled({"": "#aabbcc"}, "#aabbcc"),
    "slider": Filled({"": "7"}, "7 hours", {"low": 0, "high": 10, "unit": "hours"}),
    "toggle": Filled({"": "yes"}, "Keep me posted", {"on": "Keep me posted", "off": "Leave me alone"}),
    "dropdown": Filled({"": "milk"}, "Oat milk", {"options": OPTIONS}),
    "multi_select": Filled({"": ["tea", "milk"]}, "Green tea, Oat milk", {"options": OPTIONS}),
    "radio": Filled({"": "milk"}, "Oat milk", {"options": OPTIONS}),
    "checkbox": Filled({"": ["milk"]}, "Oat milk", {"options": OPTIONS}),
    "yes_no": Filled({"": "yes"}, "Yes"),
    "other_choice": Filled({"": "__other__", "other": "By the river"}, "By the river"),
    "picture_choice": Filled({"": "tea"}, "Green tea", {"options": OPTIONS}),
    "chained_select": Filled({"l1": "Languages", "l2": "Italian"}, "Languages › Italian"),
    "button_group": Filled({"": "tea"}, "Green tea", {"options": OPTIONS}),
    "country": Filled({"": "AT"}, "Austria"),
    "ranking": Filled({"first": "2", "second": "1"}, "1. Second, 2. First"),
    "stars": Filled({"": "4"}, "4 of 5"),
    "nps": Filled({"": "9"}, "9 of 10"),
    "csat": Filled({"": "4"}, "4 of 5"),
    "ces": Filled({"": "6"}, "6 of 7"),
    "opinion_scale": Filled({"": "3"}, "3 of 5", {"low": 1, "high": 5, "low_words": "Never", "high_words": "Always"}),
    "likert": Filled({"contents": "5", "pace": "2"}, "Contents: "),
    "checkable_grid": Filled({"contents": ["1", "3"]}, "Contents: Poor, Good"),
    "date": Filled({"": "2026-02-28"}, "28 Feb 2026"),
    "time": Filled({"": "09:30"}, "09:30"),
    "date_time": Filled({"": "2026-12-31T14:30"}, "31 Dec 2026, 14:30"),
    "date_range": Filled({"from": "2026-03-01", "to": "2026-03-07"}, "1 Mar 2026 – 7 Mar 2026"),
    "name": Filled({"first": "Ann", "last": "Hart"}, "Ann Hart"),
    "address": Filled({"line1": "High Street 1", "city": "Bath", "country": "GB"}, "High Street 1"),
    "contact_info": Filled({"first": "Bo", "email": "bo@example.org"}, "bo@example.org"),
    "repeater": Filled({"name": ["Ann", "Bo"], "age": ["30", "31"]}, "Name: Bo, Age: 31"),
    "input_table": Filled({"monday_name": "Ann", "tuesday_age": "4"}, "Ann"),
    "file": Filled({"": TEXT_FILE}, "cv.txt"),
    "image": Filled({"": PICTURE_FILE}, "me.png"),
    "signature": Filled({"typed": "Ann Hart"}, "Signed as Ann Hart"),
    "barcode": Filled({"": "4006381333931"}, "4006381333931", {"code": "ean13", "shows": "https://example.org"}),
    "consent": Filled({"": "yes"}, "", {"text": "I agree to be **written to**."}),
    "terms": Filled({"": "yes"}, "", {"text": "Be kind to each other."}),
    "product": Filled({"": "seat", "quantity": "2"}, "2 × A seat", {"options": [{"value": "seat", "label": "A seat", "price": 1500}], "most": 5}),
    "quantity": Filled({"": "3"}, "3", {"of": "k_product"}),
    "custom_amount": Filled({"": "12.50"}, "12.50", {"suggested": ["10", "25"]}),
    "subscription": Filled({"": "plan"}, "A plan", {"options": [{"value": "plan", "label": "A plan", "price": 900}]}),
    "coupon": Filled({"": "spring-26"}, "SPRING-26"),
    "payment_method": Filled({"": "invoice"}, "nvoice", {"methods": ["card", "invoice"]}),
}  # fmt: skip
# What stands on the page only, or is computed: its settings, what the office reads of it.
SILENT: dict[str, tuple[dict[str, Any], str]] = {
    "section": ({}, ""),
    "statement": ({"text": "Words **between** fields."}, ""),
    "html": ({"html": "<p>Words in <em>HTML</em>.</p>"}, ""),
    "divider": ({}, ""),
    "calculation": ({"expression": "{k_number} * 2", "unit": "km"}, "25 km"),
    # 5 points each of dropdown and radio and checkbox, 7 of both of the list, 2 each of picture and button.
    "quiz_score": ({}, "26"),
    "total": ({"lines": True}, "111.50"),
    "save_resume": ({}, ""),
    "captcha": ({}, ""),
    "accordion": ({}, ""),
    "thank_you": ({"text": "We write to you **soon**."}, ""),
}
IN_FOLD = "k_folded"
# Where the steps of the form begin, by the kind that comes first in them; files stand in the first step.
STEPS = ("toggle", "stars", "product")
FIRST = ("file", "image", "signature")


def fields(presentation: str) -> list[dict[str, Any]]:
    """A field of every kind, each called `k_` and its kind; `presentation` is classic, steps or one."""
    order = [*FIRST, *(kind for kind in FILLED if kind not in FIRST), *SILENT]
    order.remove("thank_you")
    found: list[dict[str, Any]] = []
    for kind in order:
        if presentation != "classic" and kind in STEPS:
            found.append({"id": f"p_{kind}", "kind": "page_break", "label": f"From {kind} on"})
        settings = FILLED[kind].settings if kind in FILLED else SILENT[kind][0]
        found.append({"id": f"k_{kind}", "kind": kind, "label": label(kind), "settings": settings})
    found.append({"id": IN_FOLD, "kind": "short_text", "label": "The folded one"})
    found.append({"id": "k_thank_you", "kind": "thank_you", "label": "You are in", "settings": SILENT["thank_you"][0]})
    return found


def definition(presentation: str, **settings: Any) -> dict[str, Any]:
    """The whole form. Nothing in it must be answered."""
    chosen = {"presentation": "one" if presentation == "one" else "classic", "numbers": True, **settings}
    # Nothing is charged: a subscription cannot be paid, and the total is told all the same.
    return {"title": "Everything", "fields": fields(presentation), "settings": chosen, "payment": {"on": False}}


def label(kind: str) -> str:
    return f"What about {kind.replace('_', ' ')}?"


def name_of(kind: str, part: str) -> str:
    """The name of a control."""
    return f"k_{kind}.{part}" if part else f"k_{kind}"


class Controls(HTMLParser):
    """What a browser without scripts would send of a page as it stands: names and values of its controls, and its files."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.sent: list[tuple[str, str]] = []
        self.offered: dict[str, set[str]] = {}
        self.files: set[str] = set()
        self.texts: set[str] = set()
        self._select = self._area = ""
        self.feed(page.partition('id="fill"')[2].partition("</form>")[0].join(("<form ", "</form>")))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        name, value, kind = given.get("name", ""), given.get("value", ""), given.get("type", "text")
        if tag == "select":
            self._select = name
            self.offered.setdefault(name, set())
            self.texts.add(name)
        elif tag == "textarea":
            self._area = name
            self.texts.add(name)
        elif tag == "option" and self._select:
            self.offered[self._select].add(value)
            if "selected" in given:
                self.sent.append((self._select, value))
        elif tag == "input" and name:
            if kind == "file":
                self.files.add(name)
            elif kind in ("radio", "checkbox"):
                self.offered.setdefault(name, set()).add(value)
                if "checked" in given:
                    self.sent.append((name, value))
            else:
                self.sent.append((name, value))
                self.texts.add(name)

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._select = ""
        if tag == "textarea":
            self._area = ""

    def handle_data(self, data: str) -> None:
        if self._area and data.strip():
            self.sent.append((self._area, data.strip("\n")))

    def of_kind(self, kind: str) -> bool:
        """Whether a field of this kind has controls on the page."""
        names = [*self.offered, *self.files, *self.texts]
        return any(re.fullmatch(rf"k_{kind}(\..*)?", name) for name in names)
