"""Where messages go: Slack, Discord, Telegram, and whoever listens to a signed webhook."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from typing import Any

from app.sandbox.providers.core import Call, Problem, Stand, route


class Slack(Stand):
    name = "slack"
    host = "slack.com"
    given = {"token": "xoxb-0123456789"}
    auth = ("Authorization", "Bearer {token}")
    key_name, place = "token", "C024BE91L"

    def error(self, status: int, why: str) -> Any:
        words = {401: "invalid_auth", 404: "channel_not_found", 422: "invalid_arguments", 429: "ratelimited"}
        return {"ok": False, "error": words.get(status, "internal_error" if status >= 500 else "invalid_arguments")}

    def handle(self, call: Call) -> tuple[int, dict[str, str], Any]:
        status, headers, body = super().handle(call)
        return (status if status >= 429 else 200), headers, body

    @route("POST", "/api/auth.test")
    def test(self, call: Call) -> Any:
        return {"ok": True, "team": "Meridian"}

    @route("GET", "/api/conversations.list")
    def lists(self, call: Call) -> Any:
        rows = self.listed(lambda id: {"id": id, "name": "news"})
        start, size = int(call.query.get("cursor") or "0"), int(call.query.get("limit", "100"))
        following = str(start + size) if start + size < len(rows) else ""
        found = self.window(rows, start, size, 999)
        return {"ok": True, "channels": found, "response_metadata": {"next_cursor": following}}

    @route("GET", "/api/conversations.history")
    def history(self, call: Call) -> Any:
        self.need_place(call.query.get("channel", ""))
        return {"ok": True, "messages": self.messages[::-1][: int(call.query.get("limit", "100"))]}

    @route("POST", "/api/chat.postMessage")
    def post(self, call: Call) -> Any:
        payload = {"event_type!": str, "event_payload!": dict}
        shape = {"channel!": str, "text!": str, "metadata": payload, "unfurl_links": bool, "mrkdwn": bool}
        body = call.json(shape)
        self.need_place(body["channel"])
        if "@invalid.example" in body["text"]:
            raise Problem(422, "no")
        self.messages.append({**body, "ts": f"1700000000.{len(self.messages)}"})
        return {"ok": True, "ts": self.messages[-1]["ts"]}


class Discord(Stand):
    name = "discord"
    host = "discord.com"
    given = {"token": "discord-0123456789", "server": "41771983423143937"}
    auth = ("Authorization", "Bot {token}")
    key_name, place, unprocessable = "token", "319674150115610528", 400

    def error(self, status: int, why: str) -> Any:
        return {"message": why, "code": 50035, **({"retry_after": 7.0, "global": False} if status == 429 else {})}

    @route("GET", "/api/v10/users/@me")
    def me(self, call: Call) -> Any:
        return {"id": "1", "username": "meridian"}

    @route("GET", "/api/v10/guilds/41771983423143937/channels")
    def lists(self, call: Call) -> Any:
        return [{"id": self.place, "name": "news", "type": 0}, {"id": "2", "name": "Voice", "type": 2}]

    @route("POST", "/api/v10/channels/{channel}/messages")
    def post(self, call: Call) -> Any:
        self.need_place(call.part["channel"])
        body = call.json(
            {"content!": str, "nonce": (str, int), "enforce_nonce": bool, "allowed_mentions": {"parse": [str]}}
        )
        if len(body["content"]) > 2000 or len(str(body.get("nonce", ""))) > 25 or "@invalid.example" in body["content"]:
            raise Problem(400, "Invalid Form Body")
        for each in self.messages:
            if body.get("enforce_nonce") and each.get("nonce") == body.get("nonce"):
                return each
        self.messages.append({**body, "id": str(len(self.messages) + 1)})
        return self.messages[-1]


class Telegram(Stand):
    name = "telegram"
    host = "api.telegram.org"
    given = {"token": "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"}
    key_name, place, unprocessable = "token", "-1001234567890", 400

    def authorize(self, call: Call) -> None:
        if call.part.get("token") != self.given["token"]:
            raise Problem(401, "Unauthorized")

    def error(self, status: int, why: str) -> Any:
        wait = {"parameters": {"retry_after": 7}} if status == 429 else {}
        return {"ok": False, "error_code": status, "description": why, **wait}

    def _routed(self, call: Call) -> Any:
        if f"/bot{self.given['token']}/" not in call.path:
            raise Problem(401, "Unauthorized")
        short = call.path.replace(f"/bot{self.given['token']}", "")
        if (call.method, short) == ("GET", "/getMe"):
            return {"ok": True, "result": {"id": 110201543, "username": "meridian_bot"}}
        if (call.method, short) != ("POST", "/sendMessage"):
            raise Problem(404, "Not Found")
        body = call.json({"chat_id!": (str, int), "text!": str, "link_preview_options": dict})
        if str(body["chat_id"]) != self.place:
            raise Problem(400, "Bad Request: chat not found")
        if "@invalid.example" in body["text"] or len(body["text"]) > 4096:
            raise Problem(400, "Bad Request: message is too long")
        self.messages.append(body)
        return {"ok": True, "result": {"message_id": len(self.messages)}}


class Webhook(Stand):
    name = "webhook"
    host = "hooks.meridian.example"
    given = {"url": "https://hooks.meridian.example/lectern", "secret": "whs_0123456789abcdef"}
    key_name = "secret"

    def __init__(self) -> None:
        super().__init__()
        self._keys: set[str] = set()

    def authorize(self, call: Call) -> None:
        parts = [part.partition("=")[::2] for part in call.headers.get("lectern-signature", "").split(",")]
        at = next((value for name, value in parts if name == "t"), "")
        wanted = hmac.new(self.given["secret"].encode(), f"{at}.".encode() + call.body, hashlib.sha256).hexdigest()
        is_signed = any(hmac.compare_digest(wanted, value) for name, value in parts if name == "v1")
        if not is_signed or abs(time.time() - int(at or 0)) > 300:
            raise Problem(401, "The signature is not good")

    @route("POST", "/lectern")
    def receive(self, call: Call) -> Any:
        body = json.loads(call.body)
        if body["type"] == "ping":
            return {"ok": True}
        if body["contact"]["email"].endswith("@invalid.example"):
            raise Problem(422, "no")
        key = call.headers.get("idempotency-key", "")
        if key not in self._keys:
            self._keys.add(key)
            self.messages.append({"key": key, **body})
        return {"ok": True}


STANDS = (Slack, Discord, Telegram, Webhook)
