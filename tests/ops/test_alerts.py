from datetime import timedelta

import pytest

from app import Lectern
from app.core import clock, db, queue
from app.ops import alerts
from app.ops.jobs import prune_queue
from tests.office import a_failed_job


async def mails() -> list[str]:
    return [
        row.recipient for row in await db.many(db.Row, "SELECT recipient FROM mails WHERE template = 'ops/failures'")
    ]


async def test_the_owner_is_told_once_a_day_when_a_job_gave_up(app: Lectern) -> None:
    assert not await alerts.tell_owner_of_failures()
    await a_failed_job()
    assert await alerts.tell_owner_of_failures()
    await a_failed_job()
    assert not await alerts.tell_owner_of_failures()
    assert await mails() == ["olga@meridian.example"]
    await queue.drain()
    assert await db.value("SELECT state FROM mails") == "sent"


async def test_what_fails_after_the_mail_of_a_day_is_told_on_the_next(app: Lectern) -> None:
    await a_failed_job()
    assert await alerts.tell_owner_of_failures()
    await a_failed_job()
    with clock.shifted(timedelta(days=1)):
        assert await alerts.tell_owner_of_failures()
        assert not await alerts.tell_owner_of_failures()
    with clock.shifted(timedelta(days=2)):
        assert not await alerts.tell_owner_of_failures(), "told, and nothing else failed"


async def test_what_failed_long_ago_is_not_told_again(app: Lectern) -> None:
    await a_failed_job()
    with clock.shifted(timedelta(days=1)):
        assert not await alerts.tell_owner_of_failures()


async def test_old_jobs_are_forgotten(app: Lectern) -> None:
    await a_failed_job()
    old = await a_failed_job()
    await db.run("UPDATE pgqueuer SET updated = now() - interval '31 days' WHERE id = :id", id=old)
    await prune_queue()
    assert await db.value("SELECT count(*) FROM pgqueuer") == 1


async def test_where_no_owner_is_known_nobody_is_told(app: Lectern, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alerts, "_owner", "")
    await a_failed_job()
    assert not await alerts.tell_owner_of_failures()
    assert await db.value("SELECT count(*) FROM mails") == 0
