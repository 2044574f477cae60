"""The payment of an entry: where the payment page leads back to, going there once more, and coming back to the form."""

from quart import Response, redirect, request
from werkzeug.wrappers import Response as BaseResponse

from app.core.limits import Limit
from app.formbuilder.answering import drafts, screens
from app.formbuilder.logic import plans
from app.formbuilder.models import Posted
from app.formbuilder.payment import paying, payments
from app.formbuilder.routes import routes, visits
from app.formbuilder.routes.sending import INSTEAD, go_to, thanks_url
from app.formbuilder.routes.visits import Visit
from app.web.guards import public
from app.web.request import user


@routes.get("/forms/<slug>/payments/<token>")
@public()
async def show_payment(slug: str, token: str) -> Response | BaseResponse:
    """Where the payment page leads back to: the thanks once the money is known to be there, else how it stands."""
    form, definition = await visits.live(slug, archived=True)
    entry = await payments.entry_of_token(form, token)
    if entry.state != "unpaid":
        return redirect(thanks_url(form, entry.public_id, entry.state), 303)
    visit = Visit(form, definition, is_embedded=request.args.get("embed") == "1")
    return await paying.waiting_page(
        form, entry, is_embedded=visit.is_embedded, headers=visits.frame_headers(visit)
    )  # fmt: skip


@routes.post("/forms/<slug>/payments/<token>")
@public(limit=Limit(30, 60))
async def create_payment(slug: str, token: str) -> Response | BaseResponse:
    """To the payment page, once more."""
    form, _definition = await visits.live(slug, archived=True)
    entry = await payments.entry_of_token(form, token)
    if entry.state != "unpaid":
        return redirect(thanks_url(form, entry.public_id, entry.state), 303)
    return await paying.lead_on(form, entry)


async def back_from_payment(visit: Visit, token: str) -> Response | BaseResponse:
    """The form with everything as it was written. What is sent then takes the place of the unpaid entry."""
    entry = await payments.entry_of_token(visit.form, token)
    if entry.state != "unpaid":
        return redirect(thanks_url(visit.form, entry.public_id, entry.state), 303)
    if await payments.has_money(entry):
        return go_to(visit, paying.path_of(visit.form, entry))
    visit.instead = token
    stopped = await visits.gate(visit)
    if stopped is not None:
        return await visits.gate_page(visit, stopped)
    typed = plans.posted(visit.definition, entry.answers)
    seen = screens.screens_of(visit.definition)
    if len(seen) == 1:
        visit.posted = Posted(typed)
        return await visits.form_page(visit)
    # Of several screens each keeps its own answers: in a draft, the same one however often somebody comes back.
    person = user()
    visit.token = await drafts.begin(
        visit.form, {**typed, INSTEAD: [token]}, seen[0].id, stamp=f"instead:{token}",
        user_id=person.id if person is not None else None,
    )  # fmt: skip
    return go_to(visit, f"/forms/{visit.form.slug}/drafts/{visit.token}")
