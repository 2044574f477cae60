"""The back office's panel of what a person may use: grant, close, and why."""

from datetime import date, datetime, timedelta

from quart import Blueprint, Response, redirect, url_for
from werkzeug.wrappers import Response as BaseResponse

from app.access import entitlements, queries
from app.access.forms import ClosureForm, GrantForm
from app.accounts import users
from app.accounts.models import User
from app.core import clock
from app.core.errors import Invalid, NotFound
from app.core.i18n import _
from app.core.ids import public_id as new_public_id
from app.core.settings import school
from app.web.flash import flash
from app.web.forms import options, submitted
from app.web.guards import requires
from app.web.render import page
from app.web.request import signed_in_user

admin = Blueprint("access_admin", __name__, url_prefix="/admin")


@admin.get("/people/<public_id>/access")
@requires("people.view")
async def show_access(public_id: str) -> Response:
    """What this person may use and why; a page, or the block `access` of the person's page."""
    return await _panel(await _person(public_id))


@admin.post("/people/<public_id>/access")
@requires("people.access")
async def create_access(public_id: str) -> Response | BaseResponse:
    """Let this person use something."""
    person = await _person(public_id)
    form = await submitted(GrantForm)
    form.product.choices = options((row.public_id, row.title) for row in await queries.products())
    if not form.validate():
        return await _panel(person, grant_form=form, status=422)
    try:
        ends_at = await _end_of(form.until.data)
    except Invalid as error:
        form.refuse(error)
        return await _panel(person, grant_form=form, status=422)
    title = await entitlements.grant_by_hand(
        person,
        form.product.data,
        ref=form.ref.data,
        reason=form.reason.data,
        ends_at=ends_at,
        granted_by=signed_in_user().id,
    )
    flash(_("%(name)s may use %(title)s from now on.", name=person.name or person.email, title=title))
    return redirect(url_for(".show_access", public_id=public_id), 303)


@admin.post("/people/<public_id>/access/<entitlement_id>/closure")
@requires("people.access")
async def create_closure(public_id: str, entitlement_id: str) -> Response | BaseResponse:
    """Close one cause."""
    person = await _person(public_id)
    form = await submitted(ClosureForm, prefix=f"{entitlement_id}-")
    if not form.validate():
        return await _panel(person, closure_forms={entitlement_id: form}, status=422)
    title = await entitlements.close_by_hand(person.id, person.public_id, entitlement_id, reason=form.reason.data)
    flash(_("%(title)s is closed for %(name)s.", title=title, name=person.name or person.email))
    return redirect(url_for(".show_access", public_id=public_id), 303)


async def _person(public_id: str) -> User:
    person = await users.find_by_public_id(public_id)
    if person is None:
        raise NotFound()
    return person


async def _panel(
    person: User,
    *,
    grant_form: GrantForm | None = None,
    closure_forms: dict[str, ClosureForm] | None = None,
    status: int = 200,
) -> Response:
    causes = await entitlements.causes_of(person.id)
    if grant_form is None:
        grant_form = GrantForm(data={"ref": new_public_id()})
        grant_form.product.choices = options(
            (row.public_id, row.title) for row in await queries.products() if row.is_active
        )
    forms = {cause.public_id: ClosureForm(prefix=f"{cause.public_id}-") for cause in causes if cause.is_open}
    return await page(
        "access/admin/access.html",
        status=status,
        person=person,
        causes=causes,
        grant_form=grant_form,
        closure_forms={**forms, **(closure_forms or {})},
        may_edit=signed_in_user().can("people.access") and not person.is_closed,
        trail=[(_("People"), "/admin/people"), (person.name or person.email, f"/admin/people/{person.public_id}")],
    )


async def _end_of(day: date | None) -> datetime | None:
    """The end of that day where the school is. Raises Invalid when it is over: access that has ended would help nobody."""
    if day is None:
        return None
    zone, now = (await school()).zone, clock.now()
    # The calendar ends with the year 9999, so that its last day has no next one.
    ends_at = clock.day_start(day + timedelta(days=1), zone) if day.year < date.max.year else now
    if ends_at <= now:
        raise Invalid(_("Choose a day that is still to come, or none for good."), field="until")
    return ends_at
