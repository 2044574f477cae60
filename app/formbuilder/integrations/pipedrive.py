"""Pipedrive, API v2: https://developers.pipedrive.com/docs/api/v1/Persons. Marketing states are never sent.

What v2 has is no longer promised in v1 (https://developers.pipedrive.com/changelog/post/deprecation-of-selected-api-v1-endpoints).
It takes no number as a text, and options by their ids (https://pipedrive.readme.io/docs/pipedrive-api-v2-migration-guide); numbers of
telephones are replaced altogether, so they are sent only to who has none.
"""

from typing import Any

from app.core.i18n import _
from app.core.i18n import lazy as _l
from app.formbuilder.integrations import Choice, Contact, Permanent, Sent, Setting, Value
from app.formbuilder.integrations.client import Caller, choices, filled, text
from app.formbuilder.integrations.paging import at_cursor


class Pipedrive(Caller):
    name = "pipedrive"
    label = "Pipedrive"
    takes_tags = False
    takes_lists = True
    base = "https://api.pipedrive.com"
    # Of the short window; the tokens of a day end at midnight of their server.
    pause = 2
    settings = (Setting("api_key", _l("API token"), is_secret=True, help=_l("Personal preferences → API.")),)

    def headers(self) -> dict[str, str]:
        return {"x-api-token": self.given["api_key"]}

    async def verify(self) -> str:
        return str((await self.ask("GET", "/v1/users/me"))["data"].get("company_name", self.label))

    async def fields(self) -> list[Choice]:
        return choices(await self._custom(), "field_code", "field_name")

    async def add(self, contact: Contact, key: str) -> Sent:
        query = {"term": contact.email, "fields": "email", "exact_match": "true"}
        found = (await self.ask("GET", "/api/v2/persons/search", query=query)).rows("data.items")
        known = found[0]["item"] if found else {}
        phones = [{"value": contact.phone, "primary": True}] if contact.phone and not known.get("phones") else []
        about = filled(name=contact.name, phones=phones, custom_fields=await self._values(contact))
        if known:
            if about:
                await self.ask("PATCH", f"/api/v2/persons/{int(known['id'])}", body=about)
            return Sent(str(known["id"]), "updated")
        emails = [{"value": contact.email, "primary": True}]
        made = await self.ask("POST", "/api/v2/persons", body={"name": contact.email, **about, "emails": emails})
        return Sent(str(made["data"]["id"]), "created")

    async def _custom(self) -> list[dict[str, Any]]:
        follow = at_cursor("cursor", "additional_data.next_cursor")
        rows = await self.every("/api/v2/personFields", "data", follow, {"limit": 500})
        # Those that people added have hashes of 40 characters as their codes.
        return [row for row in rows if len(str(row.get("field_code"))) == 40]

    async def _values(self, contact: Contact) -> dict[str, Any]:
        if not contact.fields:
            return {}
        known = {str(row["field_code"]): row for row in await self._custom()}
        return {name: _typed(known.get(name, {}), value) for name, value in contact.fields.items()}


def _typed(field: dict[str, Any], value: Value) -> Any:
    """The value as a field of this type takes it. Raises Permanent for an option that there is not."""
    kind, words = field.get("field_type"), text(value)
    if not words:
        return None
    if kind in ("enum", "set"):
        ids = {str(each.get("label", "")).lower(): each.get("id") for each in field.get("options") or []}
        chosen = value if isinstance(value, list) else [words]
        for each in chosen:
            if str(each).lower() not in ids:
                said = {"name": field.get("field_name", ""), "option": each}
                raise Permanent(_("The field %(name)s has no option %(option)s.") % said)
        found = [ids[str(each).lower()] for each in chosen]
        return found if kind == "set" else found[0]
    if kind in ("double", "int") and isinstance(value, str):
        try:
            return int(words) if kind == "int" else float(words)
        except ValueError:
            raise Permanent(_("%(value)s is not a number.") % {"value": words}) from None
    return value if isinstance(value, bool | int | float) else words


PROVIDER = Pipedrive
