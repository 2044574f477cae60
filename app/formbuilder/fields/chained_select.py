"""Lists that follow from one another: a continent, then its countries, then their towns."""

from collections.abc import Sequence

from app.core.i18n import _, lazy
from app.formbuilder.fields.kinds import Kind, Wrong
from app.formbuilder.models import Answer, Field, Posted
from app.formbuilder.settings import Lines

DEEPEST = 4


class ChainedSelect(Kind):
    name = "chained_select"
    label = lazy("Chained dropdowns")
    group = "choice"
    icon = "split"
    value_class = "none"
    is_group = True
    scripts = ("js/field-chain.js",)
    has_sheet = True
    settings = (
        Lines(
            name="levels", label=lazy("Names of the lists"), hint=lazy("A line each, at most four"), most=DEEPEST,
            default=("Subject", "Course"),
        ),
        Lines(
            name="paths", label=lazy("What can be chosen"), hint=lazy("A line each: Languages > Spanish > Beginners"),
            most=1000, default=("Languages > Spanish", "Languages > Italian", "Music > Piano"),
        ),
    )  # fmt: skip

    def paths(self, field: Field) -> list[tuple[str, ...]]:
        """Every way from the first list down, as deep as there are lists."""
        deep = len(field["levels"])
        return [tuple(part.strip() for part in line.split(">") if part.strip())[:deep] for line in field["paths"]]

    def lists(self, field: Field) -> list[tuple[str, list[tuple[str, list[str]]]]]:
        """Each list: its name, and what is in it by what it follows from."""
        lists = []
        for depth, name in enumerate(field["levels"]):
            under: dict[str, dict[str, None]] = {}
            for path in self.paths(field):
                if len(path) > depth:
                    under.setdefault(" > ".join(path[:depth]), {})[path[depth]] = None
            lists.append((name, [(before, list(found)) for before, found in under.items()]))
        return lists

    def parts(self, field: Field) -> Sequence[tuple[str, str]]:
        return [(f"l{depth}", "choice") for depth in range(1, len(field["levels"]) + 1)]

    def read(self, field: Field, posted: Posted) -> Answer:
        chosen = [posted.one(f"{field.id}.{name}") for name, _kind in self.parts(field)]
        while chosen and not chosen[-1]:
            chosen.pop()
        if not chosen:
            return None
        for depth in range(1, len(chosen) + 1):
            if not any(path[:depth] == tuple(chosen[:depth]) for path in self.paths(field)):
                raise Wrong(_("The choices do not go together. Please choose from the top."), f"l{depth}")
        return chosen

    def check(self, field: Field, answer: Answer) -> None:
        depth = len(answer)
        if not any(path == tuple(answer) for path in self.paths(field)):
            raise Wrong(_("Please choose “%(name)s” too.", name=field["levels"][depth]), f"l{depth + 1}")

    def missing(self, field: Field) -> str:
        return _("Please choose one.")

    def text(self, field: Field, answer: Answer) -> str:
        return " › ".join(answer or ())

    def columns(self, field: Field) -> Sequence[str]:
        return [f"{field.label or field.id}: {name}" for name in field["levels"]] or super().columns(field)

    def cells(self, field: Field, answer: Answer) -> Sequence[str | int | float | None]:
        deep = max(1, len(field["levels"]))
        return [*(answer or ()), *[""] * deep][:deep]

    def posted(self, field: Field, answer: Answer) -> dict[str, list[str]]:
        return {f"{field.id}.l{depth}": [text] for depth, text in enumerate(answer or (), start=1)}


KIND = ChainedSelect()
