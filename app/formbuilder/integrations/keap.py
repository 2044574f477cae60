"""Keap, REST v1: https://developer.keap.com/docs/rest/. A service account key or personal access token is the bearer.

`opt_in_reason` makes somebody marketable again, so it goes with new contacts only.
"""

from app.core.i18n import lazy as _l
from app.formbuilder.integrations import Choice, Contact, Sent, Setting
from app.formbuilder.integrations.client import Caller, choices, filled, text


class Keap(Caller):
    name = "keap"
    label = "Keap"
    base = "https://api.infusionsoft.com/crm/rest/v1"
    unasked = _l("They are kept without a reason to write to them: Keap sends them no campaigns.")
    place_label = _l("Tag")
    needs_place = False
    settings = (
        Setting(
            "api_key",
            _l("Service account key"),
            is_secret=True,
            help=_l("Settings → API; a personal access token will do too."),
        ),
    )

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.given['api_key']}"}

    async def verify(self) -> str:
        return str((await self.ask("GET", "/account/profile")).data.get("name", self.label))

    async def lists(self) -> list[Choice]:
        return choices((await self.ask("GET", "/tags", query={"limit": 1000})).rows("tags"))

    async def fields(self) -> list[Choice]:
        return choices((await self.ask("GET", "/contacts/model")).rows("custom_fields"), label="label")

    async def add(self, contact: Contact, key: str) -> Sent:
        known = next(iter((await self.ask("GET", "/contacts", query={"email": contact.email})).rows("contacts")), None)
        custom = [{"id": int(name), "content": text(value)} for name, value in contact.fields.items() if name.isdigit()]
        body = filled(
            given_name=contact.first_name,
            family_name=contact.last_name,
            phone_numbers=[{"field": "PHONE1", "number": contact.phone}] if contact.phone else [],
            custom_fields=custom,
            opt_in_reason=f"Form: {contact.title}"[:200] if contact.consent and known is None else "",
        )
        body["duplicate_option"] = "Email"
        body["email_addresses"] = [{"email": contact.email, "field": "EMAIL1"}]
        who = (await self.ask("PUT", "/contacts", body=body))["id"]
        if self.place.isdigit():
            await self.ask("POST", f"/contacts/{int(who)}/tags", body={"tagIds": [int(self.place)]})
        left = known is not None and known.get("email_opted_in") is False
        return Sent(str(who), "left" if left else "updated" if known else "created")


PROVIDER = Keap
