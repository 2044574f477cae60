"""Turns: a few at a time, in the order of their coming, none lost and none twice."""

import asyncio
import random

import pytest

from app.core import db
from app.core.turns import Turns

PATIENCE = 20.0


async def settle() -> None:
    """Let everything go on that can."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_they_come_in_the_order_of_their_asking() -> None:
    turns = Turns(2, longest=60)
    came: list[int] = []
    first = [await turns.take(PATIENCE), await turns.take(PATIENCE)]

    async def ask(number: int) -> None:
        turn = await turns.take(PATIENCE)
        came.append(number)
        await asyncio.sleep(0)
        turn.end()

    tasks = [asyncio.create_task(ask(number)) for number in range(5)]
    await settle()
    assert came == []
    first[0].end()
    # Whoever asks just when one comes back is behind those who wait.
    tasks.append(asyncio.create_task(ask(5)))
    await asyncio.gather(*tasks)
    assert came == [0, 1, 2, 3, 4, 5]


async def test_never_more_than_there_are_and_none_is_lost_whoever_gives_up() -> None:
    turns = Turns(3, longest=60)
    chance = random.Random(5)
    going = most = 0

    async def ask() -> None:
        nonlocal going, most
        turn = await turns.take(PATIENCE)
        going += 1
        most = max(most, going)
        try:
            await asyncio.sleep(0)
        finally:
            going -= 1
            turn.end()

    tasks = [asyncio.create_task(ask()) for _ in range(200)]
    for _ in range(60):
        await asyncio.sleep(0)
        chance.choice(tasks).cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert most == 3
    # All three are there again.
    again = [await turns.take(0.01) for _ in range(3)]
    with pytest.raises(TimeoutError):
        await turns.take(0.01)
    again[0].end()
    again[0].end()  # once is enough, and twice is once
    await turns.take(0.01)
    with pytest.raises(TimeoutError):
        await turns.take(0.01)


async def test_one_that_comes_just_as_it_is_given_up_goes_to_the_next() -> None:
    turns = Turns(1, longest=60)
    first = await turns.take(PATIENCE)
    leaver = asyncio.create_task(turns.take(PATIENCE))
    follower = asyncio.create_task(turns.take(PATIENCE))
    await settle()
    first.end()
    leaver.cancel()
    await settle()
    assert leaver.cancelled()
    assert follower.done()


async def test_nobody_waits_for_one_that_takes_long() -> None:
    turns = Turns(1, longest=0.01)
    slow = await turns.take(PATIENCE)
    turns.longest = 60
    second = await turns.take(PATIENCE)
    slow.end()  # it was over before, and gives nothing to a third
    with pytest.raises(TimeoutError):
        await turns.take(0.01)
    second.end()
    await turns.take(PATIENCE)


async def test_who_waits_for_a_lock_holds_up_nobody(app: object) -> None:
    """More hold a connection and wait than there are turns; a page comes through."""
    holding = [asyncio.Event() for _ in range(5)]
    enough = asyncio.Event()

    async def linger(at_it: asyncio.Event) -> None:
        async with db.transaction():
            await db.value("SELECT 1")
            at_it.set()
            await enough.wait()

    tasks = [asyncio.create_task(linger(at_it)) for at_it in holding]
    await asyncio.gather(*(at_it.wait() for at_it in holding))
    assert await db.value("SELECT 2") == 2
    enough.set()
    await asyncio.gather(*tasks)


async def test_a_turn_is_given_back_with_what_fails(app: object) -> None:
    turns = db._turns
    before = turns._free
    for _ in range(5):
        with pytest.raises(Exception, match="nowhere"):
            await db.value("SELECT * FROM nowhere")
        async with db.hold():
            await db.value("SELECT 1")
            await db.release()
            await db.value("SELECT 1")
            task = asyncio.create_task(db.value("SELECT pg_sleep(10)"))
            await settle()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
    assert turns._free == before
