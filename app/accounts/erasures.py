"""To be forgotten: asked for, thought over for two weeks, then done step by step, each domain its own.

What the tax office may ask for (paid orders) stays with its name for the years that the school says; the row of the
account stays without one. A killed job goes on where it was: each step is noted in the transaction that does it, and may
be done twice.
"""

from datetime import timedelta

import structlog

from app.accounts import claims, endings, queries, sessions
from app.accounts.models import Erasure, SignedIn, User
from app.accounts.people import locked
from app.accounts.queries import erasures as rows
from app.accounts.queries import people as people_queries
from app.core import audit, clock, db, mail, personal, records, tokens
from app.core.errors import Conflict, Forbidden
from app.core.i18n import _, format_day, lazy
from app.core.ids import public_id
from app.core.personal import Subject
from app.core.settings import school

log = structlog.get_logger()

# The step that takes the account's own name comes last.
LAST = "account"
NAME = lazy("Erased person")
AT_ONCE = 20
# The farewell mail is forgotten when it is sent, at the latest after so long.
FAREWELL = timedelta(days=2)
_LINK = "keep-account"


async def ask(person: SignedIn) -> Erasure:
    """The person wants to be forgotten. Raises Conflict for staff, while something stands in the way, and while the address
    is not confirmed: what others sent and got under it would go too.
    """
    async with db.transaction():
        here = await sessions.hold(person)
        if here.email_verified_at is None:
            raise Conflict(_("Confirm your email address first: what was sent and answered under it goes, too."))
        return await _ask(here, asked_by=person.id)


async def ask_for(person_id: str, *, by: SignedIn) -> Erasure:
    """The office does it for somebody who asked by letter; they get the same mail and the same time."""
    async with db.transaction():
        return await _ask(await locked(person_id, by), asked_by=by.id)


async def _ask(person: User, *, asked_by: int) -> Erasure:
    if person.role != "member":
        raise Conflict(
            _(
                "Somebody of the team cannot be erased. Hand over first: an owner gives the role to somebody else, and makes this person a member."
            )
        )
    subject = Subject(person.id, person.public_id, person.email, person.name)
    if why := await personal.hindrance(subject):
        raise Conflict(why)
    now = clock.now()
    days = (await school()).erasure_days
    made = await rows.insert_erasure(
        person.id, public_id(20), asked_by=asked_by, now=now, due_at=now + timedelta(days=days)
    )
    if made is None:
        raise Conflict(_("This was asked for already."))
    context = {
        "name": person.name,
        "due": format_day(made.due_at.astimezone((await school()).zone)),
        "path": f"/privacy/keep/{tokens.sign(made.public_id, _LINK)}",
        "by_office": asked_by != person.id,
    }
    await mail.send(person.email, "accounts/erasure_asked", context, fact=f"erasure:{made.id}:asked")
    await audit.record("erasure.ask", "person", person.public_id, after={"until": made.due_at.isoformat()})
    return made


async def of(user_id: int) -> Erasure | None:
    """The one that waits, or is being done."""
    return await rows.open_erasure(user_id)


async def behind(token: str) -> Erasure | None:
    """The erasure whose mail had this link; None when the link is not ours."""
    found = tokens.unsign(token, _LINK) if len(token) < 200 else None
    return await rows.erasure_by_public_id(found) if isinstance(found, str) else None


async def cancel(erasure: Erasure, *, by: int | None) -> bool:
    """Keep the account; False when it has begun, is done, or was taken back before."""
    async with db.transaction():
        if not await rows.cancel_erasure(erasure.id, by, clock.now()):
            return False
        person = await queries.user_by_id(erasure.user_id)
        if person is not None:
            await audit.record("erasure.cancel", "person", person.public_id)
            await mail.send(
                person.email,
                "accounts/erasure_cancelled",
                {"name": person.name},
                fact=f"erasure:{erasure.id}:cancelled",
            )
        return True


async def cancel_for(person_id: str, *, by: SignedIn) -> bool:
    """The office takes it back for somebody. False when nothing waits."""
    async with db.transaction():
        person = await locked(person_id, by)
        waiting = await rows.open_erasure(person.id)
        return waiting is not None and await cancel(waiting, by=by.id)


async def carry_out(erasure_id: int) -> bool:
    """Do what is due, from the step where it stopped; False when it may not be done (now)."""
    if not await _begin(erasure_id):
        return False
    for name in [*(step for step in personal.ERASURES if step != LAST), LAST]:
        async with db.transaction():
            erasure = await rows.lock_erasure(erasure_id)
            if erasure is None or erasure.state != "begun":
                return False
            if name in erasure.steps:
                continue
            subject = await _subject(erasure)
            await personal.ERASURES[name](subject)
            await rows.note_step(erasure_id, name)
            if name == LAST:
                await audit.record("erasure.done", "person", subject.public_id)
                await rows.finish_erasure(erasure_id, clock.now())
    log.info("a person was erased", erasure=erasure_id)
    return True


async def _begin(erasure_id: int) -> bool:
    """Look once more whether it may be done, collect the names, and say farewell."""
    async with db.transaction():
        # The person's row first, as whoever takes it back does.
        people = await queries.lock_users(await rows.person_of(erasure_id))
        erasure = await rows.lock_erasure(erasure_id)
        if erasure is None or erasure.state not in ("waiting", "begun") or erasure.due_at > clock.now():
            return False
        if erasure.state == "begun":
            return True
        (person,) = people
        subject = Subject(person.id, person.public_id, person.email, person.name)
        why = _("Has a role by now.") if person.role != "member" else await personal.hindrance(subject)
        if why:
            await rows.set_hindrance(erasure_id, why)
            return False
        # From here on nobody enters by it: what came after a step was done would stay.
        await people_queries.suspend(person.id, _("Is being erased."))
        await endings.end(person.id, "erasure")
        await claims.keep_address(person.id)  # another one would not be looked for
        await rows.begin_erasure(erasure_id, list(await personal.words_of(subject)))
        years = (await school()).kept_years
        context = {"name": person.name, "years": years}
        await mail.send(person.email, "accounts/erasure_done", context, fact=f"erasure:{erasure_id}:done")
        return True


async def _subject(erasure: Erasure) -> Subject:
    person = await queries.user_by_id(erasure.user_id)
    if person is None:
        raise Forbidden
    return Subject(person.id, person.public_id, person.email, person.name, tuple(erasure.words))


async def due() -> list[int]:
    """Those whose time has come, some at a time."""
    return await rows.due_erasures(clock.now(), AT_ONCE)


async def forget_farewells() -> None:
    """Take the address out of the last mails to those who are gone."""
    now = clock.now()
    for erasure in await rows.done_since(now - 2 * FAREWELL):
        await records.forget_farewell(f"erasure:{erasure.id}:done", before=now - FAREWELL)
