"""What the kinds have in common in which something is chosen from options."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from app.core.i18n import _, lazy
from app.formbuilder.fields.kinds import Charge, Kind, Wrong
from app.formbuilder.models import Answer, Field, Posted
from app.formbuilder.settings import Number, Option, Options, Setting, Switch

OTHER = "__other__"
OPTIONS = Options(
    name="options",
    label=lazy("Options"),
    hint=lazy("A line each. With a bar a value and points can be told: yes | Yes, gladly | 10"),
    default=({"value": "first", "label": "First"}, {"value": "second", "label": "Second"}),
)
WITH_OTHER = Switch(name="other", label=lazy("Let people write another answer"))


class OneOf(Kind):
    """One option. An answer is {"value": …} or {"other": what was written}."""

    group: ClassVar[str] = "choice"
    value_class: ClassVar[str] = "choice"
    settings: ClassVar[Sequence[Setting]] = (OPTIONS, WITH_OTHER)

    def options(self, field: Field) -> Sequence[Option]:
        found: Sequence[Option] = field.settings.get("options", ())
        return found

    def parts(self, field: Field) -> Sequence[tuple[str, str]]:
        return (("other", "text"),) if field.settings.get("other") else ()

    def read(self, field: Field, posted: Posted) -> Answer:
        value = posted.one(field.id)
        if not value:
            return None
        if value == OTHER and field.settings.get("other"):
            return {"other": _other(field, posted)}
        if value not in {option.value for option in self.options(field)}:
            raise Wrong(_("Choose one of the list."))
        return {"value": value}

    def missing(self, field: Field) -> str:
        return _("Please choose one.")

    def text(self, field: Field, answer: Answer) -> str:
        return _said(self, field, answer)

    def posted(self, field: Field, answer: Answer) -> dict[str, list[str]]:
        if answer is None:
            return {}
        if "other" in answer:
            return {field.id: [OTHER], f"{field.id}.other": [answer["other"]]}
        return {field.id: [answer["value"]]}

    def charges(self, field: Field, answer: Answer) -> Sequence[Charge]:
        return _charged(self, field, [answer["value"]] if "value" in answer else [])

    def takes(self, field: Field, answer: Answer) -> Mapping[str, int]:
        return {answer["value"]: 1} if "value" in answer else {}


class SeveralOf(Kind):
    """Any number of options. An answer is {"values": […], "other": what was written, if anything}."""

    group: ClassVar[str] = "choice"
    value_class: ClassVar[str] = "choices"
    is_group: ClassVar[bool] = True
    settings: ClassVar[Sequence[Setting]] = (
        OPTIONS,
        WITH_OTHER,
        Number(name="least", label=lazy("At least"), default=None, high=500),
        Number(name="most", label=lazy("At most"), default=None, low=1, high=500),
    )

    def options(self, field: Field) -> Sequence[Option]:
        found: Sequence[Option] = field.settings.get("options", ())
        return found

    def parts(self, field: Field) -> Sequence[tuple[str, str]]:
        return (("other", "text"),) if field.settings.get("other") else ()

    def read(self, field: Field, posted: Posted) -> Answer:
        sent = list(dict.fromkeys(posted.all(field.id)))
        if not sent:
            return None
        known = {option.value for option in self.options(field)}
        answer: dict[str, object] = {"values": [value for value in sent if value in known]}
        if OTHER in sent and field.settings.get("other"):
            answer["other"] = _other(field, posted)
            sent.remove(OTHER)
        if any(value not in known for value in sent):
            raise Wrong(_("Choose of the list."))
        return answer

    def check(self, field: Field, answer: Answer) -> None:
        count = len(answer["values"]) + ("other" in answer)
        least, most = field.settings.get("least"), field.settings.get("most")
        if least and count < least:
            raise Wrong(_("Choose at least %(n)s.", n=least))
        if most and count > most:
            raise Wrong(_("Choose at most %(n)s.", n=most))

    def missing(self, field: Field) -> str:
        return _("Please choose at least one.")

    def text(self, field: Field, answer: Answer) -> str:
        if answer is None:
            return ""
        said = [_label(self, field, value) for value in answer["values"]]
        return ", ".join([*said, answer["other"]] if "other" in answer else said)

    def posted(self, field: Field, answer: Answer) -> dict[str, list[str]]:
        if answer is None:
            return {}
        if "other" in answer:
            return {field.id: [*answer["values"], OTHER], f"{field.id}.other": [answer["other"]]}
        return {field.id: list(answer["values"])}

    def charges(self, field: Field, answer: Answer) -> Sequence[Charge]:
        return _charged(self, field, answer["values"])

    def takes(self, field: Field, answer: Answer) -> Mapping[str, int]:
        return dict.fromkeys(answer["values"], 1)


def _charged(kind: Kind, field: Field, values: Sequence[str]) -> list[Charge]:
    return [
        Charge(f"{field.label}: {option.label}" if field.label else option.label, option.price)
        for option in kind.options(field)
        if option.value in values and option.price
    ]


def _other(field: Field, posted: Posted) -> str:
    written = posted.one(f"{field.id}.other")
    if not written:
        raise Wrong(_("Please write your answer."), "other")
    if len(written) > 500:
        raise Wrong(_("At most %(n)s characters.", n=500), "other")
    return written


def _said(kind: Kind, field: Field, answer: Answer) -> str:
    if answer is None:
        return ""
    return str(answer["other"]) if "other" in answer else _label(kind, field, answer["value"])


def _label(kind: Kind, field: Field, value: str) -> str:
    """The words of an option; of one that is gone since, its value."""
    return next((option.label for option in kind.options(field) if option.value == value), value)
