"""What accounts does in the background: mails with links, and clearing away what has expired."""

from datetime import datetime
from zoneinfo import ZoneInfo

from app.accounts import (
    access_tokens,
    consents,
    erasures,
    exports,
    impersonations,
    links,
    magic_links,
    merging,
    queries,
    sessions,
)
from app.accounts.devices import device_of
from app.accounts.events import (
    AccountMade,
    EmailChangeAsked,
    GuessingBegan,
    InvitedAgain,
    NewDevice,
    PasswordResetAsked,
    RegisteredAgain,
    SignInLinkAsked,
)
from app.accounts.models import User
from app.accounts.queries import access_tokens as token_queries
from app.accounts.queries import consents as consent_queries
from app.accounts.queries import email_changes, passkeys, second_factors
from app.accounts.queries import impersonations as impersonation_queries
from app.core import clock, db, events, i18n, limits, mail, queue
from app.core.limits import Limit
from app.core.settings import school


@events.on(AccountMade)
async def welcome_made_account(event: AccountMade) -> None:
    """Welcome the owner of an account that a purchase made, with the link to set a password; once. Not to one that was
    closed meanwhile: nobody gets in there.
    """
    person = await queries.user_by_id(event.user_id)
    if person is None or person.has_password or person.is_closed:
        return
    await _mail_link(person, "set_password", "accounts/welcome", fact=f"welcome:{person.id}")


@events.on(InvitedAgain)
async def mail_invitation(event: InvitedAgain) -> None:
    """Mail the link to enter once more; somebody who set a password meanwhile needs none."""
    person = await queries.user_by_id(event.user_id)
    if person is not None and person.state == "active" and not person.has_password:
        await _mail_link(person, "set_password", "accounts/welcome", fact=f"invitation:{event.ask}")


@events.on(PasswordResetAsked)
async def mail_reset_link(event: PasswordResetAsked) -> None:
    """Mail the link that resets a password, if there is an account."""
    person = await queries.user_by_id(event.user_id) if event.user_id is not None else None
    if person is not None and person.state == "merged":
        await merging.remind(person, ask=event.ask)
    if person is not None and person.state == "active":
        await _mail_link(person, "reset_password", "accounts/password_reset", fact=f"password_reset:{event.ask}")


async def _mail_link(person: User, purpose: str, template: str, *, fact: str) -> None:
    async with db.transaction():
        _, token = await links.issue(person.id, person.email, purpose)
        # Run twice, the mail exists already; then the second link reaches nobody and expires unused.
        context = {
            "name": person.name,
            "path": f"/password/reset/{token}",
            "is_team": person.role != "member",
        }
        await mail.send(person.email, template, context, fact=fact)


# So many mails in an hour say what there is to say. Whoever registered somebody else's address and signs in again and again
# fills no mailbox.
DEVICE_MAILS = Limit(10, 60 * 60)


@events.on(NewDevice)
async def mail_new_device(event: NewDevice) -> None:
    """Tell the person that a browser signed in which the account did not know, with a link for when it was not them."""
    person = await queries.user_by_id(event.user_id)
    if person is None or await limits.count("new-device", f"user:{event.user_id}", DEVICE_MAILS) > DEVICE_MAILS.count:
        return
    async with db.transaction():
        _, token = await links.issue(person.id, person.email, "not_me")
        context = {
            "name": person.name,
            "device": device_of(event.user_agent).name,
            "place": event.place,
            "address": event.address,
            "when": await _when(event.at, person),
            "path": f"/not-me/{token}",
        }
        await mail.send(person.email, "accounts/new_device", context, fact=f"new_device:{event.session_id}")


async def _when(at: str, person: User) -> str:
    """A moment in the person's own time zone, which is named."""
    zone = ZoneInfo(person.time_zone or (await school()).time_zone)
    return f"{i18n.format_moment(datetime.fromisoformat(at).astimezone(zone))} ({zone.key})"


@events.on(GuessingBegan)
async def mail_guessing(event: GuessingBegan) -> None:
    """Tell the owner that somebody guesses at the password; once a day."""
    person = await queries.user_by_id(event.user_id) if event.user_id is not None else None
    if person is not None and person.state == "active":
        fact = f"guessing:{person.id}:{event.day}"
        await mail.send(person.email, "accounts/guessing", {"name": person.name}, fact=fact)


@events.on(EmailChangeAsked)
async def mail_email_change(event: EmailChangeAsked) -> None:
    """Ask both mailboxes; the owner of an account that has the new address already is told so instead."""
    change = await email_changes.by_id(event.change_id)
    person = await queries.user_by_id(change.user_id) if change is not None and change.state == "open" else None
    if change is None or person is None:
        return
    async with db.transaction():
        for which, email, purpose in (("old", change.old_email, "keep_email"), ("new", change.new_email, "new_email")):
            _, token = await links.issue(person.id, email, purpose)
            is_known = which == "new" and await queries.user_by_email(email) is not None
            template = "accounts/email_change_known" if is_known else f"accounts/email_change_{which}"
            context = {"name": person.name, "new": change.new_email, "path": f"/email-changes/{token}"}
            if is_known:
                context = {"email": email}
            await mail.send(email, template, context, fact=f"email_change:{change.id}:ask:{which}")


@events.on(SignInLinkAsked)
async def mail_sign_in_link(event: SignInLinkAsked) -> None:
    """Mail the link that signs in, if there is an account."""
    person = await queries.user_by_id(event.user_id) if event.user_id is not None else None
    if person is not None and person.state == "merged":
        await merging.remind(person, ask=event.ask)
    if person is not None and person.state == "active":
        await magic_links.mail_link(person, event)


@events.on(RegisteredAgain)
async def mail_already_registered(event: RegisteredAgain) -> None:
    """Tell the owner of an address that it was registered again; the page did not."""
    person = await queries.user_by_id(event.user_id)
    if person is not None:
        await mail.send(
            person.email, "accounts/already_registered", {"name": person.name}, fact=f"registered_again:{event.ask}"
        )


@queue.every("23 * * * *")
@queue.job()
async def clear_expired() -> None:
    """Delete sessions, half-done sign-ins and challenges that nobody can use any more, and links of a month ago."""
    now = clock.now()
    await queries.delete_dead_sessions(now, now - sessions.IDLE)
    await second_factors.delete_dead_pending(now)
    await passkeys.delete_dead_challenges(now)
    await token_queries.delete_dead_tokens(now - access_tokens.KEPT)
    await queries.delete_dead_links(now - links.KEPT)
    await email_changes.delete_dead(now - links.KEPT)
    await magic_links.clear(now)


@queue.job(attempts=5, concurrency=2)
async def build_export(export_id: int) -> None:
    """Gather everything about a person into one file."""
    await exports.build(export_id)


@queue.job()
async def forget_export_bytes(storage_key: str) -> None:
    """Remove the file of an export whose row is gone."""
    await exports.forget_bytes(storage_key)


@queue.every("7 * * * *")
@queue.job(attempts=1)
async def erase_due() -> None:
    """Give every erasure whose time has come a job of its own, and forget the addresses of the last mails."""
    for erasure_id in await erasures.due():
        await queue.enqueue(erase, once=str(erasure_id), erasure_id=erasure_id)
    await erasures.forget_farewells()


@queue.job(attempts=8)
async def erase(erasure_id: int) -> None:
    """Forget a person; killed half-way, it goes on where it was."""
    await erasures.carry_out(erasure_id)


@queue.every("52 3 * * *")
@queue.job()
async def clear_privacy() -> None:
    """Remove files of exports that are too old, addresses of looks of a year ago, consents of guests who never bought."""
    now = clock.now()
    await exports.forget_old()
    await impersonation_queries.delete_old_visits(now - impersonations.VISITS_KEPT)
    await consent_queries.delete_stray_consents(now - consents.STRAY)
