import asyncio
import io
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from quart.typing import TestClientProtocol

from app import Lectern
from app.config import Config
from app.core import clock, db, queue
from app.core.errors import Invalid, NotFound
from app.gateways.storage import Missing
from app.media import captions, jobs, queries, shelf, uploads
from app.media.models import Upload
from tests.cast import Cast
from tests.media import files


def kept_files(config: Config) -> list[Path]:
    return [path for path in (config.data_dir / "files").rglob("*") if path.is_file()]


@pytest.fixture(autouse=True)
def emptied(app: Lectern, config: Config) -> None:
    for path in kept_files(config):
        path.unlink()


@pytest.fixture(autouse=True)
def free(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file here stands in a free lesson; tests/learning/test_closed_doors.py has the lessons."""

    async def always(upload_id: int) -> bool:
        return True

    monkeypatch.setattr(uploads, "_is_free", always)


async def a_film(owner_id: int | None = None, *, name: str = "Where stops gather.webm") -> Upload:
    return await uploads.store(io.BytesIO(files.webm()), name, kind="video", owner_id=owner_id)


async def test_a_stored_film_is_described_and_there_whole(cast: Cast, config: Config) -> None:
    ines = await cast.ines()
    film = await a_film(ines.id)
    assert (film.file_name, film.content_type, film.duration_seconds) == ("Where-stops-gather.webm", "video/webm", 75)
    assert (film.owner_id, film.is_public, film.size_bytes) == (ines.id, False, len(files.webm()))
    assert await uploads.read(film) == files.webm()
    assert await uploads.find(film.id) == await uploads.find_by_public_id(film.public_id) == film
    assert await uploads.find_many([film.id, 0]) == {film.id: film}
    [path] = kept_files(config)
    assert "stops" not in str(path)
    assert await db.value("SELECT action FROM audit_log WHERE subject_id = :id", id=film.public_id) == "upload.create"


async def test_a_refused_file_leaves_no_row_and_no_bytes(cast: Cast, config: Config) -> None:
    with pytest.raises(Invalid) as refusal:
        await uploads.store(io.BytesIO(b"MZ"), "film.webm", kind="video", owner_id=None, field="video")
    assert refusal.value.field == "video"
    assert await db.value("SELECT count(*) FROM uploads") == 0
    assert kept_files(config) == []


class FullDisk(io.BytesIO):
    """Can be read through twice, for inspection; the third time the disk is full."""

    def read(self, size: int | None = -1) -> bytes:
        if size == 256 * 1024 and self.tell() > 0:
            raise OSError("no space left")
        return super().read(size)


async def test_a_write_that_fails_leaves_no_row_and_no_bytes(cast: Cast, config: Config) -> None:
    with pytest.raises(OSError, match="no space"):
        await uploads.store(FullDisk(files.webm() + bytes(600_000)), "x.webm", kind="video", owner_id=None)
    assert await db.value("SELECT count(*) FROM uploads") == 0
    assert kept_files(config) == []


async def test_an_upload_that_is_given_up_half_way_leaves_no_row_and_no_bytes(cast: Cast, config: Config) -> None:
    source = io.BytesIO(files.webm() + bytes(30_000_000))
    task = asyncio.ensure_future(uploads.store(source, "x.webm", kind="video", owner_id=None))
    while not await db.value("SELECT count(*) FROM uploads"):  # noqa: ASYNC110
        await asyncio.sleep(0)
    assert await uploads.find(await db.value("SELECT id FROM uploads")) is None
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await db.value("SELECT count(*) FROM uploads") == 0
    assert kept_files(config) == []


async def test_bytes_that_a_storage_keeps_although_it_says_no_are_swept(
    cast: Cast, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It took them and answered too late, and was away when they should go again."""
    disk = shelf.storage()
    put = disk.put

    async def late(*arguments: Any, **more: Any) -> None:
        await put(*arguments, **more)
        raise TimeoutError("no answer")

    async def away(key: str) -> None:
        raise ConnectionError("away")

    with monkeypatch.context() as patched:
        patched.setattr(disk, "put", late)
        patched.setattr(disk, "delete", away)
        with pytest.raises(TimeoutError, match="no answer"):
            await a_film()
    assert len(kept_files(config)) == 1
    with clock.shifted(timedelta(days=2)):
        await jobs.sweep_uploads()
    assert kept_files(config) == []
    assert await db.value("SELECT count(*) FROM uploads") == 0


async def test_nobody_sees_a_file_while_its_upload_is_taken_back(
    cast: Cast, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit may come through although we hear that it failed."""
    ines = await cast.ines()
    film = await a_film(ines.id)
    assert await queries.uploads_of(ines.id) == [film]

    async def killed(key: str) -> None:
        assert await uploads.find(film.id) is None
        assert await uploads.find_by_public_id(film.public_id) is None
        assert await uploads.find_many([film.id]) == {}
        assert await queries.uploads_of(ines.id) == []
        raise ConnectionError("away")

    monkeypatch.setattr(shelf.storage(), "delete", killed)
    with pytest.raises(ConnectionError):
        await uploads._undo(film.id, film.storage_key)
    assert await db.value("SELECT state FROM uploads") == "storing"


async def test_a_file_that_was_swept_while_it_was_stored_is_not_kept(
    cast: Cast, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = shelf.storage()
    put = disk.put

    async def slow(*arguments: Any, **more: Any) -> None:
        with clock.shifted(timedelta(days=2)):
            await jobs.sweep_uploads()
        await put(*arguments, **more)

    monkeypatch.setattr(disk, "put", slow)
    with pytest.raises(RuntimeError, match="swept meanwhile"):
        await a_film()
    assert kept_files(config) == []
    assert await db.value("SELECT count(*) FROM audit_log WHERE action = 'upload.create'") == 0


async def test_a_file_is_kept_together_with_its_place_or_not_at_all(cast: Cast, config: Config) -> None:
    placed: list[Upload] = []

    async def place(upload: Upload) -> None:
        placed.append(upload)
        assert db.in_transaction()

    async def gone(upload: Upload) -> None:
        raise NotFound

    picture = files.picture()
    kept = await uploads.store(io.BytesIO(picture), "a.png", kind="image", owner_id=None, then=place)
    assert placed == [kept]
    with pytest.raises(NotFound):
        await uploads.store(io.BytesIO(picture), "a.png", kind="image", owner_id=None, then=gone)
    assert await db.value("SELECT count(*) FROM uploads") == 1
    assert len(kept_files(config)) == 1


async def test_what_a_killed_process_left_is_swept_after_a_day(cast: Cast, config: Config) -> None:
    whole, half = await a_film(), await a_film()
    await db.run("UPDATE uploads SET state = 'storing' WHERE id = :id", id=half.id)
    await jobs.sweep_uploads()
    assert len(kept_files(config)) == 2
    with clock.shifted(timedelta(days=2)):
        await jobs.sweep_uploads()
    assert await db.value("SELECT count(*) FROM uploads") == 1
    assert len(kept_files(config)) == 1
    assert await uploads.read(whole) == files.webm()


async def test_a_removed_file_keeps_its_bytes_until_the_removal_is_certain(cast: Cast, config: Config) -> None:
    film = await a_film()
    with pytest.raises(RuntimeError, match="changed my mind"):
        async with db.transaction():
            await uploads.remove(film.id)
            raise RuntimeError("changed my mind")
    await queue.drain()
    assert await uploads.find(film.id) == film
    await uploads.remove(film.id)
    await uploads.remove(film.id)
    assert await queue.drain() == 1
    assert await uploads.find(film.id) is None
    assert kept_files(config) == []


async def test_bytes_that_a_row_names_are_not_erased(cast: Cast) -> None:
    film = await a_film()
    await jobs.erase_bytes(film.storage_key)
    assert await uploads.read(film) == files.webm()


async def test_a_file_is_found_by_our_own_address_only(cast: Cast) -> None:
    film = await a_film()
    assert await uploads.find_by_address(uploads.address(film)) == film
    for other in (
        f"/static/{film.public_id}/x",
        f"/media/{film.public_id}",
        f"https://a.example/media/{film.public_id}/x",
    ):
        assert await uploads.find_by_address(other) is None


async def test_files_are_not_stored_inside_a_transaction(cast: Cast) -> None:
    with pytest.raises(RuntimeError, match="transaction"):
        async with db.transaction():
            await a_film()


async def test_captions_come_back_as_cues(cast: Cast) -> None:
    kept = await uploads.store(io.BytesIO(files.CAPTIONS.encode()), "en.vtt", kind="captions", owner_id=None)
    assert len(captions.read((await uploads.read(kept)).decode())) == 3


# --- handing out ---


async def test_a_private_file_opens_only_by_its_signed_address(cast: Cast, client: TestClientProtocol) -> None:
    film, other = await a_film(), await a_film()
    address = uploads.address(film)
    answer = await client.get(address)
    assert answer.status_code == 200
    assert await answer.get_data() == files.webm()
    assert answer.headers["Content-Type"] == "video/webm"
    bare = address.partition("?")[0]
    token = address.partition("token=")[2]
    for wrong in (
        bare,
        f"{bare}?token=x",
        f"{bare}?token={token}x",
        f"{uploads.address(other).partition('?')[0]}?token={token}",
    ):
        assert (await client.get(wrong)).status_code == 404
    with clock.shifted(uploads.LIFETIME + timedelta(seconds=1)):
        assert (await client.get(address)).status_code == 403
    assert (await client.get(address.replace("Where-", "There-"))).status_code == 404
    assert (await client.get("/media/nothing/x.webm")).status_code == 404


async def test_a_file_is_only_ever_itself_when_opened(cast: Cast, client: TestClientProtocol) -> None:
    answer = await client.get(uploads.address(await a_film()))
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Disposition"].startswith('inline; filename="Where-stops-gather.webm"')
    assert answer.headers["Cache-Control"].startswith("private, no-cache")
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"


async def test_a_public_picture_is_kept_by_caches_for_good(app: Lectern, client: TestClientProtocol) -> None:
    picture = await uploads.store(io.BytesIO(files.picture()), "näme.png", kind="image", owner_id=None, is_public=True)
    address = uploads.address(picture)
    assert address == f"/media/{picture.public_id}/{quote('näme.png')}"
    answer = await client.get(address)
    assert answer.status_code == 200
    assert "immutable" in answer.headers["Cache-Control"]
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    again = await client.get(address, headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304
    assert await again.get_data() == b""
    # Quart's own test client counts the bytes anew.
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as plain:
        head = await plain.head(address)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Length"] == str(picture.size_bytes)


async def test_a_file_without_its_bytes_is_not_there(cast: Cast, client: TestClientProtocol, config: Config) -> None:
    """Begun, an answer could only be broken off, and a cache might keep what it has of it for a year."""
    film = await a_film()
    [path] = kept_files(config)
    path.write_bytes(files.webm()[:100])
    with pytest.raises(Missing):
        await uploads.read(film)
    path.unlink()
    answer = await client.get(uploads.address(film))
    assert answer.status_code == 404
    assert "immutable" not in answer.headers.get("Cache-Control", "")


async def test_a_film_is_handed_out_in_the_parts_that_a_player_asks_for(cast: Cast, client: TestClientProtocol) -> None:
    film = await a_film()
    address, content, size = uploads.address(film), files.webm(), film.size_bytes

    async def part(header: str, **more: str) -> tuple[int, bytes, str | None]:
        answer = await client.get(address, headers={"Range": header, **more})
        return answer.status_code, await answer.get_data(), answer.headers.get("Content-Range")

    assert await part("bytes=0-") == (206, content, f"bytes 0-{size - 1}/{size}")
    assert await part("bytes=5-9") == (206, content[5:10], f"bytes 5-9/{size}")
    assert await part("bytes=-7") == (206, content[-7:], f"bytes {size - 7}-{size - 1}/{size}")
    assert await part(f"bytes={size}-") == (416, b"", f"bytes */{size}")
    assert (await part("bytes=0-1,4-5"))[0] == 200
    etag = (await client.get(address)).headers["ETag"]
    assert (await part("bytes=5-9", **{"If-Range": etag}))[0] == 206
    assert (await part("bytes=5-9", **{"If-Range": '"older"'}))[0] == 200


async def test_files_in_an_outside_store_are_led_to_with_a_short_signature(
    cast: Cast, client: TestClientProtocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.gateways.storage import S3Storage

    film = await a_film()
    vtt = await uploads.store(io.BytesIO(files.CAPTIONS.encode()), "en.vtt", kind="captions", owner_id=None)
    picture = await uploads.store(io.BytesIO(files.picture()), "a.png", kind="image", owner_id=None, is_public=True)
    disk = shelf.storage()
    outside = S3Storage(endpoint="https://acc.r2.example", access_key_id="i", secret_access_key="k", bucket="b")
    monkeypatch.setattr(outside, "open", disk.open)
    monkeypatch.setattr(shelf, "_storage", outside)
    answer = await client.get(uploads.address(film))
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith(f"https://acc.r2.example/b/{film.storage_key}?")
    assert "X-Amz-Signature=" in answer.headers["Location"]
    # It cannot be taken back, so it lives as long as one viewing of its 75 seconds takes, not as long as ours.
    assert "X-Amz-Expires=1050" in answer.headers["Location"]
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert (await client.get(uploads.address(film).partition("?")[0])).status_code == 404
    address = uploads.address(film)
    with clock.shifted(uploads.LIFETIME - timedelta(seconds=100)):
        expires = (await client.get(address)).headers["Location"].partition("X-Amz-Expires=")[2].partition("&")[0]
        assert 90 <= int(expires) <= 100, "no longer than our own"
    # Without a host of its own a public file is signed for too: whoever keeps the way must not do so for too long.
    assert uploads.address(picture) == uploads.path(picture)
    answer = await client.get(uploads.address(picture))
    assert answer.headers["Cache-Control"] == "private, max-age=1800"
    assert "X-Amz-Expires=3600" in answer.headers["Location"]
    # A track of another host would be refused by the browser.
    assert (await client.get(uploads.address(vtt))).status_code == 200


@pytest.mark.parametrize(("status", "shown"), [(503, 503), (429, 503), (403, 500)])
async def test_an_outside_store_that_is_away_is_said_to_be_so(
    client: TestClientProtocol, monkeypatch: pytest.MonkeyPatch, status: int, shown: int
) -> None:
    from botocore.stub import Stubber

    from app.gateways.storage import S3Storage

    vtt = await uploads.store(io.BytesIO(files.CAPTIONS.encode()), "en.vtt", kind="captions", owner_id=None)
    outside = S3Storage(endpoint="https://acc.r2.example", access_key_id="i", secret_access_key="k", bucket="b")
    monkeypatch.setattr(shelf, "_storage", outside)
    # What goes wrong at the store for other reasons than that is a fault of ours.
    with Stubber(outside.client) as asked:
        asked.add_client_error("get_object", "No", http_status_code=status)
        answer = await client.get(uploads.address(vtt))
    assert answer.status_code == shown
    if shown == 503:
        assert answer.headers["Retry-After"] == "60"
        page = await answer.get_data(as_text=True)
        assert "Files are out of reach" in page and "where files are kept does not answer" in page
