"""Notion: https://developers.notion.com/reference/post-page. A row of a data source for each address, found by its e-mail column.

Since version 2025-09-03 a database holds one data source or several, and rows belong to those: older versions refuse a database of
several (https://developers.notion.com/docs/upgrade-guide-2025-09-03). The number of a database is taken for that of its only one.
429 says `Retry-After` (https://developers.notion.com/reference/request-limits).
"""

from typing import Any
from urllib.parse import quote

from app.core.i18n import _
from app.core.i18n import lazy as _l
from app.formbuilder.integrations import Choice, Contact, Permanent, Sent, Setting, Value
from app.formbuilder.integrations.client import Caller, text
from app.formbuilder.integrations.paging import MOST_PAGES

_WRITABLE = {
    "title", "rich_text", "email", "phone_number", "number", "select", "multi_select", "url", "checkbox", "date", "status",
}  # fmt: skip


class Notion(Caller):
    name = "notion"
    label = "Notion"
    takes_lists = True
    base = "https://api.notion.com/v1"
    place_label = _l("Data source")
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
        return {"Authorization": f"Bearer {self.given['token']}", "Notion-Version": "2025-09-03"}

    async def verify(self) -> str:
        found = await self.ask("GET", "/users/me")
        return str((found.data.get("bot") or {}).get("workspace_name") or found.data.get("name") or self.label)

    async def lists(self) -> list[Choice]:
        rows: list[dict[str, Any]] = []
        body: dict[str, Any] = {"filter": {"property": "object", "value": "data_source"}, "page_size": 100}
        for _number in range(MOST_PAGES):
            reply = await self.ask("POST", "/search", body=body)
            rows += reply.rows("results")
            if not reply.at("has_more"):
                break
            body["start_cursor"] = reply["next_cursor"]
        return [
            Choice(
                str(row["id"]),
                "".join(str(part.get("plain_text", "")) for part in row.get("title", [])) or str(row["id"]),
            )
            for row in rows
        ]

    async def fields(self) -> list[Choice]:
        return [Choice(name, name) for name, kind in (await self._source())[1].items() if kind in _WRITABLE]

    async def add(self, contact: Contact, key: str) -> Sent:
        source, kinds = await self._source()
        address = next((name for name, kind in kinds.items() if kind == "email"), "")
        known: list[dict[str, Any]] = []
        if address:
            body = {"filter": {"property": address, "email": {"equals": contact.email}}, "page_size": 1}
            path = f"/data_sources/{quote(source, safe='')}/query"
            known = (await self.ask("POST", path, body=body)).rows("results")
        properties = self._properties(kinds, contact, address, is_new=not known)
        if known:
            await self.ask("PATCH", f"/pages/{quote(str(known[0]['id']))}", body={"properties": properties})
            return Sent(str(known[0]["id"]), "updated")
        page = {"parent": {"type": "data_source_id", "data_source_id": source}, "properties": properties}
        return Sent(str((await self.ask("POST", "/pages", body=page))["id"]), "created")

    def _properties(self, kinds: dict[str, str], contact: Contact, address: str, *, is_new: bool) -> dict[str, Any]:
        title = contact.name or (contact.email if is_new else "")
        values: dict[str, Value] = {name: title for name, kind in kinds.items() if kind == "title" and title}
        values |= {name: value for name, value in _own(contact).items() if name in kinds and value}
        values |= contact.fields
        if address:
            values[address] = contact.email
        # A column that is not there is sent as text, so that Notion says which one it misses.
        return {name: _property(kinds.get(name, "rich_text"), value) for name, value in values.items()}

    async def _source(self) -> tuple[str, dict[str, str]]:
        """The data source, and the kinds of its columns by their names."""
        place = quote(self.place, safe="")
        source, found = self.place, await self.ask("GET", f"/data_sources/{place}", accept=(404,))
        if found.status == 404:
            sources = (await self.ask("GET", f"/databases/{place}")).rows("data_sources")
            if len(sources) != 1:
                raise Permanent(_("This database holds several data sources: choose one of them."))
            source = str(sources[0]["id"])
            found = await self.ask("GET", f"/data_sources/{quote(source, safe='')}")
        return source, {name: str(about.get("type", "")) for name, about in found["properties"].items()}


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
