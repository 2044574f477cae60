"""The second step of a sign-in: a code of the app, or a recovery code."""

from quart import redirect, request, url_for
from quart.typing import ResponseReturnValue

from app.accounts import second_factors, sign_ins
from app.accounts.forms import SecondStepForm
from app.accounts.models import PendingSignIn
from app.accounts.routes import routes
from app.accounts.routes.signing_in import to_login
from app.core import limits
from app.core.errors import Invalid
from app.core.i18n import _
from app.web.flash import flash
from app.web.forms import submitted
from app.web.guards import public
from app.web.render import page


@routes.get("/login/second-step")
@public()
async def show_second_step() -> ResponseReturnValue:
    """Ask for the code; without a half-done sign-in, back to its beginning."""
    waiting = await sign_ins.pending()
    return to_login() if waiting is None else await step_page(waiting, SecondStepForm())


@routes.post("/login/second-step")
@public(limit=limits.SENSITIVE)
async def create_second_step() -> ResponseReturnValue:
    """Take the code and sign in."""
    waiting, form = await sign_ins.pending(), await submitted(SecondStepForm)
    if waiting is None:
        flash(_("That took too long. Please sign in once more."), "care")
        return to_login()
    if not form.validate():
        return await step_page(waiting, form, status=422)
    try:
        await sign_ins.finish_with_code(waiting, form.code.data)
    except Invalid as refused:
        form.refuse(refused)
        return await step_page(waiting, form, status=422)
    return to_login(waiting.onward)  # which sends a signed-in person on


@routes.post("/login/second-step/removal")
@public()
async def delete_second_step() -> ResponseReturnValue:
    """Forget the half-done sign-in and begin again."""
    await sign_ins.give_up()
    return redirect(url_for("accounts.show_login"), 303)


async def step_page(waiting: PendingSignIn, form: SecondStepForm, *, status: int = 200) -> ResponseReturnValue:
    """Ask for what this person can show beside the first proof."""
    return await page(
        "accounts/second_step.html",
        status=status,
        form=form,
        waiting=waiting,
        factors=await second_factors.of(waiting.user_id),
        with_recovery="recovery" in request.args,
    )
