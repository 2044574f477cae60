"""Whatever the description allows gets an answer in Stripe's shape: never a fault of the local Stripe itself."""

from __future__ import annotations

import random
from typing import Any
from urllib.parse import urlencode

import pytest

from app.sandbox.stripe.operations import OPERATIONS
from tests.sandbox.stripe import contract
from tests.sandbox.stripe.running import SUCCESS, Running

pytestmark = pytest.mark.skipif(not contract.available(), reason=contract.REASON)

TRIES = 5
TEXTS = ("x", "Kovač", "ann@example.com", "https://example.com/a", "12", "0.5", "eur", "usd", "de", "*", "{}")
NUMBERS = (-1, 0, 1, 49, 50, 500, 24900, 99_999_999, 100_000_000, 1_900_000_000)


class Guess:
    """Makes requests that the description allows, and a few that it does not."""

    def __init__(self, seed: str, ids: dict[str, list[str]]) -> None:
        self.chance = random.Random(seed)
        self.ids = ids

    def params(self, schema: dict[str, Any], depth: int = 0) -> dict[str, Any]:
        required, made = schema.get("required", []), {}
        for name, inner in schema.get("properties", {}).items():
            likely = 0.35 if depth == 0 else 0.25
            if name in required or self.chance.random() < likely / (1 + depth):
                made[name] = self.value(name, inner, depth + 1)
        return made

    def value(self, name: str, schema: dict[str, Any], depth: int) -> Any:
        schema = contract.resolve(schema)
        if "anyOf" in schema:
            return self.value(name, self.chance.choice(schema["anyOf"]), depth)
        values = schema.get("enum") or schema.get("x-known-values")
        if values:
            return self.chance.choice(values)
        kind = schema.get("type")
        if kind == "array":
            return [self.value(name, schema["items"], depth) for _ in range(self.chance.randint(1, 2))]
        if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
            keys = self.chance.sample(["a", "eur", "usd"], 2)
            return {key: self.value(key, schema["additionalProperties"], depth) for key in keys}
        if kind == "object":
            return self.params(schema, depth)
        if kind == "boolean":
            return self.chance.choice(["true", "false"])
        if kind in ("integer", "number"):
            return self.chance.choice(NUMBERS)
        return self.text(name)

    def text(self, name: str) -> str:
        if self.chance.random() < 0.05:
            return ""
        known = [*self.ids.get(name, []), *(self.ids["any"] if name == "id" else [])]
        if name in ("currency", "minimum_amount_currency"):
            return self.chance.choice(["eur", "usd", "jpy"])
        if name.endswith("_url") or name == "url":
            return "https://example.com/{CHECKOUT_SESSION_ID}"
        if name.endswith("email"):
            return "ann@example.com"
        if known and self.chance.random() < 0.9:
            return self.chance.choice(known)
        return self.chance.choice(TEXTS)


def flat(value: Any, name: str = "") -> list[tuple[str, str]]:
    """Nested parameters as a form."""
    if isinstance(value, dict):
        items = [(f"{name}[{key}]" if name else key, inner) for key, inner in value.items()]
    elif isinstance(value, list):
        items = [(f"{name}[{place}]", inner) for place, inner in enumerate(value)]
    else:
        return [(name, str(value))]
    return [pair for key, inner in items for pair in flat(inner, key)]


@pytest.fixture(scope="module")
def ids(one_server: Running) -> dict[str, list[str]]:
    """Objects to be spoken of, by the parameters that name them."""
    client = one_server.client()
    ann = client.v1.customers.create({"email": "ann@example.com"})
    price = client.v1.prices.create({"currency": "eur", "unit_amount": 900, "product_data": {"name": "Course"}})
    line: Any = {"price": price.id, "quantity": 1}
    made: Any = {"mode": "payment", "line_items": [line], "success_url": SUCCESS}
    paid = client.v1.checkout.sessions.create({**made, "customer": ann.id})
    failed, fresh = client.v1.checkout.sessions.create(made), client.v1.checkout.sessions.create(made)
    one_server.buy(paid)
    one_server.buy(failed, number="4000000000000002")
    intent = client.v1.checkout.sessions.retrieve(paid.id, {"expand": ["payment_intent"]}).payment_intent
    open_intent = client.v1.payment_intents.create({"amount": 900, "currency": "usd"})
    card = client.v1.payment_methods.attach("pm_card_visa", {"customer": ann.id})
    coupon = client.v1.coupons.create({"percent_off": 10})
    code = client.v1.promotion_codes.create({"promotion": {"type": "coupon", "coupon": coupon.id}})
    vat = client.v1.tax_rates.create({"display_name": "VAT", "inclusive": True, "percentage": 20})
    refund = client.v1.refunds.create({"payment_intent": intent.id, "amount": 100})
    found = {
        "customer": [ann.id],
        "price": [price.id],
        "product": [price.product],
        "payment_method": [card.id, "pm_card_visa", "pm_card_chargeDeclined", "pm_card_authenticationRequired"],
        "payment_intent": [intent.id, open_intent.id],
        "charge": [intent.latest_charge],
        "coupon": [coupon.id],
        "promotion_code": [code.id],
        "tax_rates": [vat.id],
        "default_price": [price.id],
        "expand": ["data.customer", "customer", "latest_charge", "product", "data.product"],
        "token": ["tok_visa", "tok_chargeDeclined"],
        "iban": ["DE89370400440532013000"],
        "starting_after": [ann.id, price.id, intent.id, refund.id],
        "payout": ["po_1"],
    }
    every = [paid.id, failed.id, fresh.id, refund.id, *(one for known in found.values() for one in known)]
    return {**found, "any": every}


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda item: f"{item.method} {item.path}")
def test_any_described_request_gets_a_described_answer(
    server: Running, ids: dict[str, list[str]], operation: Any
) -> None:
    described = contract.find_operation(operation.method, operation.path)
    assert described is not None
    kind = operation.path.split("/v1/")[1].split("/{")[0].removesuffix("s").replace("/", ".")
    for attempt in range(TRIES):
        guess = Guess(f"{operation.method} {operation.path} {attempt}", ids)
        path = operation.path
        while "{" in path:
            name = path[path.index("{") + 1 : path.index("}")]
            wanted = ids.get(kind) or ids["any"]
            if kind == "checkout.session":
                wanted = [one for one in ids["any"] if one.startswith("cs_")]
            if kind == "refund":
                wanted = [one for one in ids["any"] if one.startswith("re_")]
            path = path.replace("{" + name + "}", guess.chance.choice(wanted), 1)
        body = urlencode(flat(guess.params(contract.request_schema(described))))
        answer = server.raw(operation.method, path, body)
        assert answer.status_code < 500, f"{operation.method} {path}?{body}: {answer.text}"
    server.problems[:] = [problem for problem in server.problems if " was sent: " not in problem]
    assert server.problems == []
