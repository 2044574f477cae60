"""Omnisend, API v5: https://api-docs.omnisend.com/reference/post_contacts.

"subscribed" is said only of who agreed and neither is nor was it; others who are known are changed without their channels.
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
    unasked = _l("They are kept as “non-subscribed” contacts.")
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
        if known is not None and (state in ("unsubscribed", "subscribed") or not contact.consent):
            if about:
                await self.ask("PATCH", f"/contacts/{quote(str(known['contactID']))}", body=about)
            return Sent(str(known["contactID"]), "left" if state == "unsubscribed" else "updated")
        status = "subscribed" if contact.consent else "nonSubscribed"
        channel = {"status": status, "statusDate": clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")}
        body = {"identifiers": [{"type": "email", "id": contact.email, "channels": {"email": channel}}], **about}
        if known is not None:
            await self.ask("PATCH", f"/contacts/{quote(str(known['contactID']))}", body=body)
            return Sent(str(known["contactID"]), "updated")
        return Sent(str((await self.ask("POST", "/contacts", body=body))["contactID"]), "created")


def _state(known: dict[str, object]) -> str:
    identifiers = known.get("identifiers")
    for each in identifiers if isinstance(identifiers, list) else []:
        if each.get("type") == "email":
            return str(each.get("channels", {}).get("email", {}).get("status", ""))
    return ""


PROVIDER = Omnisend
