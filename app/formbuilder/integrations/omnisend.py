"""Omnisend, API v5: https://api-docs.omnisend.com/reference/post_contacts.

Creating says "subscribed" only for who agreed; who is known is changed by her id, without her channels.
"""

from urllib.parse import quote

from app.core import clock
from app.core.i18n import lazy as _l
from app.formbuilder.integrations import Contact, Sent, Setting
from app.formbuilder.integrations.client import Caller, filled


class Omnisend(Caller):
    name = "omnisend"
    label = "Omnisend"
    base = "https://api.omnisend.com/v5"
    settings = (Setting("api_key", _l("API key"), is_secret=True, help=_l("Store settings → API keys.")),)

    def headers(self) -> dict[str, str]:
        return {"X-API-KEY": self.given["api_key"]}

    async def verify(self) -> str:
        await self.ask("GET", "/contacts", query={"limit": 1})
        return self.label

    async def add(self, contact: Contact, key: str) -> Sent:
        known = next(iter((await self.ask("GET", "/contacts", query={"email": contact.email})).rows("contacts")), None)
        about = filled(
            firstName=contact.first_name,
            lastName=contact.last_name,
            tags=list(contact.tags),
            customProperties=dict(contact.fields),
        )
        state = _state(known or {})
        if known is not None and (state == "unsubscribed" or state == "subscribed" or not contact.consent):
            if about:
                await self.ask("PATCH", f"/contacts/{quote(str(known['contactID']))}", body=about)
            return Sent(str(known["contactID"]), "left" if state == "unsubscribed" else "updated")
        status = "subscribed" if contact.consent else "nonSubscribed"
        channel = {"status": status, "statusDate": clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")}
        email = {"type": "email", "id": contact.email, "channels": {"email": channel}}
        made = await self.ask("POST", "/contacts", body={"identifiers": [email], **about})
        return Sent(str(made["contactID"]), "updated" if known else "created")


def _state(known: dict[str, object]) -> str:
    identifiers = known.get("identifiers")
    for each in identifiers if isinstance(identifiers, list) else []:
        if each.get("type") == "email":
            return str(each.get("channels", {}).get("email", {}).get("status", ""))
    return ""


PROVIDER = Omnisend
