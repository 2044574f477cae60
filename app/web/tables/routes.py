"""Saved views and acts on many rows: the same addresses for every list of the back office."""

from quart import Blueprint, Quart, Response, redirect, request, url_for
from quart.typing import ResponseReturnValue

from app.core.errors import Invalid
from app.core.i18n import _
from app.web.flash import flash
from app.web.guards import requires
from app.web.render import page
from app.web.request import Visitor, safe_next, signed_in_user
from app.web.tables import bulk, outcomes, views
from app.web.tables.acts import Act, Bulk, Plan
from app.web.tables.bulk import Run

routes = Blueprint("tables", __name__, url_prefix="/admin")


@routes.post("/views")
@requires("admin.enter")
async def create_view() -> ResponseReturnValue:
    """Save what a list shows under a name."""
    form = await request.form
    try:
        url = await views.save(
            form.get("offer", ""),
            name=form.get("name", ""),
            is_shared="is_shared" in form,
            is_default="is_default" in form,
            by=_me(),
        )
    except Invalid as error:
        flash(error.message, "bad")
        return redirect(_back(), 303)
    flash(_("The view is saved."))
    return redirect(url, 303)


@routes.post("/views/<public_id>")
@requires("admin.enter")
async def update_view(public_id: str) -> ResponseReturnValue:
    """Rename a view, share it, open the list with it."""
    form = await request.form
    try:
        url = await views.change(
            public_id,
            name=form.get("name", ""),
            is_shared="is_shared" in form,
            is_default="is_default" in form,
            by=_me(),
        )
    except Invalid as error:
        flash(error.message, "bad")
        return redirect(_back(), 303)
    flash(_("The view is saved."))
    return redirect(url, 303)


@routes.post("/views/<public_id>/removal")
@requires("admin.enter")
async def delete_view(public_id: str) -> ResponseReturnValue:
    """Remove a view; the list is as it was."""
    path, token = await views.delete(public_id, by=_me())
    flash(_("The view is removed."), undo_url=url_for(".restore_view", token=token))
    return redirect(f"{path}?{views.ALL}", 303)


@routes.post("/views/restorations/<token>")
@requires("admin.enter")
async def restore_view(token: str) -> ResponseReturnValue:
    """Take the removal back."""
    try:
        url = await views.restore(token, by=_me())
    except Invalid as error:
        flash(error.message, "bad")
        return redirect(_back(), 303)
    return redirect(url, 303)


@routes.post("/bulk/lists/<list_name>")
@requires("admin.enter", once=True)
async def create_run(list_name: str) -> ResponseReturnValue:
    """Choose rows of a list for an act; the filters are in the address. Nothing is done yet."""
    form, asked = await request.form, request.query_string.decode("latin1")
    path = safe_next(form.get("path"), "/admin")
    came_from = f"{path}?{asked}" if asked else path
    everything = form.get("scope") == "all"
    try:
        run = await bulk.choose(
            bulk.of_list(list_name),
            form.get("act", ""),
            picked=None if everything else form.getlist("pick"),
            args=request.args,
            came_from=came_from,
            by=_me(),
        )
    except Invalid as error:
        flash(error.message, "care")
        return redirect(came_from, 303)
    return redirect(url_for(".show_run", public_id=run), 303)


@routes.get("/bulk/<public_id>")
@requires("admin.enter")
async def show_run(public_id: str) -> ResponseReturnValue:
    """What an act would do, how far it is, or what came of it."""
    run, of, act = await bulk.find(public_id, _me())
    if run.state != "draft":
        if run.state == "running" and request.args.get("seen") == f"{run.acted}-{run.skipped}":
            return "", 204
        found = await bulk.results(run, of) if run.state != "running" else []
        return await _page(run, of, act, shares=found, plan=None)
    plan = await act.plan(_me(), request.args)
    return await _draft_page(run, of, act, plan)


@routes.post("/bulk/<public_id>/beginning")
@requires("admin.enter", fresh=True)
async def start_run(public_id: str) -> ResponseReturnValue:
    """Do what was looked at."""
    run, of, act = await bulk.find(public_id, _me())
    plan = await act.plan(_me(), await request.form)
    if plan.options is None or (plan.form is not None and not plan.form.validate()):
        return await _draft_page(run, of, act, plan, status=422)
    try:
        await bulk.start(run, act, plan.options, _me())
    except Invalid as error:
        if plan.form is None:
            raise
        plan.form.refuse(error)
        return await _draft_page(run, of, act, plan, status=422)
    return redirect(url_for(".show_run", public_id=public_id), 303)


@routes.post("/bulk/<public_id>/undoing")
@requires("admin.enter", fresh=True)
async def create_undoing(public_id: str) -> ResponseReturnValue:
    """Take back what was done."""
    run, _of, act = await bulk.find(public_id, _me())
    return redirect(url_for(".show_run", public_id=await bulk.undo(run, act, _me())), 303)


@routes.post("/bulk/<public_id>/continuation")
@requires("admin.enter", fresh=True)
async def create_continuation(public_id: str) -> ResponseReturnValue:
    """Go on with what stopped half-way."""
    run, _of, act = await bulk.find(public_id, _me())
    await outcomes.go_on(run, act)
    return redirect(url_for(".show_run", public_id=public_id), 303)


@routes.post("/bulk/<public_id>/cancellation")
@requires("admin.enter", fresh=True)
async def create_cancellation(public_id: str) -> ResponseReturnValue:
    """Leave what stopped half-way as it is."""
    run, _of, act = await bulk.find(public_id, _me())
    await outcomes.leave_at_that(run, act)
    return redirect(url_for(".show_run", public_id=public_id), 303)


@routes.get("/bulk/<public_id>/result.csv")
@requires("admin.enter")
async def show_result(public_id: str) -> ResponseReturnValue:
    """Each row, what came of it and why, as a file."""
    run, of, act = await bulk.find(public_id, _me())
    return await outcomes.result(run, of, act, _me())


async def _draft_page(run: Run, of: Bulk, act: Act, plan: Plan, status: int = 200) -> Response:
    shares = await bulk.judge(run, of, plan) if plan.options is not None else []
    return await _page(run, of, act, shares=shares, plan=plan, status=status)


async def _page(
    run: Run, of: Bulk, act: Act, *, shares: list[bulk.Share], plan: Plan | None, status: int = 200
) -> Response:
    return await page(
        "tables/run.html",
        status=status,
        run=run,
        act=act,
        plan=plan,
        acted=next((share for share in shares if not share.reason), None),
        left=[(bulk.reason_label(act, share.reason), share) for share in shares if share.reason],
        list_label=str(of.label),
        may_undo=act.returns and run.state == "done" and not run.is_undo and not run.is_undone and run.acted > 0,
    )


def _me() -> Visitor:
    return signed_in_user()


def _back() -> str:
    came_from = request.headers.get("Referer", "")
    if came_from.startswith(request.host_url):
        came_from = "/" + came_from.removeprefix(request.host_url)
    return safe_next(came_from, "/admin")


def install(app: Quart) -> None:
    """Put the addresses into the application."""
    app.register_blueprint(routes)
