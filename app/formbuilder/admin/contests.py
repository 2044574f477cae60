"""Trying two versions of a form against each other."""

from quart import Response, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from app.core import clock
from app.core.errors import Conflict, Invalid
from app.core.i18n import _
from app.core.numbers import whole_number
from app.formbuilder.admin import admin
from app.formbuilder.answering import contests
from app.formbuilder.definition import versions
from app.formbuilder.forms import TrialForm
from app.formbuilder.models import Form
from app.web.flash import flash
from app.web.forms import submitted
from app.web.guards import requires
from app.web.render import page
from app.web.request import signed_in_user


@admin.get("/<public_id>/trial")
@requires("forms.view")
async def show_trial(public_id: str) -> Response:
    """How the two that are tried do, or how to begin; and the trials before."""
    return await _drawn(await versions.find(public_id), TrialForm())


async def _drawn(form: Form, begins: TrialForm, *, status: int = 200) -> Response:
    running, ended = await contests.of_form(form.id)
    arms = await contests.arms_of(running) if running is not None else ()
    return await page(
        "formbuilder/admin/trial.html",
        status=status,
        form=form,
        begins=begins,
        state=versions.state_of(form),
        trial=running,
        arms=arms,
        verdict=contests.verdict(arms[0], arms[1], running.planned) if running is not None and arms else None,
        days=contests.days(running, clock.now()) if running is not None else 0,
        ended=[(each, await contests.arms_of(each)) for each in ended[:5]],
    )


@admin.post("/<public_id>/trial")
@requires("forms.edit")
async def create_trial(public_id: str) -> Response | BaseResponse:
    """Try what the builder shows against what is live."""
    form, begins = await versions.find(public_id), await submitted(TrialForm)
    seen = (await request.form).get("seen", "")
    try:
        await contests.begin(form.id, begins.planned.data or 0, seen=seen, by=signed_in_user())
    except (Invalid, Conflict) as error:
        begins.refuse(error)
        return await _drawn(await versions.find(public_id), begins, status=error.status)
    flash(_("The trial runs. Half of the visitors see each."))
    return redirect(url_for(".show_trial", public_id=public_id), 303)


@admin.post("/<public_id>/trial/end")
@requires("forms.edit")
async def create_trial_end(public_id: str) -> BaseResponse:
    """Choose the winner, which is live from then on, or stop without one."""
    form = await versions.find(public_id)
    sent = await request.form
    try:
        await contests.end(form.id, sent.get("winner", ""), trial_id=whole_number(sent.get("trial"), 18))
    except (Invalid, Conflict) as error:
        flash(error.message, "bad")
    else:
        flash(_("The trial is over. Everybody sees the same again."))
    return redirect(url_for(".show_trial", public_id=public_id), 303)
