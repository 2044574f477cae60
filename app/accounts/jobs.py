"""What accounts does in the background: mails with links, and clearing away what has expired."""

from app.accounts import links, queries, sessions
from app.accounts.events import AccountMade, InvitedAgain, PasswordResetAsked, RegisteredAgain
from app.accounts.models import User
from app.accounts.queries import second_factors
from app.core import clock, db, events, mail, queue


@events.on(AccountMade)
async def welcome_made_account(event: AccountMade) -> None:
    """Welcome the owner of an account that a purchase made, with the link to set a password; once."""
    person = await queries.user_by_id(event.user_id)
    if person is None or person.has_password:
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
    if person is not None and person.state == "active":
        await _mail_link(person, "reset_password", "accounts/password_reset", fact=f"password_reset:{event.ask}")


async def _mail_link(person: User, purpose: str, template: str, *, fact: str) -> None:
    async with db.transaction():
        _, token = await links.issue(person.id, person.email, purpose)
        # Run twice, the mail exists already; then the second link reaches nobody and expires unused.
        await mail.send(person.email, template, {"name": person.name, "path": f"/password/reset/{token}"}, fact=fact)


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
    """Delete sessions and half-done sign-ins that nobody can use any more, and links of a month ago."""
    now = clock.now()
    await queries.delete_dead_sessions(now, now - sessions.IDLE)
    await second_factors.delete_dead_pending(now)
    await queries.delete_dead_links(now - links.KEPT)
