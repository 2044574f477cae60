"""Collect every text for people into app/translations/lectern.pot: catalogue.py [--check].

With --check nothing is written: it fails when the file does not hold exactly the texts of the code.
"""

from __future__ import annotations

import sys
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "app" / "translations" / "lectern.pot"
SOURCES = (
    ("app", [("sandbox/**", "ignore"), ("**.py", "python")]),
    ("templates", [("**.html", "jinja2"), ("**.txt", "jinja2"), ("**.xml", "jinja2")]),
)
KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2), "N_": None, "lazy": None, "_l": None}


def main() -> int:
    found = collect()
    if "--check" not in sys.argv[1:]:
        FILE.parent.mkdir(parents=True, exist_ok=True)
        FILE.write_bytes(as_text(found))
        print(f"{len(found)} texts in {FILE.relative_to(ROOT)}")
        return 0
    kept = set(identities(read_po(BytesIO(FILE.read_bytes())))) if FILE.exists() else set()
    differing = kept ^ set(identities(found))
    for text in sorted(map(str, differing))[:10]:
        print(f"  {text}")
    if differing:
        print(f"{len(differing)} texts differ: run bin/catalogue.py in the environment of bin/test.")
    return 1 if differing else 0


def collect() -> Catalog:
    catalogue = Catalog(project="Lectern", charset="utf-8", fuzzy=False)
    for folder, methods in SOURCES:
        options = {"**": {"trimmed": "true", "silent": "false", "newstyle_gettext": "true"}}
        options["**"]["extensions"] = "jinja2.ext.do"
        for _file, _line, text, comments, context in extract_from_dir(
            ROOT / folder, methods, options, keywords=KEYWORDS, comment_tags=("For translators:",)
        ):
            catalogue.add(text, None, auto_comments=comments, context=context)
    return catalogue


def identities(catalogue: Catalog) -> list[object]:
    return [(message.context, message.id) for message in catalogue if message.id]


def as_text(catalogue: Catalog) -> bytes:
    """Without places and dates, so that the file changes only when a text does."""
    out = BytesIO()
    write_po(out, catalogue, width=0, omit_header=True, sort_output=True, no_location=True)
    header = b'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n\n'
    return header + out.getvalue()


if __name__ == "__main__":
    sys.exit(main())
