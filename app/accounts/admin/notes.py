"""Notes and tags of one person: a part of their page, at an address of its own."""

from quart import redirect, url_for
from quart.typing import ResponseReturnValue

from app.accounts import notes, people, tags
from app.accounts.admin import admin
from app.accounts.forms import NoteForm, TagForm
from app.accounts.models import User
from app.accounts.sessions import me
from app.core.errors import Invalid
from app.web.forms import submitted
from app.web.guards import requires
from app.web.render import page


@admin.get("/people/<public_id>/notes")
@requires("people.view")
async def show_notes(public_id: str) -> ResponseReturnValue:
    """What the team wrote about the person, and how they are tagged."""
    return await _panel(await people.find(public_id))


@admin.post("/people/<public_id>/notes")
@requires("people.notes", once=True)
async def create_note(public_id: str) -> ResponseReturnValue:
    """Write a note."""
    person, form = await people.find(public_id), await submitted(NoteForm)
    if not form.validate():
        return await _panel(person, note_form=form, status=422)
    await notes.write(person, form.body.data, by=me())
    return _done(public_id)


@admin.post("/people/<public_id>/notes/<note_id>/removal")
@requires("people.notes")
async def delete_note(public_id: str, note_id: str) -> ResponseReturnValue:
    """Remove a note of one's own."""
    await notes.delete(await people.find(public_id), note_id, by=me())
    return _done(public_id)


@admin.post("/people/<public_id>/tags")
@requires("people.notes")
async def create_person_tag(public_id: str) -> ResponseReturnValue:
    """Mark the person; the tag is made when there is none of that name."""
    person, form = await people.find(public_id), await submitted(TagForm)
    try:
        valid = form.validate()
        if valid:
            await tags.add(person, form.tag.data)
    except Invalid as error:
        form.refuse(error)
        valid = False
    if not valid:
        return await _panel(person, tag_form=form, status=422)
    return _done(public_id)


@admin.post("/people/<public_id>/tags/<tag_id>/removal")
@requires("people.notes")
async def delete_person_tag(public_id: str, tag_id: str) -> ResponseReturnValue:
    """Take a tag from the person."""
    await tags.remove(await people.find(public_id), tag_id)
    return _done(public_id)


def _done(public_id: str) -> ResponseReturnValue:
    return redirect(url_for(".show_notes", public_id=public_id), 303)


async def _panel(
    person: User, *, note_form: NoteForm | None = None, tag_form: TagForm | None = None, status: int = 200
) -> ResponseReturnValue:
    found, marked = await notes.of(person.id)
    return await page(
        "accounts/admin/notes.html",
        status=status,
        person=person,
        notes=found,
        marked=marked,
        me=me(),
        known_tags=await tags.every() if me().can("people.notes") else [],
        note_form=note_form or NoteForm(),
        tag_form=tag_form or TagForm(),
    )
