"""The form as visitors will see it, before it is published: three widths of a page that keeps nothing."""

from dataclasses import dataclass
from urllib.parse import urlencode

from quart import Response, request

from app.core.i18n import _
from app.formbuilder.admin import admin
from app.formbuilder.admin.frame import framed
from app.formbuilder.after_sending import after, confirmations
from app.formbuilder.answering import screens, submissions
from app.formbuilder.definition import readings, versions
from app.formbuilder.logic import days, plans
from app.formbuilder.models import Posted
from app.formbuilder.routes import visits
from app.web.guards import requires
from app.web.render import page
from app.web.request import fragment

WIDTHS = {"phone": 375, "tablet": 768, "desk": 1100}
_OWN = ("version", "stamp", "screen", "go", "website", "embed", "link", "pass", "prices", "instead")
_MOST_CARRIED = 6000


@dataclass(slots=True)
class Trial(visits.Visit):
    """A visit that leaves no trace: what was answered on earlier pages travels in the address."""

    @property
    def path(self) -> str:
        carried = urlencode([(name, value) for name, values in self.posted.texts.items() for value in values])
        address = f"/admin/forms/{self.form.public_id}/preview/page"
        return f"{address}?{carried}" if carried and len(carried) < _MOST_CARRIED else address


@admin.get("/<public_id>/preview")
@requires("forms.view")
async def show_preview(public_id: str) -> Response:
    """The newest version in a frame; `?width=` is phone, tablet or desk. A page that is open follows what is built."""
    form = await versions.find(public_id)
    wanted, state = request.args.get("width", "desk"), versions.state_of(form)
    if request.args.get("seen") == state and fragment() is not None:
        return Response(status=204)  # an open page asks, and has the newest
    return await page(
        "formbuilder/admin/preview.html", **await framed(form, "preview"),
        width=wanted if wanted in WIDTHS else "desk", widths=WIDTHS,
    )  # fmt: skip


@admin.get("/<public_id>/preview/page")
@requires("forms.view")
async def show_preview_page(public_id: str) -> Response:
    """What stands in the frame."""
    return await _drawn(await _trial(public_id))


@admin.post("/<public_id>/preview/page")
@requires("forms.view")
async def create_preview_answer(public_id: str) -> Response:
    """Go on as a visitor would, to the next page or to the thanks. Nothing is kept."""
    trial = await _trial(public_id)
    sent = await request.form
    definition = trial.definition
    outcome = plans.evaluate(definition, trial.posted.texts, await days.today())
    screen = screens.at(definition, outcome, sent.get("screen", ""))
    trial.screen_id = screen.id
    new = {name: values for name, values in sent.lists() if isinstance(name, str) and name not in _OWN}
    old = {name: values for name, values in trial.posted.texts.items() if name.partition(".")[0] not in screen.ids}
    files = {name: values for name, values in (await request.files).lists() if isinstance(name, str)}
    trial.posted = Posted({**old, **new}, files)
    outcome = plans.evaluate(definition, trial.posted.texts, await days.today())
    if sent.get("go") == "back":
        before = screens.before(definition, outcome, screen.id)
        trial.screen_id = before.id if before is not None else screen.id
        return await _drawn(trial)
    if sent.get("go") == "later":
        trial.sentence = _("This is a preview: nothing is kept to go on with.")
        return await _drawn(trial)
    read = submissions.read_answers(definition, trial.posted, await days.today(), only=screen.ids)
    if read.mistakes:
        trial.mistakes, trial.sentence = read.mistakes, _("Please look at what is marked below.")
        return await _drawn(trial, status=422)
    following = screens.after(definition, outcome, screen.id)
    if following is not None:
        trial.screen_id = following.id
        return await _drawn(trial)
    answers = submissions.read_answers(definition, trial.posted, await days.today()).answers
    return _in_frame(
        await page(
            "formbuilder/thanks.html",
            form=trial.form,
            definition=definition,
            visit=trial,
            shown=confirmations.of(await after.trial(trial.form, definition, answers)),
            state="",
        )
    )


async def _trial(public_id: str) -> Trial:
    form = await versions.find(public_id)
    definition = readings.of(form)
    known = {field.id for field in definition.fields}
    carried = {name: values for name, values in request.args.lists() if name.partition(".")[0] in known}
    return Trial(form, definition, Posted(carried), stamp="preview", token="preview")  # noqa: S106 (no secret)


async def _drawn(trial: Trial, *, status: int = 200) -> Response:
    return _in_frame(await visits.form_page(trial, status=status))


def _in_frame(response: Response) -> Response:
    """Let our own pages show this one in a frame; no other page of ours may be."""
    response.headers["X-Frame-Options"] = "SAMEORIGIN"
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; form-action 'self'; frame-ancestors 'self'; base-uri 'none'"
    )
    response.headers["Content-Security-Policy"] = policy
    response.headers["Cache-Control"] = "no-store"
    return response
