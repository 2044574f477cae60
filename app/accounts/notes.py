"""Notes of the team about a person. The audit log says that one was written or removed, never what it said."""

from typing import Any

from app.accounts import people
from app.accounts.models import Note, SignedIn, User
from app.accounts.queries import people as queries
from app.core import audit, clock, db
from app.core.errors import Invalid, NotFound
from app.core.i18n import _
from app.core.ids import public_id

LONGEST = 4000


async def of(user_id: int) -> tuple[list[Note], list[Any]]:
    """The notes about a person, newest first (at most 200), and their tags (public_id, words), by name."""
    return await queries.notes_and_tags(user_id)


async def write(person: User, body: str, *, by: SignedIn) -> None:
    """Add a note. Raises Invalid for an empty or very long one, Conflict for a closed account."""
    body = body.strip()
    if not body or len(body) > LONGEST:
        raise Invalid(_("Write something, at most %(most)s characters.", most=LONGEST), field="body")
    async with db.transaction():
        await people.open_one(person)
        note_id = public_id()
        await queries.insert_note(note_id, person.id, by.id, body, clock.now())
        await audit.record("people.note", "person", person.public_id, after={"note": note_id})


async def delete(person: User, note_id: str, *, by: SignedIn) -> None:
    """Remove one's own note. Raises NotFound for somebody else's."""
    async with db.transaction():
        if not await queries.delete_note(note_id, person.id, by.id):
            raise NotFound(_("This note is not yours, or is gone."))
        await audit.record("people.note_removal", "person", person.public_id, before={"note": note_id})
