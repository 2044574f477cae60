"""What a kind of field tells about itself. Each stands in a file of its own, as `KIND`; see docs/forms.md."""

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from functools import cache
from typing import ClassVar

from app.core.i18n import _, lazy
from app.formbuilder.models import Answer, Field, Posted
from app.formbuilder.settings import Option, Setting, Words

GROUPS = (
    ("input", lazy("Text and numbers")),
    ("choice", lazy("Choices")),
    ("rating", lazy("Ratings")),
    ("date", lazy("Dates")),
    ("compound", lazy("People and places")),
    ("file", lazy("Files")),
    ("legal", lazy("Agreements")),
    ("money", lazy("Money")),
    ("layout", lazy("Layout and logic")),
)


class Wrong(ValueError):
    """What was answered cannot be accepted. `part` names the control, when a field has several."""

    def __init__(self, sentence: str, part: str = "") -> None:
        super().__init__(sentence)
        self.part = part


class Kind:
    """A kind of field. What is not said otherwise is that of a field with one text."""

    name: ClassVar[str]
    label: ClassVar[Words]
    group: ClassVar[str]
    icon: ClassVar[str] = "pencil"
    settings: ClassVar[Sequence[Setting]] = ()
    # The class that conditions and expressions see: text | number | choice | choices | date | none.
    value_class: ClassVar[str] = "text"
    # False for what only stands on the page (a section, a statement).
    has_answer: ClassVar[bool] = True
    # True for several controls under one legend.
    is_group: ClassVar[bool] = False
    can_be_required: ClassVar[bool] = True
    # Modules of static/js that its control uses; only a page that has one of these fields loads them.
    scripts: ClassVar[Sequence[str]] = ()
    # Whether its control needs css/form-fields.css, which a page of plain fields does without.
    has_sheet: ClassVar[bool] = False
    # True for what must never lie in a draft nor be shown again.
    is_secret: ClassVar[bool] = False
    # True for what may come with files (app/formbuilder/answering/files.py keeps them).
    takes_files: ClassVar[bool] = False

    def draws_itself(self, field: Field) -> bool:
        """Whether its template is all that is drawn: no label, hint and error around it."""
        return not self.has_answer

    def expression(self, field: Field, fields: Sequence[Field]) -> str:
        """What is computed for a kind of the class `calculation`; `fields` are all of the form, in order."""
        return ""

    def address(self, field: Field, answer: Answer) -> str:
        """The mail address in an answer, if there is one: where its sender may be written to."""
        return ""

    def parts(self, field: Field) -> Sequence[tuple[str, str]]:
        """Controls that conditions can name besides the field itself: (name after the dot, class)."""
        return ()

    def meant(self, field: Field, texts: Mapping[str, Sequence[str]]) -> Mapping[str, list[str]]:
        """What is meant by controls that were left empty, where `read` takes that for something: the logic counts with it."""
        return {}

    def read(self, field: Field, posted: Posted) -> Answer:
        """What was posted, as an answer; None for none. Raises Wrong for what cannot be one."""
        return posted.one(field.id) or None

    def check(self, field: Field, answer: Answer) -> None:
        """Raise Wrong for an answer that its settings do not allow."""

    def sealed(self, field: Field, texts: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
        """What was posted, with what is secret of it put so that it may lie in a draft and be sent again."""
        return {name: list(values) for name, values in texts.items()}

    def missing(self, field: Field) -> str:
        """What is said when a required field is left empty."""
        return _("Please answer this.")

    def text(self, field: Field, answer: Answer) -> str:
        """The answer as people read it, in mails and the inbox."""
        return "" if answer is None else str(answer)

    def columns(self, field: Field) -> Sequence[str]:
        """The headings of its columns in a file."""
        return (field.label or field.id,)

    def cells(self, field: Field, answer: Answer) -> Sequence[str | int | float | None]:
        """What stands in them."""
        return (self.text(field, answer),)

    def options(self, field: Field) -> Sequence[Option]:
        """What can be chosen of it."""
        return ()

    def posted(self, field: Field, answer: Answer) -> dict[str, list[str]]:
        """An answer as a browser would have posted it: to fill in a form, and for the logic of an entry that is edited."""
        return {} if answer is None else {field.id: [str(answer)]}

    @property
    def template(self) -> str:
        return f"formbuilder/fields/{self.name}.html"


@cache
def all_kinds() -> dict[str, Kind]:
    """Every kind, by name."""
    import app.formbuilder.fields as package

    found: dict[str, Kind] = {}
    for module in pkgutil.iter_modules(package.__path__):
        kind = getattr(importlib.import_module(f"{package.__name__}.{module.name}"), "KIND", None)
        if isinstance(kind, Kind):
            found[kind.name] = kind
    return found


def kind_of(field: Field) -> Kind:
    """The kind of a field."""
    return all_kinds()[field.kind]
