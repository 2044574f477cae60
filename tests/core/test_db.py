from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest

from app import Lectern
from app.config import Config
from app.core import db, reach
from app.core.errors import Invalid, Unavailable


@dataclass(frozen=True, slots=True)
class Pair:
    a: int
    b: str


async def test_named_binds_become_positional_and_casts_stay(app: Lectern) -> None:
    found = await db.one(Pair, "SELECT CAST(:a AS int) + 1 AS a, ':a'::text || :b AS b -- :c\n", a=1, b="x")
    assert found == Pair(2, ":ax")


async def test_a_missing_or_unknown_bind_is_a_mistake(app: Lectern) -> None:
    with pytest.raises(TypeError):
        await db.value("SELECT CAST(:a AS int)")
    with pytest.raises(TypeError):
        await db.value("SELECT 1", a=1)


async def test_jsonb_comes_and_goes_as_objects(app: Lectern) -> None:
    assert await db.value("SELECT CAST(:x AS jsonb)", x={"a": [1, None]}) == {"a": [1, None]}


async def test_a_nested_transaction_is_a_savepoint(app: Lectern) -> None:
    async with db.transaction():
        await db.run("INSERT INTO settings (name, value) VALUES ('a', '1')")
        with pytest.raises(ValueError, match="inner"):
            async with db.transaction():
                await db.run("INSERT INTO settings (name, value) VALUES ('b', '1')")
                raise ValueError("inner")
    assert await db.value("SELECT count(*) FROM settings WHERE name IN ('a', 'b')") == 1


async def test_an_outside_call_inside_a_transaction_is_refused(app: Lectern) -> None:
    async with db.hold(), db.transaction():
        with pytest.raises(RuntimeError, match="inside a transaction"):
            await db.release()


async def test_statements_are_counted(app: Lectern) -> None:
    with db.count_queries() as count:
        await db.value("SELECT 1")
        await db.run("SELECT 2")
    assert count.total == 2


async def test_a_stream_gives_every_row_in_batches(app: Lectern) -> None:
    rows = [row.n async for row in db.stream(db.Row, "SELECT n FROM generate_series(1, 1234) AS n", batch=100)]
    assert rows == list(range(1, 1235))


async def test_a_nul_in_a_text_is_the_askers_fault(app: Lectern) -> None:
    with pytest.raises(Invalid):
        await db.value("SELECT CAST(:text AS text)", text="a\x00b")
    with pytest.raises(Invalid):
        await db.run("DELETE FROM settings WHERE name = :name", name="\x00")
    assert await db.value("SELECT 1") == 1


async def test_a_request_that_gets_no_connection_is_told_to_come_back(
    app: Lectern, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reach, "PATIENCE", 0.2)
    async with AsyncExitStack() as taken:
        pool = db._database._backend._pool  # type: ignore[union-attr]
        for _ in range(config.database_pool_size):
            await taken.enter_async_context(pool.acquire())
        with pytest.raises(Unavailable):
            await db.value("SELECT 1")
    assert await db.value("SELECT 1") == 1


async def test_a_statement_may_take_as_long_as_its_hold_is_patient(app: Lectern) -> None:
    async with db.hold(patience=0.05):
        with pytest.raises(TimeoutError):
            await db.value("SELECT pg_sleep(3)")
    async with db.hold(patience=60):
        assert await db.value("SELECT 1 FROM pg_sleep(0.1)") == 1
