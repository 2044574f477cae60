"""Errors become pages: the right status, a clear sentence, a request id; a fault is logged, a refusal is not."""

from http import HTTPStatus

import structlog
from quart import Quart, Response, g, redirect, request, url_for
from werkzeug.exceptions import HTTPException

from app.core.errors import Refused, SignInNeeded
from app.core.i18n import _
from app.web import render
from app.web.request import is_htmx, safe_next

log = structlog.get_logger()


def install(app: Quart) -> None:
    """Draw every refusal, HTTP error and fault."""
    app.register_error_handler(Refused, _show_refusal)
    app.register_error_handler(HTTPException, _show_http_error)
    app.register_error_handler(Exception, _show_fault)


async def _show_refusal(error: Exception) -> Response:
    assert isinstance(error, Refused)
    if isinstance(error, SignInNeeded):
        return _to_sign_in(fresh=error.field == "fresh")
    response = await _page(error.status, error.message)
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def _to_sign_in(*, fresh: bool) -> Response:
    came_from = request.full_path.rstrip("?") if request.method == "GET" else request.headers.get("Referer", "")
    if came_from.startswith(request.host_url):
        came_from = "/" + came_from.removeprefix(request.host_url)
    # The sign-in page belongs to accounts; its address is part of the public contract.
    address = url_for("accounts.show_login", next=safe_next(came_from, "/"), fresh="1" if fresh else None)
    if is_htmx():
        return Response("", status=200, headers={"HX-Redirect": address})
    answer = redirect(address, 303)
    assert isinstance(answer, Response)
    return answer


async def _show_http_error(error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.response is not None:  # a redirect that routing raised (a missing slash)
        return error.response  # type: ignore[return-value]
    response = await _page(error.code or 500, "")
    if error.code == 405 and getattr(error, "valid_methods", None):
        response.headers["Allow"] = ", ".join(sorted(error.valid_methods))  # type: ignore[attr-defined]
    return response


async def _show_fault(error: Exception) -> Response:
    log.error("request failed", error=type(error).__name__, exc_info=error)
    return await _page(500, "")


async def _page(status: int, message: str) -> Response:
    title, text = _words(status)
    context = {"status": status, "title": title, "text": message or text, "request_id": g.get("request_id", "")}
    try:
        if is_htmx():
            return await render.toast(context["text"], "bad", status=status)
        return await render.page("errors/error.html", status=status, **context)
    except Exception as error:
        # The page itself cannot be drawn (the database is away, say): plain words then.
        log.error("error page failed", error=type(error).__name__, exc_info=error)
        return Response(f"{title}\n\n{text}\n\n{context['request_id']}\n", status, content_type="text/plain; charset=utf-8")


def _words(status: int) -> tuple[str, str]:
    words = {
        400: (_("That request makes no sense"), _("Go back, reload the page and try again.")),
        403: (_("This is not open to you"), _("You are signed in, but your role does not allow this.")),
        404: (_("There is nothing at this address"), _("It may have moved, or the link has a letter too many.")),
        405: (_("This address cannot do that"), _("Go back and use the buttons on the page.")),
        409: (_("This has changed meanwhile"), _("Reload the page to see how it stands now.")),
        413: (_("That is too large"), _("Send a smaller file or less text.")),
        415: (_("That kind of content is not accepted"), _("Send the form from the page.")),
        422: (_("Something is missing"), _("Go back and check what you filled in.")),
        429: (_("Too many tries"), _("Wait a moment, then try again.")),
        500: (_("Something broke on our side"), _("It has been noted. Please try again in a moment.")),
        503: (_("Away for a moment"), _("Part of the school does not answer. Please try again in a minute.")),
    }
    if status in words:
        return words[status]
    try:
        return HTTPStatus(status).phrase, _("Go back and try again.")
    except ValueError:
        return words[500]
