"""SQL of trials, one statement a function."""

from dataclasses import dataclass
from datetime import datetime

from app.core import db


@dataclass(frozen=True, slots=True)
class Trial:
    """Two versions tried against each other."""

    id: int
    form_id: int
    a_version_id: int
    b_version_id: int
    planned: int
    started_at: datetime
    ended_at: datetime | None
    winner: str | None


_TRIAL = "SELECT id, form_id, a_version_id, b_version_id, planned, started_at, ended_at, winner FROM form_trials"


async def running(form_id: int) -> Trial | None:
    return await db.one(Trial, f"{_TRIAL} WHERE form_id = :form_id AND ended_at IS NULL", form_id=form_id)


async def by_id(trial_id: int) -> Trial | None:
    return await db.one(Trial, f"{_TRIAL} WHERE id = :id", id=trial_id)


async def of_form(form_id: int) -> list[Trial]:
    """The newest of a form."""
    return await db.many(Trial, f"{_TRIAL} WHERE form_id = :form_id ORDER BY id DESC LIMIT 20", form_id=form_id)


async def insert(form_id: int, a: int, b: int, planned: int, now: datetime) -> int:
    """Begin one; what is tried counts as published, since visitors answer it."""
    trial_id: int = await db.value(
        """
        WITH begun AS (
            INSERT INTO form_trials (form_id, a_version_id, b_version_id, planned, started_at)
            VALUES (:form_id, :a, :b, :planned, :now) RETURNING id),
        views AS (INSERT INTO form_trial_views (trial_id, arm) SELECT id, arm FROM begun, unnest(ARRAY['a', 'b']) arm),
        published AS (UPDATE form_versions SET published_at = coalesce(published_at, :now) WHERE id = :b)
        SELECT id FROM begun
        """,
        form_id=form_id,
        a=a,
        b=b,
        planned=planned,
        now=now,
    )
    return trial_id


async def count_view(trial_id: int, arm: str, mark: bytes) -> None:
    """Count whoever has this mark once for as long as the trial runs."""
    await db.run(
        """
        WITH fresh AS (
            INSERT INTO form_trial_people (trial_id, mark)
            SELECT id, :mark FROM form_trials WHERE id = :id AND ended_at IS NULL ON CONFLICT DO NOTHING RETURNING 1)
        UPDATE form_trial_views SET seen = seen + 1 WHERE trial_id = :id AND arm = :arm AND EXISTS (SELECT FROM fresh)
        """,
        id=trial_id,
        arm=arm,
        mark=mark,
    )


async def finish(trial_id: int, winner: str | None, now: datetime) -> None:
    """End it, and forget who looked."""
    await db.run(
        """
        WITH forgotten AS (DELETE FROM form_trial_people WHERE trial_id = :id)
        UPDATE form_trials SET ended_at = :now, winner = :winner WHERE id = :id
        """,
        id=trial_id,
        winner=winner,
        now=now,
    )


async def make_live(form_id: int, version_id: int, now: datetime) -> None:
    await db.run(
        "UPDATE forms SET live_id = :version_id, updated_at = :now WHERE id = :id",
        id=form_id,
        version_id=version_id,
        now=now,
    )


async def figures(trial_id: int) -> list[db.Row]:
    """Both arms: how often each was shown, and how many entries came of it while it ran, without spam."""
    return await db.many(
        db.Row,
        """
        SELECT w.arm, w.seen, v.number,
               (SELECT count(*) FROM form_entries e
                WHERE e.version_id = v.id AND e.created_at >= t.started_at
                  AND e.created_at < coalesce(t.ended_at, 'infinity') AND e.state <> 'spam') AS sent
        FROM form_trials t JOIN form_trial_views w ON w.trial_id = t.id
        JOIN form_versions v ON v.id = CASE w.arm WHEN 'a' THEN t.a_version_id ELSE t.b_version_id END
        WHERE t.id = :id
        """,
        id=trial_id,
    )
