"""The school's settings in processes that are not told of changes: a worker, a web process without kept pages."""

import time
from collections.abc import Iterator

import pytest

from app import Lectern
from app.core import cache, db, settings


@pytest.fixture
def untold(app: Lectern) -> Iterator[None]:
    settings.follow(is_told=False)
    yield
    settings.drop_copy()


async def change_unheard(name: str) -> None:
    """Another process changes the name, and its word to Redis is lost."""
    await db.run("UPDATE settings SET value = jsonb_set(value, '{name}', to_jsonb(CAST(:name AS text)))", name=name)


async def test_a_change_that_redis_did_not_pass_on_is_seen_after_a_while(
    untold: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.monotonic()
    monkeypatch.setattr(settings, "clock", lambda: now)
    assert (await settings.school()).name == "Meridian"
    await change_unheard("Elsewhere")
    now += settings.LONGEST - 1
    with db.count_queries() as count:
        assert (await settings.school()).name == "Meridian"
    assert count.total == 0, "until then the copy spares a query at each request"
    now += 1.1
    assert (await settings.school()).name == "Elsewhere"
    with db.count_queries() as count:
        assert (await settings.school()).name == "Elsewhere"
    assert count.total == 0


async def test_a_change_that_redis_passes_on_is_seen_at_once(untold: None) -> None:
    assert (await settings.school()).name == "Meridian"
    await change_unheard("Elsewhere")
    await cache.bump("school")
    assert (await settings.school()).name == "Elsewhere"


async def test_while_the_database_is_away_the_last_known_ones_serve_however_old(
    untold: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.monotonic()
    monkeypatch.setattr(settings, "clock", lambda: now)
    assert (await settings.school()).name == "Meridian"

    async def away(*_args: object, **_options: object) -> None:
        raise ConnectionResetError

    now += 3600
    with monkeypatch.context() as broken:
        broken.setattr(db, "value", away)
        assert (await settings.school()).name == "Meridian"
    await change_unheard("Elsewhere")
    assert (await settings.school()).name == "Elsewhere"


async def test_what_a_newer_version_keeps_there_is_passed_over_and_stays(app: Lectern) -> None:
    await settings.save_school(name="Before")
    await db.run("UPDATE settings SET value = value || CAST(:new AS jsonb)", new={"from_tomorrow": 7})
    await settings.save_school(name="After")
    assert (await settings.school()).name == "After"
    assert await db.value("SELECT value -> 'from_tomorrow' FROM settings WHERE name = 'school'") == 7
