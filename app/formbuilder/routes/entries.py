"""A form's page, what is sent from it, and the thanks."""

from collections.abc import Mapping, Sequence

from quart import Response, redirect, request
from werkzeug.urls import iri_to_uri
from werkzeug.wrappers import Response as BaseResponse

from app.core import tokens
from app.core.errors import Conflict, NotFound
from app.core.limits import Limit
from app.formbuilder.after_sending import after, confirmations
from app.formbuilder.answering import drafts, files, limits, prefill, submissions
from app.formbuilder.answering.stamps import new_stamp
from app.formbuilder.answering.submissions import Refused
from app.formbuilder.models import Posted
from app.formbuilder.payment import bills, paying
from app.formbuilder.queries import entries as entry_queries
from app.formbuilder.routes import routes, visits
from app.formbuilder.routes.payments import back_from_payment
from app.formbuilder.routes.sending import advance, go_to, sender_of, thanks
from app.web.bodies import brings
from app.web.guards import public
from app.web.page_cache import cached
from app.web.render import page
from app.web.request import client_network, user

THANKS_SECONDS = 24 * 3600


@routes.get("/forms/<slug>")
@public()
@cached(bare=True)
async def show_form(slug: str) -> Response | BaseResponse:
    """The form, empty or filled in from the address (`?q1=Ann`), from a link of the office, or for who is signed in."""
    return await _show(slug)


@routes.get("/forms/<slug>/embed")
@public()
async def show_embedded_form(slug: str) -> Response | BaseResponse:
    """The same for a frame on another site, if the form lets that site have it."""
    return await _show(slug, is_embedded=True)


async def _show(slug: str, *, is_embedded: bool = False) -> Response | BaseResponse:
    form, definition, is_tried = await visits.shown(slug)
    is_embedded = is_embedded or request.args.get("embed") == "1"
    visit = visits.Visit(form, definition, is_embedded=is_embedded, is_tried=is_tried)
    visit.link, visit.entry_pass = request.args.get("link", "")[:500], request.args.get("pass", "")[:500]
    if request.args.get("payment"):
        return await back_from_payment(visit, request.args["payment"])
    given: Mapping[str, Sequence[str]] = {}
    if visit.link:
        try:
            given = await visits.take_link(visit)
        except (NotFound, Conflict) as error:
            return await visits.closed_page(visit, error.message, status=error.status)
    stopped = await limits.gate(
        form, definition, user(), entry_pass=visit.entry_pass, has_link=bool(visit.link)
    )  # fmt: skip
    if stopped is not None:
        return await visits.gate_page(visit, stopped)
    brought = prefill.from_person(definition, user()) | prefill.from_address(definition, request.args.lists())
    typed = prefill.unasked(definition) | brought
    visit.posted = prefill.with_given(Posted(typed), given)
    return await visits.form_page(visit)


@routes.get("/forms/<slug>/stamp")
@public(limit=Limit(60, 60))
async def show_stamp(slug: str) -> Response:
    """A fresh stamp for a page that was kept by a cache: when it was first touched, and its own number."""
    response = Response(new_stamp(), content_type="text/plain; charset=utf-8")
    response.headers["Cache-Control"] = "no-store"
    return response


@routes.post("/forms/<slug>/left")
@public(limit=Limit(60, 60))
async def create_leave(slug: str) -> Response:
    """A browser tells that a touched page is left, and at which question; answered with nothing."""
    form, definition = await visits.live(slug)
    sent = await request.form
    await drafts.leave(form, definition, sent.get("stamp", ""), sent.get("field", ""))
    return Response(status=204)


@routes.post("/forms/<slug>")
@public(limit=Limit(30, 60))
@brings(files.MOST_BODY)
async def create_entry(slug: str) -> Response | BaseResponse:
    """Keep what was answered, or show what is wrong beside it. Of a form with several screens it is the first."""
    visit = await visits.sent(slug, most=await files.most_bytes_at(slug))
    form, definition = visit.form, visit.definition
    try:
        given = await visits.take_link(visit) if visit.link else {}
    except (NotFound, Conflict) as error:
        return await visits.closed_page(visit, error.message, status=error.status)
    visit.posted = prefill.with_given(visit.posted, given)
    # Whoever would not be let in learns nothing by falling for the trap either.
    stopped = await visits.gate(visit)
    if stopped is not None:
        return await visits.gate_page(visit, stopped, status=409 if stopped.kind == "closed" else 403)
    if "website" not in visit.raw or visit.raw["website"] != [""]:
        # A program, most likely: it is told what it wants to hear, and the office decides.
        visit.found_link = None
        entry = await submissions.submit(form, definition, visit.posted, sender_of(visit, suspicion="trap"))
        return await thanks(visit, entry)
    visit.posted = await files.keep(form, definition, visit.posted, network=client_network())
    sentence = await visits.doubt(visit)
    if sentence:
        visit.sentence = sentence
        return await visits.form_page(visit, status=422)
    try:
        return await advance(visit)
    except Refused as refused:
        return await visits.refused_page(visit, refused)
    except Conflict as error:
        return await visits.closed_page(visit, error.message, status=409)


@routes.post("/forms/<slug>/pin")
@public(limit=Limit(10, 300))
async def create_pass(slug: str) -> Response | BaseResponse:
    """Let in who knows the form's PIN."""
    visit = await visits.sent(slug)
    if not visit.definition.settings["pin"]:
        raise NotFound
    if not limits.is_pin(visit.definition, visit.raw.get("pin", [""])[0]):
        stopped = limits.Gate("pin", limits.wrong_pin())
        return await visits.gate_page(visit, stopped, status=422)
    return go_to(visit, f"/forms/{slug}", **{"pass": limits.new_pass(visit.form, visit.definition), "link": visit.link})


@routes.get("/forms/<slug>/thanks/<token>")
@public()
async def show_thanks(slug: str, token: str) -> Response | BaseResponse:
    """What is said after sending: the first of the form's confirmations that fits, or where it leads."""
    told = tokens.unsign(token, "form-thanks", THANKS_SECONDS)
    if not told:
        raise NotFound
    form, definition = await visits.answered(slug, str(told[0]), archived=True)
    visit = visits.Visit(form, definition, is_embedded=request.args.get("embed") == "1")
    entry = await entry_queries.entry(form.id, str(told[1]))
    if entry is None:
        raise NotFound
    if entry.state == "unpaid":
        return go_to(visit, paying.path_of(form, entry))
    state = told[2] if len(told) > 2 else ""
    # Who has to confirm first is led nowhere else, and thanked afterwards.
    is_due = state == entry.state == "unconfirmed"
    shown = confirmations.Shown() if is_due else _shown(await after.of_entry(entry))
    if shown.to and not shown.is_elsewhere:
        return redirect(shown.to, 303)
    onward = {"Refresh": f"1;url={iri_to_uri(shown.to)}"} if shown.to else {}
    return await page(
        "formbuilder/thanks.html", form=form, definition=definition, visit=visit, shown=shown,
        state=state if is_due or state != "unconfirmed" else "",
        headers={"Cache-Control": "no-store", **onward, **visits.frame_headers(visit)},
    )  # fmt: skip


def _shown(situation: after.Situation) -> confirmations.Shown:
    """What its sender is shown. Of what is paid for, or behind a password, a held back entry shows nothing: neither was given."""
    has_price = any(
        bills.takes_payment(each) or submissions.has_secret(each) for each in (situation.definition, situation.live)
    )
    is_plain = situation.entry.state == "spam" and has_price
    return confirmations.Shown() if is_plain else confirmations.of(situation)
