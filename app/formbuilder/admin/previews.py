"""The form as visitors will see it, before it is published: three widths of a page that keeps nothing."""

from quart import Response, request

from app.core import tokens
from app.core.i18n import _
from app.formbuilder import definitions, pages, plans, screens, submissions, versions
from app.formbuilder.admin import admin
from app.formbuilder.admin.frame import framed
from app.formbuilder.models import Form, Posted
from app.formbuilder.routes import visits
from app.formbuilder.routes.visits import Visit
from app.formbuilder.screens import Screen
from app.web.guards import requires
from app.web.render import page

WIDTHS = {"phone": 375, "tablet": 768, "desk": 1100}


@admin.get("/<public_id>/preview")
@requires("forms.view")
async def show_preview(public_id: str) -> Response:
    """The newest version in a frame; `?width=` is phone, tablet or desk."""
    form = await versions.find(public_id)
    wanted = request.args.get("width", "desk")
    return await page(
        "formbuilder/admin/preview.html", **await framed(form, "preview"),
        width=wanted if wanted in WIDTHS else "desk", widths=WIDTHS,
    )  # fmt: skip


@admin.get("/<public_id>/preview/page")
@requires("forms.view")
async def show_preview_page(public_id: str) -> Response:
    """What stands in the frame."""
    return await _framed(_visit(await versions.find(public_id), Posted({})))


@admin.post("/<public_id>/preview/page")
@requires("forms.view")
async def create_preview_answer(public_id: str) -> Response:
    """Go on to the next screen, or tell what would have come of these answers. Nothing is kept."""
    form, sent = await versions.find(public_id), await request.form
    raw = {name: values for name, values in sent.lists() if isinstance(name, str)}
    visit = _visit(form, Posted(raw), screen_id=sent.get("screen", ""))
    definition, today = visit.definition, await submissions.today()
    here = next((each for each in screens.screens_of(definition) if each.id == visit.screen_id), None)
    if here is not None:
        visit.posted = Posted(screens.merged(_carried(sent.get("carried", "")), raw, here))
    outcome = plans.evaluate(definition, visit.posted.texts, today)
    screen = screens.at(definition, outcome, visit.screen_id)
    if sent.get("go") == "back":
        before = screens.before(definition, outcome, screen.id)
        return await _framed(visit, before or screen)
    read = submissions.read_answers(definition, visit.posted, today, only=screen.ids)
    if read.mistakes:
        visit.mistakes, visit.sentence = read.mistakes, _("Please look at what is marked below.")
        return await _framed(visit, screen, status=422)
    following = screens.after(definition, outcome, screen.id)
    if following is not None:
        return await _framed(visit, following)
    words = pages.markdown(definition.settings["thanks"])
    return _in_frame(await page("formbuilder/thanks.html", form=form, definition=definition, words=words))


def _visit(form: Form, posted: Posted, *, screen_id: str = "") -> Visit:
    action = f"/admin/forms/{form.public_id}/preview/page"
    definition = definitions.read(form.definition)
    return Visit(form, definition, posted, stamp="preview", action=action, screen_id=screen_id)


async def _framed(visit: Visit, screen: Screen | None = None, *, status: int = 200) -> Response:
    if screen is not None:
        visit.screen_id = screen.id
        visit.carried = tokens.sign(screens.of_others(visit.posted.texts, screen), "form-preview")
    return _in_frame(await visits.form_page(visit, status=status))


def _carried(signed: str) -> dict[str, list[str]]:
    """What was typed on other screens."""
    found = tokens.unsign(signed, "form-preview", 24 * 3600)
    return found if isinstance(found, dict) else {}


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
