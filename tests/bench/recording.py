"""What a page really does: its statements with their arguments, taken from a request in this process, so that the
count in the table and the page written by hand never drift from the product."""

from __future__ import annotations

import asyncio
import gzip
import multiprocessing
import os
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.load import Request

_HOUSEKEEPING = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "SET ")


@dataclass(frozen=True, slots=True)
class Recording:
    """One request: the statements with their arguments, the page that they made (not compressed)."""

    status: int
    statements: list[tuple[str, tuple[Any, ...]]]
    html: str

    @property
    def queries(self) -> int:
        """How many queries, without the beginnings and ends of transactions."""
        return sum(not text.lstrip().upper().startswith(_HOUSEKEEPING) for text, _ in self.statements)


def record(env: dict[str, str], requests: dict[str, list[Request]]) -> dict[str, Recording]:
    """The last of each page's requests (those before it warm up), in a fresh process with these settings."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_record_all, (env, requests))


def _record_all(env: dict[str, str], requests: dict[str, list[Request]]) -> dict[str, Recording]:
    os.environ.clear()
    os.environ.update(env)
    return asyncio.run(_recorded(env, requests))


async def _recorded(env: dict[str, str], requests: dict[str, list[Request]]) -> dict[str, Recording]:
    from app import create_app, start, stop
    from app.config import Config
    from app.core import db

    # One connection, so that the one which is listened to is the one that is used.
    config = Config.from_env(env | {"DATABASE_POOL_SIZE": "1", "LOG_LEVEL": "ERROR"})
    app = create_app(config)
    await start(config)
    heard: list[tuple[str, tuple[Any, ...]]] = []
    try:
        async with db.raw() as connection:
            connection.add_query_logger(lambda record: heard.append((record.query, tuple(record.args or ()))))
        client = app.test_client(use_cookies=False)
        found: dict[str, Recording] = {}
        for name, several in requests.items():
            for request in several:
                heard.clear()
                answer = await client.open(
                    request.path,
                    method=request.method,
                    headers=request.headers | {"Accept-Encoding": "gzip"},
                    data=request.body or None,
                )
                body = await answer.get_data(as_text=False)
            plain = gzip.decompress(body) if answer.headers.get("Content-Encoding") == "gzip" else body
            found[name] = Recording(answer.status_code, list(heard), plain.decode("utf-8", "replace"))
        return found
    finally:
        await stop()


def save(recordings: dict[str, Recording], path: str) -> None:
    """Leave them for the processes of tests/bench/reference.py."""
    plain = {name: (one.statements, one.html) for name, one in recordings.items()}
    Path(path).write_bytes(pickle.dumps(plain))
