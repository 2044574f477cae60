"""Tables of others: Google Sheets, Notion, Airtable."""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode
from types import NoneType
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from app.sandbox.providers.core import Call, Problem, Stand, route

_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
_PEM = _KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
_EMAIL = "forms@meridian.iam.gserviceaccount.example"


class GoogleSheets(Stand):
    name = "google_sheets"
    host = "sheets.googleapis.com"
    hosts = ("oauth2.googleapis.com",)
    given = {
        "account": json.dumps({"type": "service_account", "client_email": _EMAIL, "private_key": _PEM}),
        "spreadsheet": "1qpyC0XzvTcKT6EISywvqESX3A0MwQoFDE8p",
    }
    key_name, token_path = "account", "/token"
    place, custom, unprocessable = "Sheet 1", "City", 400

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = [["Email", "First name", "City"]]

    @property
    def count(self) -> int:
        return len(self.rows) - 1

    def error(self, status: int, why: str) -> Any:
        return {"error": {"code": status, "message": why, "status": "PROBLEM"}}

    @route("POST", "/token")
    def token(self, call: Call) -> Any:
        form = call.form()
        if form.get("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer":
            return 400, {"error": "unsupported_grant_type"}
        head, claims, signature = form["assertion"].split(".")
        try:
            _KEY.public_key().verify(
                _decoded(signature), f"{head}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256()
            )
        except InvalidSignature:
            return 400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}
        about = json.loads(_decoded(claims))
        if (
            about["iss"] != _EMAIL
            or about["aud"] != "https://oauth2.googleapis.com/token"
            or about["exp"] <= about["iat"]
        ):
            return 400, {"error": "invalid_grant"}
        token = f"ya29.{len(self.tokens)}-{id(self)}"
        self.tokens.add(token)
        return {"access_token": token, "expires_in": 3599, "token_type": "Bearer"}

    @route("GET", "/v4/spreadsheets/1qpyC0XzvTcKT6EISywvqESX3A0MwQoFDE8p")
    def about(self, call: Call) -> Any:
        return {"properties": {"title": "Entries"}, "sheets": [{"properties": {"title": self.place}}]}

    def _range(self, call: Call) -> str:
        sheet, _, part = call.part["range"].rpartition("!")
        if sheet.strip("'") != self.place:
            raise Problem(400, "Unable to parse range")
        return part

    @route("GET", "/v4/spreadsheets/1qpyC0XzvTcKT6EISywvqESX3A0MwQoFDE8p/values/{range}")
    def read(self, call: Call) -> Any:
        part = self._range(call)
        if part == "1:1":
            return {"values": self.rows[:1]}
        column = ord(part[0]) - 65
        return {"values": [[row[column]] if column < len(row) and row[column] else [] for row in self.rows]}

    @route("PUT", "/v4/spreadsheets/1qpyC0XzvTcKT6EISywvqESX3A0MwQoFDE8p/values/{range}")
    def write(self, call: Call) -> Any:
        number = int(re.sub(r":.*", "", self._range(call)))
        given, row = self._given(call), self.rows[number - 1]
        before = row + [""] * (len(given) - len(row))
        # null leaves a cell as it is.
        self.rows[number - 1] = [was if cell is None else cell for was, cell in zip(before, given, strict=False)]
        return {"updatedRows": 1}

    @route("POST", "/v4/spreadsheets/1qpyC0XzvTcKT6EISywvqESX3A0MwQoFDE8p/values/{range}:append")
    def append(self, call: Call) -> Any:
        self._range(call)
        self.rows.append([cell or "" for cell in self._given(call)])
        return {"updates": {"updatedRange": f"'{self.place}'!A{len(self.rows)}"}}

    def _given(self, call: Call) -> list[str | None]:
        if call.query.get("valueInputOption") != "RAW":
            raise Problem(400, "valueInputOption")
        [row] = call.json({"values!": [[(str, NoneType)]]})["values"]
        if any("@invalid.example" in (value or "") for value in row):
            raise Problem(400, "no")
        return list(row)


class Notion(Stand):
    name = "notion"
    host = "api.notion.com"
    given = {"token": "ntn_0123456789"}
    auth = ("Authorization", "Bearer {token}")
    key_name = "token"
    place, custom, unprocessable = "d9824bdc-8445", "City", 400
    _kinds = {"Name": "title", "Mail": "email", "City": "rich_text", "Created": "created_time"}

    def authorize(self, call: Call) -> None:
        super().authorize(call)
        if call.headers.get("notion-version") != "2025-09-03":
            raise Problem(400, "missing_version")

    def error(self, status: int, why: str) -> Any:
        return {"object": "error", "status": status, "code": "validation_error", "message": why}

    @route("GET", "/v1/users/me")
    def me(self, call: Call) -> Any:
        return {"object": "user", "name": "Forms", "bot": {"workspace_name": "Meridian"}}

    @route("POST", "/v1/search")
    def lists(self, call: Call) -> Any:
        shape = {"filter": {"property!": str, "value!": str}, "page_size": int, "start_cursor": str}
        body = call.json(shape)
        if body.get("filter", {}).get("value") not in ("page", "data_source"):
            raise Problem(400, "body.filter.value should be page or data_source")
        rows = self.listed(lambda id: {"object": "data_source", "id": id, "title": [{"plain_text": "Entries"}]})
        start, size = int(body.get("start_cursor", "0")), body.get("page_size", 100)
        end = start + size
        more = {"has_more": end < len(rows), "next_cursor": str(end) if end < len(rows) else None}
        return {"results": self.window(rows, start, size, 100), **more}

    @route("GET", "/v1/databases/{id}")
    def database(self, call: Call) -> Any:
        """It holds data sources; its columns are theirs."""
        if call.part["id"] not in self.databases:
            raise Problem(404, "Could not find database")
        rows = [{"id": each, "name": "Entries"} for each in self.databases[call.part["id"]]]
        return {"object": "database", "id": call.part["id"], "data_sources": rows}

    def __init__(self) -> None:
        super().__init__()
        self.databases = {"842a0286-cef0": [self.place], "9f11aa02-two0": [self.place, "other-source"]}

    @route("GET", "/v1/data_sources/{id}")
    def about(self, call: Call) -> Any:
        self.need_place(call.part["id"])
        return {"object": "data_source", "properties": {name: {"type": kind} for name, kind in self._kinds.items()}}

    @route("POST", "/v1/data_sources/{id}/query")
    def seek(self, call: Call) -> Any:
        self.need_place(call.part["id"])
        shape = {"filter!": {"property!": str, "email!": {"equals!": str}}, "page_size": int}
        person = self.find(call.json(shape)["filter"]["email"]["equals"])
        return {"results": [{"id": str(person.id)}] if person else []}

    def _values(self, properties: dict[str, Any]) -> dict[str, Any]:
        for name, value in properties.items():
            if self._kinds.get(name) not in value:
                raise Problem(400, f"{name} is not a property that exists")
        title = properties.get("Name", {}).get("title", [])
        return {
            **({"Name": title[0]["text"]["content"]} if title else {}),
            **({"City": properties["City"]["rich_text"][0]["text"]["content"]} if "City" in properties else {}),
        }

    @route("POST", "/v1/pages")
    def add(self, call: Call) -> Any:
        body = call.json({"parent!": {"type!": str, "data_source_id!": str}, "properties!": dict})
        self.need_place(body["parent"]["data_source_id"])
        values = self._values(body["properties"])
        email = body["properties"]["Mail"]["email"]
        if self.find(email):
            self.messages.append(body)  # it keeps doubles
        return {"id": str(self.keep(email, **values).id)}

    @route("PATCH", "/v1/pages/{id}")
    def change(self, call: Call) -> Any:
        self.need(call.part["id"]).fields |= self._values(call.json({"properties!": dict})["properties"])
        return {"id": call.part["id"]}


class Airtable(Stand):
    name = "airtable"
    host = "api.airtable.com"
    given = {"token": "pat0123456789", "base_id": "appABC"}
    auth = ("Authorization", "Bearer {token}")
    key_name = "token"
    place, custom = "tblABC", "City"

    def error(self, status: int, why: str) -> Any:
        return {"error": {"type": "INVALID_REQUEST", "message": why}}

    @route("GET", "/v0/meta/whoami")
    def me(self, call: Call) -> Any:
        return {"id": "usr1", "email": "owner@school.example"}

    @route("GET", "/v0/meta/bases/appABC/tables")
    def lists(self, call: Call) -> Any:
        names = ("Email", "First name", "City")
        return {"tables": [{"id": self.place, "name": "Entries", "fields": [{"id": n, "name": n} for n in names]}]}

    @route("PATCH", "/v0/appABC/{table}")
    def add(self, call: Call) -> Any:
        self.need_place(call.part["table"])
        shape = {"performUpsert!": {"fieldsToMergeOn!": [str]}, "records!": [{"fields!": dict}], "typecast": bool}
        [row] = call.json(shape)["records"]
        self.known_fields(set(row["fields"]) - {"Email", "First name"})
        known = self.find(row["fields"]["Email"])
        person = self.keep(row["fields"]["Email"], **row["fields"])
        made = [str(person.id)] if known is None else []
        return {"records": [{"id": str(person.id)}], "createdRecords": made, "updatedRecords": []}


def _decoded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


STANDS = (GoogleSheets, Notion, Airtable)
