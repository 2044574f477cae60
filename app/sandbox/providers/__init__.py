"""Stand-ins for the services that forms hand their entries to, at `/outside/<host>/…`: OUTSIDE_BASE leads there.

Each enforces the shape, the credentials and the errors that its service documents, keeps contacts in memory with the state
"left", treats them as unkindly as the documentation allows, and can be told to fail.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from quart import Blueprint, Response, redirect, render_template, request
from quart.typing import ResponseReturnValue

from app.sandbox.providers import audiences, campaigns, channels, lists, mailing, newsletters, sales, tables
from app.sandbox.providers.core import Call, Stand

KINDS: tuple[type[Stand], ...] = (
    *mailing.STANDS,
    *newsletters.STANDS,
    *lists.STANDS,
    *campaigns.STANDS,
    *audiences.STANDS,
    *sales.STANDS,
    *channels.STANDS,
    *tables.STANDS,
)


class Outside:
    """All of them, by their hosts: a blueprint for the sandbox, an ASGI application for tests."""

    def __init__(self) -> None:
        self.stands = {kind.name: kind() for kind in KINDS}
        self._hosts = {
            host: stand for stand in self.stands.values() for host in (stand.host, *getattr(stand, "hosts", ()))
        }

    def answer(
        self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        """What the service at `/<host>/<path>` says. `path` is as it was sent, with its escapes."""
        host, _, rest = path.lstrip("/").partition("/")
        stand = self._hosts.get(host)
        if stand is None:
            return 404, {"content-type": "text/plain"}, b"There is no stand-in for this host."
        asked = dict(parse_qsl(query, keep_blank_values=True))
        call = Call(method, host, f"/{rest}", asked, headers, body)
        status, more, found = stand.handle(call)
        content = b"" if found is None else json.dumps(found).encode()
        return status, {"content-type": "application/json", **more}, content

    def blueprint(self) -> Blueprint:
        """At `/outside`."""
        routes = Blueprint("outside", __name__, url_prefix="/outside")

        @routes.get("")
        async def show_services() -> Response:
            page = Response(await render_template("outside.html", stands=list(self.stands.values())))
            page.headers["Content-Security-Policy"] = (
                "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'"
            )
            return page

        @routes.post("/switches/<name>")
        async def turn(name: str) -> ResponseReturnValue:
            if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
                return Response("Another site's page may not do this.", 403)
            if name not in self.stands:
                return Response("There is no such service.", 404)
            form, stand = await request.form, self.stands[name]
            stand.is_down, wait = form.get("is_down") == "yes", form.get("wait", "")
            stand.wait = int(wait) if wait.isdecimal() else 0
            return redirect(f"/outside#{name}", 303)

        @routes.get("/messages/<name>")
        async def list_messages(name: str) -> ResponseReturnValue:
            if name not in self.stands:
                return Response("There is no such service.", 404)
            stand = self.stands[name]
            return {"messages": stand.messages, "calls": len(stand.calls)}

        @routes.route("/<path:path>", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
        async def answer(path: str) -> Response:
            raw = request.scope["raw_path"].decode().partition("?")[0].removeprefix("/outside")
            headers = {name.lower(): value for name, value in request.headers.items()}
            body: bytes = await request.data
            status, more, content = self.answer(request.method, raw, request.query_string.decode(), headers, body)
            return Response(content, status, more)

        return routes

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """The same as ASGI, without `/outside`."""
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
        raw = scope.get("raw_path", scope["path"].encode()).decode().partition("?")[0]
        status, given, content = self.answer(scope["method"], raw, scope["query_string"].decode(), headers, body)
        pairs = [(name.encode(), value.encode()) for name, value in given.items()]
        await send({"type": "http.response.start", "status": status, "headers": pairs})
        await send({"type": "http.response.body", "body": content})
