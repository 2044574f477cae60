"""Forms as visitors see them: the page, the stamp, what is sent, the thanks."""

from datetime import UTC, datetime
from typing import Any

from quart import Blueprint, Response, redirect, request, url_for
from werkzeug.urls import iri_to_uri
from werkzeug.wrappers import Response as BaseResponse

from app.core import clock, tokens
from app.core.errors import Conflict, NotFound
from app.core.i18n import _
from app.core.limits import Limit
from app.formbuilder import after, confirmations, definitions, pages, paying, payments, submissions
from app.formbuilder.models import Definition, Entry, Form, Posted
from app.formbuilder.queries import entries as entry_queries
from app.formbuilder.queries import forms as queries
from app.formbuilder.submissions import Mistake, Refused, Sender
from app.web.guards import public
from app.web.render import page
from app.web.request import client_address, user

routes = Blueprint("forms", __name__)

# A page is good for a day after it was first touched; nobody fills in a form in less than a second.
STAMP_SECONDS = 24 * 3600
TOO_FAST_SECONDS = 1.0
THANKS_SECONDS = 24 * 3600


@routes.get("/forms/<slug>")
@public()
async def show_form(slug: str) -> Response:
    """The form, empty or filled in from the address (`?q1=Ann`)."""
    form, definition = await _live(slug)
    if form.state != "open":
        return await _closed(definition)
    known = {each.id for each in definition.fields}
    given = {name: values for name, values in request.args.lists() if name.partition(".")[0] in known}
    instead = request.args.get("payment", "")
    if instead:
        # Back from the payment page: everything is as it was written.
        given = paying.typed_before(definition, await payments.entry_of_token(form, instead))
    return await _form_page(form, definition, Posted(given), instead=instead)


@routes.get("/forms/<slug>/stamp")
@public(limit=Limit(60, 60))
async def show_stamp(slug: str) -> Response:
    """A fresh stamp for a page that was kept by a cache: when it was first touched, and its own number."""
    response = Response(_new_stamp(), content_type="text/plain; charset=utf-8")
    response.headers["Cache-Control"] = "no-store"
    return response


@routes.post("/forms/<slug>")
@public(limit=Limit(30, 60))
async def create_entry(slug: str) -> Response | BaseResponse:
    """Keep what was answered, or show what is wrong beside it."""
    sent = await request.form
    posted = Posted(
        {name: values for name, values in sent.lists() if isinstance(name, str)},
        {name: values for name, values in (await request.files).lists() if isinstance(name, str)},
    )
    form, definition = await _answered(slug, posted.one("version"))
    if "website" not in sent or posted.one("website"):
        # A program: it is told what it wants to hear. See also the quarantine.
        return redirect(url_for(".show_thanks", slug=slug, token=tokens.sign("", "form-thanks")), 303)
    stamp = _read_stamp(posted.one("stamp"))
    if stamp is None:
        sentence = _("Please press the button once more. Nothing you wrote is lost.")
        return await _form_page(form, definition, posted, sentence=sentence, status=422)
    try:
        entry = await submissions.submit(form, definition, posted, _sender(posted, stamp))
    except Refused as refused:
        if refused.outdated:
            form, definition = await _live(slug)
        return await _form_page(
            form, definition, posted, mistakes=refused.mistakes, sentence=refused.message,
            stamp=posted.one("stamp"), status=422,
        )  # fmt: skip
    except Conflict as error:
        return await _closed(definition, error.message, status=409)
    if entry.state == "unpaid":
        return await paying.lead_on(form, entry)
    return redirect(thanks_url(form, entry), 303)


def thanks_url(form: Form, entry: Entry) -> str:
    """Where the thanks for an entry are; only its sender gets this address."""
    return url_for(
        "forms.show_thanks", slug=form.slug, token=tokens.sign([form.number, entry.public_id], "form-thanks")
    )


@routes.get("/forms/<slug>/thanks/<token>")
@public()
async def show_thanks(slug: str, token: str) -> Response | BaseResponse:
    """What is said after sending."""
    told = tokens.unsign(token, "form-thanks", THANKS_SECONDS)
    if told is None:
        raise NotFound
    form, definition = await _answered(slug, str(told[0]) if told else "")
    entry = await entry_queries.entry(form.id, told[1]) if told else None
    shown = (
        confirmations.of(await after.of_entry(entry)) if entry is not None else confirmations.without_entry(definition)
    )
    if shown.to and not shown.is_elsewhere:
        return redirect(shown.to, 303)
    onward = {"Refresh": f"1;url={iri_to_uri(shown.to)}"} if shown.to else {}
    headers = {"Cache-Control": "no-store", **onward}
    return await page("formbuilder/thanks.html", form=form, definition=definition, shown=shown, headers=headers)


@routes.get("/forms/<slug>/payments/<token>")
@public()
async def show_payment(slug: str, token: str) -> Response | BaseResponse:
    """Where the payment page leads back to: the thanks once the money is known to be there, else how it stands."""
    form, _definition = await _live(slug)
    entry = await payments.entry_of_token(form, token)
    if entry.state != "unpaid":
        return redirect(thanks_url(form, entry), 303)
    return await paying.waiting_page(form, entry)


@routes.post("/forms/<slug>/payments/<token>")
@public(limit=Limit(30, 60))
async def create_payment(slug: str, token: str) -> Response | BaseResponse:
    """To the payment page, once more."""
    form, _definition = await _live(slug)
    entry = await payments.entry_of_token(form, token)
    if entry.state != "unpaid":
        return redirect(thanks_url(form, entry), 303)
    return await paying.lead_on(form, entry)


async def _live(slug: str) -> tuple[Form, Definition]:
    form = await queries.live_form(slug)
    if form is None:
        raise NotFound
    return form, definitions.read(form.definition)


async def _answered(slug: str, number: str) -> tuple[Form, Definition]:
    """The version that a page shows; a page may be older than the form."""
    if number.isdecimal() and len(number) < 10:
        form = await queries.form_of_version(slug, int(number))
        if form is not None:
            return form, definitions.read(form.definition)
    return await _live(slug)


async def _form_page(
    form: Form, definition: Definition, posted: Posted, *, mistakes: dict[str, Mistake] | Any = None,
    sentence: str = "", stamp: str = "", status: int = 200, instead: str = "",
) -> Response:  # fmt: skip
    return await page(
        "formbuilder/form.html",
        status=status,
        form=form,
        definition=definition,
        intro=pages.markdown(definition.intro) if definition.intro else "",
        steps=pages.steps_of(definition, posted, mistakes),
        sentence=sentence,
        stamp=stamp or (_new_stamp() if status == 422 else ""),
        # A price that rose is agreed to by sending the form once more.
        prices=await payments.shown_prices(definition),
        takes_payment=payments.takes_payment(definition),
        instead=instead or posted.one("instead"),
    )


async def _closed(definition: Definition, sentence: str = "", *, status: int = 200) -> Response:
    words = sentence or definition.settings["closed_words"] or _("This form takes no more answers.")
    return await page("formbuilder/closed.html", definition=definition, sentence=words, status=status)


def stamp_of(moment: float) -> str:
    """A stamp for a page that was first touched at this moment (seconds since 1970)."""
    return tokens.sign([moment, tokens.random_token()[:22]], "form-stamp")


def _new_stamp() -> str:
    return stamp_of(clock.now().timestamp())


def _read_stamp(stamp: str) -> float | None:
    """When the page was first touched; None for a stamp that is not ours, too old, or of a second ago."""
    told = tokens.unsign(stamp, "form-stamp", STAMP_SECONDS)
    if not isinstance(told, list) or clock.now().timestamp() - told[0] < TOO_FAST_SECONDS:
        return None
    return float(told[0])


def _sender(posted: Posted, began: float) -> Sender:
    person = user()
    return Sender(
        user_id=person.id if person is not None else None,
        address=client_address(),
        user_agent=request.headers.get("User-Agent", ""),
        stamp=posted.one("stamp"),
        email=person.email if person is not None else "",
        name=person.name if person is not None else "",
        prices=posted.one("prices"),
        instead=posted.one("instead"),
        began_at=datetime.fromtimestamp(began, UTC),
    )
