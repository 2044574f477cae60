"""Changing what somebody answered: the form as they saw it, checked as theirs was."""

from collections.abc import Sequence

from quart import Response, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from app.core.errors import Conflict
from app.core.i18n import _
from app.formbuilder import entries
from app.formbuilder.admin import admin
from app.formbuilder.admin.entries import found
from app.formbuilder.answering import pages, submissions
from app.formbuilder.answering.submissions import Mistake
from app.formbuilder.entries import Change, ChangedMeanwhile, Unkept
from app.formbuilder.fields.kinds import kind_of
from app.formbuilder.logic import days
from app.formbuilder.models import Definition, Entry, Form, Posted
from app.web.flash import flash
from app.web.guards import requires
from app.web.render import page
from app.web.request import signed_in_user


@admin.get("/<public_id>/entries/<entry_id>/answers")
@requires("entries.edit")
async def show_answers(public_id: str, entry_id: str) -> Response:
    """The form, filled in with what was answered."""
    form, definition, entry = await found(public_id, entry_id)
    texts: dict[str, list[str]] = {}
    for field in definition.fields:
        texts |= kind_of(field).posted(field, entry.answers.get(field.id))
    return await _answers_page(form, definition, entry, Posted(texts))


@admin.post("/<public_id>/entries/<entry_id>/answers")
@requires("entries.edit")
async def update_answers(public_id: str, entry_id: str) -> Response | BaseResponse:
    """Keep the changed answers, or show what is wrong beside them; where somebody else changed them, both texts."""
    form, definition, entry = await found(public_id, entry_id)
    sent = await request.form
    seen = sent.get(".seen", "")
    posted = Posted({name: values for name, values in sent.lists() if isinstance(name, str) and name != ".seen"})
    read = submissions.read_answers(definition, posted, await days.today())
    if read.mistakes:
        return await _answers_page(form, definition, entry, posted, read.mistakes, status=422, seen=seen)
    answers = entries.with_kept(definition, entry.answers, read.answers)
    said, email = submissions.said(definition, answers), submissions.email_of(definition, answers)
    try:
        changed = await entries.edit(entry, definition, answers, said, email, by=signed_in_user().id, seen=seen)
    except ChangedMeanwhile as error:
        _form, _definition, theirs = await found(public_id, entry_id)
        clash = entries.changes(definition, theirs.answers, answers)
        return await _answers_page(form, definition, theirs, posted, status=409, sentence=error.message, clash=clash)
    except Unkept as error:
        mistakes = {name: Mistake(sentence) for name, sentence in error.sentences.items()}
        return await _answers_page(form, definition, entry, posted, mistakes, status=422, seen=seen)
    except Conflict as error:
        flash(error.message, "bad")
    else:
        flash(_("The answers are changed.") if changed else _("Nothing was different."))
    return redirect(url_for(".show_entry", public_id=public_id, entry_id=entry_id), 303)


async def _answers_page(
    form: Form, definition: Definition, entry: Entry, posted: Posted, mistakes: dict[str, Mistake] | None = None,
    status: int = 200, seen: str = "", sentence: str = "", clash: Sequence[Change] = (),
) -> Response:  # fmt: skip
    return await page(
        "formbuilder/admin/answers.html",
        status=status,
        form=form,
        entry=entry,
        steps=pages.steps_of(definition, posted, mistakes),
        has_mistakes=bool(mistakes),
        sentence=sentence,
        clash=[change for change in clash if change.before != change.after],
        seen=seen or entries.mark_of(entry.answers),
    )
