"""Telegram, as a bot: https://core.telegram.org/bots/api#sendmessage.

It knows no way to send something only once: when an answer is lost, a person decides whether it is sent again.
"""

from app.core.i18n import lazy as _l
from app.formbuilder.integrations import Contact, Passing, Permanent, RefusedCredentials, Sent, Setting
from app.formbuilder.integrations.client import Caller, message
from app.formbuilder.integrations.replies import Reply


class Telegram(Caller):
    name = "telegram"
    label = "Telegram"
    takes_tags = False
    place_label = _l("Chat")
    needs_email = False
    is_repeatable = False
    settings = (Setting("token", _l("Bot token"), is_secret=True, help=_l("From @BotFather.")),)

    @property
    def base(self) -> str:  # type: ignore[override]  # follows from the settings
        return f"https://api.telegram.org/bot{self.given['token']}"

    def refuse(self, reply: Reply) -> None:
        about = reply.data if isinstance(reply.data, dict) else {}
        wait = (about.get("parameters") or {}).get("retry_after")
        why = self.masked(f"{self.label}: {reply.status} {self.reason(reply)}")
        if reply.status == 429 and isinstance(wait, int):
            raise Passing(why, wait)
        if reply.status == 403:  # the bot was put out of this chat; its token is good
            raise Permanent(why)
        if reply.status == 404:  # the token is part of the address
            raise RefusedCredentials(why)
        super().refuse(reply)

    async def verify(self) -> str:
        return str((await self.ask("GET", "/getMe"))["result"].get("username", self.label))

    async def add(self, contact: Contact, key: str) -> Sent:
        words = message(contact)
        body = {
            "chat_id": self.place,
            "text": words if len(words) <= 4096 else words[:4095] + "…",
            "link_preview_options": {"is_disabled": True},
        }
        return Sent(str((await self.ask("POST", "/sendMessage", body=body))["result"]["message_id"]), "posted")


PROVIDER = Telegram
