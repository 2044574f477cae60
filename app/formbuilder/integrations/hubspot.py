"""HubSpot CRM: https://developers.hubspot.com/docs/api-reference/2026-03/crm/objects/contacts/batch/upsert-contacts (by e-mail).

Lists and properties are those of v3 (https://developers.hubspot.com/docs/guides/api/crm/lists/overview), for which no end is told.
Subscription states are another interface of HubSpot's and never touched. 477 is an account that moves house, with `Retry-After`;
429 says nothing of the time.
"""

from typing import Any
from urllib.parse import quote

from app.core.i18n import lazy as _l
from app.formbuilder.integrations import Choice, Contact, Permanent, Sent, Setting
from app.formbuilder.integrations.client import Caller, choices, filled, text
from app.formbuilder.integrations.paging import MOST_PAGES

_OWN = {"email", "firstname", "lastname", "phone"}
_PAGE = 500


class HubSpot(Caller):
    name = "hubspot"
    label = "HubSpot"
    takes_tags = False
    takes_lists = True
    base = "https://api.hubapi.com"
    place_label = _l("Static list")
    needs_place = False
    passing = Caller.passing | {477}
    pause = 10
    settings = (
        Setting("api_key", _l("Access token"), is_secret=True, help=_l("Settings → Integrations → Private apps.")),
    )

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.given['api_key']}"}

    async def verify(self) -> str:
        return f"{self.label} {(await self.ask('GET', '/account-info/v3/details'))['portalId']}"

    async def lists(self) -> list[Choice]:
        found: list[dict[str, Any]] = []
        for number in range(MOST_PAGES):
            # 0-1 are contacts: lists may hold companies and others too.
            body = {"processingTypes": ["MANUAL"], "objectTypeId": "0-1", "count": _PAGE, "offset": number * _PAGE}
            reply = await self.ask("POST", "/crm/v3/lists/search", body=body)
            found += reply.rows("lists")
            if not reply.at("hasMore"):
                break
        return choices(found, "listId")

    async def fields(self) -> list[Choice]:
        rows = (await self.ask("GET", "/crm/v3/properties/contacts")).rows("results")
        free = [
            row
            for row in rows
            if not row.get("hidden") and not row.get("modificationMetadata", {}).get("readOnlyValue")
        ]
        return [each for each in choices(free, "name", "label") if each.id not in _OWN]

    async def add(self, contact: Contact, key: str) -> Sent:
        about = {
            name: ";".join(value) if isinstance(value, list) else text(value) for name, value in contact.fields.items()
        }
        about |= filled(
            email=contact.email, firstname=contact.first_name, lastname=contact.last_name, phone=contact.phone
        )
        row = {"id": contact.email, "idProperty": "email", "properties": about}
        made = await self.ask("POST", "/crm/objects/2026-03/contacts/batch/upsert", body={"inputs": [row]})
        rows = made.rows("results")
        if not rows:
            raise Permanent(self.masked(f"{self.label}: {self.reason(made)}"))
        if self.place:
            path = f"/crm/v3/lists/{quote(self.place, safe='')}/memberships/add"
            await self.ask("PUT", path, body=[str(rows[0]["id"])])
        return Sent(str(rows[0]["id"]), "created" if rows[0].get("new") else "updated")


PROVIDER = HubSpot
