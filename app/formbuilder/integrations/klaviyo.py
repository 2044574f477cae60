"""Klaviyo: https://developers.klaviyo.com/en/reference/create_or_update_profile (JSON:API, dated revisions).

The profile call leaves consent alone; the subscription job would revive who left, so her consent is read first: whether she left
altogether, is suppressed, or left this list alone (`list_suppressions`). A page of lists holds ten. 429 says `Retry-After`
(https://developers.klaviyo.com/en/docs/rate_limits_and_error_handling); a revision lives two years.
"""

import json
from typing import Any

from app.core.i18n import lazy as _l
from app.formbuilder.integrations import Choice, Contact, Sent, Setting
from app.formbuilder.integrations.client import Caller, filled
from app.formbuilder.integrations.paging import at_link

_TYPE = {"Content-Type": "application/vnd.api+json"}


class Klaviyo(Caller):
    name = "klaviyo"
    label = "Klaviyo"
    takes_lists = True
    base = "https://a.klaviyo.com/api"
    unasked = _l("They are kept as profiles without a subscription.")
    place_label = _l("List")
    settings = (Setting("api_key", _l("Private API key"), is_secret=True, help=_l("Settings → API keys.")),)

    def headers(self) -> dict[str, str]:
        return {
            "Authorization": f"Klaviyo-API-Key {self.given['api_key']}",
            "revision": "2026-07-15",
            "Accept": "application/vnd.api+json",
        }

    async def verify(self) -> str:
        [account, *_] = (await self.ask("GET", "/accounts")).rows("data") or [{}]
        about = account.get("attributes", {}).get("contact_information", {})
        return str(about.get("organization_name") or account.get("id", self.label))

    async def lists(self) -> list[Choice]:
        rows = await self.every("/lists", "data", at_link("links.next"))
        return [Choice(str(row["id"]), str(row.get("attributes", {}).get("name", row["id"]))) for row in rows]

    async def add(self, contact: Contact, key: str) -> Sent:
        state, is_known = await self._state(contact.email)
        about = filled(
            first_name=contact.first_name,
            last_name=contact.last_name,
            # Only numbers with their country are taken.
            phone_number=contact.phone if contact.phone.startswith("+") else "",
            properties={**contact.fields, **({"tags": list(contact.tags)} if contact.tags else {})},
        )
        profile = {"type": "profile", "attributes": {"email": contact.email, **about}}
        made = await self.ask("POST", "/profile-import", body={"data": profile}, headers=_TYPE)
        who = str(made["data"]["id"])
        if state == "left":
            return Sent(who, "left")
        if contact.consent:
            await self.ask(
                "POST", "/profile-subscription-bulk-create-jobs", body=self._job(contact.email), headers=_TYPE
            )
        return Sent(who, "updated" if is_known else "created")

    async def _state(self, email: str) -> tuple[str, bool]:
        query = {"filter": f"equals(email,{json.dumps(email)})", "additional-fields[profile]": "subscriptions"}
        rows = (await self.ask("GET", "/profiles", query=query)).rows("data")
        if not rows:
            return "", False
        marketing = rows[0].get("attributes", {}).get("subscriptions", {}).get("email", {}).get("marketing", {})
        here = any(each.get("list_id") == self.place for each in marketing.get("list_suppressions") or [])
        left = marketing.get("consent") == "UNSUBSCRIBED" or bool(marketing.get("suppression")) or here
        return "left" if left else "", True

    def _job(self, email: str) -> dict[str, Any]:
        agreed = {"email": {"marketing": {"consent": "SUBSCRIBED"}}}
        profile = {"type": "profile", "attributes": {"email": email, "subscriptions": agreed}}
        return {
            "data": {
                "type": "profile-subscription-bulk-create-job",
                "attributes": {"profiles": {"data": [profile]}},
                "relationships": {"list": {"data": {"type": "list", "id": self.place}}},
            }
        }


PROVIDER = Klaviyo
