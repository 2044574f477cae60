"""A mailed link instead of a password: asked for in one browser, opened there, and good for one sign-in.

Opening it does nothing by itself (mail scanners open links too): its page has a button. In the browser that asked, the
button is all; in another one the page first says where the link was asked for.
"""

import hmac
from datetime import datetime, timedelta

from quart import Quart, Response

from app.accounts import claims, familiar, queries, sign_ins, users
from app.accounts.events import SignInLinkAsked
from app.accounts.familiar import account_key
from app.accounts.models import SignInLink, User
from app.accounts.queries import magic_links as own
from app.core import clock, db, events, limits, mail, tokens
from app.core.ids import public_id
from app.core.limits import Limit
from app.web import cookies
from app.web.current import g, request
from app.web.request import client_address, safe_next

LIFETIME = timedelta(minutes=15)
# Used and expired links are kept for a while, so that their page can say what happened.
KEPT = timedelta(days=1)
ASKS = Limit(5, 60 * 60)
COOKIE = "link"
_COOKIE_LIFETIME = 24 * 3600


def bind_browser() -> str:
    """The secret of this browser, given to it now when it has none: links that it asks for are its own."""
    kept = cookies.read(COOKIE)
    if not 40 <= len(kept) < 100:
        kept = g.get("link_browser") or tokens.random_token()
        g.link_browser = kept
    return kept


async def ask(email: str, *, onward: str = "") -> None:
    """Mail a link that signs in, when the address has an account. Same answer and work when it has none."""
    account = account_key(email)
    # A browser that the person has signed in with is counted by itself: others cannot use the mails up.
    await limits.check("sign-in-link", f"{account}:{familiar.known(account)}", ASKS)
    found = await queries.credentials_by_email(email)
    user_id = found.id if found is not None and found.state != "suspended" else None
    asked = SignInLinkAsked(
        user_id,
        public_id(),
        browser_hash=tokens.hashed(bind_browser()).hex(),
        user_agent=request.headers.get("User-Agent", "")[:300],
        address=client_address(),
        onward=safe_next(onward, ""),
    )
    async with db.transaction():
        await events.publish(asked)


async def mail_link(person: User, asked: SignInLinkAsked) -> None:
    """Make the link and mail it. Run twice, the mail exists already; the second link reaches nobody."""
    token, now = tokens.random_token(), clock.now()
    async with db.transaction():
        await own.insert_sign_in_link(
            token_hash=tokens.hashed(token),
            user_id=person.id,
            email=person.email,
            browser_hash=bytes.fromhex(asked.browser_hash),
            user_agent=asked.user_agent,
            address=asked.address,
            onward=asked.onward,
            now=now,
            expires_at=now + LIFETIME,
        )
        await mail.send(
            person.email,
            "accounts/sign_in_link",
            {"name": person.name, "path": f"/login/link/{token}"},
            fact=f"sign_in_link:{asked.ask}",
        )


async def find(token: str) -> SignInLink | None:
    """The link of this token, open or not; None when there never was one, or the account has another address by now."""
    return await own.sign_in_link_by_token(tokens.hashed(token)) if len(token) < 100 else None


def is_here(link: SignInLink) -> bool:
    """Whether this browser is the one that asked for the link."""
    return hmac.compare_digest(link.browser_hash, tokens.hashed(cookies.read(COOKIE)))


async def use(token: str) -> tuple[str, SignInLink | None]:
    """Sign in with an open link; all open links of the person are used up. Says how it went, and with which link:

    "in"; "taken" likewise, when what was set before the address was proved went away; "half" when the second step
    comes first, for a mail is one proof; "" when the link does not work. Raises Invalid for somebody suspended; the
    link stays open then.
    """
    now = clock.now()
    async with db.transaction():
        found = await find(token)
        if found is None:
            return "", None
        # The person's row first: an address that is changed meanwhile is seen below, or waits until the session stands.
        await queries.lock_users([found.user_id])
        link = await own.use_sign_in_link(tokens.hashed(token), now)
        if link is None:
            return "", None
        await use_up(link.user_id)
        # Whoever made the account need not be who reads the mail of its address: their keys end here.
        was_taken = bool(await claims.claim([link.user_id]))
        await users.prove_address(link.user_id, link.email)
        is_in = await sign_ins.go_on(link.user_id, method="link", keep=_keep(link), onward=link.onward)
    return ("taken" if was_taken else "in") if is_in else "half", link


async def use_up(user_id: int) -> None:
    """Close a person's open links, in the current transaction."""
    await own.use_up_sign_in_links(user_id, clock.now())


def _keep(link: SignInLink) -> bool | None:
    """Kept signed in where the link was asked for; another browser may be a borrowed one. None: as it was."""
    person = g.get("user")
    if person is not None and person.id == link.user_id:
        return None
    return is_here(link)


async def clear(now: datetime) -> None:
    """Delete links that have been of no use for a day."""
    await own.delete_dead_sign_in_links(now - KEPT)


def install(app: Quart) -> None:
    """Give the browser its secret."""

    @app.after_request
    async def carry_link_cookie(response: Response) -> Response:
        if "link_browser" in g:
            cookies.put(response, COOKIE, g.link_browser, max_age=_COOKIE_LIFETIME)
        return response
