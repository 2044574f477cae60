"""A grid with any number of answers a row."""

from app.core.i18n import lazy
from app.formbuilder.fields.grids import Grid


class CheckableGrid(Grid):
    name = "checkable_grid"
    label = lazy("Grid of boxes")
    icon = "square-check"
    takes_several = True


KIND = CheckableGrid()
