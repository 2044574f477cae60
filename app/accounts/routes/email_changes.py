"""Another address: ask for it, and what the links in the two mails open."""

from typing import cast

from quart import Response, redirect, url_for
from quart.typing import ResponseReturnValue

from app.accounts import email_changes
from app.accounts.forms import EmailForm
from app.accounts.routes import routes
from app.accounts.routes.lock import after_lock
from app.accounts.routes.signing_in import to_login
from app.accounts.sessions import me
from app.core import clock, limits
from app.core.errors import Invalid
from app.core.i18n import _
from app.web.flash import flash
from app.web.forms import submitted
from app.web.guards import public, signed_in
from app.web.render import page
from app.web.request import user
from app.web.security import SECRET_ADDRESS


@routes.get("/account/email")
@signed_in(fresh=True)
async def show_email() -> ResponseReturnValue:
    """Which address, and what will happen."""
    return await page("accounts/email.html", form=EmailForm(), person=me())


@routes.post("/account/email")
@signed_in(limit=limits.SENSITIVE, fresh=True, once=True)
async def create_email_change() -> ResponseReturnValue:
    """Mail both addresses. The answer does not say whether the new one has an account."""
    form = await submitted(EmailForm)
    if form.validate():
        try:
            await email_changes.ask(me(), form.email.data)
            flash(_("Two mails are on their way, one to each address. Follow the link in both."))
            return redirect(url_for("accounts.show_account"), 303)
        except Invalid as refused:
            form.refuse(refused)
    return await page("accounts/email.html", status=422, form=form, person=me())


@routes.post("/account/email/removal")
@signed_in()
async def delete_email_change() -> ResponseReturnValue:
    """Think better of it."""
    if await email_changes.cancel_own(me()):
        flash(_("Your address stays as it is."))
    return redirect(url_for("accounts.show_account"), 303)


@routes.get("/email-changes/<token>")
@public()
async def show_email_change(token: str) -> ResponseReturnValue:
    """What the mailbox is asked, with buttons; opening the link does nothing by itself."""
    link = await email_changes.find_link(token)
    state = link.state(clock.now()) if link is not None else "unknown"
    change = await email_changes.open_of(link.user_id) if link is not None and state == "open" else None
    if state == "open" and change is None:
        state = "used"
    return await page(
        "accounts/email_change.html",
        status={"open": 200, "unknown": 404}.get(state, 410),
        headers=SECRET_ADDRESS,
        token=token,
        state=state,
        change=change,
        is_old=link is not None and link.purpose == "keep_email",
    )


@routes.post("/email-changes/<token>")
@public(limit=limits.SENSITIVE)
async def create_email_confirmation(token: str) -> ResponseReturnValue:
    """This mailbox says yes."""
    match await email_changes.confirm(token):
        case "done":
            flash(_("Your account has the new address. Other devices are signed out."))
        case "waiting":
            flash(_("Thank you. As soon as the link in the other mail is followed too, the new address counts."))
        case "taken":
            flash(_("An account has this address by now, so yours stays as it is."), "care")
        case _nothing:
            return _to_link(token)
    return _onward()


@routes.post("/email-changes/<token>/removal")
@public(limit=limits.SENSITIVE)
async def delete_asked_email_change(token: str) -> ResponseReturnValue:
    """The old mailbox says no."""
    if not await email_changes.cancel(token):
        return _to_link(token)
    flash(_("Your address stays as it is."))
    return _onward()


@routes.post("/email-changes/<token>/lock")
@public(limit=limits.SENSITIVE)
async def create_lock_of_email_change(token: str) -> ResponseReturnValue:
    """The old mailbox says no, and that it was somebody else."""
    reset = await email_changes.cancel_and_lock(token)
    return _to_link(token) if reset is None else after_lock(reset)


def _to_link(token: str) -> Response:
    return cast(Response, redirect(url_for("accounts.show_email_change", token=token), 303))


def _onward() -> ResponseReturnValue:
    return redirect(url_for("accounts.show_account"), 303) if user() is not None else to_login()
