"""A signed webhook: each entry as JSON to an address of the owner's own, through the client that refuses inner networks.

`Lectern-Signature: t=<seconds since 1970>,v1=<hex>` is HMAC-SHA256, under the secret, over `<t>.<body>`. Whoever receives it
computes the same, compares in constant time, and refuses a `t` that is more than 300 seconds away (`Lectern-Tolerance`).
For a day after the secret was replaced there are several `v1`, by the new secret and those of before: any may fit.
`Idempotency-Key` is the same whenever the same entry comes again. Versions of the body are told in it, those of the signature by
their name: another scheme will be `v2` beside `v1`.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from app.core import clock
from app.core.i18n import lazy as _l
from app.formbuilder.integrations import Contact, Permanent, Sent, Setting
from app.formbuilder.integrations.client import Caller
from app.formbuilder.integrations.replies import Reply
from app.gateways.outgoing import Outgoing

TOLERANCE = 300


class Webhook(Caller):
    name = "webhook"
    label = "Webhook"
    takes_lists = True
    needs_email = False
    unasked = _l("The webhook is told so.")
    settings = (
        Setting("url", _l("Address"), help=_l("It begins with https:// and is reachable from the internet.")),
        Setting(
            "secret",
            _l("Signing secret"),
            is_secret=True,
            help=_l("It is shown once; keep it where the webhook arrives."),
        ),
    )

    def refuse(self, reply: Reply) -> None:
        if 300 <= reply.status < 400:
            raise Permanent(f"{self.label}: {reply.status}. Redirects are not followed; give the last address.")
        super().refuse(reply)

    def __init__(self, given: Mapping[str, str], http: Outgoing, place: str = "") -> None:
        super().__init__(given, http, place)
        is_over = int(given.get("old_until") or 0) <= clock.now().timestamp()
        # A line each.
        self._old_secrets = [] if is_over else given.get("old_secret", "").splitlines()
        for secret in self._old_secrets:
            self.hide(secret)

    async def verify(self) -> str:
        await self._post({"version": 1, "type": "ping", "created_at": clock.now().isoformat()}, "ping")
        return str(self.given["url"])

    async def add(self, contact: Contact, key: str) -> Sent:
        about = {"email": contact.email, "first_name": contact.first_name, "last_name": contact.last_name}
        body = {
            "version": 1,
            "type": "form.entry",
            "id": key,
            "created_at": clock.now().isoformat(),
            "form": contact.title,
            "contact": {**about, "phone": contact.phone, "consent": contact.consent},
            "fields": dict(contact.fields),
            "tags": list(contact.tags),
            "answers": [{"label": label, "value": value} for label, value in contact.answers],
        }
        await self._post(body, key)
        return Sent(key, "posted")

    async def _post(self, body: dict[str, Any], key: str) -> None:
        content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        at = int(clock.now().timestamp())
        signed = signature(self.given["secret"], content, at)
        for secret in self._old_secrets:
            signed += "," + signature(secret, content, at).partition(",")[2]
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": key,
            "Lectern-Signature": signed,
            "Lectern-Tolerance": str(TOLERANCE),
        }
        await self.send("POST", self.given["url"], content, headers)


def signature(secret: str, body: bytes, at: int) -> str:
    """The value of `Lectern-Signature` at a moment (seconds since 1970)."""
    made = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={made}"


PROVIDER = Webhook
