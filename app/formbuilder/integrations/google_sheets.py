"""Google Sheets, API v4: https://developers.google.com/workspace/sheets/api/reference/rest/v4/spreadsheets.values/append.

A service account signs for its own access tokens (https://developers.google.com/identity/protocols/oauth2/service-account).
The first row names the columns; the column "Entry" tells a row that is there already. Values are written raw: no formula.
60 writes and 60 reads a minute; 429 says nothing of the time (https://developers.google.com/workspace/sheets/api/limits).
"""

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from app.core import clock
from app.core.i18n import _
from app.core.i18n import lazy as _l
from app.formbuilder.integrations import Choice, Contact, Permanent, RefusedCredentials, Sent, Setting
from app.formbuilder.integrations.client import OAuthCaller, text

_SCOPE = "https://www.googleapis.com/auth/spreadsheets"
_ENTRY = "Entry"


class GoogleSheets(OAuthCaller):
    name = "google_sheets"
    label = "Google Sheets"
    token_url = "https://oauth2.googleapis.com/token"  # noqa: S105 (an address)
    place_label = _l("Sheet")
    needs_email = False
    pause = 60
    settings = (
        Setting(
            "account",
            _l("Key of a service account (JSON)"),
            is_secret=True,
            help=_l("Share the table with its address."),
        ),
        Setting("spreadsheet", _l("Id of the table"), help=_l("The long part of its address.")),
    )

    @property
    def base(self) -> str:  # type: ignore[override]  # follows from the settings
        return f"https://sheets.googleapis.com/v4/spreadsheets/{quote(self.given['spreadsheet'], safe='')}"

    def token_request(self) -> dict[str, str]:
        try:
            account = json.loads(self.given["account"])
            key, email = RSAKey.import_key(account["private_key"]), str(account["client_email"])
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise RefusedCredentials(_("This is not the key of a service account.")) from error
        self.hide(account["private_key"])
        now = int(clock.now().timestamp())
        claims = {"iss": email, "scope": _SCOPE, "aud": self.token_url, "iat": now, "exp": now + 3600}
        signed = jwt.encode({"alg": "RS256", "typ": "JWT"}, claims, key, algorithms=["RS256"])
        self.hide(signed)
        return {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": signed}

    async def verify(self) -> str:
        return str((await self.ask("GET", "", query={"fields": "properties.title"}))["properties"]["title"])

    async def lists(self) -> list[Choice]:
        rows = (await self.ask("GET", "", query={"fields": "sheets.properties"})).rows("sheets")
        return [Choice(str(row["properties"]["title"]), str(row["properties"]["title"])) for row in rows]

    async def fields(self) -> list[Choice]:
        return [Choice(name, name) for name in await self._head() if name and name != _ENTRY]

    async def add(self, contact: Contact, key: str) -> Sent:
        head = await self._head()
        if _ENTRY not in head:
            head.append(_ENTRY)
            await self._write("1:1", [head])
        column = _letters(head.index(_ENTRY))
        known = [row[0] if row else "" for row in await self._values(f"{column}:{column}")]
        row = self._row(head, contact, key)
        if key in known:
            number = known.index(key) + 1
            await self._write(f"{number}:{number}", [row])
            return Sent(str(number), "updated")
        query = {"valueInputOption": "RAW", "insertDataOption": "INSERT_ROWS"}
        made = await self.ask("POST", f"/values/{self._range('A1')}:append", query=query, body={"values": [row]})
        return Sent(str((made.data or {}).get("updates", {}).get("updatedRange", "")), "created")

    def _row(self, head: list[str], contact: Contact, key: str) -> list[str | None]:
        own = {
            "E-mail": contact.email,
            "Email": contact.email,
            "First name": contact.first_name,
            "Last name": contact.last_name,
            "Name": contact.name,
            "Phone": contact.phone,
            "Tags": ", ".join(contact.tags),
        }
        unknown = set(contact.fields) - set(head)
        if unknown:
            raise Permanent(_("The sheet has no column %(name)s.") % {"name": min(unknown)})
        given = {name: text(value) for name, value in contact.fields.items()}
        values = {**own, **dict(contact.answers), **given, _ENTRY: key}
        # A cell of None stays as it is, one of "" is emptied: what the owner wrote into columns of her own is not ours.
        return [text(values[name]) if values.get(name) else None for name in head]

    async def _head(self) -> list[str]:
        return [str(each) for each in next(iter(await self._values("1:1")), [])]

    async def _values(self, part: str) -> list[list[Any]]:
        found = (await self.ask("GET", f"/values/{self._range(part)}")).data or {}
        rows: list[list[Any]] = found.get("values") or []
        return rows

    async def _write(self, part: str, rows: Sequence[Sequence[str | None]]) -> None:
        await self.ask("PUT", f"/values/{self._range(part)}", query={"valueInputOption": "RAW"}, body={"values": rows})

    def _range(self, part: str) -> str:
        sheet = self.place.replace("'", "''")
        return quote(f"'{sheet}'!{part}", safe="")


def _letters(index: int) -> str:
    """The name of a column: 0 is A, 26 is AA."""
    found, index = "", index + 1
    while index:
        index, rest = divmod(index - 1, 26)
        found = chr(65 + rest) + found
    return found


PROVIDER = GoogleSheets
