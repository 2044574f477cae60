"""Notion: https://developers.notion.com/reference/post-page. A row of a database for each address, found by its e-mail column."""

from typing import Any
from urllib.parse import quote

from app.core.i18n import lazy as _l
from app.formbuilder.integrations import Choice, Contact, Sent, Setting, Value
from app.formbuilder.integrations.client import Caller, text

_WRITABLE = {
    "title", "rich_text", "email", "phone_number", "number", "select", "multi_select", "url", "checkbox", "date", "status",
}  # fmt: skip


class Notion(Caller):
    name = "notion"
    label = "Notion"
    takes_lists = True
    base = "https://api.notion.com/v1"
    place_label = _l("Database")
    # Notion calls a clash of two writers 409.
    passing = Caller.passing | {409}
    settings = (
        Setting(
            "token",
            _l("Integration secret"),
            is_secret=True,
            help=_l("notion.so/my-integrations; share the database with it."),
        ),
    )

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.given['token']}", "Notion-Version": "2022-06-28"}

    async def verify(self) -> str:
        found = await self.ask("GET", "/users/me")
        return str((found.data.get("bot") or {}).get("workspace_name") or found.data.get("name") or self.label)

    async def lists(self) -> list[Choice]:
        body = {"filter": {"property": "object", "value": "database"}, "page_size": 100}
        rows = (await self.ask("POST", "/search", body=body)).rows("results")
        return [
            Choice(
                str(row["id"]),
                "".join(str(part.get("plain_text", "")) for part in row.get("title", [])) or str(row["id"]),
            )
            for row in rows
        ]

    async def fields(self) -> list[Choice]:
        return [Choice(name, name) for name, kind in (await self._kinds()).items() if kind in _WRITABLE]

    async def add(self, contact: Contact, key: str) -> Sent:
        kinds = await self._kinds()
        address = next((name for name, kind in kinds.items() if kind == "email"), "")
        properties = self._properties(kinds, contact, address)
        known: list[dict[str, Any]] = []
        if address:
            body = {"filter": {"property": address, "email": {"equals": contact.email}}, "page_size": 1}
            known = (await self.ask("POST", f"/databases/{quote(self.place, safe='')}/query", body=body)).rows(
                "results"
            )
        if known:
            await self.ask("PATCH", f"/pages/{quote(str(known[0]['id']))}", body={"properties": properties})
            return Sent(str(known[0]["id"]), "updated")
        page = {"parent": {"database_id": self.place}, "properties": properties}
        return Sent(str((await self.ask("POST", "/pages", body=page))["id"]), "created")

    def _properties(self, kinds: dict[str, str], contact: Contact, address: str) -> dict[str, Any]:
        values: dict[str, Value] = {
            name: contact.name or contact.email for name, kind in kinds.items() if kind == "title"
        }
        values |= {name: value for name, value in _own(contact).items() if name in kinds and value}
        values |= contact.fields
        if address:
            values[address] = contact.email
        # A column that is not there is sent as text, so that Notion says which one it misses.
        return {name: _property(kinds.get(name, "rich_text"), value) for name, value in values.items()}

    async def _kinds(self) -> dict[str, str]:
        found = (await self.ask("GET", f"/databases/{quote(self.place, safe='')}"))["properties"]
        return {name: str(about.get("type", "")) for name, about in found.items()}


def _own(contact: Contact) -> dict[str, Value]:
    return {
        "First name": contact.first_name,
        "Last name": contact.last_name,
        "Phone": contact.phone,
        "Tags": list(contact.tags),
    }


def _property(kind: str, value: Value) -> dict[str, Any]:
    words = text(value)
    if kind in ("title", "rich_text"):
        return {kind: [{"text": {"content": words[:2000]}}] if words else []}
    if kind in ("email", "phone_number", "url"):
        return {kind: words or None}
    if kind == "number":
        try:
            return {kind: float(words) if words else None}
        except ValueError:
            return {kind: None}
    if kind in ("select", "status"):
        return {kind: {"name": words.replace(",", " ")[:100]} if words else None}
    if kind == "multi_select":
        names = value if isinstance(value, list) else [words] if words else []
        return {kind: [{"name": str(each).replace(",", " ")[:100]} for each in names]}
    if kind == "checkbox":
        return {kind: words.lower() in ("1", "true", "yes", "on")}
    return {kind: {"start": words} if words else None}


PROVIDER = Notion
