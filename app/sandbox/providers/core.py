"""What the stand-ins share: calls, shapes of bodies, people with a state, and faults on demand."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote

Shape = Mapping[str, Any]
# A status, headers, and what the error says.
Fault = tuple[int, dict[str, str]] | tuple[int, dict[str, str], str]


class Problem(Exception):
    """An answer that is an error, in the service's own shape."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status, self.why = status, why


@dataclass(slots=True)
class Person:
    """Somebody whom a service knows. `state`: active, pending or left."""

    id: int
    email: str
    state: str = "active"
    places: set[str] = field(default_factory=set)
    fields: dict[str, Any] = field(default_factory=dict)
    tags: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Call:
    """A request, read. `path` is as it was sent, with its escapes; `part` are its named parts, without."""

    method: str
    host: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    body: bytes
    part: dict[str, str] = field(default_factory=dict)

    def json(self, shape: Shape | None = None, kind: str = "application/json") -> Any:
        """The body; a member whose name ends with `!` has to be there, and no other may."""
        if self.headers.get("content-type", "").partition(";")[0] != kind:
            raise Problem(415, f"Content-Type has to be {kind}")
        try:
            found = json.loads(self.body)
        except ValueError:
            raise Problem(400, "The body is not JSON") from None
        if shape is not None:
            check(found, shape)
        return found

    def form(self) -> dict[str, str]:
        """The body of a form."""
        if self.headers.get("content-type", "").partition(";")[0] != "application/x-www-form-urlencoded":
            raise Problem(415, "Content-Type has to be application/x-www-form-urlencoded")
        return {name: values[0] for name, values in parse_qs(self.body.decode(), keep_blank_values=True).items()}


def check(found: Any, shape: Any, where: str = "body") -> None:
    """Raise Problem(422) unless a value has this shape: a type, several, `[shape]` for a list, or members by their names."""
    if isinstance(shape, dict):
        if not isinstance(found, dict):
            raise Problem(422, f"{where} has to be an object")
        allowed = {name.rstrip("!"): kind for name, kind in shape.items()}
        for name in shape:
            if name.endswith("!") and name[:-1] not in found:
                raise Problem(422, f"{where}.{name[:-1]} is required")
        for name, value in found.items():
            if name not in allowed:
                raise Problem(422, f"{where}.{name} is not known")
            check(value, allowed[name], f"{where}.{name}")
    elif isinstance(shape, list):
        if not isinstance(found, list):
            raise Problem(422, f"{where} has to be a list")
        for number, each in enumerate(found):
            check(each, shape[0], f"{where}[{number}]")
    elif not isinstance(found, shape) or (isinstance(found, bool) and shape is int):
        raise Problem(422, f"{where} has the wrong type")


Handler = Callable[[Any, Call], Any]


def route(method: str, pattern: str) -> Callable[[Handler], Handler]:
    """Answer this method at this path; `{name}` is a part of it. What comes back is JSON, or (status, JSON[, headers])."""

    def mark(function: Handler) -> Handler:
        known = getattr(function, "routes", [])
        regex = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(pattern))
        function.routes = [*known, (method, re.compile(regex))]  # type: ignore[attr-defined]
        return function

    return mark


class Stand:
    """A service of which everything lives in memory. Answers are those of its documentation, errors too."""

    name: ClassVar[str] = ""
    host: ClassVar[str] = ""
    # What its owner types, another one from some day on, and the header that proves it: a template over these.
    given: Mapping[str, str] = {}
    auth: ClassVar[tuple[str, str]] = ("Authorization", "Bearer {api_key}")
    key_name: ClassVar[str] = "api_key"
    place: ClassVar[str] = ""
    custom: ClassVar[str] = ""
    # Of those that refresh a token: where, and how the client proves itself.
    token_path: ClassVar[str] = ""
    # The status with which a body of a wrong shape is refused.
    unprocessable: ClassVar[int] = 422

    def __init__(self) -> None:
        self.people: dict[str, Person] = {}
        self.messages: list[dict[str, Any]] = []
        self.faults: list[Fault] = []
        # How many other places are listed before the one.
        self.others = 0
        self.is_down = False
        # Seconds that it says to wait while it is down, if it says so.
        self.wait = 0
        self.calls: list[Call] = []
        self.tokens: set[str] = set()

    # For tests and the page.

    def leave(self, email: str) -> Person:
        """Somebody was here and left."""
        person = self.keep(email)
        person.places.add(self.place)
        person.state = "left"
        return person

    @property
    def count(self) -> int:
        return len(self.people) + len(self.messages)

    # For handlers.

    def find(self, email: str) -> Person | None:
        return self.people.get(email.lower())

    def need(self, id: str | int) -> Person:
        for person in self.people.values():
            if str(person.id) == str(id):
                return person
        raise Problem(404, "There is no such contact")

    def keep(self, email: str, /, **fields: Any) -> Person:
        """The person of this address, made when new."""
        if not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", email) or email.endswith("@invalid.example"):
            raise Problem(self.unprocessable, "The address is not valid")
        person = self.people.setdefault(email.lower(), Person(len(self.people) + 101, email))
        person.fields |= {name: value for name, value in fields.items() if value is not None}
        return person

    def need_place(self, place: str | int) -> str:
        if str(place) != self.place:
            raise Problem(404, "There is no such list")
        return str(place)

    def listed(self, row: Callable[[str], dict[str, Any]]) -> list[dict[str, Any]]:
        """A row for each place; the one that is `place` is the last."""
        return [*(row(str(100_000 + number)) for number in range(self.others)), row(self.place)]

    def window(self, rows: list[dict[str, Any]], start: int, size: int, most: int) -> list[dict[str, Any]]:
        """A page of the rows. A size that the service does not take is refused."""
        if not 1 <= size <= most or start < 0:
            raise Problem(self.unprocessable, f"A page holds at most {most} rows")
        return rows[start : start + size]

    def known_fields(self, names: Any) -> None:
        for name in names:
            if name != self.custom:
                raise Problem(self.unprocessable, f"The field {name} is not known")

    def error(self, status: int, why: str) -> Any:
        """The body of an error."""
        return {"message": why}

    def authorize(self, call: Call) -> None:
        """Raise Problem(401) for credentials that are not `given`."""
        header, template = self.auth
        if self.token_path:
            scheme = template.partition(" ")[0]
            if call.headers.get("authorization", "").removeprefix(f"{scheme} ") not in self.tokens:
                raise Problem(401, "The access token is not valid")
            return
        if template.startswith("basic:"):
            plain = template.removeprefix("basic:").format(**self.given)
            template = "Basic " + b64encode(plain.encode()).decode()
        if call.headers.get(header.lower()) != template.format(**self.given):
            raise Problem(401, "The credentials are not valid")

    def handle(self, call: Call) -> tuple[int, dict[str, str], Any]:
        """Status, headers and JSON of the answer."""
        self.calls.append(call)
        try:
            if self.is_down:
                told = {"retry-after": str(self.wait)} if self.wait else {}
                return 503, told, self.error(503, "Service unavailable")
            if self.faults:
                fault = self.faults.pop(0)
                why = fault[2] if len(fault) == 3 else "told to fail"
                return fault[0], fault[1], self.error(fault[0], why)
            found = self._routed(call)
        except Problem as problem:
            status = self.unprocessable if problem.status == 422 else problem.status
            return status, {}, self.error(status, problem.why)
        if isinstance(found, tuple):
            return (*found, {})[0], (*found, {})[2], found[1]
        return 200, {}, found

    def _routed(self, call: Call) -> Any:
        is_known = False
        for name in dir(type(self)):
            function = getattr(type(self), name)
            for method, regex in getattr(function, "routes", []):
                match = regex.fullmatch(call.path)
                if match is None:
                    continue
                is_known = True
                if method != call.method:
                    continue
                if call.path != self.token_path:
                    self.authorize(call)
                return function(self, _with(call, {name: unquote(part) for name, part in match.groupdict().items()}))
        raise Problem(405 if is_known else 404, "There is nothing here")

    # For those with tokens.

    def give_token(self, call: Call) -> Any:
        """Answer a refresh (RFC 6749 §6)."""
        form = call.form()
        client = b64encode(f"{self.given['client_id']}:{self.given['client_secret']}".encode()).decode()
        is_client = call.headers.get("authorization") == f"Basic {client}" or (
            form.get("client_id") == self.given["client_id"]
            and form.get("client_secret") == self.given["client_secret"]
        )
        if not is_client:
            return 401, {"error": "invalid_client"}
        if form.get("grant_type") != "refresh_token" or form.get("refresh_token") != self.given["refresh_token"]:
            return 400, {"error": "invalid_grant"}
        token = f"access-{len(self.tokens) + 1}-{id(self)}"
        self.tokens.add(token)
        return {"access_token": token, "token_type": "Bearer", "expires_in": 3600}


def _with(call: Call, part: dict[str, str]) -> Call:
    return Call(call.method, call.host, call.path, call.query, call.headers, call.body, part)
