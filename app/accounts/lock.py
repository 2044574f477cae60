"""It was not me: what the link in an alert does, for somebody whose account another may have entered."""

from datetime import timedelta

from app.accounts import endings, google, links, queries, users
from app.accounts.models import Link
from app.accounts.queries import email_changes, magic_links, passkeys
from app.core import audit, clock, db

# An alert is mailed by a job, which may be late.
BEFORE = timedelta(hours=1)


async def find_link(token: str) -> Link | None:
    """The link of this token, open or not."""
    return await links.find(token, "not_me")


async def use_link(token: str) -> str | None:
    """Lock the account of this link; None when the link does not work. The answer is as that of `lock`."""
    async with db.transaction():
        link = await links.use(token, "not_me")
        return await lock(link) if link is not None else None


async def lock(link: Link) -> str:
    """Close the account to whoever is in it, in the current transaction: no session and no token is left, and no
    password opens it.

    Nor does an access token, a Google account, or a passkey that was added since shortly before the link was mailed.
    Passkeys of before stay, and so does an app: whoever reads the mail alone must not get past a second step. Returns the
    token of a link that sets a new password, good for an hour, for whoever proved to read the mail of that address;
    nothing when it is not the account's any more or the account is suspended.
    """
    user_id, email = link.user_id, link.email
    person = await users.find(user_id)
    if person is None:
        return ""
    await queries.forget_password(user_id, clock.now())
    await endings.end(user_id, "not_me")
    await passkeys.delete_added_since(user_id, link.expires_at - links.LIFETIMES[link.purpose] - BEFORE)
    await magic_links.use_up_sign_in_links(user_id, clock.now())
    await email_changes.end(user_id, "cancelled", clock.now())
    await links.use_up(user_id, *links.PASSWORD, *links.EMAIL_CHANGE, "not_me")
    with audit.acting(audit.current_actor().known_as(user_id)):
        await google.forget(person)  # whoever was in the account may have connected it
        await audit.record("account.lock", "person", person.public_id, after={"locked_at": clock.now().isoformat()})
    if person.state != "active" or person.email.lower() != email.lower():
        return ""
    _, token = await links.issue(user_id, person.email, "reset_password")
    return token
