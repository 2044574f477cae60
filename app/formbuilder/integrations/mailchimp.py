"""Mailchimp, Marketing API 3.0: https://mailchimp.com/developer/marketing/api/list-members/add-or-update-list-member/.

`status_if_new` without `status`: who is known keeps the state she has. Only who was never asked ("transactional") is asked then;
who was archived is not touched. Ten requests at once are too many, and no header says when to come back
(https://mailchimp.com/developer/marketing/docs/fundamentals/#throttling); under load the gate answers 403 without JSON.
"""

import hashlib
import re
from urllib.parse import quote

from app.core.i18n import lazy as _l
from app.formbuilder.integrations import Choice, Contact, Passing, RefusedCredentials, Sent, Setting
from app.formbuilder.integrations.client import Caller, basic, choices, filled, text
from app.formbuilder.integrations.paging import at_offset
from app.formbuilder.integrations.replies import Reply

_OWN = {"FNAME", "LNAME", "PHONE"}


class Mailchimp(Caller):
    name = "mailchimp"
    label = "Mailchimp"
    place_label = _l("Audience")
    unasked = _l("They are kept as “transactional” contacts, who get no campaigns.")
    settings = (
        Setting("api_key", _l("API key"), is_secret=True, help=_l("Account → Extras → API keys.")),
        Setting("double_opt_in", _l("Ask new people to confirm"), default="yes", choices=("yes", "no")),
    )

    @property
    def base(self) -> str:  # type: ignore[override]  # follows from the settings
        centre = re.search(r"-([a-z]{2,4}\d{1,3})$", self.given["api_key"])
        if centre is None:
            raise RefusedCredentials(str(_l("A Mailchimp key ends with its data centre, as in -us6.")))
        return f"https://{centre[1]}.api.mailchimp.com/3.0"

    def headers(self) -> dict[str, str]:
        return {"Authorization": basic("key", self.given["api_key"])}

    def refuse(self, reply: Reply) -> None:
        if reply.status == 403 and reply.data is None:
            raise Passing(f"{self.label}: 403")
        super().refuse(reply)

    async def verify(self) -> str:
        return str((await self.ask("GET", "/", query={"fields": "account_name"}))["account_name"])

    async def lists(self) -> list[Choice]:
        return choices(await self.every("/lists", "lists", at_offset("offset", 1000), {"count": 1000}))

    async def fields(self) -> list[Choice]:
        path = f"/lists/{quote(self.place, safe='')}/merge-fields"
        found = await self.every(path, "merge_fields", at_offset("offset", 1000), {"count": 1000})
        return [each for each in choices(found, "tag") if each.id not in _OWN]

    async def add(self, contact: Contact, key: str) -> Sent:
        person = hashlib.md5(contact.email.lower().encode(), usedforsecurity=False).hexdigest()
        path = f"/lists/{quote(self.place, safe='')}/members/{person}"
        seen = await self.ask("GET", path, query={"fields": "status"}, accept=(404,))
        known = str(seen["status"]) if seen.status == 200 else ""
        if known == "archived":
            return Sent(person, "left")
        wanted = "pending" if self.given["double_opt_in"] == "yes" else "subscribed"
        merge = {name: text(value) for name, value in contact.fields.items()}
        merge |= filled(FNAME=contact.first_name, LNAME=contact.last_name, PHONE=contact.phone)
        body = {"email_address": contact.email, "status_if_new": wanted if contact.consent else "transactional"}
        if known == "transactional" and contact.consent:
            body["status"] = wanted
        found = await self.ask(
            "PUT", path, query={"skip_merge_validation": "true"}, body={**body, "merge_fields": merge}
        )
        if contact.tags:
            tags = [{"name": tag, "status": "active"} for tag in contact.tags]
            await self.ask("POST", f"{path}/tags", body={"tags": tags})
        left = found["status"] in ("unsubscribed", "cleaned")
        return Sent(str(found["id"]), "left" if left else "updated" if known else "created")


PROVIDER = Mailchimp
