"""Merging two accounts of one person: who may be the same, what would move, and doing it."""

from quart import redirect, request, url_for
from quart.typing import ResponseReturnValue

from app.accounts import merging, people, users
from app.accounts.admin import admin
from app.accounts.forms import MergeForm
from app.accounts.models import User
from app.accounts.sessions import me
from app.core.errors import Conflict, Invalid
from app.core.i18n import _
from app.web.flash import flash
from app.web.forms import submitted
from app.web.guards import requires
from app.web.render import page


@admin.get("/people/<public_id>/merge")
@requires("people.merge")
async def show_merge(public_id: str) -> ResponseReturnValue:
    """Accounts that may be the same person's; with `?with=` one of them, what merging the two would mean."""
    person = await people.find(public_id)
    other = await _other(request.args.get("with", ""))
    return await _page(person, other, keeps_other=request.args.get("keep") == "other")


@admin.post("/people/<public_id>/merge")
@requires("people.merge", fresh=True)
async def create_merge(public_id: str) -> ResponseReturnValue:
    """Close one of the two, and give what it had to the other."""
    person = await people.find(public_id)
    form = await submitted(MergeForm)
    other = await people.find(form.other.data or "")
    keeps_other = form.keep.data == "other"
    gone, kept = (person, other) if keeps_other else (other, person)
    try:
        if (form.confirmation.data or "").casefold() != gone.email.casefold():
            raise Invalid(_("Type %(name)s to confirm.", name=gone.email), field="confirmation")
        await merging.merge(gone.public_id, kept.public_id, by=me())
    except Invalid as error:
        form.refuse(error)
        return await _page(person, other, keeps_other=keeps_other, form=form, status=422)
    except Conflict as error:
        form.refuse(Invalid(error.message))
        return await _page(person, other, keeps_other=keeps_other, form=form, status=409)
    flash(_("The two accounts are one now; %(email)s is closed.", email=gone.email))
    return redirect(url_for(".show_person", public_id=kept.public_id), 303)


async def _other(named: str) -> User | None:
    """Somebody by public id or by address."""
    named = named.strip()[:254]
    if not named:
        return None
    return await (users.find_by_email(named) if "@" in named else users.find_by_public_id(named))


async def _page(
    person: User, other: User | None, *, keeps_other: bool, form: MergeForm | None = None, status: int = 200
) -> ResponseReturnValue:
    gone, kept = (person, other) if keeps_other else (other, person)
    why_not = await merging.hindrance_now(gone, kept, me()) if gone is not None and kept is not None else ""
    moves = await merging.preview(gone, kept) if gone is not None and kept is not None and not why_not else []
    return await page(
        "accounts/admin/merge.html",
        status=status,
        person=person,
        other=other,
        gone=gone,
        kept=kept,
        keeps_other=keeps_other,
        why_not=why_not,
        moves=moves,
        asked=request.args.get("with", ""),
        likely=await merging.likely(person) if other is None else [],
        form=form or MergeForm(),
        trail=[(_("People"), "/admin/people"), (person.name, url_for(".show_person", public_id=person.public_id))],
    )
