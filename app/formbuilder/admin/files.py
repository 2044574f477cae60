"""Files that came with answers, handed out to those who may see entries."""

from quart import Response, request

from app.core.errors import NotFound
from app.formbuilder.admin import admin
from app.formbuilder.answering import files
from app.formbuilder.definition import versions
from app.gateways.storage import disposition
from app.web.guards import requires
from app.web.request import signed_in_user

_SHOWN = ("image/png", "image/jpeg", "image/webp", "image/gif")


@admin.get("/<public_id>/files/<file_id>")
@requires("entries.view")
async def show_file(public_id: str, file_id: str) -> Response:
    """A file, by a link of the entry's page: it opens for whom it was made, for an hour."""
    form = await versions.find(public_id)
    file = await files.find(form.id, file_id)
    if file is None or not files.opens(file_id, request.args.get("token", ""), signed_in_user().id):
        raise NotFound
    response = Response(
        await files.begun(file),
        200,
        {
            "Content-Type": file.content_type,
            "Content-Disposition": disposition(file.file_name, inline=file.content_type in _SHOWN),
            "Cache-Control": "private, no-store",
            # Whatever somebody sent, opened by itself it is nothing but itself.
            "Content-Security-Policy": "default-src 'none'; sandbox",
            "X-Content-Type-Options": "nosniff",
        },
    )
    response.headers["Content-Length"] = str(file.size_bytes)
    return response
