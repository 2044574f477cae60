"""GetResponse, API v3: https://apireference.getresponse.com/open-api.json (createContact, upsertContactTags, upsertContactCustoms).

Who left a list is deleted from it and adding her would bring her back, so the removed are searched before anybody is added
(https://apidocs.getresponse.com/v3/case-study/segments-manual). Changing a contact replaces all her tags and fields: those have calls
of their own, which leave the others. Names of tags are letters of ASCII, digits and underscores. 429 says in `X-RateLimit-Reset`
when to come back.
"""

import re
from typing import Any
from urllib.parse import quote

from app.core.i18n import lazy as _l
from app.formbuilder.integrations import Choice, Contact, Sent, Setting
from app.formbuilder.integrations.client import Caller, choices, filled, text
from app.formbuilder.integrations.paging import at_page


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
        return choices(await self.every("/campaigns", "", at_page("page", 1000), {"perPage": 1000}), "campaignId")

    async def fields(self) -> list[Choice]:
        found = await self.every("/custom-fields", "", at_page("page", 1000), {"perPage": 1000})
        return choices(found, "customFieldId")

    async def add(self, contact: Contact, key: str) -> Sent:
        query = {
            "query[email]": contact.email,
            "query[campaignId]": self.place,
            # Else parts of addresses are found too.
            "additionalFlags": "exactMatch",
        }
        rows = (await self.ask("GET", "/contacts", query=query)).rows()
        known = next((row for row in rows if str(row.get("email", "")).lower() == contact.email.lower()), None)
        custom = [
            {"customFieldId": name, "value": value if isinstance(value, list) else [text(value)]}
            for name, value in contact.fields.items()
        ]
        tags = [{"tagId": each} for each in await self._tags(contact.tags)]
        if known is not None:
            path = f"/contacts/{quote(str(known['contactId']))}"
            if contact.name:
                await self.ask("POST", path, body={"name": contact.name})
            if custom:
                await self.ask("POST", f"{path}/custom-fields", body={"customFieldValues": custom})
            if tags:
                await self.ask("POST", f"{path}/tags", body={"tags": tags})
            return Sent(str(known["contactId"]), "updated")
        if await self._left(contact.email):
            return Sent("", "left")
        about = filled(name=contact.name, customFieldValues=custom, tags=tags)
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
        found: list[str] = []
        for name in dict.fromkeys(re.sub(r"\W", "_", name, flags=re.ASCII)[:64].ljust(2, "_") for name in names):
            rows = (await self.ask("GET", "/tags", query={"query[name]": name, "perPage": 1000})).rows()
            known = next((row["tagId"] for row in rows if str(row.get("name", "")).lower() == name.lower()), None)
            if known is None:
                known = (await self.ask("POST", "/tags", body={"name": name}))["tagId"]
            found.append(str(known))
        return found


PROVIDER = GetResponse
