"""Enrolments: who learns which course. Access is another question, and the ledger (`app.access`) answers it."""

from app.core import clock, db, events
from app.learning import queries
from app.learning.events import Enrolled


async def enrol(user_id: int, course_id: int, since: int | None, *, quietly: bool = False) -> bool:
    """Enrol a member who was let in; False when they were enrolled before that. Publishes `Enrolled`; `quietly`: no mail
    comes of it. Who has opened a lesson `since` this entitlement was granted is enrolled by that, and hears of it all the
    same.
    """
    async with db.transaction():
        new = await queries.insert_enrolment(user_id, course_id, clock.now())
        if new or (since is not None and await queries.is_enrolled_since(user_id, course_id, since)):
            await events.publish(Enrolled(user_id, course_id, quietly))
            return True
        return False


async def of(user_id: int) -> list[db.Row]:
    """Every enrolment of a member with their progress, for the back office."""
    return await queries.enrolments_of(user_id)
