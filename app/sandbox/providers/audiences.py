"""Services of shops and senders: Klaviyo, Omnisend, SendGrid."""

from __future__ import annotations

import json
from typing import Any

from app.sandbox.providers.core import Call, Person, Problem, Stand, route


class Klaviyo(Stand):
    name = "klaviyo"
    host = "a.klaviyo.com"
    given = {"api_key": "pk_0123456789abcdef"}
    auth = ("Authorization", "Klaviyo-API-Key {api_key}")
    place, custom, unprocessable = "Y6nRLr", "city", 400
    _kind = "application/vnd.api+json"

    def error(self, status: int, why: str) -> Any:
        return {"errors": [{"id": "1", "status": status, "title": "Problem", "detail": why}]}

    def authorize(self, call: Call) -> None:
        super().authorize(call)
        if not call.headers.get("revision"):
            raise Problem(400, "A revision is required")

    @route("GET", "/api/accounts")
    def account(self, call: Call) -> Any:
        return {"data": [{"id": "AbC", "attributes": {"contact_information": {"organization_name": "Meridian"}}}]}

    @route("GET", "/api/lists")
    def lists(self, call: Call) -> Any:
        return {"data": [{"type": "list", "id": self.place, "attributes": {"name": "News"}}]}

    @route("GET", "/api/profiles")
    def seek(self, call: Call) -> Any:
        wanted = call.query.get("filter", "")
        if not wanted.startswith("equals(email,"):
            raise Problem(400, "Invalid filter")
        person = self.find(json.loads(wanted.removeprefix("equals(email,").removesuffix(")")))
        if person is None:
            return {"data": []}
        consent = {"active": "SUBSCRIBED", "left": "UNSUBSCRIBED"}.get(person.state, "NEVER_SUBSCRIBED")
        about = {
            "email": person.email,
            "subscriptions": {"email": {"marketing": {"consent": consent, "suppression": []}}},
        }
        return {"data": [{"type": "profile", "id": str(person.id), "attributes": about}]}

    @route("POST", "/api/profile-import")
    def add(self, call: Call) -> Any:
        about = {"email!": str, "first_name": str, "last_name": str, "phone_number": str, "properties": dict}
        body = call.json({"data!": {"type!": str, "attributes!": about}}, self._kind)["data"]["attributes"]
        known = self.find(body["email"])
        person = self.keep(body["email"], **body.get("properties", {}))
        if known is None:
            person.state = "none"
        return (200 if known else 201), {"data": {"type": "profile", "id": str(person.id)}}

    @route("POST", "/api/profile-subscription-bulk-create-jobs")
    def subscribe(self, call: Call) -> Any:
        marketing = {"email!": {"marketing!": {"consent!": str}}}
        profile = {"type!": str, "attributes!": {"email!": str, "subscriptions!": marketing}}
        shape = {
            "data!": {
                "type!": str,
                "attributes!": {"profiles!": {"data!": [profile]}},
                "relationships": {"list!": {"data!": {"type!": str, "id!": str}}},
            }
        }
        body = call.json(shape, self._kind)["data"]
        place = self.need_place(body["relationships"]["list"]["data"]["id"])
        for each in body["attributes"]["profiles"]["data"]:
            person = self.keep(each["attributes"]["email"])
            person.places.add(place)
            person.state = "active"
        return 202, None


class Omnisend(Stand):
    name = "omnisend"
    host = "api.omnisend.com"
    given = {"api_key": "omni-0123456789"}
    auth = ("X-API-KEY", "{api_key}")
    custom, unprocessable = "city", 400
    _words = {"active": "subscribed", "left": "unsubscribed", "none": "nonSubscribed"}

    def error(self, status: int, why: str) -> Any:
        return {"error": why, "statusCode": status}

    @route("GET", "/v5/contacts")
    def seek(self, call: Call) -> Any:
        person = self.find(call.query.get("email", ""))
        if person is None:
            return {"contacts": []}
        email = {"type": "email", "id": person.email, "channels": {"email": {"status": self._words[person.state]}}}
        return {"contacts": [{"contactID": str(person.id), "identifiers": [email]}]}

    _about = {"firstName": str, "lastName": str, "tags": [str], "customProperties": dict}

    _identifiers = [{"type!": str, "id!": str, "channels!": {"email!": {"status!": str, "statusDate!": str}}}]

    @route("POST", "/v5/contacts")
    def add(self, call: Call) -> Any:
        body = call.json({"identifiers!": self._identifiers, **self._about})
        [identifier] = body["identifiers"]
        states = {said: state for state, said in self._words.items()}
        status = identifier["channels"]["email"]["status"]
        if status not in states:
            raise Problem(400, "status is not one")
        if self.find(identifier["id"]):
            raise Problem(400, "The identifier is of another contact")
        person = self.keep(identifier["id"], **body.get("customProperties", {}))
        person.state = states[status]
        person.tags |= set(body.get("tags", []))
        return {"contactID": str(person.id), "email": person.email}

    @route("PATCH", "/v5/contacts/{id}")
    def change(self, call: Call) -> Any:
        body = call.json({"identifiers": self._identifiers, **self._about})
        person = self.need(call.part["id"])
        for each in body.get("identifiers", []):
            person.state = {w: state for state, w in self._words.items()}[each["channels"]["email"]["status"]]
        person.fields |= body.get("customProperties", {})
        person.tags |= set(body.get("tags", []))
        return {"contactID": str(person.id)}


class SendGrid(Stand):
    name = "sendgrid"
    host = "api.sendgrid.com"
    given = {"api_key": "SG.0123456789"}
    place, custom, unprocessable = "ca1f3a9c-list", "w1", 400

    def error(self, status: int, why: str) -> Any:
        return {"errors": [{"message": why, "field": None}]}

    @route("GET", "/v3/marketing/lists")
    def lists(self, call: Call) -> Any:
        return {"result": [{"id": self.place, "name": "News"}]}

    @route("GET", "/v3/marketing/field_definitions")
    def fields(self, call: Call) -> Any:
        return {"custom_fields": [{"id": "w1", "name": "city"}], "reserved_fields": []}

    @route("GET", "/v3/asm/suppressions/global/{who}")
    def suppressed(self, call: Call) -> Any:
        person = self.find(call.part["who"])
        return {"recipient_email": person.email} if person and person.state == "left" else {}

    def leave(self, email: str) -> Person:
        person = super().leave(email)
        person.places.clear()
        return person

    @route("PUT", "/v3/marketing/contacts")
    def add(self, call: Call) -> Any:
        row = {"email!": str, "first_name": str, "last_name": str, "phone_number": str, "custom_fields": dict}
        body = call.json({"list_ids": [str], "contacts!": [row]})
        places = {self.need_place(each) for each in body.get("list_ids", [])}
        for each in body["contacts"]:
            self.known_fields(each.get("custom_fields", {}))
            person = self.keep(each["email"], **each.get("custom_fields", {}))
            person.places |= places
            person.state = "active" if places else person.state
        return 202, {"job_id": "job-1"}


STANDS = (Klaviyo, Omnisend, SendGrid)
