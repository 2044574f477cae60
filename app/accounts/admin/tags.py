"""The tags of the school: rename, merge, remove."""

from quart import redirect, request, url_for
from quart.typing import ResponseReturnValue

from app.accounts import tags
from app.accounts.admin import admin
from app.accounts.forms import TagForm
from app.core.errors import Invalid
from app.core.i18n import _, ngettext
from app.web.flash import flash
from app.web.forms import submitted
from app.web.guards import requires
from app.web.render import page


@admin.get("/people/tags")
@requires("people.view")
async def list_tags() -> ResponseReturnValue:
    """All tags, with how many people have each."""
    return await _list()


@admin.post("/people/tags")
@requires("people.notes")
async def create_tag() -> ResponseReturnValue:
    """Make a tag; one of that name stays as it is."""
    form = await submitted(TagForm)
    try:
        if form.validate():
            await tags.create(form.tag.data)
            return redirect(url_for(".list_tags"), 303)
    except Invalid as error:
        form.refuse(error)
    return await _list(form, status=422)


@admin.get("/people/tags/<tag_id>")
@requires("people.notes")
async def show_tag(tag_id: str) -> ResponseReturnValue:
    """One tag: rename, merge, remove."""
    return await _tag_page(tag_id)


@admin.post("/people/tags/<tag_id>")
@requires("people.notes")
async def update_tag(tag_id: str) -> ResponseReturnValue:
    """Rename it."""
    form = await submitted(TagForm)
    try:
        if form.validate():
            await tags.rename(tag_id, form.tag.data)
            flash(_("The tag is renamed."))
            return redirect(url_for(".list_tags"), 303)
    except Invalid as error:
        form.refuse(error)
    return await _tag_page(tag_id, form, status=422)


@admin.post("/people/tags/<tag_id>/merger")
@requires("people.notes")
async def create_tag_merger(tag_id: str) -> ResponseReturnValue:
    """Give everybody who has it another tag instead."""
    form = await request.form
    try:
        into = await tags.merge(tag_id, form.get("into", ""))
    except Invalid as error:
        flash(error.message, "bad")
        return redirect(url_for(".show_tag", tag_id=tag_id), 303)
    flash(_("Merged into “%(tag)s”.", tag=into.name))
    return redirect(url_for(".list_tags"), 303)


@admin.post("/people/tags/<tag_id>/removal")
@requires("people.notes")
async def delete_tag(tag_id: str) -> ResponseReturnValue:
    """Remove it from everybody; its name confirms that."""
    tag = await tags.find(tag_id)
    if (await request.form).get("confirmation", "").strip() != tag.name:
        return await _tag_page(tag_id, removal_error=_("Type the tag's name to confirm."), status=422)
    gone = await tags.delete(tag_id)
    flash(ngettext("Removed from %(num)s person.", "Removed from %(num)s people.", gone.people))
    return redirect(url_for(".list_tags"), 303)


async def _list(form: TagForm | None = None, status: int = 200) -> ResponseReturnValue:
    return await page(
        "accounts/admin/tags.html",
        status=status,
        tags=await tags.every(),
        form=form or TagForm(),
        most_counted=tags.MOST_COUNTED,
    )


async def _tag_page(
    tag_id: str, form: TagForm | None = None, *, removal_error: str = "", status: int = 200
) -> ResponseReturnValue:
    tag = await tags.find(tag_id)
    others = [(other.public_id, other.name) for other in await tags.every() if other.id != tag.id]
    form = form or TagForm(data={"tag": tag.name})
    return await page(
        "accounts/admin/tag.html", status=status, tag=tag, form=form, others=others, removal_error=removal_error
    )
