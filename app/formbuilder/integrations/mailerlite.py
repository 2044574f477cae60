"""MailerLite: https://developers.mailerlite.com/docs/subscribers.html.

No `status` is ever sent; who left is brought up to date by her id, without a group. Fields and groups
that are not named stay. 120 requests a minute, then 429 with `Retry-After` (https://developers.mailerlite.com/docs/#rate-limits).
"""

from urllib.parse import quote

from app.core.i18n import lazy as _l
from app.formbuilder.integrations import Choice, Contact, Sent, Setting
from app.formbuilder.integrations.client import Caller, choices, filled, text
from app.formbuilder.integrations.paging import at_page

_OWN = {"email", "name", "last_name", "phone"}
_LEFT = {"unsubscribed", "bounced", "junk"}


class MailerLite(Caller):
    name = "mailerlite"
    label = "MailerLite"
    takes_tags = False
    base = "https://connect.mailerlite.com/api"
    place_label = _l("Group")
    needs_consent = True
    settings = (Setting("api_key", _l("API token"), is_secret=True, help=_l("Integrations → API.")),)

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.given['api_key']}"}

    async def verify(self) -> str:
        await self.ask("GET", "/groups", query={"limit": 1})
        return self.label

    async def lists(self) -> list[Choice]:
        return choices(await self.every("/groups", "data", at_page("page", 100), {"limit": 100}))

    async def fields(self) -> list[Choice]:
        found = await self.every("/fields", "data", at_page("page", 100), {"limit": 100})
        return [each for each in choices(found, "key") if each.id not in _OWN]

    async def add(self, contact: Contact, key: str) -> Sent:
        known = await self.ask("GET", f"/subscribers/{quote(contact.email, safe='')}", accept=(404,))
        about = {name: text(value) for name, value in contact.fields.items()}
        about |= filled(name=contact.first_name, last_name=contact.last_name, phone=contact.phone)
        if known.status != 404 and known["data"].get("status") in _LEFT:
            who = str(known["data"]["id"])
            await self.ask("PUT", f"/subscribers/{who}", body={"fields": about})
            return Sent(who, "left")
        body = {"email": contact.email, "fields": about, "groups": [self.place]}
        made = await self.ask("POST", "/subscribers", body=body)
        return Sent(str(made["data"]["id"]), "created" if made.status == 201 else "updated")


PROVIDER = MailerLite
