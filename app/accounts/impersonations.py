"""Somebody of the school looks at it as another person: with a reason, for an hour, reading only, every address noted.

The session stays that of who really looks, and only they can be taken for more than they are: what is shown as the other
person is never more than both may see. Nobody looks as an owner, as somebody who may do more, or as themselves.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import cast
from urllib.parse import urlencode

from quart import g, request

from app.accounts import queries
from app.accounts.models import Impersonation, Look, SignedIn, User, Visit
from app.accounts.queries import impersonations as rows
from app.accounts.roles import covers
from app.core import audit, clock, db
from app.core.errors import Conflict, Forbidden, Invalid, NotFound
from app.core.i18n import _
from app.core.ids import public_id
from app.core.settings import school
from app.web import acting
from app.web.acting import Acting
from app.web.request import Visitor

LONGEST = timedelta(minutes=60)
SHORTEST_REASON = 10
VISITS_KEPT = timedelta(days=365)
VISITS_SHOWN = 200
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
# What is drawn around every page by itself says nothing of what was looked at.
_SURROUNDINGS = ("/theme.css", "/plates/", "/time", "/account/corner", "/cart/count")
_SECRET = frozenset({"token", "session_id", "code", "state"})


def may_look_as(actor: SignedIn | User, subject: User) -> bool:
    """Whether `actor` may look as this person: somebody else, active, no owner, who may do nothing that they may not."""
    return (
        actor.can("people.impersonate")
        and actor.id != subject.id
        and subject.role != "owner"
        and subject.state == "active"
        and covers(actor, subject)
        and actor.capabilities >= subject.capabilities
    )


async def start(person_id: str, reason: str, *, by: SignedIn) -> User:
    """Look as this person from the next request on, in this session. Raises Invalid for a short reason, else Forbidden.

    Both are looked at again as they stand now, locked.
    """
    reason = reason.strip()
    if len(reason) < SHORTEST_REASON:
        raise Invalid(_("Say in a few words why. It is kept."), field="reason")
    found = await queries.user_by_public_id(person_id)
    if found is None:
        raise NotFound(_("There is no such person."))
    async with db.transaction():
        locked = {one.id: one for one in await queries.lock_users([found.id, by.id])}
        actor, subject = locked.get(by.id), locked.get(found.id)
        if actor is None or subject is None or actor.state != "active" or not may_look_as(actor, subject):
            raise Forbidden(
                _("You cannot look as this person: they may do more than you, or are not let in themselves.")
            )
        now, looked_at = clock.now(), public_id()
        if not await rows.insert(
            public_id=looked_at,
            session_id=by.session_id,
            actor_id=by.id,
            subject_id=subject.id,
            reason=reason,
            now=now,
            ends_at=min(now + LONGEST, by.expires_at),
        ):
            raise Conflict(_("You look as somebody already, or were signed out meanwhile."))
        await audit.record(
            "impersonation.start", "person", subject.public_id, after={"reason": reason, "impersonation_id": looked_at}
        )
    return subject


async def take_part(real: SignedIn) -> None:
    """Make this request that of the person who is looked at, and note its address; `real` comes with the session.

    When the time is up, or either account changed, it stays that of `real`, who has to go back first.
    """
    assert real.impersonation_id is not None
    found = await _note(real.impersonation_id)
    if found is None:  # left a moment ago, by another request
        g.user = replace(real, impersonation_id=None)
        return
    subject = await _as(found, real)
    g.acting = Acting(
        found.public_id, cast(Visitor, real), found.name or _("somebody"), found.ends_at, is_over=subject is None
    )
    if subject is not None:
        g.user = subject
        audit.set_actor(audit.current_actor().known_as(real.id, acting_as=subject.id))


async def _note(impersonation_id: int) -> Impersonation | None:
    now = clock.now()
    if request.path.startswith(_SURROUNDINGS):
        return await rows.find(impersonation_id)
    rule = request.url_rule.rule if request.url_rule is not None else ""
    path = rule if "<token>" in rule else request.path
    query = urlencode([(name, text) for name, text in request.args.items(multi=True) if name not in _SECRET])
    return await rows.visit(impersonation_id, method=request.method, path=path[:500], query=query[:500], now=now)


async def _as(found: Impersonation, real: SignedIn) -> SignedIn | None:
    """The person as `real` may be taken for them; None when it is over."""
    is_over = found.ended_at is not None or found.ends_at <= clock.now() or found.state != "active"
    if is_over or found.subject_id is None or not real.can("people.impersonate") or found.role == "owner":
        return None
    person = SignedIn(
        id=found.subject_id,
        public_id=found.subject_public_id or "",
        email=found.email or "",
        name=found.name or "",
        role=found.role or "",
        state=found.state or "",
        email_verified_at=found.email_verified_at,
        time_zone=found.time_zone,
        session_id=real.session_id,
        session_public_id=real.session_public_id,
        fresh_at=_NEVER,
        last_seen_at=real.last_seen_at,
        expires_at=real.expires_at,
        granted=found.granted,
        method=real.method,
        second_factor_at=real.second_factor_at,
        at_most=real.capabilities,
    )
    is_held_back = person.second_factor_at is None and person.role in (await school()).second_factor_roles
    return replace(person, is_held_back=is_held_back)


async def leave() -> str | None:
    """Go back to oneself; the public id of the person who was looked at, None when nobody acts. Audited."""
    looks = acting.current()
    if looks is None:
        return None
    real = cast(SignedIn, looks.real)
    assert real.impersonation_id is not None
    with audit.acting(audit.current_actor().known_as(real.id)):
        async with db.transaction():
            subject = await rows.leave(real.impersonation_id, clock.now())
            if subject:
                after = {"impersonation_id": looks.public_id}
                await audit.record("impersonation.end", "person", subject, after=after)
    del g.acting
    g.user = replace(real, impersonation_id=None)
    return subject


async def find(look_id: str) -> Look:
    """One time that somebody looked. Raises NotFound."""
    found = await rows.by_public_id(look_id)
    if found is None:
        raise NotFound
    return found


async def visits_of(look: Look, *, before: int | None = None) -> list[Visit]:
    """The addresses that were asked for, latest first, one page of them."""
    return await rows.visits_of(look.id, before=before, limit=VISITS_SHOWN)


async def seen_by(user_id: int) -> list[Look]:
    """Who of the school looked as this person lately, if the school says so to its people; else nobody."""
    return await rows.of_subject(user_id, 10) if (await school()).show_impersonations else []
