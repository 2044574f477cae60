"""A page that had become stale when it was sent: what is kept by now stands beside what was typed, and the next save is made
against it (`ui.stored`).
"""

from collections.abc import Collection, Mapping
from typing import Any

from wtforms import Field, SelectField, SelectMultipleField

from app.core.i18n import _
from app.web.forms import BaseForm


def catch_up(field: Field, mark: object) -> None:
    """Let the page that is drawn now carry this mark of what is kept, and not the one that was sent."""
    field.data, field.raw_data = mark, None


def differing(form: BaseForm, kept: Mapping[str, Any], *, but: Collection[str] = ()) -> list[tuple[str, str]]:
    """Label and words of what is kept now, of the fields where it differs from what was typed."""
    return [
        (form[name].label.text, _worded(form[name], value))
        for name, value in kept.items()
        if name not in but and _plain(form[name].data) != _plain(value)
    ]


def _plain(value: Any) -> Any:
    """What counts of a value, however a browser writes it."""
    if isinstance(value, list | tuple):
        pairs = [each for each in value if not isinstance(each, dict) or each["question"]]
        return [(_plain(p["question"]), _plain(p["answer"])) if isinstance(p, dict) else _plain(p) for p in pairs]
    if isinstance(value, bool):
        return value
    return "" if value is None else str(value).replace("\r\n", "\n").strip()


def _worded(field: Field, value: Any) -> str:
    if isinstance(field, SelectMultipleField):
        return ", ".join(str(option.label.text) for option in field if option.data in value)
    if isinstance(value, list):
        return "\n".join(f"{pair['question']} {pair['answer']}" for pair in value)
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(field, SelectField):
        return next((str(option.label.text) for option in field if option.data == value), str(value))
    return "" if value is None else str(value)
