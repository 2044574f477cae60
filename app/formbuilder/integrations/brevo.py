"""Brevo (Sendinblue), API v3: https://developers.brevo.com/reference/createcontact.

`emailBlacklisted` is never sent; who is on the blacklist, or left this list, is not put on it again. A value of another kind than
its attribute is ignored there, so several choices go as a list to an attribute of several only. A telephone number that another
contact has refuses the whole contact: it is left out then. 429 says in `x-sib-ratelimit-reset` when to come back
(https://developers.brevo.com/docs/limit-headers).
"""

from typing import Any
from urllib.parse import quote

from app.core.i18n import lazy as _l
from app.core.numbers import whole_number
from app.formbuilder.integrations import Choice, Contact, Sent, Setting
from app.formbuilder.integrations.client import Caller, choices, filled, text
from app.formbuilder.integrations.paging import at_offset
from app.formbuilder.integrations.replies import Reply

_OWN = {"FIRSTNAME", "LASTNAME", "SMS"}


class Brevo(Caller):
    name = "brevo"
    label = "Brevo"
    takes_tags = False
    takes_lists = True
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
        return choices(await self.every("/contacts/lists", "lists", at_offset("offset", 50), {"limit": 50}))

    async def fields(self) -> list[Choice]:
        rows = (await self.ask("GET", "/contacts/attributes")).rows("attributes")
        return [
            each
            for each in choices([row for row in rows if row.get("category") == "normal"], "name")
            if each.id not in _OWN
        ]

    async def add(self, contact: Contact, key: str) -> Sent:
        known = await self.ask("GET", f"/contacts/{quote(contact.email, safe='')}", accept=(404,))
        here = whole_number(self.place, 18) or 0
        data = known.data if known.status == 200 and isinstance(known.data, dict) else {}
        left = bool(data.get("emailBlacklisted")) or here in (data.get("listUnsubscribed") or [])
        attributes = await self._attributes(contact)
        # A telephone number without its country is refused, and the whole contact with it.
        phone = contact.phone if contact.phone.startswith("+") else ""
        attributes |= filled(FIRSTNAME=contact.first_name, LASTNAME=contact.last_name, SMS=phone)
        body = {"email": contact.email, "attributes": attributes, "updateEnabled": True}
        if contact.consent and not left:
            body["listIds"] = [here]
        made = await self.ask("POST", "/contacts", body=body, accept=(400,))
        if made.status == 400 and phone and _names_phone(made):
            del attributes["SMS"]
            made = await self.ask("POST", "/contacts", body=body)
        elif made.status == 400:
            self.refuse(made)
        who = made.data.get("id") if isinstance(made.data, dict) else data.get("id")
        return Sent(str(who or ""), "left" if left else "created" if made.status == 201 else "updated")

    async def _attributes(self, contact: Contact) -> dict[str, Any]:
        given = {name: value for name, value in contact.fields.items() if value is not None}
        if any(isinstance(value, list) for value in given.values()):
            rows = (await self.ask("GET", "/contacts/attributes")).rows("attributes")
            several = {row.get("name") for row in rows if row.get("type") == "multiple-choice"}
            return {name: value if name in several else _single(value) for name, value in given.items()}
        return given


def _single(value: Any) -> Any:
    return text(value) if isinstance(value, list) else value


def _names_phone(reply: Reply) -> bool:
    """Whether the refusal is for the number: it is another's, or none."""
    return reply.at("code") in ("duplicate_parameter", "invalid_parameter") and any(
        word in str(reply.at("message")).lower() for word in ("sms", "phone")
    )


PROVIDER = Brevo
