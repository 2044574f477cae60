"""The audit log: who did what to which thing, before and after, from where. Rows are only ever added."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from app.core import clock, db


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts in this request or job. `user_id` is None for the system and for visitors."""

    user_id: int | None = None
    address: str | None = None
    request_id: str | None = None


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
        INSERT INTO audit_log (actor_id, address, request_id, action, subject_type, subject_id,
                               summary, before, after, created_at)
        VALUES (:actor_id, :address, :request_id, :action, :subject_type, :subject_id,
                :summary, CAST(:before AS jsonb), CAST(:after AS jsonb), :now)
        """,
        actor_id=actor.user_id,
        address=actor.address,
        request_id=actor.request_id,
        action=action,
        subject_type=subject_type,
        subject_id=str(subject_id),
        summary=summary,
        before=before,
        after=after,
        now=clock.now(),
    )


def _differences(
    before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    if before is None or after is None:
        return (dict(before) if before is not None else None, dict(after) if after is not None else None)
    changed = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    return {key: before.get(key) for key in changed}, {key: after.get(key) for key in changed}
