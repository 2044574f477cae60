"""What tests of the builder need: a form that is being built, and people who build it."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from app.formbuilder.definition import definitions, versions
from app.formbuilder.models import Definition, Form


def field(number: int, kind: str = "short_text", label: str = "", **more: Any) -> dict[str, Any]:
    """A field as it is stored."""
    return {"id": f"q{number}", "kind": kind, "label": label or f"Question {number}", **more}


def a_definition(*fields: Mapping[str, Any], rules: Sequence[Mapping[str, Any]] = (), **more: Any) -> Definition:
    """A definition with these fields, or with three short texts."""
    told = fields or tuple(field(number) for number in (1, 2, 3))
    return definitions.read({"title": "Ask", "fields": list(told), "rules": list(rules), **more})


async def now(form: Form) -> Definition:
    """What the builder shows of it."""
    return definitions.read((await versions.find(form.public_id)).definition)


def as_body(sent: Mapping[str, Any]) -> dict[str, Any]:
    """What a client posts of these: a list goes as one value after the other."""
    return {
        "data": urlencode(sent, doseq=True),
        "headers": {"Content-Type": "application/x-www-form-urlencoded"},
    }
