"""What the lists of the office keep about a person: views that they saved, acts on many rows, words that were looked for."""

from app.core import db, personal
from app.core.personal import Subject


@personal.erases("lists")
async def forget(subject: Subject) -> None:
    """Their own views; from where they acted on many rows; and texts in views and acts of others that name them."""
    await db.run("DELETE FROM default_views WHERE user_id = :id", id=subject.id)
    await db.run("DELETE FROM saved_views WHERE owner_id = :id", id=subject.id)
    words = personal.in_addresses(subject.words)
    await db.run(
        "UPDATE saved_views SET query = '' WHERE audit_holds(query || ' ' || name, CAST(:words AS text[]))", words=words
    )
    await db.run(
        """
        UPDATE bulk_runs SET options = audit_erased(options, CAST(:words AS text[]), false),
                             actor = CASE WHEN actor_id = :id THEN actor - 'address' - 'user_agent' ELSE actor END,
                             came_from = CASE WHEN audit_holds(came_from, CAST(:words AS text[])) THEN '' ELSE came_from END
        WHERE actor_id = :id OR audit_holds(came_from || ' ' || CAST(options AS text), CAST(:words AS text[]))
        """,
        id=subject.id,
        words=words,
    )
    await db.run(
        """
        UPDATE bulk_items SET before = audit_erased(before, CAST(:words AS text[]), subject_id = :id),
                              reason = CASE WHEN audit_holds(reason, CAST(:words AS text[])) THEN '[erased]' ELSE reason END
        WHERE before IS NOT NULL AND (subject_id = :id OR audit_holds(CAST(before AS text), CAST(:words AS text[])))
           OR audit_holds(reason, CAST(:words AS text[]))
        """,
        id=subject.id,
        words=words,
    )
