"""Newsletter services that refuse, ignore or replace more than others: Brevo, GetResponse."""

from __future__ import annotations

import re
from typing import Any

from app.sandbox.providers.core import Call, Problem, Stand, route


class Brevo(Stand):
    name = "brevo"
    host = "api.brevo.com"
    given = {"api_key": "xkeysib-0123456789"}
    auth = ("api-key", "{api_key}")
    place, custom, unprocessable = "3", "CITY", 400

    def error(self, status: int, why: str) -> Any:
        return {"code": "invalid_parameter" if status == 400 else "problem", "message": why}

    @route("GET", "/v3/account")
    def account(self, call: Call) -> Any:
        return {"email": "owner@school.example", "companyName": "Meridian"}

    @route("GET", "/v3/contacts/lists")
    def lists(self, call: Call) -> Any:
        rows = self.listed(lambda id: {"id": int(id), "name": "News"})
        start, size = int(call.query.get("offset", "0")), int(call.query.get("limit", "10"))
        return {"lists": self.window(rows, start, size, 50), "count": len(rows)}

    @route("GET", "/v3/contacts/attributes")
    def fields(self, call: Call) -> Any:
        return {
            "attributes": [
                {"name": "CITY", "category": "normal", "type": "text"},
                {"name": "TOPICS", "category": "normal", "type": "multiple-choice"},
                {"name": "DOUBLE_OPT-IN", "category": "category"},
            ]
        }

    @route("GET", "/v3/contacts/{who}")
    def seek(self, call: Call) -> Any:
        person = self.find(call.part["who"])
        if person is None:
            raise Problem(404, "Contact does not exist")
        left = person.state == "left"
        unsubscribed = [int(place) for place in person.places] if left else []
        return {"id": person.id, "email": person.email, "emailBlacklisted": left, "listUnsubscribed": unsubscribed}

    @route("POST", "/v3/contacts")
    def add(self, call: Call) -> Any:
        shape = {
            "email!": str,
            "attributes": dict,
            "listIds": [int],
            "updateEnabled": bool,
            "emailBlacklisted": bool,
        }
        body = call.json(shape)
        given = body.get("attributes", {})
        self.known_fields(set(given) - {"FIRSTNAME", "LASTNAME", "SMS", "TOPICS"})
        # Values of another kind are ignored.
        for name in [each for each, value in given.items() if isinstance(value, list) != (each == "TOPICS")]:
            del given[name]
        for other in self.people.values():
            if "SMS" in given and other.fields.get("SMS") == given["SMS"] and other is not self.find(body["email"]):
                return 400, {"code": "duplicate_parameter", "message": "SMS is already associated with another Contact"}
        places = [self.need_place(each) for each in body.get("listIds", [])]
        known = self.find(body["email"])
        if known and not body.get("updateEnabled"):
            raise Problem(400, "Contact already exist")
        person = self.keep(body["email"], **body.get("attributes", {}))
        person.places |= set(places)
        if places and known and known.state == "left":
            person.state = "active"
        if body.get("emailBlacklisted") is False:
            person.state = "active"
        return (204, None) if known else (201, {"id": person.id})


class GetResponse(Stand):
    name = "getresponse"
    host = "api.getresponse.com"
    given = {"api_key": "gr0123456789"}
    auth = ("X-Auth-Token", "api-key {api_key}")
    place, custom, unprocessable = "tamqY", "kL6Nh", 400

    def error(self, status: int, why: str) -> Any:
        return {"httpStatus": status, "code": 1000, "codeDescription": why, "message": why, "context": []}

    @route("GET", "/v3/accounts")
    def account(self, call: Call) -> Any:
        return {"accountId": "VfEj6", "email": "owner@school.example"}

    @route("GET", "/v3/campaigns")
    def lists(self, call: Call) -> Any:
        rows = self.listed(lambda id: {"campaignId": id, "name": "news"})
        size = int(call.query.get("perPage", "100"))
        return self.window(rows, (int(call.query.get("page", "1")) - 1) * size, size, 1000)

    @route("GET", "/v3/custom-fields")
    def fields(self, call: Call) -> Any:
        return [{"customFieldId": "kL6Nh", "name": "city"}]

    @route("GET", "/v3/tags")
    def tags(self, call: Call) -> Any:
        part = call.query.get("query[name]", "").lower()
        return [{"tagId": id, "name": name} for id, name in self._tags.items() if part in name.lower()]

    @route("POST", "/v3/tags")
    def tag(self, call: Call) -> Any:
        name = call.json({"name!": str})["name"]
        if not re.fullmatch(r"[_a-zA-Z0-9]{2,64}", name):
            raise Problem(400, "The name of a tag is letters, digits and underscores")
        if name.lower() in {each.lower() for each in self._tags.values()}:
            raise Problem(409, "Tag already exists")
        id = f"tag{len(self._tags)}"
        self._tags[id] = name
        return 201, {"tagId": id, "name": name}

    def __init__(self) -> None:
        super().__init__()
        self._tags = {"tagold": "old_one"}

    def _tagged(self, body: Any) -> set[str]:
        if not {each["tagId"] for each in body.get("tags", [])} <= set(self._tags):
            raise Problem(400, "There is no such tag")
        return {self._tags[each["tagId"]] for each in body.get("tags", [])}

    @route("GET", "/v3/contacts")
    def seek(self, call: Call) -> Any:
        part = call.query.get("query[email]", "").lower()
        is_exact = call.query.get("additionalFlags") == "exactMatch"
        return [
            {"contactId": str(each.id), "email": each.email}
            for each in self.people.values()
            if (part == each.email.lower() if is_exact else part in each.email.lower()) and each.state != "left"
        ]

    _about = {"name": str, "customFieldValues": [{"customFieldId!": str, "value!": [str]}], "tags": [{"tagId!": str}]}

    @route("POST", "/v3/contacts")
    def add(self, call: Call) -> Any:
        body = call.json({"email!": str, "campaign!": {"campaignId!": str}, **self._about})
        place = self.need_place(body["campaign"]["campaignId"])
        self.known_fields([each["customFieldId"] for each in body.get("customFieldValues", [])])
        known = self.find(body["email"])
        if known and known.state != "left":
            raise Problem(409, "Contact already added")
        person = self.keep(
            body["email"], **{e["customFieldId"]: e["value"][0] for e in body.get("customFieldValues", [])}
        )
        person.places.add(place)
        person.state = "active"
        person.tags |= self._tagged(body)
        return 202, None

    @route("POST", "/v3/contacts/{id}")
    def change(self, call: Call) -> Any:
        body = call.json(self._about)
        person = self.need(call.part["id"])
        # What is given replaces all that was there.
        if "customFieldValues" in body:
            person.fields = {e["customFieldId"]: e["value"][0] for e in body["customFieldValues"]}
        if "tags" in body:
            person.tags = self._tagged(body)
        return {"contactId": str(person.id)}

    @route("POST", "/v3/contacts/{id}/custom-fields")
    def fill(self, call: Call) -> Any:
        body = call.json({"customFieldValues!": self._about["customFieldValues"]})
        self.known_fields([each["customFieldId"] for each in body["customFieldValues"]])
        self.need(call.part["id"]).fields |= {e["customFieldId"]: e["value"][0] for e in body["customFieldValues"]}
        return {"customFieldValues": body["customFieldValues"]}

    @route("POST", "/v3/contacts/{id}/tags")
    def put_on(self, call: Call) -> Any:
        body = call.json({"tags!": self._about["tags"]})
        self.need(call.part["id"]).tags |= self._tagged(body)
        return {"tags": body["tags"]}

    @route("POST", "/v3/search-contacts/contacts")
    def search(self, call: Call) -> Any:
        condition = {"conditionType!": str, "operatorType!": str, "operator!": str, "value!": str}
        section = {
            "campaignIdsList!": [str],
            "logicOperator!": str,
            "subscriberCycle!": [str],
            "subscriptionDate!": str,
            "conditions": [condition],
        }
        body = call.json({"subscribersType!": [str], "sectionLogicOperator!": str, "section!": [section]})
        if body["subscribersType"] not in (["subscribed"], ["undelivered"], ["removed"], ["unconfirmed"]):
            raise Problem(400, "Only one subscription status")
        wanted = body["section"][0]["conditions"][0]["value"]
        person = self.find(wanted)
        is_removed = person is not None and person.state == "left" and body["subscribersType"] == ["removed"]
        return [{"contactId": str(person.id), "email": person.email}] if person and is_removed else []


STANDS = (Brevo, GetResponse)
