"""Keys with which a person's programs reach /api: named, for some acts only, for a time, shown once, kept as a hash.

What a token may do is what it was made for *and* its person may do at that moment. It ends with its time, when it is
removed, and with what happens to its person as `endings` says (suspended by whatever: a trigger of 0028), since whoever
makes one in a stolen account must lose it with everything else. docs/api.md tells programs how to use it.
"""

import re
import secrets
import zlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from quart import Quart

from app.accounts import queries as people_queries
from app.accounts import sessions
from app.accounts.models import AccessToken, SignedIn, TokenBearer, User
from app.accounts.queries import access_tokens as queries
from app.accounts.roles import covers
from app.accounts.scopes import ME, SCOPES
from app.core import audit, clock, db, mail, tokens
from app.core.errors import Conflict, Forbidden, Invalid, NotFound
from app.core.i18n import _
from app.core.ids import public_id
from app.core.settings import school
from app.web.current import g, request
from app.web.guards import guard_kind
from app.web.request import client_address

PREFIX = "lec_"
# Letters and digits only: one double click marks the whole of it.
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_RANDOM, _SUM = 40, 6
_SHAPE = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{_RANDOM + _SUM}}}")
LONGEST = timedelta(days=366)
MOST = 20
# Nobody needs to know to the second when a program last came.
_TOUCH = timedelta(minutes=1)
# Over, they stay in the list for a while, so that somebody can see why a program stopped.
KEPT = timedelta(days=30)


def new_token() -> str:
    """238 random bits between a prefix, by which scanners of source code find a leaked one, and a checksum, by which
    they tell it from other texts.
    """
    start = PREFIX + "".join(secrets.choice(_ALPHABET) for _at in range(_RANDOM))
    return start + _checksum(start)


def is_token(text: str) -> bool:
    """Whether this is a token of ours by its looks: what was invented or cut costs no look into the database."""
    return _SHAPE.fullmatch(text) is not None and _checksum(text[:-_SUM]) == text[-_SUM:]


def _checksum(text: str) -> str:
    """CRC-32 in base 62. No secret: it tells mistakes from tokens."""
    rest, letters = zlib.crc32(text.encode()), ""
    for _at in range(_SUM):
        rest, digit = divmod(rest, len(_ALPHABET))
        letters = _ALPHABET[digit] + letters
    return letters


def offered(person: SignedIn) -> list[str]:
    """The scopes that this person may give to a program now."""
    return [scope for scope in SCOPES if scope == ME or person.can(scope)]


async def create(person: SignedIn, ref: str, *, name: str, scopes: Sequence[str], until: datetime) -> str:
    """Make a token; it is returned this once. `ref` is the public id that its form came with.

    Raises Invalid for what may not be, Conflict when the same form has made its token.
    """
    now = clock.now()
    _check(person, scopes, until, now)
    wanted, token = [scope for scope in SCOPES if scope in scopes], new_token()
    async with db.transaction():
        await sessions.hold(person)
        made = await queries.insert_token(
            public_id=ref,
            user_id=person.id,
            name=name,
            token_hash=tokens.hashed(token),
            ending=token[-4:],
            scopes=wanted,
            second_factor=person.second_factor_at is not None,
            now=now,
            expires_at=until,
            most=MOST,
        )
        if not made:
            if await queries.is_made(ref, person.id):
                raise Conflict(_("This form has made its token. If you did not see it, remove it and make a new one."))
            raise Invalid(_("You have %(most)s tokens. Remove one that you do not need.", most=MOST))
        after = {"name": name, "scopes": wanted, "expires_at": until.isoformat()}
        await audit.record("token.create", "person", person.public_id, after=after, summary=name)
        await _tell(person, name, wanted, until)
    return token


def _check(person: SignedIn, scopes: Sequence[str], until: datetime, now: datetime) -> None:
    if not set(scopes) & SCOPES.keys():
        raise Invalid(_("Choose at least one thing that it may do."), field="scopes")
    if not set(scopes) <= set(offered(person)):
        raise Invalid(_("You cannot give more than you may do yourself."), field="scopes")
    if not now < until <= now + LONGEST:
        raise Invalid(_("Choose a day within a year from now."), field="until")
    if person.email_verified_at is None:
        raise Invalid(_("Confirm your email address first: whoever holds a token acts in its owner's name."))


async def _tell(person: SignedIn, name: str, scopes: Sequence[str], until: datetime) -> None:
    context = {
        "name": person.name,
        "token": name,
        "scopes": [str(SCOPES[scope]) for scope in scopes],
        "until": until.isoformat(),
    }
    await mail.send(person.email, "accounts/token_made", context, fact=f"token_made:{public_id()}")


async def of(user_id: int) -> list[AccessToken]:
    """A person's tokens, newest first."""
    return await queries.tokens_of(user_id)


async def remove(person: SignedIn, token_id: str) -> None:
    """End one of one's own tokens. Raises NotFound."""
    async with db.transaction():
        await _remove(person.id, person.public_id, token_id)


async def remove_of(person: User, token_id: str, *, by: SignedIn) -> None:
    """End a token of somebody else. Raises NotFound, and Forbidden where `by` may not decide about that person."""
    async with db.transaction():
        locked = {one.id: one for one in await people_queries.lock_users([person.id, by.id])}
        actor, subject = locked.get(by.id), locked.get(person.id)
        if actor is None or subject is None or actor.state != "active":
            raise Forbidden(_("Your role does not allow this."))
        if not actor.can("people.suspend") or not covers(actor, subject):
            raise Forbidden(_("Your role does not allow this."))
        await _remove(person.id, person.public_id, token_id)


async def _remove(user_id: int, person_id: str, token_id: str) -> None:
    removed = await queries.delete_token_of(user_id, token_id)
    if removed is None:
        raise NotFound(_("There is no such token."))
    before = {"name": removed.name, "scopes": removed.scopes, "expires_at": removed.expires_at.isoformat()}
    await audit.record("token.remove", "person", person_id, before=before, summary=removed.name)


async def find(token: str, *, address: str) -> TokenBearer | None:
    """Whoever this token stands for; notes the use at most once a minute."""
    if not is_token(token):
        return None
    now = clock.now()
    found = await queries.bearer(tokens.hashed(token), now)
    if found is None:
        return None
    if found.last_used_at is None or now - found.last_used_at >= _TOUCH:
        await queries.touch(found.token_id, now, now - _TOUCH, address)
    if found.role != "member" and not found.second_factor:
        found = replace(found, is_held_back=found.role in (await school()).second_factor_roles)
    return found


def install(app: Quart) -> None:
    """Find who is behind a request to /api, by its token alone."""

    @app.before_request
    async def load_bearer() -> None:
        if guard_kind() != "api":
            return
        g.user = None
        kind, _space, token = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() == "bearer":
            g.user = await find(token.strip(), address=client_address())
        if g.user is not None:
            audit.set_actor(audit.current_actor().known_as(g.user.id))
