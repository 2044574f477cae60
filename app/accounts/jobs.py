"""What accounts does in the background: mails with links, and clearing away what has expired."""

from app.accounts import consents, erasures, exports, impersonations, links, queries, sessions
from app.accounts.events import AccountMade, PasswordResetAsked, RegisteredAgain
from app.accounts.models import User
from app.accounts.queries import impersonations as impersonation_queries
from app.accounts.queries import privacy, second_factors
from app.core import clock, db, events, mail, queue


@events.on(AccountMade)
async def welcome_made_account(event: AccountMade) -> None:
    """Welcome the owner of an account that a purchase made, with the link to set a password; once."""
    person = await queries.user_by_id(event.user_id)
    if person is None or person.has_password:
        return
    await _mail_link(person, "set_password", "accounts/welcome", fact=f"welcome:{person.id}")


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
    await privacy.delete_stray_consents(now - consents.STRAY)
