"""Plain data of operations, and what is hidden before it is shown."""

from dataclasses import dataclass
from typing import Any

HIDDEN = "•••"
_SECRET = ("secret", "token", "password", "authorization", "api_key")


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


def changes(before: dict[str, Any] | None, after: dict[str, Any] | None) -> list[Change]:
    """What an audit row says was changed, field by field."""
    before, after = without_secrets(before or {}), without_secrets(after or {})
    return [Change(name, _word(before.get(name)), _word(after.get(name))) for name in {**before, **after}]


def _word(value: Any) -> str:
    if value is None or value == "":
        return ""
    text = value if isinstance(value, str) else str(value)
    return text if len(text) <= 160 else f"{text[:157]}…"
