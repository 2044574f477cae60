"""Coupons. https://docs.stripe.com/api/coupons"""

from __future__ import annotations

from typing import Any

from stripe.params import (
    CouponCreateParams,
    CouponDeleteParams,
    CouponListParams,
    CouponRetrieveParams,
    CouponUpdateParams,
)

from app.sandbox.stripe import ids, lists, money
from app.sandbox.stripe.errors import InvalidRequest, exclusive, missing
from app.sandbox.stripe.expansion import on_request
from app.sandbox.stripe.operations import operation
from app.sandbox.stripe.parameters import fresh_metadata, merged_metadata
from app.sandbox.stripe.store import Doc
from app.sandbox.stripe.work import Call, Work, deleted


@operation("POST", "/v1/coupons", CouponCreateParams)
def create_coupon(call: Call) -> Doc:
    """Create a coupon: a share or an amount off."""
    params = call.params
    _check(params)
    coupon_id = params.get("id") or ids.letters(8)
    if call.store.get(coupon_id) is not None:
        raise InvalidRequest("Coupon already exists.", code="resource_already_exists", param="id")
    duration = params.get("duration", "once")
    if (duration == "repeating") != ("duration_in_months" in params):
        raise InvalidRequest(
            "duration_in_months belongs to duration=repeating, and is needed there.",
            param="duration_in_months",
        )
    doc: Doc = {
        "id": coupon_id,
        "object": "coupon",
        "amount_off": params.get("amount_off"),
        "created": call.now,
        "currency": money.currency_of(params["currency"]) if "amount_off" in params else None,
        "duration": duration,
        "duration_in_months": params.get("duration_in_months"),
        "livemode": False,
        "max_redemptions": params.get("max_redemptions"),
        "metadata": fresh_metadata(params.get("metadata", {})),
        "name": params.get("name"),
        "percent_off": params.get("percent_off"),
        "redeem_by": params.get("redeem_by"),
        "times_redeemed": 0,
        "valid": True,
    }
    hidden: Doc = {"currency_options": params.get("currency_options", {})}
    if "applies_to" in params:
        products = params["applies_to"].get("products", [])
        for place, product in enumerate(products):
            call.get("product", product, f"applies_to[products][{place}]")
        hidden["products"] = products
    return call.insert(doc, event="coupon.created", hidden=hidden)


def _check(params: Doc) -> None:
    if "amount_off" in params and "percent_off" in params:
        raise exclusive("percent_off", "amount_off")
    if "amount_off" not in params and "percent_off" not in params:
        raise InvalidRequest(
            "You must send either percent_off or amount_off.", code="parameter_missing", param="percent_off"
        )
    if "amount_off" in params:
        if "currency" not in params:
            raise missing("currency")
        if params["amount_off"] < 1:
            raise InvalidRequest(
                "This value must be greater than or equal to 1.",
                code="parameter_invalid_integer",
                param="amount_off",
            )
    elif not 0 < params["percent_off"] <= 100:
        raise InvalidRequest("percent_off must be above 0 and at most 100.", param="percent_off")
    if params.get("max_redemptions", 1) < 1:
        raise InvalidRequest("max_redemptions must be at least 1.", param="max_redemptions")
    if len(params.get("name") or "") > 40:
        raise InvalidRequest("A coupon's name can have at most 40 characters.", param="name")


def current(work: Work, doc: Doc) -> Doc:
    """A coupon as it is now: it ends with time and with use."""
    over = doc["redeem_by"] is not None and doc["redeem_by"] <= work.now
    used = doc["max_redemptions"] is not None and doc["times_redeemed"] >= doc["max_redemptions"]
    return {**doc, "valid": not over and not used}


def redeem(work: Work, coupon_id: str) -> None:
    """Count a use."""
    doc = work.find(coupon_id, "coupon")
    if doc is not None:
        doc = current(work, {**doc, "times_redeemed": doc["times_redeemed"] + 1})
        work.store.save(doc)


@operation("GET", "/v1/coupons/{id}", CouponRetrieveParams)
def retrieve_coupon(call: Call) -> Doc:
    """One coupon."""
    return current(call, call.named("coupon", "coupon"))


@operation("POST", "/v1/coupons/{id}", CouponUpdateParams, unsettable=("name",))
def update_coupon(call: Call) -> Doc:
    """Change the name or the metadata; what a coupon is worth never changes."""
    doc, params = call.named("coupon", "coupon"), call.params
    changes: dict[str, Any] = {name: params[name] for name in ("name",) if name in params}
    if "metadata" in params:
        changes["metadata"] = merged_metadata(doc["metadata"], params["metadata"])
    if "currency_options" in params:
        hidden = call.hidden(doc["id"])
        call.store.save(
            doc, {**hidden, "currency_options": {**hidden["currency_options"], **params["currency_options"]}}
        )
    return call.change(current(call, doc), changes, event="coupon.updated")


@operation("DELETE", "/v1/coupons/{id}", CouponDeleteParams)
def delete_coupon(call: Call) -> Doc:
    """Delete a coupon; discounts already given stay."""
    doc = call.named("coupon", "coupon")
    call.store.bury(doc["id"])
    call.emit("coupon.deleted", doc)
    return deleted(doc)


@operation("GET", "/v1/coupons", CouponListParams)
def list_coupons(call: Call) -> Doc:
    """Coupons, newest first."""
    page = lists.page(call, "coupon")
    return {**page, "data": [current(call, item) for item in page["data"]]}


@on_request("coupon", "applies_to")
def applies_to_of(work: Work, doc: Doc) -> Doc | None:
    """The products that a coupon is for, when it is not for all."""
    products = work.hidden(doc["id"]).get("products")
    return None if products is None else {"products": products}


@on_request("coupon", "currency_options")
def currency_options_of(work: Work, doc: Doc) -> Doc:
    """What the coupon takes off in each currency."""
    options: Doc = work.hidden(doc["id"]).get("currency_options", {})
    return options
