"""The embedded store on disk, and what the S3 adapter asks of an S3 (by botocore's own description of it)."""

import asyncio
import io
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.exceptions import ClientError
from botocore.response import StreamingBody
from botocore.stub import Stubber

from app.config import Config
from app.core.errors import NotFound
from app.gateways import storage
from app.gateways.storage import DiskStorage, Missing, S3Storage


async def read(store: storage.Storage, key: str, start: int, end: int) -> bytes:
    return b"".join([piece async for piece in store.open(key, start, end)])


@pytest.fixture
def disk(tmp_path: Path) -> DiskStorage:
    return DiskStorage(tmp_path / "files")


async def test_what_is_put_can_be_read_in_parts_and_deleted(disk: DiskStorage) -> None:
    content = os.urandom(storage.CHUNK * 2 + 17)
    source = io.BytesIO(content)
    source.read()  # wherever the reader before us stopped
    await disk.put("video/ab/x.webm", source, content_type="video/webm")
    assert not source.closed
    assert await disk.size("video/ab/x.webm") == len(content)
    assert await read(disk, "video/ab/x.webm", 0, len(content) - 1) == content
    middle = await read(disk, "video/ab/x.webm", storage.CHUNK - 1, storage.CHUNK + 1)
    assert middle == content[storage.CHUNK - 1 : storage.CHUNK + 2]
    await disk.delete("video/ab/x.webm")
    await disk.delete("video/ab/x.webm")
    assert await disk.size("video/ab/x.webm") is None
    with pytest.raises(Missing):
        await read(disk, "video/ab/x.webm", 0, 1)


class Breaking(io.BytesIO):
    """A source that fails after a while, as a full disk or a dropped mount would."""

    def read(self, size: int | None = -1) -> bytes:
        if self.tell() > 0:
            raise OSError("gone")
        return super().read(10)


async def test_a_write_that_fails_leaves_nothing(disk: DiskStorage, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="gone"):
        await disk.put("image/ab/x.png", Breaking(b"x" * 100), content_type="image/png")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


async def test_a_key_cannot_lead_out_of_the_folder(disk: DiskStorage) -> None:
    for key in ("../x", "/etc/passwd", "a/../../x", ".parts/x", "a\x00b"):
        with pytest.raises(ValueError, match=r"not a key|null"):
            await disk.put(key, io.BytesIO(b"x"), content_type="image/png")


async def test_halves_of_killed_writes_are_swept_once_they_are_old(disk: DiskStorage, tmp_path: Path) -> None:
    parts = tmp_path / "files" / ".parts"
    parts.mkdir(parents=True)
    (parts / "old").write_bytes(b"half")
    (parts / "new").write_bytes(b"half")
    os.utime(parts / "old", (1, 1))
    assert await disk.tidy(timedelta(days=1)) == 1
    assert [path.name for path in parts.iterdir()] == ["new"]


async def test_halves_that_are_finished_while_they_are_swept_are_no_error(
    disk: DiskStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = tmp_path / "files" / ".parts"
    parts.mkdir(parents=True)
    (parts / "old").write_bytes(b"half")
    os.utime(parts / "old", (1, 1))
    monkeypatch.setattr(Path, "glob", lambda folder, _pattern: iter([folder / "finished", folder / "old"]))
    assert await disk.tidy(timedelta(days=1)) == 1


async def test_nothing_lies_under_a_key_until_all_of_it_is_on_the_disk(
    disk: DiskStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "files/a/x"

    class Looking(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            assert not path.exists()
            return super().read(4)

    synced: list[tuple[bool, int]] = []

    def note(descriptor: int) -> None:
        synced.append((path.exists(), os.fstat(descriptor).st_size))

    monkeypatch.setattr(os, "fsync", note)
    await disk.put("a/x", Looking(b"x" * 20), content_type="video/webm")
    assert synced[0] == (False, 20), "first the whole file …"
    assert synced[1][0], "… then its name"


async def test_what_ends_too_early_is_missing(disk: DiskStorage) -> None:
    await disk.put("a/x", io.BytesIO(b"half"), content_type="video/webm")
    assert await read(disk, "a/x", 0, 3) == b"half"
    with pytest.raises(Missing):
        await read(disk, "a/x", 0, 7)


async def test_each_folder_on_the_way_survives_a_power_cut(
    disk: DiskStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(storage, "_sync_folder", synced.append)
    await disk.put("video/ab/x", io.BytesIO(b"x"), content_type="video/webm")
    assert synced == [tmp_path / "files/video/ab", tmp_path / "files/video", tmp_path / "files"]


async def test_an_answer_begins_once_the_first_piece_is_there(disk: DiskStorage) -> None:
    content = os.urandom(storage.CHUNK + 1)
    await disk.put("a/x", io.BytesIO(content), content_type="video/webm")
    pieces = await storage.once_begun(disk.open("a/x", 0, len(content) - 1))
    assert b"".join([piece async for piece in pieces]) == content
    with pytest.raises(NotFound):
        await storage.once_begun(disk.open("a/y", 0, 0))


def test_the_vendor_is_chosen_when_its_endpoint_is_set(tmp_path: Path) -> None:
    settings = {"DATA_DIR": str(tmp_path), "R2_BUCKET": "school", "R2_ENDPOINT": "https://acc.r2.example",
                "R2_ACCESS_KEY_ID": "id", "R2_SECRET_ACCESS_KEY": "key"}  # fmt: skip
    assert isinstance(storage.choose(Config.from_env(settings)), S3Storage)
    assert isinstance(storage.choose(Config.from_env({"DATA_DIR": str(tmp_path)})), DiskStorage)


@pytest.fixture
def s3() -> S3Storage:
    return S3Storage(
        endpoint="https://acc.r2.example",
        access_key_id="id",
        secret_access_key="key",
        bucket="school",
        public_url="https://cdn.example/",
    )


@pytest.fixture
def asked(s3: S3Storage) -> Iterator[Stubber]:
    with Stubber(s3.client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


async def test_s3_is_given_the_file_with_its_type_and_no_unasked_checksum(s3: S3Storage) -> None:
    sent = {}

    def note(request, **_kwargs):  # type: ignore[no-untyped-def]
        sent.update(url=request.url, method=request.method, headers={k.lower(): v for k, v in request.headers.items()})

    s3.client.meta.events.register("before-send.s3.PutObject", note)
    s3.client.meta.events.register("before-send.s3.PutObject", lambda **_k: _ok())
    source = io.BytesIO(b"hello")
    await s3.put("image/ab/x.png", source, content_type="image/png")
    assert not source.closed
    assert sent["method"] == "PUT"
    assert sent["url"] == "https://acc.r2.example/school/image/ab/x.png"
    assert sent["headers"]["content-type"] == b"image/png"
    assert not [name for name in sent["headers"] if name.startswith(("x-amz-checksum", "x-amz-trailer"))]
    assert b"/auto/s3/aws4_request" in sent["headers"]["authorization"]


def _ok():  # type: ignore[no-untyped-def]
    from botocore.awsrequest import AWSResponse

    class Raw:
        def stream(self, **_kwargs):  # type: ignore[no-untyped-def]
            return iter([b""])

        def read(self):  # type: ignore[no-untyped-def]
            return b""

    return AWSResponse("https://acc.r2.example", 200, {}, Raw())


async def test_s3_is_asked_for_a_range_and_says_what_is_missing(s3: S3Storage, asked: Stubber) -> None:
    body = StreamingBody(io.BytesIO(b"cde"), 3)
    asked.add_response("get_object", {"Body": body}, {"Bucket": "school", "Key": "k", "Range": "bytes=2-4"})
    asked.add_client_error("get_object", "NoSuchKey", http_status_code=404)
    asked.add_response("head_object", {"ContentLength": 9}, {"Bucket": "school", "Key": "k"})
    asked.add_client_error("head_object", "404", http_status_code=404)
    asked.add_response("delete_object", {}, {"Bucket": "school", "Key": "k"})
    asked.add_response("get_object", {"Body": StreamingBody(io.BytesIO(b"cde"), 3)})
    assert await read(s3, "k", 2, 4) == b"cde"
    with pytest.raises(Missing):
        await read(s3, "k", 0, 1)
    assert await s3.size("k") == 9
    assert await s3.size("k") is None
    await s3.delete("k")
    with pytest.raises(Missing):
        await read(s3, "k", 2, 9)


async def test_a_store_that_refuses_or_is_away_is_not_one_that_has_lost_a_file(s3: S3Storage, asked: Stubber) -> None:
    for status in (403, 503):
        asked.add_client_error("get_object", "No", http_status_code=status)
        with pytest.raises(ClientError):
            await read(s3, "k", 0, 1)
        asked.add_client_error("head_object", "No", http_status_code=status)
        with pytest.raises(ClientError):
            await s3.size("k")
    asked.add_response(
        "list_multipart_uploads",
        {"Uploads": [{"Key": "k", "UploadId": "1", "Initiated": datetime(2020, 1, 1, tzinfo=UTC)}]},
    )
    asked.add_client_error("abort_multipart_upload", "No", http_status_code=403)
    with pytest.raises(ClientError):
        await s3.tidy(timedelta(days=1))


async def test_a_store_that_nobody_reaches_is_away() -> None:
    nowhere = S3Storage(endpoint="http://127.0.0.1:9", access_key_id="i", secret_access_key="k", bucket="b")
    nowhere.client.meta.events.register("needs-retry.s3", lambda **_: False, unique_id="first")
    with pytest.raises(Exception, match="Could not connect") as refused:
        await nowhere.size("k")
    assert storage.is_away(refused.value)
    assert not storage.is_away(OSError("no space")) and not storage.is_away(Missing("k"))


async def test_s3_forgets_uploads_that_were_never_finished(s3: S3Storage, asked: Stubber) -> None:
    now = datetime.now(UTC)
    uploads = [
        {"Key": "old", "UploadId": "1", "Initiated": now - timedelta(days=2)},
        {"Key": "new", "UploadId": "2", "Initiated": now},
        {"Key": "finished", "UploadId": "3", "Initiated": now - timedelta(days=2)},
        {"Key": "older", "UploadId": "4", "Initiated": now - timedelta(days=3)},
    ]
    asked.add_response("list_multipart_uploads", {"Uploads": uploads, "IsTruncated": False}, {"Bucket": "school"})
    asked.add_response("abort_multipart_upload", {}, {"Bucket": "school", "Key": "old", "UploadId": "1"})
    asked.add_client_error("abort_multipart_upload", "NoSuchUpload", http_status_code=404)
    asked.add_response("abort_multipart_upload", {}, {"Bucket": "school", "Key": "older", "UploadId": "4"})
    assert await s3.tidy(timedelta(days=1)) == 2


def test_s3_signs_addresses_both_ways(s3: S3Storage) -> None:
    address = s3.address(
        "video/a b.webm", expires=timedelta(minutes=5), file_name="Où – “1”.webm", content_type="video/webm"
    )
    assert address is not None
    parts, query = urlsplit(address), parse_qs(urlsplit(address).query)
    assert (parts.netloc, parts.path) == ("acc.r2.example", "/school/video/a%20b.webm")
    assert query["X-Amz-Expires"] == ["300"]
    assert query["response-content-type"] == ["video/webm"]
    assert query["response-content-disposition"][0].startswith('inline; filename="O_')
    put = s3.presign_put("image/x.png", content_type="image/png", size=12, expires=timedelta(minutes=5))
    assert put is not None
    signed = parse_qs(urlsplit(put.url).query)["X-Amz-SignedHeaders"][0].split(";")
    assert {"content-length", "content-type", "host"} <= set(signed)
    assert put.headers == {"Content-Type": "image/png", "Content-Length": "12"}
    assert s3.public_address("image/x.png") is None, "a public address opens a bucket as a whole"


async def test_what_anyone_may_see_lies_in_a_bucket_of_its_own() -> None:
    s3 = S3Storage(
        endpoint="https://acc.r2.example",
        access_key_id="id",
        secret_access_key="key",
        bucket="school",
        public_bucket="shown",
        public_url="https://cdn.example/",
    )
    sold, shown = (s3.place("image/a b.png", is_public=is_public) for is_public in (False, True))
    assert (sold, shown) == ("image/a b.png", "public/image/a b.png")
    assert s3.public_address(sold) is None
    assert s3.public_address(shown) == "https://cdn.example/public/image/a%20b.png"
    with Stubber(s3.client) as asked:
        for key, bucket in ((sold, "school"), (shown, "shown")):
            asked.add_response("head_object", {"ContentLength": 9}, {"Bucket": bucket, "Key": key})
            asked.add_response("delete_object", {}, {"Bucket": bucket, "Key": key})
            asked.add_response(
                "get_object",
                {"Body": StreamingBody(io.BytesIO(b"x"), 1)},
                {"Bucket": bucket, "Key": key, "Range": "bytes=0-0"},
            )
            assert await s3.size(key) == 9
            await s3.delete(key)
            assert await read(s3, key, 0, 0) == b"x"
            signed = s3.address(key, expires=timedelta(minutes=1), file_name="x", content_type="image/png")
            assert urlsplit(signed or "").path.startswith(f"/{bucket}/")
        for bucket in ("school", "shown"):
            asked.add_response("list_multipart_uploads", {"Uploads": [], "IsTruncated": False}, {"Bucket": bucket})
        assert await s3.tidy(timedelta(days=1)) == 0
        asked.assert_no_pending_responses()


def test_without_such_a_bucket_a_key_that_sounds_like_one_is_private(s3: S3Storage) -> None:
    assert s3.place("image/x.png", is_public=True) == "image/x.png"
    assert s3.public_address("public/image/x.png") is None


def test_a_disposition_survives_any_name() -> None:
    for name in ('a"b.png', "a\r\nX: y", "ünï.png", "../../x", ""):
        header = storage.disposition(name, inline=True)
        assert "\r" not in header
        assert "\n" not in header
        assert header.isascii()
        assert header.count('"') == 2


async def test_a_put_that_was_given_up_is_whole_or_absent(disk: DiskStorage) -> None:
    task = asyncio.ensure_future(disk.put("a/x", io.BytesIO(b"x" * 5_000_000), content_type="video/webm"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await disk.size("a/x") in (None, 5_000_000)
