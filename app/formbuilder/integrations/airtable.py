"""Airtable: https://airtable.com/developers/web/api/update-multiple-records (upsert by the e-mail column).

Five requests a second for a base; after a 429 it wants 30 seconds (https://airtable.com/developers/web/api/rate-limits).
"""

from typing import Any
from urllib.parse import quote

from app.core.i18n import _
from app.core.i18n import lazy as _l
from app.formbuilder.integrations import Choice, Contact, Permanent, Sent, Setting
from app.formbuilder.integrations.client import Caller, choices


class Airtable(Caller):
    name = "airtable"
    label = "Airtable"
    takes_lists = True
    pause = 30
    base = "https://api.airtable.com/v0"
    place_label = _l("Table")
    settings = (
        Setting(
            "token",
            _l("Personal access token"),
            is_secret=True,
            help=_l("With data.records:read, data.records:write and schema.bases:read."),
        ),
        Setting("base_id", _l("Id of the base"), help=_l("It begins with app.")),
        Setting("email_column", _l("Column of the address"), default="Email"),
    )

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.given['token']}"}

    async def verify(self) -> str:
        found = await self.ask("GET", "/meta/whoami")
        return str(found.data.get("email") or found["id"])

    async def lists(self) -> list[Choice]:
        return choices(await self._tables())

    async def fields(self) -> list[Choice]:
        return choices((await self._table()).get("fields", []), "name")

    async def add(self, contact: Contact, key: str) -> Sent:
        column = self.given["email_column"]
        columns = {str(each.get("name")) for each in (await self._table()).get("fields", [])}
        own = {
            "First name": contact.first_name,
            "Last name": contact.last_name,
            "Name": contact.name,
            "Phone": contact.phone,
        }
        row: dict[str, Any] = {name: value for name, value in own.items() if value and name in columns}
        if contact.tags and "Tags" in columns:
            row["Tags"] = list(contact.tags)
        row |= contact.fields
        row[column] = contact.email
        # `typecast` lets Airtable read numbers, days and options from what people wrote.
        body = {"performUpsert": {"fieldsToMergeOn": [column]}, "records": [{"fields": row}], "typecast": True}
        made = await self.ask("PATCH", f"/{self._base}/{quote(self.place, safe='')}", body=body)
        who = str(next(iter(made.rows("records")), {}).get("id", ""))
        return Sent(who, "created" if who in (made.data.get("createdRecords") or []) else "updated")

    @property
    def _base(self) -> str:
        return quote(self.given["base_id"], safe="")

    async def _tables(self) -> list[dict[str, Any]]:
        return (await self.ask("GET", f"/meta/bases/{self._base}/tables")).rows("tables")

    async def _table(self) -> dict[str, Any]:
        for each in await self._tables():
            if self.place in (each.get("id"), each.get("name")):
                return each
        raise Permanent(_("The base has no such table."))


PROVIDER = Airtable
