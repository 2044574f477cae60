"""Passwords: sign in with one, confirm it, change it, reset it by mail."""

from dataclasses import replace
from typing import Literal

from app.accounts import (
    claims,
    endings,
    familiar,
    hashing,
    links,
    queries,
    second_factors,
    sessions,
    sign_ins,
    strength,
    users,
)
from app.accounts.events import GuessingBegan, PasswordResetAsked
from app.accounts.familiar import account_key
from app.accounts.models import Credentials, Link, SignedIn
from app.accounts.queries import email_changes, magic_links
from app.core import audit, clock, db, events, limits, mail
from app.core.errors import Conflict, Invalid, SignInNeeded, TooMany
from app.core.i18n import _
from app.core.ids import public_id
from app.core.limits import Limit

# Guessing at one account, from one place and from many. A right password clears the counts. A browser that the person
# has signed in with before is counted by itself, and a mailed link always works: nobody can shut an owner out.
TRIES_HERE = Limit(10, 15 * 60)
# More than these in an hour, from browsers that the account does not know, and it takes one at a time: first one in five
# seconds, in the end one in a minute. That is slow for who guesses, and a wait for an owner at a strange machine.
TRIES_ANYWHERE = Limit(100, 60 * 60)
_FIRST_GAP, _LONGEST_GAP = 5, 60
CONFIRMATIONS = Limit(30, 60 * 60)
RESETS = Limit(5, 60 * 60)
# Each is told by mail, to an address that may be anybody's.
CHANGES = Limit(10, 60 * 60)


async def sign_in(email: str, password: str, *, address: str, keep: bool, onward: str = "") -> tuple[Credentials, bool]:
    """Check address and password and sign in; False beside the account when its second step comes first.

    Raises Invalid with one sentence, whatever was wrong. An unknown address costs as much time as a known one.
    """
    account = account_key(email)
    here = _counted_as(account, address)
    await limits.check("sign-in", here, TRIES_HERE)
    if familiar.known(account):
        # All known browsers together, too: whoever was in once may have made many of them known.
        await limits.check("sign-in", f"{account}:known", TRIES_ANYWHERE)
    else:
        await _slow_down(account, email)
    found = await queries.credentials_by_email(email)
    if not await hashing.matches(found.password_hash if found else None, password) or found is None:
        raise Invalid(_("That email and password do not go together. Try again, or let us send you a link."))
    if found.state == "merged":
        raise Invalid(
            _("This account was merged into another one of yours. A mail told you its address: sign in with that.")
        )
    if found.state != "active":
        raise Invalid(_("This account is suspended. Write to us if you think that this is a mistake."))
    await limits.forget("sign-in", here, TRIES_HERE)
    await limits.forget("sign-in", account, TRIES_ANYWHERE)
    current = await _renewed(found, password)
    is_in = await sign_ins.go_on(found.id, method="password", keep=keep, onward=onward, password_hash=current)
    return found, is_in


def _counted_as(account: str, address: str) -> str:
    browser = familiar.known(account)
    return f"{account}:known:{browser}" if browser else f"{account}:{address}"


async def _slow_down(account: str, email: str) -> None:
    """Let the tries of strange browsers wait for each other when there are very many; the owner hears of it once a day.

    Raises TooMany for those whose turn it is not. An address without an account is slowed down just the same.
    """
    over = await limits.count("sign-in", account, TRIES_ANYWHERE) - TRIES_ANYWHERE.count
    if over <= 0:
        return
    if over % 50 == 1:  # the first; and again, should this process die before it is said
        found = await queries.credentials_by_email(email)
        async with db.transaction():
            await events.publish(GuessingBegan(found.id if found else None, clock.now().date().isoformat()))
    try:
        await limits.take_turn("sign-in", account, min(_FIRST_GAP * 2 ** min(over // 50, 9), _LONGEST_GAP))
    except TooMany as refused:
        words = _(
            "Somebody tries many passwords on this account, so it takes them one by one. Wait a moment and try again."
        )
        raise TooMany(words, retry_after=refused.retry_after) from None


async def _renewed(found: Credentials, password: str) -> str | None:
    """The stored hash, made anew when it has yesterday's parameters."""
    if found.password_hash is None or not hashing.is_outdated(found.password_hash):
        return found.password_hash
    fresh = await hashing.hashed(password)
    if await queries.replace_password(found.id, found.password_hash, fresh):
        return fresh
    # The second of two clicks finds it made anew, from the same password.
    now = await queries.credentials_by_id(found.id)
    if now is not None and await hashing.matches(now.password_hash, password):
        return now.password_hash
    return found.password_hash


async def confirm(person: SignedIn, password: str, *, address: str, onward: str) -> bool:
    """The signed-in person shows the password again: the session is fresh from here on (and rotated).

    False when the second step comes first.
    """
    shown = await _show(person, password, address=address, field="password")
    return await sign_ins.go_on(person.id, method=person.method, onward=onward, password_hash=shown.password_hash)


async def _show(person: SignedIn, password: str, *, address: str, field: str) -> Credentials:
    # Whoever asks is signed in, or holds a stolen session: then from many addresses.
    keys = [f"person:{person.id}", f"person:{person.id}:{address}"]
    await limits.check("confirm", keys[0], CONFIRMATIONS)
    await limits.check("confirm", keys[1], TRIES_HERE)
    found = await queries.credentials_by_id(person.id)
    if found is None or not await hashing.matches(found.password_hash, password):
        raise Invalid(_("That is not your password."), field=field)
    await limits.forget("confirm", keys[0], CONFIRMATIONS)
    await limits.forget("confirm", keys[1], TRIES_HERE)
    return found


async def change(person: SignedIn, current_password: str, new_password: str, *, address: str) -> None:
    """Change the password: every other session ends, this one is rotated, and a mail tells the person.

    Raises SignInNeeded for somebody with a second step whose sign-in is old: the new session counts as fresh.
    """
    if not sessions.is_fresh() and (await second_factors.of(person.id)).is_on:
        raise SignInNeeded(_("Please confirm that it is you first."), field="fresh")
    shown = await _show(person, current_password, address=address, field="current_password")
    if current_password == new_password:
        raise Invalid(_("This is the password you have now."), field="new_password")
    await strength.check(new_password, email=person.email, name=person.name, field="new_password")
    await limits.check("password-change", f"user:{person.id}", CHANGES)
    new_hash = await hashing.hashed(new_password)
    async with db.transaction():
        if not await queries.replace_password(person.id, shown.password_hash, new_hash):
            raise Invalid(_("Your password was changed a moment ago, in another place."), field="current_password")
        await sessions.hold(person)  # a second step that was turned on meanwhile has ended it
        await _after_change(person.id, person.email, person.name, action="password.change", subject=person.public_id)
        await sessions.start(person.id)


async def require_change(user_id: int) -> bool:
    """Make this person choose a new password when they next come with the one they have; in the current transaction.

    They are signed out everywhere, since who knows the old password may be in. False when it was required already, or
    there is no password to change. Who may ask for it, and the audit, are the caller's business.
    """
    if not await queries.require_password_change(user_id, clock.now()):
        return False
    await endings.end(user_id, "password_required")
    return True


async def change_required(person: SignedIn, new_password: str) -> None:
    """The new password of somebody who has to choose one, and has just shown the old: others end, this one goes on."""
    found = await queries.credentials_by_id(person.id)
    if found is None or not person.must_choose_password:
        raise Conflict(_("Your password was changed a moment ago, in another place."))
    await strength.check(new_password, email=person.email, name=person.name, field="new_password")
    if await hashing.matches(found.password_hash, new_password):
        raise Invalid(_("This is the password you have now."), field="new_password")
    new_hash = await hashing.hashed(new_password)
    async with db.transaction():
        # The demand is met once: whoever comes second showed a password that the first has replaced meanwhile.
        still_asked = await queries.forget_password_change(person.id)
        if not still_asked or not await queries.replace_password(person.id, found.password_hash, new_hash):
            raise Conflict(_("Your password was changed a moment ago, in another place."))
        await sessions.hold(person)
        await _after_change(person.id, person.email, person.name, action="password.change", subject=person.public_id)
        await sessions.start(person.id)


async def _after_change(
    user_id: int, email: str, name: str, *, action: Literal["password.change", "password.reset"], subject: str
) -> None:
    await endings.end(user_id, "reset" if action == "password.reset" else "password")
    await queries.forget_password_change(user_id)
    await links.use_up(user_id, *links.PASSWORD, *links.EMAIL_CHANGE)
    await email_changes.end(user_id, "cancelled", clock.now())
    await magic_links.use_up_sign_in_links(user_id, clock.now())
    await audit.record(action, "person", subject)
    await mail.send(
        email,
        "accounts/password_changed",
        {"name": name, "at": clock.now().isoformat()},
        fact=f"password_changed:{public_id()}",
    )


async def ask_for_reset(email: str) -> None:
    """Mail a link that resets the password, when the address has an account. Same answer and work when it has none."""
    await limits.check("reset", account_key(email), RESETS)
    found = await queries.credentials_by_email(email)
    user_id = found.id if found is not None and found.state != "suspended" else None
    async with db.transaction():
        await events.publish(PasswordResetAsked(user_id, public_id()))


async def find_link(token: str) -> Link | None:
    """The link that sets or resets a password, open or not; to an address that the account has no more, it is used up."""
    link = await links.find(token, *links.PASSWORD)
    person = await users.find(link.user_id) if link is not None else None
    if link is None or person is None or person.email.lower() == link.email.lower():
        return link
    return replace(link, used_at=link.used_at or clock.now())


async def reset(token: str, new_password: str) -> str:
    """Set a password through a mailed link and sign in; all other sessions end. Says how it went:

    "in"; "half" when the second step comes first, for a mail is one proof; "out" for somebody suspended; "" when the
    link does not work. Raises Invalid for a weak password; the link stays open then.
    """
    link = await find_link(token)
    person = await users.find(link.user_id) if link is not None else None
    if link is None or person is None or link.state(clock.now()) != "open":
        return ""
    await strength.check(new_password, email=person.email, name=person.name, field="new_password")
    new_hash = await hashing.hashed(new_password)
    async with db.transaction():
        if await links.use(token, *links.PASSWORD) is None:
            return ""
        await claims.claim([person.id])  # keys of whoever made the account
        await queries.set_password(person.id, new_hash)
        await users.prove_address(person.id, link.email)
        with audit.acting(audit.current_actor().known_as(person.id)):
            await _after_change(person.id, person.email, person.name, action="password.reset", subject=person.public_id)
        if person.state != "active":
            return "out"
        return "in" if await sign_ins.go_on(person.id, method="link") else "half"
