"""Routes that make something, asked twice at once by a double click: the second is led to what the first one made."""

from quart import Response, g, request

from app.core import submissions, tokens
from app.core.errors import Conflict
from app.core.i18n import _
from app.web.request import client_address, user


async def take_on() -> Response | None:
    """Claim the form of this request, or answer with where the same form led a moment ago. Raises Conflict."""
    key = await _key()
    if await submissions.claim(key):
        g.submission = key
        return None
    location = await submissions.outcome(key)
    if location is None:
        raise Conflict(_("This form was sent a moment ago. Look at what came of it before you send it again."))
    return Response("", 303, headers={"Location": location})


async def conclude(response: Response) -> Response:
    """After the handler: remember where it led, or let the form be sent again."""
    key = g.pop("submission", None)
    if key is not None:
        if response.status_code == 303:
            await submissions.finish(key, response.headers["Location"])
        else:
            await submissions.forget(key)
    return response


async def _key() -> bytes:
    """Who sends what to where, as nobody can read it."""
    person = user()
    fields = sorted((name, value) for name, value in (await request.form).items(multi=True))
    who = person.id if person is not None else client_address()
    return tokens.keyed(repr((who, request.full_path, fields)))
