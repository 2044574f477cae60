"""The builder: palette, canvas and properties. Every act is a version, and can be undone."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from quart import Response, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from app.core.errors import Invalid, NotFound
from app.core.i18n import _
from app.formbuilder import definitions, editing, pages, versions
from app.formbuilder.admin import admin
from app.formbuilder.fields.kinds import GROUPS, all_kinds
from app.formbuilder.models import Definition, Form, Posted
from app.formbuilder.queries import forms as queries
from app.formbuilder.settings import Lines, Options, Setting, Several
from app.web.guards import requires
from app.web.render import page
from app.web.request import signed_in_user


@admin.get("/<public_id>")
@requires("forms.view")
async def show_builder(public_id: str) -> Response:
    """The form as it is being built; `?field=` is the one whose properties are shown."""
    return await _builder_page(await versions.find(public_id), request.args.get("field", ""))


@admin.post("/<public_id>/fields")
@requires("forms.edit", once=True)
async def create_field(public_id: str) -> Response | BaseResponse:
    """Put a new field behind another, or at the end."""
    sent = await request.form
    form = await _edit(
        public_id, partial(editing.added, kind=sent.get("kind", ""), after=sent.get("after", "")), _("Added a field")
    )
    definition = definitions.read(form.definition)
    return _to(public_id, f"q{definition.last}")


@admin.post("/<public_id>/fields/<field_id>")
@requires("forms.edit")
async def update_field(public_id: str, field_id: str) -> Response | BaseResponse:
    """Keep what was typed into a field's properties; what does not fit is told beside it."""
    form = await versions.find(public_id)
    field = editing.found(definitions.read(form.definition), field_id)
    sent = _sent(await _posted(), all_kinds()[field.kind].settings)
    refused: dict[str, str] = {}

    def change(now: Definition) -> Definition:
        after, wrong = editing.changed(now, field_id, sent)
        refused.update(wrong)
        return after

    form = await versions.edit(
        form.id, change, words=_("Changed “%(label)s”", label=field.label or field_id), subject=field_id,
        by=signed_in_user(),
    )  # fmt: skip
    if refused:
        return await _builder_page(form, field_id, refused=refused, sent=sent, status=422)
    return _to(public_id, field_id)


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
    return _to(public_id, f"q{definitions.read(form.definition).last}")


@admin.post("/<public_id>/fields/<field_id>/removal")
@requires("forms.edit", once=True)
async def delete_field(public_id: str, field_id: str) -> BaseResponse:
    """Take the field out; undo brings it back."""
    await _edit(public_id, partial(editing.removed, field_id=field_id), _("Removed a field"))
    return _to(public_id)


@admin.post("/<public_id>/undoing")
@requires("forms.edit", once=True)
async def create_undoing(public_id: str) -> BaseResponse:
    """Back to what was there before the last edit."""
    await versions.undo((await versions.find(public_id)).id)
    return _to(public_id)


@admin.post("/<public_id>/redoing")
@requires("forms.edit")
async def create_redoing(public_id: str) -> BaseResponse:
    """What was undone, again."""
    await versions.redo((await versions.find(public_id)).id)
    return _to(public_id)


async def _edit(public_id: str, change: Callable[[Definition], Definition], words: str) -> Form:
    form = await versions.find(public_id)
    return await versions.edit(form.id, change, words=words, by=signed_in_user())


async def _posted() -> Posted:
    return Posted({name: values for name, values in (await request.form).lists() if isinstance(name, str)})


def _sent(posted: Posted, settings: tuple[Setting, ...] | Any) -> dict[str, Any]:
    """What the properties panel posted, as the settings read it."""
    found: dict[str, Any] = {name: posted.one(name) for name in ("label", "help", "required", "width")}
    for setting in settings:
        name = f"s.{setting.name}"
        found[setting.name] = posted.all(name) if isinstance(setting, Several) else posted.one(name)
    return found


def _to(public_id: str, field: str = "") -> BaseResponse:
    return redirect(url_for(".show_builder", public_id=public_id, field=field or None), 303)


async def _builder_page(
    form: Form, field_id: str = "", *, refused: Mapping[str, str] | None = None, sent: Mapping[str, Any] | None = None,
    status: int = 200,
) -> Response:  # fmt: skip
    definition = definitions.read(form.definition)
    around = await queries.around(form.head_id)
    if around is None:
        raise NotFound
    kinds = all_kinds().values()
    chosen = definition.find(field_id)
    return await page(
        "formbuilder/admin/builder.html",
        status=status,
        form=form,
        definition=definition,
        around=around,
        steps=pages.steps_of(definition, Posted({})),
        palette=[(str(label), [kind for kind in kinds if kind.group == group]) for group, label in GROUPS],
        chosen=chosen,
        controls=_controls(chosen.kind, {**chosen.settings, **(sent or {})}) if chosen else [],
        refused=refused or {},
        problems=definitions.problems(definition),
    )


def _controls(kind: str, values: Mapping[str, Any]) -> list[tuple[Setting, Any]]:
    """Each setting of a kind with its value as its control shows it."""
    return [(setting, _shown(setting, values[setting.name])) for setting in all_kinds()[kind].settings]


def _shown(setting: Setting, value: Any) -> Any:
    if isinstance(setting, Several):
        return value or []
    if isinstance(value, str) or value is None:
        return value or ""
    if isinstance(setting, Options):
        return "\n".join(
            " | ".join([option.value, option.label, *[str(getattr(option, name)) for name in setting.extras]])
            for option in value
        )
    return "\n".join(value) if isinstance(setting, Lines) else value
