"""Slack, as a bot: https://api.slack.com/methods/chat.postMessage. Answers are 200 with `ok`.

A message carries its key as metadata, and the newest ones are read before another is posted. Apps of the workspace's own may read
50 times a minute (https://api.slack.com/docs/rate-limits); 429 says `Retry-After`.
"""

from typing import Any

from app.core.i18n import lazy as _l
from app.formbuilder.integrations import Choice, Contact, Passing, Permanent, RefusedCredentials, Sent, Setting
from app.formbuilder.integrations.client import Caller, choices, message
from app.formbuilder.integrations.paging import at_cursor
from app.formbuilder.integrations.replies import Reply
from app.formbuilder.integrations.waits import wait_of

_BAD = {"invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "missing_scope"}
_PASSING = {"ratelimited", "internal_error", "fatal_error", "service_unavailable", "request_timeout"}
_KIND = "form_entry"


class Slack(Caller):
    name = "slack"
    label = "Slack"
    takes_tags = False
    base = "https://slack.com/api"
    place_label = _l("Channel")
    needs_email = False
    settings = (
        Setting(
            "token",
            _l("Bot token"),
            is_secret=True,
            help=_l("xoxb-…, with chat:write, channels:read and channels:history; invite the bot to the channel."),
        ),
    )

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.given['token']}"}

    async def ask(self, method: str, path: str, **more: Any) -> Reply:
        """As `Caller.ask`; errors come with 200."""
        return self._checked(await super().ask(method, path, **more))

    def _checked(self, reply: Reply) -> Reply:
        data = reply.data if isinstance(reply.data, dict) else {}
        if data.get("ok") is True:
            return reply
        error = str(data.get("error", "no answer"))
        why = self.masked(f"{self.label}: {error}")
        if error in _BAD:
            raise RefusedCredentials(why)
        raise Passing(why, wait_of(reply)) if error in _PASSING or not data else Permanent(why)

    async def verify(self) -> str:
        return str((await self.ask("POST", "/auth.test")).data.get("team", self.label))

    async def lists(self) -> list[Choice]:
        query = {"types": "public_channel,private_channel", "exclude_archived": "true", "limit": 200}
        follow = at_cursor("cursor", "response_metadata.next_cursor")
        return choices(await self.every("/conversations.list", "channels", follow, query))

    async def add(self, contact: Contact, key: str) -> Sent:
        query = {"channel": self.place, "limit": 50, "include_all_metadata": "true"}
        for row in (await self.ask("GET", "/conversations.history", query=query)).rows("messages"):
            if (row.get("metadata") or {}).get("event_payload", {}).get("key") == key:
                return Sent(str(row.get("ts", "")), "posted")
        # The three characters that mean something in Slack's text.
        words = message(contact).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        body = {
            "channel": self.place,
            "text": words,
            "unfurl_links": False,
            "mrkdwn": False,
            "metadata": {"event_type": _KIND, "event_payload": {"key": key}},
        }
        return Sent(str((await self.ask("POST", "/chat.postMessage", body=body))["ts"]), "posted")


PROVIDER = Slack
