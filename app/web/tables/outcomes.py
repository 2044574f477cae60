"""What came of an act on many rows, as a file: each row, what came of it and why. And how an act that stopped goes on."""

from typing import Any

from quart import Response

from app.core import audit, clock, db, queue
from app.core.errors import Conflict
from app.core.i18n import _
from app.core.settings import school
from app.web.request import Visitor
from app.web.tables.acts import STOPPED, Act, Bulk
from app.web.tables.bulk import Run, reason_label, work_through
from app.web.tables.export import answer, take_place


async def result(run: Run, bulk: Bulk, act: Act, by: Visitor) -> Response:
    """The file, in the order in which the rows were dealt with, read while it is sent. Raises Conflict before it is begun."""
    place = take_place()
    if run.state == "draft":
        raise Conflict(_("Nothing has been done yet."))
    shown = [(label, sql) for label, sql, needs in bulk.facts if not needs or by.can(needs)]
    fields = "".join(f", {sql} AS fact_{number}" for number, (_label, sql) in enumerate(shown))
    async with db.transaction():
        await audit.record("list.bulk_result", "list", run.list, after={"run": run.public_id}, summary=str(act.label))
    zone = (await school()).zone
    await db.release()

    def outcome(row: Any) -> str:
        return _("not reached") if row.reason is None else _("left alone") if row.reason else _("done")

    columns: list[tuple[str, Any]] = [(str(label), f"fact_{number}") for number, (label, _sql) in enumerate(shown)]
    columns.append((_("Outcome"), outcome))
    columns.append((_("Reason"), lambda row: reason_label(act, row.reason) if row.reason else ""))
    rows = db.stream(
        db.Row,
        f"""
        SELECT i.reason{fields} FROM bulk_items i LEFT JOIN {bulk.source} ON {bulk.key} = i.subject_id
        WHERE i.run_id = :run ORDER BY i.subject_id
        """,  # noqa: S608 (fragments of the declaration)
        run=run.id,
    )
    day = clock.now().astimezone(zone).date().isoformat()
    return answer(columns, rows, zone, f"{run.list}-{run.act}-{day}.csv", place)


async def go_on(run: Run, act: Act) -> None:
    """Do what was left undone when the job failed for good: nothing twice. Nothing happens when it goes on already."""
    async with db.transaction():
        if not await _is_stopped(run):
            return
        await queue.forget_failed(work_through, "run_id", run.id)
        await queue.enqueue(work_through, once=str(run.id), run_id=run.id)
        await _note("list.bulk_continue", run, act)


async def leave_at_that(run: Run, act: Act) -> None:
    """Leave what was not reached undone, so that what was done stands, or can be taken back."""
    async with db.transaction():
        if not await _is_stopped(run):
            return
        left = await db.run(
            "UPDATE bulk_items SET reason = :stopped WHERE run_id = :id AND reason IS NULL", id=run.id, stopped=STOPPED
        )
        await db.run(
            "UPDATE bulk_runs SET state = 'done', skipped = skipped + :left, ended_at = :now WHERE id = :id",
            id=run.id,
            left=left,
            now=clock.now(),
        )
        await queue.forget_failed(work_through, "run_id", run.id)
        await _note("list.bulk_cancel", run, act)


async def _is_stopped(run: Run) -> bool:
    """Whether it is begun, not through, and nobody is at it; holds it for the rest of the transaction."""
    state = await db.value("SELECT state FROM bulk_runs WHERE id = :id FOR UPDATE", id=run.id)
    return state == "running" and not await queue.is_under_way(work_through, str(run.id))


async def _note(action: str, run: Run, act: Act) -> None:
    await audit.record(action, "list", run.list, after={"act": act.key, "run": run.public_id}, summary=str(act.label))
