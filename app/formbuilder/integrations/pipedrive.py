"""Pipedrive, API v2: https://developers.pipedrive.com/docs/api/v1/Persons. Marketing states are never sent."""

from app.core.i18n import lazy as _l
from app.formbuilder.integrations import Choice, Contact, Sent, Setting
from app.formbuilder.integrations.client import Caller, choices, filled


class Pipedrive(Caller):
    name = "pipedrive"
    label = "Pipedrive"
    base = "https://api.pipedrive.com"
    settings = (Setting("api_key", _l("API token"), is_secret=True, help=_l("Personal preferences → API.")),)

    def headers(self) -> dict[str, str]:
        return {"x-api-token": self.given["api_key"]}

    async def verify(self) -> str:
        return str((await self.ask("GET", "/v1/users/me"))["data"].get("company_name", self.label))

    async def fields(self) -> list[Choice]:
        rows = (await self.ask("GET", "/v1/personFields", query={"limit": 500})).rows("data")
        # Those that people added have hashes of 40 characters as their keys.
        return choices([row for row in rows if len(str(row.get("key"))) == 40], "key")

    async def add(self, contact: Contact, key: str) -> Sent:
        query = {"term": contact.email, "fields": "email", "exact_match": "true"}
        found = (await self.ask("GET", "/api/v2/persons/search", query=query)).rows("data.items")
        about = filled(
            name=contact.name,
            phones=[{"value": contact.phone, "primary": True}] if contact.phone else [],
            custom_fields=dict(contact.fields),
        )
        if found:
            who = found[0]["item"]["id"]
            if about:
                await self.ask("PATCH", f"/api/v2/persons/{int(who)}", body=about)
            return Sent(str(who), "updated")
        emails = [{"value": contact.email, "primary": True}]
        made = await self.ask("POST", "/api/v2/persons", body={"name": contact.email, **about, "emails": emails})
        return Sent(str(made["data"]["id"]), "created")


PROVIDER = Pipedrive
