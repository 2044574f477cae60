"""Newsletter services around a list: Campaign Monitor, Moosend, Mailjet, listmonk."""

from __future__ import annotations

from typing import Any

from app.sandbox.providers.core import Call, Person, Problem, Stand, route


class CampaignMonitor(Stand):
    name = "campaign_monitor"
    host = "api.createsend.com"
    given = {"api_key": "cm0123456789abcdef"}
    auth = ("Authorization", "basic:{api_key}:x")
    place, custom, unprocessable = "0a1b2c3d", "City", 400

    def error(self, status: int, why: str) -> Any:
        codes = {"There is no such list": 101, "The credentials are not valid": 100}
        return {"Code": codes.get(why, 1), "Message": why}

    def need_place(self, place: str | int) -> str:
        if str(place) != self.place:
            raise Problem(401, "There is no such list")
        return self.place

    @route("GET", "/api/v3.3/clients.json")
    def clients(self, call: Call) -> Any:
        return [{"ClientID": "c1", "Name": "Meridian"}]

    @route("GET", "/api/v3.3/clients/c1/lists.json")
    def lists(self, call: Call) -> Any:
        return [{"ListID": self.place, "Name": "News"}]

    @route("GET", "/api/v3.3/lists/{list}/customfields.json")
    def fields(self, call: Call) -> Any:
        self.need_place(call.part["list"])
        return [{"FieldName": "City", "Key": "[City]", "DataType": "Text"}]

    @route("POST", "/api/v3.3/subscribers/{list}.json")
    def add(self, call: Call) -> Any:
        body = call.json(
            {
                "EmailAddress!": str,
                "Name": str,
                "CustomFields": [{"Key!": str, "Value!": str}],
                "Resubscribe": bool,
                "RestartSubscriptionBasedAutoresponders": bool,
                "ConsentToTrack!": str,
            }
        )
        place = self.need_place(call.part["list"])
        if body["ConsentToTrack"] not in ("Yes", "No", "Unchanged"):
            raise Problem(400, "ConsentToTrack value required")
        self.known_fields([each["Key"] for each in body.get("CustomFields", [])])
        known = self.find(body["EmailAddress"])
        if known and known.state == "left" and not body.get("Resubscribe"):
            return 400, {"Code": 206, "Message": "Subscriber has unsubscribed"}
        person = self.keep(body["EmailAddress"], **{e["Key"]: e["Value"] for e in body.get("CustomFields", [])})
        person.fields |= {"Name": body["Name"]} if "Name" in body else {}
        person.places.add(place)
        person.state = "active"
        return 201, person.email


class Moosend(Stand):
    name = "moosend"
    host = "api.moosend.com"
    given = {"api_key": "moo-0123456789"}
    place, custom = "a589366a-1a34", "City"

    def authorize(self, call: Call) -> None:
        if call.query.get("apikey") != self.given["api_key"]:
            raise Problem(401, "API key not valid")

    def error(self, status: int, why: str) -> Any:
        return {"Code": status, "Error": why, "Context": None}

    def handle(self, call: Call) -> tuple[int, dict[str, str], Any]:
        status, headers, body = super().handle(call)
        # Refusals of its own come with 200.
        return (200 if status in (401, 404, 422) else status), headers, body

    def _ok(self, context: Any) -> Any:
        return {"Code": 0, "Error": None, "Context": context}

    @route("GET", "/v3/lists.json")
    def some_lists(self, call: Call) -> Any:
        return self._ok({"MailingLists": [{"ID": self.place, "Name": "News"}]})

    @route("GET", "/v3/lists/{page}/{size}.json")
    def lists(self, call: Call) -> Any:
        rows = self.listed(lambda id: {"ID": id, "Name": "News"})
        size = int(call.part["size"])
        return self._ok({"MailingLists": self.window(rows, (int(call.part["page"]) - 1) * size, size, 1000)})

    @route("GET", "/v3/lists/{list}/details.json")
    def fields(self, call: Call) -> Any:
        self.need_place(call.part["list"])
        return self._ok({"CustomFieldsDefinition": [{"ID": "f1", "Name": "City"}]})

    def _shown(self, person: Person) -> Any:
        custom = [{"Name": name, "Value": value} for name, value in person.fields.items()]
        return {
            "ID": str(person.id),
            "Email": person.email,
            "SubscribeType": 1 if person.state == "active" else 2,
            "CustomFields": custom,
        }

    @route("GET", "/v3/subscribers/{list}/view.json")
    def seek(self, call: Call) -> Any:
        self.need_place(call.part["list"])
        person = self.find(call.query.get("Email", ""))
        if person is None:
            raise Problem(404, "MEMBER_NOT_FOUND")
        return self._ok(self._shown(person))

    @route("POST", "/v3/subscribers/{list}/subscribe.json")
    def add(self, call: Call) -> Any:
        place = self.need_place(call.part["list"])
        body = call.json({"Email!": str, "Name": str, "CustomFields": [str], "Tags": [str]})
        values = dict(each.split("=", 1) for each in body.get("CustomFields", []))
        self.known_fields(values)
        person = self.keep(body["Email"])
        person.fields, person.state = values, "active"
        person.places.add(place)
        return self._ok(self._shown(person))


class Mailjet(Stand):
    name = "mailjet"
    host = "api.mailjet.com"
    given = {"api_key": "mj-public", "api_secret": "mj-private-0123456789"}
    auth = ("Authorization", "basic:{api_key}:{api_secret}")
    key_name = "api_secret"
    place, custom, unprocessable = "11", "city", 400

    def error(self, status: int, why: str) -> Any:
        return {"ErrorInfo": "", "ErrorMessage": why, "StatusCode": status}

    @route("GET", "/v3/REST/user")
    def user(self, call: Call) -> Any:
        return {"Count": 1, "Data": [{"Username": "meridian"}]}

    @route("GET", "/v3/REST/contactslist")
    def lists(self, call: Call) -> Any:
        rows = self.listed(lambda id: {"ID": int(id), "Name": "News"})
        start, size = int(call.query.get("Offset", "0")), int(call.query.get("Limit", "10"))
        return {"Data": self.window(rows, start, size, 1000), "Total": len(rows)}

    @route("GET", "/v3/REST/contactmetadata")
    def fields(self, call: Call) -> Any:
        return {"Data": [{"ID": 1, "Name": "city"}]}

    @route("POST", "/v3/REST/contactslist/{list}/managecontact")
    def add(self, call: Call) -> Any:
        place = self.need_place(call.part["list"])
        body = call.json({"Email!": str, "Name": str, "Action!": str, "Properties": dict})
        if body["Action"] not in ("addforce", "addnoforce", "remove", "unsub"):
            raise Problem(400, "Invalid Action")
        self.known_fields(body.get("Properties", {}))
        person = self.keep(body["Email"], **body.get("Properties", {}))
        person.places.add(place)
        if body["Action"] == "addforce":
            person.state = "active"
        return 201, {"Data": [{"ContactID": person.id, "Email": person.email}]}


class Listmonk(Stand):
    name = "listmonk"
    host = "lists.meridian.example"
    given = {"url": "https://lists.meridian.example", "user": "forms", "token": "lm-token-0123456789"}
    auth = ("Authorization", "token {user}:{token}")
    key_name = "token"
    place, custom, unprocessable = "2", "city", 400

    def __init__(self) -> None:
        super().__init__()
        # Who was sent a mail to confirm, by the call for it.
        self.asked: list[str] = []

    def authorize(self, call: Call) -> None:
        try:
            super().authorize(call)
        except Problem as problem:
            raise Problem(403, problem.why) from None

    @route("GET", "/api/lists")
    def lists(self, call: Call) -> Any:
        return {"data": {"results": [{"id": 2, "name": "News"}]}}

    def _shown(self, person: Person) -> dict[str, Any]:
        status = "unsubscribed" if person.state == "left" else "unconfirmed"
        lists = [{"id": int(place), "subscription_status": status} for place in person.places]
        return {"id": person.id, "email": person.email, "status": "enabled", "lists": lists}

    @route("GET", "/api/subscribers")
    def seek(self, call: Call) -> Any:
        wanted = call.query.get("query", "").removeprefix("subscribers.email = '").removesuffix("'").replace("''", "'")
        person = self.find(wanted)
        return {"data": {"results": [self._shown(person)] if person else []}}

    @route("POST", "/api/subscribers")
    def add(self, call: Call) -> Any:
        body = call.json(
            {
                "email!": str,
                "name": str,
                "status!": str,
                "lists": [int],
                "attribs": dict,
                "preconfirm_subscriptions": bool,
            }
        )
        if self.find(body["email"]):
            raise Problem(409, "E-mail already exists.")
        places = {self.need_place(each) for each in body.get("lists", [])}
        person = self.keep(body["email"], **body.get("attribs", {}))
        person.places |= places
        return {"data": self._shown(person)}

    @route("PUT", "/api/subscribers/lists")
    def join(self, call: Call) -> Any:
        body = call.json({"ids!": [int], "action!": str, "target_list_ids!": [int], "status": str})
        for each in body["ids"]:
            person = self.need(each)
            person.places |= {self.need_place(place) for place in body["target_list_ids"]}
            person.state = "active"
        return {"data": True}

    @route("POST", "/api/subscribers/{id}/optin")
    def ask_again(self, call: Call) -> Any:
        self.asked.append(self.need(call.part["id"]).email)
        return {"data": True}


STANDS = (CampaignMonitor, Moosend, Mailjet, Listmonk)
