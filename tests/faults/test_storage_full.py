"""A disk without room: nothing half-written stays, and the answer says what is wrong."""

import errno
import io
import logging
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from app import Lectern
from app.config import Config
from app.core import db, log
from app.media import uploads
from tests.cast import Cast
from tests.faults import invariants
from tests.media import files
from tests.school import a_course


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def kept(config: Config) -> list[str]:
    return [path.name for path in (config.data_dir / "files").rglob("*") if path.is_file()]


async def test_an_upload_without_room_leaves_no_row_and_no_file(app: Lectern, config: Config) -> None:
    before = kept(config)
    with no_file_larger_than(64), pytest.raises(OSError, match="too large") as full:
        await uploads.store(io.BytesIO(files.webm()), "film.webm", kind="video", owner_id=None)
    assert full.value.errno == errno.EFBIG
    assert await db.value("SELECT count(*) FROM uploads") == 0
    assert kept(config) == before
    assert invariants.no_half_written_file(config.data_dir / "files") == []


async def test_the_answer_is_507_with_a_page(app: Lectern, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    course, olga = await a_course(), await cast.olga()

    async def no_room(*_arguments: Any, **_more: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(uploads, "_put", no_room)
    from quart.datastructures import FileStorage

    answer = await olga.browser.post(
        f"/admin/courses/{course.public_id}/picture",
        files={"file": FileStorage(io.BytesIO(files.picture()), filename="plate.png")},
    )
    assert answer.status_code == 507
    assert "There is no room left" in await answer.get_data(as_text=True)
    assert await db.value("SELECT count(*) FROM uploads") == 0


def test_a_log_without_room_loses_lines_and_not_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    import structlog

    before, level = structlog.get_config(), logging.getLogger().level
    monkeypatch.setattr(sys, "stderr", Full())
    try:
        log.configure("INFO", as_json=True)
        structlog.get_logger().warning("nobody reads this")
    finally:
        structlog.configure(**before)
        logging.getLogger().setLevel(level)
