"""Discounts on a checkout session: a coupon, or a promotion code that stands for one."""

from __future__ import annotations

from decimal import Decimal

from app.sandbox.stripe import coupons, ids, line_items, money, promotion_codes
from app.sandbox.stripe.errors import InvalidRequest, exclusive, missing
from app.sandbox.stripe.line_items import Line
from app.sandbox.stripe.store import Doc
from app.sandbox.stripe.work import Work


def apply(work: Work, sent: list[Doc], customer: str | None, lines: list[Line]) -> Doc | None:
    """Take a discount off the lines. Gives the discount, or None when none was sent."""
    if not sent:
        return None
    if len(sent) > 1:
        raise InvalidRequest("A Checkout Session can have at most one discount.", param="discounts")
    coupon, code = _meant(work, sent[0])
    if not coupon["valid"]:
        raise InvalidRequest(
            f"Coupon {coupon['id']} is expired or used up and cannot be applied.",
            param="discounts[0][coupon]",
            code="coupon_expired",
        )
    _take_off(work, coupon, lines)
    return {
        "id": ids.new("di"),
        "object": "discount",
        "checkout_session": None,
        "customer": customer,
        "customer_account": None,
        "end": None,
        "invoice": None,
        "invoice_item": None,
        "promotion_code": code["id"] if code else None,
        "source": {"coupon": coupon, "type": "coupon"},
        "start": work.now,
        "subscription": None,
        "subscription_item": None,
    }


def _meant(work: Work, sent: Doc) -> tuple[Doc, Doc | None]:
    if "coupon" in sent and "promotion_code" in sent:
        raise exclusive("discounts[0][coupon]", "discounts[0][promotion_code]")
    if "coupon" in sent:
        return coupons.current(work, work.get("coupon", sent["coupon"], "discounts[0][coupon]")), None
    if "promotion_code" not in sent:
        raise missing("discounts[0][coupon]")
    code = work.get("promotion_code", sent["promotion_code"], "discounts[0][promotion_code]")
    code = promotion_codes.current(work, code)
    if not code["active"]:
        raise InvalidRequest("This promotion code is not active.", param="discounts[0][promotion_code]")
    return coupons.current(work, work.get("coupon", code["promotion"]["coupon"])), code


def _take_off(work: Work, coupon: Doc, lines: list[Line]) -> None:
    """Only on the products that the coupon is for."""
    only = work.hidden(coupon["id"]).get("products")
    meant = [line for line in lines if only is None or line.price["product"] in only]
    whole = sum(line.subtotal for line in meant)
    if coupon["percent_off"] is not None:
        amount = money.rounded(whole * Decimal(str(coupon["percent_off"])) / 100)
    else:
        currency = lines[0].price["currency"]
        options = work.hidden(coupon["id"]).get("currency_options", {})
        if currency == coupon["currency"]:
            amount = coupon["amount_off"]
        elif currency in options:
            amount = options[currency]["amount_off"]
        else:
            raise InvalidRequest(
                f"The coupon {coupon['id']} is in {coupon['currency']} and cannot be used in {currency}.",
                param="discounts[0][coupon]",
            )
    line_items.share_discount(meant, amount)


def redeem(work: Work, discount: Doc | None) -> None:
    """Count the use of a discount, when its session is completed."""
    if discount is not None:
        coupons.redeem(work, discount["source"]["coupon"]["id"])
        if discount["promotion_code"] is not None:
            promotion_codes.redeem(work, discount["promotion_code"])
