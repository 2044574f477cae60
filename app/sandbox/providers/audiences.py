"""Services of shops and senders: Klaviyo, Omnisend, SendGrid."""

from __future__ import annotations

import json
import re
from typing import Any

from app.sandbox.providers.core import Call, Person, Problem, Stand, route


class Klaviyo(Stand):
    name = "klaviyo"
    host = "a.klaviyo.com"
    given = {"api_key": "pk_0123456789abcdef"}
    auth = ("Authorization", "Klaviyo-API-Key {api_key}")
    place, custom, unprocessable = "Y6nRLr", "city", 400
    _kind = "application/vnd.api+json"

    def __init__(self) -> None:
        super().__init__()
        # Of everybody: a list that was left alone, the account not.
        self.left_lists: set[str] = set()

    def error(self, status: int, why: str) -> Any:
        return {"errors": [{"id": "1", "status": status, "title": "Problem", "detail": why}]}

    def authorize(self, call: Call) -> None:
        super().authorize(call)
        revision = call.headers.get("revision", "")
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}(\.\w+)?", revision) or revision < "2024-11-21":
            raise Problem(400, "A revision that is alive is required")

    @route("GET", "/api/accounts")
    def account(self, call: Call) -> Any:
        return {"data": [{"id": "AbC", "attributes": {"contact_information": {"organization_name": "Meridian"}}}]}

    @route("GET", "/api/lists")
    def lists(self, call: Call) -> Any:
        rows = self.listed(lambda id: {"type": "list", "id": id, "attributes": {"name": "News"}})
        start = int(call.query.get("page[cursor]", "0"))
        following = f"https://{self.host}/api/lists?page%5Bcursor%5D={start + 10}" if start + 10 < len(rows) else None
        return {"data": self.window(rows, start, 10, 10), "links": {"next": following}}

    @route("GET", "/api/profiles")
    def seek(self, call: Call) -> Any:
        wanted = call.query.get("filter", "")
        if not wanted.startswith("equals(email,"):
            raise Problem(400, "Invalid filter")
        person = self.find(json.loads(wanted.removeprefix("equals(email,").removesuffix(")")))
        if person is None:
            return {"data": []}
        if call.query.get("additional-fields[profile]") != "subscriptions":
            about: dict[str, Any] = {"email": person.email}
        else:
            consent = {"active": "SUBSCRIBED", "left": "UNSUBSCRIBED"}.get(person.state, "NEVER_SUBSCRIBED")
            here = [{"list_id": place, "reason": "UNSUBSCRIBE"} for place in sorted(self.left_lists)]
            marketing = {"consent": consent, "suppression": [], "list_suppressions": here}
            about = {"email": person.email, "subscriptions": {"email": {"marketing": marketing}}}
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
    auth = ("Authorization", "Omnisend-API-Key {api_key}")
    custom, unprocessable = "city", 400
    _words = {"active": "subscribed", "left": "unsubscribed", "none": "nonSubscribed"}

    def error(self, status: int, why: str) -> Any:
        wait = {"retryAfter": 7} if status == 429 else {}
        return {
            "type": "https://problems.omnisend.com/problem",
            "title": "Problem",
            "status": status,
            "detail": why,
        } | wait

    def authorize(self, call: Call) -> None:
        super().authorize(call)
        if call.headers.get("omnisend-version") != "2026-03-15":
            raise Problem(400, "Omnisend-Version is required")

    @route("GET", "/api/contacts")
    def seek(self, call: Call) -> Any:
        person = self.find(call.query.get("email", ""))
        if person is None:
            return {"contacts": []}
        email = {"type": "email", "id": person.email, "channels": {"email": {"status": self._words[person.state]}}}
        tags = sorted(person.tags)
        return {"contacts": [{"id": str(person.id), "identifiers": [email], "status": "", "tags": tags}], "paging": {}}

    _about = {"firstName": str, "lastName": str, "tags": [str], "customProperties": dict}

    _channel = {"status!": str, "statusChangedAt": str}
    _identifiers = [{"type!": str, "id!": str, "channels": {"email": _channel, "sms": _channel}}]

    def _take(self, person: Person, body: Any) -> None:
        states = {said: state for state, said in self._words.items()}
        for each in body.get("identifiers", []):
            for channel, about in each.get("channels", {}).items():
                if about["status"] not in states:
                    raise Problem(400, "status is not one")
                if channel == "email":
                    person.state = states[about["status"]]
                else:
                    person.fields["sms"] = (each["id"], about["status"])
        person.fields |= body.get("customProperties", {})
        if "tags" in body:  # what is given replaces what was there
            person.tags = set(body["tags"])

    @route("POST", "/api/contacts")
    def add(self, call: Call) -> Any:
        """An upsert by the address; it says of her channels what it is told, whatever they were."""
        body = call.json({"identifiers!": self._identifiers, **self._about})
        address = next((each["id"] for each in body["identifiers"] if each["type"] == "email"), "")
        known = self.find(address)
        person = self.keep(address)
        self._take(person, body)
        return (200 if known else 201), {"id": str(person.id), "email": person.email}

    @route("PATCH", "/api/contacts/{id}")
    def change(self, call: Call) -> Any:
        person = self.need(call.part["id"])
        self._take(person, call.json({"identifiers": self._identifiers, **self._about}))
        return {"id": str(person.id)}


class SendGrid(Stand):
    name = "sendgrid"
    host = "api.sendgrid.com"
    hosts = ("api.eu.sendgrid.com",)
    given = {"api_key": "SG.0123456789"}
    place, custom, unprocessable = "ca1f3a9c-list", "w1", 400

    def error(self, status: int, why: str) -> Any:
        return {"errors": [{"message": why, "field": None}]}

    @route("GET", "/v3/marketing/lists")
    def lists(self, call: Call) -> Any:
        rows = self.listed(lambda id: {"id": id, "name": "News"})
        start, size = int(call.query.get("page_token", "0")), int(call.query.get("page_size", "100"))
        following = f"https://{call.host}/v3/marketing/lists?page_size={size}&page_token={start + size}"
        more = {"next": following} if start + size < len(rows) else {}
        return {"result": self.window(rows, start, size, 1000), "_metadata": {"self": "", "count": len(rows), **more}}

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
