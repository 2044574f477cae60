"""Where the local Stripe keeps everything: one SQLite file, so that its state survives a restart.

Objects are JSON documents exactly as the API shows them, unexpanded. `hidden` holds what Stripe
knows but does not show (the secret of an endpoint, the test card behind a payment method).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Doc = dict[str, Any]

TABLES = """
CREATE TABLE IF NOT EXISTS objects (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    id      TEXT NOT NULL UNIQUE,
    kind    TEXT NOT NULL,
    created INTEGER NOT NULL,
    gone    INTEGER NOT NULL DEFAULT 0,
    doc     TEXT NOT NULL,
    hidden  TEXT NOT NULL DEFAULT '{}'
);
CREATE INDEX IF NOT EXISTS objects_by_kind ON objects (kind, gone, seq);
CREATE INDEX IF NOT EXISTS objects_by_intent ON objects (kind, json_extract(doc, '$.payment_intent'));
CREATE TABLE IF NOT EXISTS keys (
    key         TEXT PRIMARY KEY,
    path        TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    request_id  TEXT NOT NULL,
    status      INTEGER NOT NULL,
    body        TEXT NOT NULL,
    created     INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS deliveries (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    event    TEXT NOT NULL,
    kind     TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    url      TEXT NOT NULL,
    state    TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'failed')),
    attempts INTEGER NOT NULL DEFAULT 0,
    due      REAL NOT NULL,
    rank     REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (state, due);
CREATE INDEX IF NOT EXISTS deliveries_by_event ON deliveries (event);
CREATE TABLE IF NOT EXISTS attempts (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    delivery INTEGER NOT NULL REFERENCES deliveries (id),
    at       REAL NOT NULL,
    seconds  REAL NOT NULL,
    status   INTEGER,
    answer   TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS attempts_by_delivery ON attempts (delivery);
CREATE TABLE IF NOT EXISTS timers (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    due     REAL NOT NULL,
    kind    TEXT NOT NULL,
    subject TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


@dataclass
class Record:
    """One stored object."""

    doc: Doc
    hidden: Doc
    gone: bool = False


class Store:
    """The file. Every change happens inside `transaction()`, so a crash leaves whole requests only."""

    def __init__(self, path: Path | str) -> None:
        self.db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self.db.row_factory = sqlite3.Row
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.execute("PRAGMA synchronous = NORMAL")
        self.db.executescript(TABLES)

    def close(self) -> None:
        """Close the file."""
        self.db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing. There is no await inside a transaction, so requests cannot interleave."""
        if self.db.in_transaction:
            yield
            return
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.db.execute("ROLLBACK")
            raise
        self.db.execute("COMMIT")

    def insert(self, doc: Doc, hidden: Doc | None = None) -> None:
        """Keep a new object."""
        self.db.execute(
            "INSERT INTO objects (id, kind, created, doc, hidden) VALUES (?, ?, ?, ?, ?)",
            (doc["id"], doc["object"], doc.get("created", 0), json.dumps(doc), json.dumps(hidden or {})),
        )

    def save(self, doc: Doc, hidden: Doc | None = None) -> None:
        """Replace a known object, and what is hidden about it when that is given."""
        self.db.execute("UPDATE objects SET doc = ? WHERE id = ?", (json.dumps(doc), doc["id"]))
        if hidden is not None:
            self.db.execute("UPDATE objects SET hidden = ? WHERE id = ?", (json.dumps(hidden), doc["id"]))

    def bury(self, object_id: str) -> None:
        """Mark an object as deleted; it stays readable for those who ask for it by id."""
        self.db.execute("UPDATE objects SET gone = 1 WHERE id = ?", (object_id,))

    def unbury(self, object_id: str) -> None:
        """Take back a deletion."""
        self.db.execute("UPDATE objects SET gone = 0 WHERE id = ?", (object_id,))

    def get(self, object_id: str) -> Record | None:
        """One object by id, deleted ones too."""
        row = self.db.execute("SELECT doc, hidden, gone FROM objects WHERE id = ?", (object_id,)).fetchone()
        if row is None:
            return None
        return Record(json.loads(row["doc"]), json.loads(row["hidden"]), bool(row["gone"]))

    def find(
        self,
        kind: str,
        where: list[tuple[str, Any]] | None = None,
        *,
        limit: int = -1,
        oldest_first: bool = False,
    ) -> list[Doc]:
        """Living objects of a kind whose conditions (SQL with one `?`, value) all hold, newest first."""
        sql = "SELECT doc FROM objects WHERE kind = ? AND gone = 0"
        values: list[Any] = [kind]
        for condition, value in where or []:
            sql += f" AND {condition}"
            values.extend(value if isinstance(value, tuple) else [value])
        sql += f" ORDER BY seq {'ASC' if oldest_first else 'DESC'} LIMIT ?"
        return [json.loads(row["doc"]) for row in self.db.execute(sql, [*values, limit])]

    def seq_of(self, object_id: str) -> int | None:
        """The place of an object in the order of creation."""
        row = self.db.execute("SELECT seq FROM objects WHERE id = ?", (object_id,)).fetchone()
        return None if row is None else int(row["seq"])

    def setting(self, name: str, default: Any) -> Any:
        """A kept setting."""
        row = self.db.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
        return default if row is None else json.loads(row["value"])

    def keep_setting(self, name: str, value: Any) -> None:
        """Keep a setting over restarts."""
        self.db.execute("INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)", (name, json.dumps(value)))

    def set_timer(self, due: float, kind: str, subject: str) -> None:
        """Have `kind` done to `subject` at the time `due`."""
        self.db.execute("INSERT INTO timers (due, kind, subject) VALUES (?, ?, ?)", (due, kind, subject))
