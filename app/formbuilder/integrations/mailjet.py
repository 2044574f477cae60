"""Mailjet, API v3: https://dev.mailjet.com/email/reference/contacts/subscriptions/. `addnoforce` leaves who left where she is.

A page holds 1,000 rows at most (`Limit`, `Offset`).
"""

from app.core.i18n import lazy as _l
from app.core.numbers import whole_number
from app.formbuilder.integrations import Choice, Contact, Sent, Setting
from app.formbuilder.integrations.client import Caller, basic, choices, filled, text
from app.formbuilder.integrations.paging import at_offset

_NEXT = at_offset("Offset", 1000)


class Mailjet(Caller):
    name = "mailjet"
    label = "Mailjet"
    takes_tags = False
    base = "https://api.mailjet.com/v3/REST"
    place_label = _l("List")
    needs_consent = True
    settings = (
        Setting("api_key", _l("API key"), help=_l("Account settings → API keys.")),
        Setting("api_secret", _l("Secret key"), is_secret=True),
    )

    def headers(self) -> dict[str, str]:
        return {"Authorization": basic(self.given["api_key"], self.given["api_secret"])}

    async def verify(self) -> str:
        rows = (await self.ask("GET", "/user")).rows("Data")
        return str(rows[0].get("Username") or rows[0].get("Email")) if rows else self.label

    async def lists(self) -> list[Choice]:
        return choices(await self.every("/contactslist", "Data", _NEXT, {"Limit": 1000}), "ID", "Name")

    async def fields(self) -> list[Choice]:
        return choices(await self.every("/contactmetadata", "Data", _NEXT, {"Limit": 1000}), "Name", "Name")

    async def add(self, contact: Contact, key: str) -> Sent:
        about = filled(Name=contact.name)
        properties = {name: text(value) for name, value in contact.fields.items()}
        body = {"Email": contact.email, **about, "Action": "addnoforce", "Properties": properties}
        path = f"/contactslist/{whole_number(self.place, 18) or 0}/managecontact"
        rows = (await self.ask("POST", path, body=body)).rows("Data")
        return Sent(str(rows[0].get("ContactID", "")) if rows else "", "updated")


PROVIDER = Mailjet
