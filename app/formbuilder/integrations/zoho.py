"""Zoho CRM, API v8: https://www.zoho.com/crm/developer/docs/api/v8/upsert-records.html.

Each data centre has addresses of its own. `Email_Opt_Out` is never sent.
"""

from app.core.i18n import lazy as _l
from app.formbuilder.integrations import Choice, Contact, Permanent, Sent, Setting
from app.formbuilder.integrations.client import OAuthCaller, choices, filled

_OWN = {"Email", "First_Name", "Last_Name", "Phone", "Email_Opt_Out", "Tag"}
_REGIONS = ("com", "eu", "in", "com.au", "jp", "sa", "com.cn")


class Zoho(OAuthCaller):
    name = "zoho"
    label = "Zoho CRM"
    is_basic = False
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
        return f"https://accounts.zoho.{self._region}/oauth/v2/token"

    async def verify(self) -> str:
        return str(next(iter((await self.ask("GET", "/org")).rows("org")), {}).get("company_name", self.label))

    async def lists(self) -> list[Choice]:
        return [Choice("Contacts", "Contacts"), Choice("Leads", "Leads")]

    async def fields(self) -> list[Choice]:
        rows = (await self.ask("GET", "/settings/fields", query={"module": self._module})).rows("fields")
        found = choices([row for row in rows if not row.get("read_only")], "api_name", "field_label")
        return [each for each in found if each.id not in _OWN]

    async def add(self, contact: Contact, key: str) -> Sent:
        row = dict(contact.fields) | filled(
            First_Name=contact.first_name,
            # It may not be empty.
            Last_Name=contact.last_name or contact.first_name or contact.email,
            Email=contact.email,
            Phone=contact.phone,
            Tag=[{"name": tag} for tag in contact.tags],
        )
        body = {"data": [row], "duplicate_check_fields": ["Email"]}
        made = await self.ask("POST", f"/{self._module}/upsert", body=body)
        [result, *_] = made.rows("data") or [{}]
        if result.get("code") != "SUCCESS":
            raise Permanent(self.masked(f"{self.label}: {result.get('code')} {result.get('message', '')}"))
        who = str(result.get("details", {}).get("id", ""))
        return Sent(who, "created" if result.get("action") == "insert" else "updated")

    @property
    def _module(self) -> str:
        return "Leads" if self.place == "Leads" else "Contacts"


PROVIDER = Zoho
