"""Jobs that failed for good: tried again, discarded, restored, and forgotten in time with the log of all."""

from dataclasses import dataclass

from asyncpg import UniqueViolationError

from app.core import db
from app.core.queue.kinds import JobFunction, job_name


async def requeue(job_id: int) -> bool:
    """Give a failed job its tries again; False when it is not failed (any more), or the same work waits already."""
    try:
        # A savepoint, so that the caller's transaction outlives it when the same work is enqueued at this very moment.
        async with db.transaction():
            done = await db.run(
                """
                UPDATE pgqueuer SET status = 'queued', attempts = 0, execute_after = now(), updated = now()
                WHERE id = :id AND status = 'failed' AND NOT EXISTS (
                    SELECT 1 FROM pgqueuer other
                    WHERE other.dedupe_key = pgqueuer.dedupe_key AND other.status IN ('queued', 'picked'))
                """,
                id=job_id,
            )
    except UniqueViolationError:
        return False
    return bool(done)


async def is_under_way(function: JobFunction, once: str) -> bool:
    """Whether the job that was enqueued under this name waits or runs; False when it is done, failed for good or gone."""
    found = await db.value(
        "SELECT EXISTS (SELECT FROM pgqueuer WHERE dedupe_key = :key AND status IN ('queued', 'picked'))",
        key=f"{job_name(function)}:{once}",
    )
    return bool(found)


@dataclass(frozen=True, slots=True)
class Discarded:
    """What `restore` needs of a job that was discarded. `dedupe_key` is under what `once` it was enqueued, if it was."""

    name: str
    arguments: str
    dedupe_key: str | None = None


async def discard(job_id: int) -> Discarded | None:
    """Take a failed job out of the queue; its log stays. None when it is not failed."""
    return await db.one(
        Discarded,
        """
        DELETE FROM pgqueuer WHERE id = :id AND status = 'failed'
        RETURNING entrypoint AS name, convert_from(coalesce(payload, '{}'), 'UTF8') AS arguments, dedupe_key
        """,
        id=job_id,
    )


async def restore(job_id: int, job: Discarded) -> bool:
    """Put a discarded job back, still failed; False when it is there, or was put back before and is done by now."""
    return bool(
        await db.run(
            """
            INSERT INTO pgqueuer (id, priority, status, entrypoint, payload, dedupe_key)
            SELECT :id, 0, 'failed', :name, convert_to(:arguments, 'UTF8'), :dedupe_key
            WHERE NOT EXISTS (SELECT FROM pgqueuer_log WHERE job_id = :id AND status = 'successful')
            ON CONFLICT (id) DO NOTHING
            """,
            id=job_id,
            name=job.name,
            arguments=job.arguments,
            dedupe_key=job.dedupe_key,
        )
    )


async def forget_failed(function: JobFunction, argument: str, value: int | str) -> None:
    """Discard failed jobs that would do again what was just enqueued anew."""
    await _forget("'failed'", function, argument, value)


async def forget_undone(function: JobFunction, argument: str, value: int | str) -> None:
    """Discard jobs, failed or still waiting, that would do again what is enqueued anew. One that runs already goes on."""
    await _forget("'failed', 'queued'", function, argument, value)


async def _forget(states: str, function: JobFunction, argument: str, value: int | str) -> None:
    await db.run(
        f"""
        DELETE FROM pgqueuer WHERE status IN ({states}) AND entrypoint = :name
        AND CAST(convert_from(payload, 'UTF8') AS jsonb) -> CAST(:argument AS text) = CAST(:value AS jsonb)
        """,  # noqa: S608 (constants)
        name=job_name(function),
        argument=argument,
        value=value,
    )


async def prune() -> None:
    """Forget the beginnings of jobs after a day, done jobs after 7 days and failed ones after 30.

    The log has three rows a job, and only the last one is ever listed.
    """
    for states, days in (
        ("'queued', 'picked'", 1),
        ("'successful'", 7),
        ("'exception', 'canceled', 'deleted', 'failed'", 30),
    ):
        await db.run_in_batches(
            f"""
            DELETE FROM pgqueuer_log WHERE id IN (
                SELECT id FROM pgqueuer_log WHERE status IN ({states}) AND created < now() - interval '{days} days'
                LIMIT :batch)
            """  # noqa: S608 (constants)
        )
    # The condition stands outside too: one that is tried again meanwhile is looked at again, and stays.
    await db.run_in_batches(
        """
        DELETE FROM pgqueuer WHERE status = 'failed' AND id IN (
            SELECT id FROM pgqueuer WHERE status = 'failed' AND updated < now() - interval '30 days' LIMIT :batch)
        """
    )
    await db.run_in_batches(
        """
        DELETE FROM pgqueuer_statistics WHERE id IN (
            SELECT id FROM pgqueuer_statistics WHERE created < now() - interval '30 days' LIMIT :batch)
        """
    )
