"""Races that are run and not left to chance: those who clash wait for each other half-way."""

import asyncio
import contextlib


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
