"""Acts on many rows of a list: chosen, looked at beforehand, carried out by a job, and taken back where that is possible.

    PEOPLE_IN_BULK = bulk.register(bulk.Bulk(
        listing=queries.PEOPLE, needs="people.view", choices=…, source="users u", key="u.id", name="u.name", acts=[…],
    ))
    await tables.show(queries.PEOPLE, "…", bulk=PEOPLE_IN_BULK)

What is chosen (picked rows, or all that the filters find) is written down at once, so that what was looked at is what is
done. An act judges all of them in one statement, and does them by the hundred, each transaction with its own look at
who acts and whom it is about. A worker that dies leaves whole hundreds done and the others to be done.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from app.core import audit, clock, db, queue
from app.core.errors import Conflict, Invalid, NotFound
from app.core.i18n import _
from app.core.ids import public_id
from app.core.settings import school
from app.web.request import Visitor
from app.web.tables.acts import REASONS, Act, Bulk, Outcome, Plan
from app.web.tables.state import read
from app.web.tables.statements import matching

__all__ = ["Act", "Bulk", "Outcome", "Plan"]  # of `acts`, beside what is below

BATCH = 100
# What was chosen and never begun, and what was done long ago, is forgotten.
_DRAFTS, _KEPT = timedelta(days=1), timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Run:
    """An act on many rows, chosen (draft), begun (running) or done; "failed" when it is begun and no job is at it any more."""

    id: int
    public_id: str
    list: str
    act: str
    options: dict[str, Any]
    actor_id: int
    actor: dict[str, Any]
    state: str
    undo_of: int | None
    came_from: str
    total: int
    acted: int
    skipped: int
    created_at: datetime
    began_at: datetime | None
    ended_at: datetime | None
    # Whether somebody took it back.
    is_undone: bool

    @property
    def is_undo(self) -> bool:
        """Whether it takes another one back."""
        return self.undo_of is not None


@dataclass(frozen=True, slots=True)
class Share:
    """Rows that have the same reason, with a few of their names; `reason` "" is those that are done."""

    reason: str
    number: int
    names: list[str]


BULKS: dict[str, Bulk] = {}

_COLUMNS = """r.id, r.public_id, r.list, r.act, r.options, r.actor_id, r.actor, r.state, r.undo_of, r.came_from, r.total, r.acted,
              r.skipped, r.created_at, r.began_at, r.ended_at,
              EXISTS (SELECT 1 FROM bulk_runs u WHERE u.undo_of = r.id) AS is_undone"""


def register(bulk: Bulk) -> Bulk:
    """Make a list's acts known to the pages and the job."""
    BULKS[bulk.listing.name] = bulk
    return bulk


def of_list(name: str) -> Bulk:
    """The acts of a list. Raises NotFound."""
    if name not in BULKS:
        raise NotFound(_("There is no such list."))
    return BULKS[name]


async def choose(
    bulk: Bulk, act_key: str, *, picked: Sequence[str] | None, args: Mapping[str, str], came_from: str, by: Visitor
) -> str:
    """Write down what was chosen: these rows, or without them all that the filters of `args` find. The run's public id.

    Raises Forbidden; Invalid when nothing was chosen.
    """
    act = bulk.act(act_key, by)
    listing = bulk.listing
    if picked is None:
        choices = await bulk.choices() if bulk.choices is not None else None
        if bulk.narrowed is not None:
            listing, choices = await bulk.narrowed(came_from.partition("?")[0], args)
        rows, binds = matching(listing, read(listing, args, choices), (await school()).zone, choices)
    else:
        rows = f"SELECT {listing.key} AS id FROM {listing.source} WHERE {listing.pick} = ANY(CAST(:picked AS text[]))"  # noqa: S608
        binds = {"picked": list(picked)}
    run_id = public_id()
    async with db.transaction():
        total = await db.value(
            f"""
            WITH run AS (
                INSERT INTO bulk_runs (public_id, list, act, actor_id, came_from, created_at)
                VALUES (:run, :list, :act, :me, :came_from, :now) RETURNING id
            ), items AS (
                INSERT INTO bulk_items (run_id, subject_id) SELECT run.id, chosen.id FROM run, ({rows}) chosen RETURNING 1
            ) SELECT count(*) FROM items
            """,  # noqa: S608 (fragments of the declaration)
            run=run_id,
            list=listing.name,
            act=act.key,
            me=by.id,
            came_from=came_from,
            now=clock.now(),
            **binds,
        )
        if not total:
            raise Invalid(_("Nothing was chosen. Tick the rows that you mean first."))
        await db.run("UPDATE bulk_runs SET total = :total WHERE public_id = :run", total=total, run=run_id)
    return run_id


async def find(run_id: str, by: Visitor) -> tuple[Run, Bulk, Act]:
    """A run of this person's, with what it does. Raises NotFound, and Forbidden when they may not do it any more."""
    run = await _read(run_id, by)
    if run is not None and run.state == "running" and not await queue.is_under_way(work_through, str(run.id)):
        run = await _read(run_id, by)  # it may have ended between the two looks
        if run is not None and run.state == "running":
            run = replace(run, state="failed")
    if run is None or run.list not in BULKS:
        raise NotFound(_("There is nothing of the kind here, or it is done for long."))
    bulk = BULKS[run.list]
    return run, bulk, bulk.act(run.act, by)


async def _read(run_id: str, by: Visitor) -> Run | None:
    return await db.one(
        Run,
        f"SELECT {_COLUMNS} FROM bulk_runs r WHERE r.public_id = :id AND r.actor_id = :me",  # noqa: S608
        id=run_id,
        me=by.id,
    )


async def judge(run: Run, bulk: Bulk, plan: Plan) -> list[Share]:
    """What would happen to how many: those it would be done to first, then those left alone, by reason."""
    return _sorted(
        await db.many(
            Share,
            f"""
            SELECT reason, count(*) AS number, coalesce((array_agg(name))[1:4], '{{}}') AS names
            FROM (SELECT CASE WHEN {bulk.key} IS NULL THEN 'gone' ELSE {plan.reason} END AS reason, {bulk.name} AS name
                  FROM bulk_items i LEFT JOIN {bulk.source} ON {bulk.key} = i.subject_id WHERE i.run_id = :run) judged
            GROUP BY reason
            """,  # noqa: S608
            run=run.id,
            **plan.binds,
        )
    )


async def results(run: Run, bulk: Bulk) -> list[Share]:
    """What came of it, by reason."""
    return _sorted(
        await db.many(
            Share,
            f"""
            SELECT i.reason, count(*) AS number, coalesce((array_agg({bulk.name}))[1:4], '{{}}') AS names
            FROM bulk_items i LEFT JOIN {bulk.source} ON {bulk.key} = i.subject_id
            WHERE i.run_id = :run AND i.reason IS NOT NULL GROUP BY i.reason
            """,  # noqa: S608
            run=run.id,
        )
    )


def _sorted(shares: list[Share]) -> list[Share]:
    return sorted(shares, key=lambda share: (share.reason != "", -share.number, share.reason))


def reason_label(act: Act, reason: str) -> str:
    """Why a row is left alone, in words."""
    return str(act.reasons.get(reason) or REASONS.get(reason) or reason)


async def start(run: Run, act: Act, options: dict[str, Any], by: Visitor) -> None:
    """Begin: a job does it from here on. Begun before, nothing happens. Raises what the act's `begin` raises."""
    async with db.transaction():
        if not await db.run(
            "UPDATE bulk_runs SET state = 'running', began_at = :now, actor = CAST(:actor AS jsonb) "
            "WHERE id = :id AND state = 'draft'",
            id=run.id,
            now=clock.now(),
            actor=asdict(audit.current_actor()),
        ):
            return
        options = await act.begin(options, by)
        await db.run(
            "UPDATE bulk_runs SET options = CAST(:options AS jsonb) WHERE id = :id", id=run.id, options=options
        )
        await audit.record(
            "list.bulk",
            "list",
            run.list,
            after={"act": act.key, "chosen": run.total, "run": run.public_id},
            summary=str(act.label),
        )
        await queue.enqueue(work_through, once=str(run.id), run_id=run.id)


async def undo(run: Run, act: Act, by: Visitor) -> str:
    """Take back what was done, row by row; what has changed since is left alone. The public id of the run that does so.

    Raises Conflict for what cannot be taken back or is not through yet. Asked twice, it is done once.
    """
    if not act.returns or run.is_undo or run.state != "done":
        raise Conflict(_("This cannot be taken back."))
    async with db.transaction():
        made = await db.value(
            """
            INSERT INTO bulk_runs (public_id, list, act, options, actor_id, actor, state, undo_of, came_from, created_at,
                                   began_at)
            SELECT :new, list, act, options, :me, CAST(:actor AS jsonb), 'running', id, came_from, :now, :now
            FROM bulk_runs WHERE id = :id
            ON CONFLICT (undo_of) WHERE undo_of IS NOT NULL DO NOTHING RETURNING id
            """,
            new=public_id(),
            me=by.id,
            actor=asdict(audit.current_actor()),
            now=clock.now(),
            id=run.id,
        )
        if made is not None:
            total = await db.run(
                """
                INSERT INTO bulk_items (run_id, subject_id, before)
                SELECT :new, subject_id, before FROM bulk_items WHERE run_id = :old AND reason = ''
                """,
                new=made,
                old=run.id,
            )
            await db.run("UPDATE bulk_runs SET total = :total WHERE id = :id", id=made, total=total)
            await audit.record(
                "list.bulk_undo",
                "list",
                run.list,
                after={"act": act.key, "chosen": total, "run": run.public_id},
                summary=str(act.label),
            )
            await queue.enqueue(work_through, once=str(made), run_id=made)
        return str(await db.value("SELECT public_id FROM bulk_runs WHERE undo_of = :id", id=run.id))


@queue.job(attempts=5)
async def work_through(run_id: int) -> None:
    """Do an act to all that were chosen, by the hundred. Safe to run twice, or by two at once: they take turns.

    When it fails for good, the page says so and offers to go on (`outcomes`).
    """
    while await _one_batch(run_id):
        pass


async def _one_batch(run_id: int) -> bool:
    async with db.transaction():
        run = await db.one(
            Run,
            f"SELECT {_COLUMNS} FROM bulk_runs r WHERE r.id = :id AND r.state = 'running' FOR UPDATE",  # noqa: S608
            id=run_id,
        )
        if run is None:
            return False
        rows = await db.many(
            db.Row,
            """
            SELECT subject_id AS id, before FROM bulk_items WHERE run_id = :id AND reason IS NULL
            ORDER BY subject_id LIMIT :batch
            """,
            id=run.id,
            batch=BATCH,
        )
        if not rows:
            await db.run(
                "UPDATE bulk_runs SET state = 'done', ended_at = :now WHERE id = :id", id=run.id, now=clock.now()
            )
            return False
        act = next(act for act in BULKS[run.list].acts if act.key == run.act)
        with audit.acting(audit.Actor(**run.actor)):
            if run.is_undo:
                found = await act.take_back({row.id: row.before for row in rows}, run.options, run.actor_id)
            else:
                found = await act.carry_out([row.id for row in rows], run.options, run.actor_id)
        await _note(run.id, {row.id: found.get(row.id, Outcome("gone")) for row in rows})
        return True


async def _note(run_id: int, outcomes: Mapping[int, Outcome]) -> None:
    """Write down what came of these rows."""
    await db.run(
        """
        UPDATE bulk_items i SET reason = o.reason, before = coalesce(o.before, i.before)
        FROM unnest(CAST(:ids AS bigint[]), CAST(:reasons AS text[]), CAST(:before AS jsonb[])) o (id, reason, before)
        WHERE i.run_id = :run AND i.subject_id = o.id
        """,
        run=run_id,
        ids=list(outcomes),
        reasons=[outcome.reason for outcome in outcomes.values()],
        before=[outcome.before for outcome in outcomes.values()],
    )
    acted = sum(outcome.reason == "" for outcome in outcomes.values())
    await db.run(
        "UPDATE bulk_runs SET acted = acted + :acted, skipped = skipped + :skipped WHERE id = :id",
        id=run_id,
        acted=acted,
        skipped=len(outcomes) - acted,
    )


@queue.every("41 * * * *")
@queue.job()
async def forget_old_runs() -> None:
    """Forget what was chosen a day ago and never begun, and what was done a month ago, unless it is being taken back."""
    now = clock.now()
    # What somebody begins or takes back at this moment is held by them, and passed over.
    await db.run_in_batches(
        """
        DELETE FROM bulk_runs WHERE id IN (
            SELECT r.id FROM bulk_runs r
            WHERE (r.created_at < :drafts AND r.state = 'draft')
               OR (r.created_at < :kept AND r.state <> 'draft'
                   AND NOT EXISTS (SELECT FROM bulk_runs u WHERE u.undo_of = r.id AND u.created_at >= :kept))
            LIMIT :batch FOR UPDATE SKIP LOCKED)
        """,
        batch=50,
        drafts=now - _DRAFTS,
        kept=now - _KEPT,
    )
