"""Integrations of a form as they are edited: added, changed, removed. Pure; see `mapping` for what one holds."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from app.core.errors import Conflict, Invalid
from app.core.i18n import _
from app.formbuilder.after_sending import following
from app.formbuilder.definition import mapping, rules
from app.formbuilder.fields.kinds import Kind, kind_of
from app.formbuilder.models import Definition, Field, Posted

MOST = 30


def added(definition: Definition, connection: str) -> Definition:
    """With one more that leads to this account. The first field for an address and for a name are taken as theirs."""
    if len(definition.integrations) >= MOST:
        raise Invalid(_("A form has at most %(n)s integrations.", n=MOST))
    made = {
        "id": next_id(definition), "connection": connection, "list": "", "map": guessed(definition), "tags": [],
        "consent": guessed_consent(definition),
    }  # fmt: skip
    return replace(definition, integrations=(*definition.integrations, made))


def next_id(definition: Definition) -> str:
    """An id that none has, nor had: deliveries are kept by it."""
    return f"i{max([_number(each) for each in definition.integrations] + [definition.last]) + 1}"


def _number(integration: Mapping[str, Any]) -> int:
    match = re.fullmatch(r"i(\d{1,6})", str(integration.get("id")))
    return int(match[1]) if match else 0


def guessed(definition: Definition) -> dict[str, str]:
    """What can be told without asking: the first field for a mail address, for a telephone, for a name."""
    found: dict[str, str] = {}
    for name, _label in sources(definition):
        field = definition.find(name.partition(".")[0])
        if field is None:
            continue
        part = name.partition(".")[2]
        if (field.kind in ("email", "confirm_email") and not part) or (field.kind, part) == ("contact_info", "email"):
            found.setdefault("email", name)
        elif (field.kind == "phone" and not part) or (field.kind, part) == ("contact_info", "phone"):
            found.setdefault("phone", name)
        elif part in ("first", "last") and field.kind in ("name", "contact_info"):
            found.setdefault(f"{part}_name", name)
    return found


def guessed_consent(definition: Definition) -> str:
    """The first field that asks for an agreement; without one, nobody has agreed until the owner says how."""
    return next((field.id for field in definition.fields if field.kind == "consent"), "")


def sources(definition: Definition) -> list[tuple[str, str]]:
    """What can be handed on: (field or part of one, words)."""
    found = []
    for field in definition.fields:
        kind = kind_of(field)
        if not kind.has_answer or kind.is_secret:
            continue
        label = field.label or field.id
        found.append((field.id, label))
        found += [
            (f"{field.id}.{part}", f"{label}: {_part_words(kind, field, part)}")
            for part, _class in kind.parts(field)
            if part != "again"  # an address that is written twice
        ]
    return found


def known_of_entries() -> list[tuple[str, str]]:
    """What can be handed on besides answers: (name, words)."""
    return [
        ("@link", _("This entry in the office")),
        ("@id", _("Number of the entry")),
        ("@at", _("When it was sent")),
        ("@form", _("Title of the form")),
    ]


def _part_words(kind: Kind, field: Field, part: str) -> str:
    """A part in words, as the headings of its columns say it."""
    names, columns = [name for name, _class in kind.parts(field)], kind.columns(field)
    if len(names) != len(columns):
        return {"other": _("another answer"), "quantity": _("quantity")}.get(part, part)
    words = columns[names.index(part)]
    return words.removeprefix(f"{field.label or field.id}: ")


def tag_fields(definition: Definition) -> list[tuple[str, str]]:
    """Fields whose chosen answers can be tags: (id, words)."""
    fitting = (field for field in definition.fields if kind_of(field).value_class in ("choice", "choices"))
    return [(field.id, field.label or field.id) for field in fitting if kind_of(field).group == "choice"]


def consents(definition: Definition) -> list[tuple[str, str]]:
    """Fields with which somebody can agree: (id, words)."""
    asks = ("consent", "terms", "yes_no", "toggle", "checkbox")
    return [(field.id, field.label or field.id) for field in definition.fields if field.kind in asks]


def found(definition: Definition, integration_id: str) -> Mapping[str, Any]:
    """The integration of this id. Raises Conflict when it is gone."""
    one = next((each for each in definition.integrations if each.get("id") == integration_id), None)
    if one is None:
        raise Conflict(_("This integration is not in the form any more."))
    return one


def read(definition: Definition, before: Mapping[str, Any], posted: Posted) -> dict[str, Any]:
    """An integration as its page posted it. What the page did not draw stays as it was."""
    known = {*mapping.ABOUT, *(name for name, _label in sources(definition))}
    old = before.get("map")
    mapped = dict(old) if isinstance(old, Mapping) else {}
    targets = {name[4:]: posted.one(name) for name in posted.texts if name.startswith("map.") and len(name) < 204}
    mapped |= {target: source for target, source in targets.items() if source in known or source == mapped.get(target)}
    for target, source in targets.items():
        if not source:
            mapped.pop(target, None)
    tags = dict.fromkeys(
        tag.strip()[: mapping.LONGEST_TAG] for tag in re.split(r"[,\n]", posted.one("tags")) if tag.strip()
    )
    consent = posted.one("consent")
    made = {
        **before,
        "connection": posted.one("connection")[:60] or str(before.get("connection") or ""),
        "list": posted.one("list")[:300] if "list" in posted.texts else str(before.get("list") or ""),
        "map": mapped,
        "tags": list(tags)[: mapping.MOST_TAGS],
        "tag_fields": [name for name in posted.all("tag_fields") if name in dict(tag_fields(definition))],
        "consent": consent if consent == mapping.SENDING or consent in dict(consents(definition)) else "",
    }
    if "c.join" in posted.texts or posted.one("act").startswith(("add:", "group:")):
        when = rules.read_condition(definition, posted)
        made["when"] = when if when.get("all") or when.get("any") else {}
    if not made.get("when"):
        made.pop("when", None)
    if made["connection"] != before.get("connection"):
        made["list"] = ""
    return made


def told(definition: Definition, integration: Mapping[str, Any], accounts: Mapping[str, str]) -> dict[str, str]:
    """What an integration says, as people read it: {what: words}. `accounts` are the names of connections."""
    known = dict([*sources(definition), *known_of_entries()])
    mapped, agreed = integration.get("map"), str(integration.get("consent") or "")
    connection = str(integration.get("connection") or "")
    tag_names = dict(tag_fields(definition))
    words = {
        _("Connection"): accounts.get(connection, connection),
        _("List"): str(integration.get("list") or ""),
        _("Tags"): ", ".join(map(str, integration.get("tags") or ())),
        _("Chosen answers that become tags too"): ", ".join(
            tag_names.get(str(name), str(name)) for name in integration.get("tag_fields") or ()
        ),
        _("Who agrees to get mail"): _("Whoever sends the form")
        if agreed == mapping.SENDING
        else dict(consents(definition)).get(agreed, agreed),
        _("Only when"): following.sentence(definition, integration.get("when")),
    }
    for target, source in mapped.items() if isinstance(mapped, Mapping) else ():
        words[_("What becomes “%(name)s”", name=target)] = known.get(str(source), str(source))
    return words


def changed(definition: Definition, integration_id: str, posted: Posted) -> Definition:
    """With what was posted for this one."""
    made = read(definition, found(definition, integration_id), posted)
    rows = [made if each.get("id") == integration_id else each for each in definition.integrations]
    return replace(definition, integrations=tuple(rows))


def removed(definition: Definition, integration_id: str) -> Definition:
    """Without it; its id is not used again."""
    last = max(definition.last, _number(found(definition, integration_id)))
    rows = tuple(each for each in definition.integrations if each.get("id") != integration_id)
    return replace(definition, integrations=rows, last=last)
