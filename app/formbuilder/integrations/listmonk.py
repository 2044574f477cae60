"""listmonk, of one's own: https://listmonk.app/docs/apis/subscribers/.

Somebody who is on the block list, or left this list, is not added to it; others' confirmations stay to be asked for: listmonk does so
by itself for who is new, and by a call of its own for who is added later. Finding somebody by her address takes the permission
`subscribers:sql_query` (https://listmonk.app/docs/roles-and-permissions/).
"""

from app.core.i18n import lazy as _l
from app.core.numbers import whole_number
from app.formbuilder.integrations import Choice, Contact, Sent, Setting
from app.formbuilder.integrations.client import Caller, choices


class Listmonk(Caller):
    name = "listmonk"
    label = "listmonk"
    takes_tags = False
    takes_lists = True
    place_label = _l("List")
    needs_consent = True
    settings = (
        Setting("url", _l("Address"), help=_l("As https://lists.school.example.")),
        Setting(
            "user",
            _l("API user"),
            help=_l(
                "Admin → Users, with lists:get_all, subscribers:get, subscribers:manage and subscribers:sql_query."
            ),
        ),
        Setting("token", _l("Token"), is_secret=True),
    )

    @property
    def base(self) -> str:  # type: ignore[override]  # follows from the settings
        return self.given["url"].rstrip("/") + "/api"

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"token {self.given['user']}:{self.given['token']}"}

    async def verify(self) -> str:
        await self.ask("GET", "/lists", query={"per_page": 1})
        return self.label

    async def lists(self) -> list[Choice]:
        return choices(
            (await self.ask("GET", "/lists", query={"per_page": "all", "minimal": "true"})).rows("data.results")
        )

    async def add(self, contact: Contact, key: str) -> Sent:
        literal = contact.email.lower().replace("'", "''")
        query = {"query": f"subscribers.email = '{literal}'", "per_page": 1}
        known = next(iter((await self.ask("GET", "/subscribers", query=query)).rows("data.results")), None)
        here = whole_number(self.place, 18) or 0
        if known is None:
            body = {
                "email": contact.email,
                "name": contact.name or contact.email.partition("@")[0],
                "status": "enabled",
                "lists": [here],
                "attribs": dict(contact.fields),
                "preconfirm_subscriptions": False,
            }
            return Sent(str((await self.ask("POST", "/subscribers", body=body))["data"]["id"]), "created")
        on = {row.get("id"): row.get("subscription_status") for row in known.get("lists") or []}
        if known.get("status") == "blocklisted" or on.get(here) == "unsubscribed":
            return Sent(str(known["id"]), "left")
        if here not in on:
            row = {"ids": [known["id"]], "action": "add", "target_list_ids": [here], "status": "unconfirmed"}
            await self.ask("PUT", "/subscribers/lists", body=row)
            await self.ask("POST", f"/subscribers/{int(known['id'])}/optin", body={})
        return Sent(str(known["id"]), "updated")


PROVIDER = Listmonk
