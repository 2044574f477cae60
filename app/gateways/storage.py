"""Keeping files: R2 or any S3 in production, a folder on disk otherwise.

A key is chosen by us (`video/7k/7kq….webm`), never by a person. Bytes are written whole or not at all.
"""

import asyncio
import os
import secrets
import sys
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, Protocol
from urllib.parse import quote

import structlog

from app.config import Config
from app.core.errors import NotFound

log = structlog.get_logger()

# What the keys of files in a public bucket begin with.
_PUBLIC = "public/"
CHUNK = 256 * 1024


class Missing(Exception):
    """There are no bytes under this key."""


@dataclass(frozen=True, slots=True)
class PresignedPut:
    """Where and how a browser may send one file by itself: a PUT to `url` with exactly these headers."""

    url: str
    headers: dict[str, str]


class Storage(Protocol):
    """What keeps files."""

    def place(self, name: str, *, is_public: bool) -> str:
        """The key under which a new file of that name is kept."""

    async def put(self, key: str, source: BinaryIO, *, content_type: str) -> None:
        """Keep what `source` holds from its beginning, whole or not at all; closing it is the caller's."""

    def open(self, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        """The bytes from `start` to `end`, both included, a piece at a time. Raises Missing, also when they end before `end`."""

    async def size(self, key: str) -> int | None:
        """How many bytes there are under the key; None when there is nothing."""

    async def delete(self, key: str) -> None:
        """Forget a file; it is no error when it is gone already."""

    def address(
        self, key: str, *, expires: timedelta, file_name: str, content_type: str, inline: bool = True
    ) -> str | None:
        """A signed address that hands the file out by itself, or None when the application must serve the bytes."""

    def public_address(self, key: str) -> str | None:
        """A lasting address for files that anyone may see, or None when the application must serve them."""

    def presign_put(self, key: str, *, content_type: str, size: int, expires: timedelta) -> PresignedPut | None:
        """Leave for a browser to send one file of that size straight here, or None when it must come through us."""

    async def tidy(self, older_than: timedelta) -> int:
        """Remove what unfinished writes left behind that long ago; how many."""


def choose(config: Config) -> Storage:
    """R2 (or another S3) when its endpoint is set, else the folder `files` under the data folder."""
    if config.r2_endpoint:
        return S3Storage(
            endpoint=config.r2_endpoint,
            access_key_id=config.r2_access_key_id,
            secret_access_key=config.r2_secret_access_key.reveal(),
            bucket=config.r2_bucket,
            public_bucket=config.r2_public_bucket,
            public_url=config.cdn_base_url or config.r2_public_url,
        )
    return DiskStorage(config.data_dir / "files")


async def once_begun(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same pieces once the first is there: before an answer begins it is known that the storage has them. Raises NotFound."""
    try:
        first = await anext(pieces, b"")
    except Missing as missing:
        log.error("a file is missing from the storage", key=str(missing))
        raise NotFound from None

    async def rest() -> AsyncIterator[bytes]:
        yield first
        async for piece in pieces:
            yield piece

    return rest()


def is_away(error: BaseException) -> bool:
    """Whether a store over the network does not answer, or says that it cannot now: to be asked again in a while."""
    if "botocore" not in sys.modules:  # loaded with the first S3Storage
        return False
    from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

    if isinstance(error, ClientError):
        return _status(error) >= 500 or _status(error) == 429
    return isinstance(error, (ConnectionError, HTTPClientError))


class DiskStorage:
    """One file a key under a folder: written beside, synced, then renamed into place."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()
        self._parts = self._folder / ".parts"

    def place(self, name: str, *, is_public: bool) -> str:
        return name

    async def put(self, key: str, source: BinaryIO, *, content_type: str) -> None:
        await asyncio.to_thread(self._write, self._path(key), source)

    def _write(self, path: Path, source: BinaryIO) -> None:
        self._parts.mkdir(parents=True, exist_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = self._parts / secrets.token_hex(16)
        try:
            source.seek(0)
            with part.open("xb") as target:
                while piece := source.read(CHUNK):
                    target.write(piece)
                target.flush()
                os.fsync(target.fileno())
            part.rename(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        # A folder that was made for it has to be found again too.
        for folder in (path.parent, *path.parent.parents):
            _sync_folder(folder)
            if folder == self._folder:
                break

    async def open(self, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        try:
            source = await asyncio.to_thread(self._path(key).open, "rb")
        except FileNotFoundError:
            raise Missing(key) from None
        try:
            left = end - start + 1
            await asyncio.to_thread(source.seek, start)
            while left > 0 and (piece := await asyncio.to_thread(source.read, min(CHUNK, left))):
                left -= len(piece)
                yield piece
        finally:
            source.close()
        if left > 0:
            raise Missing(key)

    async def size(self, key: str) -> int | None:
        try:
            return (await asyncio.to_thread(self._path(key).stat)).st_size
        except FileNotFoundError:
            return None

    async def delete(self, key: str) -> None:
        await asyncio.to_thread(self._path(key).unlink, missing_ok=True)

    def address(
        self, key: str, *, expires: timedelta, file_name: str, content_type: str, inline: bool = True
    ) -> str | None:
        return None

    def public_address(self, key: str) -> str | None:
        return None

    def presign_put(self, key: str, *, content_type: str, size: int, expires: timedelta) -> PresignedPut | None:
        return None

    async def tidy(self, older_than: timedelta) -> int:
        return await asyncio.to_thread(self._tidy, time.time() - older_than.total_seconds())

    def _tidy(self, before: float) -> int:
        return sum(_removed_if_older(part, before) for part in self._parts.glob("*"))

    def _path(self, key: str) -> Path:
        path = (self._folder / key).resolve()
        if not path.is_relative_to(self._folder.resolve()) or path.is_relative_to(self._parts.resolve()):
            raise ValueError(f"not a key: {key!r}")
        return path


def _removed_if_older(part: Path, before: float) -> bool:
    """False also for what was finished, and is called otherwise, since the folder was listed."""
    with suppress(FileNotFoundError):
        if part.stat().st_mtime < before:
            part.unlink()
            return True
    return False


def _sync_folder(folder: Path) -> None:
    """Make the new name survive a power cut too; some file systems cannot and say so."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


class S3Storage:
    """Cloudflare R2 or any S3 through boto3 (https://developers.cloudflare.com/r2/api/s3/api/), off the event loop.

    A bucket that has a public address is readable as a whole, so what anyone may see lies in one of its own, where there
    is one; its keys say so, and files that were kept before there was one stay where they are.
    """

    def __init__(
        self,
        *,
        endpoint: str,
        access_key_id: str,
        secret_access_key: str,
        bucket: str,
        public_bucket: str = "",
        public_url: str = "",
    ) -> None:
        # boto3 takes a third of a second to import; only those who use it pay.
        import boto3
        from botocore.config import Config as ClientConfig

        self.client: Any = boto3.client(
            "s3",
            endpoint_url=endpoint,
            aws_access_key_id=access_key_id,
            aws_secret_access_key=secret_access_key,
            region_name="auto",
            config=ClientConfig(
                signature_version="s3v4",
                s3={"addressing_style": "path"},
                retries={"max_attempts": 3, "mode": "standard"},
                connect_timeout=5,
                read_timeout=30,
                # R2 and most others refuse the checksums that boto3 sends unasked since 1.36.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )
        self._bucket, self._public_bucket = bucket, public_bucket
        self._public_url = public_url.rstrip("/")

    def place(self, name: str, *, is_public: bool) -> str:
        return f"{_PUBLIC}{name}" if is_public and self._public_bucket else name

    def _bucket_of(self, key: str) -> str:
        return self._public_bucket if self._public_bucket and key.startswith(_PUBLIC) else self._bucket

    async def put(self, key: str, source: BinaryIO, *, content_type: str) -> None:
        await asyncio.to_thread(self._put, key, source, content_type)

    def _put(self, key: str, source: BinaryIO, content_type: str) -> None:
        source.seek(0)
        # In parts of 8 MB when large; a failed part aborts the whole. boto3 closes what it uploads, and the
        # file is the caller's, hence the wrapper.
        self.client.upload_fileobj(_Open(source), self._bucket_of(key), key, ExtraArgs={"ContentType": content_type})

    async def open(self, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        body = await asyncio.to_thread(self._get, key, start, end)
        left = end - start + 1
        try:
            while piece := await asyncio.to_thread(body.read, CHUNK):
                left -= len(piece)
                yield piece
        finally:
            body.close()
        if left > 0:
            raise Missing(key)

    def _get(self, key: str, start: int, end: int) -> Any:
        try:
            return self.client.get_object(Bucket=self._bucket_of(key), Key=key, Range=f"bytes={start}-{end}")["Body"]
        except self.client.exceptions.ClientError as error:
            if _status(error) == 404:
                raise Missing(key) from None
            raise

    async def size(self, key: str) -> int | None:
        try:
            head = await asyncio.to_thread(self.client.head_object, Bucket=self._bucket_of(key), Key=key)
        except self.client.exceptions.ClientError as error:
            if _status(error) == 404:
                return None
            raise
        return int(head["ContentLength"])

    async def delete(self, key: str) -> None:
        await asyncio.to_thread(self.client.delete_object, Bucket=self._bucket_of(key), Key=key)

    def address(
        self, key: str, *, expires: timedelta, file_name: str, content_type: str, inline: bool = True
    ) -> str | None:
        return str(
            self.client.generate_presigned_url(
                "get_object",
                Params={
                    "Bucket": self._bucket_of(key),
                    "Key": key,
                    "ResponseContentType": content_type,
                    "ResponseContentDisposition": disposition(file_name, inline=inline),
                },
                ExpiresIn=int(expires.total_seconds()),
            )
        )

    def public_address(self, key: str) -> str | None:
        is_there = self._public_url and self._bucket_of(key) != self._bucket
        return f"{self._public_url}/{quote(key)}" if is_there else None

    def presign_put(self, key: str, *, content_type: str, size: int, expires: timedelta) -> PresignedPut | None:
        url = self.client.generate_presigned_url(
            "put_object",
            Params={"Bucket": self._bucket_of(key), "Key": key, "ContentType": content_type, "ContentLength": size},
            ExpiresIn=int(expires.total_seconds()),
        )
        return PresignedPut(str(url), {"Content-Type": content_type, "Content-Length": str(size)})

    async def tidy(self, older_than: timedelta) -> int:
        return await asyncio.to_thread(self._tidy, datetime.now(UTC) - older_than)

    def _tidy(self, before: datetime) -> int:
        return sum(self._tidy_bucket(bucket, before) for bucket in (self._bucket, self._public_bucket) if bucket)

    def _tidy_bucket(self, bucket: str, before: datetime) -> int:
        pages = self.client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket)
        stale = [upload for page in pages for upload in page.get("Uploads", []) if upload["Initiated"] < before]
        return sum(self._abort(bucket, upload["Key"], upload["UploadId"]) for upload in stale)

    def _abort(self, bucket: str, key: str, upload_id: str) -> bool:
        """False when it was finished, or aborted by somebody else, since they were listed."""
        try:
            self.client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload_id)
        except self.client.exceptions.ClientError as error:
            if _status(error) == 404:
                return False
            raise
        return True


class _Open:
    """A file that does not let itself be closed by others."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source

    def read(self, size: int = -1) -> bytes:
        return self._source.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._source.seek(offset, whence)

    def tell(self) -> int:
        return self._source.tell()

    def close(self) -> None:
        pass


def _status(error: Any) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def disposition(file_name: str, *, inline: bool) -> str:
    """The Content-Disposition of a file with any name (RFC 6266: plain ASCII for the old, UTF-8 for the rest)."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "-_. ") else "_" for c in file_name)
    kind = "inline" if inline else "attachment"
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(file_name, safe='')}"
