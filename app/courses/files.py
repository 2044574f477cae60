"""The files of a lesson: film, captions, poster. What was replaced is kept for a day, so that it can be undone."""

import asyncio
from typing import BinaryIO

from app.core import clock, db, queue
from app.core.errors import Conflict, Invalid, NotFound
from app.core.i18n import _
from app.courses import jobs
from app.courses.models import Lesson
from app.courses.queries import lessons as queries
from app.courses.rights import changed, locked_lesson
from app.media import captions, uploads
from app.media.models import Upload
from app.web.request import Visitor

ROLES = ("video", "captions", "poster")
KIND_OF = {"video": "video", "captions": "captions", "poster": "image"}


async def bring(lesson_id: int, role: str, source: BinaryIO, file_name: str, *, by: Visitor) -> tuple[int, int | None]:
    """Keep a file as the film, captions or poster of a lesson, or not at all; its key, and that of the upload before it.

    Raises Invalid or TooLarge, for `file`, and NotFound for a lesson that is gone by now.
    """
    earlier: list[int | None] = []

    async def give(upload: Upload) -> None:
        cues = await asyncio.to_thread(_read_captions, source) if role == "captions" else []
        earlier.append(await _give(lesson_id, role, upload, cues, by=by))

    kept = await uploads.store(source, file_name, kind=KIND_OF[role], owner_id=by.id, then=give)
    return kept.id, earlier[0]


def _read_captions(source: BinaryIO) -> list[dict[str, float | str]]:
    source.seek(0)
    return captions.paragraphs(captions.read(source.read().decode()))


async def attach(lesson_id: int, role: str, upload: Upload | None, *, by: Visitor | None) -> int | None:
    """Give a lesson its film, captions or poster (None takes it away); the key of the upload that it had before.

    A film brings its length, captions become the transcript. Raises Invalid when a published film would go.
    """
    cues = await _transcript(upload) if role == "captions" else []
    return await _give(lesson_id, role, upload, cues, by=by)


async def put_back(lesson_id: int, role: str, upload: Upload, *, instead_of: int | None, by: Visitor | None) -> None:
    """Give a lesson the file again in whose place this key came (None: it was taken away). Twice is once.

    Raises Conflict when somebody has given it another one since.
    """
    cues = await _transcript(upload) if role == "captions" else []
    async with db.transaction():
        _course, lesson = await locked_lesson(lesson_id, by)
        if getattr(lesson, f"{role}_id") not in (instead_of, upload.id):
            raise Conflict(_("This has been changed since. Look at it again."))
        await _give(lesson_id, role, upload, cues, by=by)


async def _give(
    lesson_id: int, role: str, upload: Upload | None, cues: list[dict[str, float | str]], *, by: Visitor | None
) -> int | None:
    async with db.transaction():
        if upload is not None and upload.kind != KIND_OF[role]:
            raise NotFound
        course, lesson = await locked_lesson(lesson_id, by)
        if role == "video" and upload is None and lesson.kind == "video" and lesson.state == "published":
            raise Invalid(_("Learners are watching this film. Upload another one, or make the lesson a draft first."))
        before: int | None = getattr(lesson, f"{role}_id")
        if before == (upload.id if upload else None):
            return None
        await _write(lesson, role, upload, cues)
        await changed(
            course,
            f"lesson.{role}",
            subject=("lesson", lesson.public_id),
            before={role: before},
            after={role: upload.id if upload else None},
            summary=lesson.title,
        )
        if upload is not None:
            # One that was replaced before and is put back has its whole day again once it is replaced anew.
            await queue.forget_undone(jobs.drop_unused_upload, "upload_id", upload.id)
        if before is not None:
            await queue.enqueue(jobs.drop_unused_upload, after=jobs.KEPT, upload_id=before)
    return before


async def _transcript(upload: Upload | None) -> list[dict[str, float | str]]:
    if upload is None:
        return []
    return captions.paragraphs(captions.read((await uploads.read(upload)).decode()))


async def _write(lesson: Lesson, role: str, upload: Upload | None, transcript: list[dict[str, float | str]]) -> None:
    upload_id, now = upload.id if upload else None, clock.now()
    if role == "video":
        seconds = (upload.duration_seconds or 0) if upload else 0
        await queries.set_video(lesson.id, upload_id, seconds, now)
    elif role == "captions":
        await queries.set_captions(lesson.id, upload_id, list(transcript), now)
    else:
        await queries.set_poster(lesson.id, upload_id, now)


async def set_length(lesson_id: int, seconds: int, *, by: Visitor | None) -> None:
    """Say how long the film of a lesson is, when its file does not say so itself. Raises Conflict when it does."""
    if not 0 < seconds < 24 * 3600:
        raise Invalid(_("Write minutes and seconds, such as 18:10."), field="length")
    async with db.transaction():
        course, lesson = await locked_lesson(lesson_id, by)
        film = await uploads.find(lesson.video_id) if lesson.video_id is not None else None
        if film is None:
            raise NotFound
        if film.duration_seconds:  # it came since the page was drawn that asks for the length of another
            raise Conflict(_("This has been changed since. Look at it again."))
        if lesson.duration_seconds == seconds:
            return
        await queries.set_video(lesson_id, film.id, seconds, clock.now())
        await changed(
            course,
            "lesson.length",
            subject=("lesson", lesson.public_id),
            before={"seconds": lesson.duration_seconds},
            after={"seconds": seconds},
            summary=lesson.title,
        )
