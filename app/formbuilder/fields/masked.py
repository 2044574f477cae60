"""A text of a given shape: `9` stands for a digit, `a` for a letter, `*` for either, anything else for itself."""

from app.core.i18n import _, lazy
from app.formbuilder.fields.kinds import Kind, Wrong
from app.formbuilder.models import Answer, Field, Posted
from app.formbuilder.settings import Switch, Text


class Masked(Kind):
    name = "masked"
    label = lazy("Text of a given shape")
    group = "input"
    icon = "text-cursor-input"
    scripts = ("js/field-mask.js",)
    settings = (
        Text(
            name="mask",
            label=lazy("Shape"),
            hint=lazy("9 is a digit, a is a letter, * is either; anything else stands for itself: aa-9999"),
            longest=60,
            default="aa-9999",
        ),
        Switch(name="unique", label=lazy("No two entries with the same answer")),
    )

    def read(self, field: Field, posted: Posted) -> Answer:
        text = posted.one(field.id)
        if not text or not field["mask"]:
            return text[:1000] or None
        fitted = fit(text, field["mask"])
        if fitted is None:
            raise Wrong(_("Please write it as %(example)s.", example=example(field["mask"])))
        return fitted


def fit(text: str, mask: str) -> str | None:
    """The text in the shape of the mask, with the signs in between that were left out; None when it does not fit."""
    fitted, rest = "", text
    for sign in mask:
        if sign in "9a*":
            if not rest or not _stands_for(rest[0], sign):
                return None
            fitted, rest = fitted + rest[0], rest[1:]
        else:
            fitted, rest = fitted + sign, rest.removeprefix(sign)
    return None if rest else fitted


def example(mask: str) -> str:
    """A text of this shape."""
    return mask.replace("9", "1").replace("a", "A").replace("*", "A")


def _stands_for(character: str, sign: str) -> bool:
    is_digit, is_letter = character in "0123456789", character.isalpha()
    return is_digit if sign == "9" else is_letter if sign == "a" else is_digit or is_letter


KIND = Masked()
