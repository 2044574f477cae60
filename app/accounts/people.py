"""What the office does with people: change roles, suspend, sign out, send links. Every act is in the audit log."""

from datetime import datetime
from typing import Any

from app.accounts import custom_roles, email_changes, endings, passwords, queries, second_factors, users
from app.accounts.endings import Ended
from app.accounts.events import InvitedAgain, PasswordResetAsked
from app.accounts.models import PersonFacts, SignedIn, User
from app.accounts.queries import erasures as erasure_queries
from app.accounts.queries import people as people_queries
from app.accounts.roles import Rule, covers, may_give, may_help_in, outranks
from app.core import audit, db, events, tokens
from app.core.errors import Conflict, Forbidden, Invalid, NotFound, Stale
from app.core.i18n import _
from app.core.ids import public_id


async def find(person_id: str) -> User:
    """The person with this public id. Raises NotFound."""
    found = await users.find_by_public_id(person_id)
    if found is None:
        raise NotFound(_("There is no such person."))
    return found


async def open_one(person: User) -> User:
    """This person as they stand now, locked for the rest of the transaction. Raises Conflict for a closed account."""
    (here,) = await queries.lock_users([person.id])
    if here.is_closed:
        raise Conflict(_("This account is closed for good."))
    return here


async def with_facts(person_id: str) -> tuple[User, PersonFacts]:
    """The person, with what the office sees beside their account. Raises NotFound."""
    found = await people_queries.person_with_facts(person_id)
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

    Raises Forbidden for one's own role (only owners change owners, so the one who acts stays), for that of a fellow, and for a
    role that may do more than whoever gives it; Invalid for a role that is not there.
    """
    async with db.transaction():
        capabilities = await custom_roles.shared(role)
        person, actor = await _locked_both(person_id, by, outranks)
        if not may_give(actor, role, capabilities):
            raise Forbidden(_("You cannot give more than you may do yourself."))
        await give_role(person, role)
    return person


async def give_role(person: User, role: str) -> bool:
    """Give a locked person a role that the caller has checked; False when they have it."""
    if person.role == role or not await queries.change_role(person.id, person.role, role):
        return False
    await endings.end(person.id, "role")
    await audit.record("people.role", "person", person.public_id, before={"role": person.role}, after={"role": role})
    return True


async def make_owner(email: str) -> User:
    """Make the account of this address an owner's, from the command line: the first one of a new school.

    A made account gets the welcome mail with the link to set a password; one that was there gets a reset link.
    """
    async with db.transaction():
        person, is_new = await users.ensure(email)
        await give_role(person, "owner")
        if not is_new:
            await events.publish(PasswordResetAsked(person.id, public_id()))
    return person


async def suspend(person_id: str, reason: str, *, by: SignedIn) -> bool:
    """Keep a person out and end their sessions; what they bought stays theirs. False when they were suspended before."""
    async with db.transaction():
        return await shut_out(await locked(person_id, by), reason)


def mark_of_reason(reason: str) -> str:
    """Why somebody was suspended, as a mark for the way back, in whose address the words would be too many."""
    return tokens.keyed(f"suspension:{reason}").hex()[:16]


async def unsuspend(person_id: str, *, only_for: str = "", by: SignedIn) -> bool:
    """Let a person in again. False when they were not suspended, or are being erased, or, with the mark `only_for`, were
    suspended for another reason since.
    """
    async with db.transaction():
        person = await locked(person_id, by)
        if only_for and only_for != mark_of_reason(await people_queries.suspension_reason(person.id)):
            return False
        return await let_in(person) is not None


async def shut_out(person: User, reason: str) -> bool:
    """Suspend a locked person; False when they were suspended before."""
    if not await people_queries.suspend(person.id, reason):
        return False
    await endings.end(person.id, "suspension")
    await audit.record(
        "people.suspend",
        "person",
        person.public_id,
        before={"state": "active"},
        after={"state": "suspended"},
        summary=reason,
    )
    return True


async def let_in(person: User, *, only_for: str | None = None) -> str | None:
    """End the suspension of a locked person: why they were suspended, None when they were not, or are being erased.

    `only_for`: one that was given another reason stays.
    """
    reason = await people_queries.unsuspend(person.id, only_for)
    if reason is None:
        return None
    await endings.end(person.id, "unsuspension")
    await audit.record(
        "people.unsuspend", "person", person.public_id, before={"state": "suspended"}, after={"state": "active"}
    )
    return reason


async def sign_out(person_id: str, *, by: SignedIn) -> Ended:
    """End all sessions and access tokens of a person; how many there were."""
    async with db.transaction():
        return await send_away(await locked(person_id, by))


async def send_away(person: User) -> Ended:
    """The same of a locked person."""
    ended = await endings.end(person.id, "office_sign_out")
    if ended.sessions or ended.tokens:
        after = {"sessions": ended.sessions, **({"tokens": ended.tokens} if ended.tokens else {})}
        await audit.record("people.sign_out", "person", person.public_id, after=after)
    return ended


def mark_of(person: User, country: str | None) -> str:
    """What stands about a person, as a mark that a page keeps of what it showed: another one since then, and it is stale."""
    return tokens.keyed(repr((person.name, person.email, person.headline, person.time_zone, country))).hex()


async def edit(
    person_id: str,
    *,
    name: str,
    email: str,
    headline: str,
    time_zone: str | None,
    country: str | None,
    seen: str = "",
    by: SignedIn,
) -> bool:
    """Change what stands about a person; `time_zone` None is the school's, `country` an ISO 3166 code or None. True when
    they have another address from now on: it has to be confirmed, the old one is told, and they are signed out. `seen` is the
    mark of the page that it was typed on.

    Raises Stale for what has changed since that page was drawn, the person's own new address above all; Conflict for an
    account that is closed or is being erased; Forbidden for somebody who can do more, and for oneself, whose page is the own account;
    Invalid for an address that another account has, and for another one of somebody of the team, unless an owner gives it.
    """
    async with db.transaction():
        person, actor = await _locked_both(person_id, by)
        erasure = await erasure_queries.open_erasure(person.id)
        if erasure is not None and erasure.state == "begun":  # the log and the mails would name them again
            raise Conflict(_("This account is closed for good."))
        before: dict[str, Any] = {
            "name": person.name,
            "headline": person.headline,
            "time_zone": person.time_zone,
            "country": await people_queries.country_of(person.id),
        }
        after: dict[str, Any] = {"name": name, "headline": headline, "time_zone": time_zone, "country": country}
        moves = email.strip().lower() != person.email.lower()
        is_new = moves or before != after  # the second of two clicks finds it done
        if is_new and seen and seen != mark_of(person, before["country"]):
            raise Stale(_("Something of this has changed meanwhile. Open it again and look."))
        if moves and not may_help_in(actor, person):
            raise Invalid(_("Only an owner may give somebody of the team another address."), field="email")
        if before != after:
            await people_queries.update_profile(
                person.id, name=name, headline=headline, time_zone=time_zone, country=country
            )
            await audit.record("people.edit", "person", person.public_id, before=before, after=after)
        return await email_changes.by_office(person, email)


async def require_password_change(person_id: str, *, by: SignedIn) -> bool:
    """Have the person choose a new password before they go on. False when it was asked for, or they have none."""
    async with db.transaction():
        return await ask_for_new_password(await locked(person_id, by, may_help_in))


async def ask_for_new_password(person: User) -> bool:
    """The same for a locked person."""
    if not await passwords.require_change(person.id):
        return False
    await audit.record("people.require_password", "person", person.public_id)
    return True


async def waive_new_password(person: User, *, asked_by: datetime | None = None) -> bool:
    """A locked person may keep the password; False when no other was asked for (any more), or again after `asked_by`."""
    if not await queries.forget_password_change(person.id, asked_by):
        return False
    await audit.record("people.waive_password", "person", person.public_id)
    return True


async def turn_off_second_factor(person_id: str, reason: str, *, by: SignedIn) -> None:
    """Let somebody in who lost the device: their second step goes, they are signed out and told by mail.

    Raises Conflict when they have none.
    """
    async with db.transaction():
        await _turn_off_second_factor(await locked(person_id, by, may_help_in), reason)


async def reset_second_factor(email: str) -> bool:
    """The same from the command line, for an owner whom nobody else can help. False when the address has no account.

    Raises Conflict when there is no second step.
    """
    async with db.transaction():
        found = await queries.user_by_email(email)
        if found is None:
            return False
        (person,) = await queries.lock_users([found.id])
        await _turn_off_second_factor(person, _("From the command line"))
        return True


async def _turn_off_second_factor(person: User, reason: str) -> None:
    if not (await second_factors.of(person.id)).is_on:
        raise Conflict(_("There is no second step to turn off."))
    await endings.end(person.id, "office_second_step")
    await second_factors.turn_off_all(
        person.id,
        subject=person.public_id,
        email=person.email,
        name=person.name,
        action="people.second_factor_off",
        reason=reason,
    )


async def send_link(person: User) -> bool:
    """Mail the link to enter: the invitation to those who have no password, else one for another password, in the
    current transaction. False for a suspended person, who could not sign in with it.
    """
    if person.state != "active":
        return False
    if person.has_password:
        await events.publish(PasswordResetAsked(person.id, public_id()))
        await audit.record("people.reset_mail", "person", person.public_id)
    else:
        await events.publish(InvitedAgain(person.id, public_id()))
        await audit.record("people.invite", "person", person.public_id)
    return True


async def mail_verification(person_id: str) -> bool:
    """Mail the link that confirms the address. False when it is confirmed, or the account is closed."""
    async with db.transaction():
        person = await find(person_id)
        if person.is_closed or not await users.mail_verification(person.id):
            return False
        await audit.record("people.verification_mail", "person", person.public_id)
        return True


async def mail_reset(person_id: str) -> bool:
    """Mail the link to enter, or for another password. False for a suspended person, who could not sign in with it."""
    async with db.transaction():
        return await send_link(await find(person_id))


async def locked(person_id: str, by: SignedIn, rule: Rule = covers) -> User:
    """The person, locked together with who acts. Raises Forbidden when that one may not (any more)."""
    return (await _locked_both(person_id, by, rule))[0]


async def _locked_both(person_id: str, by: SignedIn, rule: Rule = covers) -> tuple[User, User]:
    person = await find(person_id)
    if person.id == by.id:
        raise Forbidden(_("You cannot do this to yourself. Ask somebody else of the team."))
    locked = {one.id: one for one in await queries.lock_users([person.id, by.id])}
    actor, subject = locked.get(by.id), locked.get(person.id)
    if subject is None:
        raise NotFound(_("There is no such person."))
    if actor is None or actor.state != "active" or actor.role != by.role or not rule(actor, subject):
        raise Forbidden(_("Your role does not allow this."))
    if subject.is_closed:
        raise Conflict(_("This account is closed for good."))
    return subject, actor
