"""What providers share: asking, telling passing from permanent failures, and keeping each exchange without its secrets."""

import base64
import hashlib
import json
import time
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, ClassVar
from urllib.parse import quote, quote_plus, urlencode, urljoin, urlsplit

from app.core.i18n import _
from app.formbuilder.integrations import (
    Choice,
    Contact,
    Exchange,
    Keep,
    Passing,
    Permanent,
    RefusedCredentials,
    Sent,
    Setting,
    Unsure,
    Words,
)
from app.formbuilder.integrations.paging import MOST_PAGES, Follow
from app.formbuilder.integrations.replies import Reply, clean, read, shortened
from app.formbuilder.integrations.waits import wait_of
from app.gateways.outgoing import Blocked, Outgoing, Unreachable

MASK = "•••"
# Statuses after which the same request may be accepted later; 5xx are too.
_PASSING = frozenset({408, 425, 429})


class Caller:
    """The base of a provider: settings, exchanges, errors. A provider says `base` and `headers`."""

    name: ClassVar[str] = ""
    label: ClassVar[str] = ""
    settings: ClassVar[tuple[Setting, ...]] = ()
    place_label: ClassVar[Words] = ""
    base: str = ""
    # Whether the same request sent twice has the effect of once.
    is_repeatable: ClassVar[bool] = True
    # Whether a contact can only be kept by putting it on a mailing list.
    needs_consent: ClassVar[bool] = False
    # What becomes of somebody who did not agree, for the owner; empty where there is no mailing list.
    unasked: ClassVar[Words] = ""
    # Fields here may hold a list; elsewhere it is a text with commas.
    takes_lists: ClassVar[bool] = False
    takes_tags: ClassVar[bool] = True
    needs_email: ClassVar[bool] = True
    needs_place: ClassVar[bool] = True
    passing: ClassVar[frozenset[int]] = _PASSING
    # Seconds to wait after a 429 that says nothing of it.
    pause: ClassVar[int] = 0

    def __init__(self, given: Mapping[str, str], http: Outgoing, place: str = "") -> None:
        self.http, self.place = http, place.strip()
        self.exchanges: list[Exchange] = []
        self.renewed: dict[str, str] = {}
        self.keep: Keep | None = None
        self.given: dict[str, str] = {}
        for setting in self.settings:
            self.given[setting.name] = (given.get(setting.name) or setting.default).strip()
            if setting.is_required and not self.given[setting.name]:
                raise RefusedCredentials(_("%(label)s is missing.") % {"label": setting.label})
        self._secrets = {self.given[each.name] for each in self.settings if each.is_secret} - {""}

    def headers(self) -> dict[str, str]:
        """What proves who asks; with every request."""
        return {}

    def query(self) -> dict[str, str]:
        """The same, for those that want it in the address."""
        return {}

    async def ask(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        form: Mapping[str, str] | None = None,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        accept: Collection[int] = (),
    ) -> Reply:
        """One exchange with JSON or a form as its body. Statuses in `accept` come back too, besides 2xx; others raise."""
        url = path if path.startswith(("https://", "http://")) else f"{self.base}{path}"
        asked = {**self.query(), **(query or {})}
        if asked:
            url += ("&" if "?" in url else "?") + urlencode(asked, doseq=True)
        content, kind = b"", {}
        if body is not None:
            content, kind = json.dumps(body, ensure_ascii=False).encode(), {"Content-Type": "application/json"}
        elif form is not None:
            content, kind = urlencode(form).encode(), {"Content-Type": "application/x-www-form-urlencoded"}
        return await self.send(method, url, content, {**kind, **self.headers(), **(headers or {})}, accept)

    async def every(
        self, path: str, rows: str, follow: Follow, query: Mapping[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """The rows of all pages of a list (`MOST_PAGES` at most)."""
        found: list[dict[str, Any]] = []
        asked = dict(query or {})
        for _number in range(MOST_PAGES):
            reply = await self.ask("GET", path, query=asked)
            page = reply.rows(rows)
            found += page
            then = follow(reply, len(page), len(found)) if page else None
            if isinstance(then, str):
                # An answer does not lead the credentials to another host.
                path, asked = urljoin(self.base, then), {}
                if urlsplit(path)[:2] != urlsplit(self.base)[:2]:
                    break
            elif then is None:
                break
            else:
                asked |= then
        return found

    async def send(
        self, method: str, url: str, content: bytes, headers: Mapping[str, str], accept: Collection[int] = ()
    ) -> Reply:
        """Send these bytes and keep the exchange."""
        if not all(text.isascii() and text.isprintable() for text in headers.values()):
            raise RefusedCredentials(_("The credentials hold characters that none have. Copy them once more."))
        # A service may repeat what it was asked, and Basic credentials can be read back.
        self.hide(headers.get("Authorization", "").rpartition(" ")[2])
        try:
            answer = await self.http.send(method, url, headers=headers, content=content)
        except Blocked as error:
            self._keep(method, url, content, 0, str(error))
            raise Permanent(str(error)) from error
        except Unreachable as error:
            self._keep(method, url, content, 0, str(error))
            if error.was_sent and not self.is_repeatable and method != "GET":
                raise Unsure(
                    _("%(why)s It may have arrived; send it again if not.") % {"why": self.masked(str(error))}
                ) from error
            raise Passing(self.masked(str(error))) from error
        reply = read(answer)
        self._keep(method, url, content, reply.status, reply.text)
        if not (200 <= reply.status < 300 or reply.status in accept):
            self.refuse(reply)
        return reply

    def refuse(self, reply: Reply) -> None:
        """Raise what this answer means. A provider that says it in its own way overrides this."""
        why = self.masked(f"{self.label}: {reply.status} {self.reason(reply)}".strip())
        if reply.status in self.passing or reply.status >= 500:
            raise Passing(why, wait_of(reply) or (self.pause if reply.status == 429 else 0))
        if reply.status in (401, 403):
            raise RefusedCredentials(why)
        raise Permanent(why)

    def reason(self, reply: Reply) -> str:
        """The provider's own words, as far as they can be found."""
        data = reply.data
        if isinstance(data, list) and data:
            data = data[0]
        if isinstance(data, dict):
            for name in (
                "detail",
                "message",
                "error_message",
                "error_description",
                "Message",
                "ErrorMessage",
                "Error",
                "error",
                "title",
                "description",
                "errors",
            ):
                if data.get(name):
                    found = data[name]
                    return (found if isinstance(found, str) else json.dumps(found, ensure_ascii=False))[:300]
        return reply.text[:200]

    def hide(self, secret: str) -> None:
        """Mask this too from now on."""
        if secret:
            self._secrets.add(secret)

    def masked(self, text: str) -> str:
        """The text without any secret of this account, however it is written."""
        for secret in sorted(self._secrets, key=len, reverse=True):
            packed = base64.b64encode(secret.encode()).decode()
            as_json = json.dumps(secret, ensure_ascii=False)[1:-1]
            for form in {secret, quote(secret, safe=""), quote_plus(secret), packed, as_json, json.dumps(secret)[1:-1]}:
                text = text.replace(form, MASK)
        return clean(text)

    def _keep(self, method: str, url: str, content: bytes, status: int, answer: str) -> None:
        sent = self.masked(content.decode("utf-8", "replace"))
        self.exchanges.append(
            Exchange(method, self.masked(url), shortened(sent), status, shortened(self.masked(answer)))
        )

    # Most have no such thing.

    async def lists(self) -> list[Choice]:
        """No places to choose."""
        return []

    async def fields(self) -> list[Choice]:
        """No fields of its own."""
        return []

    async def upsert(self, contact: Contact, idempotency_key: str) -> Sent:
        """Check what every provider asks of a contact, then `add` it."""
        if self.place_label and self.needs_place and not self.place:
            raise Permanent(_("%(label)s is not chosen.") % {"label": self.place_label})
        if self.needs_email and ("@" not in contact.email or len(contact.email) > 254):
            raise Permanent(_("The entry has no e-mail address."))
        if self.needs_consent and not contact.consent:
            return Sent("", "no_consent")
        if not self.takes_lists:
            fields = {name: text(value) if isinstance(value, list) else value for name, value in contact.fields.items()}
            contact = replace(contact, fields=fields)
        return await self.add(contact, idempotency_key)

    async def add(self, contact: Contact, key: str) -> Sent:
        """The provider's own part of `upsert`."""
        raise NotImplementedError


class OAuthCaller(Caller):
    """A provider whose access tokens are short-lived: the owner's refresh token gets new ones."""

    token_url: str = ""
    # Whether the client proves itself to the token's address by Basic, or in the form.
    is_basic: ClassVar[bool] = True
    scheme: ClassVar[str] = "Bearer"
    # An answer with this status says that the token is over.
    _token = ""

    def token_request(self) -> dict[str, str]:
        """The form that asks for an access token (RFC 6749 §6)."""
        return {"grant_type": "refresh_token", "refresh_token": self.given["refresh_token"]}

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"{self.scheme} {self._token}"}

    async def ask(self, method: str, path: str, **more: Any) -> Reply:
        """As `Caller.ask`, with a token that holds; one that was kept and is over is replaced once."""
        kept = await self._open()
        accept = set(more.pop("accept", ()))
        reply = await super().ask(method, path, accept=accept | ({401} if kept else set()), **more)
        if reply.status == 401 and kept and 401 not in accept:
            _tokens.pop(self._token_key(), None)
            await self._open()
            reply = await super().ask(method, path, accept=accept, **more)
        return reply

    async def _open(self) -> bool:
        """Have a token; whether it was kept from before."""
        found = _tokens.get(self._token_key())
        if found and found[1] > time.monotonic():
            self._token = found[0]
            self.hide(self._token)
            return True
        form, headers = self.token_request(), {"Content-Type": "application/x-www-form-urlencoded"}
        if "client_id" in self.given and self.is_basic:
            headers["Authorization"] = basic(self.given["client_id"], self.given["client_secret"])
        elif "client_id" in self.given:
            form |= {"client_id": self.given["client_id"], "client_secret": self.given["client_secret"]}
        reply = await self._exchange_token(form, headers)
        self._token = str(reply["access_token"])
        self.hide(self._token)
        self.note_token(reply)
        if self.keep is not None:
            await self.keep()  # at once: others read it while this one goes on
        lifetime = reply.data.get("expires_in", 3600)
        seconds = float(lifetime) if isinstance(lifetime, int | float) else 3600.0
        _tokens[self._token_key()] = (self._token, time.monotonic() + max(seconds - 60, 0))
        return False

    def note_token(self, reply: Reply) -> None:
        """Keep what came with the token: a refresh token that replaces the old one."""
        fresh = reply.data.get("refresh_token")
        if isinstance(fresh, str) and fresh and fresh != self.given.get("refresh_token"):
            self.hide(fresh)
            _tokens.pop(self._token_key(), None)
            self.given["refresh_token"] = self.renewed["refresh_token"] = fresh

    async def _exchange_token(self, form: Mapping[str, str], headers: Mapping[str, str]) -> Reply:
        content = urlencode(form).encode()
        self.hide(headers.get("Authorization", "").rpartition(" ")[2])
        try:
            answer = await self.http.send("POST", self.token_url, headers=headers, content=content)
        except Blocked as error:
            raise Permanent(str(error)) from error
        except Unreachable as error:
            self._keep("POST", self.token_url, b"", 0, str(error))
            raise Passing(self.masked(str(error))) from error
        reply = read(answer)
        # Neither side of this exchange is worth keeping: all of it is secret.
        self._keep("POST", self.token_url, b"grant_type=" + form["grant_type"].encode(), reply.status, "")
        if reply.status in (400, 401, 403):
            raise RefusedCredentials(self.masked(f"{self.label}: {reply.status} {self.reason(reply)}"))
        if reply.status != 200:
            self.refuse(reply)
        if isinstance(reply.data, dict) and "error" in reply.data:  # Zoho says 200 all the same
            raise RefusedCredentials(self.masked(f"{self.label}: {self.reason(reply)}"))
        return reply

    def _token_key(self) -> bytes:
        return hashlib.sha256(json.dumps([self.name, self.given], sort_keys=True).encode()).digest()


# Access tokens of this process, and until when (time.monotonic) they hold.
_tokens: dict[bytes, tuple[str, float]] = {}


def basic(user: str, password: str) -> str:
    """The header of RFC 7617."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def choices(rows: list[dict[str, Any]], id: str = "id", label: str = "name") -> list[Choice]:
    """Rows of an answer as choices; those without an id are left out."""
    return [Choice(str(row[id]), str(row.get(label) or row[id])) for row in rows if row.get(id) not in (None, "")]


def text(value: Any) -> str:
    """A value as text, a list with commas."""
    if isinstance(value, list):
        return ", ".join(str(each) for each in value)
    return "" if value is None else str(value)


def message(contact: Contact) -> str:
    """An entry as lines for people, for a channel."""
    head = [contact.title] if contact.title else []
    return "\n".join([*head, *(f"{label}: {value}" for label, value in contact.answers)]) or contact.email or "-"


def filled(**members: Any) -> dict[str, Any]:
    """The members that say something: an empty answer overwrites nothing."""
    return {name: value for name, value in members.items() if value not in (None, "", [], {}, ())}
