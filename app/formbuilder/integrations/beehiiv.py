"""beehiiv, API v2: https://developers.beehiiv.com/api-reference/subscriptions/create. `reactivate_existing` is false.

Who is `inactive` left, who is `paused` does not want mail for a while: both are left alone. Fields that the publication does not have
are discarded there, so they are looked up. 429 says in `RateLimit-Reset` when to come back (https://developers.beehiiv.com/welcome/rate-limiting).
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from app.core.i18n import _
from app.core.i18n import lazy as _l
from app.formbuilder.integrations import Choice, Contact, Permanent, Sent, Setting
from app.formbuilder.integrations.client import Caller, choices, filled, text
from app.formbuilder.integrations.paging import at_cursor, at_page
from app.formbuilder.integrations.replies import Reply

_LEFT = {"inactive", "paused"}


def _after(reply: Reply, count: int, seen: int) -> Mapping[str, Any] | str | None:
    """By the cursor where there is one: page numbers will go (https://developers.beehiiv.com/welcome/pagination)."""
    for where in ("", "pagination."):
        if isinstance(reply.at(f"{where}has_more"), bool):
            return at_cursor("cursor", f"{where}next_cursor")(reply, count, seen)
    return at_page("page", 100)(reply, count, seen)


class Beehiiv(Caller):
    name = "beehiiv"
    label = "beehiiv"
    takes_lists = True
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
        return choices(await self.every("/publications", "data", _after, {"limit": 100}))

    async def fields(self) -> list[Choice]:
        return choices(await self._custom(), "display", "display")

    async def add(self, contact: Contact, key: str) -> Sent:
        people = f"{self._place}/subscriptions"
        seen = await self.ask("GET", f"{people}/by_email/{quote(contact.email, safe='')}", accept=(404,))
        known = seen["data"] if seen.status == 200 else None
        custom = filled(custom_fields=await self._values(contact))
        if known is None:
            welcome = self.given["welcome"] == "yes"
            body = {"email": contact.email, "reactivate_existing": False, "send_welcome_email": welcome, **custom}
            if self.given["double_opt_in"] == "yes":
                body["double_opt_override"] = "on"
            who = str((await self.ask("POST", people, body=body))["data"]["id"])
        else:
            who = str(known["id"])
            if known.get("status") in _LEFT:
                return Sent(who, "left")
            if custom:
                await self.ask("PUT", f"{people}/{quote(who)}", body=custom)
        if contact.tags:
            await self.ask("POST", f"{people}/{quote(who)}/tags", body={"tags": list(contact.tags)})
        return Sent(who, "updated" if known else "created")

    async def _custom(self) -> list[dict[str, Any]]:
        return await self.every(f"{self._place}/custom_fields", "data", _after, {"limit": 100})

    async def _values(self, contact: Contact) -> list[dict[str, Any]]:
        if not contact.fields:
            return []
        kinds = {str(row.get("display")): row.get("kind") for row in await self._custom()}
        found: list[dict[str, Any]] = []
        for name, value in contact.fields.items():
            if name not in kinds:
                raise Permanent(_("%(label)s has no field %(name)s.") % {"label": self.label, "name": name})
            keeps = kinds[name] == "list" or (kinds[name] != "string" and not isinstance(value, list))
            found.append({"name": name, "value": value if keeps and value is not None else text(value)})
        return found

    @property
    def _place(self) -> str:
        return f"/publications/{quote(self.place, safe='')}"


PROVIDER = Beehiiv
