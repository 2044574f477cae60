"""Customer relations: HubSpot, Pipedrive, Zoho, Salesforce. None of them is told who gets mail."""

from __future__ import annotations

import re
from typing import Any

from app.sandbox.providers.core import Call, Problem, Stand, route

_CLIENT = {"client_id": "client-1", "client_secret": "client-secret-0123456789", "refresh_token": "refresh-0123456789"}


class HubSpot(Stand):
    name = "hubspot"
    host = "api.hubapi.com"
    given = {"api_key": "pat-eu1-0123456789"}
    place, custom, unprocessable = "22", "city", 400

    def error(self, status: int, why: str) -> Any:
        return {"status": "error", "message": why, "category": "VALIDATION_ERROR", "correlationId": "1"}

    @route("GET", "/account-info/v3/details")
    def account(self, call: Call) -> Any:
        return {"portalId": 12345}

    @route("POST", "/crm/v3/lists/search")
    def lists(self, call: Call) -> Any:
        shape = {"processingTypes": [str], "objectTypeId": str, "count": int, "offset": int, "query": str}
        body = call.json(shape)
        rows = self.listed(lambda id: {"listId": id, "name": "News"})
        start, size = body.get("offset", 0), body.get("count", 20)
        return {"lists": self.window(rows, start, size, 500), "hasMore": start + size < len(rows), "total": len(rows)}

    @route("GET", "/crm/v3/properties/contacts")
    def fields(self, call: Call) -> Any:
        read_only = {"readOnlyValue": True}
        return {
            "results": [
                {"name": "city", "label": "City"},
                {"name": "createdate", "label": "Created", "modificationMetadata": read_only},
            ]
        }

    @route("POST", "/crm/objects/2026-03/contacts/batch/upsert")
    def add(self, call: Call) -> Any:
        [row] = call.json({"inputs!": [{"id!": str, "idProperty!": str, "properties!": dict}]})["inputs"]
        properties = row["properties"]
        self.known_fields(set(properties) - {"email", "firstname", "lastname", "phone"})
        known = self.find(row["id"])
        person = self.keep(row["id"], **properties)
        return {"status": "COMPLETE", "results": [{"id": str(person.id), "new": known is None}]}

    @route("PUT", "/crm/v3/lists/{list}/memberships/add")
    def join(self, call: Call) -> Any:
        place = self.need_place(call.part["list"])
        ids = call.json()
        for each in ids:
            self.need(each).places.add(place)
        return {"recordsIdsAdded": ids, "recordIdsMissing": []}


class Pipedrive(Stand):
    name = "pipedrive"
    host = "api.pipedrive.com"
    given = {"api_key": "pd-0123456789"}
    auth = ("x-api-token", "{api_key}")
    custom, unprocessable = "a" * 40, 400

    def error(self, status: int, why: str) -> Any:
        return {"success": False, "error": why, "error_info": "", "data": None}

    @route("GET", "/v1/users/me")
    def me(self, call: Call) -> Any:
        return {"success": True, "data": {"company_name": "Meridian"}}

    @route("GET", "/api/v2/personFields")
    def fields(self, call: Call) -> Any:
        """Two pages of it."""
        options = [{"id": 31, "label": "Tax"}, {"id": 32, "label": "Law"}]
        rows: list[dict[str, Any]] = [
            {"field_code": "name", "field_name": "Name", "field_type": "varchar"},
            {"field_code": "b" * 40, "field_name": "Topics", "field_type": "set", "options": options},
            {"field_code": "c" * 40, "field_name": "Age", "field_type": "double"},
            {"field_code": "a" * 40, "field_name": "City", "field_type": "varchar"},
        ]
        is_second = call.query.get("cursor") == "second"
        cursor = None if is_second else "second"
        page = rows[2:] if is_second else rows[:2]
        return {"success": True, "data": page, "additional_data": {"next_cursor": cursor}}

    @route("GET", "/api/v2/persons/search")
    def seek(self, call: Call) -> Any:
        if len(call.query.get("term", "")) < 2:
            raise Problem(400, "term is too short")
        person = self.find(call.query["term"])
        phones = person.fields.get("phones", []) if person else []
        items = [{"item": {"id": person.id, "emails": [person.email], "phones": phones}}] if person else []
        return {"success": True, "data": {"items": items}}

    _about = {
        "name": str,
        "emails": [{"value!": str, "primary": bool}],
        "phones": [{"value!": str, "primary": bool}],
        "custom_fields": dict,
    }

    def _custom(self, body: dict[str, Any]) -> dict[str, Any]:
        """Nothing is read as something else: a number is a number, options are ids."""
        given: dict[str, Any] = body.get("custom_fields", {})
        kinds: dict[str, Any] = {"a" * 40: str, "b" * 40: list, "c" * 40: (int, float)}
        for name, value in given.items():
            if name not in kinds:
                raise Problem(400, f"The field {name} is not known")
            if value is not None and not isinstance(value, kinds[name]):
                raise Problem(400, f"{name} has the wrong type")
            if isinstance(value, list) and not set(value) <= {31, 32}:
                raise Problem(400, f"{name} has no such option")
        return given

    @route("POST", "/api/v2/persons")
    def add(self, call: Call) -> Any:
        body = call.json({**self._about, "name!": str})
        self._custom(body)
        if self.find(body["emails"][0]["value"]):
            self.messages.append(body)  # Pipedrive keeps doubles
        person = self.keep(body["emails"][0]["value"], **body.get("custom_fields", {}))
        person.fields |= {"phones": [each["value"] for each in body.get("phones", [])]}
        return 201, {"success": True, "data": {"id": person.id}}

    @route("PATCH", "/api/v2/persons/{id}")
    def change(self, call: Call) -> Any:
        body = call.json(self._about)
        person = self.need(call.part["id"])
        person.fields |= self._custom(body)
        if "phones" in body:  # all of them are replaced
            person.fields["phones"] = [each["value"] for each in body["phones"]]
        return {"success": True, "data": {"id": int(call.part["id"])}}


class Zoho(Stand):
    name = "zoho"
    host = "www.zohoapis.eu"
    hosts = ("accounts.zoho.eu", "www.zohoapis.ca", "accounts.zohocloud.ca")
    given = {"region": "eu", **_CLIENT}
    auth = ("Authorization", "Zoho-oauthtoken {token}")
    key_name = "refresh_token"
    token_path = "/oauth/v2/token"
    place, custom, unprocessable = "Contacts", "City", 400

    def error(self, status: int, why: str) -> Any:
        return {"code": "INVALID_DATA", "message": why, "status": "error", "details": {}}

    @route("POST", "/oauth/v2/token")
    def token(self, call: Call) -> Any:
        found = self.give_token(call)
        # Zoho says errors with 200.
        return found[1] if isinstance(found, tuple) else {**found, "api_domain": "https://www.zohoapis.eu"}

    @route("GET", "/crm/v8/org")
    def org(self, call: Call) -> Any:
        return {"org": [{"company_name": "Meridian"}]}

    @route("GET", "/crm/v8/settings/fields")
    def fields(self, call: Call) -> Any:
        self.need_place(call.query.get("module", ""))
        return {
            "fields": [
                {"api_name": "City", "field_label": "City", "data_type": "text"},
                {"api_name": "Topics", "field_label": "Topics", "data_type": "multiselectpicklist"},
                {"api_name": "Email", "field_label": "Email", "data_type": "email"},
            ]
        }

    @route("GET", "/crm/v8/{module}/search")
    def seek(self, call: Call) -> Any:
        self.need_place(call.part["module"])
        person = self.find(call.query.get("email", ""))
        return {"data": [{"id": str(person.id), "Email": person.email}]} if person else (204, None)

    @route("PUT", "/crm/v8/{module}/{id}")
    def change(self, call: Call) -> Any:
        self.need_place(call.part["module"])
        person = self.need(call.part["id"])
        [row] = call.json({"data!": [dict]})["data"]
        person.fields |= {name: row[name] for name in row if name not in ("First_Name", "Email", "Phone", "Tag")}
        return {"data": [{"code": "SUCCESS", "status": "success", "details": {"id": str(person.id)}}]}

    @route("POST", "/crm/v8/{module}/upsert")
    def add(self, call: Call) -> Any:
        self.need_place(call.part["module"])
        body = call.json({"data!": [dict], "duplicate_check_fields": [str]})
        [row] = body["data"]
        if not row.get("Last_Name"):
            return 202, {
                "data": [{"code": "MANDATORY_NOT_FOUND", "message": "required field not found", "status": "error"}]
            }
        own = {"Last_Name", "First_Name", "Email", "Phone", "Tag"}
        self.known_fields(set(row) - own - {"Topics"})
        for name in set(row) - own:
            if isinstance(row[name], list) != (name == "Topics"):
                return {"data": [{"code": "INVALID_DATA", "message": "invalid data", "status": "error"}]}
        known = self.find(row["Email"])
        person = self.keep(row["Email"], **{name: row[name] for name in set(row) - own})
        person.fields["Last_Name"] = row["Last_Name"]
        action = "update" if known else "insert"
        return {"data": [{"code": "SUCCESS", "action": action, "status": "success", "details": {"id": str(person.id)}}]}


class Salesforce(Stand):
    name = "salesforce"
    host = "meridian.my.salesforce.com"
    given = {"domain": "https://meridian.my.salesforce.com", **_CLIENT}
    key_name = "client_secret"
    token_path = "/services/oauth2/token"
    place, custom, unprocessable = "Contact", "City__c", 400
    route("POST", "/services/oauth2/token")(Stand.give_token)

    def error(self, status: int, why: str) -> Any:
        return [{"errorCode": "PROBLEM", "message": why}]

    @route("GET", "/services/data/v62.0/query")
    def query(self, call: Call) -> Any:
        query = call.query.get("q", "")
        if query == "SELECT Name FROM Organization":
            return {"records": [{"Name": "Meridian"}]}
        found = re.fullmatch(
            r"SELECT Id FROM Contact WHERE Email = '((?:[^'\\]|\\.)*)' ORDER BY CreatedDate LIMIT 1", query
        )
        if found is None:
            raise Problem(400, "unexpected token")
        person = self.find(re.sub(r"\\(.)", r"\1", found[1]))
        return {"records": [{"Id": str(person.id)}] if person else []}

    @route("GET", "/services/data/v62.0/sobjects/Contact/describe")
    def fields(self, call: Call) -> Any:
        return {
            "fields": [
                {"name": "City__c", "label": "City", "updateable": True},
                {"name": "Id", "label": "Id", "updateable": False},
            ]
        }

    def _values(self, call: Call) -> dict[str, Any]:
        body: dict[str, Any] = call.json()
        self.known_fields(set(body) - {"LastName", "FirstName", "Email", "Phone"})
        return body

    @route("POST", "/services/data/v62.0/sobjects/{object}")
    def add(self, call: Call) -> Any:
        if call.part["object"] not in ("Contact", "Lead"):
            raise Problem(404, "The requested resource does not exist")
        body = self._values(call)
        if not body.get("LastName"):
            raise Problem(400, "Required fields are missing: [LastName]")
        if self.find(body["Email"]):
            self.messages.append(body)  # it keeps doubles
        person = self.keep(body["Email"], **{name: body[name] for name in body if name.endswith("__c")})
        return 201, {"id": str(person.id), "success": True, "errors": []}

    @route("PATCH", "/services/data/v62.0/sobjects/Contact/Code__c/{value}")
    def upsert(self, call: Call) -> Any:
        body = self._values(call)
        known = self.find(body["Email"])
        if known is None and not body.get("LastName"):
            return 400, [{"errorCode": "REQUIRED_FIELD_MISSING", "message": "Required fields are missing: [LastName]"}]
        person = self.keep(body["Email"], **{name: body[name] for name in body if name.endswith("__c")})
        person.fields |= {"LastName": body["LastName"]} if "LastName" in body else {}
        return (200 if known else 201), {"id": str(person.id), "success": True}

    @route("PATCH", "/services/data/v62.0/sobjects/Contact/{id}")
    def change(self, call: Call) -> Any:
        self.need(call.part["id"]).fields |= {n: v for n, v in self._values(call).items() if n.endswith("__c")}
        return 204, None


STANDS = (HubSpot, Pipedrive, Zoho, Salesforce)
