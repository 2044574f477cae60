"""Another address for an account: both mailboxes have to agree, the old one may stop it.

Nothing here tells whether the new address has an account: its owner is told by mail, and the change never gets the second
yes. Whoever holds a session alone cannot take an account away, and neither can whoever holds one mailbox.
"""

from typing import Literal

from asyncpg import UniqueViolationError
from quart import g

from app.accounts import endings, familiar, links, lock, queries, sessions, users
from app.accounts.events import EmailChangeAsked
from app.accounts.models import EmailChange, Link, SignedIn, User
from app.accounts.queries import email_changes as changes
from app.core import audit, clock, db, events, limits, mail
from app.core.errors import Conflict, Invalid
from app.core.i18n import _
from app.core.limits import Limit

ASKS = Limit(5, 60 * 60)
# Mails to an address that may be anybody's.
MAILS_TO = Limit(5, 60 * 60)
_LIFETIME = links.LIFETIMES["new_email"]


async def ask(person: SignedIn, new_email: str) -> None:
    """Begin a change: mails go to both addresses. An earlier one that is still open is over.

    Raises Invalid for the address that the person has, TooMany, Conflict when two ask at once.
    """
    new_email = new_email.strip()
    if new_email.lower() == person.email.lower():
        raise Invalid(_("This is the address you have now."), field="email")
    await limits.check("email-change", f"user:{person.id}", ASKS)
    await limits.check("email-change", familiar.account_key(new_email), MAILS_TO)
    now = clock.now()
    async with db.transaction():
        here = await sessions.hold(person)
        await _drop(person.id)
        change_id = await changes.insert(
            person.id,
            old_email=person.email,
            new_email=new_email,
            now=now,
            expires_at=now + _LIFETIME,
            # An address that nobody ever proved has no say; its mailbox may not even exist.
            old_confirmed_at=now if here.email_verified_at is None else None,
        )
        if change_id is None:
            raise Conflict(_("You asked for another address a moment ago. Look into your mail."))
        await audit.record("email.ask", "person", person.public_id, after={"email": new_email})
        await events.publish(EmailChangeAsked(change_id))


async def open_of(user_id: int) -> EmailChange | None:
    """The change that this person waits for."""
    return await changes.open_of(user_id, clock.now())


async def find_link(token: str) -> Link | None:
    """The link of this token, open or not."""
    return await links.find(token, *links.EMAIL_CHANGE)


async def confirm(token: str) -> str:
    """One mailbox says yes: "done", or "waiting" for the other one; "taken" when somebody has the address by now; ""
    when the link does not work.

    Once done, all sessions but this browser's end, links that went to the old address stop working, both addresses get a
    mail.
    """
    async with db.transaction():
        link = await links.use(token, *links.EMAIL_CHANGE)
        if link is None:
            return ""
        change = await changes.confirm(
            link.user_id, email=link.email, is_old=link.purpose == "keep_email", now=clock.now()
        )
        if change is None:
            return ""
        if change.old_confirmed_at is None or change.new_confirmed_at is None:
            return "waiting"
        with audit.acting(audit.current_actor().known_as(change.user_id)):
            return await _complete(change)


async def _complete(change: EmailChange) -> str:
    person = await users.find(change.user_id)
    now = clock.now()
    try:
        async with db.transaction():  # a savepoint: the address may have been taken since
            is_set = await changes.set_email(
                change.user_id, old=change.old_email, new=change.new_email, verified_at=now
            )
    except UniqueViolationError:
        await changes.end(change.user_id, "taken", now)
        await links.use_up(change.user_id, *links.EMAIL_CHANGE)
        return "taken"
    if not is_set or person is None:
        await _drop(change.user_id)
        return ""
    await changes.end(change.user_id, "done", now)
    current: SignedIn | None = g.get("user")
    # One that ended since the request began, as by a second step that was turned on, does not go on.
    is_here = current is not None and await queries.hold_session(current.session_id, change.user_id)
    await _settle(person, change.new_email, action="email.change", fact=f"email_change:{change.id}")
    if is_here:
        await sessions.start(change.user_id)
        familiar.remember(familiar.account_key(change.new_email))
    return "done"


async def cancel(token: str) -> bool:
    """The old mailbox says no; False when the link does not work."""
    async with db.transaction():
        link = await links.use(token, "keep_email")
        return link is not None and await _cancel(link.user_id)


async def cancel_and_lock(token: str) -> str | None:
    """The old mailbox says no, and that somebody is in the account: as `lock.lock`. None when the link does not work."""
    async with db.transaction():
        link = await links.use(token, "keep_email")
        if link is None:
            return None
        await _cancel(link.user_id)
        return await lock.lock(link)


async def cancel_own(person: SignedIn) -> bool:
    """The signed-in person thinks better of it; False when nothing was open."""
    async with db.transaction():
        return await _cancel(person.id)


async def _cancel(user_id: int) -> bool:
    person = await users.find(user_id)
    if person is None or not await _drop(user_id):
        return False
    with audit.acting(audit.current_actor().known_as(user_id)):
        await audit.record("email.cancel", "person", person.public_id)
    return True


async def by_office(person: User, new_email: str) -> bool:
    """Give a person another address by hand, in the current transaction; False when they have it already.

    It counts as not confirmed until its link is followed. They are signed out everywhere, and the old address is told. Who
    may do this (whoever may edit and is not below that person) is the caller's business. Raises Invalid when somebody else
    has the address.
    """
    new_email = new_email.strip()
    if new_email.lower() == person.email.lower():
        return False
    try:
        async with db.transaction():
            is_set = await changes.set_email(person.id, old=person.email, new=new_email, verified_at=None)
    except UniqueViolationError:
        raise Invalid(_("Another account has this address."), field="email") from None
    if not is_set:
        raise Conflict(_("The address was changed a moment ago, in another place."))
    await _drop(person.id)
    await _settle(
        person, new_email, action="people.email", fact=f"email_by_office:{person.id}:{clock.now().timestamp()}"
    )
    await users.mail_verification(person.id)
    return True


async def _settle(person: User, new_email: str, *, action: Literal["email.change", "people.email"], fact: str) -> None:
    """What follows once the account has the new address."""
    await endings.end(person.id, "office_address" if action == "people.email" else "address")
    await links.use_up(person.id, *links.PASSWORD, *links.EMAIL_CHANGE, "verify_email")
    await audit.record(action, "person", person.public_id, before={"email": person.email}, after={"email": new_email})
    context = {"name": person.name, "old": person.email, "new": new_email, "is_office": action == "people.email"}
    for which, address in (("old", person.email), ("new", new_email)):
        await mail.send(address, "accounts/email_changed", {**context, "which": which}, fact=f"{fact}:{which}")


async def _drop(user_id: int) -> bool:
    await links.use_up(user_id, *links.EMAIL_CHANGE)
    return await changes.end(user_id, "cancelled", clock.now())
