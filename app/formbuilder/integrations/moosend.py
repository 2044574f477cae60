"""Moosend, API v3: https://moosendapp.docs.apiary.io/#reference/subscribers/adding-subscribers.

Adding an address that left subscribes it again, and custom fields that are not sent are cleared: both are read first.
Errors come with status 200 and a `Code` that is not 0.
"""

from typing import Any
from urllib.parse import quote

from app.core.i18n import lazy as _l
from app.formbuilder.integrations import Choice, Contact, Permanent, RefusedCredentials, Sent, Setting
from app.formbuilder.integrations.client import Caller, Reply, choices, filled, text

_SUBSCRIBED = (1, "1", "Subscribed")


class Moosend(Caller):
    name = "moosend"
    label = "Moosend"
    base = "https://api.moosend.com/v3"
    place_label = _l("List")
    needs_consent = True
    settings = (Setting("api_key", _l("API key"), is_secret=True, help=_l("Settings → API key.")),)

    def query(self) -> dict[str, str]:
        return {"apikey": self.given["api_key"]}

    async def _asked(self, method: str, path: str, **more: Any) -> Reply:
        reply = await self.ask(method, path, **more)
        data = reply.data if isinstance(reply.data, dict) else {}
        if data.get("Code") not in (0, "0"):
            why = self.masked(f"{self.label}: {data.get('Code')} {data.get('Error', '')}")
            raise RefusedCredentials(why) if data.get("Code") in (1, 401) else Permanent(why)
        return reply

    async def verify(self) -> str:
        await self._asked("GET", "/lists.json")
        return self.label

    async def lists(self) -> list[Choice]:
        return choices(
            (await self._asked("GET", "/lists.json", query={"PageSize": 1000})).rows("Context.MailingLists"),
            "ID",
            "Name",
        )

    async def fields(self) -> list[Choice]:
        found = await self._asked("GET", f"/lists/{quote(self.place, safe='')}/details.json")
        return choices(found.rows("Context.CustomFieldsDefinition"), "Name", "Name")

    async def add(self, contact: Contact, key: str) -> Sent:
        seen = await self.ask(
            "GET", f"/subscribers/{quote(self.place, safe='')}/view.json", query={"Email": contact.email}, accept=(404,)
        )
        known = seen.data.get("Context") if isinstance(seen.data, dict) else None
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
