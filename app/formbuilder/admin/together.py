"""Two people who build one form: a part that somebody else changed since it was shown is not written over."""

import hashlib
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from app.core.errors import Conflict
from app.core.i18n import _
from app.formbuilder.definition import readings, versions
from app.formbuilder.models import Definition, Form
from app.formbuilder.queries import history
from app.web.request import Visitor

T = TypeVar("T")

_MOST_TRIES = 5


class Meanwhile(Exception):
    """A part was changed between the look at who changed it last and the lock."""


async def again(look_and_keep: Callable[[], Awaitable[T]]) -> T:
    """Do it, and once more with each look that somebody else has overtaken. Raises Conflict when that goes on."""
    for _try in range(_MOST_TRIES):
        try:
            return await look_and_keep()
        except Meanwhile:
            continue
    raise Conflict(_("Somebody else is changing this now. Look at it again."))


def mark(part: Any) -> str:
    """A short text that differs when anything of this JSON does."""
    return hashlib.sha256(json.dumps(part, sort_keys=True, default=str).encode()).hexdigest()[:16]


async def keep(
    form: Form, subject: str, part: Callable[[Definition], Any], change: Callable[[Definition], Definition], *,
    shown: str, words: str, by: Visitor,
) -> str:  # fmt: skip
    """Edit one part, whose page showed the state `shown`. Empty when it is kept; else who changed the part since, and
    nothing is."""

    async def look_and_keep() -> str:
        now = await versions.find(form.public_id)
        last = await history.last_change(form.id, subject)
        theirs = last.name or "…" if last is not None and last.user_id != by.id else ""
        looked_at, stale = mark(part(readings.of(now))), list[str]()

        def edit(now: Definition) -> Definition:
            if mark(part(now)) != looked_at:
                raise Meanwhile
            after = change(now)
            if theirs and shown not in ("", looked_at) and after != now:
                stale.append(theirs)
                return now
            return after

        await versions.edit(form.id, edit, words=words, subject=subject, by=by)
        return stale[0] if stale else ""

    return await again(look_and_keep)
