import asyncio
import os
import sys
import threading
import time

import pytest
from argon2.low_level import Type

from app.accounts import hashing
from app.core.errors import Unavailable


async def test_a_password_matches_its_hash_and_nothing_else() -> None:
    stored = await hashing.hashed("tide under seven clocks")
    assert stored.startswith("$argon2id$")
    assert await hashing.matches(stored, "tide under seven clocks")
    assert not await hashing.matches(stored, "tide under seven clock")
    assert not await hashing.matches(stored, "")


async def test_the_same_letters_match_however_they_were_typed() -> None:
    stored = await hashing.hashed("Café crème, deux fois")
    assert await hashing.matches(stored, "Cafe\u0301 cre\u0300me, deux fois")


def test_a_password_costs_what_is_recommended(costly_hashes: None) -> None:
    """The first of OWASP's recommendations for argon2id, or more (its Password Storage Cheat Sheet)."""
    hasher = hashing._hasher
    assert hasher.type is Type.ID
    assert hasher.memory_cost >= 46 * 1024
    assert hasher.time_cost >= 1


async def test_nobody_has_the_parameters_of_everybody(costly_hashes: None) -> None:
    assert not hashing.is_outdated(hashing.NOBODY)
    assert not await hashing.matches(None, "nobody")


async def test_no_account_costs_as_much_time_as_a_wrong_password(costly_hashes: None) -> None:
    stored = await hashing.hashed("tide under seven clocks")

    async def cost(of: str | None) -> float:
        begun = time.process_time()  # of this process: what others do meanwhile does not count
        await hashing.matches(of, "something else entirely")
        return time.process_time() - begun

    costs = [(await cost(stored), await cost(None)) for _ in range(5)]
    known, unknown = (min(each) for each in zip(*costs, strict=True))
    assert 0.5 < known / unknown < 2


async def test_the_loop_goes_on_while_a_password_is_hashed(costly_hashes: None) -> None:
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.002)
            ticks += 1

    ticking = asyncio.create_task(tick())
    await hashing.hashed("tide under seven clocks")
    ticking.cancel()
    assert ticks >= 3


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a thread has no niceness of its own")
async def test_pages_go_before_hashes_when_there_are_not_cores_enough() -> None:
    def niceness() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    assert await hashing._beside(niceness) == niceness() + 10


async def test_a_flood_of_sign_ins_is_told_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing, "_LONGEST_QUEUE", 2)
    results = await asyncio.gather(*(hashing.matches(None, "x" * 10) for _ in range(4)), return_exceptions=True)
    assert sum(isinstance(result, Unavailable) for result in results) == 2
    assert [result for result in results if isinstance(result, bool)] == [False, False]


@pytest.mark.parametrize("stored", ["", "plain", "$argon2id$v=19$broken", "$2b$12$abcdefghijklmnopqrstuv"])
async def test_a_broken_hash_matches_nothing(stored: str) -> None:
    assert not await hashing.matches(stored, "anything at all")
