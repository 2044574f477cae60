"""A grid with one answer a row."""

from app.core.i18n import lazy
from app.formbuilder.fields.grids import Grid
from app.formbuilder.settings import Options


class Likert(Grid):
    name = "likert"
    label = lazy("Likert grid")
    settings = (
        Grid.settings[0],
        Options(
            name="columns", label=lazy("Columns"), hint=lazy("A line each"), most=11,
            default=(
                {"value": "1", "label": "Strongly disagree"},
                {"value": "2", "label": "Disagree"},
                {"value": "3", "label": "Neither"},
                {"value": "4", "label": "Agree"},
                {"value": "5", "label": "Strongly agree"},
            ),
        ),
        Grid.settings[2],
    )  # fmt: skip


KIND = Likert()
