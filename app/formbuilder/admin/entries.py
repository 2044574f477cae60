"""The inbox of a form: the list with its columns, and one entry with what can be done about it."""

import asyncio
import importlib
from functools import partial

from quart import Response, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from app.commerce import orders
from app.core import clock, db
from app.core.errors import Invalid, NotFound
from app.core.i18n import _, format_moment
from app.core.numbers import whole_number
from app.core.settings import school
from app.formbuilder import entries
from app.formbuilder.admin import admin
from app.formbuilder.after_sending import resending
from app.formbuilder.answering import files, spam
from app.formbuilder.definition import readings, versions
from app.formbuilder.fields.kinds import kind_of
from app.formbuilder.inbox import table
from app.formbuilder.inbox.entries_in_bulk import ENTRIES_IN_BULK
from app.formbuilder.inbox.listing import ENTRY_STATES
from app.formbuilder.models import Definition, Entry, Form
from app.formbuilder.payment import releases
from app.formbuilder.queries import entries as entry_queries
from app.formbuilder.queries import inbox as queries
from app.web import tables
from app.web.flash import flash
from app.web.guards import requires
from app.web.render import page
from app.web.request import signed_in_user


@admin.get("/<public_id>/entries")
@requires("entries.view")
async def list_entries(public_id: str) -> Response:
    """What was answered, with the questions that this person chose as columns."""
    found = await table.asked(public_id, by=signed_in_user().id)
    chosen = found.form.columns or []
    listing, choices = table.listing_of(found, chosen, request.args)
    return await tables.show(
        listing,
        "formbuilder/admin/entries.html",
        choices=choices,
        bulk=ENTRIES_IN_BULK,
        form=found.form,
        questions=found.questions,
        chosen=chosen,
        cell=partial(table.cell, found),
        states=ENTRY_STATES,
    )


@admin.post("/<public_id>/entries/columns")
@requires("entries.view")
async def update_columns(public_id: str) -> BaseResponse:
    """Which questions are columns, for this person and this form."""
    try:
        await table.choose_columns(public_id, (await request.form).getlist("field"), by=signed_in_user().id)
    except Invalid as error:
        flash(error.message, "bad")
    return redirect(url_for(".list_entries", public_id=public_id), 303)


@admin.get("/<public_id>/entries/<entry_id>")
@requires("entries.view")
async def show_entry(public_id: str, entry_id: str) -> Response:
    """One entry, each answer beside its question. Seeing it is reading it."""
    form = await versions.of_entry(public_id, entry_id)
    sheet = await queries.sheet(form.id, entry_id, clock.now())
    if sheet is None:
        raise NotFound
    definition = readings.of(form)
    links = files.links(form.public_id, definition, sheet.answers, signed_in_user().id)
    answers = [
        (field.label or field.id, kind_of(field).text(field, sheet.answers.get(field.id)), links.get(field.id, ()))
        for field in definition.fields
        if kind_of(field).has_answer
    ]
    return await page(
        "formbuilder/admin/entry.html",
        form=form,
        entry=sheet,
        answers=answers,
        statuses=definition.settings["statuses"],
        acts=[(act, definition) for act in await queries.acts(sheet.id)],
        changes=entries.changes,
        moves=[(name, entries.MOVES[name]) for name in entries.BY_OFFICE if sheet.state in entries.MOVES[name].before],
        done=entries.MOVES,
        order=await orders.find(sheet.order_id) if sheet.order_id is not None else None,
        states=ENTRY_STATES,
        is_asked=sheet.state == "unpaid" and sheet.pay_until is not None,
        suspicion=spam.REASONS.get(sheet.spam_reason, "") if sheet.state == "spam" else "",
        ways=list(resending.WAYS.values()) if sheet.state == "received" and not sheet.emptied_at else [],
        seconds=round((sheet.created_at - sheet.began_at).total_seconds()) if sheet.began_at else None,
    )


@admin.get("/<public_id>/entries/<entry_id>/pdf")
@requires("entries.view")
async def show_entry_pdf(public_id: str, entry_id: str) -> Response:
    """The same as a file to print or to send on."""
    _form, definition, entry = await found(public_id, entry_id)
    pairs = [
        (field.label or field.id, kind_of(field).text(field, entry.answers.get(field.id)))
        for field in definition.fields
        if kind_of(field).has_answer
    ]
    about = f"{format_moment(entry.created_at.astimezone((await school()).zone))} · {ENTRY_STATES[entry.state]}"
    await db.release()
    # What draws PDFs takes a quarter of a second and 20 MB to load: the first who wants one waits, not every start.
    entry_pdf = await asyncio.to_thread(importlib.import_module, "app.formbuilder.inbox.entry_pdf")
    content = await entry_pdf.drawn(entry_pdf.Paper(definition.title, about, pairs, entry.created_at))
    response = Response(content, content_type="application/pdf")
    response.headers["Content-Disposition"] = f'attachment; filename="entry-{entry.public_id}.pdf"'
    response.headers["Cache-Control"] = "private, no-store"
    return response


@admin.post("/<public_id>/entries/<entry_id>/state")
@requires("entries.edit")
async def update_entry_state(public_id: str, entry_id: str) -> BaseResponse:
    """Approve, refuse, call it spam or not, throw it away, bring it back."""
    _form, definition, entry = await found(public_id, entry_id)
    act = (await request.form).get("act", "")
    if act not in entries.BY_OFFICE:
        raise Invalid(_("Choose what to do."))
    me = signed_in_user().id
    if act != "bin":
        state = await releases.act(entry, act, definition, by=me)
        flash(str(entries.MOVES["ask" if state == "unpaid" and act == "not_spam" else act].done))
        return _to(public_id, entry_id)
    number = await entries.throw_away(entry, definition, by=me)
    undo_url = url_for(".create_entry_restoration", public_id=public_id, entry_id=entry_id, move=number)
    flash(_("Deleted. It lies in the bin for 30 days."), undo_url=undo_url)
    return redirect(url_for(".list_entries", public_id=public_id), 303)


@admin.post("/<public_id>/entries/<entry_id>/restoration")
@requires("entries.edit")
async def create_entry_restoration(public_id: str, entry_id: str) -> BaseResponse:
    """Out of the bin again; `?move=` is the move that a message takes back."""
    _form, definition, entry = await found(public_id, entry_id)
    number = whole_number(request.args.get("move"), 18)
    if number is None:
        await entries.move(entry, "restore", definition, by=signed_in_user().id)
    else:
        await entries.take_back(entry, definition, number, by=signed_in_user().id)
    return _to(public_id, entry_id)


@admin.post("/<public_id>/entries/<entry_id>/marks")
@requires("entries.edit")
async def update_marks(public_id: str, entry_id: str) -> BaseResponse:
    """Its star, whether it counts as read, its status: what is sent is set, the rest stays."""
    _form, definition, entry = await found(public_id, entry_id)
    sent = await request.form
    if "star" in sent:
        await entries.mark(entry, is_starred=sent["star"] == "1")
    if "status" in sent:
        await entries.set_status(entry, sent["status"], definition, by=signed_in_user().id)
    if sent.get("read") == "0":
        await entries.mark(entry, is_read=False)
        return redirect(url_for(".list_entries", public_id=public_id), 303)
    return _to(public_id, entry_id)


@admin.post("/<public_id>/entries/<entry_id>/notes")
@requires("entries.edit", once=True)
async def create_entry_note(public_id: str, entry_id: str) -> BaseResponse:
    """Write something down beside it."""
    _form, _definition, entry = await found(public_id, entry_id)
    try:
        await entries.note(entry, (await request.form).get("body", ""), by=signed_in_user().id)
    except Invalid as error:
        flash(error.message, "bad")
    return _to(public_id, entry_id)


@admin.post("/<public_id>/entries/<entry_id>/sending")
@requires("entries.edit", once=True)
async def create_sending(public_id: str, entry_id: str) -> BaseResponse:
    """Send out again what was chosen, or the link that it waits for."""
    _form, definition, entry = await found(public_id, entry_id)
    sent = await request.form
    me = signed_in_user().id
    try:
        if sent.get("link"):
            again = releases.ask_again if entry.state == "unpaid" else entries.send_link_again
            await again(entry, definition, by=me)
        else:
            await resending.send(entry, sent.getlist("way"), by=me)
    except Invalid as error:
        flash(error.message, "bad")
    else:
        flash(_("It is on its way."))
    return _to(public_id, entry_id)


async def found(public_id: str, entry_id: str) -> tuple[Form, Definition, Entry]:
    """An entry with the version that it answered. Raises NotFound."""
    form = await versions.of_entry(public_id, entry_id)
    entry = await entry_queries.entry(form.id, entry_id)
    if entry is None:
        raise NotFound
    return form, readings.of(form), entry


def _to(public_id: str, entry_id: str) -> BaseResponse:
    return redirect(url_for(".show_entry", public_id=public_id, entry_id=entry_id), 303)
