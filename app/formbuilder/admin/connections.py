"""Accounts of outside services: the list, a new one, its credentials, its checks, its removal. Secrets are shown once."""

from collections.abc import Mapping
from typing import Any

from quart import Response, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from app.core import clock
from app.core.errors import Invalid, NotFound
from app.core.i18n import _, lazy, ngettext
from app.formbuilder import integrations
from app.formbuilder.admin import connected, together
from app.formbuilder.delivery import connections, deliveries
from app.formbuilder.delivery.delivery_lists import CONNECTIONS, DELIVERY_STATES, OF_CONNECTION, OUTCOMES
from app.formbuilder.integrations import IntegrationError
from app.formbuilder.models import Connection
from app.formbuilder.queries import connections as queries
from app.web import tables
from app.web.flash import flash
from app.web.guards import requires
from app.web.render import page
from app.web.request import signed_in_user
from app.web.tables import Choice

NOT_KEPT = {"Cache-Control": "no-store"}
# Where each service stands; what no group names is a newsletter.
GROUPS = (
    ("news", lazy("Newsletters and audiences")),
    ("sales", lazy("Customers and sales")),
    ("channel", lazy("Messages to the team")),
    ("table", lazy("Tables and notes")),
    ("own", lazy("Your own software")),
)
_GROUP_OF = {
    **dict.fromkeys(("hubspot", "pipedrive", "zoho", "salesforce", "keap", "ontraport"), "sales"),
    **dict.fromkeys(("slack", "discord", "telegram"), "channel"),
    **dict.fromkeys(("google_sheets", "notion", "airtable"), "table"),
    "webhook": "own",
}


def labels() -> dict[str, str]:
    """How each service is called."""
    return {name: kind.label for name, kind in integrations.providers().items()}


@connected.get("")
@requires("connections.edit")
async def list_connections() -> Response:
    """Every account, whether it works, and what is held at it."""
    choices = {"provider": [Choice(name, label, indexed=False) for name, label in labels().items()]}
    return await tables.show(
        CONNECTIONS, "formbuilder/admin/connections.html", choices=choices, labels=labels(), now=clock.now()
    )


@connected.get("/new")
@requires("connections.edit")
async def show_new_connection() -> Response:
    """The services to choose from, or with `?provider=` what one asks for."""
    name = request.args.get("provider", "")
    if name in integrations.providers():
        first = {"secret": connections.new_secret()} if name == "webhook" else {}
        return await _new_page(name, first)
    asked = " ".join(request.args.get("q", "").lower().split())[:60]
    fitting = {each: label for each, label in labels().items() if asked in label.lower()}
    groups = [
        (str(label), [(each, said) for each, said in fitting.items() if _GROUP_OF.get(each, "news") == group])
        for group, label in GROUPS
    ]
    return await page("formbuilder/admin/connection_kinds.html", groups=groups, asked=asked, any=bool(fitting))


@connected.post("")
@requires("connections.edit", once=True)
async def create_connection() -> Response | BaseResponse:
    """Ask the service whether the credentials are good, then keep them."""
    sent = await _sent()
    provider = sent.get("provider", "")
    if provider not in integrations.providers():
        raise Invalid(_("There is no such service."))
    try:
        made = await connections.create(provider, sent.get("name", ""), _settings(sent), by=signed_in_user().id)
    except Invalid as error:
        return await _new_page(provider, _settings(sent), name=sent.get("name", ""), error=error, status=422)
    flash(_("Connected. Forms can hand their entries to it now."))
    return _to(made)


@connected.get("/<public_id>")
@requires("connections.edit")
async def show_connection(public_id: str) -> Response:
    """One account: how it does, who uses it, its settings without secrets."""
    return await _page(await connections.find(public_id))


@connected.post("/<public_id>/credentials")
@requires("connections.edit")
async def update_credentials(public_id: str) -> Response | BaseResponse:
    """Take new credentials once they are found good; what is left empty and secret stays. A page that is older than what is
    kept does not put that back: 409."""
    found, posted = await connections.find(public_id), await _sent()
    sent, shown = _settings(posted), _shown(found)[0]
    # Sent twice, they are what is kept.
    is_other = any(sent.get(name, "").strip() != shown[name] for name in shown.keys() - _secret(found))
    if is_other and posted.get("seen", "") not in ("", together.mark(shown)):
        refused = _("These settings were changed since you opened this page. They stand here as they are now.")
        return await _page(found, refused=refused, status=409)
    try:
        await connections.change(found, sent)
    except (Invalid, IntegrationError) as error:
        return await _page(found, settings=sent, refused=_words(error), status=422)
    flash(_("The credentials work, and are kept. What is held can be sent again."))
    return _to(found)


@connected.post("/<public_id>/name")
@requires("connections.edit")
async def update_name(public_id: str) -> Response | BaseResponse:
    """Call it something else."""
    found, name = await connections.find(public_id), (await _sent()).get("name", "")
    try:
        await connections.rename(found, name)
    except Invalid as error:
        return await _page(found, name=name, name_error=error.message, status=422)
    flash(_("Renamed."))
    return _to(found)


@connected.post("/<public_id>/checks")
@requires("connections.edit")
async def create_check(public_id: str) -> BaseResponse:
    """Ask the service now; a webhook is sent a test."""
    found = await connections.find(public_id)
    try:
        account = await connections.verify(found)
    except (Invalid, IntegrationError) as error:
        flash(_words(error), "bad")
    else:
        if found.provider == "webhook":
            flash(_("The test arrived, and was accepted."))
        else:
            flash(_("It works: %(account)s.", account=account))
    return _to(found)


@connected.post("/<public_id>/secrets")
@requires("connections.edit")
async def create_secret(public_id: str) -> Response:
    """A new signing secret, shown this once; the old one goes on for a day beside it."""
    found = await connections.find(public_id)
    secret = await connections.renew_secret(found)
    return await page(
        "formbuilder/admin/connection_secret.html", headers=NOT_KEPT, connection=found, secret=secret,
        until=clock.now() + connections.OVERLAP,
    )  # fmt: skip


@connected.post("/<public_id>/replays")
@requires("connections.edit", once=True)
async def create_replays(public_id: str) -> BaseResponse:
    """Send everything again that is held here."""
    found = await connections.find(public_id)
    done = await deliveries.replay_held(found)
    flash(ngettext("%(num)s entry is sent again.", "%(num)s entries are sent again.", done))
    return _to(found)


@connected.post("/<public_id>/removal")
@requires("connections.edit", once=True)
async def delete_connection(public_id: str) -> Response | BaseResponse:
    """Forget the account, once its name was typed."""
    found = await connections.find(public_id)
    if (await _sent()).get("confirmation", "").strip() != found.name:
        return await _page(found, removal_error=_("This is not its name."), status=422)
    await connections.remove(found)
    flash(_("Removed. Its credentials are forgotten."))
    return redirect(url_for(".list_connections"), 303)


@connected.get("/<public_id>/deliveries")
@requires("entries.view")
async def list_deliveries(public_id: str) -> Response:
    """What was handed to this account, or waits."""
    found = await queries.with_uses(public_id)
    if found is None:
        raise NotFound
    return await tables.show(
        OF_CONNECTION,
        "formbuilder/admin/deliveries.html",
        binds={"connection_id": found.id},
        choices={"form": [Choice(form["public_id"], form["title"], indexed=False) for form in found.uses]},
        form=None,
        connection=found,
        states=DELIVERY_STATES,
        outcomes=OUTCOMES,
        now=clock.now(),
    )


async def _sent() -> dict[str, str]:
    return {name: value for name, value in (await request.form).items() if isinstance(name, str)}


def _settings(sent: Mapping[str, str]) -> dict[str, str]:
    """What was typed for the settings of a service."""
    return {name[2:]: value.replace("\x00", "") for name, value in sent.items() if name.startswith("s.")}


def _to(found: Connection) -> BaseResponse:
    return redirect(url_for("connections_admin.show_connection", public_id=found.public_id), 303)


def _words(error: Exception) -> str:
    return error.message if isinstance(error, Invalid) else str(getattr(error, "reason", error))


async def _new_page(
    provider: str, given: Mapping[str, str], *, name: str = "", error: Invalid | None = None, status: int = 200
) -> Response:
    kind = integrations.providers()[provider]
    shown = {
        each.name: given.get(each.name, "") if not each.is_secret or provider == "webhook" else ""
        for each in kind.settings
    }
    return await page(
        "formbuilder/admin/connection_new.html", headers=NOT_KEPT, status=status, kind=kind,
        shown={each.name: shown[each.name] or each.default for each in kind.settings}, name=name or kind.label,
        error=error,
    )  # fmt: skip


def _shown(found: Connection) -> tuple[Mapping[str, str], str]:
    """Its settings without secrets, and why they cannot be read."""
    if found.provider not in integrations.providers():
        return {}, ""
    try:
        return connections.shown(found), ""
    except IntegrationError as error:
        return {}, error.reason


def _secret(found: Connection) -> set[str]:
    """The settings that are not shown."""
    kind = integrations.providers().get(found.provider)
    return {each.name for each in kind.settings if each.is_secret} if kind is not None else set()


async def _page(
    found: Connection, *, settings: Mapping[str, str] | None = None, status: int = 200, **said: Any
) -> Response:
    kind = integrations.providers().get(found.provider)
    shown, unreadable = _shown(found)
    seen = together.mark(shown)
    if unreadable:
        said = {"refused": unreadable, **said}
    if kind is not None and settings is not None:
        shown = {**shown, **{name: value for name, value in settings.items() if name not in _secret(found)}}
    return await page(
        "formbuilder/admin/connection.html",
        status=status,
        connection=found,
        kind=kind,
        shown=shown,
        seen=seen,
        counts=await queries.held(found.id),
        uses=await queries.uses(found.public_id),
        now=clock.now(),
        **said,
    )
