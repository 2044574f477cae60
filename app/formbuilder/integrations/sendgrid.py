"""Twilio SendGrid, Marketing v3: https://www.twilio.com/docs/sendgrid/api-reference/contacts/add-or-update-a-contact.

Contacts are taken in later (202); who unsubscribed from everything is asked for first
(https://www.twilio.com/docs/sendgrid/api-reference/suppressions-global-suppressions) and not put on a list. 429 says in
`X-RateLimit-Reset` when to come back (https://www.twilio.com/docs/sendgrid/api-reference/how-to-use-the-sendgrid-v3-api/rate-limits).
Accounts in the European Union have an address of their own.
"""

from urllib.parse import quote

from app.core.i18n import lazy as _l
from app.formbuilder.integrations import Choice, Contact, Sent, Setting
from app.formbuilder.integrations.client import Caller, choices, filled, text
from app.formbuilder.integrations.paging import at_link

_HOSTS = {"global": "api.sendgrid.com", "eu": "api.eu.sendgrid.com"}


class SendGrid(Caller):
    name = "sendgrid"
    label = "SendGrid"
    takes_tags = False
    unasked = _l("They are kept as contacts on no list.")
    place_label = _l("List")
    settings = (
        Setting("api_key", _l("API key"), is_secret=True, help=_l("Settings → API keys.")),
        Setting("region", _l("Region"), default="global", choices=tuple(_HOSTS)),
    )

    @property
    def base(self) -> str:  # type: ignore[override]  # follows from the settings
        return f"https://{_HOSTS.get(self.given['region'], _HOSTS['global'])}/v3"

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.given['api_key']}"}

    async def verify(self) -> str:
        await self.ask("GET", "/marketing/lists", query={"page_size": 1})
        return self.label

    async def lists(self) -> list[Choice]:
        return choices(await self.every("/marketing/lists", "result", at_link("_metadata.next"), {"page_size": 1000}))

    async def fields(self) -> list[Choice]:
        return choices((await self.ask("GET", "/marketing/field_definitions")).rows("custom_fields"))

    async def add(self, contact: Contact, key: str) -> Sent:
        stopped = await self.ask("GET", f"/asm/suppressions/global/{quote(contact.email, safe='')}", accept=(404,))
        left = stopped.status == 200 and bool((stopped.data or {}).get("recipient_email"))
        custom = {
            name: value if isinstance(value, int | float) else text(value) for name, value in contact.fields.items()
        }
        about = filled(
            first_name=contact.first_name,
            last_name=contact.last_name,
            phone_number=contact.phone,
            custom_fields=custom,
        )
        body: dict[str, object] = {"contacts": [{"email": contact.email, **about}]}
        if contact.consent and not left:
            body["list_ids"] = [self.place]
        made = await self.ask("PUT", "/marketing/contacts", body=body)
        return Sent(str(made["job_id"]), "left" if left else "updated")


PROVIDER = SendGrid
