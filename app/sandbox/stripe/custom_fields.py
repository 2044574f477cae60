"""Questions of the shop's own on the payment page: up to three, as text, number or choice."""

from __future__ import annotations

from collections.abc import Mapping
from gettext import gettext as _

from app.sandbox.stripe.errors import InvalidRequest, missing
from app.sandbox.stripe.store import Doc

MOST = 3
MOST_OPTIONS = 200
LONGEST = 255
LENGTHS = ("default_value", "maximum_length", "minimum_length")


def build(sent: list[Doc]) -> list[Doc]:
    """The fields of a new session. Raises InvalidRequest for what Stripe refuses."""
    if len(sent) > MOST:
        raise InvalidRequest(f"At most {MOST} custom fields can be shown.", param="custom_fields")
    keys = [field["key"] for field in sent]
    if len(set(keys)) < len(keys):
        raise InvalidRequest("Each custom field needs a key of its own.", param="custom_fields")
    return [_field(field, f"custom_fields[{place}]") for place, field in enumerate(sent)]


def _field(sent: Doc, path: str) -> Doc:
    kind = sent["type"]
    if not sent["key"].isalnum() or len(sent["key"]) > 200:
        raise InvalidRequest("A key has only letters and digits, up to 200.", param=f"{path}[key]")
    if len(sent["label"]["custom"]) > 50:
        raise InvalidRequest("A label has at most 50 characters.", param=f"{path}[label][custom]")
    if kind == "dropdown" and "dropdown" not in sent:
        raise missing(f"{path}[dropdown]")
    for other in {"dropdown", "numeric", "text"} - {kind}:
        if other in sent:
            raise InvalidRequest(f"{other} cannot be sent with type={kind}.", param=f"{path}[{other}]")
    detail = sent.get(kind, {})
    inner: Doc = {name: detail.get(name) for name in (LENGTHS if kind != "dropdown" else LENGTHS[:1])}
    if kind == "dropdown":
        inner["options"] = _options(detail["options"], path)
    return {
        "key": sent["key"],
        "label": sent["label"],
        "optional": sent.get("optional", False),
        "type": kind,
        kind: {**inner, "value": None},
    }


def _options(options: list[Doc], path: str) -> list[Doc]:
    if not 1 <= len(options) <= MOST_OPTIONS:
        raise InvalidRequest(f"A choice has 1 to {MOST_OPTIONS} options.", param=f"{path}[dropdown][options]")
    if len({option["value"] for option in options}) < len(options):
        raise InvalidRequest("Each option needs a value of its own.", param=f"{path}[dropdown][options]")
    return options


def name_of(field: Doc) -> str:
    """What the field is called in the page's form."""
    return f"custom_{field['key']}"


def names_of(session: Doc) -> list[str]:
    """What the fields of a session are called in its form."""
    return [name_of(field) for field in session["custom_fields"]]


def errors_of(session: Doc, form: Mapping[str, str]) -> dict[str, str]:
    """A message for every answer that cannot be accepted."""
    errors = {}
    for field in session["custom_fields"]:
        problem = _problem(field, form[name_of(field)])
        if problem:
            errors[name_of(field)] = problem
    return errors


def _problem(field: Doc, answer: str) -> str | None:
    if not answer:
        return None if field["optional"] else _("An answer is needed.")
    detail = field[field["type"]]
    if field["type"] == "dropdown":
        known = answer in [option["value"] for option in detail["options"]]
        return None if known else _("Choose one of the options.")
    if field["type"] == "numeric" and not answer.isdigit():
        return _("Enter digits only.")
    least, most = detail["minimum_length"] or 0, detail["maximum_length"] or LONGEST
    if not least <= len(answer) <= most:
        return _("Enter %(least)s to %(most)s characters.") % {"least": least, "most": most}
    return None


def answers_of(session: Doc, form: Mapping[str, str]) -> dict[str, str]:
    """The answers by key."""
    return {field["key"]: form[name_of(field)] for field in session["custom_fields"] if form[name_of(field)]}


def answered(fields: list[Doc], answers: Mapping[str, str]) -> list[Doc]:
    """The fields with the buyer's answers in them."""
    return [{**field, field["type"]: {**field[field["type"]], "value": answers.get(field["key"])}} for field in fields]
