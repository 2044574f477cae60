"""The form as visitors will see it, before it is published: three widths of a page that keeps nothing."""

from quart import Response, request

from app.core import clock
from app.core.errors import Conflict
from app.core.i18n import _
from app.core.settings import school
from app.formbuilder import definitions, pages, submissions, versions
from app.formbuilder.admin import admin
from app.formbuilder.admin.frame import framed
from app.formbuilder.models import Form, Posted
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
    return await _framed(await versions.find(public_id), Posted({}))


@admin.post("/<public_id>/preview/page")
@requires("forms.view")
async def create_preview_answer(public_id: str) -> Response:
    """Tell what would have come of these answers. Nothing is kept."""
    form, sent = await versions.find(public_id), await request.form
    posted = Posted({name: values for name, values in sent.lists() if isinstance(name, str)})
    definition = definitions.read(form.definition)
    today = clock.now().astimezone((await school()).zone).date().isoformat()
    try:
        read = submissions.read_answers(definition, posted, today)
    except Conflict as error:
        return await _framed(form, posted, sentence=error.message, status=422)
    if read.mistakes:
        sentence = _("Please look at what is marked below.")
        return await _framed(form, posted, mistakes=read.mistakes, sentence=sentence, status=422)
    words = pages.markdown(definition.settings["thanks"])
    return _in_frame(await page("formbuilder/thanks.html", form=form, definition=definition, words=words))


async def _framed(
    form: Form, posted: Posted, *, mistakes: dict[str, submissions.Mistake] | None = None, sentence: str = "",
    status: int = 200,
) -> Response:  # fmt: skip
    definition = definitions.read(form.definition)
    return _in_frame(
        await page(
            "formbuilder/form.html",
            status=status,
            form=form,
            definition=definition,
            intro=pages.markdown(definition.intro) if definition.intro else "",
            steps=pages.steps_of(definition, posted, mistakes),
            sentence=sentence,
            stamp="preview",
            preview=f"/admin/forms/{form.public_id}/preview/page",
        )
    )


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
