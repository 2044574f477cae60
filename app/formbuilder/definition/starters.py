"""What a new form can begin as: definitions that stand in `templates/*.json`, each with a name and a sentence about it."""

import json
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from app.core.errors import NotFound
from app.formbuilder.definition import definitions
from app.formbuilder.models import Definition

FOLDER = Path(__file__).parents[1] / "templates"


@dataclass(frozen=True)
class Starter:
    """A form to begin with. `key` is the name of its file."""

    key: str
    name: str
    about: str
    group: str
    stored: Any

    @cached_property
    def definition(self) -> Definition:
        """The form, read once: to read all of them is most of what the page that shows them takes."""
        return definitions.read(self.stored)


@cache
def every() -> dict[str, Starter]:
    """All of them, by key, in the order of their groups and names."""
    found = []
    for path in FOLDER.glob("*.json"):
        told = json.loads(path.read_text("utf-8"))
        found.append(Starter(path.stem, told["name"], told["about"], told["group"], told["definition"]))
    return {each.key: each for each in sorted(found, key=lambda each: (each.group, each.name))}


def one(key: str) -> Starter:
    """The one of this key. Raises NotFound."""
    if key not in every():
        raise NotFound
    return every()[key]
