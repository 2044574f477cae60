"""Pages travel compressed: brotli or gzip, whichever the browser takes. Files and streams are left alone."""

import gzip
from functools import lru_cache

import brotli
from quart import Quart, Response
from quart.wrappers.response import DataBody
from werkzeug.http import parse_accept_header

from app.web.current import request

_SMALLEST = 1024
# Costs a list of 40 rows 0.1 ms; 4 would take 0.45 ms for 5 % less.
QUALITY = 3
_KINDS = ("text/html", "text/css", "image/svg+xml", "application/json", "text/plain")


def install(app: Quart) -> None:
    """Compress every whole text answer of a kilobyte or more."""

    @app.after_request
    async def compress(response: Response) -> Response:
        if type(response.response) is not DataBody or response.mimetype not in _KINDS:
            return response
        vary = response.headers.get("Vary")
        if vary is None or "accept-encoding" not in vary.lower():
            response.headers["Vary"] = f"{vary}, Accept-Encoding" if vary else "Accept-Encoding"
        if response.status_code in (204, 206, 304) or "Content-Encoding" in response.headers:
            return response
        encoding = _encoding(request.headers.get("Accept-Encoding", ""))
        whole = response.response
        body = whole.data[whole.begin : whole.end]
        if encoding is None or len(body) < _SMALLEST:
            return response
        packed = brotli.compress(body, quality=QUALITY) if encoding == "br" else gzip.compress(body, 5, mtime=0)
        response.set_data(packed)
        response.headers["Content-Encoding"] = encoding
        return response


@lru_cache(maxsize=256)
def _encoding(header: str) -> str | None:
    accepted = parse_accept_header(header)
    return next((name for name in ("br", "gzip") if accepted[name] > 0), None)
