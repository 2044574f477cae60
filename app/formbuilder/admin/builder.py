"""The acts of the builder. Every one is a version, and can be undone."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import partial
from typing import Any

from quart import Response, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from app.core.errors import Invalid
from app.core.i18n import _
from app.core.money import parse_money
from app.core.numbers import whole_number
from app.core.settings import school
from app.formbuilder.admin import admin, canvas, together
from app.formbuilder.definition import differences, editing, editors, readings, versions
from app.formbuilder.fields.kinds import kind_of
from app.formbuilder.logic import trials
from app.formbuilder.models import Definition, Field, Form, Posted
from app.formbuilder.queries import history as queries
from app.formbuilder.settings import Option, Options, Several, SomeFields
from app.web import acting
from app.web.flash import flash
from app.web.guards import requires
from app.web.render import page
from app.web.request import signed_in_user

_OPTION = tuple(each.name for each in fields(Option))
_TABS = {
    "logic": ".show_logic",
    "settings": ".show_settings",
    "versions": ".show_versions",
    "integrations": ".show_integrations",
    "after": ".show_after",
}


class _NoAmount(str):
    """What was typed as a price and is none: shown as it is, and never read as a number of minor units."""

    def __float__(self) -> float:
        raise ValueError(self)


@admin.get("/<public_id>")
@requires("forms.view")
async def show_builder(public_id: str) -> Response:
    """The form as it is being built; `?field=` is the one whose properties are shown."""
    return await canvas.show(await versions.find(public_id), request.args.get("field", ""))


@admin.get("/<public_id>/editors")
@requires("forms.edit")
async def show_editors(public_id: str) -> Response:
    """Who else has this form open, and whether it was changed since the page was drawn; asked for by a page that is open."""
    form, person = await versions.find(public_id), signed_in_user()
    seen, now, looks = request.args.get("seen", ""), versions.state_of(form), acting.current()
    if looks is not None:  # who looks as another person is here themselves
        person = looks.real
    return await page(
        "formbuilder/admin/editors.html",
        headers={"Cache-Control": "no-store"},
        form=form,
        names=await editors.seen(form.id, person.id, person.name or person.email),
        is_old=bool(seen) and seen != now,
    )


@admin.post("/<public_id>/fields")
@requires("forms.edit", once=True)
async def create_field(public_id: str) -> Response | BaseResponse:
    """Put a new field behind another, at the beginning (`-`) or at the end."""
    sent, here = await request.form, await school()
    add = partial(editing.added, kind=sent.get("kind", ""), after=sent.get("after", ""), currency=here.currency)
    form = await _edit(public_id, add, _("Added a field"))
    return _to(public_id, f"q{readings.of(form).last}")


@admin.post("/<public_id>/head")
@requires("forms.edit")
async def update_head(public_id: str) -> Response | BaseResponse:
    """Another name, introduction or word on the button."""
    form, sent = await versions.find(public_id), await request.form
    told = {name: sent.get(name, "") for name in ("title", "intro", "button")}
    try:
        theirs = await together.keep(
            form, canvas.HEAD, canvas.head_of, lambda now: editing.with_head(now, **told), shown=sent.get("shown", ""),
            words=_("Changed name or introduction"), by=signed_in_user(),
        )  # fmt: skip
    except Invalid as error:
        return await canvas.show(form, canvas.HEAD, refused={"title": error.message}, sent=told, status=422)
    if theirs:
        form = await versions.find(public_id)
        now = readings.of(form)
        changes = [each for part in differences.between(now, editing.with_head(now, **told)) for each in part.changes]
        return await canvas.show(form, canvas.HEAD, sent=told, clash=canvas.Clash(theirs, changes), status=409)
    return _to(public_id, canvas.HEAD)


@admin.post("/<public_id>/fields/<field_id>")
@requires("forms.edit")
async def update_field(public_id: str, field_id: str) -> Response | BaseResponse:
    """Keep what was typed into a field's properties; what does not fit is told beside it.

    The panel says which state of the field it showed. Where somebody else changed it since, nothing is kept: 409 with
    both texts.
    """
    posted = await _posted()
    return await together.again(lambda: _update_field(public_id, field_id, posted))


async def _update_field(public_id: str, field_id: str, posted: Posted) -> Response | BaseResponse:
    form, person = await versions.find(public_id), signed_in_user()
    field = editing.found(readings.of(form), field_id)
    looked_at = editing.fingerprint(field)
    sent = _sent(posted, field, (await school()).currency)
    last = await queries.last_change(form.id, field_id)
    is_theirs = last is not None and last.user_id != person.id
    refused: dict[str, str] = {}
    stale: list[Field] = []

    def change(now: Definition) -> Definition:
        there = editing.found(now, field_id)
        if editing.fingerprint(there) != looked_at:
            raise together.Meanwhile
        after, wrong = editing.changed(now, field_id, sent)
        if is_theirs and posted.one("shown") not in ("", looked_at) and after != now:
            stale.append(there)
            return now
        refused.update(wrong)
        return after

    form = await versions.edit(
        form.id, change, words=_("Changed “%(label)s”", label=sent["label"] or field_id), subject=field_id, by=person,
    )  # fmt: skip
    if stale:
        mine = editing.found(editing.changed(readings.of(form), field_id, sent)[0], field_id)
        clash = canvas.Clash(last.name if last else "", differences.of_fields(stale[0], mine).changes)
        return await canvas.show(form, field_id, sent=sent, clash=clash, status=409)
    if refused:
        return await canvas.show(form, field_id, refused=refused, sent=sent, status=422)
    samples = {name: sent_text[0][:200] for name, sent_text in posted.texts.items() if name.startswith("t.")}
    return _to(public_id, field_id, dict(list(samples.items())[: trials.MOST_SAMPLES]))


@admin.post("/<public_id>/fields/<field_id>/place")
@requires("forms.edit")
async def update_place(public_id: str, field_id: str) -> BaseResponse:
    """One place up or down."""
    by = {"up": -1, "down": 1}.get((await request.form).get("direction", ""))
    if by is None:
        raise Invalid(_("Say up or down."))
    await _edit(public_id, partial(editing.moved, field_id=field_id, by=by), _("Moved a field"))
    return _to(public_id, field_id)


@admin.post("/<public_id>/field-order")
@requires("forms.edit")
async def update_field_order(public_id: str) -> BaseResponse:
    """Put the fields into the order that was dragged."""
    ids = (await request.form).getlist("row")
    await _edit(public_id, partial(editing.ordered, ids=ids), _("Moved a field"))
    return _to(public_id)


@admin.post("/<public_id>/fields/<field_id>/copies")
@requires("forms.edit", once=True)
async def create_copy(public_id: str, field_id: str) -> BaseResponse:
    """The same field once more, behind it."""
    form = await _edit(public_id, partial(editing.duplicated, field_id=field_id), _("Duplicated a field"))
    return _to(public_id, f"q{readings.of(form).last}")


@admin.post("/<public_id>/fields/<field_id>/removal")
@requires("forms.edit", once=True)
async def delete_field(public_id: str, field_id: str) -> BaseResponse:
    """Take the field out; undo brings it back."""
    form = await versions.find(public_id)
    field = readings.of(form).find(field_id)
    form = await _edit(public_id, partial(editing.removed, field_id=field_id), _("Removed a field"))
    name = field.label if field is not None else field_id
    undo_url = url_for(".create_undoing", public_id=public_id, of=form.number)
    flash(_("“%(label)s” is removed.", label=name), undo_url=undo_url)
    return _to(public_id)


@admin.post("/<public_id>/undoing")
@requires("forms.edit")
async def create_undoing(public_id: str) -> BaseResponse:
    """Back to what was there before the last edit; `at` is the version that the page showed, so that a double click
    goes back once, and `?of=` the only one that a message is about."""
    form, sent = await versions.find(public_id), await request.form
    await versions.undo(form.id, at=_at(sent), of=whole_number(request.args.get("of")))
    return _back_to(public_id, sent.get("tab") or request.args.get("tab", ""), sent.get("field", ""))


@admin.post("/<public_id>/redoing")
@requires("forms.edit")
async def create_redoing(public_id: str) -> BaseResponse:
    """What was undone, again."""
    form, sent = await versions.find(public_id), await request.form
    await versions.redo(form.id, at=_at(sent))
    return _back_to(public_id, sent.get("tab", ""), sent.get("field", ""))


def _at(sent: Mapping[str, str]) -> int | None:
    """The version that the page showed, if it says so."""
    return whole_number(sent["at"]) or 0 if "at" in sent else None


async def _edit(public_id: str, change: Callable[[Definition], Definition], words: str) -> Form:
    form = await versions.find(public_id)
    return await versions.edit(form.id, change, words=words, by=signed_in_user())


async def _posted() -> Posted:
    return Posted({name: values for name, values in (await request.form).lists() if isinstance(name, str)})


def _sent(posted: Posted, field: Field, currency: str) -> dict[str, Any]:
    """What the properties panel posted, as the settings read it. With `only` it is one setting, the others stay."""
    names = ("label", "help", "required", "width")
    only = posted.one("only")
    if only:
        found = {**{name: getattr(field, name) for name in names}, **field.settings}
        return {**found, only: posted.one(f"s.{only}")} if only in field.settings else found
    found = {name: posted.one(name) for name in names}
    currency = posted.one("s.currency") if "currency" in field.settings else currency
    for setting in kind_of(field).settings:
        name = f"s.{setting.name}"
        if isinstance(setting, Options):
            rows = f"{name}.label" in posted.texts
            found[setting.name] = _option_rows(posted, name, currency) if rows else field.settings[setting.name]
        else:
            found[setting.name] = posted.all(name) if isinstance(setting, Several | SomeFields) else posted.one(name)
    return found


def _option_rows(posted: Posted, name: str, currency: str) -> list[dict[str, Any]]:
    """The rows of the options editor; one without a label is gone."""
    columns = {each: posted.texts.get(f"{name}.{each}", ()) for each in _OPTION}
    rows: list[dict[str, Any]] = []
    for number, label in enumerate(columns["label"]):
        row: dict[str, Any] = {each: sent[number] if number < len(sent) else "" for each, sent in columns.items()}
        if not label.strip():
            continue
        if row["price"].strip():
            row["price"] = _minor(row["price"], currency)
        rows.append(row)
    return rows


def _minor(text: str, currency: str) -> str | int:
    try:
        return parse_money(text, currency)
    except ValueError:
        return _NoAmount(text)


def _to(public_id: str, field: str = "", more: Mapping[str, Any] | None = None) -> BaseResponse:
    return redirect(url_for(".show_builder", public_id=public_id, field=field or None, **(more or {})), 303)


def _back_to(public_id: str, tab: str, field: str) -> BaseResponse:
    """The tab on which something was undone; in the builder the same field stays chosen."""
    if tab not in _TABS:
        return _to(public_id, field)
    return redirect(url_for(_TABS[tab], public_id=public_id), 303)
