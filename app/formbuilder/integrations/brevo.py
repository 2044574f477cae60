"""Brevo (Sendinblue), API v3: https://developers.brevo.com/reference/createcontact.

`emailBlacklisted` is never sent; who is on the blacklist, or left this list, is not put on it again.
"""

from urllib.parse import quote

from app.core.i18n import lazy as _l
from app.formbuilder.integrations import Choice, Contact, Sent, Setting
from app.formbuilder.integrations.client import Caller, choices, filled

_OWN = {"FIRSTNAME", "LASTNAME", "SMS"}


class Brevo(Caller):
    name = "brevo"
    label = "Brevo"
    base = "https://api.brevo.com/v3"
    unasked = _l("They are kept as contacts on no list.")
    place_label = _l("List")
    settings = (Setting("api_key", _l("API key (v3)"), is_secret=True, help=_l("SMTP & API → API keys.")),)

    def headers(self) -> dict[str, str]:
        return {"api-key": self.given["api_key"]}

    async def verify(self) -> str:
        found = await self.ask("GET", "/account")
        return str(found.data.get("companyName") or found["email"])

    async def lists(self) -> list[Choice]:
        return choices((await self.ask("GET", "/contacts/lists", query={"limit": 50})).rows("lists"))

    async def fields(self) -> list[Choice]:
        rows = (await self.ask("GET", "/contacts/attributes")).rows("attributes")
        return [
            each
            for each in choices([row for row in rows if row.get("category") == "normal"], "name")
            if each.id not in _OWN
        ]

    async def add(self, contact: Contact, key: str) -> Sent:
        known = await self.ask("GET", f"/contacts/{quote(contact.email, safe='')}", accept=(404,))
        here = int(self.place) if self.place.isdigit() else 0
        data = known.data if known.status == 200 and isinstance(known.data, dict) else {}
        left = bool(data.get("emailBlacklisted")) or here in (data.get("listUnsubscribed") or [])
        attributes = {name: value for name, value in contact.fields.items() if value is not None}
        # A telephone number without its country is refused, and the whole contact with it.
        phone = contact.phone if contact.phone.startswith("+") else ""
        attributes |= filled(FIRSTNAME=contact.first_name, LASTNAME=contact.last_name, SMS=phone)
        body = {"email": contact.email, "attributes": attributes, "updateEnabled": True}
        if contact.consent and not left:
            body["listIds"] = [here]
        made = await self.ask("POST", "/contacts", body=body)
        who = made.data.get("id") if isinstance(made.data, dict) else data.get("id")
        return Sent(str(who or ""), "left" if left else "created" if made.status == 201 else "updated")


PROVIDER = Brevo
