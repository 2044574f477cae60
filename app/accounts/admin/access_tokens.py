"""The access tokens of a person, for those who may sign that person out."""

from quart import redirect, url_for
from quart.typing import ResponseReturnValue

from app.accounts import access_tokens, people
from app.accounts.admin import admin
from app.accounts.roles import covers
from app.accounts.scopes import SCOPES
from app.accounts.sessions import me
from app.core import clock
from app.core.i18n import _
from app.web.flash import flash
from app.web.guards import requires
from app.web.render import page


@admin.get("/people/<public_id>/tokens")
@requires("people.suspend")
async def list_person_tokens(public_id: str) -> ResponseReturnValue:
    """Which programs may act for the person."""
    person = await people.find(public_id)
    return await page(
        "accounts/admin/person_tokens.html",
        person=person,
        tokens=await access_tokens.of(person.id),
        now=clock.now(),
        scopes=SCOPES,
        may_remove=covers(me(), person),
    )


@admin.post("/people/<public_id>/tokens/<token_id>/removal")
@requires("people.suspend")
async def delete_person_token(public_id: str, token_id: str) -> ResponseReturnValue:
    """End one of them."""
    person = await people.find(public_id)
    await access_tokens.remove_of(person, token_id, by=me())
    flash(_("The token is removed. Whatever uses it is refused from now on."))
    return redirect(url_for(".list_person_tokens", public_id=public_id), 303)
