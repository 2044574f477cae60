"""The form as a whole: its settings, and its address."""

import json
from collections.abc import Mapping
from typing import Any

from quart import Response, redirect, request, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response as BaseResponse

from app.core.errors import Invalid
from app.core.i18n import _, lazy
from app.courses import courses
from app.formbuilder.admin import admin, canvas, together
from app.formbuilder.admin.frame import framed
from app.formbuilder.definition import definitions, editing, readings, versions
from app.formbuilder.models import Definition, Form, Posted
from app.formbuilder.queries import history
from app.formbuilder.settings import Options, Setting, Several, Unfit, write
from app.web.flash import flash
from app.web.guards import requires
from app.web.render import page
from app.web.request import signed_in_user

# What stands together; what no group names is drawn with the last one.
GROUPS = (
    ("shown", lazy("How it is shown"), ("presentation", "numbers", "resume", "prefill", "sites")),
    ("after", lazy("After sending"), ("thanks",)),
    ("quiz", lazy("Quiz"), ("scoring", "pass_mark", "grades", "right_answers", "outcomes", "answer_key")),
    ("limits", lazy("Who may answer, and how often"), (
        "most_", "period", "opens_", "closes_", "weekdays", "closed_words", "sign_in", "course", "pin", "by_link",
    )),
    ("spam", lazy("Spam"), ("captcha", "spam_")),
    ("checks", lazy("Before an entry counts"), ("opt_in", "approval", "refusal", "statuses")),
    ("privacy", lazy("Privacy"), ("no_", "keep_")),
    ("more", lazy("More"), ()),
)  # fmt: skip


@admin.get("/<public_id>/settings")
@requires("forms.view")
async def show_settings(public_id: str) -> Response:
    """What can be set of the form as a whole."""
    return await _page(await versions.find(public_id))


@admin.post("/<public_id>/settings")
@requires("forms.edit")
async def update_settings(public_id: str) -> Response | BaseResponse:
    """Keep what was set; what does not fit is told beside it."""
    sent = await request.form
    return await together.again(lambda: _update_settings(public_id, sent))


async def _update_settings(public_id: str, sent: MultiDict[str, str]) -> Response | BaseResponse:
    form = await versions.find(public_id)
    posted = Posted({name: values for name, values in sent.lists() if isinstance(name, str)})
    told = {each.name: _told(each, posted) for each in definitions.SETTINGS}
    was = _was(sent.get("was", ""))
    last, person = await history.last_change(form.id, "settings"), signed_in_user()
    theirs = last.name or "…" if last is not None and last.user_id != person.id else ""
    looked_at = readings.of(form).settings
    refused: dict[str, str] = {}
    clashes: list[str] = []

    def change(now: Definition) -> Definition:
        if now.settings != looked_at:
            raise together.Meanwhile
        merged, both = _merged(now, told, was)
        if theirs:
            clashes.extend(both)
            merged |= {name: now.settings[name] for name in both}
            words = _(
                "%(name)s changed this since you opened it; yours is not kept. Send it again to keep yours.",
                name=theirs,
            )
            refused.update(dict.fromkeys(both, words))
        after, wrong = editing.with_settings(now, merged)
        refused.update(wrong)
        return after

    form = await versions.edit(form.id, change, words=_("Changed the settings"), subject="settings", by=person)
    if refused:
        return await _page(form, refused=refused, sent=told, status=409 if clashes else 422)
    return redirect(url_for(".show_settings", public_id=public_id), 303)


def _was(text: str) -> Mapping[str, Any]:
    """What the page showed of each setting, as it was written into it."""
    try:
        found = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        found = {}
    return found if isinstance(found, dict) else {}


def _merged(now: Definition, told: Mapping[str, Any], was: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """What was sent, where it was touched, else what is there now; and the settings that both have changed."""
    merged, both = dict(told), []
    for setting in definitions.SETTINGS:
        there = write(now.settings[setting.name])
        if setting.name not in was or there == was[setting.name]:
            continue
        try:
            sent = write(setting.read(told[setting.name]))
        except Unfit:
            continue
        if sent == was[setting.name]:
            merged[setting.name] = now.settings[setting.name]
        elif sent != there:
            both.append(setting.name)
    return merged, both


@admin.post("/<public_id>/address")
@requires("forms.edit")
async def update_address(public_id: str) -> Response | BaseResponse:
    """Give the form another address."""
    form, slug = await versions.find(public_id), (await request.form).get("slug", "").strip()
    try:
        await versions.move_to(form.id, slug)
    except Invalid as error:
        return await _page(form, refused={"slug": error.message}, slug=slug, status=422)
    flash(_("The form is at its new address. The old one leads there until another form takes it."))
    return redirect(url_for(".show_settings", public_id=public_id), 303)


def _told(setting: Setting, posted: Posted) -> Any:
    name = f"s.{setting.name}"
    return posted.all(name) if isinstance(setting, Several) else posted.one(name)


async def _page(
    form: Form, *, refused: Mapping[str, str] | None = None, sent: Mapping[str, Any] | None = None, slug: str = "",
    status: int = 200,
) -> Response:  # fmt: skip
    frame = await framed(form, "settings")
    values = {**frame["definition"].settings, **(sent or {})}
    groups: dict[str, list[tuple[Setting, Any]]] = {name: [] for name, _label, _words in GROUPS}
    for setting in definitions.SETTINGS:
        value = values[setting.name]
        shown = canvas.as_text(setting, value) if isinstance(setting, Options) else canvas.shown(setting, value)
        groups[_group(setting.name)].append((setting, shown))
    return await page(
        "formbuilder/admin/whole.html",
        status=status,
        **frame,
        groups=[(name, label, groups[name]) for name, label, _words in GROUPS if groups[name]],
        refused=refused or {},
        was=json.dumps({name: write(value) for name, value in frame["definition"].settings.items()}),
        slug=slug or form.slug,
        courses=await courses.titles(),
    )


def _group(name: str) -> str:
    return next((group for group, _label, words in GROUPS if name.startswith(words)), GROUPS[-1][0])
