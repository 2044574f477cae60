"""Transactional mail: one row a fact, delivered by the worker.

`await mail.send(to, "welcome", {...}, fact="welcome:42")` inside the transaction that makes the fact true
writes the row and its job. The same fact is never mailed twice. Once the mail is sent the row's `context` is
emptied, since links in it are secrets; recipient and subject stay.
"""

import asyncio
import time
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol

from app.core import clock, db, queue, reach
from app.core.errors import Unavailable
from app.core.ids import public_id


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes along: its content, small, since it waits in the database, or where it is read when the mail goes
    (`source`, "kind:name"; see `attached_from`).
    """

    name: str
    media_type: str
    content: bytes = field(default=b"", repr=False)
    source: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """A rendered message, ready for a mailer. `message_id` is stable over retries."""

    message_id: str
    sender: str
    to: str
    subject: str
    html: str
    text: str
    tag: str
    # Where an answer goes, if not to the sender.
    reply_to: str = ""
    attachments: tuple[Attachment, ...] = ()


class Mailer(Protocol):
    """What delivers a message; `app.gateways.mailer` has the vendors. Returns the vendor's id."""

    async def send(self, message: Message) -> str: ...


@dataclass(frozen=True, slots=True)
class Rendered:
    """What a template makes of its context."""

    subject: str
    html: str
    text: str


@dataclass(slots=True)
class _Wiring:
    render: Callable[[str, Mapping[str, Any]], Awaitable[Rendered]]
    mailer: Mailer
    sender: Callable[[], Awaitable[str]]


_wiring: _Wiring | None = None
_sources: dict[str, Callable[[str], Awaitable[bytes | None]]] = {}


def attached_from(kind: str, read: Callable[[str], Awaitable[bytes | None]]) -> None:
    """Say who reads the attachments with a `source` of this kind; None is read for a file that is gone."""
    _sources[kind] = read


def configure(
    *,
    render: Callable[[str, Mapping[str, Any]], Awaitable[Rendered]],
    mailer: Mailer,
    sender: Callable[[], Awaitable[str]],
) -> None:
    """Say how templates are rendered, who delivers and in whose name; called once by create_app()."""
    global _wiring
    _wiring = _Wiring(render, mailer, sender)


# Under this name the context keeps what is not for the template.
_ALONG = "_along"


async def send(
    to: str,
    template: str,
    context: Mapping[str, Any],
    *,
    fact: str,
    reply_to: str = "",
    attachments: Sequence[Attachment] = (),
) -> bool:
    """Queue one mail in the current transaction. False when this fact was mailed (or is being) already.

    `template` names `templates/<domain>/mail/<name>` as `domain/name`; `context` must be JSON.
    """
    along = {
        "reply_to": reply_to,
        "attachments": [
            [each.name, each.media_type, b64encode(each.content).decode(), each.source] for each in attachments
        ],
    }
    async with db.transaction():
        mail_id = await db.value(
            """
            INSERT INTO mails (public_id, fact, recipient, template, context, state, created_at)
            VALUES (:public_id, :fact, :to, :template, CAST(:context AS jsonb), 'queued', :now)
            ON CONFLICT (fact) DO NOTHING RETURNING id
            """,
            public_id=public_id(),
            fact=fact,
            to=to,
            template=template,
            context={**context, _ALONG: along} if reply_to or attachments else dict(context),
            now=clock.now(),
        )
        if mail_id is None:
            return False
        await queue.enqueue(deliver_mail, mail_id=mail_id)
        return True


# With the queue's waiting times these last about four hours: a mail server that is away for one loses nothing.
_ATTEMPTS = 20


async def _attached(kept: Sequence[Sequence[str]]) -> tuple[Attachment, ...]:
    found = []
    for name, media_type, content, source in kept:
        kind, _colon, place = source.partition(":")
        read = b64decode(content) if not source else await _sources[kind](place)
        if read is not None:
            found.append(Attachment(name, media_type, read))
    return tuple(found)


# A try that was cut off may be under way still, in a worker that was taken for dead: the next one gives it these seconds to
# say what came of it.
_BENEFIT_OF_DOUBT = 5.0
# What went out and is not known to have gone would go out again: while the database is away it is told for so many seconds,
# so far apart.
_INSISTENCE, _PAUSE = 120.0, 0.5


@queue.job(attempts=_ATTEMPTS, first_delay=timedelta(seconds=15))
async def deliver_mail(mail_id: int) -> None:
    """Render and hand over one mail. A failure is written to its row; the last one leaves it `failed`.

    Of two workers that have it at once, since one was taken for dead, only the later one may hand it over.
    """
    wiring = _configured()
    row = await _begin(mail_id)
    if row is None:
        return
    await db.release()
    if row.before == "sending":
        await asyncio.sleep(_BENEFIT_OF_DOUBT)
    try:
        message = await _written(wiring, row)
        if not await _is_ours(row):
            return
        await db.release()
        vendor_id = await wiring.mailer.send(message)
    except Exception as error:
        await db.run(
            """
            UPDATE mails SET state = :state, error = :error
            WHERE id = :id AND state = 'sending' AND attempts = :attempts
            """,
            id=mail_id,
            state="failed" if row.attempts >= _ATTEMPTS else "queued",
            error=f"{type(error).__name__}: {error}"[:500],
            attempts=row.attempts,
        )
        raise
    await _insist(lambda: _note_sent(row, message, vendor_id))


def _configured() -> _Wiring:
    if _wiring is None:
        raise RuntimeError("mail is not configured")
    return _wiring


async def _begin(mail_id: int) -> db.Row | None:
    """Count one more try, which ends all others that have not handed the mail over yet. None when it was sent."""
    return await db.one(
        db.Row,
        """
        UPDATE mails m SET attempts = m.attempts + 1, state = 'sending'
        FROM (SELECT id, state FROM mails WHERE id = :id FOR UPDATE) old
        WHERE m.id = old.id AND old.state <> 'sent'
        RETURNING m.id, m.public_id, m.recipient, m.template, m.context, m.attempts, md5(CAST(m.context AS text)) AS digest,
                  old.state AS before
        """,
        id=mail_id,
    )


async def _is_ours(row: db.Row) -> bool:
    """Whether nobody else has begun to send this mail, or sent it, since this try began."""
    sql = "SELECT id FROM mails WHERE id = :id AND state = 'sending' AND attempts = :attempts"
    return await db.value(sql, id=row.id, attempts=row.attempts) is not None


async def _written(wiring: _Wiring, row: db.Row) -> Message:
    along = row.context.pop(_ALONG, {})
    rendered = await wiring.render(row.template, row.context)
    return Message(
        message_id=f"{row.public_id}@lectern",
        sender=await wiring.sender(),
        to=row.recipient,
        subject=rendered.subject,
        html=rendered.html,
        text=rendered.text,
        tag=row.template,
        reply_to=along.get("reply_to", ""),
        attachments=await _attached(along.get("attachments", ())),
    )


async def _note_sent(row: db.Row, message: Message, vendor_id: str) -> None:
    # Whoever it names may have been forgotten while it was under way; then its words are other ones, and its subject goes.
    # They are also gone when another run, whose worker was taken for dead, has sent it; then its subject stands.
    await db.run(
        """
        UPDATE mails SET state = 'sent', sent_at = :now, vendor_id = :vendor_id, error = NULL, context = '{}',
                         subject = CASE WHEN state = 'sent' THEN subject
                                        WHEN md5(CAST(context AS text)) = :digest THEN CAST(:subject AS text)
                                        ELSE '[erased]' END
        WHERE id = :id
        """,
        id=row.id,
        now=clock.now(),
        digest=row.digest,
        subject=message.subject,
        vendor_id=vendor_id,
    )


async def _insist(act: Callable[[], Awaitable[None]]) -> None:
    """Do what may be done twice until the database has answered, or has been away for too long."""
    give_up_at = time.monotonic() + _INSISTENCE
    while True:
        try:
            return await act()
        except Exception as error:
            is_away = isinstance(error, Unavailable) or reach.is_lost(error)
            if not is_away or time.monotonic() > give_up_at:
                raise
        await asyncio.sleep(_PAUSE)


async def retry(mail_public_id: str) -> bool:
    """Queue a failed mail again; False when it is not failed."""
    async with db.transaction():
        mail_id = await db.value(
            "UPDATE mails SET state = 'queued', attempts = 0 WHERE public_id = :id AND state = 'failed' RETURNING id",
            id=mail_public_id,
        )
        if mail_id is None:
            return False
        # A try counts for the mail when its worker dies or the database goes away, and not for the job: that may wait still, as
        # it does once somebody gave it its tries again. Two jobs could send the mail twice.
        await queue.forget_undone(deliver_mail, "mail_id", mail_id)
        await queue.enqueue(deliver_mail, mail_id=mail_id)
        return True
