"""GetResponse, API v3: https://apireference.getresponse.com/#operation/createContact.

Who left a list is deleted from it and adding her would bring her back, so the removed are searched before anybody is added.
"""

from typing import Any
from urllib.parse import quote

from app.core.i18n import lazy as _l
from app.formbuilder.integrations import Choice, Contact, Sent, Setting
from app.formbuilder.integrations.client import Caller, choices, filled, text


class GetResponse(Caller):
    name = "getresponse"
    label = "GetResponse"
    takes_lists = True
    base = "https://api.getresponse.com/v3"
    place_label = _l("List")
    needs_consent = True
    settings = (Setting("api_key", _l("API key"), is_secret=True, help=_l("Tools → Integrations and API.")),)

    def headers(self) -> dict[str, str]:
        return {"X-Auth-Token": f"api-key {self.given['api_key']}"}

    async def verify(self) -> str:
        return str((await self.ask("GET", "/accounts"))["email"])

    async def lists(self) -> list[Choice]:
        return choices((await self.ask("GET", "/campaigns", query={"perPage": 1000})).rows(), "campaignId")

    async def fields(self) -> list[Choice]:
        return choices((await self.ask("GET", "/custom-fields", query={"perPage": 1000})).rows(), "customFieldId")

    async def add(self, contact: Contact, key: str) -> Sent:
        query = {"query[email]": contact.email, "query[campaignId]": self.place}
        rows = (await self.ask("GET", "/contacts", query=query)).rows()
        # The search finds parts of addresses too.
        known = next((row for row in rows if str(row.get("email", "")).lower() == contact.email.lower()), None)
        custom = [
            {"customFieldId": name, "value": value if isinstance(value, list) else [text(value)]}
            for name, value in contact.fields.items()
        ]
        tags = [{"tagId": each} for each in await self._tags(contact.tags)]
        about = filled(name=contact.name, customFieldValues=custom, tags=tags)
        if known is not None:
            if about:
                await self.ask("POST", f"/contacts/{quote(str(known['contactId']))}", body=about)
            return Sent(str(known["contactId"]), "updated")
        if await self._left(contact.email):
            return Sent("", "left")
        body = {"email": contact.email, "campaign": {"campaignId": self.place}, **about}
        await self.ask("POST", "/contacts", body=body, accept=(409,))
        return Sent("", "created")

    async def _left(self, email: str) -> bool:
        condition = {"conditionType": "email", "operatorType": "string_operator", "operator": "is", "value": email}
        section = {
            "campaignIdsList": [self.place],
            "logicOperator": "or",
            "subscriberCycle": ["receiving_autoresponder", "not_receiving_autoresponder"],
            "subscriptionDate": "all_time",
            "conditions": [condition],
        }
        body: dict[str, Any] = {
            "subscribersType": ["removed"],
            "sectionLogicOperator": "or",
            "section": [section],
        }
        return bool((await self.ask("POST", "/search-contacts/contacts", body=body)).rows())

    async def _tags(self, names: tuple[str, ...]) -> list[str]:
        if not names:
            return []
        known = {str(row.get("name")): str(row.get("tagId")) for row in (await self.ask("GET", "/tags")).rows()}
        for name in names:
            if name not in known:
                known[name] = str((await self.ask("POST", "/tags", body={"name": name}))["tagId"])
        return [known[name] for name in names]


PROVIDER = GetResponse
