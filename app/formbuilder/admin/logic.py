"""Rules and calculations of a form: told as sentences, edited with pickers."""

from functools import partial

from quart import Response, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from app.core.errors import Invalid
from app.core.i18n import _
from app.formbuilder.admin import admin, canvas, together
from app.formbuilder.admin.frame import framed, labels_of
from app.formbuilder.definition import differences, readings, rules, versions
from app.formbuilder.logic import sentences
from app.formbuilder.logic.evaluation import targets
from app.formbuilder.models import Posted
from app.formbuilder.queries import history
from app.web.flash import flash
from app.web.guards import requires
from app.web.render import page
from app.web.request import signed_in_user


@admin.get("/<public_id>/logic")
@requires("forms.view")
async def show_logic(public_id: str) -> Response:
    """Every rule as a sentence; `?rule=` is the one being edited, `?about=` leaves those about one field."""
    form = await versions.find(public_id)
    frame = await framed(form, "logic")
    definition = frame["definition"]
    labels, options = labels_of(definition), canvas.options_of(definition)
    about = request.args.get("about", "")
    about = about if definition.find(about) is not None else ""
    told = [
        (rule, sentences.sentence(rule, labels, options))
        for rule in definition.rules
        if not about or about in targets(rule) or f'"{about}"' in str(rule.get("when")).replace("'", '"')
    ]
    picked = next((rule for rule in definition.rules if rule.get("id") == request.args.get("rule")), None)
    action = str(picked.get("do", "")) if picked is not None else ""
    return await page(
        "formbuilder/admin/logic.html",
        **frame,
        told=told,
        about=about,
        picked=picked,
        shown=together.mark(picked),
        group=rules.drawn(definition, picked.get("when")) if picked is not None else None,
        chosen_targets=targets(picked) if picked is not None else [],
        actions=list(rules.ACTIONS.items()),
        names=rules.names_of(definition),
        pages=rules.pages_of(definition),
        targets=rules.targets(definition, action),
        labels=labels,
        calculations=[
            (field, canvas.meaning(definition, field)) for field in definition.fields if "expression" in field.settings
        ],
    )


@admin.post("/<public_id>/rules")
@requires("forms.edit", once=True)
async def create_rule(public_id: str) -> BaseResponse:
    """One more rule, to be told what it does."""
    form, about = await versions.find(public_id), (await request.form).get("about", "")
    gone = [subject.removeprefix("rule:") for subject in await history.subjects(form.id, "rule:")]
    add = partial(rules.added, about=about, gone=gone)
    form = await versions.edit(form.id, add, words=_("Added a rule"), by=signed_in_user())
    return _to(public_id, str(readings.of(form).rules[-1]["id"]))


@admin.post("/<public_id>/rules/<rule_id>")
@requires("forms.edit")
async def update_rule(public_id: str, rule_id: str) -> BaseResponse:
    """Keep what was picked, and what a button asked for: one more condition, a group, one less."""
    form = await versions.find(public_id)
    posted = Posted({name: values for name, values in (await request.form).lists() if isinstance(name, str)})
    theirs = await together.keep(
        form, f"rule:{rule_id}", lambda now: rules.found(now, rule_id), lambda now: rules.changed(now, rule_id, posted),
        shown=posted.one("shown"), words=_("Changed a rule"), by=signed_in_user(),
    )  # fmt: skip
    if theirs:
        now = readings.of(await versions.find(public_id))
        changes = [
            each for part in differences.between(now, rules.changed(now, rule_id, posted)) for each in part.changes
        ]
        mine = changes[0].after if changes else ""
        flash(
            _("%(name)s changed this since you opened it. It is shown as it is now. Yours is not kept; it said: %(rule)s",
              name=theirs, rule=mine),
            "bad",
        )  # fmt: skip
    return _to(public_id, rule_id)


@admin.post("/<public_id>/rules/<rule_id>/place")
@requires("forms.edit")
async def update_rule_place(public_id: str, rule_id: str) -> BaseResponse:
    """One place up or down: of several that lead from a page, the first that holds counts."""
    form, by = await versions.find(public_id), {"up": -1, "down": 1}.get((await request.form).get("direction", ""))
    if by is None:
        raise Invalid(_("Say up or down."))
    change = partial(rules.moved, rule_id=rule_id, by=by)
    await versions.edit(form.id, change, words=_("Moved a rule"), by=signed_in_user())
    return _to(public_id)


@admin.post("/<public_id>/rules/<rule_id>/removal")
@requires("forms.edit", once=True)
async def delete_rule(public_id: str, rule_id: str) -> BaseResponse:
    """Take the rule out; undo brings it back."""
    form = await versions.find(public_id)
    change = partial(rules.removed, rule_id=rule_id)
    form = await versions.edit(form.id, change, words=_("Removed a rule"), by=signed_in_user())
    undo_url = url_for(".create_undoing", public_id=public_id, tab="logic", of=form.number)
    flash(_("The rule is removed."), undo_url=undo_url)
    return _to(public_id)


def _to(public_id: str, rule: str = "") -> BaseResponse:
    return redirect(url_for(".show_logic", public_id=public_id, rule=rule or None), 303)
