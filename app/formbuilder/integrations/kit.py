"""Kit (ConvertKit), API v4: https://developers.kit.com/api-reference/subscribers/create-a-subscriber.

Adding somebody to a form or tag makes her active again, so she is looked up first.
"""

from typing import Any
from urllib.parse import quote

from app.core.i18n import lazy as _l
from app.formbuilder.integrations import Choice, Contact, Sent, Setting
from app.formbuilder.integrations.client import Caller, choices, filled, text

_LEFT = {"cancelled", "bounced", "complained", "inactive"}


class Kit(Caller):
    name = "kit"
    label = "Kit"
    base = "https://api.kit.com/v4"
    place_label = _l("Form")
    needs_place = False
    needs_consent = True
    settings = (Setting("api_key", _l("API key (v4)"), is_secret=True, help=_l("Settings → Developer.")),)

    def headers(self) -> dict[str, str]:
        return {"X-Kit-Api-Key": self.given["api_key"]}

    async def verify(self) -> str:
        return str((await self.ask("GET", "/account"))["account"].get("name", ""))

    async def lists(self) -> list[Choice]:
        return choices((await self.ask("GET", "/forms", query={"per_page": 1000})).rows("forms"))

    async def fields(self) -> list[Choice]:
        return choices(
            (await self.ask("GET", "/custom_fields", query={"per_page": 1000})).rows("custom_fields"), "key", "label"
        )

    async def add(self, contact: Contact, key: str) -> Sent:
        known = await self.ask("GET", "/subscribers", query={"email_address": contact.email, "status": "all"})
        person: dict[str, Any] = next(iter(known.rows("subscribers")), {})
        about = filled(
            first_name=contact.first_name, fields={name: text(value) for name, value in contact.fields.items()}
        )
        if person.get("state") in _LEFT:
            await self.ask("PUT", f"/subscribers/{person['id']}", body={"email_address": contact.email, **about})
            return Sent(str(person["id"]), "left")
        made = await self.ask("POST", "/subscribers", body={"email_address": contact.email, **about})
        who = {"email_address": contact.email}
        if self.place:
            await self.ask("POST", f"/forms/{quote(self.place, safe='')}/subscribers", body=who)
        for tag in contact.tags:
            found = await self.ask("POST", "/tags", body={"name": tag})
            await self.ask("POST", f"/tags/{found['tag']['id']}/subscribers", body=who)
        return Sent(str(made["subscriber"]["id"]), "updated" if person else "created")


PROVIDER = Kit
