"""What a new checkout session may be asked for."""

from __future__ import annotations

from urllib.parse import urlsplit

from app.sandbox.stripe import customers, money
from app.sandbox.stripe.errors import InvalidRequest, exclusive, missing
from app.sandbox.stripe.parameters import check_descriptor
from app.sandbox.stripe.store import Doc
from app.sandbox.stripe.work import Call

SOONEST = 30 * 60
LATEST = 24 * 3600
# What the local Stripe does not play: sent, it is refused rather than dropped.
NOT_PLAYED = (
    "after_expiration", "customer_account", "optional_items", "payment_method_configuration",
    "setup_intent_data", "subscription_data",
)  # fmt: skip
NOT_PLAYED_DATA = ("application_fee_amount", "on_behalf_of", "transfer_data")


def check(call: Call, params: Doc) -> None:
    """Raise InvalidRequest for parameters of a new session that Stripe, or the local one, refuses."""
    for name in NOT_PLAYED:
        if name in params:
            raise InvalidRequest(f"The local Stripe does not play {name}.", param=name)
    _check_mode(params)
    for first, second in (
        ("customer", "customer_email"),
        ("customer", "customer_creation"),
        ("discounts", "allow_promotion_codes"),
        ("allowed_payment_method_types", "excluded_payment_method_types"),
    ):
        if first in params and second in params:
            raise exclusive(first, second)
    if "customer_update" in params and "customer" not in params:
        raise InvalidRequest("customer_update can only be sent with customer.", param="customer_update")
    for name in ("success_url", "cancel_url"):
        if name in params:
            _check_url(params[name], name)
    _check_expiry(call, params.get("expires_at"))
    customers.check_email(params.get("customer_email"), "customer_email")
    if params.get("consent_collection", {}).get("terms_of_service") == "required":
        raise InvalidRequest(
            "Terms of service cannot be agreed to: this account has not set their URL.",
            param="consent_collection",
        )
    if "currency" in params:
        money.currency_of(params["currency"])
    _check_data(params.get("payment_intent_data", {}))


def _check_mode(params: Doc) -> None:
    mode, ui_mode = params.get("mode", "payment"), params.get("ui_mode", "hosted_page")
    if mode != "payment":
        raise InvalidRequest(f"The local Stripe plays mode=payment only, not mode={mode}.", param="mode")
    if ui_mode != "hosted_page":
        raise InvalidRequest(f"The local Stripe plays ui_mode=hosted_page only, not {ui_mode}.", param="ui_mode")
    for name in ("return_url", "redirect_on_completion"):
        if name in params:
            raise InvalidRequest(f"{name} cannot be sent when ui_mode is hosted_page.", param=name)
    if "success_url" not in params:
        raise missing("success_url")
    if params.get("payment_method_collection") is not None:
        raise InvalidRequest(
            "payment_method_collection can only be sent in subscription mode.",
            param="payment_method_collection",
        )
    if params.get("submit_type") == "subscribe":
        raise InvalidRequest("submit_type=subscribe can only be sent in subscription mode.", param="submit_type")


def _check_url(url: str, param: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or " " in url:
        raise InvalidRequest("Not a valid URL", code="url_invalid", param=param)


def _check_expiry(call: Call, at: int | None) -> None:
    if at is None:
        return
    if at < call.now + SOONEST - 1:
        raise InvalidRequest("The expires_at timestamp must be at least 30 minutes from now.", param="expires_at")
    if at > call.now + LATEST:
        raise InvalidRequest("The expires_at timestamp must be less than 24 hours from now.", param="expires_at")


def _check_data(data: Doc) -> None:
    for name in NOT_PLAYED_DATA:
        if name in data:
            raise InvalidRequest(f"The local Stripe does not play {name}.", param=f"payment_intent_data[{name}]")
    customers.check_email(data.get("receipt_email"), "payment_intent_data[receipt_email]")
    for name, shortest in (("statement_descriptor", 5), ("statement_descriptor_suffix", 1)):
        check_descriptor(data.get(name), f"payment_intent_data[{name}]", shortest=shortest)


def check_total(total: int, currency: str) -> None:
    """Raise InvalidRequest for a total that cannot be charged; nothing at all is fine."""
    least = money.least(currency)
    if 0 < total < least:
        raise InvalidRequest(
            f"A Checkout Session's total must be at least {money.shown(least, currency)}, or nothing.",
            code="amount_too_small",
        )
    if total > money.MOST:
        raise InvalidRequest("The Checkout Session's total amount is too large.", code="amount_too_large")
