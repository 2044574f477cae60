"""What the kinds have in common in which something is chosen from options."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from app.core.i18n import _, lazy
from app.formbuilder.fields.kinds import Kind, Wrong
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


def chosen_of(answer: Answer) -> list[str]:
    """The values of options that an answer names, of whatever kind it is."""
    if isinstance(answer, Mapping):
        values = answer.get("values")
        if isinstance(values, list):
            return [str(each) for each in values]
        return [str(answer["value"])] if "value" in answer else []
    if isinstance(answer, list):
        return [str(each) for each in answer]
    return [str(answer)] if isinstance(answer, str) else []


def has_points(kind: Kind, field: Field) -> bool:
    """Whether what is chosen of it brings points, or takes some away."""
    return kind.value_class in ("choice", "choices") and any(option.points for option in kind.options(field))


def most_points(kind: Kind, field: Field) -> float:
    """The most points that the options of a field bring: of several that may be chosen all good ones, else the best."""
    if not has_points(kind, field):
        return 0.0
    good = [option.points for option in kind.options(field) if option.points > 0]
    several = kind.value_class == "choices" and field.settings.get("several", True)
    return float(sum(good) if several else max(good, default=0))


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
