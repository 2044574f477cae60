"""The test cards, and what each of them does. https://docs.stripe.com/testing"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True)
class Decline:
    """Why a card refuses, in Stripe's codes, and what the buyer reads."""

    code: str
    decline_code: str | None
    message: str
    param: str | None = None
    seller_message: str = "The bank did not return any further details with this decline."
    advice: str | None = "try_again_later"


@dataclass(frozen=True)
class Card:
    """A test card. `asks` says that the bank wants the buyer to prove who they are."""

    number: str
    brand: str = "visa"
    country: str = "US"
    funding: str = "credit"
    decline: Decline | None = None
    asks: bool = False
    # "succeeds_late" and "fails_late": what happens to a refund. "disputed": the charge is contested.
    special: str = ""


GENERIC = Decline("card_declined", "generic_decline", "Your card was declined.")
FUNDS = Decline(
    "card_declined",
    "insufficient_funds",
    "Your card has insufficient funds.",
    seller_message="The bank returned the decline code `insufficient_funds`.",
)
LOST = Decline("card_declined", "lost_card", "Your card was declined.", advice="do_not_try_again")
STOLEN = Decline("card_declined", "stolen_card", "Your card was declined.", advice="do_not_try_again")
EXPIRED = Decline("expired_card", "expired_card", "Your card has expired.", "exp_month", advice="do_not_try_again")
CVC = Decline("incorrect_cvc", "incorrect_cvc", "Your card's security code is incorrect.", "cvc", advice=None)
PROCESSING = Decline(
    "processing_error",
    "processing_error",
    "An error occurred while processing your card. Try again in a little bit.",
)
VELOCITY = Decline(
    "card_declined",
    "card_velocity_exceeded",
    "Your card was declined for making repeated attempts too frequently or exceeding its amount limit.",
)
FRAUD = Decline("card_declined", "fraudulent", "Your card was declined.", advice="do_not_try_again")
AUTHENTICATION = Decline(
    "authentication_required",
    "authentication_required",
    "Your card was declined. This transaction requires authentication.",
)
FAILED_AUTHENTICATION = Decline(
    "payment_intent_authentication_failure",
    None,
    "We are unable to authenticate your payment method. Choose a different payment method and try again.",
)
LIVE_CARD = Decline(
    "card_declined",
    "test_mode_live_card",
    "Your card was declined. Your request was in test mode, but used a card that is not a test card.",
)

CARDS = {
    card.number: card
    for card in (
        Card("4242424242424242"),
        Card("4000056655665556", funding="debit"),
        Card("5555555555554444", "mastercard"),
        Card("2223003122003222", "mastercard"),
        Card("5200828282828210", "mastercard", funding="debit"),
        Card("378282246310005", "amex"),
        Card("371449635398431", "amex"),
        Card("6011111111111117", "discover"),
        Card("3056930009020004", "diners"),
        Card("3566002020360505", "jcb", country="JP"),
        Card("6200000000000005", "unionpay", country="CN"),
        Card("4000000760000002", country="BR"),
        Card("4000001240000000", country="CA"),
        Card("4000002760000016", country="DE"),
        Card("4000002500000003", country="FR"),
        Card("4000008260000000", country="GB"),
        Card("4000000360000006", country="AU"),
        Card("4000000000000077"),
        Card("4000000000000002", decline=GENERIC),
        Card("4000000000009995", decline=FUNDS),
        Card("4000000000009987", decline=LOST),
        Card("4000000000009979", decline=STOLEN),
        Card("4000000000000069", decline=EXPIRED),
        Card("4000000000000127", decline=CVC),
        Card("4000000000000119", decline=PROCESSING),
        Card("4000000000006975", decline=VELOCITY),
        Card("4100000000000019", decline=FRAUD),
        Card("4000000000000341", decline=GENERIC, special="attaches"),
        Card("4000002500003155", country="FR", asks=True),
        Card("4000002760003184", country="DE", asks=True),
        Card("4000000000003220", asks=True),
        Card("4000003800000446", country="LT", asks=True),
        Card("4000008400001629", asks=True, decline=GENERIC),
        Card("4000008260003178", country="GB", asks=True, decline=FUNDS),
        Card("4000000000007726", special="refund_succeeds_late"),
        Card("4000000000005126", special="refund_fails_late"),
        Card("4000000000000259", special="disputed"),
    )
}

# Ready-made payment methods: `pm_card_visa`, and as a token `tok_visa`.
NAMES = {
    "visa": "4242424242424242",
    "visa_debit": "4000056655665556",
    "mastercard": "5555555555554444",
    "mastercard_debit": "5200828282828210",
    "mastercard_prepaid": "5200828282828210",
    "amex": "378282246310005",
    "discover": "6011111111111117",
    "diners": "3056930009020004",
    "jcb": "3566002020360505",
    "unionpay": "6200000000000005",
    "br": "4000000760000002",
    "ca": "4000001240000000",
    "de": "4000002760000016",
    "fr": "4000002500000003",
    "gb": "4000008260000000",
    "au": "4000000360000006",
    "us": "4242424242424242",
    "bypassPending": "4000000000000077",
    "chargeDeclined": "4000000000000002",
    "chargeDeclinedInsufficientFunds": "4000000000009995",
    "chargeDeclinedLostCard": "4000000000009987",
    "chargeDeclinedStolenCard": "4000000000009979",
    "chargeDeclinedExpiredCard": "4000000000000069",
    "chargeDeclinedIncorrectCvc": "4000000000000127",
    "chargeDeclinedProcessingError": "4000000000000119",
    "chargeDeclinedVelocityLimitExceeded": "4000000000006975",
    "chargeDeclinedFraudulent": "4100000000000019",
    "radarBlock": "4100000000000019",
    "chargeCustomerFail": "4000000000000341",
    "authenticationRequired": "4000002760003184",
    "authenticationRequiredOnSetup": "4000002500003155",
    "threeDSecure2Required": "4000000000003220",
    "threeDSecureRequired": "4000000000003220",
    "threeDSecureRequiredChargeDeclined": "4000008400001629",
    "authenticationRequiredChargeDeclinedInsufficientFunds": "4000008260003178",
    "pendingRefund": "4000000000007726",
    "refundFail": "4000000000005126",
    "createDispute": "4000000000000259",
}


def named(name: str, prefix: str) -> Card | None:
    """The card behind `pm_card_…` or `tok_…`."""
    if not name.startswith(prefix):
        return None
    rest = name.removeprefix(prefix)
    number = NAMES.get(rest) or NAMES.get(rest.removeprefix("visa_"))
    return None if number is None else CARDS[number]


def by_number(digits: str) -> Card:
    """The card with that number; a real card's number is declined, as it would be in test mode."""
    return CARDS.get(digits) or Card(digits, brand_of(digits), decline=LIVE_CARD)


def passes_luhn(digits: str) -> bool:
    """The checksum that every card number carries (ISO/IEC 7812-1)."""
    if not digits.isdigit() or not 12 <= len(digits) <= 19:
        return False
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def brand_of(digits: str) -> str:
    """The network by the first digits."""
    if digits.startswith(("34", "37")):
        return "amex"
    if digits.startswith(("51", "52", "53", "54", "55", "22", "23", "24", "25", "26", "27")):
        return "mastercard"
    if digits.startswith(("6011", "64", "65")):
        return "discover"
    if digits.startswith(("300", "305", "36", "38")):
        return "diners"
    if digits.startswith("35"):
        return "jcb"
    return "visa" if digits.startswith("4") else "unknown"


def fingerprint(number: str) -> str:
    """The same for the same number, and no way back to it."""
    return hashlib.sha256(f"card {number}".encode()).hexdigest()[:16]


def cvc_length(brand: str) -> int:
    """Digits of the security code."""
    return 4 if brand == "amex" else 3
