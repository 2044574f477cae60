"""ActiveCampaign, API v3: https://developers.activecampaign.com/reference/sync-a-contacts-data.

A subscription with status 1 revives who left the list, so the state of each list is asked for first
(https://developers.activecampaign.com/reference/update-list-status-for-contact: 0 unconfirmed, 1 active, 2 left, 3 bounced).
Five requests a second for the whole account, then 429 with `Retry-After` (https://developers.activecampaign.com/reference/rate-limits).
"""

from urllib.parse import quote

from app.core.i18n import lazy as _l
from app.formbuilder.integrations import Choice, Contact, Sent, Setting
from app.formbuilder.integrations.client import Caller, choices, filled, text
from app.formbuilder.integrations.paging import at_offset


class ActiveCampaign(Caller):
    name = "activecampaign"
    label = "ActiveCampaign"
    place_label = _l("List")
    unasked = _l("They are kept as contacts on no list.")
    settings = (
        Setting("url", _l("API address"), help=_l("Settings → Developer, as https://account.api-us1.com.")),
        Setting("api_key", _l("API key"), is_secret=True),
    )

    @property
    def base(self) -> str:  # type: ignore[override]  # follows from the settings
        return self.given["url"].rstrip("/") + "/api/3"

    def headers(self) -> dict[str, str]:
        return {"Api-Token": self.given["api_key"]}

    async def verify(self) -> str:
        return str((await self.ask("GET", "/users/me"))["user"].get("username", ""))

    async def lists(self) -> list[Choice]:
        return choices(await self.every("/lists", "lists", at_offset("offset", 100), {"limit": 100}))

    async def fields(self) -> list[Choice]:
        return choices(await self.every("/fields", "fields", at_offset("offset", 100), {"limit": 100}), label="title")

    async def add(self, contact: Contact, key: str) -> Sent:
        known = (await self.ask("GET", "/contacts", query={"email": contact.email})).rows("contacts")
        on_list = await self._state(known[0]["id"]) if known else ""
        about = filled(firstName=contact.first_name, lastName=contact.last_name, phone=contact.phone)
        values = [{"field": name, "value": text(value)} for name, value in contact.fields.items()]
        person = {"email": contact.email, **about, **filled(fieldValues=values)}
        who = str((await self.ask("POST", "/contact/sync", body={"contact": person}))["contact"]["id"])
        for tag in contact.tags:
            await self._tag(who, tag)
        # 2: she left; 3: her address bounced.
        if on_list in ("2", "3"):
            return Sent(who, "left")
        if contact.consent and on_list != "1":
            row = {"list": self.place, "contact": who, "status": "1"}
            await self.ask("POST", "/contactLists", body={"contactList": row})
        return Sent(who, "updated" if known else "created")

    async def _state(self, contact_id: str) -> str:
        path = f"/contacts/{quote(str(contact_id))}/contactLists"
        rows = await self.every(path, "contactLists", at_offset("offset", 100), {"limit": 100})
        return next((str(row.get("status")) for row in rows if str(row.get("list")) == self.place), "")

    async def _tag(self, contact_id: str, name: str) -> None:
        rows = (await self.ask("GET", "/tags", query={"search": name, "limit": 100})).rows("tags")
        found = next((row["id"] for row in rows if row.get("tag") == name), None)
        if found is None:
            made = await self.ask("POST", "/tags", body={"tag": {"tag": name, "tagType": "contact", "description": ""}})
            found = made["tag"]["id"]
        await self.ask("POST", "/contactTags", body={"contactTag": {"contact": contact_id, "tag": str(found)}})


PROVIDER = ActiveCampaign
