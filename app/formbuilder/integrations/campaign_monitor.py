"""Campaign Monitor, API v3.3: https://www.campaignmonitor.com/api/v3-3/subscribers/#adding-a-subscriber.

`Resubscribe` is false: who left, or is on the suppression list, is refused, and that is no failure. 401 is the answer to a list that
is not the account's, too; the code tells it from a bad key (https://www.campaignmonitor.com/api/v3-3/getting-started/).
"""

from urllib.parse import quote

from app.core.i18n import lazy as _l
from app.formbuilder.integrations import Choice, Contact, Permanent, Sent, Setting
from app.formbuilder.integrations.client import Caller, basic, choices, filled, text
from app.formbuilder.integrations.replies import Reply

# On the suppression list, deleted, unsubscribed, bounced; 208 is known and asked to confirm.
_LEFT, _UNCONFIRMED = {204, 205, 206, 207}, 208
# 401 for the number of a list or client that the key does not open.
_NOT_OURS = {101, 102}


class CampaignMonitor(Caller):
    name = "campaign_monitor"
    label = "Campaign Monitor"
    takes_tags = False
    takes_lists = True
    base = "https://api.createsend.com/api/v3.3"
    place_label = _l("List")
    needs_consent = True
    settings = (Setting("api_key", _l("API key"), is_secret=True, help=_l("Account settings → API keys.")),)

    def headers(self) -> dict[str, str]:
        return {"Authorization": basic(self.given["api_key"], "x")}

    def refuse(self, reply: Reply) -> None:
        if reply.status == 401 and reply.at("Code") in _NOT_OURS:
            raise Permanent(self.masked(f"{self.label}: {self.reason(reply)}"))
        super().refuse(reply)

    async def verify(self) -> str:
        rows = (await self.ask("GET", "/clients.json")).rows()
        return str(rows[0].get("Name", self.label)) if rows else self.label

    async def lists(self) -> list[Choice]:
        found: list[Choice] = []
        for client in (await self.ask("GET", "/clients.json")).rows()[:20]:
            found += choices(
                (await self.ask("GET", f"/clients/{quote(client['ClientID'])}/lists.json")).rows(), "ListID", "Name"
            )
        return found

    async def fields(self) -> list[Choice]:
        rows = (await self.ask("GET", f"/lists/{quote(self.place, safe='')}/customfields.json")).rows()
        return [Choice(each.id.strip("[]"), each.label) for each in choices(rows, "Key", "FieldName")]

    async def add(self, contact: Contact, key: str) -> Sent:
        custom = [
            {"Key": name, "Value": text(each)}
            for name, value in contact.fields.items()
            for each in (value if isinstance(value, list) else [value])
        ]
        body = {
            "EmailAddress": contact.email,
            # What is passed in replaces what was there, an empty name too.
            **filled(Name=contact.name),
            "CustomFields": custom,
            "Resubscribe": False,
            "RestartSubscriptionBasedAutoresponders": False,
            "ConsentToTrack": "Unchanged",
        }
        made = await self.ask("POST", f"/subscribers/{quote(self.place, safe='')}.json", body=body, accept=(400,))
        if made.status == 400:
            code = made.data.get("Code") if isinstance(made.data, dict) else None
            if code in _LEFT or code == _UNCONFIRMED:
                return Sent(contact.email, "left" if code in _LEFT else "updated")
            self.refuse(made)
        return Sent(contact.email, "updated")


PROVIDER = CampaignMonitor
