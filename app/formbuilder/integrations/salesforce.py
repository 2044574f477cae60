"""Salesforce, REST API: https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/dome_upsert.htm.

By an external id field when the owner has one, else by the e-mail address. `HasOptedOutOfEmail` is never sent. A full day is 403 with
REQUEST_LIMIT_EXCEEDED (https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/errorcodes.htm).
"""

import re
from collections.abc import Mapping
from urllib.parse import quote

from app.core.i18n import _
from app.core.i18n import lazy as _l
from app.formbuilder.integrations import Choice, Contact, Passing, Permanent, Sent, Setting
from app.formbuilder.integrations.client import OAuthCaller, choices, filled, text
from app.formbuilder.integrations.replies import Reply
from app.formbuilder.integrations.waits import wait_of

_OWN = {"Email", "FirstName", "LastName", "Phone", "HasOptedOutOfEmail"}


class Salesforce(OAuthCaller):
    name = "salesforce"
    label = "Salesforce"
    takes_tags = False
    takes_lists = True
    is_basic = False
    place_label = _l("Object")
    settings = (
        Setting("domain", _l("My Domain address"), help=_l("As https://school.my.salesforce.com.")),
        Setting("client_id", _l("Consumer key"), help=_l("Setup → App Manager → connected app.")),
        Setting("client_secret", _l("Consumer secret"), is_secret=True),
        Setting("refresh_token", _l("Refresh token, if not by client credentials"), is_secret=True, is_required=False),
        Setting("external_id", _l("External id field"), is_required=False),
    )

    @property
    def base(self) -> str:  # type: ignore[override]  # follows from the settings
        return self.given["domain"].rstrip("/") + "/services/data/v62.0"

    @property
    def token_url(self) -> str:  # type: ignore[override]  # follows from the settings
        return self.given["domain"].rstrip("/") + "/services/oauth2/token"

    def token_request(self) -> dict[str, str]:
        if not self.given["refresh_token"]:
            return {"grant_type": "client_credentials"}
        return super().token_request()

    def refuse(self, reply: Reply) -> None:
        if reply.status == 403 and "REQUEST_LIMIT_EXCEEDED" in reply.text:
            raise Passing(self.masked(f"{self.label}: {self.reason(reply)}"), wait_of(reply) or 3600)
        super().refuse(reply)

    async def verify(self) -> str:
        rows = (await self.ask("GET", "/query", query={"q": "SELECT Name FROM Organization"})).rows("records")
        return str(rows[0].get("Name", self.label)) if rows else self.label

    async def lists(self) -> list[Choice]:
        return [Choice("Contact", "Contact"), Choice("Lead", "Lead")]

    async def fields(self) -> list[Choice]:
        rows = (await self.ask("GET", f"/sobjects/{self._object}/describe")).rows("fields")
        return [
            each
            for each in choices([row for row in rows if row.get("updateable")], "name", "label")
            if each.id not in _OWN
        ]

    async def add(self, contact: Contact, key: str) -> Sent:
        row = {name: ";".join(value) if isinstance(value, list) else value for name, value in contact.fields.items()}
        row |= filled(FirstName=contact.first_name, LastName=contact.last_name, Phone=contact.phone)
        row["Email"] = contact.email
        path, field = f"/sobjects/{self._object}", self.given["external_id"]
        if field:
            if not re.fullmatch(r"\w{1,80}", field):
                raise Permanent(_("The external id field is not a name of a field."))
            value = text(row.pop(field, "")) or contact.email
            path = f"{path}/{field}/{quote(value, safe='')}"
            # What only a new row has to have is not written over what is there.
            made = await self.ask("PATCH", path, body=row, accept=(400,))
            if made.status == 400 and "REQUIRED_FIELD_MISSING" in made.text:
                made = await self.ask("PATCH", path, body=self._whole(row, contact))
            elif made.status == 400:
                self.refuse(made)
            who = str(made.data.get("id", "")) if isinstance(made.data, dict) else ""
            return Sent(who, "created" if made.status == 201 else "updated")
        literal = contact.email.replace("\\", "\\\\").replace("'", "\\'")
        query = f"SELECT Id FROM {self._object} WHERE Email = '{literal}' ORDER BY CreatedDate LIMIT 1"  # noqa: S608 (escaped)
        known = (await self.ask("GET", "/query", query={"q": query})).rows("records")
        if known:
            await self.ask("PATCH", f"{path}/{quote(str(known[0]['Id']))}", body=row)
            return Sent(str(known[0]["Id"]), "updated")
        made = await self.ask("POST", path, body=self._whole(row, contact))
        return Sent(str(made["id"]), "created")

    def _whole(self, row: Mapping[str, object], contact: Contact) -> dict[str, object]:
        """A new row has to have a last name, and a lead a company."""
        needed = {"LastName": contact.first_name or contact.email}
        if self._object == "Lead":
            needed["Company"] = "[not provided]"
        return {**needed, **row}

    @property
    def _object(self) -> str:
        return "Lead" if self.place == "Lead" else "Contact"


PROVIDER = Salesforce
