"""Signed-in sessions: rows with a hashed token, listed, revocable, rotated at sign-in."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import cast

from quart import Quart, Response

from app.accounts import familiar, impersonations, places, queries
from app.accounts.events import NewDevice
from app.accounts.models import Begun, Session, SignedIn, User
from app.core import audit, clock, db, events, tokens
from app.core.errors import Invalid, NotFound, SignInNeeded
from app.core.i18n import _
from app.core.ids import public_id
from app.core.settings import school
from app.web import acting, cookies
from app.web.current import g, request
from app.web.guards import guard_kind
from app.web.request import client_address, signed_in_user

LIFETIME = timedelta(days=60)
# Somebody who does not want to be kept signed in: until the browser closes, at most this long.
BRIEF = timedelta(hours=12)
IDLE = timedelta(days=14)
# People of the office see what belongs to others, so they are not kept in over night, whatever they ticked.
STAFF_IDLE = timedelta(hours=12)
FRESH = timedelta(minutes=30)
# Nobody has as many browsers; when there are more, the one that was not seen for longest goes.
MOST = 50
_TOUCH = timedelta(minutes=5)
COOKIE = "session"


def me() -> SignedIn:
    """The person of this request, in a handler that is guarded."""
    return cast(SignedIn, signed_in_user())


def is_fresh() -> bool:
    """Whether the person of this request showed a password within the last half hour."""
    person: SignedIn | None = g.get("user")
    return person is not None and clock.now() - person.fresh_at < FRESH


def install(app: Quart) -> None:
    """Find the person behind each request, with one query and only when a session cookie came."""
    app.before_request(load_user)

    @app.after_request
    async def carry_cookie(response: Response) -> Response:
        if acting.current() is not None:  # nothing of another person's stays behind in this browser
            response.headers["Cache-Control"] = "private, no-store"
        if "session_token" in g:
            token: str | None = g.session_token
            if token is None:
                cookies.clear(response, COOKIE)
            else:
                kept = int(LIFETIME.total_seconds()) if g.session_keep else None
                cookies.put(response, COOKIE, token, max_age=kept)
        return response


async def load_user() -> None:
    """Find the person behind this request, as they are now."""
    g.user = None
    if guard_kind() in ("machine", "api"):  # no cookie is asked; `/health/live` must not need a database
        return
    token = cookies.read(COOKIE)
    if token and len(token) < 100:
        g.user = await find(token, clock.now())
    if g.user is not None:
        audit.set_actor(audit.current_actor().known_as(g.user.id))
        if g.user.impersonation_id is not None:
            await impersonations.take_part(g.user)


async def look_again() -> None:
    """Find the person behind this request as they are by now: what they send may have been on its way for hours.

    What was sent before a session ended counts, since it also ends when another takes its place in the same browser; not what
    somebody sent who was suspended, or has another role since.
    """
    before: SignedIn | None = g.get("user")
    await load_user()
    if g.user is None and before is not None:
        found = await queries.user_by_id(before.id)
        is_same = found is not None and (found.role, found.granted) == (before.role, before.granted)
        if found is not None and is_same and found.state == "active":
            g.user = before


async def find(token: str, now: datetime) -> SignedIn | None:
    """The active person whose live session this token opens; notes the visit at most every five minutes."""
    found = await queries.session_by_token(
        tokens.hashed(token), now, seen_after=now - IDLE, staff_seen_after=now - STAFF_IDLE
    )
    if found is not None and now - found.last_seen_at > _TOUCH:
        await queries.touch_session(found.session_id, now)
    if (
        found is not None
        and found.role != "member"
        and found.second_factor_at is None
        and found.role in (await school()).second_factor_roles
    ):
        found = replace(found, is_held_back=True)
    return found


async def start(
    user_id: int,
    *,
    keep: bool | None = None,
    password_hash: str | None = None,
    method: str = "",
    second_factor: bool | None = None,
) -> None:
    """Sign a person in: a new session (any session of this browser ends), its cookie set on the answer.

    Without `keep` it ends with the browser. `password_hash` is the one that was checked. `second_factor`: one was shown
    just now; False: none is left to show. What is not given is as in the session before. Raises Invalid when the account
    was suspended or its password changed meanwhile. Whoever has a second factor comes here through `sign_ins.go_on`.
    """
    now, token, session_id = clock.now(), tokens.random_token(), public_id()
    current: SignedIn | None = g.get("user")
    before = current if current is not None and current.id == user_id else None
    shown_before = before.second_factor_at if before is not None and second_factor is None else None
    keep = (current is None or current.expires_at - now > BRIEF) if keep is None else keep
    async with db.transaction():
        # The person's row first, as whoever ends sessions does: two that wait for each other would be one too many.
        begun = await queries.insert_session(
            public_id=session_id,
            token_hash=tokens.hashed(token),
            user_id=user_id,
            now=now,
            expires_at=now + (LIFETIME if keep else BRIEF),
            address=client_address(),
            user_agent=_user_agent(),
            password_hash=password_hash,
            method=method or (before.method if before is not None else "password"),
            second_factor_at=now if second_factor else shown_before,
            country=places.country_of_request(),
        )
        if begun is None:
            raise Invalid(_("This account has just changed. Please try again."))
        await _take_the_place_of(current, user_id)
        if before is None:
            await _greet_browser(user_id, session_id, begun)
    g.session_token, g.session_keep = token, keep


def _user_agent() -> str:
    return request.headers.get("User-Agent", "")[:300]


async def _take_the_place_of(current: SignedIn | None, user_id: int) -> None:
    """The session of this browser ends, whoever's it was, and the oldest of a person who has too many."""
    if current is not None:
        await queries.delete_session(current.session_id)
    await queries.delete_oldest_sessions(user_id, keep=MOST)


async def _greet_browser(user_id: int, session_id: str, begun: Begun) -> None:
    """Tell the person by mail when this browser is new to the account, and know it from now on."""
    account = familiar.account_key(begun.email)
    if not begun.is_first and not familiar.is_known_since(account, begun.strangers_since):
        place = places.place_of(client_address(), places.country_of_request())
        await events.publish(
            NewDevice(user_id, session_id, _user_agent(), client_address(), place, clock.now().isoformat())
        )
    familiar.remember(account)


async def hold(person: SignedIn) -> User:
    """The person's row, locked, and their session with it, for the rest of the transaction: for what opens the account later.

    Raises SignInNeeded when the session ended since the request began. A change of password that ends it waits, or has
    been; so whoever is sent out of an account leaves nothing behind that lets them in again.
    """
    found = await queries.lock_users([person.id])
    if not found or not await queries.hold_session(person.session_id, person.id):
        raise SignInNeeded(_("Please sign in first."))
    return found[0]


async def end() -> None:
    """Sign this browser out: its session ends, its cookie goes. Harmless when nobody is signed in."""
    current: SignedIn | None = g.get("user")
    if current is not None:
        await queries.delete_session(current.session_id)
    g.user, g.session_token = None, None


async def of(user_id: int) -> list[Session]:
    """Where a person is signed in, latest visit first, at most 100."""
    now = clock.now()
    return await queries.sessions_of(user_id, now, seen_after=now - IDLE, staff_seen_after=now - STAFF_IDLE)


def idle_until(session: Session) -> datetime:
    """When the session ends if nobody comes back to it."""
    return min(session.last_seen_at + (STAFF_IDLE if session.is_staff else IDLE), session.expires_at)


async def revoke(user_id: int, session_public_id: str) -> None:
    """End one session of this person. Raises NotFound for somebody else's, or one that ended before."""
    if not await queries.delete_session_of(user_id, session_public_id):
        raise NotFound(_("That device is not signed in any more."))
