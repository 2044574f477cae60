"""Drip, API v2: https://developer.drip.com/#create-or-update-a-subscriber.

No `status` is sent. Campaigns are joined with `reactivate_if_removed` off, and not at all by who left. Pages hold 100 rows. 3,600
requests an hour; the next one is told to come again in an hour, without a header (https://developer.drip.com/#rate-limiting).
"""

from urllib.parse import quote

from app.core.i18n import lazy as _l
from app.formbuilder.integrations import Choice, Contact, Sent, Setting
from app.formbuilder.integrations.client import Caller, basic, choices, filled, text
from app.formbuilder.integrations.paging import at_page


class Drip(Caller):
    name = "drip"
    label = "Drip"
    place_label = _l("Campaign")
    needs_place = False
    needs_consent = True
    pause = 3600
    settings = (
        Setting("account_id", _l("Account number"), help=_l("Settings → Account.")),
        Setting("api_key", _l("API token"), is_secret=True, help=_l("Settings → User settings.")),
    )

    @property
    def base(self) -> str:  # type: ignore[override]  # follows from the settings
        return f"https://api.getdrip.com/v2/{quote(self.given['account_id'], safe='')}"

    def headers(self) -> dict[str, str]:
        return {"Authorization": basic(self.given["api_key"], "")}

    async def verify(self) -> str:
        await self.ask("GET", "/campaigns", query={"per_page": 1})
        return f"{self.label} {self.given['account_id']}"

    async def lists(self) -> list[Choice]:
        return choices(await self.every("/campaigns", "campaigns", at_page("page", 100), {"per_page": 100}))

    async def fields(self) -> list[Choice]:
        found = (await self.ask("GET", "/custom_field_identifiers"))["custom_field_identifiers"]
        return [Choice(str(each), str(each)) for each in found]

    async def add(self, contact: Contact, key: str) -> Sent:
        known = await self.ask("GET", f"/subscribers/{quote(contact.email, safe='')}", accept=(404,))
        person = next(iter(known.rows("subscribers")), {}) if known.status == 200 else {}
        left = person.get("status") in ("unsubscribed", "removed")
        fields = {name: text(value) for name, value in contact.fields.items()}
        about = filled(
            first_name=contact.first_name,
            last_name=contact.last_name,
            phone=contact.phone,
            custom_fields=fields,
            tags=list(contact.tags),
        )
        made = await self.ask("POST", "/subscribers", body={"subscribers": [{"email": contact.email, **about}]})
        if self.place and not left:
            row = {"email": contact.email, "reactivate_if_removed": False}
            path = f"/campaigns/{quote(self.place, safe='')}/subscribers"
            await self.ask("POST", path, body={"subscribers": [row]}, accept=(422,) if person else ())
        who = str(next(iter(made.rows("subscribers")), {}).get("id", ""))
        return Sent(who, "left" if left else "updated" if person else "created")


PROVIDER = Drip
