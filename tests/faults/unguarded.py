"""The product with one protection taken away, for the negative controls: what the harness starts in place of `app`.

`FAULTS_WITHOUT=repeats python -m tests.faults.unguarded web …` is `python -m app web …` that asks nothing twice. The
product knows nothing of it. In-process tests take the same protections away through `monkeypatch.setattr`.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

from pgqueuer.adapters.persistence.qb import ComposedQuery, QueryQueueBuilder

Patch = Callable[[object, str, Any], None]
VARIABLE = "FAULTS_WITHOUT"


def the_lock_of_the_queue(patch: Patch) -> None:
    """Workers take jobs without locking them, or passing by what others have locked."""
    build = QueryQueueBuilder.build_dequeue_query

    def unlocked(self: QueryQueueBuilder, **arguments: Any) -> ComposedQuery:
        made = build(self, **arguments)
        bare = made.sql.replace("FOR UPDATE OF target SKIP LOCKED", "").replace("FOR UPDATE SKIP LOCKED", "")
        assert bare != made.sql, "the queue locks in other words now"
        return ComposedQuery(bare, made.args)

    patch(QueryQueueBuilder, "build_dequeue_query", unlocked)


def repeats(patch: Patch) -> None:
    """A statement that lost its connection is not asked again, and a page that lost it is not drawn again."""
    from quart import Quart

    from app import Lectern
    from app.core import db

    patch(db, "_BROKEN", 1)
    patch(Lectern, "handle_user_exception", Quart.handle_user_exception)


def life_without_redis(patch: Patch) -> None:
    """Whoever finds Redis away fails, and nobody tells the others."""
    from app.core import cache

    async def call(use: Callable[[Any], Awaitable[Any]]) -> Any:
        return None if cache._client is None else await use(cache._client)

    patch(cache, "call", call)


def memory_of_redis(patch: Patch) -> None:
    """Everybody finds out anew that Redis is away, and waits for it."""
    from redis.exceptions import RedisError

    from app.core import cache

    async def call(use: Callable[[Any], Awaitable[Any]]) -> Any:
        try:
            return None if cache._client is None else await use(cache._client)
        except (RedisError, OSError, TimeoutError):
            return None

    patch(cache, "call", call)


def the_inbox(patch: Patch) -> None:
    """A webhook is worked on before it is acknowledged."""
    from app.core import db, webhooks

    kept = webhooks.store

    async def store(provider: str, event_id: str, kind: str, payload: dict[str, Any]) -> bool:
        is_new = await kept(provider, event_id, kind, payload)
        webhook_id = await db.value("SELECT id FROM webhook_events WHERE event_id = :id", id=event_id)
        await webhooks._handlers[provider](webhook_id=webhook_id)
        return is_new

    patch(webhooks, "store", store)


def new_processes(patch: Patch) -> None:
    """A web process that dies is not replaced."""
    from app import __main__ as program

    command = program.server_command

    def mortal(target: str, **place: Any) -> list[str]:
        return [word for word in command(target, **place) if word != "--respawn-failed-workers"]

    patch(program, "server_command", mortal)


def time_to_start(patch: Patch) -> None:
    """Old web processes do not wait for new ones for longer than granian does by itself."""
    from app import __main__ as program

    command = program.server_command

    def hasty(target: str, **place: Any) -> list[str]:
        words = command(target, **place)
        words[words.index("--respawn-interval") + 1] = "3.5"
        return words

    patch(program, "server_command", hasty)


def stamps(patch: Patch) -> None:
    """A page that is sent twice makes two entries."""
    from dataclasses import replace

    from app.formbuilder.answering import submissions

    kept = submissions.submit

    async def submit(form: Any, definition: Any, posted: Any, sender: Any) -> Any:
        return await kept(form, definition, posted, replace(sender, stamp=""))

    patch(submissions, "submit", submit)


def the_outbox(patch: Patch) -> None:
    """Subscribers are told half a second after what happened was kept, by a process that may have died since."""
    import asyncio
    import contextvars
    from dataclasses import asdict

    from app.core import db, events, queue

    under_way = set()

    async def publish(event: Any) -> None:
        async def later() -> None:
            await asyncio.sleep(0.5)
            async with db.transaction():
                await queue.enqueue_named([(name, asdict(event)) for name in events._subscribers.get(type(event), [])])

        task = asyncio.create_task(later(), context=contextvars.Context())
        under_way.add(task)
        task.add_done_callback(under_way.discard)

    patch(events, "publish", publish)


def nothing(patch: Patch) -> None:
    """All stays as it is."""


# Seconds that web processes need to start in these schools, as on a machine that is small and busy.
SLOW_STARTS = {"slow-start": 6.0, "time-to-start": 6.0}

PROTECTIONS: dict[str, Callable[[Patch], None]] = {
    "lock": the_lock_of_the_queue,
    "repeats": repeats,
    "life-without-redis": life_without_redis,
    "memory-of-redis": memory_of_redis,
    "inbox": the_inbox,
    "new-processes": new_processes,
    "stamps": stamps,
    "outbox": the_outbox,
    "slow-start": nothing,
    "time-to-start": time_to_start,
}


def take_away() -> None:
    """Take away what the environment says, if it says something."""
    name = os.environ.get(VARIABLE)
    if name:
        PROTECTIONS[name](setattr)


def take_time() -> None:
    """Start as slowly as the environment says."""
    time.sleep(SLOW_STARTS.get(os.environ.get(VARIABLE, ""), 0.0))


def main() -> int:
    """Run a command of the product without its protection; its web processes too."""
    from app import __main__ as program

    take_away()
    command = program.server_command
    program.server_command = lambda _target, **place: command("tests.faults.unguarded_asgi:app", **place)
    return program.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
