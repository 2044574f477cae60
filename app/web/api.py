"""What programs get below /api: JSON in and out, refusals as RFC 9457 problems, pages by cursor, limits in headers.

Handlers are in the room `api.py` of each domain, with the guard `@api("orders.view")`; docs/api.md is for those who call
them, `openapi.json` beside this file is the same for machines, and tests compare it with the routes.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar

import orjson
from quart import Blueprint, Quart, Response, current_app

from app.core import tokens
from app.core.errors import Refused
from app.core.i18n import _
from app.core.numbers import whole_number
from app.web.current import g, request
from app.web.guards import api

R = TypeVar("R")
PREFIX = "/api/"
MOST, USUAL = 100, 50
DESCRIPTION = Path(__file__).with_name("openapi.json")

routes = Blueprint("api", __name__, url_prefix="/api/v1")


class BadParameter(Refused):
    """A parameter of the address that makes no sense."""

    status = 400


@routes.get("/openapi.json")
@api()
async def show_openapi() -> Response:
    """The interface as OpenAPI 3.1, with this school's address as its server."""
    described = orjson.loads(DESCRIPTION.read_bytes())
    described["servers"] = [{"url": f"{_site()}/api/v1"}]
    return answer(described)


def is_api() -> bool:
    """Whether the present request is a program's: what it gets is never a page."""
    return request.path.startswith(PREFIX) or request.path == PREFIX[:-1]


def answer(body: Any, *, headers: dict[str, str] | None = None) -> Response:
    """JSON that no cache keeps. Moments become `2026-11-21T08:00:00Z`."""
    text = orjson.dumps(_plain(body), option=orjson.OPT_APPEND_NEWLINE)
    return Response(text, content_type="application/json", headers={"Cache-Control": "no-store", **(headers or {})})


def problem(status: int, detail: str, **more: Any) -> Response:
    """A refusal as RFC 9457 says: what kind (`title`, by its status), and why this time (`detail`)."""
    title = HTTPStatus(status).phrase
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail or title, **more}
    body["request_id"] = g.get("request_id", "")
    return Response(
        orjson.dumps(body, option=orjson.OPT_APPEND_NEWLINE),
        status,
        content_type="application/problem+json",
        headers={"Cache-Control": "no-store"},
    )


def refusal(error: Refused) -> Response:
    """A refusal of ours. One about the token says so as RFC 6750 asks."""
    response = problem(error.status, error.message)
    if error.status == 401:
        shown = "Authorization" in request.headers
        response.headers["WWW-Authenticate"] = 'Bearer realm="api"' + (', error="invalid_token"' if shown else "")
    elif error.status == 403 and error.field:
        scope = f'error="insufficient_scope", scope="{error.field}"'
        response.headers["WWW-Authenticate"] = f'Bearer realm="api", {scope}'
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(error.retry_after)
        g.api_left = None
        response.headers["RateLimit"] = f'"api";r=0;t={error.retry_after}'
    return response


async def listed(
    name: str, fetch: Callable[[int | None, int], Awaitable[list[R]]], key: Callable[[R], int], draw: Callable[[R], Any]
) -> Response:
    """One page of a list, newest first: `fetch(before, limit)` gives the rows whose key is below `before`.

    `limit` (1 to 100) and `cursor` come from the address; the cursor of the next page is sealed, so that it tells nothing
    and can only be given back. Raises BadParameter.
    """
    limit, before = _limit(), _before(name)
    rows: Sequence[R] = await fetch(before, limit + 1)
    cursor = _cursor(name, key(rows[limit - 1])) if len(rows) > limit else None
    headers = {}
    if cursor is not None:
        headers["Link"] = f'<{_site()}{request.path}?limit={limit}&cursor={cursor}>; rel="next"'
    return answer({"data": [draw(row) for row in rows[:limit]], "next_cursor": cursor}, headers=headers)


def _limit() -> int:
    limit = whole_number(request.args.get("limit", str(USUAL)), 3)
    if limit is None or not 1 <= limit <= MOST:
        raise BadParameter(_("limit is a whole number from 1 to %(most)s.", most=MOST))
    return limit


def _before(name: str) -> int | None:
    text = request.args.get("cursor", "")
    if not text:
        return None
    try:
        opened = tokens.unseal(urlsafe_b64decode(text[:200] + "=" * (-len(text) % 4)), f"api cursor {name}")
    except ValueError:
        opened = None
    if opened is None:
        raise BadParameter(_("cursor is the next_cursor of an answer of the same list, as it came."))
    return int(opened)


def _cursor(name: str, before: int) -> str:
    return urlsafe_b64encode(tokens.seal(str(before).encode(), f"api cursor {name}")).decode().rstrip("=")


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value


def _site() -> str:
    # Whatever name was asked for: what goes out leads to ours.
    return str(current_app.config["LECTERN"].app_url).rstrip("/")


def install(app: Quart) -> None:
    """Put the description into the application, and the limits into the headers of every answer below /api."""
    app.register_blueprint(routes)

    @app.after_request
    async def tell_limits(response: Response) -> Response:
        """As the IETF's draft "RateLimit header fields for HTTP" (draft-ietf-httpapi-ratelimit-headers-10) has them."""
        limit, left = g.get("api_limit"), g.get("api_left")
        if limit is not None:
            response.headers["RateLimit-Policy"] = f'"api";q={limit.count};w={limit.seconds}'
            if left is not None:
                response.headers["RateLimit"] = f'"api";r={left.count};t={left.seconds}'
        return response
