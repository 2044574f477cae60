"""One visitor's look at a form: what they brought along, and the pages that are drawn of it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from quart import Response, request

from app.accounts import places
from app.core.errors import Conflict, NotFound, TooLarge
from app.core.i18n import _
from app.core.numbers import whole_number
from app.core.settings import school
from app.formbuilder.answering import (
    contests,
    drafts,
    embedding,
    files,
    limits,
    links,
    pages,
    screens,
    spam,
    submissions,
)
from app.formbuilder.answering.limits import Gate
from app.formbuilder.answering.screens import Screen
from app.formbuilder.answering.stamps import new_stamp, read_stamp
from app.formbuilder.answering.submissions import Mistake, Refused
from app.formbuilder.definition import readings
from app.formbuilder.fields.pricing import Prices
from app.formbuilder.logic import days, plans
from app.formbuilder.logic.evaluation import Outcome
from app.formbuilder.models import Definition, Draft, Form, Link, Posted, field_of
from app.formbuilder.payment import bills, payments, stock
from app.formbuilder.payment.bills import SoFar
from app.formbuilder.queries import forms as queries
from app.web import traps
from app.web.bodies import narrow
from app.web.render import page
from app.web.request import client_address, user

# Texts of one form that is sent; a browser sends each part of it as one of the thousand that a request may have (MAX_FORM_PARTS).
MOST_TEXTS = 5_000


@dataclass(slots=True)
class Visit:
    """A form in one visitor's hands. `raw` is all that was sent; `posted` what of it are answers."""

    form: Form
    definition: Definition
    posted: Posted = field(default_factory=lambda: Posted({}))
    raw: Mapping[str, Sequence[str]] = field(default_factory=dict)
    is_embedded: bool = False
    # Another visitor may see another version of it just now.
    is_tried: bool = False
    link: str = ""
    found_link: Link | None = None
    entry_pass: str = ""
    stamp: str = ""
    draft: Draft | None = None
    token: str = ""
    screen_id: str = ""
    mistakes: Mapping[str, Mistake] = field(default_factory=dict)
    sentence: str = ""
    # The prices of the shop that were shown to it, signed; and the unpaid entry that what is sent takes the place of.
    prices: str = ""
    instead: str = ""

    @property
    def path(self) -> str:
        """Where its page sends to."""
        return f"/forms/{self.form.slug}" + (f"/drafts/{self.token}" if self.token else "")


async def live(slug: str, *, archived: bool = False) -> tuple[Form, Definition]:
    """The form at this address as visitors answer it now. Raises NotFound.

    `archived`: also one that nobody finds any more, for somebody who sent it before.
    """
    form = await queries.live_form(slug, archived=archived)
    if form is None:
        raise NotFound
    return form, readings.of(form)


async def shown(slug: str) -> tuple[Form, Definition, bool]:
    """The same as this visitor is to see it: while a trial runs (the last of the three), one of its two versions."""
    form, definition = await live(slug)
    person = user()
    who = f"user {person.id}" if person is not None else f"{client_address()} {request.headers.get('User-Agent', '')}"
    tried = await contests.seen_by(form, who, counts=_is_looked_at(), knows_again=not definition.settings["no_address"])
    return (tried, readings.of(tried), True) if tried is not None else (form, definition, False)


def _is_looked_at() -> bool:
    """Whether somebody's browser opens the page, as far as can be told: no program, and nothing fetched ahead."""
    if "prefetch" in request.headers.get("Sec-Purpose", ""):
        return False
    kind = request.headers.get("Sec-Fetch-Dest")
    # Browsers from before 2023 do not say; programs hardly ever say what they read.
    return kind in ("document", "iframe") if kind is not None else "Accept-Language" in request.headers


async def answered(slug: str, number: str, *, archived: bool = False) -> tuple[Form, Definition]:
    """The version that a page shows; a page may be older than the form, but who may answer is said by the newest."""
    shown = whole_number(number)
    if shown is not None:
        form = await queries.form_of_version(slug, shown, archived=archived)
        if form is not None:
            return form, await with_newest_settings(form)
    return await live(slug, archived=archived)


async def with_newest_settings(form: Form) -> Definition:
    """The definition of a version, with the limits and rules of the one that is live."""
    definition = readings.of(form)
    if form.version_id == form.live_id or await contests.is_tried(form):
        return definition
    newest = await queries.live_form(form.slug)
    if newest is None:
        return definition
    live = readings.of(newest)
    # A field for it may be newer than the page: then it is asked for at the end.
    return replace(definition, settings={**live.settings, "captcha": spam.wants_captcha(live)})


async def sent(slug: str, *, most: int | None = None) -> Visit:
    """What a browser sent for a form: `most` bytes, or a megabyte when it brings no files."""
    if most is not None:
        narrow(most)
    form_data, attached = await request.form, await request.files
    raw = {name: values for name, values in form_data.lists() if isinstance(name, str)}
    _check_size(raw)
    whole = Posted(raw)
    form, definition = await answered(slug, whole.one("version"))
    known = {each.id for each in definition.fields}
    return Visit(
        form,
        definition,
        Posted(
            {name: values for name, values in raw.items() if field_of(name) in known},
            {name: values for name, values in attached.lists() if isinstance(name, str)},
        ),
        raw,
        is_embedded=whole.one("embed") == "1",
        link=whole.one("link")[:500],
        entry_pass=whole.one("pass")[:500],
        stamp=whole.one("stamp"),
        screen_id=whole.one("screen"),
        prices=whole.one("prices")[:10_000],
        instead=whole.one("instead")[:200],
    )


def _check_size(raw: Mapping[str, Sequence[str]]) -> None:
    """Raise TooLarge for more than a browser sends of a form: files make room in a request that texts are not to fill, and
    each text is looked at many times, and kept with what was begun."""
    count = sum(map(len, raw.values()))
    if count > MOST_TEXTS or sum(len(text) for texts in raw.values() for text in texts) > files.MOST_TEXT:
        raise TooLarge(_("This is more text than a form takes."))


async def take_link(visit: Visit) -> Mapping[str, Sequence[str]]:
    """The values of the link that the visitor came by. Raises NotFound or Conflict for one that is not good any more."""
    visit.found_link = await links.find(visit.form, visit.link)
    if visit.found_link.is_single and visit.found_link.used_at is not None:
        raise Conflict(links.used_words())
    return visit.found_link.posted


async def gate(visit: Visit) -> Gate | None:
    """What keeps the visitor from the form now. Who comes back from the payment page was let in before."""
    before = await payments.sent_before(visit.form, visit.instead) if visit.instead else None
    if before is not None and not await payments.may_return(before):
        before = None
    entry_pass = limits.new_pass(visit.form, visit.definition) if before is not None else visit.entry_pass
    has_link = before is not None or bool(visit.link)
    holds = int(before is not None and await payments.holds(before))
    return await limits.gate(
        visit.form, visit.definition, user(), entry_pass=entry_pass, has_link=has_link, holds=holds
    )  # fmt: skip


async def doubt(visit: Visit) -> str:
    """What to ask of somebody who may be a program; empty for everybody else."""
    if read_stamp(visit.stamp) is None:
        visit.stamp = ""
        return _("Please press the button once more. Nothing you wrote is lost.")
    if spam.wants_captcha(visit.definition) and not await traps.is_person("form"):
        return _("We could not see that you are a person. Please try once more.")
    return ""


def country() -> str:
    """Where the proxy says that the visitor is, in two letters."""
    return places.country_of_request()


async def refused_page(visit: Visit, refused: Refused) -> Response:
    """The screen with what is wrong beside it. Where something costs more by now, it shows what it costs."""
    visit.mistakes, visit.sentence = refused.mistakes, refused.message
    if not refused.mistakes:
        visit.prices = ""
    if refused.outdated:
        visit.form, visit.definition = await live(visit.form.slug)
        if visit.draft is not None:
            await drafts.renew(visit.draft, visit.form)
    return await form_page(visit, status=422)


async def form_page(visit: Visit, *, status: int = 200) -> Response:
    """The screen that the visitor is at."""
    definition = visit.definition
    today = await days.today()
    visit.posted = submissions.sealed(definition, visit.posted)
    outcome = plans.evaluate(definition, visit.posted.texts, today)
    screen = screens.at(definition, outcome, visit.screen_id)
    is_stepped = len(screens.screens_of(definition)) > 1
    logic = None
    if screens.has_logic(definition):
        logic = screens.page_logic(definition, visit.posted.texts if visit.token else {}, screen, today)
    offers = await bills.prices_of(definition)
    visit.prices = (visit.prices if is_stepped else "") or bills.shown_prices(definition, offers)
    has_captcha = spam.wants_captcha(definition) and not visit.token and traps.captcha() is not None
    # Nothing is kept yet: what was filled in before anybody typed travels with the first screen.
    others = screens.of_others(visit.posted.texts, screen) if not visit.token else {}
    so_far = await _so_far(visit, screen, offers, today)
    gone = await _gone(visit)
    questions = pages.questions_of(
        definition, screen, visit.posted, outcome, visit.mistakes, _fixed(visit), offers, so_far, gone
    )
    return await page(
        "formbuilder/form.html",
        status=status,
        visit=visit,
        form=visit.form,
        definition=definition,
        screen=screen,
        questions=questions,
        is_stepped=is_stepped,
        **_place(visit, outcome, screen),
        carried=[(name, value) for name, values in others.items() for value in values],
        scripts=pages.scripts_of(definition),
        has_sheet=pages.needs_sheet(definition),
        logic=logic,
        has_captcha=has_captcha,
        captcha_at=pages.captcha_at(definition, screen, questions) if has_captcha else "",
        takes_payment=bills.takes_payment(definition),
        sentence=visit.sentence,
        stamp=visit.stamp or (new_stamp() if status == 422 and not visit.token else ""),
        headers=_headers(visit, has_captcha=has_captcha),
    )


def _place(visit: Visit, outcome: Outcome, screen: Screen) -> dict[str, Any]:
    """Where a screen stands among those that these answers lead over: what is said above it, and on its buttons."""
    definition, seen = visit.definition, screens.walked(visit.definition, outcome)
    is_first, is_numbered = seen[0].id == screen.id, definition.settings["numbers"]
    return {
        "intro": pages.markdown(definition.intro) if definition.intro and is_first else "",
        "numbers_from": screens.numbers_of(definition, outcome).get(f".{screen.id}", 1) if is_numbered else 0,
        "first": _behind_break(definition, screen),
        "place": seen.index(screen) + 1 if screen in seen else 1,
        "places": len(seen),
        "back": screens.before(definition, outcome, screen.id) if visit.token else None,
        "next_": screens.after(definition, outcome, screen.id),
    }


async def gate_page(visit: Visit, stopped: Gate, *, status: int = 200) -> Response:
    """What stands between the visitor and the form."""
    return await page(
        "formbuilder/closed.html", status=status, visit=visit, form=visit.form, definition=visit.definition,
        sentence=stopped.sentence, gate=stopped.kind, headers=_headers(visit),
    )  # fmt: skip


async def closed_page(visit: Visit, sentence: str, *, status: int = 200) -> Response:
    """The form takes no answer now, or not this one."""
    return await gate_page(visit, Gate("closed", sentence), status=status)


async def later_page(visit: Visit, *, email: str = "", is_mailed: bool = False, error: str = "") -> Response:
    """Everything is kept: its link, to be mailed or copied."""
    return await page(
        "formbuilder/later.html", status=422 if error else 200, visit=visit, form=visit.form,
        definition=visit.definition, email=email, is_mailed=is_mailed, error=error, headers=_headers(visit),
    )  # fmt: skip


def frame_headers(visit: Visit, policy: str = "") -> dict[str, str]:
    """What lets other sites frame the page, if it is a page in a frame."""
    if visit.is_embedded:
        return embedding.headers(visit.definition, policy)
    return {"Content-Security-Policy": policy} if policy else {}


def _headers(visit: Visit, *, has_captcha: bool = False) -> dict[str, str]:
    policy = traps.captcha_headers().get("Content-Security-Policy", "") if has_captcha else ""
    found = frame_headers(visit, policy)
    is_personal = bool(visit.token or visit.link or visit.entry_pass or visit.instead or visit.raw)
    if is_personal or visit.is_tried or limits.is_changeable(visit.definition):
        found["Cache-Control"] = "no-store"
    return found


async def _so_far(visit: Visit, screen: Screen, offers: Prices, today: str) -> SoFar | None:
    """What was chosen so far, for a screen that adds it up. What a link filled in stands there without a control to look at."""
    if not any(each.kind == "total" for each in screen.fields):
        return None
    answers = submissions.read_answers(visit.definition, visit.posted, today).answers
    here = screen.ids - _fixed(visit)
    return bills.so_far(visit.definition, answers, offers, here, currency=(await school()).currency)


async def _gone(visit: Visit) -> Collection[tuple[str, str]]:
    """What is sold out, of fields and options. What the visitor's own unpaid entry holds is free for what takes its place."""
    if not stock.is_counted(visit.definition):
        return ()
    before = await payments.sent_before(visit.form, visit.instead) if visit.instead else None
    return await stock.gone(visit.form.id, visit.definition, but=before.id if before is not None else None)


def _fixed(visit: Visit) -> frozenset[str]:
    """Fields that the visitor's link has filled in for good."""
    given = visit.found_link.posted if visit.found_link is not None else {}
    return frozenset(name.partition(".")[0] for name in given)


def _behind_break(definition: Definition, screen: Screen) -> Mapping[str, str]:
    """The words on the buttons of a page, as its page break says."""
    found = definition.find(screen.step)
    return found.settings if found is not None else {}
