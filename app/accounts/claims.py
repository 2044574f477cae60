"""The mailbox of an unproved account speaks, or it is about to be given something: what somebody set there before ends.

Whoever registers an address need not be who reads its mail. So that nobody prepares an account for its later owner
("pre-hijacking"), password, passkeys, Google account, tokens, app and codes, sessions, half-done sign-ins, open links
and a change of address that was asked for all go, before the owner's first proof counts.
"""

from collections.abc import Sequence

from app.accounts import links
from app.accounts.queries import email_changes, identities
from app.core import clock


async def claim(user_ids: Sequence[int]) -> list[int]:
    """Do so, as part of the current transaction, to those of these accounts that are unproved; who lost something by it."""
    # Held before what they have is looked at: a sign-in under way stands by then, and ends.
    unproven = await identities.lock_unproven(sorted(set(user_ids))) if user_ids else []
    return await identities.forget_unproven(unproven, clock.now()) if unproven else []


async def keep_address(user_id: int) -> None:
    """A change of the address that was asked for is off: before it is proved (of an unproved one the old mailbox is not
    asked, so anybody could lead the account elsewhere), and before the account is closed.
    """
    await links.use_up(user_id, *links.EMAIL_CHANGE)
    await email_changes.end(user_id, "cancelled", clock.now())
