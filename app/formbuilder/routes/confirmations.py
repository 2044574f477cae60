"""The click in a mail by which somebody says that it was they who sent a form."""

from quart import Response, redirect, url_for
from werkzeug.wrappers import Response as BaseResponse

from app.core.errors import Conflict, NotFound
from app.core.i18n import _
from app.core.limits import Limit
from app.formbuilder import entries
from app.formbuilder.definition import readings
from app.formbuilder.models import Definition, Entry, Form
from app.formbuilder.queries import forms as queries
from app.formbuilder.routes import routes, visits
from app.formbuilder.routes.sending import thanks_url
from app.web.guards import public
from app.web.render import page


@routes.get("/forms/<slug>/confirmations/<token>")
@public()
async def show_confirmation(slug: str, token: str) -> Response:
    """What a mailed link leads to: a button. Opening it confirms nothing, since mail scanners open links too."""
    _form, entry, definition, is_good = await _linked(slug, token)
    return await page(
        "formbuilder/confirmation.html", definition=definition, state=entry.state, is_good=is_good,
        base=f"/forms/{slug}/confirmations/{token}", headers={"Cache-Control": "no-store"},
    )  # fmt: skip


@routes.post("/forms/<slug>/confirmations/<token>")
@public(limit=Limit(30, 60))
async def create_confirmation(slug: str, token: str) -> BaseResponse:
    """Whoever sent the form says that it was they: now they read what the form says after sending."""
    form, entry, definition, _is_good = await _linked(slug, token)
    state = await entries.confirm(token, definition)
    if state not in ("received", "waiting"):
        return redirect(url_for(".show_confirmation", slug=slug, token=token), 303)
    return redirect(thanks_url(form, entry.public_id, state), 303)


@routes.post("/forms/<slug>/confirmations/<token>/links")
@public(limit=Limit(3, 3600), once=True)
async def create_confirmation_link(slug: str, token: str) -> Response:
    """Mail another link to the address that was given, when the one that was mailed is too old."""
    form, entry, definition, is_good = await _linked(slug, token)
    if is_good:
        raise Conflict(_("This link still works."))
    await entries.send_link_again(entry, definition)
    return await visits.closed_page(visits.Visit(form, definition), _("A new link is on its way. Look into your mail."))


async def _linked(slug: str, token: str) -> tuple[Form, Entry, Definition, bool]:
    found = await entries.of_link(token)
    form = await queries.version_by_id(found[0].version_id) if found is not None else None
    # The form may have moved since the link was mailed.
    if found is None or form is None or not await queries.was_at(form.id, slug):
        raise NotFound
    return form, found[0], readings.of(form), found[1]
