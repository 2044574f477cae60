"""What the office does with people: change roles, suspend, sign out, send links. Every act is in the audit log."""

from app.accounts import custom_roles, queries, sessions, users
from app.accounts.events import PasswordResetAsked
from app.accounts.models import SignedIn, User
from app.accounts.roles import covers, may_give
from app.core import audit, db, events
from app.core.errors import Forbidden, NotFound
from app.core.i18n import _
from app.core.ids import public_id


async def find(person_id: str) -> User:
    """The person with this public id. Raises NotFound."""
    found = await users.find_by_public_id(person_id)
    if found is None:
        raise NotFound(_("There is no such person."))
    return found


async def add(email: str, name: str) -> tuple[User, bool]:
    """Make an account for an address by hand (True), or find the one there is; the welcome mail has the link to enter."""
    async with db.transaction():
        person, is_new = await users.ensure(email, name)
        if is_new:
            await audit.record("people.add", "person", person.public_id, after={"role": person.role})
    return person, is_new


async def change_role(person_id: str, role: str, *, by: SignedIn) -> User:
    """Give a person another role; they are signed out everywhere, so that it begins with a sign-in.

    Raises Forbidden for one's own role (only owners change owners, so the one who acts stays) and for a role that may do more than
    whoever gives it; Invalid for a role that is not there.
    """
    async with db.transaction():
        capabilities = await custom_roles.shared(role)
        person, actor = await _locked_both(person_id, by)
        if not may_give(actor, role, capabilities):
            raise Forbidden(_("You cannot give more than you may do yourself."))
        if person.role != role and await queries.change_role(person.id, person.role, role):
            await sessions.revoke_all(person.id)
            await audit.record(
                "people.role", "person", person.public_id, before={"role": person.role}, after={"role": role}
            )
    return person


async def make_owner(email: str) -> User:
    """Make the account of this address an owner's, from the command line: the first one of a new school.

    A made account gets the welcome mail with the link to set a password; one that was there gets a reset link.
    """
    async with db.transaction():
        person, is_new = await users.ensure(email)
        if person.role != "owner" and await queries.change_role(person.id, person.role, "owner"):
            await sessions.revoke_all(person.id)
            await audit.record(
                "people.role", "person", person.public_id, before={"role": person.role}, after={"role": "owner"}
            )
        if not is_new:
            await events.publish(PasswordResetAsked(person.id, public_id()))
    return person


async def suspend(person_id: str, *, by: SignedIn) -> bool:
    """Keep a person out and end their sessions; what they bought stays theirs. False when they were suspended before."""
    return await _change_state(person_id, "active", "suspended", by=by)


async def unsuspend(person_id: str, *, by: SignedIn) -> bool:
    """Let a person in again. False when they were not suspended."""
    return await _change_state(person_id, "suspended", "active", by=by)


async def _change_state(person_id: str, old: str, new: str, *, by: SignedIn) -> bool:
    async with db.transaction():
        person = await locked(person_id, by)
        if not await queries.change_state(person.id, old, new):
            return False
        await sessions.revoke_all(person.id)
        action = "people.suspend" if new == "suspended" else "people.unsuspend"
        await audit.record(action, "person", person.public_id, before={"state": old}, after={"state": new})
        return True


async def sign_out(person_id: str, *, by: SignedIn) -> int:
    """End all sessions of a person; how many there were."""
    async with db.transaction():
        person = await locked(person_id, by)
        ended = await sessions.revoke_all(person.id)
        if ended:
            await audit.record("people.sign_out", "person", person.public_id, after={"sessions": ended})
        return ended


async def mail_verification(person_id: str) -> bool:
    """Mail the link that confirms the address. False when it is confirmed."""
    async with db.transaction():
        person = await find(person_id)
        if not await users.mail_verification(person.id):
            return False
        await audit.record("people.verification_mail", "person", person.public_id)
        return True


async def mail_reset(person_id: str) -> bool:
    """Mail the link that sets a password. False for a suspended person, who could not sign in with it."""
    async with db.transaction():
        person = await find(person_id)
        if person.state != "active":
            return False
        await events.publish(PasswordResetAsked(person.id, public_id()))
        await audit.record("people.reset_mail", "person", person.public_id)
        return True


async def locked(person_id: str, by: SignedIn) -> User:
    """The person, locked together with who acts. Raises Forbidden when that one may not (any more)."""
    return (await _locked_both(person_id, by))[0]


async def _locked_both(person_id: str, by: SignedIn) -> tuple[User, User]:
    person = await find(person_id)
    if person.id == by.id:
        raise Forbidden(_("You cannot do this to yourself. Ask somebody else of the team."))
    locked = {one.id: one for one in await queries.lock_users([person.id, by.id])}
    actor, subject = locked.get(by.id), locked.get(person.id)
    if subject is None:
        raise NotFound(_("There is no such person."))
    if actor is None or actor.state != "active" or actor.role != by.role or not covers(actor, subject):
        raise Forbidden(_("Your role does not allow this."))
    return subject, actor
