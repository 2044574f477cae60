"""Turns: a few at a time, in the order of their coming, and nobody waits for one that takes long.

asyncpg's pool serves whoever asks when a connection comes back, also before those who wait, and sends who was woken too
late to the end of the queue; so some requests of a busy process take several times as long as others. And PostgreSQL gets
through more when it is asked by a few at once than by many (docs/performance.md).
"""

import asyncio
from collections import deque


class Turns:
    """So many at once; one that lasts longer than `longest` seconds is not counted from there on."""

    def __init__(self, count: int, longest: float) -> None:
        self.longest = longest
        self._free = count
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def take(self, patience: float) -> "Turn":
        """A turn, to be ended. Raises TimeoutError when none has come in `patience` seconds."""
        if self._free:
            self._free -= 1
        else:
            await self._wait(patience)
        return Turn(self)

    async def _wait(self, patience: float) -> None:
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            async with asyncio.timeout(patience):
                await waiter
        except BaseException:
            if waiter.done() and not waiter.cancelled():  # it came just as it was given up
                self.pass_on()
            raise

    def pass_on(self) -> None:
        """Let the next one go; the last may not overtake those who wait, so a turn is handed over and not set free."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._free += 1


class Turn:
    """One turn that was taken."""

    __slots__ = ("_timer", "_turns")

    def __init__(self, turns: Turns) -> None:
        self._turns: Turns | None = turns
        self._timer = asyncio.get_running_loop().call_later(turns.longest, self.end)

    def end(self) -> None:
        """Over, if it was not before."""
        turns, self._turns = self._turns, None
        if turns is not None:
            self._timer.cancel()
            turns.pass_on()
