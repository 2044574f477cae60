"""Paying a checkout session on its page, and what follows when the bank answers later."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

from app.sandbox.stripe import (
    cards,
    checkout_sessions,
    custom_fields,
    customers,
    discounts,
    payment_intents,
    payments,
    timers,
)
from app.sandbox.stripe.errors import CardRefused
from app.sandbox.stripe.lists import equals
from app.sandbox.stripe.store import Doc
from app.sandbox.stripe.work import Work


@dataclass(frozen=True)
class Buyer:
    """What the buyer wrote about themselves."""

    email: str
    name: str
    phone: str | None = None
    address: Doc | None = None
    shipping: Doc | None = None
    answers: dict[str, str] = field(default_factory=dict)


def pay(work: Work, session: Doc, buyer: Buyer, method: Doc | None) -> CardRefused | None:
    """Try to pay an open session; nothing is taken when its total is nothing. Gives the refusal, if any.

    Afterwards the session is complete, or its intent waits for the buyer's bank, or it is as it was.
    """
    customer = _customer(work, session, buyer)
    if method is None:
        _complete(work, session, buyer, None, customer)
        return None
    intent = _intent(work, session, customer)
    checkout_sessions.keep(work, session["id"], buyer=asdict(buyer))
    if buyer.shipping is not None:
        intent = work.change(intent, {"shipping": customers.shipping_of(buyer.shipping)})
    attempt = payments.pay(work, intent, method, return_url=session["url"])
    if attempt.refusal is None and attempt.intent["status"] != "requires_action":
        _complete(work, session, buyer, attempt.intent, customer)
    return attempt.refusal


def _customer(work: Work, session: Doc, buyer: Buyer) -> str | None:
    """The session's customer; a new one where the session asks for one."""
    hidden = work.hidden(session["id"])
    known: str | None = session["customer"] or hidden.get("customer")
    if known is not None:
        return known
    saved = hidden["data"].get("setup_future_usage")
    if session["customer_creation"] != "always" and not saved:
        return None
    params = {
        "email": buyer.email,
        "name": buyer.name or None,
        "phone": buyer.phone,
        "address": buyer.address,
    }
    customer = customers.new_customer(work, params)
    checkout_sessions.keep(work, session["id"], customer=customer["id"])
    return str(customer["id"])


def _intent(work: Work, session: Doc, customer: str | None) -> Doc:
    """The session's payment intent, made at the first attempt to pay."""
    if session["payment_intent"] is not None:
        return work.get("payment_intent", session["payment_intent"])
    data = work.hidden(session["id"])["data"]
    params = {
        **data,
        "amount": session["amount_total"],
        "currency": session["currency"],
        "allowed_payment_method_types": session["payment_method_types"],
        "payment_method_options": session["payment_method_options"],
    }
    if customer is not None:
        params["customer"] = customer
    intent = payment_intents.new_intent(work, params, None)
    intent["allowed_payment_method_types"] = session["allowed_payment_method_types"]
    work.insert(intent, event="payment_intent.created")
    session["payment_intent"] = intent["id"]
    work.store.save(session)
    return intent


def _complete(work: Work, session: Doc, buyer: Buyer, intent: Doc | None, customer: str | None) -> None:
    paid = intent is not None and intent["status"] in ("succeeded", "requires_capture")
    details = {
        **checkout_sessions.details_of(buyer.email, name=buyer.name or None),
        "phone": buyer.phone,
        "address": customers.address_of(buyer.address or {}),
        "tax_ids": [],
    }
    changes: Doc = {
        "status": "complete",
        "url": None,
        "customer": customer,
        "customer_details": details,
        "custom_fields": custom_fields.answered(session["custom_fields"], buyer.answers),
        "payment_status": "no_payment_required" if intent is None else "paid" if paid else "unpaid",
    }
    if buyer.shipping is not None:
        shipping = {"name": buyer.shipping["name"], "address": customers.address_of(buyer.shipping["address"])}
        changes["collected_information"] = {
            "business_name": None,
            "individual_name": None,
            "shipping_details": shipping,
        }
    if session["customer"] is not None:
        _update_customer(work, session, buyer)
    session = work.change(session, changes)
    discounts.redeem(work, work.hidden(session["id"]).get("discount"))
    work.emit("checkout.session.completed", session, automatic=True)
    if intent is not None:
        payments.booked(work, intent)


def _update_customer(work: Work, session: Doc, buyer: Buyer) -> None:
    """Keep on the customer what the session was told to (`customer_update`)."""
    wanted = work.hidden(session["id"]).get("customer_update", {})
    known = {"name": buyer.name or None, "address": buyer.address, "shipping": buyer.shipping}
    changes = {name: known[name] for name, how in wanted.items() if how == "auto" and known[name] is not None}
    if "address" in changes:
        changes["address"] = customers.address_of(buyer.address)
    if "shipping" in changes:
        changes["shipping"] = customers.shipping_of(buyer.shipping)
    customer = work.find(session["customer"], "customer")
    if customer is not None:
        work.change(customer, changes, event="customer.updated")


def answer_bank(work: Work, intent: Doc, *, proved: bool) -> CardRefused | None:
    """The buyer's answer on the bank's page, for an intent that waits for it. Gives the refusal, if any."""
    session = session_of(work, intent)
    method = work.get("payment_method", intent["payment_method"])
    if proved:
        attempt = payments.pay(work, intent, method, authenticated=True)
    else:
        attempt = payments.fail(work, intent, method, cards.FAILED_AUTHENTICATION)
    if attempt.refusal is None:
        if session is not None and session["status"] == "open":
            kept = work.hidden(session["id"])
            buyer = Buyer(**kept["buyer"])
            _complete(work, session, buyer, attempt.intent, session["customer"] or kept.get("customer"))
        else:
            payments.booked(work, attempt.intent)
    return attempt.refusal


def session_of(work: Work, intent: Doc) -> Doc | None:
    """The session that an intent was made for."""
    found = work.store.find("checkout.session", equals({"intent": intent["id"]}, intent="payment_intent"), limit=1)
    return found[0] if found else None


@timers.rings(payments.PENDING_DEBIT)
def settle(work: Work, intent_id: str) -> None:
    """A bank debit is decided: tell the session too."""
    intent = work.get("payment_intent", intent_id)
    if intent["status"] != "processing":
        return
    intent = payments.settle(work, intent)
    session = session_of(work, intent)
    succeeded = intent["status"] == "succeeded"
    if session is not None:
        if succeeded:
            session = work.change(session, {"payment_status": "paid"})
        outcome = "succeeded" if succeeded else "failed"
        work.emit(f"checkout.session.async_payment_{outcome}", session, automatic=True)
    payments.booked(work, intent)
