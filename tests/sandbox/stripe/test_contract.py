"""The local Stripe against Stripe's published description: parameters, answers, events."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from app.sandbox.stripe import schemas
from app.sandbox.stripe.operations import OPERATIONS, Operation
from app.sandbox.stripe.payment_methods import IBAN_PAYS
from tests.sandbox.stripe import contract
from tests.sandbox.stripe.running import Running, wait_until

pytestmark = pytest.mark.skipif(not contract.available(), reason=contract.REASON)


def names(operation: Operation) -> str:
    return f"{operation.method} {operation.path}"


def shape_of_node(node: schemas.Node, depth: int) -> Any:
    """A schema of ours in a form that can be compared."""
    match node:
        case schemas.Fields() if depth:
            return {
                name + ("!" if name in node.required else ""): shape_of_node(inner, depth - 1)
                for name, inner in sorted(node.fields.items())
            }
        case schemas.Fields():
            return {}
        case schemas.Items():
            return [shape_of_node(node.item, depth)]
        case schemas.Pairs():
            return ("map", shape_of_node(node.value, depth))
        case schemas.Number(kind="decimal"):
            return {"text"}
        case schemas.Number():
            return {node.kind}
        case schemas.Flag():
            return {"boolean"}
        case schemas.Text(only_empty=True):
            return {'""'}
        case schemas.Text():
            return {"text", *node.values} | ({'""'} if node.empty else set())
        case schemas.Choice():
            return ("one of", [shape_of_node(option, depth) for option in node.options])


def shape_of_schema(schema: dict[str, Any], depth: int) -> Any:
    """The described schema in the same form."""
    schema = contract.resolve(schema)
    if "anyOf" in schema:
        return _shape_of_options(schema["anyOf"], depth)
    kind = schema.get("type")
    if kind == "array":
        return [shape_of_schema(schema["items"], depth)]
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return ("map", shape_of_schema(schema["additionalProperties"], depth))
    if kind == "object" and depth:
        return {
            name + ("!" if name in schema.get("required", []) else ""): shape_of_schema(inner, depth - 1)
            for name, inner in sorted(schema.get("properties", {}).items())
        }
    if kind == "object":
        return {}
    if kind == "string" or "enum" in schema:
        values = {str(value) for value in schema.get("enum") or schema.get("x-known-values") or []}
        if values == {""}:
            return {'""'}
        return {"text"} | (values - {""}) | ({'""'} if "" in values else set())
    return {kind}


def _shape_of_options(options: list[dict[str, Any]], depth: int) -> Any:
    """Texts among the options are one text, as they are for us."""
    shapes = [shape_of_schema(option, depth) for option in options]
    texts = [shape for shape in shapes if isinstance(shape, set) and shape & {"text", '""'}]
    others = [shape for shape in shapes if shape not in texts]
    whole = [*others, *([set().union(*texts)] if texts else [])]
    return whole[0] if len(whole) == 1 else ("one of", whole)


def differences(ours: Any, theirs: Any, path: str) -> list[str]:
    """Where two shapes differ. What the description leaves open ({None}) agrees with everything."""
    if ours == theirs or theirs == {None}:
        return []
    if isinstance(ours, dict) and isinstance(theirs, dict):
        found = [f"{path}.{name} is only in one of them" for name in ours.keys() ^ theirs.keys()]
        for name in ours.keys() & theirs.keys():
            found += differences(ours[name], theirs[name], f"{path}.{name}")
        return found
    if isinstance(ours, list | tuple) and isinstance(theirs, list | tuple) and len(ours) == len(theirs):
        return [text for pair in zip(ours, theirs, strict=True) for text in differences(*pair, f"{path}[]")]
    return [f"{path}: {ours} is not {theirs}"]


@pytest.mark.parametrize("operation", OPERATIONS, ids=names)
def test_each_operation_takes_exactly_the_described_parameters(operation: Operation) -> None:
    described = contract.find_operation(operation.method, operation.path)
    assert described is not None
    ours = shape_of_node(operation.schema, 12)
    assert differences(ours, shape_of_schema(contract.request_schema(described), 12), "") == []


def test_a_whole_life_of_objects_is_answered_as_described(server: Running, client: stripe.StripeClient) -> None:
    seen = set()

    @server.app.after_request
    async def note(response: Any) -> Any:
        from quart import request

        from app.sandbox.stripe import operations

        found = operations.find(request.method, request.path)
        if found and response.status_code == 200:
            seen.add(names(found[0]))
        return response

    _products_and_prices(client)
    _customers_and_methods(client)
    _intents(client)
    _sessions(server, client)
    _rest(server, client)
    assert seen == {names(operation) for operation in OPERATIONS} - {"POST /v1/refunds/{id}/cancel"}
    assert server.problems == []


def _products_and_prices(client: stripe.StripeClient) -> None:
    v1 = client.v1
    rich = v1.products.create(
        {
            "name": "Reading Price",
            "description": "A course",
            "images": ["https://example.com/a.png"],
            "marketing_features": [{"name": "Twelve lessons"}],
            "metadata": {"course": "1"},
            "package_dimensions": {"height": 1, "length": 2.5, "weight": 3, "width": 4},
            "statement_descriptor": "MERIDIAN",
            "tax_code": "txcd_10000000",
            "unit_label": "seat",
            "url": "https://example.com",
            "shippable": False,
            "default_price_data": {"currency": "eur", "unit_amount": 24900, "tax_behavior": "inclusive"},
            "expand": ["default_price"],
        }
    )
    v1.products.update(rich.id, {"description": "", "images": "", "tax_code": "", "metadata": ""})
    v1.products.retrieve(rich.id)
    v1.products.list({"limit": 3, "expand": ["data.default_price.product"]})
    gone = v1.products.create({"name": "Gone"})
    v1.products.delete(gone.id)
    tiers = v1.prices.create(
        {
            "currency": "usd",
            "billing_scheme": "tiered",
            "tiers_mode": "graduated",
            "tiers": [{"up_to": 5, "unit_amount": 500}, {"up_to": "inf", "flat_amount": 100}],
            "recurring": {"interval": "month"},
            "product": rich.id,
            "expand": ["tiers", "currency_options", "product"],
        }
    )
    free = v1.prices.create({"currency": "jpy", "custom_unit_amount": {"enabled": True}, "product": rich.id})
    v1.prices.create(
        {
            "currency": "usd",
            "unit_amount_decimal": "0.5",
            "product_data": {"name": "Fractions"},
            "currency_options": {"eur": {"unit_amount": 1}},
            "transform_quantity": {"divide_by": 2, "round": "up"},
            "lookup_key": "fractions",
            "transfer_lookup_key": True,
            "expand": ["currency_options"],
        }
    )
    v1.prices.update(free.id, {"nickname": "as you like", "active": False, "metadata": {"a": "b"}})
    v1.prices.retrieve(tiers.id, {"expand": ["product.default_price"]})
    v1.prices.list({"lookup_keys": ["fractions"], "active": True, "created": {"gte": 1}})


def _customers_and_methods(client: stripe.StripeClient) -> None:
    v1 = client.v1
    address = {"line1": "Ilica 41", "city": "Zagreb", "country": "HR", "postal_code": "10000"}
    ines = v1.customers.create(
        {
            "email": "ines@example.com",
            "name": "Ines Kovač",
            "address": address,
            "shipping": {"name": "Ines Kovač", "address": address},
            "preferred_locales": ["hr"],
            "payment_method": "pm_card_visa",
            "expand": ["sources", "subscriptions", "tax_ids", "tax", "invoice_settings.default_payment_method"],
        }
    )
    v1.customers.update(ines.id, {"phone": "+3851", "shipping": "", "tax_exempt": "reverse"})
    v1.customers.list({"email": "ines@example.com"})
    saved = v1.customers.payment_methods.list(ines.id).data[0]
    v1.customers.payment_methods.retrieve(ines.id, saved.id)
    v1.payment_methods.update(saved.id, {"metadata": {"a": "b"}, "billing_details": {"name": "Ines"}})
    v1.customers.update(ines.id, {"invoice_settings": {"default_payment_method": saved.id}})
    v1.payment_methods.list({"customer": ines.id, "type": "card"})
    v1.payment_methods.detach(saved.id, {"expand": ["customer"]})
    debit = v1.payment_methods.create({"type": "sepa_debit", "sepa_debit": {"iban": IBAN_PAYS}})
    v1.payment_methods.attach(debit.id, {"customer": ines.id, "expand": ["customer"]})
    card = {"number": "4242424242424242", "exp_month": 12, "exp_year": 2034, "cvc": "123"}
    made = v1.payment_methods.create({"type": "card", "card": card})
    v1.payment_methods.retrieve(made.id)
    v1.customers.retrieve(ines.id)
    v1.customers.delete(ines.id)
    v1.customers.retrieve(ines.id)


def _intents(client: stripe.StripeClient) -> None:
    v1 = client.v1
    paid = v1.payment_intents.create(
        {
            "amount": 2000,
            "currency": "usd",
            "payment_method": "pm_card_visa",
            "confirm": True,
            "return_url": "https://example.com/back",
            "shipping": {"name": "Ann", "address": {"line1": "1 Street"}},
            "expand": ["latest_charge.balance_transaction", "latest_charge.refunds", "payment_method"],
        }
    )
    held = v1.payment_intents.create({"amount": 500, "currency": "usd", "capture_method": "manual"})
    v1.payment_intents.update(held.id, {"metadata": {"a": "b"}, "description": "Held"})
    held = v1.payment_intents.confirm(held.id, {"payment_method": "pm_card_mastercard"})
    v1.charges.capture(held.latest_charge)
    other = v1.payment_intents.create(
        {
            "amount": 500,
            "currency": "usd",
            "capture_method": "manual",
            "payment_method": "pm_card_visa",
            "confirm": True,
        }
    )
    v1.payment_intents.capture(other.id, {"amount_to_capture": 300})
    given_up = v1.payment_intents.create({"amount": 500, "currency": "usd"})
    v1.payment_intents.cancel(given_up.id, {"cancellation_reason": "abandoned"})
    asks = v1.payment_intents.create(
        {
            "amount": 900,
            "currency": "usd",
            "payment_method": "pm_card_authenticationRequired",
            "confirm": True,
            "return_url": "https://example.com/back",
        }
    )
    assert asks.status == "requires_action"
    with pytest.raises(stripe.CardError):
        v1.payment_intents.confirm(asks.id, {"payment_method": "pm_card_chargeDeclined"})
    v1.payment_intents.retrieve(asks.id)
    v1.payment_intents.list({"limit": 100, "expand": ["data.latest_charge"]})
    v1.charges.update(paid.latest_charge.id, {"description": "Noted", "metadata": {"a": "b"}})
    v1.charges.retrieve(paid.latest_charge.id, {"expand": ["refunds", "payment_intent", "customer"]})
    refund = v1.refunds.create(
        {
            "payment_intent": paid.id,
            "amount": 500,
            "reason": "requested_by_customer",
            "expand": ["charge.payment_intent", "balance_transaction.source"],
        }
    )
    v1.refunds.update(refund.id, {"metadata": {"why": "asked"}})
    v1.refunds.retrieve(refund.id)
    v1.refunds.list({"payment_intent": paid.id})
    v1.charges.list({"payment_intent": paid.id, "expand": ["data.refunds"]})
    v1.balance_transactions.list({"source": paid.latest_charge.id, "expand": ["data.source"]})
    v1.balance_transactions.retrieve(refund.balance_transaction.id)
    v1.balance.retrieve()
    v1.accounts.retrieve_current()


def _sessions(server: Running, client: stripe.StripeClient) -> None:
    v1 = client.v1
    coupon = v1.coupons.create({"percent_off": 15, "duration": "once", "name": "Autumn"})
    code = v1.promotion_codes.create({"promotion": {"type": "coupon", "coupon": coupon.id}, "code": "AUTUMN15"})
    v1.promotion_codes.update(code.id, {"metadata": {"a": "b"}})
    v1.promotion_codes.retrieve(code.id, {"expand": ["promotion.coupon"]})
    v1.promotion_codes.list({"code": "autumn15"})
    v1.coupons.update(coupon.id, {"name": "Late autumn"})
    v1.coupons.retrieve(coupon.id, {"expand": ["applies_to", "currency_options"]})
    v1.coupons.list()
    vat = v1.tax_rates.create({"display_name": "VAT", "inclusive": True, "percentage": 25, "country": "HR"})
    v1.tax_rates.update(vat.id, {"description": "Croatia"})
    v1.tax_rates.retrieve(vat.id)
    v1.tax_rates.list({"active": True})
    rate = v1.shipping_rates.create(
        {"display_name": "Post", "fixed_amount": {"amount": 500, "currency": "eur"}, "type": "fixed_amount"}
    )
    v1.shipping_rates.update(rate.id, {"metadata": {"a": "b"}})
    v1.shipping_rates.retrieve(rate.id)
    v1.shipping_rates.list({"active": True, "currency": "eur"})
    data = {"currency": "eur", "unit_amount": 14900, "product_data": {"name": "Tidemark"}}
    session = v1.checkout.sessions.create(
        {
            "mode": "payment",
            "line_items": [
                {"price_data": data, "quantity": 2, "tax_rates": [vat.id], "metadata": {"line": "1"}},
                {"price_data": data, "quantity": 1, "adjustable_quantity": {"enabled": True, "maximum": 5}},
            ],
            "discounts": [{"promotion_code": code.id}],
            "customer_creation": "always",
            "automatic_tax": {"enabled": True},
            "consent_collection": {"promotions": "none"},
            "custom_text": {"submit": {"message": "Thank you"}},
            "invoice_creation": {"enabled": True},
            "locale": "auto",
            "phone_number_collection": {"enabled": False},
            "payment_intent_data": {"description": "Order 1", "metadata": {"order": "1"}},
            "submit_type": "pay",
            "shipping_address_collection": {"allowed_countries": ["DE"]},
            "shipping_options": [{"shipping_rate": rate.id}],
            "custom_fields": [
                {"key": "a", "label": {"type": "custom", "custom": "A"}, "type": "text", "optional": True}
            ],
            "success_url": "http://127.0.0.1:9/success?session={CHECKOUT_SESSION_ID}",
            "expand": ["line_items.data.taxes", "line_items.data.discounts", "total_details.breakdown"],
        }
    )
    address = {
        "shipping_name": "Ann",
        "shipping_line1": "Street 1",
        "shipping_city": "Berlin",
        "shipping_postal_code": "10115",
        "shipping_country": "DE",
    }
    assert server.buy(session, number="4000000000000002", **address).status_code == 422
    assert server.buy(session, number="4000002500003155", **address).status_code == 303
    v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent.latest_charge", "line_items"]})
    assert server.buy(session, **address).status_code == 303
    session = v1.checkout.sessions.retrieve(
        session.id, {"expand": ["payment_intent.latest_charge", "customer", "discounts.coupon"]}
    )
    assert session.status == "complete"
    v1.checkout.sessions.line_items.list(session.id, {"limit": 1, "expand": ["data.price.product"]})
    v1.checkout.sessions.update(session.id, {"metadata": {"later": "yes"}})
    plain = v1.checkout.sessions.create(
        {
            "line_items": [{"price_data": data, "quantity": 1}],
            "mode": "payment",
            "customer": session.customer.id,
            "success_url": "http://127.0.0.1:9/success",
        }
    )
    v1.checkout.sessions.expire(plain.id)
    debit = v1.checkout.sessions.create(
        {
            "line_items": [{"price_data": data, "quantity": 1}],
            "mode": "payment",
            "success_url": "http://127.0.0.1:9/success",
        }
    )
    server.behave(settle_after=0.1)
    assert server.buy(debit, method="sepa_debit", iban=IBAN_PAYS).status_code == 303
    wait_until(lambda: v1.checkout.sessions.retrieve(debit.id).payment_status == "paid")
    v1.checkout.sessions.list({"limit": 100, "expand": ["data.line_items", "data.payment_intent"]})
    v1.coupons.delete(coupon.id)


def _rest(server: Running, client: stripe.StripeClient) -> None:
    v1 = client.v1
    endpoint = v1.webhook_endpoints.create(
        {"url": "http://127.0.0.1:9/hooks", "enabled_events": ["charge.refunded"], "description": "Nobody"}
    )
    v1.webhook_endpoints.update(endpoint.id, {"disabled": True, "metadata": {"a": "b"}})
    v1.webhook_endpoints.retrieve(endpoint.id)
    v1.webhook_endpoints.list()
    v1.webhook_endpoints.delete(endpoint.id)
    # As they are written: the client would turn decimals into its own type.
    events = server.raw("GET", "/v1/events", "limit=100").json()["data"]
    v1.events.retrieve(events[0]["id"])
    assert len({event["type"] for event in events}) > 30
    for event in events:
        contract.check_event(event)
