"""Newsletter services: what they answer, and how each treats who left."""

from __future__ import annotations

import hashlib
from typing import Any

from app.sandbox.providers.core import Call, Person, Problem, Stand, route


class Mailchimp(Stand):
    name = "mailchimp"
    host = "us6.api.mailchimp.com"
    given = {"api_key": "0123456789abcdef0123456789abcdef-us6"}
    auth = ("Authorization", "basic:key:{api_key}")
    place, custom, unprocessable = "a1b2c3", "CITY", 400
    _words = {
        "active": "subscribed",
        "pending": "pending",
        "left": "unsubscribed",
        "none": "transactional",
        "archived": "archived",
    }

    def error(self, status: int, why: str) -> Any:
        if status == 403:  # the gate before the service speaks no JSON
            return None
        return {"type": "https://mailchimp.com/developer/", "title": "Problem", "status": status, "detail": why}

    @route("GET", "/3.0/")
    def account(self, call: Call) -> Any:
        return {"account_name": "Meridian"}

    @route("GET", "/3.0/lists")
    def lists(self, call: Call) -> Any:
        rows = self.listed(lambda id: {"id": id, "name": "News"})
        start, size = int(call.query.get("offset", "0")), int(call.query.get("count", "10"))
        return {"lists": self.window(rows, start, size, 1000), "total_items": len(rows)}

    @route("GET", "/3.0/lists/{list}/merge-fields")
    def fields(self, call: Call) -> Any:
        self.need_place(call.part["list"])
        return {"merge_fields": [{"tag": "FNAME", "name": "First"}, {"tag": "CITY", "name": "City"}]}

    @route("GET", "/3.0/lists/{list}/members/{hash}")
    def member(self, call: Call) -> Any:
        self.need_place(call.part["list"])
        for person in self.people.values():
            if hashlib.md5(person.email.lower().encode(), usedforsecurity=False).hexdigest() == call.part["hash"]:
                return {"status": self._words[person.state]}
        raise Problem(404, "The requested resource could not be found.")

    @route("PUT", "/3.0/lists/{list}/members/{hash}")
    def put(self, call: Call) -> Any:
        self.need_place(call.part["list"])
        body = call.json({"email_address!": str, "status_if_new": str, "status": str, "merge_fields": dict})
        if hashlib.md5(body["email_address"].lower().encode(), usedforsecurity=False).hexdigest() != call.part["hash"]:
            raise Problem(400, "The hash is of another address")
        self.known_fields(set(body.get("merge_fields", {})) - {"FNAME", "LNAME", "PHONE"})
        known = self.find(body["email_address"])
        word = body.get("status") or ("" if known else body.get("status_if_new", ""))
        states = {said: state for state, said in self._words.items()}
        if (word and word not in states) or not (known or word):
            raise Problem(400, "The status is not one")
        person = self.keep(body["email_address"], **body.get("merge_fields", {}))
        if word:
            person.state = states[word]
        elif person.state == "archived":  # as unkind as it can be read
            person.state = "active"
        return {"id": call.part["hash"], "status": self._words[person.state], "merge_fields": person.fields}

    @route("POST", "/3.0/lists/{list}/members/{hash}/tags")
    def tags(self, call: Call) -> Any:
        for tag in call.json({"tags!": [{"name!": str, "status!": str}]})["tags"]:
            for person in self.people.values():
                if hashlib.md5(person.email.lower().encode(), usedforsecurity=False).hexdigest() == call.part["hash"]:
                    person.tags.add(tag["name"])
        return 204, None


class Kit(Stand):
    name = "kit"
    host = "api.kit.com"
    given = {"api_key": "kit_0123456789abcdef"}
    auth = ("X-Kit-Api-Key", "{api_key}")
    place, custom = "7", "city"

    def error(self, status: int, why: str) -> Any:
        return {"errors": [why]}

    def _shown(self, person: Person) -> dict[str, Any]:
        return {
            "id": person.id,
            "email_address": person.email,
            "state": "cancelled" if person.state == "left" else "active",
        }

    @route("GET", "/v4/account")
    def account(self, call: Call) -> Any:
        return {"user": {"email": "owner@school.example"}, "account": {"name": "Meridian"}}

    @route("GET", "/v4/forms")
    def forms(self, call: Call) -> Any:
        rows = self.listed(lambda id: {"id": int(id), "name": "News"})
        start, size = int(call.query.get("after", "0")), int(call.query.get("per_page", "500"))
        end = start + size
        cursors = {"has_next_page": end < len(rows), "end_cursor": str(end), "per_page": size}
        return {"forms": self.window(rows, start, size, 1000), "pagination": cursors}

    @route("GET", "/v4/custom_fields")
    def fields(self, call: Call) -> Any:
        return {"custom_fields": [{"id": 1, "key": "city", "label": "City"}], "pagination": {"has_next_page": False}}

    @route("GET", "/v4/subscribers")
    def seek(self, call: Call) -> Any:
        person = self.find(call.query.get("email_address", ""))
        shown = person is not None and (person.state == "active" or call.query.get("status") == "all")
        return {"subscribers": [self._shown(person)] if person and shown else []}

    @route("POST", "/v4/subscribers")
    def add(self, call: Call) -> Any:
        body = call.json({"email_address!": str, "first_name": str, "state": str, "fields": dict})
        # Those that the account does not have are ignored, and named.
        given = {name: value for name, value in body.get("fields", {}).items() if name == self.custom}
        unknown = [f"{name} is not a custom field" for name in body.get("fields", {}) if name not in given]
        known = self.find(body["email_address"])
        person = self.keep(body["email_address"], **given)
        if known is None and body.get("state"):
            person.state = "active" if body["state"] == "active" else "left"
        warnings = {"warnings": unknown} if unknown else {}
        return 200 if known else 201, {"subscriber": self._shown(person), **warnings}

    @route("PUT", "/v4/subscribers/{id}")
    def change(self, call: Call) -> Any:
        body = call.json({"email_address": str, "first_name": str, "fields": dict})
        person = self.need(call.part["id"])
        person.fields |= body.get("fields", {})
        return {"subscriber": self._shown(person)}

    def _join(self, call: Call) -> Any:
        person = self.find(call.json({"email_address!": str})["email_address"])
        if person is None:
            raise Problem(404, "Not found")
        person.state = "active"
        return person

    @route("POST", "/v4/forms/{form}/subscribers")
    def join(self, call: Call) -> Any:
        place = self.need_place(call.part["form"])
        person = self._join(call)
        person.places.add(place)
        return 201, {"subscriber": self._shown(person)}

    @route("POST", "/v4/tags")
    def tag(self, call: Call) -> Any:
        return 201, {"tag": {"id": 5, "name": call.json({"name!": str})["name"]}}

    @route("POST", "/v4/tags/{tag}/subscribers")
    def tagged(self, call: Call) -> Any:
        person = self._join(call)
        person.tags.add("course")
        return 201, {"subscriber": self._shown(person)}


class ActiveCampaign(Stand):
    name = "activecampaign"
    host = "meridian.api-us1.com"
    given = {"url": "https://meridian.api-us1.com", "api_key": "ac-key-0123456789"}
    auth = ("Api-Token", "{api_key}")
    place, custom = "1", "4"

    def error(self, status: int, why: str) -> Any:
        return {"errors": [{"title": why, "code": status}]}

    def authorize(self, call: Call) -> None:
        try:
            super().authorize(call)
        except Problem as problem:
            raise Problem(403, problem.why) from None

    @route("GET", "/api/3/users/me")
    def me(self, call: Call) -> Any:
        return {"user": {"username": "meridian"}}

    @route("GET", "/api/3/lists")
    def lists(self, call: Call) -> Any:
        rows = self.listed(lambda id: {"id": id, "name": "News"})
        start, size = int(call.query.get("offset", "0")), int(call.query.get("limit", "20"))
        return {"lists": self.window(rows, start, size, 100), "meta": {"total": str(len(rows))}}

    @route("GET", "/api/3/fields")
    def fields(self, call: Call) -> Any:
        return {"fields": [{"id": "4", "title": "City"}]}

    @route("GET", "/api/3/contacts")
    def seek(self, call: Call) -> Any:
        person = self.find(call.query.get("email", ""))
        return {"contacts": [{"id": str(person.id), "email": person.email}] if person else []}

    @route("GET", "/api/3/contacts/{id}/contactLists")
    def states(self, call: Call) -> Any:
        person = self.need(call.part["id"])
        status = "2" if person.state == "left" else "1"
        return {
            "contactLists": [{"list": place, "contact": str(person.id), "status": status} for place in person.places]
        }

    @route("POST", "/api/3/contact/sync")
    def sync(self, call: Call) -> Any:
        values = [{"field!": str, "value!": str}]
        shape = {"email!": str, "firstName": str, "lastName": str, "phone": str, "fieldValues": values}
        body = call.json({"contact!": shape})["contact"]
        self.known_fields([each["field"] for each in body.get("fieldValues", [])])
        known = self.find(body["email"])
        person = self.keep(body["email"], **{each["field"]: each["value"] for each in body.get("fieldValues", [])})
        return 200 if known else 201, {"contact": {"id": str(person.id), "email": person.email}}

    @route("POST", "/api/3/contactLists")
    def join(self, call: Call) -> Any:
        row = call.json({"contactList!": {"list!": str, "contact!": str, "status!": str}})["contactList"]
        person = self.need(row["contact"])
        person.places.add(self.need_place(row["list"]))
        # The trap: this revives who left.
        person.state = "active" if row["status"] == "1" else "left"
        return 201, {"contactList": row}

    @route("GET", "/api/3/tags")
    def tags(self, call: Call) -> Any:
        return {"tags": []}

    @route("POST", "/api/3/tags")
    def tag(self, call: Call) -> Any:
        body = call.json({"tag!": {"tag!": str, "tagType!": str, "description": str}})
        return 201, {"tag": {"id": "9", **body["tag"]}}

    @route("POST", "/api/3/contactTags")
    def tagged(self, call: Call) -> Any:
        row = call.json({"contactTag!": {"contact!": str, "tag!": str}})["contactTag"]
        self.need(row["contact"]).tags.add("course")
        return 201, {"contactTag": row}


class MailerLite(Stand):
    name = "mailerlite"
    host = "connect.mailerlite.com"
    given = {"api_key": "ml-token-0123456789"}
    place, custom = "4243829086487936", "city"

    def error(self, status: int, why: str) -> Any:
        return {"message": why, "errors": {}}

    def _shown(self, person: Person) -> dict[str, Any]:
        status = "unsubscribed" if person.state == "left" else "active"
        return {"data": {"id": str(person.id), "email": person.email, "status": status}}

    @route("GET", "/api/groups")
    def groups(self, call: Call) -> Any:
        rows = self.listed(lambda id: {"id": id, "name": "News"})
        size = int(call.query.get("limit", "25"))
        return {"data": self.window(rows, (int(call.query.get("page", "1")) - 1) * size, size, 100)}

    @route("GET", "/api/fields")
    def fields(self, call: Call) -> Any:
        return {"data": [{"key": "last_name", "name": "Last name"}, {"key": "city", "name": "City"}]}

    @route("GET", "/api/subscribers/{who}")
    def seek(self, call: Call) -> Any:
        person = self.find(call.part["who"])
        if person is None:
            raise Problem(404, "Resource not found.")
        return self._shown(person)

    @route("PUT", "/api/subscribers/{id}")
    def change(self, call: Call) -> Any:
        person = self.need(call.part["id"])
        person.fields |= call.json({"fields": dict, "groups": [str], "status": str}).get("fields", {})
        return self._shown(person)

    @route("POST", "/api/subscribers")
    def add(self, call: Call) -> Any:
        body = call.json({"email!": str, "fields": dict, "groups": [str], "status": str})
        self.known_fields(set(body.get("fields", {})) - {"name", "last_name", "phone"})
        groups = [self.need_place(group) for group in body.get("groups", [])]
        known = self.find(body["email"])
        person = self.keep(body["email"], **body.get("fields", {}))
        person.places |= set(groups)
        if known is None or groups or body.get("status") == "active":  # as unkind as it can be read
            person.state = "active"
        return 200 if known else 201, self._shown(person)


STANDS = (Mailchimp, Kit, ActiveCampaign, MailerLite)
