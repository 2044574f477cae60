"""What the core's own tables hold about a person: mails, acts in the audit log, deliveries, traces of failed jobs."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from app.core import audit, db, personal
from app.core.personal import Subject

ERASED = "[erased]"
# Nobody is named in more acts that are about other things.
MANY_ACTS = 50


@personal.exports("mails")
async def mails(subject: Subject) -> AsyncIterator[Mapping[str, Any]]:
    """The mails that were sent to you: which, when, under what subject. Their text is not kept."""
    async for row in db.stream(
        db.Row,
        """
        SELECT template AS mail, subject, state, created_at, sent_at FROM mails
        WHERE lower(recipient) = lower(:email) ORDER BY id
        """,
        email=subject.email,
    ):
        yield {"mail": row.mail, "subject": row.subject, "state": row.state, "at": row.created_at, "sent": row.sent_at}


@personal.exports("activity")
async def activity(subject: Subject) -> AsyncIterator[Mapping[str, Any]]:
    """What was written down about you, and what you did yourself: when, what, from where."""
    # That somebody looked as the person is told in looks.json, where the school tells it, and without the words of staff.
    async for row in db.stream(
        db.Row,
        """
        SELECT created_at, action, subject_type, subject_id, before, after, actor_id = :id AS by_you, address, user_agent,
               subject_type IN ('person', 'user') AND subject_id = :public_id AS about_you
        FROM audit_log
        WHERE actor_id = :id
           OR (subject_type IN ('person', 'user') AND subject_id = :public_id AND action NOT LIKE 'impersonation.%') ORDER BY id
        """,
        id=subject.id,
        public_id=subject.public_id,
    ):
        by_you, about_you = bool(row.by_you), bool(row.about_you)
        # What somebody did to a thing of others tells of those others; from where somebody else did it, of them.
        yield {
            "at": row.created_at,
            "act": row.action,
            "on": f"{row.subject_type} {row.subject_id}",
            "by_you": by_you,
            "before": row.before if about_you else None,
            "after": row.after if about_you else None,
            "address": row.address if by_you else None,
            "browser": row.user_agent if by_you else None,
        }


@personal.shares("activity")
async def in_many_acts(subject: Subject, names: Sequence[str]) -> list[str]:
    """Names that stand in so many acts about others that they are words of the language: "of the"."""
    rows = await db.many(
        db.Row,
        """
        SELECT asked.word FROM unnest(CAST(:names AS text[])) asked (word)
        WHERE (SELECT count(*) FROM (
                   SELECT FROM audit_log l
                   WHERE l.actor_id IS DISTINCT FROM :id
                     AND NOT (l.subject_type IN ('person', 'user') AND l.subject_id = :public_id)
                     AND strpos(lower(l.summary || ' ' || coalesce(CAST(l.before AS text), '') || ' '
                                      || coalesce(CAST(l.after AS text), '')), lower(asked.word)) > 0
                   LIMIT CAST(:most AS integer) + 1) acts) > CAST(:most AS integer)
        """,
        id=subject.id,
        public_id=subject.public_id,
        names=list(names),
        most=MANY_ACTS,
    )
    return [row.word for row in rows]


@personal.erases("mails")
async def forget_mails(subject: Subject) -> None:
    """To whom and under what subject; what was not sent yet is not. That a mail was sent stays. The farewell goes later."""
    addresses = [word.lower() for word in subject.words if "@" in word]
    await db.run(
        """
        DELETE FROM mails WHERE lower(recipient) = ANY(CAST(:addresses AS text[])) AND state <> 'sent'
                            AND fact NOT LIKE 'erasure:%:done'
        """,
        addresses=addresses,
    )
    await db.run(
        f"""
        UPDATE mails SET recipient = '{ERASED}', subject = '{ERASED}', context = '{{}}', error = NULL
        WHERE lower(recipient) = ANY(CAST(:addresses AS text[])) AND fact NOT LIKE 'erasure:%:done'
        """,  # noqa: S608 (a constant)
        addresses=addresses,
    )
    await db.run(
        """
        UPDATE mails SET context = audit_erased(context, CAST(:words AS text[]), false),
                         error = CASE WHEN audit_holds(error, CAST(:words AS text[])) THEN NULL ELSE error END,
                         subject = CASE WHEN audit_holds(subject, CAST(:words AS text[])) THEN '[erased]' ELSE subject END
        WHERE fact NOT LIKE 'erasure:%:done'
          AND audit_holds(CAST(context AS text) || coalesce(error, '') || coalesce(subject, ''), CAST(:words AS text[]))
        """,
        words=list(subject.words),
    )


async def forget_farewell(fact: str, *, before: Any) -> bool:
    """Forget to whom the last mail went, once it was sent or is older than `before`; whether there was one."""
    return bool(
        await db.run(
            f"""
            UPDATE mails SET recipient = '{ERASED}', subject = '{ERASED}', context = '{{}}', error = NULL
            WHERE fact = :fact AND recipient <> '{ERASED}' AND (state = 'sent' OR created_at < :before)
            """,  # noqa: S608 (a constant)
            fact=fact,
            before=before,
        )
    )


@personal.erases("deliveries")
async def forget_deliveries(subject: Subject) -> None:
    """Texts in what other services told, and in traces of failed jobs, that name the person."""
    await db.run(
        """
        UPDATE webhook_events SET payload = audit_erased(payload, CAST(:words AS text[]), false)
        WHERE audit_holds(CAST(payload AS text), CAST(:words AS text[]))
        """,
        words=list(subject.words),
    )
    await db.run(
        """
        UPDATE pgqueuer_log SET traceback = audit_erased(traceback, CAST(:words AS text[]), false)
        WHERE audit_holds(CAST(traceback AS text), CAST(:words AS text[]))
        """,
        words=list(subject.words),
    )


@personal.erases("audit")
async def shred(subject: Subject) -> None:
    """What is personal in the audit log; who did what and when stays."""
    await audit.shred(subject.id, subject.public_id, words=subject.words)
