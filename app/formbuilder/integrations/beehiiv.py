"""beehiiv, API v2: https://developers.beehiiv.com/api-reference/subscriptions/create. `reactivate_existing` is false."""

from urllib.parse import quote

from app.core.i18n import lazy as _l
from app.formbuilder.integrations import Choice, Contact, Sent, Setting
from app.formbuilder.integrations.client import Caller, choices, filled, text


class Beehiiv(Caller):
    name = "beehiiv"
    label = "beehiiv"
    base = "https://api.beehiiv.com/v2"
    place_label = _l("Publication")
    needs_consent = True
    settings = (
        Setting("api_key", _l("API key"), is_secret=True, help=_l("Settings → API.")),
        Setting("double_opt_in", _l("Ask new people to confirm"), default="yes", choices=("yes", "no")),
        Setting("welcome", _l("Send the welcome mail"), default="no", choices=("yes", "no")),
    )

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.given['api_key']}"}

    async def verify(self) -> str:
        rows = (await self.ask("GET", "/publications")).rows("data")
        return str(rows[0].get("name", self.label)) if rows else self.label

    async def lists(self) -> list[Choice]:
        return choices((await self.ask("GET", "/publications", query={"limit": 100})).rows("data"))

    async def fields(self) -> list[Choice]:
        rows = (await self.ask("GET", f"{self._place}/custom_fields", query={"limit": 100})).rows("data")
        return choices(rows, "display", "display")

    async def add(self, contact: Contact, key: str) -> Sent:
        people = f"{self._place}/subscriptions"
        seen = await self.ask("GET", f"{people}/by_email/{quote(contact.email, safe='')}", accept=(404,))
        known = seen["data"] if seen.status == 200 else None
        custom = filled(custom_fields=[{"name": name, "value": text(value)} for name, value in contact.fields.items()])
        if known is None:
            welcome = self.given["welcome"] == "yes"
            body = {"email": contact.email, "reactivate_existing": False, "send_welcome_email": welcome, **custom}
            if self.given["double_opt_in"] == "yes":
                body["double_opt_override"] = "on"
            who = str((await self.ask("POST", people, body=body))["data"]["id"])
        else:
            who = str(known["id"])
            if known.get("status") == "inactive":
                return Sent(who, "left")
            if custom:
                await self.ask("PUT", f"{people}/{quote(who)}", body=custom)
        if contact.tags:
            await self.ask("POST", f"{people}/{quote(who)}/tags", body={"tags": list(contact.tags)})
        return Sent(who, "updated" if known else "created")

    @property
    def _place(self) -> str:
        return f"/publications/{quote(self.place, safe='')}"


PROVIDER = Beehiiv
