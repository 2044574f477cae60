"""Races that are run and not left to chance: those who clash wait for each other half-way."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from app.core import db


class Meeting:
    """So many wait here until all have come. Nobody waits for ever: where a lock keeps the others out, they do not come."""

    def __init__(self, count: int, patience: float = 5) -> None:
        self._missing = count
        self._patience = patience
        self._whole = asyncio.Event()

    async def wait(self) -> None:
        """Wait for the others; whoever comes later goes through."""
        self._missing -= 1
        if self._missing <= 0:
            self._whole.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._patience):
                await self._whole.wait()


async def held_up(act: Callable[[], Awaitable[Any]], sweep: Callable[[], Awaitable[Any]]) -> None:
    """Begin the act, let the sweep come upon what it has locked, then let the act end first."""

    async def swept() -> None:
        async with db.hold():
            await sweep()

    async with db.hold(), db.transaction():
        await act()
        sweeping = asyncio.create_task(swept())
        await until_it_waits(sweeping)
    await sweeping


async def until_it_waits(task: "asyncio.Task[Any]") -> bool:
    """Return when the task waits for a lock (True), or is over. Raises TimeoutError when neither has come in 20 s."""
    waits = False
    async with asyncio.timeout(20):
        while not waits and not task.done():
            await asyncio.sleep(0.01)
            waits = await db.value("SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted)")
    return waits
