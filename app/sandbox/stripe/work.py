"""One piece of work on the account: an API request, a visit to the payment page, or a timer that rang.

Everything that a piece of work reads, writes and announces goes through here, inside one transaction
of the store: an object and the events about it are kept together or not at all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from app.sandbox.stripe import ids
from app.sandbox.stripe.clock import Clock
from app.sandbox.stripe.errors import missing_resource
from app.sandbox.stripe.store import Doc, Store

API_VERSION = "2026-10-28.endive"


@dataclass
class Account:
    """The one Stripe account that this process plays."""

    store: Store
    clock: Clock
    public_url: str
    secret_key: str
    # Called after work that made deliveries or timers, so that the background task looks at once.
    wake: Callable[[], None] = field(default=lambda: None)
    # Identifies the account in its own objects.
    id: str = "acct_1LocalStripe00001"

    def work(self) -> Work:
        """Work that no API request asked for."""
        return Work(self)


@dataclass
class Work:
    """Access to the account on behalf of one request."""

    account: Account
    request_id: str | None = None
    idempotency_key: str | None = None

    @property
    def store(self) -> Store:
        """The account's store."""
        return self.account.store

    @property
    def now(self) -> int:
        """Now, in whole seconds."""
        return self.account.clock.now()

    def insert(self, doc: Doc, *, event: str | None = None, hidden: Doc | None = None) -> Doc:
        """Keep a new object and announce it."""
        self.store.insert(doc, hidden)
        if event is not None:
            self.emit(event, doc)
        return doc

    def find(self, object_id: str, kind: str) -> Doc | None:
        """A living object of that kind, or None."""
        record = self.store.get(object_id)
        if record is None or record.gone or record.doc["object"] != kind:
            return None
        return record.doc

    def get(self, kind: str, object_id: str, param: str | None = "id", *, in_path: bool = False) -> Doc:
        """A living object. Raises Stripe's `resource_missing`: 404 when the path names it, else 400."""
        doc = self.find(object_id, kind)
        if doc is None:
            raise missing_resource(kind, object_id, param, in_path=in_path)
        return doc

    def hidden(self, object_id: str) -> Doc:
        """What is kept about an object without being shown."""
        record = self.store.get(object_id)
        return {} if record is None else record.hidden

    def change(self, doc: Doc, changes: Doc, *, event: str | None = None, absent: tuple[str, ...] = ()) -> Doc:
        """Set fields of an object; `absent` ones are left out rather than null. No change, no event."""
        changed = {**doc, **changes}
        changed = {name: value for name, value in changed.items() if value is not None or name not in absent}
        previous = difference(doc, changed)
        if not previous:
            return doc
        self.store.save(changed)
        if event is not None:
            self.emit(event, changed, previous)
        return changed

    def emit(self, kind: str, doc: Doc, previous: Doc | None = None, *, automatic: bool = False) -> Doc:
        """Record an event with the object as it is now, and queue it for every endpoint that wants it."""
        from app.sandbox.stripe import deliveries

        data: Doc = {"object": doc}
        if previous is not None:
            data["previous_attributes"] = previous
        event: Doc = {
            "id": ids.new("evt"),
            "object": "event",
            "api_version": API_VERSION,
            "created": self.now,
            "data": data,
            "livemode": False,
            "pending_webhooks": 0,
            "request": {
                "id": None if automatic else self.request_id,
                "idempotency_key": None if automatic else self.idempotency_key,
            },
            "type": kind,
        }
        event["pending_webhooks"] = deliveries.queue(self, event)
        self.store.insert(event)
        return event


@dataclass
class Call(Work):
    """Work asked for through the API: with the path's ids and the parameters, already checked for shape."""

    path: str = ""
    ids: dict[str, str] = field(default_factory=dict)
    params: Doc = field(default_factory=dict)

    def named(self, kind: str, param: str = "id", *, path_id: str = "id") -> Doc:
        """The living object that the path names."""
        return self.get(kind, self.ids[path_id], param, in_path=True)

    def referred(self, kind: str, param: str) -> Doc | None:
        """The object that a parameter names, or None when it was not sent."""
        object_id = self.params.get(param)
        return None if object_id is None else self.get(kind, object_id, param)


def difference(old: Doc, new: Doc) -> Doc:
    """The old values of what changed, going into nested hashes, as `previous_attributes` shows them."""
    changed: Doc = {}
    for key in {**old, **new}:
        before, after = old.get(key), new.get(key)
        if before == after and (key in old) == (key in new):
            continue
        if isinstance(before, dict) and isinstance(after, dict) and before.get("object") is None:
            changed[key] = difference(before, after)
        else:
            changed[key] = before
    return changed


def deleted(doc: Doc) -> Doc:
    """What remains to be said of a deleted object."""
    return {"id": doc["id"], "object": doc["object"], "deleted": True}


def picked(params: Doc, *names: str) -> Doc:
    """Those of the named parameters that were sent."""
    return {name: params[name] for name in names if name in params}


def or_none(params: Doc, *names: str) -> Doc:
    """The named parameters, None where not sent."""
    values: dict[str, Any] = {name: params.get(name) for name in names}
    return values
