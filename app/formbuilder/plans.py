"""From a definition to what its logic is evaluated from (docs/forms.md)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.formbuilder.models import Definition


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is shown and asked for, given the answers so far."""

    visible: set[str]
    required: set[str]
    values: dict[str, Any]
    steps: list[str]


def evaluate(definition: Definition, texts: Mapping[str, Sequence[str]], today: str) -> Outcome:
    """Which fields are shown, which must be answered, and what is calculated."""
    return Outcome(
        {field.id for field in definition.fields},
        {field.id for field in definition.fields if field.required},
        {},
        [step.id for step in definition.steps],
    )
