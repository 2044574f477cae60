"""AWeber, API 1.0: https://api.aweber.com/#tag/Subscribers. OAuth 2.0: a refresh token gets access tokens for two hours.

A subscriber is looked up first: no status is sent for whom it knows, and nothing at all for who left. 120 requests a minute for
each account; the next one is answered with 403 and "Rate Limit Error" (https://api.aweber.com/#tag/FAQ).
"""

from urllib.parse import quote

from app.core.i18n import lazy as _l
from app.formbuilder.integrations import Choice, Contact, Passing, Sent, Setting
from app.formbuilder.integrations.client import OAuthCaller, choices, filled, text
from app.formbuilder.integrations.paging import at_link
from app.formbuilder.integrations.replies import Reply
from app.formbuilder.integrations.waits import wait_of

_NEXT = at_link("next_collection_link")


class AWeber(OAuthCaller):
    name = "aweber"
    label = "AWeber"
    base = "https://api.aweber.com/1.0"
    token_url = "https://auth.aweber.com/oauth2/token"  # noqa: S105 (an address)
    place_label = _l("List")
    needs_consent = True
    settings = (
        Setting("client_id", _l("Client id"), help=_l("labs.aweber.com → My apps.")),
        Setting("client_secret", _l("Client secret"), is_secret=True),
        Setting("refresh_token", _l("Refresh token"), is_secret=True),
    )

    def refuse(self, reply: Reply) -> None:
        if reply.status == 403 and "rate limit" in reply.text.lower():
            raise Passing(self.masked(f"{self.label}: {self.reason(reply)}"), wait_of(reply) or 60)
        super().refuse(reply)

    async def verify(self) -> str:
        account = await self._account()
        return f"{self.label} {account}"

    async def lists(self) -> list[Choice]:
        account = await self._account()
        rows = await self.every(f"/accounts/{account}/lists", "entries", _NEXT, {"ws.size": 100})
        return [Choice(f"{account}/{each.id}", each.label) for each in choices(rows)]

    async def fields(self) -> list[Choice]:
        return choices(await self.every(f"{self._list}/custom_fields", "entries", _NEXT, {"ws.size": 100}), "name")

    async def add(self, contact: Contact, key: str) -> Sent:
        people = f"{self._list}/subscribers"
        query = {"ws.op": "find", "email": contact.email}
        known = next(iter((await self.ask("GET", people, query=query)).rows("entries")), None)
        custom = {name: text(value) for name, value in contact.fields.items()}
        about = filled(name=contact.name, custom_fields=custom)
        if known is None:
            body = {"email": contact.email, **about, **filled(tags=list(contact.tags))}
            made = await self.ask("POST", people, body=body)
            return Sent(made.headers.get("location", "").rpartition("/")[2], "created")
        who = str(known.get("id", ""))
        if known.get("status") == "unsubscribed":
            return Sent(who, "left")
        changes = {**about, **({"tags": {"add": list(contact.tags)}} if contact.tags else {})}
        if changes:
            await self.ask("PATCH", f"{people}/{quote(who)}", body=changes)
        return Sent(who, "updated")

    @property
    def _list(self) -> str:
        account, _, number = self.place.partition("/")
        return f"/accounts/{quote(account)}/lists/{quote(number)}"

    async def _account(self) -> str:
        return str(next(iter((await self.ask("GET", "/accounts")).rows("entries")), {}).get("id", ""))


PROVIDER = AWeber
