"""Lists of people that were brought in: what they say about somebody who is erased. The files themselves go after days."""

from app.core import db, personal
from app.core.personal import Subject


@personal.erases("imports")
async def forget(subject: Subject) -> None:
    """Sample rows and refusals that name the person."""
    await db.run(
        """
        UPDATE imports SET samples = audit_erased(samples, CAST(:words AS text[]), false),
                           refusals = audit_erased(refusals, CAST(:words AS text[]), false),
                           error = CASE WHEN audit_holds(error, CAST(:words AS text[])) THEN '' ELSE error END
        WHERE audit_holds(CAST(samples AS text) || ' ' || CAST(refusals AS text) || ' ' || error, CAST(:words AS text[]))
        """,
        words=list(subject.words),
    )
    await db.run(
        "UPDATE import_outcomes SET reason = '' WHERE audit_holds(reason, CAST(:words AS text[]))",
        words=list(subject.words),
    )
