"""Paying: one attempt to take the money of a payment intent, and what may come of it later.

The order of events is Stripe's: `payment_intent.created`, then `charge.succeeded` (or `.failed`), then
`payment_intent.succeeded` (or `.payment_failed`), and `charge.updated` when the money is booked.
"""

from __future__ import annotations

from dataclasses import dataclass

from app.sandbox.stripe import behaviour, cards, charges, payment_methods, timers
from app.sandbox.stripe.cards import Decline
from app.sandbox.stripe.errors import CardRefused
from app.sandbox.stripe.store import Doc
from app.sandbox.stripe.work import Work

PENDING_DEBIT = "settle_payment"
FAILED_DEBIT = Decline(
    "payment_method_provider_decline",
    "insufficient_funds",
    "The bank returned the debit because the account does not hold enough money.",
    advice="try_again_later",
)


@dataclass(frozen=True)
class Attempt:
    """What came of an attempt: the intent as it is now, and the refusal when it failed."""

    intent: Doc
    refusal: CardRefused | None = None


def pay(
    work: Work,
    intent: Doc,
    method: Doc,
    *,
    authenticated: bool = False,
    absent: bool = False,
    refuse_action: bool = False,
    return_url: str | None = None,
) -> Attempt:
    """Try to pay an intent with a method.

    `authenticated`: the bank's question was answered well. `absent`: the buyer is not there to answer
    (`off_session`). `refuse_action`: fail rather than ask.
    """
    if method["type"] != "card":
        return _debit(work, intent, method)
    card = payment_methods.card_of(work, method)
    asks = card.asks and not authenticated
    # A card that asks once is content after it was saved with the buyer present.
    asks = asks and not (card.number.endswith("3155") and method["customer"] is not None)
    if asks and (absent or refuse_action):
        return fail(work, intent, method, cards.AUTHENTICATION)
    if asks:
        return Attempt(_ask(work, intent, method, return_url))
    if card.decline is not None:
        return fail(work, intent, method, card.decline, authenticated=authenticated)
    return Attempt(_take(work, intent, method, authenticated=authenticated))


def _ask(work: Work, intent: Doc, method: Doc, return_url: str | None) -> Doc:
    """The buyer must prove who they are before the bank decides."""
    page = f"{work.account.public_url}/pay/intents/{intent['id']}/authentication"
    action: Doc = {
        "type": "use_stripe_sdk",
        "use_stripe_sdk": {"type": "three_d_secure_redirect", "stripe_js": page},
    }
    if return_url is not None:
        action = {"type": "redirect_to_url", "redirect_to_url": {"return_url": return_url, "url": page}}
    work.store.save(intent, {**work.hidden(intent["id"]), "return_url": return_url})
    intent = work.change(
        intent,
        {
            "status": "requires_action",
            "next_action": action,
            "payment_method": method["id"],
            "last_payment_error": None,
        },
    )
    work.emit("payment_intent.requires_action", intent)
    return intent


def _take(work: Work, intent: Doc, method: Doc, *, authenticated: bool) -> Doc:
    manual = _is_manual(intent)
    if method["customer"] is None and intent["customer"] and intent["setup_future_usage"]:
        method = payment_methods.attach(work, method, work.get("customer", intent["customer"]))
    charge = charges.new_charge(
        work, intent, method, decline=None, captured=not manual, authenticated=authenticated, pending=False
    )
    work.insert(charge, event="charge.succeeded")
    done: Doc = {
        "latest_charge": charge["id"],
        "payment_method": method["id"],
        "next_action": None,
        "last_payment_error": None,
    }
    if manual:
        intent = work.change(intent, {**done, "status": "requires_capture", "amount_capturable": intent["amount"]})
        work.emit("payment_intent.amount_capturable_updated", intent)
        return intent
    intent = work.change(intent, {**done, "status": "succeeded", "amount_received": intent["amount"]})
    work.emit("payment_intent.succeeded", intent)
    return intent


def _is_manual(intent: Doc) -> bool:
    """Whether the money is only held at first: said of the intent, or of cards alone."""
    card = intent["payment_method_options"].get("card", {})
    return "manual" in (intent["capture_method"], card.get("capture_method"))


def booked(work: Work, intent: Doc) -> None:
    """Book the money of a payment that has just succeeded: the last event of the row."""
    if intent["status"] != "succeeded" or intent["latest_charge"] is None:
        return
    charge = work.get("charge", intent["latest_charge"])
    if charge["balance_transaction"] is None:
        charges.book(work, charge, charge["amount_captured"])


def fail(work: Work, intent: Doc, method: Doc, decline: Decline, *, authenticated: bool = False) -> Attempt:
    """Keep a failed attempt; the intent waits for another payment method."""
    charge_id: str | None = None
    if decline is not cards.FAILED_AUTHENTICATION:
        charge = charges.new_charge(
            work, intent, method, decline=decline, captured=False, authenticated=authenticated, pending=False
        )
        work.insert(charge, event="charge.failed")
        charge_id = charge["id"]
    error = payment_methods.declined(decline, charge=charge_id, payment_method=method)
    intent = _failed(work, intent, error, charge_id)
    error.more["payment_intent"] = intent
    return Attempt(intent, error)


def _failed(work: Work, intent: Doc, error: CardRefused, charge_id: str | None) -> Doc:
    changes: Doc = {
        "status": "requires_payment_method",
        "payment_method": None,
        "next_action": None,
        "processing": None,
        "last_payment_error": error.body()["error"],
    }
    if charge_id is not None:
        changes["latest_charge"] = charge_id
    intent = work.change(intent, changes)
    work.emit("payment_intent.payment_failed", intent)
    return intent


def _debit(work: Work, intent: Doc, method: Doc) -> Attempt:
    """A bank debit is under way for a while; a timer says how it ended."""
    charge = charges.new_charge(work, intent, method, decline=None, captured=True, authenticated=False, pending=True)
    work.insert(charge, event="charge.pending")
    intent = work.change(
        intent,
        {
            "status": "processing",
            "latest_charge": charge["id"],
            "payment_method": method["id"],
            "last_payment_error": None,
            "next_action": None,
        },
    )
    work.emit("payment_intent.processing", intent)
    wait = behaviour.current(work.store).settle_after
    timers.start(work, PENDING_DEBIT, intent["id"], due=work.account.clock.precise() + wait)
    return Attempt(intent)


def settle(work: Work, intent: Doc) -> Doc:
    """The bank has answered: the money came, or it did not."""
    charge = work.get("charge", intent["latest_charge"])
    method = charges.method_of(work, charge)
    if work.hidden(method["id"]).get("iban") == payment_methods.IBAN_FAILS:
        return _debit_failed(work, intent, charge, method)
    charge = work.change(charge, {"status": "succeeded", "paid": True})
    work.emit("charge.succeeded", charge)
    intent = work.change(intent, {"status": "succeeded", "amount_received": intent["amount"]})
    work.emit("payment_intent.succeeded", intent)
    return intent


def _debit_failed(work: Work, intent: Doc, charge: Doc, method: Doc) -> Doc:
    error = payment_methods.declined(FAILED_DEBIT, charge=charge["id"], payment_method=method)
    charge = work.change(
        charge,
        {
            "status": "failed",
            "paid": False,
            "captured": False,
            "amount_captured": 0,
            "receipt_url": None,
            "failure_code": FAILED_DEBIT.code,
            "failure_message": FAILED_DEBIT.message,
        },
    )
    work.emit("charge.failed", charge)
    return _failed(work, intent, error, charge["id"])
