"""From the first proof to a session: whoever has a second factor shows it in between.

Every way in (password, mailed link, Google) ends in `go_on`. A passkey that checked its owner is two factors at once and
starts the session itself. The half-done sign-in is a row of ten minutes; its token is in a cookie of this browser.
"""

from datetime import timedelta

from quart import Quart, Response

from app.accounts import queries as people_queries
from app.accounts import second_factors, sessions
from app.accounts.models import PendingSignIn
from app.accounts.queries import second_factors as queries
from app.core import clock, db, tokens
from app.core.errors import Invalid
from app.core.i18n import _
from app.web import cookies
from app.web.current import g

LIFETIME = timedelta(minutes=10)
# Of one person at the same time; when there are more, the oldest goes.
MOST = 20
COOKIE = "sign_in"


async def go_on(
    user_id: int,
    *,
    method: str,
    keep: bool | None = None,
    onward: str = "",
    password_hash: str | None = None,
) -> bool:
    """Sign in somebody who gave a first proof: True when a session stands, False when the second step comes first.

    `password_hash` is the one that was checked. Raises Invalid when the account was suspended, or its password changed,
    meanwhile.
    """
    now, token = clock.now(), tokens.random_token()
    async with db.transaction():
        # Held from here on: a second step that is turned on meanwhile comes before the question, or ends what begins here.
        await people_queries.lock_users([user_id])
        if not (await second_factors.of(user_id)).is_on:
            # What the session before had shown may have been turned off since.
            await sessions.start(user_id, keep=keep, password_hash=password_hash, method=method, second_factor=False)
            return True
        made = await queries.insert_pending(
            token_hash=tokens.hashed(token),
            user_id=user_id,
            method=method,
            keep=keep,
            onward=onward,
            password_hash=password_hash,
            now=now,
            expires_at=now + LIFETIME,
        )
        if not made:
            raise Invalid(_("This account has just changed. Please try again."))
        await queries.delete_oldest_pending(user_id, keep=MOST)
    g.sign_in_token = token
    return False


async def pending() -> PendingSignIn | None:
    """The sign-in of this browser that waits for its second step."""
    token = cookies.read(COOKIE)
    if not token or len(token) > 100:
        return None
    return await queries.pending_by_token(tokens.hashed(token), clock.now())


async def finish_with_code(waiting: PendingSignIn, code: str) -> None:
    """The second step by a code of the app or a recovery code. Raises Invalid or TooMany; then it still waits."""
    proof = await second_factors.read(waiting.user_id, waiting.email, code)
    async with db.transaction():
        await people_queries.lock_users([waiting.user_id])  # before the code, as whoever turns the second step off
        how = await second_factors.take(waiting.user_id, waiting.email, proof)
        await finish(waiting)
        if how == "recovery":
            left = (await second_factors.of(waiting.user_id)).recovery_codes
            await second_factors.tell_of_recovery(waiting.user_id, waiting.email, waiting.name, left)


async def finish(waiting: PendingSignIn) -> None:
    """Both proofs are given: start the session, in the current transaction. Of two at once one gets it."""
    # The person's row first, as whoever ends half-done sign-ins does (`endings`): each would wait for the other.
    await people_queries.lock_users([waiting.user_id])
    if not await queries.delete_pending(waiting.id):
        raise Invalid(_("This sign-in is over. Please begin again."))
    await sessions.start(waiting.user_id, keep=waiting.keep, method=waiting.method, second_factor=True)
    g.sign_in_token = None


async def give_up() -> None:
    """Throw the half-done sign-in of this browser away. Harmless when there is none."""
    waiting = await pending()
    if waiting is not None:
        await queries.delete_pending(waiting.id)
    if cookies.read(COOKIE):
        g.sign_in_token = None


def install(app: Quart) -> None:
    """Carry the cookie of a half-done sign-in."""

    @app.after_request
    async def carry_cookie(response: Response) -> Response:
        if "sign_in_token" in g:
            if g.sign_in_token is None:
                cookies.clear(response, COOKIE)
            else:
                cookies.put(response, COOKIE, g.sign_in_token, max_age=int(LIFETIME.total_seconds()))
        return response
