"""Keeping as little as a form says: answers that go once they are sent, entries that go by age, whoever asks to be forgotten."""

from datetime import timedelta

from app.core import audit, clock, db, tokens
from app.core.errors import Invalid
from app.core.i18n import _
from app.formbuilder.queries import retention as queries
from app.web.forms import is_email

# What was refused or not paid for may still be approved, or paid by the link of a mail, for so long.
LET_GO_AFTER = timedelta(days=30)


async def let_go() -> int:
    """Let the answers go of entries that never came to count, of forms that keep none; how many. `empty_sent` takes them out."""
    now = clock.now()
    return await queries.let_go(now - LET_GO_AFTER, now)


async def empty_sent() -> int:
    """Take the answers out of entries of forms that keep none, once nothing waits to be sent; how many."""
    return await queries.empty_sent(clock.now())


async def delete_by_age() -> int:
    """Delete what is older than its form wants it; how many in all. Each form's number is noted."""
    total = 0
    for form in await queries.forms_that_forget():
        before = clock.now() - timedelta(days=float(form.days))
        gone = await queries.delete_older(form.id, before, form.days)
        await queries.delete_older_drafts(form.id, before, form.days)
        if gone:
            async with db.transaction():
                await audit.record(
                    "form.entries_expired", "form", form.public_id, after={"entries": gone}, summary=form.title
                )
        total += gone
    return total


async def found(email: str) -> tuple[int, int]:
    """How many entries and drafts speak of this address. Raises Invalid for what is none."""
    row = await queries.found_of_address(_checked(email))
    return row.entries, row.drafts


async def erase(email: str) -> int:
    """Delete every entry and draft of this address, whole; how many entries. The log keeps a keyed hash of it only."""
    address = _checked(email)
    async with db.transaction():
        gone = await queries.delete_of_address(address)
        await audit.record(
            "form_entry.erase", "address", tokens.keyed(address.lower()).hex()[:16], after={"entries": gone}
        )
    return gone


def _checked(email: str) -> str:
    address = email.strip()
    if not is_email(address):
        raise Invalid(_("This does not look like an email address."), field="email")
    return address
