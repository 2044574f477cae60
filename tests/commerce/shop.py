"""What a buyer does in the shop, over HTTP: look, add, check out, pay; and what Stripe tells afterwards."""

import html
import re
from dataclasses import dataclass
from typing import Any

from quart.typing import TestClientProtocol

from app import Lectern
from app.commerce.models import Order
from app.commerce.queries import orders as queries
from app.core import db, queue
from tests import stripe


@dataclass
class Shop:
    """One shop and its payment service."""

    app: Lectern
    client: TestClientProtocol
    stripe: stripe.Stripe

    async def add(self, slug: str, browser: TestClientProtocol | None = None) -> Any:
        return await (browser or self.client).post("/cart/items", form={"product": slug})

    async def text(self, path: str, browser: TestClientProtocol | None = None) -> str:
        answer = await (browser or self.client).get(path)
        return str(await answer.get_data(as_text=True))

    async def quote(self, browser: TestClientProtocol | None = None, path: str = "/cart") -> str:
        """The signed prices in the form of a page."""
        found = re.search(r'name="quote"[^>]*value="([^"]+)"', await self.text(path, browser))
        assert found is not None, "the page has no checkout form"
        return html.unescape(found.group(1))

    async def check_out(self, browser: TestClientProtocol) -> str:
        """A member goes to payment; the address of the payment page."""
        answer = await browser.post("/checkout", form={"quote": await self.quote(browser)})
        assert answer.status_code == 303, await answer.get_data(as_text=True)
        return str(answer.headers["Location"])

    async def check_out_as_guest(
        self, email: str = "gus@example.org", name: str = "Gus Guest", browser: TestClientProtocol | None = None
    ) -> str:
        browser = browser or self.client
        form = {"quote": await self.quote(browser, "/checkout"), "email": email, "name": name}
        answer = await browser.post("/checkout", form=form)
        assert answer.status_code == 303, await answer.get_data(as_text=True)
        return str(answer.headers["Location"])

    async def pay(self, page_url: str, **card: str) -> str:
        """Pay with a card; the address that the payment page leads back to."""
        answer = await self.stripe.pay(page_url, **card)
        assert answer.status_code == 303, answer.text
        return str(answer.headers["Location"])

    async def deliver(self, event: dict[str, Any], secret: str = "whsec_test_one") -> int:
        """Deliver an event to the webhook address; the status of the answer."""
        body, headers = stripe.signed(event, secret)
        answer = await self.app.test_client().post("/webhooks/stripe", data=body, headers=headers)
        return int(answer.status_code)

    async def tell(self, *kinds: str) -> list[dict[str, Any]]:
        """Deliver everything that Stripe has to tell about this test's orders, in order; then do the work."""
        ours = await self.events(*kinds)
        for event in ours:
            assert await self.deliver(event) == 200
        await queue.drain()
        return ours

    async def events(self, *kinds: str) -> list[dict[str, Any]]:
        """Stripe's events about orders of this test, oldest first."""
        known = {row.public_id for row in await db.many(db.Row, "SELECT public_id FROM orders")}
        intents = {
            row.id for row in await db.many(db.Row, "SELECT stripe_payment_intent_id AS id FROM orders") if row.id
        }
        found = []
        for event in await self.stripe.events(*kinds):
            about = event["data"]["object"]
            reference = (about.get("metadata") or {}).get("order")
            if reference in known or about.get("payment_intent") in intents:
                found.append(event)
        return found

    async def order(self) -> Order:
        """The newest order."""
        found = await queries.order(await db.value("SELECT max(id) FROM orders"))
        assert found is not None
        return found

    async def mails(self, template: str) -> list[db.Row]:
        return await db.many(
            db.Row, "SELECT recipient, subject, state, error FROM mails WHERE template = :t ORDER BY id", t=template
        )
