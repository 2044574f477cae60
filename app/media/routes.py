"""Uploaded files as they are handed out: whole or in parts, to everyone or to those with a signed address."""

from datetime import timedelta

from quart import Blueprint, Response, request

from app.core.errors import Forbidden, NotFound
from app.core.i18n import _
from app.gateways.storage import disposition
from app.media import ranges, shelf, uploads
from app.media.models import Upload
from app.web.guards import public
from app.web.request import user

routes = Blueprint("media", __name__)

_SHOWN = ("image", "video", "captions")
_SHORT, _PUBLIC_REDIRECT = timedelta(minutes=15), timedelta(hours=1)
_PUBLIC_CACHE = "public, max-age=31536000, immutable"  # another content has another address


@routes.get("/media/<public_id>/<file_name>")
@public()
async def show_upload(public_id: str, file_name: str) -> Response:
    """Hand a file out, or lead to where the storage does it itself."""
    upload = await uploads.find_by_public_id(public_id)
    if upload is None or upload.file_name != file_name:
        raise NotFound
    seconds, cache = 0, _PUBLIC_CACHE
    if not upload.is_public:
        found = await uploads.opens(upload, request.args.get("token", ""), user())
        if found is None:
            raise NotFound
        if found.seconds == 0:
            raise Forbidden(_("This address is no longer good. Open the page that showed it again."))
        # What a course holds is asked for each time: access that ends, ends at once.
        seconds, cache = found.seconds, "private, no-cache"
    # Captions come from our own host: a track of another one is refused without CORS.
    elsewhere = None if upload.kind == "captions" else _elsewhere(upload, seconds, cache)
    return elsewhere or await _answer(upload, cache)


def _elsewhere(upload: Upload, seconds: int, cache: str) -> Response | None:
    good_for = _PUBLIC_REDIRECT
    if seconds:
        # The store cannot take an address back. A browser goes on asking it for the parts of a film.
        good_for = min(timedelta(seconds=seconds), _SHORT + timedelta(seconds=2 * (upload.duration_seconds or 0)))
    address = shelf.storage().address(
        upload.storage_key,
        expires=good_for,
        file_name=upload.file_name,
        content_type=upload.content_type,
        inline=upload.kind in _SHOWN,
    )
    if address is None:
        return None
    if not seconds:
        cache = f"private, max-age={int(_PUBLIC_REDIRECT.total_seconds()) // 2}"
    return Response(b"", 302, {"Location": address, "Cache-Control": cache})


async def _answer(upload: Upload, cache: str) -> Response:
    headers = _headers(upload, cache)
    etag = headers["ETag"]
    if etag in [tag.strip() for tag in request.headers.get("If-None-Match", "").split(",")]:
        return Response(b"", 304, headers)
    asked = request.headers.get("Range")
    if request.headers.get("If-Range", etag) != etag:
        asked = None
    try:
        part = ranges.wanted(asked, upload.size_bytes)
    except ranges.Unsatisfiable:
        return Response(b"", 416, {**headers, "Content-Range": f"bytes */{upload.size_bytes}"})
    start, end = part or (0, upload.size_bytes - 1)
    if part is not None:
        headers["Content-Range"] = f"bytes {start}-{end}/{upload.size_bytes}"
    body = b"" if request.method == "HEAD" else await uploads.begun(upload, start, end)
    response = Response(body, 206 if part else 200, headers)
    response.headers["Content-Length"] = str(end - start + 1)
    # Somebody may watch for as long as they like.
    response.timeout = None
    return response


def _headers(upload: Upload, cache: str) -> dict[str, str]:
    return {
        "Content-Type": upload.content_type,
        "Content-Disposition": disposition(upload.file_name, inline=upload.kind in _SHOWN),
        "ETag": f'"{upload.checksum[:32]}"',
        "Accept-Ranges": "bytes",
        "Cache-Control": cache,
        # Opened by itself, a file is nothing but itself: no script, no form, no origin.
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "X-Content-Type-Options": "nosniff",
        # A public picture may stand in a mail that is read in a browser.
        "Cross-Origin-Resource-Policy": "cross-origin" if upload.is_public else "same-origin",
    }
