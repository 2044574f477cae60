"""Discord, as a bot: https://discord.com/developers/docs/resources/message#create-message.

An enforced nonce gives the message that is there already instead of a second one, for some minutes. Nobody is mentioned. 429 says
`Retry-After`, and `retry_after` in its JSON (https://discord.com/developers/docs/topics/rate-limits).
"""

import hashlib
from urllib.parse import quote

from app.core.i18n import lazy as _l
from app.formbuilder.integrations import Choice, Contact, Permanent, Sent, Setting
from app.formbuilder.integrations.client import Caller, choices, message
from app.formbuilder.integrations.replies import Reply

# Channels for text, and for announcements.
_FOR_TEXT = (0, 5)


class Discord(Caller):
    name = "discord"
    label = "Discord"
    takes_tags = False
    base = "https://discord.com/api/v10"
    place_label = _l("Channel")
    needs_email = False
    settings = (
        Setting("token", _l("Bot token"), is_secret=True, help=_l("discord.com/developers → Bot.")),
        Setting("server", _l("Server id")),
    )

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bot {self.given['token']}"}

    def refuse(self, reply: Reply) -> None:
        if reply.status == 403:  # this channel is closed to the bot; its token is good
            raise Permanent(self.masked(f"{self.label}: {self.reason(reply)}"))
        super().refuse(reply)

    async def verify(self) -> str:
        return str((await self.ask("GET", "/users/@me"))["username"])

    async def lists(self) -> list[Choice]:
        rows = (await self.ask("GET", f"/guilds/{quote(self.given['server'], safe='')}/channels")).rows()
        return choices([row for row in rows if row.get("type") in _FOR_TEXT])

    async def add(self, contact: Contact, key: str) -> Sent:
        words = message(contact)
        body = {
            "content": words if len(words) <= 2000 else words[:1999] + "…",
            # At most 25 characters.
            "nonce": hashlib.sha256(key.encode()).hexdigest()[:25],
            "enforce_nonce": True,
            "allowed_mentions": {"parse": []},
        }
        path = f"/channels/{quote(self.place, safe='')}/messages"
        return Sent(str((await self.ask("POST", path, body=body))["id"]), "posted")


PROVIDER = Discord
