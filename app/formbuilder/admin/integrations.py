"""The integrations of a form: where its entries go, what of them, when. Every edit is a version, and can be undone."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from quart import Response, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from app.core.i18n import _
from app.formbuilder import integrations
from app.formbuilder.admin import admin, canvas, together
from app.formbuilder.admin.frame import framed
from app.formbuilder.definition import differences, mapping, readings, rules, versions
from app.formbuilder.delivery import connections, deliveries, integrating, rehearsal
from app.formbuilder.delivery.delivery_lists import OUTCOMES
from app.formbuilder.integrations import IntegrationError
from app.formbuilder.logic.days import today
from app.formbuilder.models import Answer, Connection, Definition, Form, Posted
from app.formbuilder.queries import entries as entry_queries
from app.web.flash import flash
from app.web.guards import requires
from app.web.render import page
from app.web.request import signed_in_user


@admin.get("/<public_id>/integrations")
@requires("forms.view")
async def show_integrations(public_id: str) -> Response:
    """Every service that entries go to; `?integration=` is the one being edited, `?preview=` shows what it would get."""
    return await _page(await versions.find(public_id), request.args.get("integration", ""))


async def _page(form: Form, wanted: str, *, clash_with: str = "", posted: Posted | None = None) -> Response:
    """The page with this integration open. Where somebody else (`clash_with`) changed it since what was `posted` was shown,
    it is drawn as it was posted, beside both texts."""
    frame = await framed(form, "integrations")
    definition: Definition = frame["definition"]
    known = await connections.all_connections()
    accounts = {each.public_id: each for each in known}
    picked = next((each for each in definition.integrations if each.get("id") == wanted), None)
    context: dict[str, Any] = {}
    if picked is not None and signed_in_user().can("forms.edit"):
        context["shown"] = together.mark(picked)
        if posted is not None:
            theirs, picked = picked, integrating.read(definition, picked, posted)
            names = {each.public_id: each.name for each in known}
            both = (integrating.told(definition, each, names) for each in (theirs, picked))
            context["clash"] = canvas.Clash(clash_with, differences.of_words(*both))
        account = accounts.get(str(picked.get("connection") or ""))
        context |= await _editor(definition, picked, account)
        if account is not None and request.args.get("preview") in ("sample", "latest"):
            context |= await _preview(form, definition, picked, account, request.args["preview"])
    return await page(
        "formbuilder/admin/integrations.html",
        status=409 if clash_with else 200,
        **frame,
        accounts=accounts,
        account_options=[(each.public_id, each.name) for each in known],
        labels={name: kind.label for name, kind in integrations.providers().items()},
        told=[(each, accounts.get(str(each.get("connection") or ""))) for each in definition.integrations],
        picked=picked,
        **context,
    )


@admin.post("/<public_id>/integrations")
@requires("forms.edit", once=True)
async def create_integration(public_id: str) -> BaseResponse:
    """Hand entries to one more account."""
    form = await versions.find(public_id)
    account = await connections.find((await request.form).get("connection", ""))
    change = partial(integrating.added, connection=account.public_id)
    words = _("Added the integration “%(name)s”", name=account.name)
    form = await versions.edit(form.id, change, words=words, by=signed_in_user())
    return _to(public_id, str(readings.of(form).integrations[-1]["id"]))


@admin.post("/<public_id>/integrations/<integration_id>")
@requires("forms.edit")
async def update_integration(public_id: str, integration_id: str) -> Response | BaseResponse:
    """Keep what was picked, and what a button asked for: one more condition, one less. Where somebody else changed it since
    it was shown, nothing is kept: 409 with both texts."""
    form = await versions.find(public_id)
    posted = Posted({name: values for name, values in (await request.form).lists() if isinstance(name, str)})
    theirs = await together.keep(
        form, f"integration:{integration_id}", lambda now: integrating.found(now, integration_id),
        lambda now: integrating.changed(now, integration_id, posted),
        shown=posted.one("shown"), words=_("Changed an integration"), by=signed_in_user(),
    )  # fmt: skip
    if theirs:
        return await _page(await versions.find(public_id), integration_id, clash_with=theirs, posted=posted)
    return _to(public_id, integration_id)


@admin.post("/<public_id>/integrations/<integration_id>/removal")
@requires("forms.edit", once=True)
async def delete_integration(public_id: str, integration_id: str) -> BaseResponse:
    """Hand nothing on there any more; undo brings it back."""
    form = await versions.find(public_id)
    change = partial(integrating.removed, integration_id=integration_id)
    form = await versions.edit(form.id, change, words=_("Removed an integration"), by=signed_in_user())
    undo_url = url_for(".create_undoing", public_id=public_id, tab="integrations", of=form.number)
    flash(_("The integration is removed."), undo_url=undo_url)
    return _to(public_id)


@admin.post("/<public_id>/integrations/<integration_id>/tests")
@requires("connections.edit")
async def create_test(public_id: str, integration_id: str) -> BaseResponse:
    """Send an entry that nobody wrote, with one's own address, to the service really."""
    form = await versions.find(public_id)
    definition = readings.of(form)
    integration = integrating.found(definition, integration_id)
    account = await connections.find(str(integration.get("connection") or ""))
    email = signed_in_user().email
    contact = rehearsal.contact(definition, integration, rehearsal.sample(definition, email), email)
    try:
        sent = await rehearsal.test(account, integration, contact)
    except IntegrationError as error:
        flash(error.reason, "bad")
    else:
        flash(_("The test arrived: %(outcome)s.", outcome=OUTCOMES.get(sent.outcome, sent.outcome)))
    return _to(public_id, integration_id)


def _to(public_id: str, integration: str = "") -> BaseResponse:
    return redirect(url_for(".show_integrations", public_id=public_id, integration=integration or None), 303)


async def _editor(definition: Definition, picked: Mapping[str, Any], account: Connection | None) -> dict[str, Any]:
    """What the pickers of one integration need: lists and fields of the service, or why there are none."""
    place = str(picked.get("list") or "")
    places, fields, away = await connections.offered(account, place) if account is not None else ([], [], "")
    kind = integrations.providers().get(account.provider) if account is not None else None
    mapped = picked.get("map")
    mapped = mapped if isinstance(mapped, Mapping) else {}
    own = [
        ("email", _("Email address")),
        ("first_name", _("First name")),
        ("last_name", _("Last name")),
        ("phone", _("Telephone")),
    ]
    named = {name for name, _label in own} | {each.id for each in fields}
    targets = [*own, *((each.id, each.label) for each in fields)]
    targets += [(str(name), str(name)) for name in mapped if name not in named]
    return {
        "account": account,
        "kind": kind,
        "places": [(each.id, each.label) for each in places],
        "away": away,
        "targets": [(name, label, str(mapped.get(name) or "")) for name, label in targets],
        "sources": [*integrating.sources(definition), *integrating.known_of_entries()],
        "consents": integrating.consents(definition),
        "asks": integrating.guessed_consent(definition),
        "tag_fields": integrating.tag_fields(definition),
        "group": rules.drawn(definition, picked.get("when") or {"all": []}),
        "names": rules.names_of(definition),
    }


async def _preview(
    form: Form, definition: Definition, picked: Mapping[str, Any], account: Connection, which: str
) -> dict[str, Any]:
    """What the service would be sent, for the latest entry or for one that nobody wrote."""
    person = signed_in_user()
    answers: Mapping[str, Answer] = {}
    email, of_entry = person.email, None
    if which == "latest" and person.can("entries.view"):
        of_entry = await entry_queries.latest(form.id)
    if of_entry is not None:
        answers, email = of_entry.answers, of_entry.email
    else:
        answers = rehearsal.sample(definition, email)
    about = await deliveries.about_of(of_entry) if of_entry is not None else None
    contact = rehearsal.contact(definition, picked, answers, email, about)
    return {
        "preview": await rehearsal.preview(account, picked, contact),
        "of_entry": of_entry,
        "is_wanted": mapping.is_wanted(definition, picked, answers, await today()),
    }
