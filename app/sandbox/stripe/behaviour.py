"""The switches: how the local Stripe misbehaves on request.

`GET /_sandbox/behaviour` shows them, `POST` sets those that are sent (JSON or form), `DELETE` puts
all back to normal. They are kept over a restart.

| switch | meaning |
|---|---|
| `delivery_paused` | true: events wait; false: they go out |
| `delivery_delay` | seconds that each event waits before its first delivery |
| `delivery_copies` | how often each event is delivered (2: every event twice) |
| `delivery_parallel` | how many deliveries to one endpoint are under way at once |
| `delivery_order` | `in_order`, `reversed` or `shuffled`: the last two hold events for `delivery_window` |
| `delivery_window` | seconds during which events are gathered before they go out in the wrong order |
| `delivery_attempts` | how often an event is tried before it is given up |
| `delivery_backoff` | seconds before the first retry; doubles each time, up to a minute |
| `delivery_timeout` | seconds that an endpoint has to answer |
| `api_fault` | `none`, `error` (500, nothing done), `error_kept` (500 that the idempotency key replays), |
|  | `limit` (429), `slow` (answers late), `cut` (done, but the connection breaks before the answer) |
| `api_fault_times` | how many requests it happens to, counting down |
| `api_fault_path` | only requests whose path starts with this |
| `api_fault_seconds` | how late `slow` answers |
| `settle_after` | seconds until a bank debit is settled |
| `refund_after` | seconds until a refund is reported as having reached the card |
| `clock_offset` | seconds by which the local Stripe's clock is ahead (to let sessions expire) |
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from app.sandbox.stripe.store import Store

ORDERS = ("in_order", "reversed", "shuffled")
LEAST = {"delivery_copies": 1, "delivery_parallel": 1, "delivery_attempts": 1}
FAULTS = ("none", "error", "error_kept", "limit", "slow", "cut")


@dataclass(frozen=True)
class Behaviour:
    """The switches with their normal values."""

    delivery_paused: bool = False
    delivery_delay: float = 0.0
    delivery_copies: int = 1
    delivery_parallel: int = 1
    delivery_order: str = "in_order"
    delivery_window: float = 1.0
    delivery_attempts: int = 12
    delivery_backoff: float = 0.5
    delivery_timeout: float = 10.0
    api_fault: str = "none"
    api_fault_times: int = 0
    api_fault_path: str = ""
    api_fault_seconds: float = 2.0
    settle_after: float = 3.0
    refund_after: float = 1.0
    clock_offset: float = 0.0


def current(store: Store) -> Behaviour:
    """The switches as they stand."""
    kept = store.setting("behaviour", {})
    known = {item.name for item in fields(Behaviour)}
    return Behaviour(**{name: value for name, value in kept.items() if name in known})


def change(store: Store, sent: dict[str, Any]) -> Behaviour:
    """Set the sent switches. Raises ValueError with one sentence when a name or value is not known."""
    values = {name: _read(name, value) for name, value in sent.items()}
    # A fault without a count means the next request.
    if values.get("api_fault", "none") != "none" and "api_fault_times" not in values:
        values["api_fault_times"] = 1
    changed = replace(current(store), **values)
    store.keep_setting("behaviour", asdict(changed))
    return changed


def reset(store: Store) -> Behaviour:
    """Back to normal."""
    store.keep_setting("behaviour", {})
    return Behaviour()


def take_fault(store: Store, path: str) -> Behaviour | None:
    """The fault that befalls this request, if any; counts it."""
    behaviour = current(store)
    if behaviour.api_fault == "none" or behaviour.api_fault_times < 1:
        return None
    if not path.startswith(behaviour.api_fault_path):
        return None
    left = behaviour.api_fault_times - 1
    change(store, {"api_fault_times": left, "api_fault": behaviour.api_fault if left else "none"})
    return behaviour


def _read(name: str, value: Any) -> Any:
    normal = getattr(Behaviour(), name, None)
    if normal is None:
        raise ValueError(f"There is no switch called {name}.")
    if isinstance(normal, bool):
        if str(value).lower() not in ("true", "false", "on", "off", "1", "0"):
            raise ValueError(f"{name} must be true or false.")
        return str(value).lower() in ("true", "on", "1")
    if isinstance(normal, str):
        return _text(name, str(value))
    try:
        number = type(normal)(value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be a number.") from error
    if name != "clock_offset" and not LEAST.get(name, 0) <= number <= 100_000:
        raise ValueError(f"{name} must be {LEAST.get(name, 0)} or more.")
    return number


def _text(name: str, value: str) -> str:
    known = {"delivery_order": ORDERS, "api_fault": FAULTS}.get(name)
    if known is not None and value not in known:
        raise ValueError(f"{name} must be one of {', '.join(known)}.")
    return value
