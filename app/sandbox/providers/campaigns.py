"""More newsletter services: those with access tokens, with jobs, and with CRMs around them."""

from __future__ import annotations

from typing import Any

from app.sandbox.providers.core import Call, Person, Problem, Stand, route

_CLIENT = {"client_id": "client-1", "client_secret": "client-secret-0123456789", "refresh_token": "refresh-0123456789"}


class AWeber(Stand):
    name = "aweber"
    host = "api.aweber.com"
    hosts = ("auth.aweber.com",)
    given = _CLIENT
    key_name = "refresh_token"
    token_path = "/oauth2/token"
    place, custom, unprocessable = "77/5", "city", 400
    route("POST", "/oauth2/token")(Stand.give_token)

    def error(self, status: int, why: str) -> Any:
        return {"error": {"status": status, "message": why, "type": "APIError"}}

    def need_place(self, place: str | int) -> str:
        if str(place) != "5":
            raise Problem(404, "Object not found")
        return self.place

    @route("GET", "/1.0/accounts")
    def accounts(self, call: Call) -> Any:
        return {"entries": [{"id": 77}]}

    @route("GET", "/1.0/accounts/77/lists")
    def lists(self, call: Call) -> Any:
        size = int(call.query.get("ws.size", "100"))
        start = int(call.query.get("ws.start", "0"))
        rows = [{"id": int(row["id"].rpartition("/")[2]), "name": "News"} for row in self.listed(lambda id: {"id": id})]
        found: dict[str, Any] = {
            "entries": self.window(rows, start, size, 100),
            "start": start,
            "total_size": len(rows),
        }
        if start + size < len(rows):
            address = f"https://{self.host}{call.path}?ws.start={start + size}&ws.size={size}"
            found["next_collection_link"] = address
        return found

    @route("GET", "/1.0/accounts/77/lists/{list}/custom_fields")
    def fields(self, call: Call) -> Any:
        self.need_place(call.part["list"])
        return {"entries": [{"id": 1, "name": "city"}]}

    @route("GET", "/1.0/accounts/77/lists/{list}/subscribers")
    def seek(self, call: Call) -> Any:
        self.need_place(call.part["list"])
        if call.query.get("ws.op") != "find":
            raise Problem(400, "ws.op is required")
        person = self.find(call.query.get("email", ""))
        status = "unsubscribed" if person and person.state == "left" else "subscribed"
        return {"entries": [{"id": person.id, "email": person.email, "status": status}] if person else []}

    @route("POST", "/1.0/accounts/77/lists/{list}/subscribers")
    def add(self, call: Call) -> Any:
        place = self.need_place(call.part["list"])
        body = call.json({"email!": str, "name": str, "custom_fields": dict, "tags": [str]})
        self.known_fields(body.get("custom_fields", {}))
        known = self.find(body["email"])
        if known and known.state != "left":
            raise Problem(400, "Subscriber already subscribed")
        person = self.keep(body["email"], **body.get("custom_fields", {}))
        person.places.add(place)
        person.tags |= set(body.get("tags", []))
        person.state = "active"
        return 201, None, {"location": f"https://api.aweber.com{call.path}/{person.id}"}

    @route("PATCH", "/1.0/accounts/77/lists/{list}/subscribers/{id}")
    def change(self, call: Call) -> Any:
        body = call.json({"name": str, "custom_fields": dict, "tags": {"add": [str]}, "status": str})
        person = self.need(call.part["id"])
        person.fields |= body.get("custom_fields", {})
        person.tags |= set(body.get("tags", {}).get("add", []))
        return 209, {"id": person.id}


class ConstantContact(Stand):
    name = "constant_contact"
    host = "api.cc.email"
    hosts = ("authz.constantcontact.com",)
    given = _CLIENT
    key_name = "refresh_token"
    token_path = "/oauth2/default/v1/token"
    place, custom, unprocessable = "06a6b4a0-list", "c1-field", 400
    route("POST", "/oauth2/default/v1/token")(Stand.give_token)

    def error(self, status: int, why: str) -> Any:
        key = why if status == 429 and why == "quota_exceeded" else "contacts.api.problem"
        return [{"error_key": key, "error_message": why}]

    @route("GET", "/v3/account/summary")
    def account(self, call: Call) -> Any:
        return {"organization_name": "Meridian"}

    @route("GET", "/v3/contact_lists")
    def lists(self, call: Call) -> Any:
        rows = self.listed(lambda id: {"list_id": id, "name": "News"})
        start, size = int(call.query.get("cursor", "0")), int(call.query.get("limit", "50"))
        page = self.window(rows, start, size, 1000)
        if start + size >= len(rows):
            return {"lists": page}
        return {"lists": page, "_links": {"next": {"href": f"/v3/contact_lists?limit={size}&cursor={start + size}"}}}

    @route("GET", "/v3/contact_custom_fields")
    def fields(self, call: Call) -> Any:
        return {"custom_fields": [{"custom_field_id": "c1-field", "label": "City"}]}

    @route("GET", "/v3/contacts")
    def seek(self, call: Call) -> Any:
        person = self.find(call.query.get("email", ""))
        if person is None or (person.state == "left" and call.query.get("status") != "all"):
            return {"contacts": []}
        permission = "unsubscribed" if person.state == "left" else "implicit"
        address = {"address": person.email, "permission_to_send": permission}
        return {"contacts": [{"contact_id": str(person.id), "email_address": address}]}

    @route("POST", "/v3/contacts/sign_up_form")
    def add(self, call: Call) -> Any:
        body = call.json(
            {
                "email_address!": str,
                "list_memberships!": [str],
                "first_name": str,
                "last_name": str,
                "phone_number": str,
                "custom_fields": [{"custom_field_id!": str, "value!": str}],
            }
        )
        places = {self.need_place(each) for each in body["list_memberships"]}
        self.known_fields([each["custom_field_id"] for each in body.get("custom_fields", [])])
        known = self.find(body["email_address"])
        values = {each["custom_field_id"]: each["value"] for each in body.get("custom_fields", [])}
        person = self.keep(body["email_address"], **values)
        person.places |= places
        person.state = "active"  # the documented trap
        return (200 if known else 201), {"contact_id": str(person.id), "action": "updated" if known else "created"}


class Drip(Stand):
    name = "drip"
    host = "api.getdrip.com"
    given = {"account_id": "9999999", "api_key": "drip-0123456789"}
    auth = ("Authorization", "basic:{api_key}:")
    place, custom = "81", "city"

    def error(self, status: int, why: str) -> Any:
        return {"errors": [{"code": "problem", "message": why}]}

    @route("GET", "/v2/9999999/campaigns")
    def lists(self, call: Call) -> Any:
        rows = self.listed(lambda id: {"id": id, "name": "Welcome"})
        # More than 100 are not given, whatever is asked for.
        size = min(int(call.query.get("per_page", "100")), 100)
        return {"campaigns": self.window(rows, (int(call.query.get("page", "1")) - 1) * size, size, 100)}

    @route("GET", "/v2/9999999/custom_field_identifiers")
    def fields(self, call: Call) -> Any:
        return {"custom_field_identifiers": ["city"]}

    def _shown(self, person: Person) -> Any:
        status = "unsubscribed" if person.state == "left" else "active"
        return {"subscribers": [{"id": str(person.id), "email": person.email, "status": status}]}

    @route("GET", "/v2/9999999/subscribers/{who}")
    def seek(self, call: Call) -> Any:
        person = self.find(call.part["who"])
        if person is None:
            raise Problem(404, "The resource you requested was not found")
        return self._shown(person)

    @route("POST", "/v2/9999999/subscribers")
    def add(self, call: Call) -> Any:
        row = {
            "email!": str,
            "first_name": str,
            "last_name": str,
            "phone": str,
            "custom_fields": dict,
            "tags": [str],
            "status": str,
        }
        [body] = call.json({"subscribers!": [row]})["subscribers"]
        self.known_fields(body.get("custom_fields", {}))
        person = self.keep(body["email"], **body.get("custom_fields", {}))
        person.tags |= set(body.get("tags", []))
        if "status" in body:
            person.state = "active" if body["status"] == "active" else "left"
        return self._shown(person)

    @route("POST", "/v2/9999999/campaigns/{campaign}/subscribers")
    def join(self, call: Call) -> Any:
        place = self.need_place(call.part["campaign"])
        [body] = call.json({"subscribers!": [{"email!": str, "reactivate_if_removed": bool}]})["subscribers"]
        person = self.keep(body["email"])
        if place in person.places:
            raise Problem(422, "Email is already subscribed")
        person.places.add(place)
        if body.get("reactivate_if_removed", True):
            person.state = "active"
        return 201, self._shown(person)


class Beehiiv(Stand):
    name = "beehiiv"
    host = "api.beehiiv.com"
    given = {"api_key": "bee-0123456789"}
    place, custom, unprocessable = "pub_1", "City", 400
    _words = {"left": "inactive", "pending": "pending", "paused": "paused"}

    def error(self, status: int, why: str) -> Any:
        return {"status": status, "statusText": "problem", "errors": [{"message": why, "code": "PROBLEM"}]}

    @route("GET", "/v2/publications")
    def lists(self, call: Call) -> Any:
        rows = self.listed(lambda id: {"id": id, "name": "Meridian"})
        start, size = int(call.query.get("cursor", "0")), int(call.query.get("limit", "10"))
        following = str(start + size) if start + size < len(rows) else None
        cursors = {"has_more": following is not None, "next_cursor": following, "limit": size}
        return {"data": self.window(rows, start, size, 100), "pagination": cursors}

    @route("GET", "/v2/publications/{pub}/custom_fields")
    def fields(self, call: Call) -> Any:
        self.need_place(call.part["pub"])
        rows = [
            {"id": "cf_1", "kind": "string", "display": "City"},
            {"id": "cf_2", "kind": "list", "display": "Topics"},
        ]
        return {"data": rows}

    def _shown(self, person: Person) -> Any:
        return {"data": {"id": str(person.id), "status": self._words.get(person.state, "active")}}

    @route("GET", "/v2/publications/{pub}/subscriptions/by_email/{who}")
    def seek(self, call: Call) -> Any:
        self.need_place(call.part["pub"])
        person = self.find(call.part["who"])
        if person is None:
            raise Problem(404, "Not found")
        return self._shown(person)

    _values = [{"name!": str, "value!": (str, int, float, bool, list)}]

    @route("POST", "/v2/publications/{pub}/subscriptions")
    def add(self, call: Call) -> Any:
        place = self.need_place(call.part["pub"])
        body = call.json(
            {
                "email!": str,
                "reactivate_existing": bool,
                "send_welcome_email": bool,
                "double_opt_override": str,
                "custom_fields": self._values,
            }
        )
        # Those that the publication does not have are discarded.
        given = {each["name"]: each["value"] for each in body.get("custom_fields", [])}
        known = self.find(body["email"])
        person = self.keep(body["email"], **{name: given[name] for name in given if name in ("City", "Topics")})
        person.places.add(place)
        if known is None or body.get("reactivate_existing"):
            person.state = "pending" if body.get("double_opt_override") == "on" else "active"
        return self._shown(person)

    @route("PUT", "/v2/publications/{pub}/subscriptions/{id}")
    def change(self, call: Call) -> Any:
        person = self.need(call.part["id"])
        for each in call.json({"custom_fields": self._values}).get("custom_fields", []):
            person.fields[each["name"]] = each["value"]
        return self._shown(person)

    @route("POST", "/v2/publications/{pub}/subscriptions/{id}/tags")
    def tag(self, call: Call) -> Any:
        self.need(call.part["id"]).tags |= set(call.json({"tags!": [str]})["tags"])
        return self._shown(self.need(call.part["id"]))


class Keap(Stand):
    name = "keap"
    host = "api.infusionsoft.com"
    given = {"api_key": "KeapAK-0123456789"}
    auth = ("X-Keap-API-Key", "{api_key}")
    place, custom, unprocessable = "91", "6", 400

    @route("GET", "/crm/rest/v1/account/profile")
    def account(self, call: Call) -> Any:
        return {"name": "Meridian"}

    @route("GET", "/crm/rest/v1/tags")
    def lists(self, call: Call) -> Any:
        wanted = call.query.get("name")
        rows = self.listed(lambda id: {"id": int(id), "name": "Course"})
        rows += [{"id": id, "name": name} for id, name in self._tags.items()]
        rows = [row for row in rows if wanted is None or row["name"] == wanted]
        start, size = int(call.query.get("offset", "0")), int(call.query.get("limit", "1000"))
        return {"tags": self.window(rows, start, size, 1000), "count": len(rows)}

    def __init__(self) -> None:
        super().__init__()
        self._tags: dict[int, str] = {}

    @route("POST", "/crm/rest/v1/tags")
    def make_tag(self, call: Call) -> Any:
        body = call.json({"name!": str, "description": str})
        id = 900 + len(self._tags)
        self._tags[id] = body["name"]
        return 201, {"id": id, "name": body["name"]}

    @route("GET", "/crm/rest/v1/contacts/model")
    def fields(self, call: Call) -> Any:
        return {"custom_fields": [{"id": 6, "label": "City"}]}

    @route("GET", "/crm/rest/v1/contacts")
    def seek(self, call: Call) -> Any:
        person = self.find(call.query.get("email", ""))
        return {"contacts": [{"id": person.id, "email_opted_in": person.state == "active"}] if person else []}

    @route("PUT", "/crm/rest/v1/contacts")
    def add(self, call: Call) -> Any:
        body = call.json(
            {
                "duplicate_option!": str,
                "email_addresses!": [{"email!": str, "field!": str}],
                "given_name": str,
                "family_name": str,
                "phone_numbers": [{"field!": str, "number!": str}],
                "custom_fields": [{"id!": int, "content!": str}],
                "opt_in_reason": str,
            }
        )
        self.known_fields([str(each["id"]) for each in body.get("custom_fields", [])])
        email = body["email_addresses"][0]["email"]
        known = self.find(email)
        person = self.keep(email, **{str(each["id"]): each["content"] for each in body.get("custom_fields", [])})
        if body.get("opt_in_reason"):
            person.state = "active"
        elif known is None:
            person.state = "none"
        return (200 if known else 201), {"id": person.id}

    @route("POST", "/crm/rest/v1/contacts/{id}/tags")
    def tag(self, call: Call) -> Any:
        person = self.need(call.part["id"])
        given = call.json({"tagIds!": [int]})["tagIds"]
        person.places |= {self.need_place(each) for each in given if each not in self._tags}
        person.tags |= {self._tags[each] for each in given if each in self._tags}
        return [{"id": 91, "status": "SUCCESS"}]


class Ontraport(Stand):
    name = "ontraport"
    host = "api.ontraport.com"
    given = {"app_id": "2_1_abc", "api_key": "op-0123456789"}
    auth = ("Api-Key", "{api_key}")
    place, custom = "4", "f1234"

    def authorize(self, call: Call) -> None:
        super().authorize(call)
        if call.headers.get("api-appid") != self.given["app_id"]:
            raise Problem(401, "Api-Appid is not valid")

    @route("GET", "/1/Tags")
    def lists(self, call: Call) -> Any:
        rows = self.listed(lambda id: {"tag_id": id, "tag_name": "Course"})
        start, size = int(call.query.get("start", "0")), int(call.query.get("range", "50"))
        return {"code": 0, "data": self.window(rows, start, size, 50)}

    @route("GET", "/1/Contacts/meta")
    def fields(self, call: Call) -> Any:
        return {"data": {"0": {"name": "Contact", "fields": {"f1234": {"alias": "City"}, "email": {"alias": "Email"}}}}}

    @route("POST", "/1/Contacts/saveorupdate")
    def add(self, call: Call) -> Any:
        form = call.form()
        known = self.find(form.get("email", ""))
        own = {"email", "firstname", "lastname", "office_phone", "bulk_mail"}
        self.known_fields(set(form) - own)
        person = self.keep(form["email"], **{name: form[name] for name in set(form) - own})
        if "bulk_mail" in form:  # 0 is transactional mail alone
            person.state = {"0": "none", "1": "active"}.get(form["bulk_mail"], "left")
        return {"code": 0, "data": {"attrs": {"id": str(person.id)}} if known else {"id": str(person.id)}}

    @route("GET", "/1/object/getByEmail")
    def seek(self, call: Call) -> Any:
        person = self.find(call.query.get("email", ""))
        return {"code": 0, "data": {"id": str(person.id)} if person else []}

    @route("PUT", "/1/objects/tag")
    def tag(self, call: Call) -> Any:
        form = call.form()
        self.need(form["ids"]).places.add(self.need_place(form["add_list"]))
        return {"code": 0, "data": "The tag is now being processed."}

    @route("PUT", "/1/objects/tagByName")
    def tag_by_name(self, call: Call) -> Any:
        body = call.json({"objectID!": int, "ids!": [int], "add_names!": [str]})
        for each in body["ids"]:
            self.need(each).tags |= set(body["add_names"])
        return {"code": 0, "data": "The tag is now being processed."}


STANDS = (AWeber, ConstantContact, Drip, Beehiiv, Keap, Ontraport)
