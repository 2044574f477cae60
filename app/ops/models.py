"""Plain data of operations, and what is hidden before it is shown."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.core.i18n import _
from app.core.money import CURRENCIES, format_money
from app.ops.words import field_label

HIDDEN = "•••"
_SECRET = ("secret", "token", "password", "authorization", "api_key")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(\+\d\d:\d\d|Z)")


def without_secrets(value: Any) -> Any:
    """The same JSON with everything hidden whose name says that it is a secret."""
    if isinstance(value, dict):
        return {
            name: HIDDEN if item and any(word in name.lower() for word in _SECRET) else without_secrets(item)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [without_secrets(item) for item in value]
    return value


@dataclass(frozen=True, slots=True)
class Change:
    """One field of an audited change, as words."""

    name: str
    before: str
    after: str


def changes(
    before: dict[str, Any] | None,
    after: dict[str, Any] | None,
    longest: int = 160,
    moment: Callable[[datetime], str] = str,
    currency: str = "",
) -> list[Change]:
    """What an audit row says was changed, field by field; of two lists only what went and what came.

    `moment` writes a moment down as its reader knows it: in their own time zone. `currency` is that of amounts
    whose own did not change, and so was not written down.
    """
    before, after = (_in_money(without_secrets(side or {}), currency) for side in (before, after))
    found = []
    for name in {**before, **after}:
        old, new = before.get(name), after.get(name)
        if isinstance(old, list) and isinstance(new, list):
            old, new = [one for one in old if one not in new], [one for one in new if one not in old]
        found.append(Change(field_label(name), _word(old, longest, moment), _word(new, longest, moment)))
    return found


def _in_money(told: dict[str, Any], usual: str) -> dict[str, Any]:
    """An amount and its currency as one sum, as everywhere else; what cannot be read as one stays as it is."""
    amount, currency = told.get("amount_minor"), told.get("currency", usual)
    if not isinstance(amount, int) or currency not in CURRENCIES:
        return told
    rest = {name: value for name, value in told.items() if name != "currency"}
    return rest | {"amount_minor": format_money(amount, str(currency))}


def _word(value: Any, longest: int, moment: Callable[[datetime], str]) -> str:
    if value is None or value == "" or value == []:
        return ""
    if isinstance(value, bool):
        text = _("yes") if value else _("no")
    elif isinstance(value, str) and _MOMENT.fullmatch(value):
        text = moment(datetime.fromisoformat(value))
    elif isinstance(value, list) and all(isinstance(one, str) for one in value):
        text = ", ".join(value)
    elif isinstance(value, list | dict):
        text = json.dumps(value, ensure_ascii=False)
    else:
        text = str(value)
    return text if len(text) <= longest else f"{text[: longest - 3]}…"
