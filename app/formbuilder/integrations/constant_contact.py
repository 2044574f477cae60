"""Constant Contact, API v3: https://developer.constantcontact.com/api_guide/contacts_create_or_update.html.

`sign_up_form` may give who left her permission anew, so she is looked up first. Four requests a second and 10,000 a day, until
midnight UTC; no header says so, the `error_key` does (https://developer.constantcontact.com/api_guide/rate_limits.html).
"""

from datetime import timedelta

from app.core import clock
from app.core.i18n import lazy as _l
from app.formbuilder.integrations import Choice, Contact, Passing, Sent, Setting
from app.formbuilder.integrations.client import OAuthCaller, choices, filled, text
from app.formbuilder.integrations.paging import at_link
from app.formbuilder.integrations.replies import Reply

_NEXT = at_link("_links.next.href")


class ConstantContact(OAuthCaller):
    name = "constant_contact"
    label = "Constant Contact"
    takes_tags = False
    base = "https://api.cc.email/v3"
    token_url = "https://authz.constantcontact.com/oauth2/default/v1/token"  # noqa: S105 (an address)
    place_label = _l("List")
    needs_consent = True
    pause = 2
    settings = (
        Setting("client_id", _l("API key"), help=_l("developer.constantcontact.com → My applications.")),
        Setting("client_secret", _l("Client secret"), is_secret=True),
        Setting("refresh_token", _l("Refresh token"), is_secret=True),
    )

    def refuse(self, reply: Reply) -> None:
        if reply.status == 429 and "quota_exceeded" in reply.text:
            now = clock.now()
            midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
            why = self.masked(f"{self.label}: {self.reason(reply)}")
            raise Passing(why, int((midnight - now).total_seconds()) + 1)
        super().refuse(reply)

    async def verify(self) -> str:
        return str((await self.ask("GET", "/account/summary")).data.get("organization_name", self.label))

    async def lists(self) -> list[Choice]:
        return choices(await self.every("/contact_lists", "lists", _NEXT, {"limit": 1000}), "list_id")

    async def fields(self) -> list[Choice]:
        rows = await self.every("/contact_custom_fields", "custom_fields", _NEXT, {"limit": 100})
        return choices(rows, "custom_field_id", "label")

    async def add(self, contact: Contact, key: str) -> Sent:
        query = {"email": contact.email, "status": "all"}
        known = next(iter((await self.ask("GET", "/contacts", query=query)).rows("contacts")), None)
        if known and known.get("email_address", {}).get("permission_to_send") in ("unsubscribed", "temp_hold"):
            return Sent(str(known.get("contact_id", "")), "left")
        custom = [{"custom_field_id": name, "value": text(value)[:255]} for name, value in contact.fields.items()]
        about = filled(
            first_name=contact.first_name,
            last_name=contact.last_name,
            phone_number=contact.phone,
            custom_fields=custom,
        )
        body = {"email_address": contact.email, "list_memberships": [self.place], **about}
        made = await self.ask("POST", "/contacts/sign_up_form", body=body)
        return Sent(str(made["contact_id"]), "created" if made.data.get("action") == "created" else "updated")


PROVIDER = ConstantContact
