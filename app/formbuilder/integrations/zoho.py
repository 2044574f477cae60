"""Zoho CRM, API v8: https://www.zoho.com/crm/developer/docs/api/v8/upsert-records.html.

Each data centre has addresses of its own (https://www.zoho.com/crm/developer/docs/api/v8/multi-dc.html). `Email_Opt_Out` is never
sent. Several choices go as a list to a field of several (`multiselectpicklist`) only. What is wrong with a row is told in the row,
with a status of success; 429 says nothing of the time (https://www.zoho.com/crm/developer/docs/api/v8/api-limits.html).
"""

from typing import Any
from urllib.parse import quote

from app.core.i18n import lazy as _l
from app.formbuilder.integrations import Choice, Contact, Permanent, Sent, Setting
from app.formbuilder.integrations.client import OAuthCaller, choices, filled, text

_OWN = {"Email", "First_Name", "Last_Name", "Phone", "Email_Opt_Out", "Tag"}
_REGIONS = ("com", "eu", "in", "com.au", "jp", "ca", "sa", "ae", "com.cn")
# Where the accounts' addresses end otherwise.
_ACCOUNTS = {"ca": "zohocloud.ca"}


class Zoho(OAuthCaller):
    name = "zoho"
    label = "Zoho CRM"
    takes_lists = True
    is_basic = False
    pause = 60
    scheme = "Zoho-oauthtoken"
    place_label = _l("Module")
    settings = (
        Setting("region", _l("Data centre"), default="com", choices=_REGIONS),
        Setting("client_id", _l("Client id"), help=_l("api-console.zoho.com → Self client.")),
        Setting("client_secret", _l("Client secret"), is_secret=True),
        Setting("refresh_token", _l("Refresh token"), is_secret=True),
    )

    @property
    def _region(self) -> str:
        return self.given["region"] if self.given["region"] in _REGIONS else "com"

    @property
    def base(self) -> str:  # type: ignore[override]  # follows from the settings
        return f"https://www.zohoapis.{self._region}/crm/v8"

    @property
    def token_url(self) -> str:  # type: ignore[override]  # follows from the settings
        return f"https://accounts.{_ACCOUNTS.get(self._region, f'zoho.{self._region}')}/oauth/v2/token"

    async def verify(self) -> str:
        return str(next(iter((await self.ask("GET", "/org")).rows("org")), {}).get("company_name", self.label))

    async def lists(self) -> list[Choice]:
        return [Choice("Contacts", "Contacts"), Choice("Leads", "Leads")]

    async def fields(self) -> list[Choice]:
        rows = (await self.ask("GET", "/settings/fields", query={"module": self._module})).rows("fields")
        found = choices([row for row in rows if not row.get("read_only")], "api_name", "field_label")
        return [each for each in found if each.id not in _OWN]

    async def add(self, contact: Contact, key: str) -> Sent:
        row = await self._values(contact) | filled(
            First_Name=contact.first_name,
            Last_Name=contact.last_name,
            Email=contact.email,
            Phone=contact.phone,
            Tag=[{"name": tag} for tag in contact.tags],
        )
        known = "" if contact.last_name else await self._known(contact.email)
        if known:
            made = await self.ask("PUT", f"/{self._module}/{quote(known)}", body={"data": [row]})
        else:
            # A new one has to have it, and what was there is not written over.
            row.setdefault("Last_Name", contact.first_name or contact.email)
            body = {"data": [row], "duplicate_check_fields": ["Email"]}
            made = await self.ask("POST", f"/{self._module}/upsert", body=body)
        [result, *_] = made.rows("data") or [{}]
        if result.get("code") != "SUCCESS":
            raise Permanent(self.masked(f"{self.label}: {result.get('code')} {result.get('message', '')}"))
        who = str(result.get("details", {}).get("id", ""))
        return Sent(who, "created" if result.get("action") == "insert" else "updated")

    async def _known(self, email: str) -> str:
        # 204 when there is none.
        rows = (await self.ask("GET", f"/{self._module}/search", query={"email": email})).rows("data")
        return next((str(row["id"]) for row in rows if str(row.get("Email", "")).lower() == email.lower()), "")

    async def _values(self, contact: Contact) -> dict[str, Any]:
        given = dict(contact.fields)
        if any(isinstance(value, list) for value in given.values()):
            rows = (await self.ask("GET", "/settings/fields", query={"module": self._module})).rows("fields")
            several = {row.get("api_name") for row in rows if row.get("data_type") == "multiselectpicklist"}
            return {
                name: text(value) if isinstance(value, list) and name not in several else value
                for name, value in given.items()
            }
        return given

    @property
    def _module(self) -> str:
        return "Leads" if self.place == "Leads" else "Contacts"


PROVIDER = Zoho
