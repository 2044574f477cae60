"""Keap, REST v1: https://developer.keap.com/docs/rest/ (createOrUpdateContact).

Service account keys and personal access tokens have a header of their own (https://developer.infusionsoft.com/pat-and-sak/).
`opt_in_reason` makes somebody marketable again, so it goes with new contacts only. Tags are put on by their numbers.
"""

from app.core.i18n import lazy as _l
from app.core.numbers import whole_number
from app.formbuilder.integrations import Choice, Contact, Sent, Setting
from app.formbuilder.integrations.client import Caller, choices, filled, text
from app.formbuilder.integrations.paging import at_offset


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
        key = self.given["api_key"]
        return {"X-Keap-API-Key": key} if key.startswith("KeapAK-") else {"Authorization": f"Bearer {key}"}

    async def verify(self) -> str:
        return str((await self.ask("GET", "/account/profile")).data.get("name", self.label))

    async def lists(self) -> list[Choice]:
        return choices(await self.every("/tags", "tags", at_offset("offset", 1000), {"limit": 1000}))

    async def fields(self) -> list[Choice]:
        return choices((await self.ask("GET", "/contacts/model")).rows("custom_fields"), label="label")

    async def add(self, contact: Contact, key: str) -> Sent:
        known = next(iter((await self.ask("GET", "/contacts", query={"email": contact.email})).rows("contacts")), None)
        custom = [
            {"id": number, "content": text(value)}
            for name, value in contact.fields.items()
            if (number := whole_number(name, 18)) is not None
        ]
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
        place = whole_number(self.place, 18)
        tags = [] if place is None else [place]
        tags += [await self._tag(name) for name in contact.tags]
        if tags:
            await self.ask("POST", f"/contacts/{int(who)}/tags", body={"tagIds": tags})
        left = known is not None and known.get("email_opted_in") is False
        return Sent(str(who), "left" if left else "updated" if known else "created")

    async def _tag(self, name: str) -> int:
        rows = (await self.ask("GET", "/tags", query={"name": name, "limit": 1000})).rows("tags")
        found = next((row["id"] for row in rows if str(row.get("name", "")).lower() == name.lower()), None)
        return int(found if found is not None else (await self.ask("POST", "/tags", body={"name": name}))["id"])


PROVIDER = Keap
