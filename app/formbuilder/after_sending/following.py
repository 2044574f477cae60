"""Edits of what follows from an entry: its mails, its confirmations, its payment. Pure; rows are named by id."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from app.core.errors import Conflict, Invalid
from app.core.i18n import _
from app.core.ids import public_id
from app.formbuilder.after_sending import confirmations, notifications
from app.formbuilder.logic import conditions, plans, sentences, whens
from app.formbuilder.models import Definition, Posted
from app.web.forms import is_email

Row = Mapping[str, Any]
MOST_ROWS = 30
MOST_CONDITIONS = 10
MOST_ROUTES = 20
# Lines of a condition or of a routing that are drawn beyond those that are filled in.
_SPARE = 2


def rows_of(definition: Definition, kind: str) -> tuple[Row, ...]:
    """The rows of a kind, `notification` or `confirmation`."""
    return definition.notifications if kind == "notification" else definition.confirmations


def find(definition: Definition, row_id: str) -> tuple[str, Row]:
    """The kind and the row of this id. Raises Conflict when it is gone."""
    for kind in ("notification", "confirmation"):
        for row in rows_of(definition, kind):
            if row.get("id") == row_id:
                return kind, row
    raise Conflict(_("This is gone: somebody removed it. Look at the form again."))


def added(definition: Definition, kind: str) -> tuple[Definition, str]:
    """With a new mail or confirmation at the end, and its id. Raises Invalid for another kind, and for too many."""
    if kind not in ("notification", "confirmation"):
        raise Invalid(_("Nothing was chosen."))
    if len(rows_of(definition, kind)) >= MOST_ROWS:
        raise Invalid(_("A form has at most %(n)s of these.", n=MOST_ROWS))
    row_id = f"{kind[0]}{public_id(8)}"
    if kind == "notification":
        row: Row = {**notifications.first(), "id": row_id, "name": _("New mail")}
    else:
        row = {"id": row_id, "name": _("New words"), "kind": "message", "title": _("Thank you"), "text": ""}
    return _with(definition, kind, [*rows_of(definition, kind), row]), row_id


def removed(definition: Definition, row_id: str) -> Definition:
    """Without this row."""
    kind, _row = find(definition, row_id)
    return _with(definition, kind, [row for row in rows_of(definition, kind) if row.get("id") != row_id])


def moved(definition: Definition, row_id: str, by: int) -> Definition:
    """With the row `by` places further down (below 0: up)."""
    kind, row = find(definition, row_id)
    rows = list(rows_of(definition, kind))
    place = rows.index(row)
    rows.insert(max(0, min(len(rows) - 1, place + by)), rows.pop(place))
    return _with(definition, kind, rows)


def changed(definition: Definition, row_id: str, posted: Posted) -> Definition:
    """With what was typed for this row. Raises Invalid, naming the control, for what cannot be."""
    kind, row = find(definition, row_id)
    name = _text(posted, "name", 120, one_line=True)
    if not name:
        raise Invalid(_("Give it a name."), field="name")
    told = _mail(definition, row, posted) if kind == "notification" else _words(posted)
    when = _condition(posted, "when", row.get("when"))
    made = {"id": row_id, "name": name, **told, **({"when": when} if when else {})}
    return _with(definition, kind, [made if each.get("id") == row_id else each for each in rows_of(definition, kind)])


def told(definition: Definition, row: Row) -> dict[str, str]:
    """What a mail or a confirmation says, as people read it: {what: words}."""
    to = row.get("to")
    to = (
        "; ".join(f"{sentence(definition, each.get('when'))}: {each.get('to')}" for each in to)
        if isinstance(to, list)
        else to
    )
    words = {
        _("Name in the office"): row.get("name"), _("To"): to, _("Subject"): row.get("subject"), _("Text"): row.get("body"),
        _("Answers go to"): row.get("reply_to"), _("Attached"): row.get("attach"), _("What comes"): row.get("kind"),
        _("Heading"): row.get("title"), _("Message"): row.get("text"), _("Page of the school"): row.get("path"),
        _("Another address"): row.get("url"), _("Only when"): sentence(definition, row.get("when")),
    }  # fmt: skip
    return {what: str(said) for what, said in words.items() if said}


def told_payment(definition: Definition) -> dict[str, str]:
    """What is said of the payment of a form, as people read it."""
    payment = definition.payment
    amount = definition.find(str(payment.get("amount") or ""))
    return {
        _("Sending costs something"): {True: _("Yes"), False: _("No")}.get(payment.get("on"), ""),  # type: ignore[arg-type]  # unset is neither
        _("Amount"): (amount.label or amount.id) if amount is not None else "",
        _("What stands on the receipt"): str(payment.get("title") or ""),
    }


def with_payment(definition: Definition, posted: Posted) -> Definition:
    """With what was chosen about the payment."""
    on = {"yes": True, "no": False}.get(posted.one("on"))
    amount = posted.one("amount")
    if amount and definition.find(amount) is None:
        raise Invalid(_("Choose one of the list."), field="amount")
    told = {"on": on, "amount": amount, "title": _text(posted, "title", 200, one_line=True)}
    return replace(definition, payment={name: value for name, value in told.items() if value not in (None, "")})


def _mail(definition: Definition, row: Row, posted: Posted) -> dict[str, Any]:
    told = {
        "to": _recipients(definition, row, posted),
        "subject": _text(posted, "subject", 300, one_line=True),
        "body": _text(posted, "body", 20_000),
        "reply_to": _text(posted, "reply_to", 300, one_line=True),
    }
    attach = " ".join(each for each in ("csv", "files") if each in posted.all("attach"))
    return told | ({"attach": attach} if attach else {})


def _recipients(definition: Definition, row: Row, posted: Posted) -> Any:
    to = posted.one("to")
    if to == "owner":
        return "owner"
    if to == "address":
        return _addresses(posted.one("address"), "address")
    if to.startswith("field:"):
        field = definition.find(to.removeprefix("field:"))
        if field is None or field.kind != "email":
            raise Invalid(_("Choose one of the list."), field="to")
        return to
    if to != "routes":
        raise Invalid(_("Choose one of the list."), field="to")
    kept = row.get("to") if isinstance(row.get("to"), list) else []
    routes = []
    for number in range(MOST_ROUTES):
        typed = posted.one(f"route.{number}.to")
        before = kept[number].get("when") if isinstance(kept, list) and number < len(kept) else None
        when = _one(posted, f"route.{number}") or (before if not is_simple(before) else None)
        if typed and when:
            routes.append({"when": when, "to": _addresses(typed, f"route.{number}.to")})
    if not routes:
        raise Invalid(_("Name at least one answer and whom it goes to."), field="to")
    return routes


def _addresses(typed: str, field: str) -> str:
    each = [address.strip() for address in typed.split(",") if address.strip()]
    if not each or any(address != "owner" and not is_email(address) for address in each):
        raise Invalid(_("Write addresses with commas between them."), field=field)
    if len(each) > notifications.MOST_RECIPIENTS:
        raise Invalid(_("At most %(n)s addresses.", n=notifications.MOST_RECIPIENTS), field=field)
    return ", ".join(each)


def _words(posted: Posted) -> dict[str, Any]:
    kind = posted.one("kind")
    if kind not in confirmations.KINDS:
        raise Invalid(_("Choose one of the list."), field="kind")
    path, url = _text(posted, "path", 500, one_line=True), _text(posted, "url", 1000, one_line=True)
    if kind == "page" and not confirmations.is_path(path):
        raise Invalid(_("The page begins with a slash; tags stand behind its question mark only."), field="path")
    if kind == "url" and not confirmations.is_url(url):
        raise Invalid(_("The address begins with https:// and tags stand behind its question mark only."), field="url")
    return {
        "kind": kind,
        "title": _text(posted, "title", 200, one_line=True),
        "text": _text(posted, "text", 20_000),
        "path": path,
        "url": url,
        "show_score": bool(posted.one("show_score")),
    }


# --- conditions -------------------------------------------------------------------------------------------------------


def is_simple(when: Any) -> bool:
    """Whether a condition is a plain list, as the picker draws it: one group without groups in it, or a single part."""
    if not isinstance(when, Mapping):
        return True
    _word, parts = conditions.joined(when)
    return not any(isinstance(part, Mapping) and conditions.joined(part)[0] for part in parts)


def drawn(when: Any) -> tuple[str, list[dict[str, str]]]:
    """A plain condition as the picker shows it: `all` or `any`, and its lines with some empty ones behind them."""
    parts: Sequence[Any] = ()
    word = "all"
    if isinstance(when, Mapping):
        joined, found = conditions.joined(when)
        word, parts = ("any" if joined == "or" else "all"), found if joined else [when]
    lines = [
        {"field": str(part.get("field", "")), "is": str(part.get("is", "")), "value": shown(part.get("value"))}
        for part in parts
        if isinstance(part, Mapping)
    ]
    return word, [*lines, *({"field": "", "is": "", "value": ""} for _spare in range(_SPARE))][:MOST_CONDITIONS]


def shown(value: Any) -> str:
    """The value of a condition in one control."""
    return ", ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)


def routes_drawn(to: Any) -> list[dict[str, str]]:
    """The lines of a routing, with some empty ones behind them."""
    rows = [row for row in to if isinstance(row, Mapping)] if isinstance(to, list) else []
    lines = []
    for row in rows:
        first = drawn(row.get("when"))[1][0] if is_simple(row.get("when")) else {"field": "", "is": "", "value": ""}
        lines.append({**first, "to": str(row.get("to") or "")})
    return [*lines, *({"field": "", "is": "", "value": "", "to": ""} for _spare in range(_SPARE))][:MOST_ROUTES]


def _condition(posted: Posted, name: str, before: Any) -> Any:
    """What the picker posted. A condition that it cannot draw stays as it was, unless it was set aside."""
    if not is_simple(before) and not posted.one(f"{name}.forget"):
        return before
    parts = [part for number in range(MOST_CONDITIONS) if (part := _one(posted, f"{name}.{number}"))]
    return {"any" if posted.one(name) == "any" else "all": parts} if parts else None


def _one(posted: Posted, name: str) -> dict[str, Any] | None:
    field, operator = posted.one(f"{name}.field"), posted.one(f"{name}.is") or "equals"
    if not field:
        return None
    if operator not in conditions.OPERATORS:
        raise Invalid(_("Choose one of the list."), field=name)
    value: Any = posted.one(f"{name}.value")[:500]
    if operator.endswith("one_of"):
        value = [each.strip() for each in value.split(",") if each.strip()]
    return {"field": field, "is": operator} | ({} if operator in conditions.WITHOUT_VALUE else {"value": value})


def sentence(definition: Definition, when: Any) -> str:
    """A condition as people say it; empty for always."""
    if not when:
        return ""
    options = {node.id: node.options for node in plans.nodes_of(definition) if node.options}
    return sentences.condition(when, whens.labels_of(definition), options)


def _with(definition: Definition, kind: str, rows: Sequence[Row]) -> Definition:
    if kind == "notification":
        return replace(definition, notifications=tuple(rows))
    return replace(definition, confirmations=tuple(rows))


def _text(posted: Posted, name: str, longest: int, *, one_line: bool = False) -> str:
    text = posted.one(name).replace("\x00", "").encode("utf-8", "ignore").decode()
    return (" ".join(text.split()) if one_line else text)[:longest]
