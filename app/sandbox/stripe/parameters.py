"""Reading sent parameters against a schema: types, required ones, unknown ones, closed lists, limits."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Any

from app.sandbox.stripe import schemas
from app.sandbox.stripe.errors import InvalidRequest, missing
from app.sandbox.stripe.forms import Raw

MAX_TEXT = 5000
METADATA_KEYS = 50
METADATA_KEY = 40
METADATA_VALUE = 500
# Longest texts that Stripe documents for single fields; all others share MAX_TEXT.
LONGEST = {
    "client_reference_id": 200,
    "email": 512,
    "customer_email": 800,
    "lookup_key": 200,
    "statement_descriptor": 22,
    "statement_descriptor_suffix": 22,
    "integration_identifier": 200,
}
DESCRIPTOR_REFUSES = set("<>\\'\"*")


def read(schema: schemas.Fields, raw: dict[str, Raw], unsettable: frozenset[str] = frozenset()) -> dict[str, Any]:
    """The parameters as Python values, None for those sent to be unset.

    Raises InvalidRequest for the first that Stripe would refuse.
    """
    unset = {key for key in unsettable if raw.get(key) == "" and key not in schema.required}
    values = _fields(schema, {key: value for key, value in raw.items() if key not in unset}, "")
    return {**values, **dict.fromkeys(unset)}


def name_of(path: str, key: str) -> str:
    """The name of a nested parameter as it was sent: `a` and `b` give `a[b]`."""
    return f"{path}[{key}]" if path else key


def _refuse_unknown(schema: schemas.Fields, raw: dict[str, Raw], path: str) -> None:
    unknown = [name_of(path, key) for key in raw if key not in schema.fields]
    if len(unknown) == 1:
        raise InvalidRequest(f"Received unknown parameter: {unknown[0]}", code="parameter_unknown", param=unknown[0])
    if unknown:
        raise InvalidRequest(
            f"Received unknown parameters: {', '.join(unknown)}", code="parameter_unknown", param=unknown[0]
        )


def _fields(schema: schemas.Fields, raw: Raw, path: str) -> dict[str, Any]:
    if not isinstance(raw, dict):
        raise InvalidRequest("Invalid object", param=path)
    _refuse_unknown(schema, raw, path)
    values = {key: _value(schema.fields[key], item, name_of(path, key), key) for key, item in raw.items()}
    for key in schema.fields:
        if key in schema.required and key not in raw:
            raise missing(name_of(path, key))
    return values


def _value(node: schemas.Node, raw: Raw, path: str, key: str) -> Any:
    match node:
        case schemas.Choice():
            return _choice(node, raw, path, key)
        case schemas.Fields():
            if raw == "":
                raise _not_empty(path)
            return _fields(node, raw, path)
        case schemas.Pairs():
            return _pairs(node, raw, path, key)
        case schemas.Items():
            return _items(node, raw, path, key)
        case schemas.Text():
            return _text(node, raw, path, key)
        case schemas.Number():
            return _number(node, raw, path)
        case schemas.Flag():
            return _flag(raw, path)


def _choice(node: schemas.Choice, raw: Raw, path: str, key: str) -> Any:
    """The first option whose shape fits; "" always means the option that allows it."""
    for option in node.options:
        if _fits(option, raw):
            return _value(option, raw, path, key)
    for option in node.options:
        if not isinstance(option, schemas.Text):
            return _value(option, raw, path, key)
    return _value(node.options[0], raw, path, key)


def _fits(option: schemas.Node, raw: Raw) -> bool:
    match option:
        case schemas.Text(only_empty=True):
            return raw == ""
        case schemas.Text(values=values, open=is_open):
            return isinstance(raw, str) and (not values or is_open or raw in values or raw == "")
        case schemas.Fields() | schemas.Pairs():
            return isinstance(raw, dict)
        case schemas.Items():
            return isinstance(raw, list) or (isinstance(raw, dict) and all(index.isdigit() for index in raw))
        case schemas.Number():
            return isinstance(raw, str) and _is_number(raw)
        case schemas.Flag():
            return raw in ("true", "false")
        case _:
            return True


def _is_number(raw: str) -> bool:
    return re.fullmatch(r"-?\d+(\.\d+)?", raw) is not None


def _text(node: schemas.Text, raw: Raw, path: str, key: str) -> str | None:
    if not isinstance(raw, str):
        raise InvalidRequest(f"Invalid string: {raw}", param=path)
    if raw == "":
        if node.empty:
            return None
        raise _not_empty(path)
    if node.values and raw not in node.values:
        raise InvalidRequest(f"Invalid {path}: must be one of {_listed(node.values)}", param=path)
    longest = LONGEST.get(key, MAX_TEXT)
    if len(raw) > longest:
        raise InvalidRequest(
            f"Invalid string: {raw[:20]}…; must be at most {longest} characters",
            param=path,
            code="parameter_invalid_string_too_long" if key not in LONGEST else None,
        )
    if not raw.strip():
        raise InvalidRequest(f"'{path}' cannot be blank.", code="parameter_invalid_string_blank", param=path)
    return raw


def _listed(values: tuple[str, ...]) -> str:
    if len(values) < 3:
        return " or ".join(values)
    return f"{', '.join(values[:-1])}, or {values[-1]}"


def _number(node: schemas.Number, raw: Raw, path: str) -> int | float | str:
    if raw == "":
        raise _not_empty(path)
    if node.kind == "integer":
        if not isinstance(raw, str) or re.fullmatch(r"[-+]?\d{1,18}", raw) is None:
            raise InvalidRequest(f"Invalid integer: {raw}", code="parameter_invalid_integer", param=path)
        return int(raw)
    try:
        value = Decimal(raw) if isinstance(raw, str) else Decimal("NaN")
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite():
        raise InvalidRequest(f"Invalid decimal: {raw}", param=path)
    return float(value) if node.kind == "number" else str(raw)


def _flag(raw: Raw, path: str) -> bool:
    if raw == "":
        raise _not_empty(path)
    if raw not in ("true", "false"):
        raise InvalidRequest(f"Invalid boolean: {raw}", param=path)
    return raw == "true"


def _items(node: schemas.Items, raw: Raw, path: str, key: str) -> list[Any]:
    if raw == "":
        raise _not_empty(path)
    if isinstance(raw, dict) and all(index.isdigit() for index in raw):
        raw = [raw[index] for index in sorted(raw, key=int)]
    if not isinstance(raw, list):
        raise InvalidRequest("Invalid array", param=path)
    return [_value(node.item, item, f"{path}[{index}]", key) for index, item in enumerate(raw)]


def _pairs(node: schemas.Pairs, raw: Raw, path: str, key: str) -> dict[str, Any]:
    if raw == "":
        raise _not_empty(path)
    if not isinstance(raw, dict):
        raise InvalidRequest("Invalid object", param=path)
    if isinstance(node.value, schemas.Text):
        return _metadata(raw, path)
    return {inner: _value(node.value, item, f"{path}[{inner}]", inner) for inner, item in raw.items()}


def _metadata(raw: dict[str, Raw], path: str) -> dict[str, str]:
    """Free text by key, within Stripe's limits. An empty value stays "": it unsets the key."""
    if len(raw) > METADATA_KEYS:
        raise InvalidRequest(f"Metadata can have at most {METADATA_KEYS} keys.", param=path)
    for key, value in raw.items():
        if not isinstance(value, str):
            raise InvalidRequest("Metadata values must be strings.", param=f"{path}[{key}]")
        if len(key) > METADATA_KEY:
            raise InvalidRequest(f"Metadata keys can be at most {METADATA_KEY} characters.", param=path)
        if len(value) > METADATA_VALUE:
            raise InvalidRequest(
                f"Metadata values can be at most {METADATA_VALUE} characters, but {key} has {len(value)}.",
                param=f"{path}[{key}]",
            )
    return {key: str(value) for key, value in raw.items()}


def _not_empty(path: str) -> InvalidRequest:
    return InvalidRequest(
        f"'{path}' was sent as an empty string, which would unset it, but '{path}' cannot be unset. "
        "Leave it out or give it a value.",
        code="parameter_invalid_empty",
        param=path,
    )


def merged_metadata(old: dict[str, str] | None, sent: dict[str, str] | None) -> dict[str, str]:
    """Stripe's merge: sent keys are set, keys sent empty are removed, metadata sent empty clears all."""
    if sent is None:
        return {}
    merged = {**(old or {}), **sent}
    merged = {key: value for key, value in merged.items() if value != ""}
    if len(merged) > METADATA_KEYS:
        raise InvalidRequest(f"Metadata can have at most {METADATA_KEYS} keys.", param="metadata")
    return merged


def fresh_metadata(sent: dict[str, str] | None) -> dict[str, str]:
    """The metadata of a new object."""
    return merged_metadata({}, sent)


def check_descriptor(value: str | None, param: str, *, shortest: int = 5) -> None:
    """Statement descriptors: 5 to 22 characters, with a letter, without < > \\ ' \" *."""
    if value is None:
        return
    if DESCRIPTOR_REFUSES & set(value):
        raise InvalidRequest("A statement descriptor cannot contain <, >, \\, ', \" or *.", param=param)
    if len(value) < shortest or not any(letter.isalpha() for letter in value):
        raise InvalidRequest(
            f"A statement descriptor has at least {shortest} characters, one of them a letter.", param=param
        )
