"""The person's own access tokens: the list, a new one, shown once, and taking one back."""

from zoneinfo import ZoneInfo

from quart import Response, redirect, url_for
from quart.typing import ResponseReturnValue
from wtforms import SelectChoice

from app.accounts import access_tokens
from app.accounts.forms import AccessTokenForm
from app.accounts.models import SignedIn
from app.accounts.routes import routes
from app.accounts.scopes import ME, SCOPES
from app.accounts.sessions import me
from app.core import clock, limits
from app.core.errors import Invalid
from app.core.i18n import _
from app.core.ids import public_id as new_public_id
from app.core.settings import school
from app.web.flash import flash
from app.web.forms import options, submitted
from app.web.guards import signed_in
from app.web.render import page
from app.web.security import NOT_KEPT


@routes.get("/account/tokens")
@signed_in()
async def list_tokens() -> ResponseReturnValue:
    """Which programs may act for this person, and when they last did."""
    kept = await access_tokens.of(me().id)
    return await page("accounts/tokens.html", tokens=kept, now=clock.now(), scopes=SCOPES)


@routes.get("/account/tokens/new")
@signed_in(fresh=True)
async def show_new_token() -> ResponseReturnValue:
    """What it is for, what it may do, until when."""
    return await _form_page(AccessTokenForm(data={"ref": new_public_id(), "lifetime": "90", "scopes": [ME]}))


@routes.post("/account/tokens")
@signed_in(limit=limits.SENSITIVE, fresh=True)
async def create_token() -> ResponseReturnValue:
    """Make it; the answer shows it, this once."""
    form, person = await submitted(AccessTokenForm), me()
    form.scopes.choices = _choices(person)
    if form.validate():
        try:
            token = await access_tokens.create(
                person,
                form.ref.data,
                name=form.name.data,
                scopes=form.scopes.data or [],
                until=form.moment(await _zone(person)),
            )
            return await page("accounts/token_made.html", headers=NOT_KEPT, token=token, name=form.name.data)
        except Invalid as refused:
            form.refuse(refused)
    return await _form_page(form, status=422)


@routes.post("/account/tokens/<public_id>/removal")
@signed_in()
async def delete_token(public_id: str) -> ResponseReturnValue:
    """End one; somebody else's is not found."""
    await access_tokens.remove(me(), public_id)
    flash(_("The token is removed. Whatever uses it is refused from now on."))
    return redirect(url_for("accounts.list_tokens"), 303)


def _choices(person: SignedIn) -> list[SelectChoice]:
    return options((scope, SCOPES[scope]) for scope in access_tokens.offered(person))


async def _zone(person: SignedIn) -> ZoneInfo:
    return ZoneInfo(person.time_zone) if person.time_zone else (await school()).zone


async def _form_page(form: AccessTokenForm, *, status: int = 200) -> Response:
    person = me()
    form.scopes.choices = _choices(person)
    return await page(
        "accounts/new_token.html",
        status=status,
        form=form,
        is_verified=person.email_verified_at is not None,
        is_held_back=person.is_held_back,
    )
