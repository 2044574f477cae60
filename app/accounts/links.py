"""One-time links in mails: confirm an address, reset a password, set the first one.

The token is in the mail only; the row holds its hash. Looking at a link (mail scanners do) never uses it.
"""

from datetime import timedelta

from app.accounts import queries
from app.accounts.models import Link
from app.core import clock, tokens

LIFETIMES = {
    "verify_email": timedelta(days=3),
    "reset_password": timedelta(minutes=60),
    "set_password": timedelta(days=7),
    "not_me": timedelta(days=7),
    "keep_email": timedelta(hours=24),
    "new_email": timedelta(hours=24),
}
PASSWORD = ("reset_password", "set_password")
EMAIL_CHANGE = ("keep_email", "new_email")
# Used and expired links are kept for a while, so that their page can say what happened.
KEPT = timedelta(days=30)


async def issue(user_id: int, email: str, purpose: str) -> tuple[int, str]:
    """A new link for this address, as part of the current transaction: its row's id and its token."""
    token, now = tokens.random_token(), clock.now()
    link_id = await queries.insert_link(
        token_hash=tokens.hashed(token),
        purpose=purpose,
        user_id=user_id,
        email=email,
        now=now,
        expires_at=now + LIFETIMES[purpose],
    )
    return link_id, token


async def find(token: str, *purposes: str) -> Link | None:
    """The link of this token, open or not; None when there never was one (or long ago)."""
    if len(token) > 100:
        return None
    return await queries.link_by_token(tokens.hashed(token), list(purposes))


async def use(token: str, *purposes: str) -> Link | None:
    """Use an open link, as part of the current transaction. Of two at once only one gets it, the other None.

    The person's row is locked first, as by whatever closes links: each would wait for the other.
    """
    found = await find(token, *purposes)
    if found is None:
        return None
    await queries.lock_users([found.user_id])
    return await queries.use_link(tokens.hashed(token), list(purposes), clock.now())


async def use_up(user_id: int, *purposes: str) -> None:
    """Close a person's open links of these purposes: what they were for has been done."""
    await queries.use_up_links(user_id, list(purposes), clock.now())
