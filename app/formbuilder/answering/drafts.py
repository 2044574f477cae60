"""Forms that were begun: kept screen by screen, gone on with on another device, forgotten after a month."""

import base64
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

from app.core import clock, db, mail, tokens
from app.core.errors import Conflict, NotFound
from app.core.i18n import _, lazy
from app.formbuilder.answering.stamps import read_stamp
from app.formbuilder.models import Definition, Draft, Form
from app.formbuilder.queries import drafts as queries
from app.formbuilder.queries import forms as form_queries
from app.formbuilder.settings import Setting, Switch
from app.formbuilder.typed_addresses import may_ask

KEPT = timedelta(days=30)
# Reports look back for a year.
LEFT_KEPT = timedelta(days=366)
MOST_MAILS = 3

SETTINGS: tuple[Setting, ...] = (
    Switch(name="resume", label=lazy("People may stop and go on later, by a link that is mailed to them")),
)


def can_resume(definition: Definition) -> bool:
    """Whether people may stop and go on later: as a setting says, or a field that offers it."""
    return bool(definition.settings["resume"]) or any(each.kind == "save_resume" for each in definition.fields)


def token_of(stamp: str) -> str:
    """The token of the draft that a page with this stamp begins: the same page sent twice begins one."""
    return base64.urlsafe_b64encode(tokens.keyed(f"form-draft:{stamp}")).decode().rstrip("=")


async def begin(
    form: Form, texts: Mapping[str, Sequence[str]], step: str, *, stamp: str, user_id: int | None
) -> str:  # fmt: skip
    """Keep what was typed on the first screen; the token to go on with."""
    now, token = clock.now(), token_of(stamp)
    await queries.insert(
        {
            "form_id": form.id,
            "version_id": form.version_id,
            "token_hash": tokens.hashed(token),
            "posted": dict(texts),
            "step": step,
            "user_id": user_id,
            "now": now,
            "expires_at": now + KEPT,
        }
    )
    await queries.come_back(form.id, tokens.hashed(stamp))
    return token


async def leave(form: Form, definition: Definition, stamp: str, field_id: str) -> bool:
    """Note that a page that was touched is left, and at which question; False for a stamp or question that is none.

    Nothing of who it was, nor of what was typed. Sent after all, its entry has the same stamp.
    """
    if read_stamp(stamp) is None or definition.find(field_id) is None:
        return False
    await queries.leave(form.id, tokens.hashed(stamp), field_id, clock.now())
    return True


async def find(slug: str, token: str) -> tuple[Draft, Form]:
    """The draft behind a token and the form that it answers. Raises NotFound for one that is gone."""
    draft = await queries.find(slug, tokens.hashed(token), clock.now())
    form = await form_queries.version_by_id(draft.version_id) if draft is not None else None
    if draft is None or form is None:
        raise NotFound(_("This link is too old, or what was begun here is finished. You can begin anew."))
    return draft, form


async def renew(draft: Draft, form: Form) -> None:
    """Go on with it in the form as it is now."""
    async with db.transaction():
        await queries.set_version(draft.id, form.version_id)


async def keep(
    draft: Draft, change: Callable[[Mapping[str, Sequence[str]]], Mapping[str, Sequence[str]]], step: str
) -> None:  # fmt: skip
    """Keep what was typed, and where to go on. `change` gets what is kept by now: another screen may have been sent from
    another device since this one was drawn. Raises Conflict for one that was sent meanwhile."""
    async with db.transaction():
        locked = await queries.lock(draft.id)
        if locked is None or locked.entry_id is not None:
            raise Conflict(_("This was sent already."))
        now = clock.now()
        await queries.keep(draft.id, change(locked.posted), step, now, now + KEPT)


async def mail_link(draft: Draft, form: Form, email: str, token: str) -> bool:
    """Mail the link that goes on with it. False when it was mailed often enough."""
    again = tokens.keyed(f"{email.lower()} {clock.now():%Y-%m-%d %H}").hex()[:16]
    context = {"form": form.title, "path": f"/forms/{form.slug}/drafts/{token}"}
    async with db.transaction():
        if not await queries.may_mail(draft.id, MOST_MAILS) or not await may_ask(email):
            return False
        # To the same address once an hour, however often the button is pressed.
        if await mail.send(email, "formbuilder/resume", context, fact=f"form-draft:{draft.id}:{again}"):
            await queries.count_mail(draft.id, email)
    return True


async def sweep() -> None:
    """Forget what nobody went on with for a month, and where people left long ago."""
    await queries.delete_expired(clock.now())
    await queries.delete_left(clock.now() - LEFT_KEPT)
