"""Idempotency keys: the first answer to a key is kept for a day and given again.

Rules: https://docs.stripe.com/api/idempotent_requests. Kept are answers of requests that began to
act, refusals by the card and faults included; not kept are refusals for wrong parameters.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field

from app.sandbox.stripe.errors import Conflict, InvalidRequest, KeyReused
from app.sandbox.stripe.forms import Raw
from app.sandbox.stripe.work import Account

LONGEST_KEY = 255
KEPT_FOR = 24 * 3600


@dataclass(frozen=True)
class Answer:
    """An HTTP answer: the body is the exact text."""

    status: int
    body: str
    request_id: str
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Keys:
    """The keys of one account. Those in use are in memory only: a restart ends the requests too."""

    account: Account
    in_use: set[str] = field(default_factory=set)

    def begin(self, key: str, path: str, raw: dict[str, Raw]) -> Answer | None:
        """Take a key into use, or give the kept answer. Raises when it is misused or in use."""
        if len(key) > LONGEST_KEY:
            raise InvalidRequest(f"Idempotency keys can be at most {LONGEST_KEY} characters long.")
        row = self.account.store.db.execute(
            "SELECT * FROM keys WHERE key = ? AND created > ?", (key, self.account.clock.now() - KEPT_FOR)
        ).fetchone()
        if row is not None:
            _same(row["path"], row["fingerprint"], key, path, raw)
            headers = {"Idempotent-Replayed": "true", "Original-Request": row["request_id"]}
            return Answer(row["status"], row["body"], row["request_id"], headers)
        if key in self.in_use:
            raise Conflict(
                f"Another request with the idempotency key '{key}' is still running. "
                "Wait for it, then send this one again.",
                code="idempotency_key_in_use",
            )
        self.in_use.add(key)
        return None

    def keep(self, key: str, path: str, raw: dict[str, Raw], answer: Answer) -> None:
        """Keep an answer; call this in the transaction of its effects."""
        now = self.account.clock.now()
        self.account.store.db.execute("DELETE FROM keys WHERE created <= ?", (now - KEPT_FOR,))
        self.account.store.db.execute(
            "INSERT OR REPLACE INTO keys (key, path, fingerprint, request_id, status, body, created)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (key, path, fingerprint(raw), answer.request_id, answer.status, answer.body, now),
        )

    def end(self, key: str) -> None:
        """The request is over."""
        self.in_use.discard(key)


def fingerprint(raw: dict[str, Raw]) -> str:
    """A digest of the parameters, whatever their order."""
    return hashlib.sha256(json.dumps(raw, sort_keys=True).encode()).hexdigest()


def _same(old_path: str, old_fingerprint: str, key: str, path: str, raw: dict[str, Raw]) -> None:
    if old_path != path:
        raise KeyReused(
            "Keys for idempotent requests can only be used for the same endpoint they were first used for "
            f"('{old_path}'). Use a key other than '{key}' for a different request.",
        )
    if old_fingerprint != fingerprint(raw):
        raise KeyReused(
            "Keys for idempotent requests can only be used with the parameters they were first used with. "
            f"Use a key other than '{key}' for a different request.",
        )
