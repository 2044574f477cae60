"""What the templates of a form draw: each field with what was typed, what is wrong and what is tied to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from markupsafe import Markup

from app.courses import prose
from app.formbuilder.fields.kinds import Kind, kind_of
from app.formbuilder.models import Definition, Field, Posted
from app.formbuilder.settings import Option
from app.formbuilder.submissions import Mistake


@dataclass(frozen=True, slots=True)
class Question:
    """A field as it is drawn."""

    field: Field
    kind: Kind
    posted: Posted
    error: str = ""
    is_required: bool = False

    @property
    def value(self) -> str:
        """What stands in its one control."""
        return self.posted.one(self.field.id)

    def part(self, name: str) -> str:
        """What stands in one of its controls."""
        return self.posted.one(f"{self.field.id}.{name}")

    def has(self, value: str) -> bool:
        """Whether this option is chosen."""
        return value in self.posted.all(self.field.id)

    @property
    def options(self) -> Sequence[Option]:
        return self.kind.options(self.field)

    @property
    def is_optional(self) -> bool:
        return self.kind.can_be_required and not self.is_required

    @property
    def described(self) -> str:
        """The ids of its hint and its error."""
        ids = [f"{self.field.id}-hint"] if self.field.help else []
        return " ".join([*ids, f"{self.field.id}-error"] if self.error else ids)

    @property
    def tied(self) -> dict[str, str | bool]:
        """Attributes of its control that tell readers of hint, error and need."""
        found: dict[str, str | bool] = {"aria-describedby": self.described} if self.described else {}
        if self.error:
            found["aria-invalid"] = "true"
        if self.is_required:
            found["aria-required"] = "true"
        return found

    def prose(self, name: str) -> Markup:
        """A setting of it, from Markdown."""
        return markdown(self.field[name])


@dataclass(frozen=True, slots=True)
class StepView:
    """A page of the form as it is drawn."""

    id: str
    title: str
    questions: tuple[Question, ...]


def steps_of(
    definition: Definition, posted: Posted, mistakes: Mapping[str, Mistake] | None = None
) -> tuple[StepView, ...]:
    """Every page of the form."""
    wrong = mistakes or {}
    return tuple(
        StepView(
            step.id,
            step.title,
            tuple(
                Question(
                    each, kind_of(each), posted, wrong[each.id].sentence if each.id in wrong else "", each.required
                )
                for each in step.fields
            ),
        )
        for step in definition.steps
    )


@lru_cache(maxsize=512)
def markdown(text: str) -> Markup:
    """Markdown of the owner as clean HTML."""
    return Markup(prose.render(text))  # noqa: S704 (nh3 cleaned it)
