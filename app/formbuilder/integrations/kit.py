"""Kit (ConvertKit), API v4: https://developers.kit.com/api-reference/subscribers/create-a-subscriber.

Adding somebody to a form or tag makes her active again, so she is looked up first. A field that the account does not have is
left out and named among `warnings`: her answer would be lost, so that is told. 120 requests in 60 seconds are the most
(https://developers.kit.com/api-reference/authentication); the answer does not say when to come back.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from app.core.i18n import lazy as _l
from app.formbuilder.integrations import Choice, Contact, Permanent, Sent, Setting
from app.formbuilder.integrations.client import Caller, choices, filled, text
from app.formbuilder.integrations.paging import at_cursor
from app.formbuilder.integrations.replies import Reply

_LEFT = {"cancelled", "bounced", "complained", "inactive"}


def _after(reply: Reply, count: int, seen: int) -> Mapping[str, Any] | str | None:
    is_more = reply.at("pagination.has_next_page")
    return at_cursor("after", "pagination.end_cursor")(reply, count, seen) if is_more else None


class Kit(Caller):
    name = "kit"
    label = "Kit"
    base = "https://api.kit.com/v4"
    place_label = _l("Form")
    needs_place = False
    needs_consent = True
    pause = 60
    settings = (Setting("api_key", _l("API key (v4)"), is_secret=True, help=_l("Settings → Developer.")),)

    def headers(self) -> dict[str, str]:
        return {"X-Kit-Api-Key": self.given["api_key"]}

    async def verify(self) -> str:
        return str((await self.ask("GET", "/account"))["account"].get("name", ""))

    async def lists(self) -> list[Choice]:
        return choices(await self.every("/forms", "forms", _after, {"per_page": 1000}))

    async def fields(self) -> list[Choice]:
        found = await self.every("/custom_fields", "custom_fields", _after, {"per_page": 1000})
        return choices(found, "key", "label")

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
        for warning in made.at("warnings") or []:
            raise Permanent(self.masked(f"{self.label}: {warning}"))
        return Sent(str(made["subscriber"]["id"]), "updated" if person else "created")


PROVIDER = Kit
