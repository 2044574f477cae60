"""Routes that make something, asked twice at once by a double click: the second is led to what the first one made.

Only for those: what sets a value may be done twice, and must be when somebody goes back and forth within seconds.
"""

import asyncio
import hashlib
from typing import Any

import structlog
from quart import Response
from quart.datastructures import FileStorage

from app.core import reach, submissions, tokens
from app.core.errors import Conflict
from app.core.i18n import _
from app.web.current import g, request
from app.web.request import client_address, user

log = structlog.get_logger()


async def take_on() -> Response | None:
    """Claim the form of this request, or answer with where the same form led a moment ago. Raises Conflict."""
    found = await submissions.claim_or_outcome(await _key())
    if isinstance(found, submissions.Claim):
        g.submission = found
        return None
    if found is None:
        raise Conflict(_("This form was sent a moment ago. Look at what came of it before you send it again."))
    return Response("", 303, headers={"Location": found})


async def conclude(response: Response) -> Response:
    """After the handler: remember where it led, or let the form be sent again."""
    claim = g.pop("submission", None)
    if claim is None:
        return response
    try:
        if response.status_code == 303:
            await submissions.finish(claim, response.headers["Location"])
        else:
            await submissions.forget(claim)
    except Exception as error:
        if not reach.is_lost(error):
            raise
        log.warning("a form is not noted as done", error=type(error).__name__)  # what it did is done
    return response


async def _key() -> bytes:
    """Who sends what to where, as nobody can read it; another file under the same name is something else."""
    person = user()
    # A part of a multipart body may have no name at all.
    fields = sorted((str(name), value) for name, value in (await request.form).items(multi=True))
    sent = list((await request.files).items(multi=True))
    files = sorted([(str(name), await asyncio.to_thread(_digest, file)) for name, file in sent])
    who = person.id if person is not None else client_address()
    return tokens.keyed(repr((who, request.full_path, fields, files)))


def _digest(file: FileStorage) -> str:
    stream: Any = file.stream
    digest = hashlib.file_digest(stream, "sha256").hexdigest()
    stream.seek(0)
    return digest
