"""Promotion codes: words that buyers know and that stand for coupons. https://docs.stripe.com/api/promotion_codes"""

from __future__ import annotations

from typing import Any

from stripe.params import (
    PromotionCodeCreateParams,
    PromotionCodeListParams,
    PromotionCodeRetrieveParams,
    PromotionCodeUpdateParams,
)

from app.sandbox.stripe import coupons, ids, lists
from app.sandbox.stripe.errors import InvalidRequest, missing
from app.sandbox.stripe.operations import operation
from app.sandbox.stripe.parameters import fresh_metadata, merged_metadata
from app.sandbox.stripe.store import Doc
from app.sandbox.stripe.work import Call, Work


@operation("POST", "/v1/promotion_codes", PromotionCodeCreateParams)
def create_promotion_code(call: Call) -> Doc:
    """Create a code for a coupon."""
    params = call.params
    if "coupon" not in params["promotion"]:
        raise missing("promotion[coupon]")
    if "customer_account" in params:
        raise InvalidRequest("The local Stripe does not play customer_account.", param="customer_account")
    coupon = call.get("coupon", params["promotion"]["coupon"], "promotion[coupon]")
    call.referred("customer", "customer")
    code = params.get("code") or ids.letters(8).upper()
    if not code.replace("-", "").isalnum():
        raise InvalidRequest("A code has only letters, digits and hyphens.", param="code")
    if _living(call, code) is not None:
        raise InvalidRequest(
            f"An active promotion code with `code: {code}` already exists.",
            param="code",
            code="resource_already_exists",
        )
    restrictions = params.get("restrictions", {})
    doc: Doc = {
        "id": ids.new("promo"),
        "object": "promotion_code",
        "active": params.get("active", True),
        "code": code,
        "created": call.now,
        "customer": params.get("customer"),
        "customer_account": None,
        "expires_at": params.get("expires_at"),
        "livemode": False,
        "max_redemptions": params.get("max_redemptions"),
        "metadata": fresh_metadata(params.get("metadata", {})),
        "promotion": {"coupon": coupon["id"], "type": "coupon"},
        "restrictions": {
            "first_time_transaction": restrictions.get("first_time_transaction", False),
            "minimum_amount": restrictions.get("minimum_amount"),
            "minimum_amount_currency": restrictions.get("minimum_amount_currency"),
        },
        "times_redeemed": 0,
    }
    return call.insert(doc, event="promotion_code.created")


def _living(work: Work, code: str) -> Doc | None:
    found = work.store.find(
        "promotion_code",
        [("lower(json_extract(doc, '$.code')) = ?", code.lower()), ("json_extract(doc, '$.active') = ?", 1)],
    )
    return found[0] if found else None


def by_code(work: Work, code: str) -> Doc | None:
    """The active promotion code with that word, whatever its case."""
    doc = _living(work, code)
    return None if doc is None or not current(work, doc)["active"] else doc


def current(work: Work, doc: Doc) -> Doc:
    """A code as it is now: it ends with time, with use, and with its coupon."""
    over = doc["expires_at"] is not None and doc["expires_at"] <= work.now
    used = doc["max_redemptions"] is not None and doc["times_redeemed"] >= doc["max_redemptions"]
    coupon = work.find(doc["promotion"]["coupon"], "coupon")
    valid = coupon is not None and coupons.current(work, coupon)["valid"]
    return {**doc, "active": doc["active"] and not over and not used and valid}


def redeem(work: Work, code_id: str) -> None:
    """Count a use."""
    doc = work.find(code_id, "promotion_code")
    if doc is not None:
        work.store.save({**doc, "times_redeemed": doc["times_redeemed"] + 1})


@operation("GET", "/v1/promotion_codes/{id}", PromotionCodeRetrieveParams)
def retrieve_promotion_code(call: Call) -> Doc:
    """One code."""
    return current(call, call.named("promotion_code", "promotion_code"))


@operation("POST", "/v1/promotion_codes/{id}", PromotionCodeUpdateParams)
def update_promotion_code(call: Call) -> Doc:
    """Switch a code on or off, or change its metadata."""
    doc, params = call.named("promotion_code", "promotion_code"), call.params
    if "restrictions" in params:
        raise InvalidRequest("The local Stripe does not play restrictions by currency.", param="restrictions")
    changes: dict[str, Any] = {name: params[name] for name in ("active",) if name in params}
    if "metadata" in params:
        changes["metadata"] = merged_metadata(doc["metadata"], params["metadata"])
    return call.change(doc, changes, event="promotion_code.updated")


@operation("GET", "/v1/promotion_codes", PromotionCodeListParams)
def list_promotion_codes(call: Call) -> Doc:
    """Codes, newest first."""
    where = lists.equals(
        call.params,
        active="active",
        coupon="promotion.coupon",
        customer="customer",
        customer_account="customer_account",
    )
    if "code" in call.params:
        where.append(("lower(json_extract(doc, '$.code')) = ?", call.params["code"].lower()))
    page = lists.page(call, "promotion_code", where)
    return {**page, "data": [current(call, item) for item in page["data"]]}
