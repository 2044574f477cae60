"""Ontraport, API 1: https://api.ontraport.com/doc/#create-or-update-a-contact.

`bulk_mail`, who gets mail (0 transactional mail alone, 1 and 2 agreed, below 0 not to be reached), is sent only for who is new and did
not agree: 0. A page holds 50 rows. 429 says in `X-Rate-Limit-Reset` when to come back (https://api.ontraport.com/doc/#rate-limiting).
"""

from typing import Any

from app.core.i18n import lazy as _l
from app.core.numbers import whole_number
from app.formbuilder.integrations import Choice, Contact, Sent, Setting
from app.formbuilder.integrations.client import Caller, choices, filled, text
from app.formbuilder.integrations.paging import at_offset

_CUSTOM = "f"


class Ontraport(Caller):
    name = "ontraport"
    label = "Ontraport"
    base = "https://api.ontraport.com/1"
    unasked = _l("New ones are kept as “transactional only”.")
    place_label = _l("Tag")
    needs_place = False
    settings = (
        Setting("app_id", _l("App id"), help=_l("Administration → Integrations → API keys.")),
        Setting("api_key", _l("API key"), is_secret=True),
    )

    def headers(self) -> dict[str, str]:
        return {"Api-Key": self.given["api_key"], "Api-Appid": self.given["app_id"]}

    async def verify(self) -> str:
        await self.ask("GET", "/Tags", query={"range": 1})
        return self.label

    async def lists(self) -> list[Choice]:
        found = await self.every("/Tags", "data", at_offset("start", 50), {"range": 50})
        return choices(found, "tag_id", "tag_name")

    async def fields(self) -> list[Choice]:
        meta = (await self.ask("GET", "/Contacts/meta"))["data"]
        tables: list[dict[str, Any]] = list(meta.values()) if isinstance(meta, dict) else []
        found = tables[0].get("fields", {}) if tables else {}
        return [
            Choice(name, str(about.get("alias", name)))
            for name, about in found.items()
            if name.startswith(_CUSTOM) and name[1:].isdigit()
        ]

    async def add(self, contact: Contact, key: str) -> Sent:
        form = {name: text(value) for name, value in contact.fields.items()}
        form |= filled(
            email=contact.email, firstname=contact.first_name, lastname=contact.last_name, office_phone=contact.phone
        )
        if not contact.consent and not await self._is_known(contact.email):
            form["bulk_mail"] = "0"
        made = await self.ask("POST", "/Contacts/saveorupdate", form=form)
        data = made["data"]
        who = str(data.get("id") or data.get("attrs", {}).get("id", ""))
        if self.place:
            await self.ask("PUT", "/objects/tag", form={"objectID": "0", "ids": who, "add_list": self.place})
        number = whole_number(who, 18)
        if contact.tags and number is not None:
            body = {"objectID": 0, "ids": [number], "add_names": list(contact.tags)}
            await self.ask("PUT", "/objects/tagByName", body=body)
        return Sent(who, "updated" if "attrs" in data else "created")

    async def _is_known(self, email: str) -> bool:
        found = await self.ask("GET", "/object/getByEmail", query={"objectID": 0, "email": email})
        data = found.data.get("data") if isinstance(found.data, dict) else None
        return isinstance(data, dict) and bool(data.get("id"))


PROVIDER = Ontraport
