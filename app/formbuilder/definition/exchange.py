"""Definitions as files: written for people to keep, read back with every doubt told."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from app.core.i18n import _
from app.formbuilder.definition import definitions
from app.formbuilder.definition.definitions import Malformed
from app.formbuilder.models import Definition

MOST_CHARACTERS = 1_000_000
MAX_DEPTH = 40
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


def written(definition: Definition) -> str:
    """A definition as a file. What it is connected to stays here: those are this school's own accounts."""
    stored = definitions.write_definition(definition)
    del stored["integrations"]
    return json.dumps(stored, ensure_ascii=False, indent=1) + "\n"


def read(text: str) -> Definition:
    """A definition from a file. Raises Malformed with what is wrong and where."""
    if len(text) > MOST_CHARACTERS:
        raise Malformed(_("This file is too large for a form."))
    try:
        stored = json.loads(text.removeprefix("\ufeff"))
    except json.JSONDecodeError as error:
        raise Malformed(_("This is not JSON: line %(line)s, column %(n)s.", line=error.lineno, n=error.colno)) from None
    except (RecursionError, ValueError):
        raise Malformed(_("This is not JSON that a form could be.")) from None
    if not _can_be_kept(stored):
        raise Malformed(_("This contains characters or numbers that cannot be stored."))
    definition = replace(definitions.read(stored), integrations=())
    mails, words = _named(definition.notifications, "n"), _named(definition.confirmations, "c")
    if {row["id"] for row in mails} & {row["id"] for row in words}:  # one address is for both
        mails, words = _numbered(mails, "n"), _numbered(words, "c")
    return replace(definition, rules=_named(definition.rules, "r"), notifications=mails, confirmations=words)


def _named(rows: Sequence[Mapping[str, Any]], letter: str) -> tuple[Mapping[str, Any], ...]:
    """The rows as they are when each has a sound id of its own, else numbered."""
    names = [str(row.get("id", "")) for row in rows]
    is_sound = all(isinstance(row.get("id"), str) for row in rows) and all(_NAME.fullmatch(name) for name in names)
    return tuple(rows) if is_sound and len(set(names)) == len(names) else _numbered(rows, letter)


def _numbered(rows: Sequence[Mapping[str, Any]], letter: str) -> tuple[Mapping[str, Any], ...]:
    return tuple({**row, "id": f"{letter}{number}"} for number, row in enumerate(rows, start=1))


def _can_be_kept(stored: Any) -> bool:
    """Whether the database can keep it: no NUL, no half characters, no endless numbers, not nested without end."""
    waiting = [(stored, 0)]
    while waiting:
        part, depth = waiting.pop()
        if depth > MAX_DEPTH:
            return False
        if isinstance(part, str):
            if "\x00" in part or any("\ud800" <= character <= "\udfff" for character in part):
                return False
        elif (isinstance(part, float) and not math.isfinite(part)) or (isinstance(part, int) and abs(part) >= 2**63):
            return False
        elif isinstance(part, dict):
            waiting.extend((each, depth + 1) for pair in part.items() for each in pair)
        elif isinstance(part, list):
            waiting.extend((each, depth + 1) for each in part)
    return True
