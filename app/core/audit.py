"""The audit log: who (acting as whom) did what to which thing, before and after, from where and when.

Rows are only ever added: the database refuses everything else but `shred`, which takes personal data away and leaves
the trail. docs/permissions.md tells how to record.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from app.core import clock, db


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts in this request or job. `user_id` is None for the school itself (jobs, the command line) and for visitors.

    While somebody acts as another person, `user_id` is who they really are and `acting_as` whom they act as.
    """

    user_id: int | None = None
    address: str | None = None
    request_id: str | None = None
    acting_as: int | None = None
    user_agent: str | None = None

    def known_as(self, user_id: int, *, acting_as: int | None = None) -> "Actor":
        """The same request, by this person."""
        return Actor(user_id, self.address, self.request_id, acting_as, self.user_agent)


_actor: ContextVar[Actor] = ContextVar("actor", default=Actor())  # noqa: B039 (frozen)


def current_actor() -> Actor:
    """Who acts now."""
    return _actor.get()


def set_actor(actor: Actor) -> None:
    """Name who acts for the rest of this request."""
    _actor.set(actor)


@contextmanager
def acting(actor: Actor) -> Iterator[None]:
    """Name who acts inside the block."""
    token = _actor.set(actor)
    try:
        yield
    finally:
        _actor.reset(token)


async def record(
    action: str,
    subject_type: str,
    subject_id: str | int,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    summary: str = "",
) -> None:
    """Write one row in the current transaction: `record("course.publish", "course", course.public_id, ...)`.

    `before` and `after` hold only what changed. Never put a secret into them.
    """
    actor = current_actor()
    before, after = _differences(before, after)
    await db.run(
        """
        INSERT INTO audit_log (actor_id, acting_as_id, address, user_agent, request_id, action, subject_type, subject_id,
                               summary, before, after, created_at)
        VALUES (:actor_id, :acting_as_id, :address, :user_agent, :request_id, :action, :subject_type, :subject_id,
                :summary, CAST(:before AS jsonb), CAST(:after AS jsonb), :now)
        """,
        actor_id=actor.user_id,
        acting_as_id=actor.acting_as,
        address=actor.address,
        user_agent=actor.user_agent,
        request_id=actor.request_id,
        action=action,
        subject_type=subject_type,
        subject_id=str(subject_id),
        summary=summary,
        before=before,
        after=after,
        now=clock.now(),
    )


async def record_many(
    action: str,
    subject_type: str,
    things: Sequence[tuple[str, Mapping[str, Any] | None, Mapping[str, Any] | None]],
) -> None:
    """The same act on many things, each (public id, before, after), as one statement."""
    if not things:
        return
    actor = current_actor()
    changes = [_differences(before, after) for _id, before, after in things]
    await db.run(
        """
        INSERT INTO audit_log (actor_id, acting_as_id, address, user_agent, request_id, action, subject_type, subject_id,
                               summary, before, after, created_at)
        SELECT :actor_id, CAST(:acting_as_id AS bigint), :address, :user_agent, :request_id, :action, :subject_type,
               thing.subject_id, '', thing.before, thing.after, :now
        FROM unnest(CAST(:ids AS text[]), CAST(:befores AS jsonb[]), CAST(:afters AS jsonb[]))
             WITH ORDINALITY AS thing (subject_id, before, after, place)
        ORDER BY thing.place
        """,
        actor_id=actor.user_id,
        acting_as_id=actor.acting_as,
        address=actor.address,
        user_agent=actor.user_agent,
        request_id=actor.request_id,
        action=action,
        subject_type=subject_type,
        ids=[id for id, _before, _after in things],
        befores=[before for before, _after in changes],
        afters=[after for _before, after in changes],
        now=clock.now(),
    )


async def shred(person_id: int, person_public_id: str, *, words: Sequence[str]) -> int:
    """Take what is personal of one person out of the log, for good; how many rows changed.

    Who did what to which thing and when stays; the act itself is noted as `audit.shred`. `words` are texts that name the
    person (email addresses, the full name): any text that holds one is erased whole. Reads the whole log: for jobs.
    """
    actor = current_actor()
    changed: int = await db.value(
        "SELECT audit_shred(:id, :public_id, CAST(:words AS text[]), CAST(:actor_id AS bigint), :now)",
        id=person_id,
        public_id=person_public_id,
        words=[word for word in words if word.strip()],
        actor_id=actor.user_id,
        now=clock.now(),
    )
    return changed


def _differences(
    before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    if before is None or after is None:
        return (dict(before) if before is not None else None, dict(after) if after is not None else None)
    changed = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    return {key: before.get(key) for key in changed}, {key: after.get(key) for key in changed}
