"""Sign in, confirm the password, sign out, and the corner of every public page."""

from typing import cast

from quart import Response, redirect, request, url_for
from quart.typing import ResponseReturnValue

from app.accounts import passwords, second_factors, sessions, sign_ins, suspicion, users
from app.accounts.forms import ConfirmForm, SignInForm
from app.accounts.models import SignedIn
from app.accounts.routes import routes
from app.accounts.sessions import me
from app.core import limits
from app.core.errors import Invalid
from app.web.forms import submitted
from app.web.guards import public, signed_in
from app.web.render import block, page
from app.web.request import client_network, safe_next, user
from app.web.traps import captcha_headers, captcha_passes


@routes.get("/login")
@public()
async def show_login() -> ResponseReturnValue:
    """The form; a signed-in person is sent on, or asked for the password once more (`fresh=1`)."""
    onward, person = request.args.get("next", ""), cast("SignedIn | None", user())
    if person is None:
        return await login_page(SignInForm(data={"next": onward, "keep": True}))
    if request.args.get("fresh"):
        return await confirmation_page(ConfirmForm(data={"next": onward}))
    return _onward(onward, person.office_url)


@routes.post("/login")
@public(limit=limits.SENSITIVE)
async def create_session() -> ResponseReturnValue:
    """Sign in. Wrong address, wrong password and no such account answer the same."""
    form = await submitted(SignInForm)
    asks = await suspicion.asks_for_captcha(form.email.data or "")
    if form.validate() and (not asks or await captcha_passes(form, "login")):
        try:
            found, is_in = await passwords.sign_in(
                form.email.data,
                form.password.data,
                address=client_network(),
                keep=form.keep.data,
                onward=form.next.data or "",
            )
            return _onward(form.next.data, found.office_url) if is_in else to_second_step()
        except Invalid as refused:
            await suspicion.note_failure(form.email.data)
            form.refuse(refused)
    return await login_page(form, status=422)


async def login_page(form: SignInForm, *, status: int = 200) -> Response:
    """The form, with a captcha when it looks as if somebody were guessing."""
    asks = await suspicion.asks_for_captcha(form.email.data or "")
    headers = captcha_headers() if asks else None
    return await page("accounts/login.html", status=status, headers=headers, form=form, asks=asks)


@routes.post("/login/confirmation")
@signed_in(limit=limits.SENSITIVE)
async def create_confirmation() -> ResponseReturnValue:
    """Show the password again; what asked for it goes on."""
    form, person = await submitted(ConfirmForm), me()
    if form.validate():
        try:
            is_in = await passwords.confirm(
                person, form.password.data, address=client_network(), onward=form.next.data or ""
            )
            return _onward(form.next.data, person.office_url) if is_in else to_second_step()
        except Invalid as refused:
            form.refuse(refused)
    return await confirmation_page(form, status=422)


@routes.post("/logout")
@public(while_acting=True)
async def delete_session() -> ResponseReturnValue:
    """End this session; harmless for somebody who is not signed in."""
    await sessions.end()
    await sign_ins.give_up()
    return redirect("/", 303)


@routes.get("/account/corner")
@public()
async def show_corner() -> ResponseReturnValue:
    """The personal corner of a page that is cached for all: nothing for a visitor."""
    if user() is None:
        answer = Response("", 204)
    else:
        answer = Response(await block("accounts/corner.html", "corner"), content_type="text/html; charset=utf-8")
    answer.headers["Cache-Control"] = "private, no-store"
    return answer


async def confirmation_page(form: ConfirmForm, *, status: int = 200) -> ResponseReturnValue:
    """Ask a signed-in person who they are, by what they have."""
    person = me()
    found = await users.find(person.id)
    return await page(
        "accounts/confirm.html",
        status=status,
        form=form,
        factors=await second_factors.of(person.id),
        has_password=found is not None and found.has_password,
    )


def to_login(onward: str | None = None) -> ResponseReturnValue:
    """On to the sign-in page."""
    return redirect(url_for("accounts.show_login", next=onward or None), 303)


def to_second_step() -> ResponseReturnValue:
    """On to the page that asks for the second factor."""
    return redirect(url_for("accounts.show_second_step"), 303)


def _onward(address: str | None, office_url: str | None) -> ResponseReturnValue:
    return redirect(safe_next(address, office_url or "/learn"), 303)
