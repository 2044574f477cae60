"""Definitions as files: written for people to keep, read back with every doubt told."""

import json
import math
import re
from dataclasses import replace
from typing import Any

from app.core.i18n import _
from app.formbuilder import definitions
from app.formbuilder.definitions import Malformed
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
    names = [str(rule.get("id", "")) for rule in definition.rules]
    if len(set(names)) == len(names) and all(_NAME.fullmatch(name) for name in names):
        return definition
    rules = tuple({**rule, "id": f"r{number}"} for number, rule in enumerate(definition.rules, start=1))
    return replace(definition, rules=rules)


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
        elif isinstance(part, float) and not math.isfinite(part):
            return False
        elif isinstance(part, dict):
            waiting.extend((each, depth + 1) for pair in part.items() for each in pair)
        elif isinstance(part, list):
            waiting.extend((each, depth + 1) for each in part)
    return True
