"""A form that was begun: its next screen, and the link to go on with it later."""

from quart import Response, request
from werkzeug.wrappers import Response as BaseResponse

from app.core.errors import Conflict, NotFound
from app.core.i18n import _
from app.core.limits import Limit, check
from app.formbuilder.answering import drafts, files, prefill, screens
from app.formbuilder.answering.screens import Screen
from app.formbuilder.answering.submissions import GoneOn, Refused
from app.formbuilder.models import Posted
from app.formbuilder.routes import routes, visits
from app.formbuilder.routes.sending import INSTEAD, LINK, PASS, PRICES, advance
from app.formbuilder.routes.visits import Visit
from app.web.bodies import brings, narrow
from app.web.forms import is_email
from app.web.guards import public
from app.web.request import client_network

# Links mailed on somebody's word, from one place in an hour.
MAILS = Limit(10, 3600)
_MOST_TRIES = 5


@routes.get("/forms/<slug>/drafts/<token>")
@public()
async def show_draft(slug: str, token: str) -> Response:
    """The screen to go on at."""
    visit, stopped = await _begun(slug, token)
    if stopped is not None:
        return stopped
    if request.args.get("later"):
        return await visits.later_page(visit, email=(visit.draft.email if visit.draft else "") or _typed(visit))
    return await visits.form_page(visit)


@routes.post("/forms/<slug>/drafts/<token>")
@public(limit=Limit(120, 60))
@brings(files.MOST_BODY)
async def update_draft(slug: str, token: str) -> Response | BaseResponse:
    """Keep a screen and go on, back, or to the end."""
    visit, stopped = await _begun(slug, token)
    if stopped is not None:
        return stopped
    sent = await visits.sent(slug)
    assert visit.draft is not None
    visit.raw, visit.screen_id = sent.raw, sent.screen_id or visit.screen_id
    visit.prices = sent.prices or visit.prices
    own = next((each for each in screens.screens_of(visit.definition) if each.id == visit.screen_id), None)
    if own is not None:
        sent.posted = await files.keep(visit.form, visit.definition, sent.posted, network=client_network())
    try:
        for _try in range(_MOST_TRIES):
            visit.posted = _with_screen(visit, own, sent.posted)
            try:
                return await advance(visit)
            except GoneOn:
                visit.draft, _form = await drafts.find(slug, token)
        raise Conflict(_("This is being filled in on another device. Look at it again."))
    except Refused as refused:
        return await visits.refused_page(visit, refused)
    except Conflict as error:
        return await visits.closed_page(visit, error.message, status=error.status)


def _with_screen(visit: Visit, own: Screen | None, sent: Posted) -> Posted:
    """What was begun, with what its own screen sent now."""
    kept = visit.draft.posted if visit.draft is not None else {}
    typed = {name: values for name, values in kept.items() if not name.startswith(".")}
    if own is None:
        return Posted(typed)
    given = visit.found_link.posted if visit.found_link is not None else {}
    return prefill.with_given(Posted(screens.merged(typed, sent.texts, own), sent.files), given)


@routes.post("/forms/<slug>/drafts/<token>/mail")
@public(limit=Limit(10, 60))
async def create_draft_mail(slug: str, token: str) -> Response:
    """Mail the link to go on with it."""
    visit, stopped = await _begun(slug, token)
    if stopped is not None:
        return stopped
    if not drafts.can_resume(visit.definition) or visit.draft is None:
        raise NotFound
    email = (await request.form).get("email", "").strip()
    if not is_email(email):
        return await visits.later_page(
            visit, email=email, error=_("This does not look like an email address. Is it whole, as in ann@example.org?")
        )
    await check("form-draft-mail", client_network(), MAILS)
    if not await drafts.mail_link(visit.draft, visit.form, email, token):
        return await visits.later_page(visit, email=email, error=_("The link was mailed often enough. Please copy it."))
    return await visits.later_page(visit, email=email, is_mailed=True)


def _typed(visit: Visit) -> str:
    """The address that was written into the form so far."""
    asked = (each for each in visit.definition.fields if each.kind in ("email", "confirm_email"))
    return next((text for each in asked if is_email(text := visit.posted.one(each.id))), "")


async def _begun(slug: str, token: str) -> tuple[Visit, Response | None]:
    """What was begun under this token, and what is shown instead when it cannot be gone on with."""
    draft, form = await drafts.find(slug, token)
    definition = await visits.with_newest_settings(form)
    if request.method == "POST":
        narrow(files.most_bytes(definition))
    visit = Visit(
        form, definition, draft=draft, token=token, screen_id=draft.step,
        is_embedded=(request.args.get("embed") or (await request.form).get("embed")) == "1",
        link="".join(draft.posted.get(LINK, ())), entry_pass="".join(draft.posted.get(PASS, ())),
        prices="".join(draft.posted.get(PRICES, ())), instead="".join(draft.posted.get(INSTEAD, ())),
    )  # fmt: skip
    visit.posted = _with_screen(visit, None, visit.posted)
    if draft.entry_id is not None:
        return visit, await visits.closed_page(visit, _("This was sent already. Thank you."))
    try:
        if visit.link:
            await visits.take_link(visit)
    except (NotFound, Conflict) as error:
        return visit, await visits.closed_page(visit, error.message, status=error.status)
    found = await visits.gate(visit)
    return visit, await visits.gate_page(visit, found) if found is not None else None
