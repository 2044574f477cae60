"""A picture for an option, brought in the builder."""

from functools import partial
from typing import BinaryIO, cast

from quart import redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from app.core.errors import Invalid, TooLarge
from app.core.i18n import _
from app.formbuilder.admin import admin
from app.formbuilder.definition import definitions, editing, versions
from app.media import uploads
from app.media.models import Upload
from app.web.bodies import brings
from app.web.flash import flash
from app.web.guards import requires
from app.web.request import signed_in_user


@admin.post("/<public_id>/fields/<field_id>/pictures")
@requires("forms.edit")
@brings(uploads.IMAGE_BODY)
async def create_option_picture(public_id: str, field_id: str) -> BaseResponse:
    """Keep a picture and show it with one of the options of a field."""
    form, person = await versions.find(public_id), signed_in_user()
    sent, attached = await request.form, await request.files
    file, value = attached.get("file"), sent.get("option", "")
    put = partial(editing.with_picture, field_id=field_id, value=value)

    async def show(upload: Upload) -> None:
        change = partial(put, address=uploads.path(upload))
        await versions.edit(form.id, change, words=_("Gave an option its picture"), by=person)

    try:
        put(definitions.read(form.definition), address="")  # before anything is kept
        if file is None or not file.filename:
            raise Invalid(_("Choose a file."))
        await uploads.store(
            cast(BinaryIO, file.stream), file.filename, kind="image", owner_id=person.id, is_public=True, then=show
        )
    except (Invalid, TooLarge) as error:
        flash(error.message, "bad")
    return redirect(url_for(".show_builder", public_id=public_id, field=field_id), 303)
