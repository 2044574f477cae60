"""HubSpot CRM: https://developers.hubspot.com/docs/guides/api/crm/objects/contacts (batch upsert by e-mail).

Subscription states are another interface of HubSpot's and never touched.
"""

from urllib.parse import quote

from app.core.i18n import lazy as _l
from app.formbuilder.integrations import Choice, Contact, Permanent, Sent, Setting
from app.formbuilder.integrations.client import Caller, choices, filled, text

_OWN = {"email", "firstname", "lastname", "phone"}


class HubSpot(Caller):
    name = "hubspot"
    label = "HubSpot"
    takes_lists = True
    base = "https://api.hubapi.com"
    place_label = _l("Static list")
    needs_place = False
    settings = (
        Setting("api_key", _l("Access token"), is_secret=True, help=_l("Settings → Integrations → Private apps.")),
    )

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.given['api_key']}"}

    async def verify(self) -> str:
        return f"{self.label} {(await self.ask('GET', '/account-info/v3/details'))['portalId']}"

    async def lists(self) -> list[Choice]:
        body = {"processingTypes": ["MANUAL"], "count": 500}
        return choices((await self.ask("POST", "/crm/v3/lists/search", body=body)).rows("lists"), "listId")

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
        made = await self.ask("POST", "/crm/v3/objects/contacts/batch/upsert", body={"inputs": [row]})
        rows = made.rows("results")
        if not rows:
            raise Permanent(self.masked(f"{self.label}: {self.reason(made)}"))
        if self.place:
            await self.ask(
                "PUT", f"/crm/v3/lists/{quote(self.place, safe='')}/memberships/add", body=[str(rows[0]["id"])]
            )
        return Sent(str(rows[0]["id"]), "created" if rows[0].get("new") else "updated")


PROVIDER = HubSpot
