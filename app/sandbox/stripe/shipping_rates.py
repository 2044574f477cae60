"""Shipping rates, and the choice between them in a checkout session.

https://docs.stripe.com/api/shipping_rates
"""

from __future__ import annotations

from typing import Any

from stripe.params import (
    ShippingRateCreateParams,
    ShippingRateListParams,
    ShippingRateRetrieveParams,
    ShippingRateUpdateParams,
)

from app.sandbox.stripe import ids, lists, money
from app.sandbox.stripe.errors import InvalidRequest, exclusive, missing
from app.sandbox.stripe.operations import operation
from app.sandbox.stripe.parameters import fresh_metadata, merged_metadata
from app.sandbox.stripe.store import Doc
from app.sandbox.stripe.work import Call, Work

MOST_OPTIONS = 5


@operation("POST", "/v1/shipping_rates", ShippingRateCreateParams)
def create_shipping_rate(call: Call) -> Doc:
    """Create a shipping rate. There is no event for it."""
    return call.insert(_new(call, call.params, ""))


def _new(work: Work, params: Doc, path: str) -> Doc:
    name = f"{path}[fixed_amount]" if path else "fixed_amount"
    if "fixed_amount" not in params:
        raise missing(name)
    fixed = params["fixed_amount"]
    if fixed["amount"] < 0:
        raise InvalidRequest(
            "This value must be greater than or equal to 0.",
            code="parameter_invalid_integer",
            param=f"{name}[amount]",
        )
    estimate = params.get("delivery_estimate")
    return {
        "id": ids.new("shr"),
        "object": "shipping_rate",
        "active": True,
        "created": work.now,
        "delivery_estimate": estimate and {end: estimate.get(end) for end in ("maximum", "minimum")},
        "display_name": params["display_name"],
        "fixed_amount": {
            "amount": fixed["amount"],
            "currency": money.currency_of(fixed["currency"], f"{name}[currency]"),
            **_options(fixed.get("currency_options")),
        },
        "livemode": False,
        "metadata": fresh_metadata(params.get("metadata", {})),
        "tax_behavior": params.get("tax_behavior", "unspecified"),
        "tax_code": params.get("tax_code"),
        "type": "fixed_amount",
    }


def _options(sent: dict[str, Doc] | None) -> Doc:
    if sent is None:
        return {}
    options = {
        currency: {"amount": option["amount"], "tax_behavior": option.get("tax_behavior", "unspecified")}
        for currency, option in sent.items()
    }
    return {"currency_options": options}


@operation("GET", "/v1/shipping_rates/{id}", ShippingRateRetrieveParams)
def retrieve_shipping_rate(call: Call) -> Doc:
    """One shipping rate."""
    return call.named("shipping_rate")


@operation("POST", "/v1/shipping_rates/{id}", ShippingRateUpdateParams)
def update_shipping_rate(call: Call) -> Doc:
    """Switch a rate on or off, or change its metadata; its amount never changes."""
    doc, params = call.named("shipping_rate"), call.params
    if "fixed_amount" in params:
        raise InvalidRequest("The local Stripe does not add currencies to a shipping rate.", param="fixed_amount")
    changes: dict[str, Any] = {name: params[name] for name in ("active", "tax_behavior") if name in params}
    if "metadata" in params:
        changes["metadata"] = merged_metadata(doc["metadata"], params["metadata"])
    return call.change(doc, changes)


@operation("GET", "/v1/shipping_rates", ShippingRateListParams)
def list_shipping_rates(call: Call) -> Doc:
    """Shipping rates, newest first."""
    return lists.page(
        call, "shipping_rate", lists.equals(call.params, active="active", currency="fixed_amount.currency")
    )


def choices(work: Work, sent: list[Doc], currency: str) -> list[Doc]:
    """The options of a session. Raises InvalidRequest for rates that cannot be chosen in its currency."""
    if len(sent) > MOST_OPTIONS:
        raise InvalidRequest(f"At most {MOST_OPTIONS} shipping options can be offered.", param="shipping_options")
    return [_choice(work, option, currency, f"shipping_options[{place}]") for place, option in enumerate(sent)]


def _choice(work: Work, sent: Doc, currency: str, path: str) -> Doc:
    if "shipping_rate" in sent and "shipping_rate_data" in sent:
        raise exclusive(f"{path}[shipping_rate]", f"{path}[shipping_rate_data]")
    if "shipping_rate_data" in sent:
        rate = work.insert(_new(work, sent["shipping_rate_data"], f"{path}[shipping_rate_data]"))
    elif "shipping_rate" in sent:
        rate = work.get("shipping_rate", sent["shipping_rate"], f"{path}[shipping_rate]")
    else:
        raise missing(f"{path}[shipping_rate]")
    if not rate["active"]:
        raise InvalidRequest("The shipping rate is inactive.", param=f"{path}[shipping_rate]")
    return {"shipping_amount": _amount(rate, currency, path), "shipping_rate": rate["id"]}


def _amount(rate: Doc, currency: str, path: str) -> int:
    fixed = rate["fixed_amount"]
    options = fixed.get("currency_options", {})
    if currency == fixed["currency"]:
        return int(fixed["amount"])
    if currency in options:
        return int(options[currency]["amount"])
    raise InvalidRequest(f"The shipping rate has no amount in {currency}.", param=path)


def cost_of(choice: Doc | None) -> Doc | None:
    """What a chosen option costs."""
    if choice is None:
        return None
    amount = choice["shipping_amount"]
    return {
        "amount_subtotal": amount,
        "amount_tax": 0,
        "amount_total": amount,
        "shipping_rate": choice["shipping_rate"],
    }
