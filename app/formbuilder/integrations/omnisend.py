"""Omnisend, version 2026-03-15: https://api-docs.omnisend.com/v2026-03-15/reference/ (Contacts).

"subscribed" is said only of who agreed and neither is nor was it; others who are known are changed without their channels. Tags are
sent with those that are there: a change replaces the member. A telephone number goes with new contacts alone, not subscribed.
429 says `retryAfter` in its JSON (https://api-docs.omnisend.com/v2026-03-15/reference/rate-limit-timeouts-errors).
"""

from typing import Any
from urllib.parse import quote

from app.core import clock
from app.core.i18n import lazy as _l
from app.formbuilder.integrations import Contact, Sent, Setting
from app.formbuilder.integrations.client import Caller, filled

_MOST_TAGS = 100


class Omnisend(Caller):
    name = "omnisend"
    label = "Omnisend"
    base = "https://api.omnisend.com/api"
    unasked = _l("They are kept as “non-subscribed” contacts.")
    pause = 60
    settings = (Setting("api_key", _l("API key"), is_secret=True, help=_l("Store settings → API keys.")),)

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Omnisend-API-Key {self.given['api_key']}", "Omnisend-Version": "2026-03-15"}

    async def verify(self) -> str:
        await self.ask("GET", "/contacts", query={"limit": 1})
        return self.label

    async def add(self, contact: Contact, key: str) -> Sent:
        known = next(iter((await self.ask("GET", "/contacts", query={"email": contact.email})).rows("contacts")), None)
        tags = list(dict.fromkeys([*((known or {}).get("tags") or []), *contact.tags])) if contact.tags else []
        about = filled(
            firstName=contact.first_name,
            lastName=contact.last_name,
            tags=tags[:_MOST_TAGS],
            customProperties=dict(contact.fields),
        )
        state = _state(known or {})
        if known is not None and (state in ("unsubscribed", "subscribed") or not contact.consent):
            if about:
                await self.ask("PATCH", f"/contacts/{quote(str(known['id']))}", body=about)
            return Sent(str(known["id"]), "left" if state == "unsubscribed" else "updated")
        status = "subscribed" if contact.consent else "nonSubscribed"
        body = {"identifiers": [_identifier("email", contact.email, "email", status)], **about}
        if known is not None:
            await self.ask("PATCH", f"/contacts/{quote(str(known['id']))}", body=body)
            return Sent(str(known["id"]), "updated")
        if contact.phone.startswith("+"):
            body["identifiers"].append(_identifier("phone", contact.phone, "sms", "nonSubscribed"))
        return Sent(str((await self.ask("POST", "/contacts", body=body))["id"]), "created")


def _identifier(kind: str, id: str, channel: str, status: str) -> dict[str, Any]:
    at = clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"type": kind, "id": id, "channels": {channel: {"status": status, "statusChangedAt": at}}}


def _state(known: dict[str, Any]) -> str:
    """What her e-mail channel says; `status` is that of the first address."""
    for each in known.get("identifiers") or []:
        if each.get("type") == "email":
            return str((each.get("channels") or {}).get("email", {}).get("status", "") or known.get("status", ""))
    return str(known.get("status", ""))


PROVIDER = Omnisend
