"""Errors become pages: the right status, a clear sentence, a request id; a fault is logged, a refusal is not."""

from urllib.parse import quote

import asyncpg
import structlog
from quart import Quart, Response, current_app, g, request, url_for
from werkzeug.exceptions import HTTPException

from app.core import reach
from app.core.errors import NoRoom, Refused, SignInNeeded, TooMany
from app.core.i18n import _, ngettext
from app.gateways import storage
from app.web import api, render, typed
from app.web.guards import SAFE_METHODS
from app.web.request import is_htmx, safe_next, user

log = structlog.get_logger()


def install(app: Quart) -> None:
    """Draw every refusal, HTTP error and fault."""
    app.register_error_handler(Refused, _show_refusal)
    app.register_error_handler(HTTPException, _show_http_error)
    for clash in (asyncpg.DeadlockDetectedError, asyncpg.SerializationError, asyncpg.ForeignKeyViolationError):
        app.register_error_handler(clash, _show_clash)
    app.register_error_handler(Exception, _show_fault)


async def _show_refusal(error: Exception) -> Response:
    assert isinstance(error, Refused)
    if api.is_api():
        return api.refusal(error)
    if isinstance(error, SignInNeeded):
        return await _to_sign_in(error.field)
    if isinstance(error, TooMany):
        response = await _page(error.status, error.message or _wait(error.retry_after or 1))
    else:
        response = await _page(error.status, error.message)
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def _wait(seconds: int) -> str:
    if seconds > 100:
        return ngettext(
            "To protect accounts we slow down after many tries. Wait %(num)s minute and try again.",
            "To protect accounts we slow down after many tries. Wait %(num)s minutes and try again.",
            -(-seconds // 60),
        )
    return ngettext(
        "To protect accounts we slow down after many tries. Wait %(num)s second and try again.",
        "To protect accounts we slow down after many tries. Wait %(num)s seconds and try again.",
        seconds,
    )


def _came_from() -> str:
    """The page of ours that sent the form, or nothing."""
    referer = request.headers.get("Referer", "")
    return safe_next("/" + referer.removeprefix(request.host_url), "") if referer.startswith(request.host_url) else ""


async def _to_sign_in(lacking: str | None) -> Response:
    fresh = lacking == "fresh"
    onward = safe_next(request.full_path.rstrip("?") if request.method == "GET" else _came_from(), "/")
    if fresh and request.method == "POST":
        await typed.keep(onward)
    # These pages belong to accounts; their addresses are part of the public contract.
    address = url_for("accounts.show_login", next=onward, fresh="1" if fresh else None)
    if lacking == "second_factor":
        address = url_for("accounts.show_security", asked="1")
    elif lacking == "new_password":
        address = url_for("accounts.show_required_password", next=onward)
    if is_htmx():
        return Response("", status=200, headers={"HX-Redirect": address})
    return Response("", status=303, headers={"Location": address})


async def _show_clash(error: Exception) -> Response:
    """Two people acted on the same thing at the same moment and this request lost: nothing of it was written."""
    log.warning("request clashed with another", error=type(error).__name__, said=str(error).split("\n")[0])
    words = _("Somebody else changed this at the same moment. Look at it again, then try once more.")
    return await _page(409, words, title=_("Somebody was faster"))


async def _show_http_error(error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.response is not None:  # a redirect that routing raised (a missing slash)
        return error.response  # type: ignore[return-value]
    if error.code == 405 and (above := _page_above()):
        return Response("", status=303, headers={"Location": above})
    response = await _page(error.code or 500, "")
    if error.code == 405 and getattr(error, "valid_methods", None):
        response.headers["Allow"] = ", ".join(sorted(error.valid_methods))  # type: ignore[attr-defined]
    return response


def _page_above() -> str:
    """Where the form stands whose address was opened as a page: the nearest address above that has one, or nothing.

    A refused form leaves its own address in the bar; `/account/profile` leads to `/account`. The front page has none.
    """
    if request.method not in SAFE_METHODS or is_htmx() or api.is_api():
        return ""
    pages = current_app.create_url_adapter(request)
    assert pages is not None
    above = request.path
    while above := above.rpartition("/")[0]:
        if pages.test(above, "GET"):
            return safe_next(quote(above), "")
    return ""


async def _show_fault(error: Exception) -> Response:
    if reach.is_lost(error):
        # A write whose fate is not known: repeating it is safe for the product, but is the person's choice.
        log.warning("the database was lost", error=type(error).__name__)
        return await _show_refusal(reach.Away())
    if reach.is_full(error):
        log.error("no room is left", error=type(error).__name__, why=str(error)[:200])
        return await _show_refusal(NoRoom())
    if storage.is_away(error):
        log.error("the storage does not answer", error=type(error).__name__, why=str(error)[:200])
        words = _("The place where files are kept does not answer just now. Please try again in a minute.")
        response = await _page(503, words, title=_("Files are out of reach"))
        response.headers["Retry-After"] = "60"
        return response
    log.error("request failed", error=type(error).__name__, exc_info=error)
    return await _page(500, "")


async def _page(status: int, message: str, *, title: str = "") -> Response:
    if api.is_api():
        return api.problem(status, message)
    if status == 403 and request.method == "POST":
        title = title or _("This is not yours to do")
    context = {"title": title, "text": message, "request_id": g.get("request_id", ""), "world": _world()}
    if request.method == "POST" or status == 429:  # a form was refused: the way on begins at its page
        context["back"] = _came_from()
    try:
        if is_htmx():
            return await render.notice(status, **context)
        return await render.page("errors/error.html", status=status, **context)
    except Exception as error:
        # The page itself cannot be drawn (the database is away, say): plain words then.
        log.error("error page failed", error=type(error).__name__, exc_info=error)
        words = message or _("Something broke on our side. Please try again in a moment.")
        return Response(f"{words}\n\n{context['request_id']}\n", status, content_type="text/plain; charset=utf-8")


def _world() -> str:
    """Only people of the office see its frame, on whatever address of it."""
    person = user()
    in_office = request.path.startswith("/admin") and person is not None and person.can("admin.enter")
    return "office" if in_office else "school"
