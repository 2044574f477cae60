"""Stripe's form encoding: `a[b][0][c]=1` and `a[]=1` read into nested dicts and lists of strings.

The decoding is without a schema: what is an array is decided later (`parameters.py`), because
`a[0]=x` means a list in one place and a hash with the key "0" in another.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import parse_qsl

from app.sandbox.stripe.errors import InvalidRequest

Raw = str | dict[str, "Raw"] | list["Raw"]

KEY = re.compile(r"^([^\[\]]+)((?:\[[^\[\]]*\])*)$")
MAX_FIELDS = 5000


def decode(text: str) -> dict[str, Raw]:
    """Read a query string or an urlencoded body. Refuses what is not UTF-8 or not well nested."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except (UnicodeDecodeError, ValueError) as error:
        raise InvalidRequest("The request's parameters could not be read as form data in UTF-8.") from error
    return nest(pairs)


def nest(pairs: Iterable[tuple[str, str]]) -> dict[str, Raw]:
    """Put flat pairs into nested dicts and lists."""
    root: dict[str, Raw] = {}
    for name, value in pairs:
        match = KEY.match(name)
        if match is None:
            raise InvalidRequest(f"Received a parameter whose name cannot be read: {name}", param=name)
        _put(root, [match[1], *re.findall(r"\[([^\[\]]*)\]", match[2])], value, name)
    return root


def _put(node: dict[str, Raw], keys: list[str], value: str, name: str) -> None:
    key, rest = keys[0], keys[1:]
    if not rest:
        if isinstance(node.get(key), dict | list):
            raise _clash(name)
        node[key] = value
    elif rest[0] == "":
        items = node.setdefault(key, [])
        if not isinstance(items, list):
            raise _clash(name)
        _append(items, rest[1:], value, name)
    else:
        inner = node.setdefault(key, {})
        if not isinstance(inner, dict):
            raise _clash(name)
        _put(inner, rest, value, name)


def _append(items: list[Raw], keys: list[str], value: str, name: str) -> None:
    """`a[]=1` adds an item; `a[][b]=1` fills the last item until a key of it repeats."""
    if not keys:
        items.append(value)
        return
    last = items[-1] if items and isinstance(items[-1], dict) else None
    if last is None or _has(last, keys):
        last = {}
        items.append(last)
    _put(last, keys, value, name)


def _has(node: Raw, keys: list[str]) -> bool:
    for key in keys:
        if key == "":
            return False
        if not isinstance(node, dict) or key not in node:
            return False
        node = node[key]
    return True


def _clash(name: str) -> InvalidRequest:
    return InvalidRequest(f"The parameter {name} is sent both as a value and as a hash or list.", param=name)
