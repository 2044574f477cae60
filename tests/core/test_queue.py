import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import timedelta

import asyncpg
import pytest
from pgqueuer.domain.models import Job

from app import Lectern
from app.config import Config
from app.core import db, events, queue
from app.core.queue import running

seen: list[int] = []


@queue.job(attempts=3, first_delay=timedelta(seconds=1))
async def note(number: int) -> None:
    seen.append(number)
    if number == 13:
        raise ValueError("an unlucky number")


@dataclass(frozen=True)
class Rang:
    bell_id: int


@events.on(Rang)
async def hear(event: Rang) -> None:
    seen.append(event.bell_id)


@pytest.fixture(autouse=True)
def forget() -> None:
    seen.clear()


async def test_a_job_becomes_real_only_when_the_transaction_commits(app: Lectern) -> None:
    with pytest.raises(RuntimeError, match="changed my mind"):
        async with db.transaction():
            await queue.enqueue(note, number=1)
            raise RuntimeError("changed my mind")
    async with db.transaction():
        await queue.enqueue(note, number=2)
    await queue.drain()
    assert seen == [2]


async def test_a_failing_job_is_tried_as_often_as_it_says_and_then_held(app: Lectern) -> None:
    await queue.enqueue(note, number=13)
    assert await queue.drain(ignore_delays=True) == 3
    assert seen == [13, 13, 13]
    row = await db.one(db.Row, "SELECT id, status::text AS status, attempts FROM pgqueuer")
    assert row is not None
    assert row.status == "failed"
    assert await queue.requeue(row.id)
    assert await queue.drain(ignore_delays=True) == 3


async def test_a_job_named_once_is_not_added_twice(app: Lectern) -> None:
    await queue.enqueue(note, number=5, once="five")
    await queue.enqueue(note, number=5, once="five")
    await queue.drain()
    assert seen == [5]
    await queue.enqueue(note, number=5, once="five")
    await queue.drain()
    assert seen == [5, 5]


async def test_a_name_is_that_of_one_kind_of_job(app: Lectern) -> None:
    await queue.enqueue(note, number=5, once="five")
    await queue.enqueue_named([("core.deliver_mail", {"mail_id": 5})], once="five")
    assert await db.value("SELECT count(*) FROM pgqueuer") == 2
    assert await queue.is_under_way(note, "five")
    await db.run("UPDATE pgqueuer SET status = 'failed'")
    assert not await queue.is_under_way(note, "five")


async def test_subscribers_hear_an_event_after_the_commit(app: Lectern) -> None:
    async with db.transaction():
        await events.publish(Rang(bell_id=7))
    await queue.drain()
    assert seen == [7]


async def test_publishing_outside_a_transaction_is_refused(app: Lectern) -> None:
    with pytest.raises(RuntimeError, match="outside a transaction"):
        await events.publish(Rang(bell_id=7))


async def test_a_worker_reads_what_was_enqueued(app: Lectern, config: Config) -> None:
    """The worker has connections of its own, without our codecs: it must understand every row."""
    await queue.enqueue(note, number=8)
    connection = await asyncpg.connect(config.database_url.reveal())
    try:
        rows = await connection.fetch("SELECT * FROM pgqueuer")
        (waiting,) = [Job.model_validate(dict(row)) for row in rows]
    finally:
        await connection.close()
    assert waiting.entrypoint == queue.job_name(note)
    assert waiting.headers is None


async def test_a_poison_job_is_held_and_the_queue_moves_on(app: Lectern) -> None:
    for number in (13, 1, 2, 13, 3):
        await queue.enqueue(note, number=number)
    await queue.drain(ignore_delays=True)
    assert [number for number in seen if number != 13] == [1, 2, 3]
    assert seen.count(13) == 6
    assert await db.value("SELECT count(*) FROM pgqueuer WHERE status = 'failed'") == 2
    assert await db.value("SELECT count(*) FROM pgqueuer WHERE status <> 'failed'") == 0


async def test_a_job_that_kills_its_workers_is_held_before_it_kills_another(app: Lectern) -> None:
    await queue.enqueue(note, number=6)
    await _kill_workers_of_all(running._SUSPECT_AFTER)
    await _kill_lone_workers_of_all(running._LONE_DEATHS)
    await queue.drain()
    assert seen == []
    assert await db.value("SELECT count(*) FROM pgqueuer WHERE status = 'queued' AND execute_after > now()") == 1
    await db.run("UPDATE lone_runs SET begun = :n", n=2 * running._LONE_DEATHS)
    await queue.drain(ignore_delays=True)
    assert seen == []
    assert await db.value("SELECT count(*) FROM pgqueuer WHERE status = 'failed'") == 1
    job_id = await db.value("SELECT id FROM pgqueuer")
    assert await queue.requeue(job_id)
    await queue.drain()
    assert seen == [6]


async def test_jobs_that_stood_beside_a_killer_are_done(app: Lectern) -> None:
    """However often their worker died: nobody died while they ran alone."""
    for number in range(3):
        await queue.enqueue(note, number=number)
    await _kill_workers_of_all(50)
    await queue.drain()
    assert sorted(seen) == [0, 1, 2]
    assert await db.value("SELECT count(*) FROM lone_runs") == 0


async def test_a_suspect_runs_while_no_other_job_does(app: Lectern) -> None:
    company, order = running._Company(), []

    async def run(name: str, kind: Callable[[], AbstractAsyncContextManager[bool]]) -> None:
        async with kind() as is_alone:
            order.append(f"{name} {is_alone} begins")
            await asyncio.sleep(0.02)
            order.append(f"{name} ends")

    await asyncio.gather(
        run("a", company.together), run("suspect", company.alone), run("b", company.together), run("c", company.alone)
    )
    assert order[:4] == ["a False begins", "a ends", "suspect True begins", "suspect ends"]
    assert {"b False begins", "c True begins"} <= set(order)
    for name in ("b", "c"):
        at = next(place for place, line in enumerate(order) if line.startswith(name))
        assert order[at + 1] == f"{name} ends"


async def test_a_suspect_does_not_wait_for_ever(app: Lectern, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running._Company, "PATIENCE", 0.05)
    company = running._Company()
    async with company.together(), company.alone() as is_alone:
        assert not is_alone


async def test_a_job_whose_worker_died_once_is_done_by_another(app: Lectern) -> None:
    await queue.enqueue(note, number=6)
    await _kill_workers_of_all(1)
    await queue.drain()
    assert seen == [6]


async def test_a_job_that_was_put_off_has_all_its_tries(app: Lectern) -> None:
    await queue.enqueue(note, number=13)
    await _kill_workers_of_all(running._SUSPECT_AFTER)
    await _kill_lone_workers_of_all(running._LONE_DEATHS)
    await queue.drain()
    assert seen == []
    await queue.drain(ignore_delays=True)
    assert seen == [13, 13, 13]


async def test_what_workers_died_of_before_a_job_was_held_is_not_counted_when_it_is_tried_anew(
    app: Lectern, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone: list[int] = []

    def noted() -> AbstractAsyncContextManager[bool]:
        alone.append(len(seen))
        return running._company.together()

    monkeypatch.setattr(running._company, "alone", noted)
    for number, was_held in ((6, False), (7, True)):
        await queue.enqueue(note, number=number)
        await _kill_workers_of_all(running._SUSPECT_AFTER)
        if was_held:
            await db.run(
                "INSERT INTO pgqueuer_log (job_id, status, priority, entrypoint)"
                " SELECT id, 'failed', 0, entrypoint FROM pgqueuer"
            )
        await queue.drain()
    assert (seen, alone) == ([6, 7], [0])


async def _kill_lone_workers_of_all(times: int) -> None:
    """Every waiting job has been begun alone so often, too."""
    await db.run("INSERT INTO lone_runs (job_id, begun) SELECT id, :times FROM pgqueuer", times=times)


async def _kill_workers_of_all(times: int) -> None:
    """Every waiting job has been begun so often by workers that died, a while ago."""
    await db.run("UPDATE pgqueuer SET created = now() - interval '1 hour'")
    for _time in range(times):
        await db.run(
            "INSERT INTO pgqueuer_log (job_id, status, priority, entrypoint, created)"
            " SELECT id, 'picked', 0, entrypoint, now() - interval '5 minutes' FROM pgqueuer"
        )


async def test_a_job_that_loses_its_database_is_not_to_blame(app: Lectern, monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs through more tries than it has, and is done in the end."""
    lost = 0

    async def unlucky(number: int) -> None:
        nonlocal lost
        lost += 1
        if lost <= 6:
            raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")
        seen.append(number)

    kind = queue.registry[queue.job_name(note)]
    monkeypatch.setitem(queue.registry, kind.name, replace(kind, function=unlucky))
    await queue.enqueue(note, number=4)
    await queue.drain(ignore_delays=True)
    assert seen == [4]


async def test_a_job_that_loses_its_database_each_time_is_held_in_the_end(
    app: Lectern, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unlucky(number: int) -> None:
        seen.append(number)
        raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")

    kind = queue.registry[queue.job_name(note)]
    monkeypatch.setitem(queue.registry, kind.name, replace(kind, function=unlucky))
    await queue.enqueue(note, number=4)
    await queue.drain(ignore_delays=True, limit=100)
    assert len(seen) == kind.attempts + running._LOST_TRIES + kind.attempts
    assert await db.value("SELECT CAST(status AS text) FROM pgqueuer") == "failed"


async def test_waiting_times_grow_to_a_quarter_of_an_hour_and_mail_outlasts_a_server_that_is_away_for_one(
    app: Lectern, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(mail_id: int) -> None:
        raise ValueError("the mail server is away")

    kind = queue.registry["core.deliver_mail"]
    monkeypatch.setitem(queue.registry, kind.name, replace(kind, function=refused))
    await queue.enqueue_named([(kind.name, {"mail_id": 4})])
    waits = []
    for _try in range(kind.attempts - 1):
        await queue.drain(ignore_delays=True, limit=1)
        waits.append(await db.value("SELECT execute_after - updated FROM pgqueuer"))
    assert waits[:3] == [kind.first_delay, kind.first_delay * 2, kind.first_delay * 4]
    assert max(waits) == timedelta(minutes=15)
    assert sum(waits, timedelta()) > timedelta(hours=2)


async def test_tries_that_lost_the_database_are_not_counted_as_the_jobs_own(
    app: Lectern, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost, failed, lost, failed …: it fails as often as it says, however often it lost its database in between."""
    story = ["lost", "lost", "lost", "failed", "lost", "failed", "done"]
    told: list[str] = []

    async def unlucky(number: int) -> None:
        told.append(story[len(told)])
        if told[-1] == "lost":
            raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")
        if told[-1] == "failed":
            raise ValueError("an unlucky number")
        seen.append(number)

    kind = queue.registry[queue.job_name(note)]
    monkeypatch.setitem(queue.registry, kind.name, replace(kind, function=unlucky))
    await queue.enqueue(note, number=4)
    await queue.drain(ignore_delays=True)
    assert told == story
    assert seen == [4]


async def test_the_waiting_time_does_not_grow_with_tries_that_lost_the_database(
    app: Lectern, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = iter(["lost"] * 5 + ["failed"])

    async def unlucky(number: int) -> None:
        if next(story) == "lost":
            raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")
        raise ValueError("an unlucky number")

    kind = queue.registry[queue.job_name(note)]
    monkeypatch.setitem(queue.registry, kind.name, replace(kind, function=unlucky))
    await queue.enqueue(note, number=4)
    await queue.drain(ignore_delays=True, limit=6)
    wait = await db.value("SELECT execute_after - updated FROM pgqueuer")
    assert wait == kind.first_delay


async def test_a_job_that_says_no_number_is_tried_as_often_as_the_settings_say(
    app: Lectern, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unlucky(number: int) -> None:
        seen.append(number)
        raise ValueError("an unlucky number")

    kind = queue.registry[queue.job_name(note)]
    monkeypatch.setitem(queue.registry, kind.name, replace(kind, function=unlucky, own_attempts=None))
    queue.configure(2)
    try:
        await queue.enqueue(note, number=4)
        assert await queue.drain(ignore_delays=True) == 2
    finally:
        queue.configure(5)
    monkeypatch.setitem(queue.registry, kind.name, replace(kind, function=unlucky, own_attempts=3))
    assert queue.registry[kind.name].attempts == 3


async def test_a_requeued_job_begins_with_all_its_tries(app: Lectern, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it lost before it failed for good does not buy it more tries afterwards."""
    story: list[str] = ["lost"] * 2 + ["failed"] * 6

    async def unlucky(number: int) -> None:
        seen.append(number)
        if story.pop(0) == "lost":
            raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")
        raise ValueError("an unlucky number")

    kind = queue.registry[queue.job_name(note)]
    monkeypatch.setitem(queue.registry, kind.name, replace(kind, function=unlucky))
    await queue.enqueue(note, number=4)
    assert await queue.drain(ignore_delays=True) == 2 + kind.attempts
    assert await queue.requeue(await db.value("SELECT id FROM pgqueuer"))
    assert await queue.drain(ignore_delays=True) == kind.attempts
