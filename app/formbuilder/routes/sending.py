"""What follows from a sent screen: the next one, the one before, a link to go on later, or an entry."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import urlencode

from quart import Response, redirect, request
from werkzeug.wrappers import Response as BaseResponse

from app.core import limits, tokens
from app.core.errors import TooLarge, TooMany
from app.core.i18n import _
from app.core.limits import Limit
from app.formbuilder.answering import drafts, prefill, screens, submissions
from app.formbuilder.answering.screens import Screen
from app.formbuilder.answering.stamps import read_stamp
from app.formbuilder.answering.submissions import Refused, Sender
from app.formbuilder.fields.kinds import kind_of
from app.formbuilder.logic import days, plans
from app.formbuilder.models import Entry, Form, Posted
from app.formbuilder.payment import paying
from app.formbuilder.routes import visits
from app.formbuilder.routes.visits import Visit
from app.web.request import client_address, client_network, user

# In a draft, beside what was typed: no field can be called so.
LINK, PASS, PRICES, INSTEAD = ".link", ".pass", ".prices", ".instead"
# Characters of a form that was begun, all screens together.
MOST_KEPT = 4_000_000
# Wrong passwords of a form, from one network.
GUESSES = Limit(10, 300)
_BESIDE = (LINK, PASS, PRICES, INSTEAD)


async def advance(visit: Visit) -> BaseResponse | Response:
    """Act on a screen that was sent. Raises Refused for wrong answers and leaves the visit at the first of them."""
    definition, go = visit.definition, (visit.raw.get("go") or ["next"])[0]
    await _check_guesses(visit)
    visit.posted = Posted({**prefill.unasked(definition), **visit.posted.texts}, visit.posted.files)
    day = await days.today()
    outcome = plans.evaluate(definition, visit.posted.texts, day)
    screen = screens.at(definition, outcome, visit.screen_id)
    if go == "back":
        return await _keep(visit, screen, screens.before(definition, outcome, screen.id) or screen)
    if go == "later" and drafts.can_resume(definition):
        return await _keep(visit, screen, screen, later="1")
    if len(screens.screens_of(definition)) > 1:
        found = submissions.read_answers(definition, visit.posted, day, only=screen.ids)
        if found.mistakes:
            raise Refused(found.mistakes)
        following = screens.after(definition, outcome, screen.id)
        if following is not None:
            return await _keep(visit, screen, following)
    try:
        entry = await submissions.submit(visit.form, definition, visit.posted, sender_of(visit))
    except Refused as refused:
        wrong = screens.of_field(definition, refused.mistakes)
        visit.screen_id = wrong.id if wrong is not None else visit.screen_id
        raise
    return await thanks(visit, entry)


async def _check_guesses(visit: Visit) -> None:
    """Raise TooMany for who tries one password after the other. What is right counts for nothing, but does not go through then."""
    secret = [each for each in visit.definition.fields if kind_of(each).is_secret and visit.posted.one(each.id)]
    if not secret:
        return
    who = f"{visit.form.id} {client_network()}"
    if await limits.used("form-word", who, GUESSES) >= GUESSES.count:
        raise TooMany(retry_after=GUESSES.seconds)
    if any(not submissions.is_known(each, visit.posted) for each in secret):
        await limits.count("form-word", who, GUESSES)


async def _keep(visit: Visit, screen: Screen, following: Screen, **query: str) -> BaseResponse:
    texts = dict(submissions.sealed(visit.definition, visit.posted).texts)
    brought = zip(_BESIDE, (visit.link, visit.entry_pass, visit.prices, visit.instead), strict=True)
    texts |= {name: [value] for name, value in brought if value}
    if visit.draft is None:
        person = user()
        visit.token = await drafts.begin(
            visit.form, texts, following.id, stamp=visit.stamp, user_id=person.id if person is not None else None
        )
        # The same page may have begun it before, and got further.
        visit.draft, _form = await drafts.find(visit.form.slug, visit.token)
        if visit.draft.entry_public_id is not None:
            return _thanks(visit, visit.draft.entry_public_id, "")
    beside = {name: values for name, values in texts.items() if name in _BESIDE}

    def with_this(kept: Mapping[str, Sequence[str]]) -> Mapping[str, Sequence[str]]:
        whole = screens.merged(kept, texts, screen) | beside
        if sum(len(text) for sent in whole.values() for text in sent) > MOST_KEPT:
            raise TooLarge(_("This is more text than a form takes."))
        return whole

    await drafts.keep(visit.draft, with_this, following.id)
    return go_to(visit, f"/forms/{visit.form.slug}/drafts/{visit.token}", **query)


async def thanks(visit: Visit, entry: Entry) -> BaseResponse | Response:
    """On to the page that says that it arrived, or to payment."""
    if entry.state == "unpaid":
        return await _to_payment(visit, entry)
    # Who is in quarantine is told what everybody is.
    return _thanks(visit, entry.public_id, "received" if entry.state == "spam" else entry.state)


async def _to_payment(visit: Visit, entry: Entry) -> BaseResponse | Response:
    if visit.is_embedded:  # a payment page stands in no frame: a button leads out of it
        return go_to(visit, paying.path_of(visit.form, entry))
    return await paying.lead_on(visit.form, entry)


def thanks_url(form: Form, entry_id: str, state: str) -> str:
    """Where the thanks for an entry are; only its sender gets this address."""
    return f"/forms/{form.slug}/thanks/{tokens.sign([form.number, entry_id, state], 'form-thanks')}"


def _thanks(visit: Visit, entry_id: str, state: str) -> BaseResponse:
    visit.link = visit.entry_pass = ""
    return go_to(visit, thanks_url(visit.form, entry_id, state))


def go_to(visit: Visit, path: str, **query: str) -> BaseResponse:
    """Send the browser there; what stands in a frame stays in it."""
    told = {name: value for name, value in query.items() if value}
    if visit.is_embedded:
        told["embed"] = "1"
    return redirect(path + (f"?{urlencode(told)}" if told else ""), 303)


def sender_of(visit: Visit, *, suspicion: str = "") -> Sender:
    """Who sends, as far as is known."""
    person, began = user(), read_stamp(visit.stamp)
    began_at = datetime.fromtimestamp(began, UTC) if began is not None else None
    return Sender(
        user_id=person.id if person is not None else None,
        address=client_address(),
        user_agent=request.headers.get("User-Agent", ""),
        stamp=f"draft:{visit.token}" if visit.draft is not None else visit.stamp if began is not None else "",
        began_at=visit.draft.created_at if visit.draft is not None else began_at,
        country=visits.country(),
        draft=visit.draft,
        link_id=visit.found_link.id if visit.found_link is not None and visit.found_link.is_single else None,
        suspicion=suspicion,
        email=person.email if person is not None else "",
        name=person.name if person is not None else "",
        prices=visit.prices,
        instead=visit.instead,
    )
