"""The mailbox page: shows every message that the embedded mailer wrote to a folder as `.eml` files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape
from quart import Blueprint, Response, abort, redirect, render_template, request
from werkzeug.wrappers import Response as Redirect

PAGE = 50
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_LINK = re.compile(r"https?://[^\s<>\"')\]]+")
_HEAD = re.compile(rb"<head[^>]*>", re.IGNORECASE)
_POLICY = "default-src 'none'; style-src 'self'; img-src 'self' data:; frame-src 'self'; form-action 'self'; "
# A message may style itself and show pictures, and nothing else; its links leave the frame.
_BODY_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src http: https: data:; frame-ancestors 'self'; "
    "sandbox allow-popups allow-popups-to-escape-sandbox allow-top-navigation-by-user-activation"
)


@dataclass(frozen=True, slots=True)
class Summary:
    """What the list shows of a message. `id` is the file's name without its ending; times are UTC."""

    id: str
    to: str
    sender: str
    subject: str
    at: datetime


class Mailbox:
    """The `.eml` files of one folder; their names begin with the time, so that they sort by it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._summaries: dict[str, Summary] = {}

    def newest_first(self, to: str = "") -> Iterator[Summary]:
        """Go through the messages whose recipients contain `to`."""
        for path in sorted(self.folder.glob("*.eml"), reverse=True):
            if (summary := self._summary(path)) and to.strip().lower() in summary.to.lower():
                yield summary

    def read(self, id: str) -> EmailMessage | None:
        """Read a whole message, or None when there is none of that name."""
        path = self.folder / f"{id}.eml"
        if not _ID.fullmatch(id) or not path.is_file():
            return None
        message = message_from_bytes(path.read_bytes(), policy=policy.default)
        assert isinstance(message, EmailMessage)
        return message

    def summary(self, id: str) -> Summary | None:
        return self._summary(self.folder / f"{id}.eml") if _ID.fullmatch(id) else None

    def delete_all(self) -> None:
        """Remove every message."""
        for path in self.folder.glob("*.eml"):
            path.unlink(missing_ok=True)
        self._summaries.clear()

    def _summary(self, path: Path) -> Summary | None:
        """Read the headers of a message once; its file never changes."""
        if path.stem not in self._summaries:
            message = self.read(path.stem)
            if message is None:
                return None
            recipients = [str(message[name]) for name in ("To", "Cc", "Bcc") if message[name]]
            self._summaries[path.stem] = Summary(
                id=path.stem,
                to=", ".join(recipients),
                sender=str(message["From"] or ""),
                subject=str(message["Subject"] or "(no subject)"),
                at=_sent_at(message) or datetime.fromtimestamp(path.stat().st_mtime, UTC),
            )
        return self._summaries[path.stem]


def body(message: EmailMessage, kind: str) -> str:
    """Return the text of the `html` or `plain` part, or nothing when there is none."""
    part = message.get_body((kind,))
    return str(part.get_content()) if isinstance(part, EmailMessage) else ""


def create_mailbox(folder: Path) -> Blueprint:
    """Make the pages under `/mailbox` for the messages in `folder`."""
    mailbox = Mailbox(folder)
    pages = Blueprint("mailbox", __name__, url_prefix="/mailbox")

    @pages.get("")
    async def list_messages() -> str:
        to, before = request.args.get("to", ""), request.args.get("before", "")
        found = [m for m in mailbox.newest_first(to) if not before or m.id < before][: PAGE + 1]
        older = found[PAGE - 1].id if len(found) > PAGE else ""
        return await render_template("mailbox/list.html", messages=found[:PAGE], to=to, older=older)

    @pages.get("/messages.json")
    async def list_messages_as_json() -> list[dict[str, Any]]:
        found = list(mailbox.newest_first(request.args.get("to", "")))[:PAGE]
        return [_as_json(summary, message) for summary in found if (message := mailbox.read(summary.id))]

    @pages.get("/messages/<id>")
    async def show_message(id: str) -> str:
        message, summary = mailbox.read(id), mailbox.summary(id)
        if message is None or summary is None:
            abort(404)
        texts = {"html": body(message, "html"), "text": body(message, "plain"), "headers": _headers(message)}
        views = [name for name, text in texts.items() if text]
        view = request.args.get("view", "")
        view = view if view in views else views[0]
        return await render_template(
            "mailbox/message.html",
            message=summary,
            attachments=[part.get_filename("attachment") for part in message.iter_attachments()],
            views=views,
            view=view,
            content=_with_links(texts[view]) if view == "text" else texts[view],
        )

    @pages.get("/messages/<id>/body.html")
    async def show_body(id: str) -> Response:
        html = body(_or_404(mailbox.read(id)), "html").encode()
        base = b'<base target="_top">'
        html = _HEAD.sub(lambda head: head[0] + base, html, count=1) if _HEAD.search(html) else base + html
        return Response(html, content_type="text/html; charset=utf-8", headers=_policy(_BODY_POLICY))

    @pages.get("/messages/<id>/source")
    async def show_source(id: str) -> Response:
        return Response(_or_404(mailbox.read(id)).as_bytes(), content_type="text/plain; charset=utf-8")

    @pages.get("/messages/<id>/attachments/<int:number>")
    async def download_attachment(id: str, number: int) -> Response:
        parts = list(_or_404(mailbox.read(id)).iter_attachments())
        if number >= len(parts):
            abort(404)
        response = Response(parts[number].get_payload(decode=True), content_type="application/octet-stream")
        response.headers.set("Content-Disposition", "attachment", filename=parts[number].get_filename("attachment"))
        return response

    @pages.post("/deletions")
    async def create_deletion() -> Redirect:
        if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
            abort(403)
        mailbox.delete_all()
        return redirect("/mailbox", 303)

    @pages.after_request
    async def secure(response: Response) -> Response:
        response.headers.setdefault("Content-Security-Policy", f"{_POLICY} frame-ancestors 'none'")
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["Cache-Control"] = "no-store"
        return response

    return pages


def _or_404(message: EmailMessage | None) -> EmailMessage:
    if message is None:
        abort(404)
    return message


def _policy(policy: str) -> dict[str, str]:
    return {"Content-Security-Policy": policy}


def _sent_at(message: EmailMessage) -> datetime | None:
    sent = getattr(message["Date"], "datetime", None)
    return sent.astimezone(UTC) if isinstance(sent, datetime) else None


def _headers(message: EmailMessage) -> str:
    return "\n".join(f"{name}: {value}" for name, value in message.items())


def _with_links(text: str) -> Markup:
    """Make the addresses in a plain text clickable."""
    parts: list[Markup] = []
    end = 0
    for match in _LINK.finditer(text):
        address = match[0].rstrip(".,;:!?")
        parts += [escape(text[end : match.start()]), Markup('<a href="{0}">{0}</a>').format(address)]
        end = match.start() + len(address)
    return Markup("").join([*parts, escape(text[end:])])


def _as_json(summary: Summary, message: EmailMessage) -> dict[str, Any]:
    text, html = body(message, "plain"), body(message, "html")
    return {
        "id": summary.id,
        "to": summary.to,
        "from": summary.sender,
        "subject": summary.subject,
        "at": summary.at.isoformat(),
        "headers": {name: str(value) for name, value in message.items()},
        "text": text,
        "html": html,
        "links": list(dict.fromkeys(match.rstrip(".,;:!?") for match in _LINK.findall(text))),
    }
