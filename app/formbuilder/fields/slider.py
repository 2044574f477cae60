"""A number, chosen with a slider."""

from app.core.i18n import _, lazy
from app.formbuilder.fields.kinds import Kind, Wrong
from app.formbuilder.fields.number import PLAIN, plain
from app.formbuilder.models import Answer, Field, Posted
from app.formbuilder.settings import Number, Text


class Slider(Kind):
    name = "slider"
    label = lazy("Slider")
    group = "input"
    icon = "gauge"
    value_class = "number"
    scripts = ("js/field-range.js",)
    has_sheet = True
    settings = (
        Number(name="low", label=lazy("From"), default=0, low=-1e9, high=1e9, is_whole=False),
        Number(name="high", label=lazy("To"), default=100, low=-1e9, high=1e9, is_whole=False),
        Number(name="step", label=lazy("In steps of"), default=1, low=0.001, high=1e9, is_whole=False),
        Number(name="start", label=lazy("At first"), default=None, low=-1e9, high=1e9, is_whole=False),
        Text(name="unit", label=lazy("Unit"), longest=20),
        Text(name="low_words", label=lazy("Words at the low end"), longest=60),
        Text(name="high_words", label=lazy("Words at the high end"), longest=60),
    )

    def ends(self, field: Field) -> tuple[str, str]:
        """The lowest and the highest number, as the control is told."""
        low, high = sorted((field["low"], field["high"]))
        return plain(low), plain(high)

    def start(self, field: Field) -> str:
        """Where the slider stands at first: in the middle, unless the owner said otherwise."""
        low, high = sorted((field["low"], field["high"]))
        start = field["start"]
        return plain(start if start is not None and low <= start <= high else (low + high) / 2)

    def step(self, field: Field) -> str:
        """How far it moves at a time."""
        return plain(field["step"])

    def read(self, field: Field, posted: Posted) -> Answer:
        text = posted.one(field.id)
        if not text:
            return None
        if not PLAIN.fullmatch(text):
            raise Wrong(_("Please write a number, such as 12 or 12.5."))
        return int(text) if "." not in text else float(text)

    def check(self, field: Field, answer: Answer) -> None:
        low, high = sorted((field["low"], field["high"]))
        if not low <= answer <= high:
            raise Wrong(_("From %(low)s to %(high)s.", low=plain(low), high=plain(high)))

    def text(self, field: Field, answer: Answer) -> str:
        return "" if answer is None else f"{plain(answer)} {field['unit']}".strip()

    def cells(self, field: Field, answer: Answer) -> list[str | int | float | None]:
        return [answer]

    def posted(self, field: Field, answer: Answer) -> dict[str, list[str]]:
        return {} if answer is None else {field.id: [plain(answer)]}


KIND = Slider()
