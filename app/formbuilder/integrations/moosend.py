"""Moosend, API v3: https://moosendapp.docs.apiary.io/#reference/subscribers/adding-subscribers.

Adding an address that left subscribes it again, and custom fields that are not sent are cleared: both are read first
(`SubscribeType`: 1 subscribed, 2 left, 3 bounced, 4 removed). Errors come with status 200 and a `Code` that is not 0; an error that
does not say that nobody has this address is one, for who cannot be looked up may have left. Ten additions in ten seconds are the most
(https://doc.sitecore.com/send/en/developers/api-documentation/api-rate-limiting.html).
"""

from typing import Any
from urllib.parse import quote

from app.core.i18n import lazy as _l
from app.formbuilder.integrations import Choice, Contact, Passing, Permanent, RefusedCredentials, Sent, Setting
from app.formbuilder.integrations.client import Caller, choices, filled, text
from app.formbuilder.integrations.paging import MOST_PAGES
from app.formbuilder.integrations.replies import Reply

_SUBSCRIBED = (1, "1", "Subscribed")
_PAGE = 100


class Moosend(Caller):
    name = "moosend"
    label = "Moosend"
    base = "https://api.moosend.com/v3"
    place_label = _l("List")
    needs_consent = True
    pause = 10
    settings = (Setting("api_key", _l("API key"), is_secret=True, help=_l("Settings → API key.")),)

    def query(self) -> dict[str, str]:
        return {"apikey": self.given["api_key"]}

    async def _asked(self, method: str, path: str, **more: Any) -> Reply:
        return self._checked(await self.ask(method, path, **more))

    def _checked(self, reply: Reply) -> Reply:
        code, error = reply.at("Code"), str(reply.at("Error") or "")
        if code in (0, "0"):
            return reply
        why = self.masked(f"{self.label}: {code} {error}")
        if code in (1, 401):
            raise RefusedCredentials(why)
        if reply.data is None or code == 429 or "RATE" in error.upper():
            raise Passing(why, self.pause)
        raise Permanent(why)

    async def verify(self) -> str:
        await self._asked("GET", "/lists.json")
        return self.label

    async def lists(self) -> list[Choice]:
        found: list[dict[str, Any]] = []
        for number in range(1, MOST_PAGES + 1):
            reply = await self._asked("GET", f"/lists/{number}/{_PAGE}.json")
            page = reply.rows("Context.MailingLists")
            found += page
            if len(page) < _PAGE:
                break
        return choices(found, "ID", "Name")

    async def fields(self) -> list[Choice]:
        found = await self._asked("GET", f"/lists/{quote(self.place, safe='')}/details.json")
        return choices(found.rows("Context.CustomFieldsDefinition"), "Name", "Name")

    async def add(self, contact: Contact, key: str) -> Sent:
        seen = await self.ask(
            "GET", f"/subscribers/{quote(self.place, safe='')}/view.json", query={"Email": contact.email}, accept=(404,)
        )
        is_new = seen.status == 404 or "NOT_FOUND" in str(seen.at("Error")).upper().replace(" ", "_")
        known = None if is_new else self._checked(seen).at("Context")
        if isinstance(known, dict) and known.get("SubscribeType") not in _SUBSCRIBED:
            return Sent(str(known.get("ID", "")), "left")
        kept: dict[str, str] = {}
        for row in (known or {}).get("CustomFields") or []:
            kept[str(row.get("Name"))] = text(row.get("Value"))
        kept |= {name: text(value) for name, value in contact.fields.items()}
        body = filled(
            Email=contact.email,
            Name=contact.name,
            CustomFields=[f"{name}={value}" for name, value in kept.items()],
            Tags=list(contact.tags),
        )
        made = await self._asked("POST", f"/subscribers/{quote(self.place, safe='')}/subscribe.json", body=body)
        return Sent(str(made["Context"]["ID"]), "updated" if known else "created")


PROVIDER = Moosend
