"""Charges: the attempts to take money that payment intents make. https://docs.stripe.com/api/charges"""

from __future__ import annotations

import hashlib
from typing import Any

from stripe.params import ChargeCaptureParams, ChargeListParams, ChargeRetrieveParams, ChargeUpdateParams

from app.sandbox.stripe import balance_transactions, customers, ids, lists, payment_methods
from app.sandbox.stripe.cards import Decline
from app.sandbox.stripe.errors import InvalidRequest, WrongState
from app.sandbox.stripe.expansion import on_request
from app.sandbox.stripe.operations import operation
from app.sandbox.stripe.parameters import merged_metadata
from app.sandbox.stripe.store import Doc
from app.sandbox.stripe.work import Call, Work

CAPTURE_WITHIN = 7 * 24 * 3600
COPIED = (
    "application_fee_amount", "currency", "description", "on_behalf_of", "receipt_email", "shipping",
    "statement_descriptor", "statement_descriptor_suffix", "transfer_data", "transfer_group",
)  # fmt: skip


def new_charge(
    work: Work,
    intent: Doc,
    method: Doc,
    *,
    decline: Decline | None,
    captured: bool,
    authenticated: bool,
    pending: bool,
) -> Doc:
    """A charge that is not kept yet, for one attempt to pay."""
    failed = decline is not None
    charge_id = ids.new("ch" if method["type"] == "card" else "py")
    amount = intent["amount"]
    doc: Doc = {
        "id": charge_id,
        "object": "charge",
        "amount": amount,
        "amount_captured": amount if captured and not failed else 0,
        "amount_refunded": 0,
        "application": None,
        "application_fee": None,
        "balance_transaction": None,
        "billing_details": method["billing_details"],
        "calculated_statement_descriptor": intent["statement_descriptor"] or "LOCAL STRIPE",
        "captured": captured and not failed,
        "created": work.now,
        "customer": intent["customer"],
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": decline.code if decline else None,
        "failure_message": decline.message if decline else None,
        "fraud_details": {},
        "livemode": False,
        "metadata": dict(intent["metadata"]),
        "outcome": _outcome(charge_id, decline),
        "paid": not failed and not pending,
        "payment_intent": intent["id"],
        "payment_method": method["id"],
        "payment_method_details": _details(work, method, intent, decline, captured, authenticated),
        "radar_options": {},
        "receipt_number": None,
        "receipt_url": None if failed else f"{work.account.public_url}/pay/receipts/{charge_id}",
        "refunded": False,
        "review": None,
        "source": None,
        "source_transfer": None,
        "status": "failed" if failed else "pending" if pending else "succeeded",
    }
    doc.update({name: intent.get(name) for name in COPIED})
    return doc


def _outcome(charge_id: str, decline: Decline | None) -> Doc:
    # The risk score is made up, but the same whenever the charge is looked at.
    outcome: Doc = {
        "advice_code": None,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": "approved_by_network",
        "reason": None,
        "risk_level": "normal",
        "risk_score": hashlib.sha256(charge_id.encode()).digest()[0] % 60,
        "seller_message": "Payment complete.",
        "type": "authorized",
    }
    if decline is not None:
        blocked = decline.decline_code == "fraudulent"
        outcome.update(
            advice_code=decline.advice,
            network_decline_code=None if blocked else "05",
            network_status="not_sent_to_network" if blocked else "declined_by_network",
            reason="highest_risk_level" if blocked else decline.decline_code or decline.code,
            risk_level="highest" if blocked else "normal",
            seller_message=decline.seller_message,
            type="blocked" if blocked else "issuer_declined",
        )
    return outcome


def _details(work: Work, method: Doc, intent: Doc, decline: Decline | None, captured: bool, authenticated: bool) -> Doc:
    sort = method[method["type"]]
    if method["type"] == "sepa_debit":
        bank = ("bank_code", "branch_code", "country", "fingerprint", "last4")
        return {"sepa_debit": {**{name: sort[name] for name in bank}, "mandate": None}, "type": "sepa_debit"}
    has_cvc = work.hidden(method["id"]).get("cvc", False)
    names = (
        "brand",
        "country",
        "exp_month",
        "exp_year",
        "fingerprint",
        "funding",
        "last4",
        "regulated_status",
    )
    card: Doc = {
        **{name: sort[name] for name in names},
        "amount_authorized": None if decline else intent["amount"],
        "authorization_code": None if decline else "123456",
        "checks": {
            "address_line1_check": None,
            "address_postal_code_check": None,
            "cvc_check": ("fail" if decline and decline.code == "incorrect_cvc" else "pass") if has_cvc else None,
        },
        "electronic_commerce_indicator": "05" if authenticated else None,
        "extended_authorization": {"status": "disabled"},
        "incremental_authorization": {"status": "unavailable"},
        "installments": None,
        "mandate": None,
        "multicapture": {"status": "unavailable"},
        "network": sort["brand"],
        "network_token": {"used": False},
        "network_transaction_id": None if decline else str(int(ids.letters(12).encode().hex(), 16))[:15],
        "overcapture": {"maximum_amount_capturable": intent["amount"], "status": "unavailable"},
        "three_d_secure": _three_d_secure() if authenticated else None,
        "transaction_link_id": None,
        "wallet": None,
    }
    if not captured and decline is None:
        card["capture_before"] = work.now + CAPTURE_WITHIN
    return {"card": card, "type": "card"}


def _three_d_secure() -> Doc:
    return {
        "authentication_flow": "challenge",
        "electronic_commerce_indicator": "05",
        "exemption_indicator": None,
        "result": "authenticated",
        "result_reason": None,
        "transaction_id": ids.letters(22),
        "version": "2.2.0",
    }


def book(work: Work, charge: Doc, amount: int) -> Doc:
    """Book captured money; Stripe does this a moment after the payment, and says so with an update."""
    transaction = balance_transactions.for_charge(work, charge, amount)
    return work.change(charge, {"balance_transaction": transaction["id"]}, event="charge.updated")


@operation("GET", "/v1/charges/{id}", ChargeRetrieveParams)
def retrieve_charge(call: Call) -> Doc:
    """One charge."""
    return call.named("charge")


@operation("GET", "/v1/charges", ChargeListParams)
def list_charges(call: Call) -> Doc:
    """Charges, newest first."""
    where = lists.equals(
        call.params, customer="customer", payment_intent="payment_intent", transfer_group="transfer_group"
    )
    return lists.page(call, "charge", where)


@operation("POST", "/v1/charges/{id}", ChargeUpdateParams, unsettable=("description", "receipt_email"))
def update_charge(call: Call) -> Doc:
    """Change what is noted on a charge."""
    doc, params = call.named("charge"), call.params
    changes: dict[str, Any] = {
        name: params[name] for name in ("description", "receipt_email", "transfer_group") if name in params
    }
    if "customer" in params:
        call.referred("customer", "customer")
        if doc["customer"] not in (None, params["customer"]):
            raise InvalidRequest("The customer of a charge can only be set when it has none.", param="customer")
        changes["customer"] = params["customer"]
    if "shipping" in params:
        changes["shipping"] = customers.shipping_of(params["shipping"])
    if "fraud_details" in params:
        report = params["fraud_details"]["user_report"]
        changes["fraud_details"] = {} if report is None else {"user_report": report}
    if "metadata" in params:
        changes["metadata"] = merged_metadata(doc["metadata"], params["metadata"])
    customers.check_email(params.get("receipt_email"), "receipt_email")
    return call.change(doc, changes, event="charge.updated")


@operation("POST", "/v1/charges/{id}/capture", ChargeCaptureParams)
def capture_charge(call: Call) -> Doc:
    """Capture a charge that was only authorised. Those made by an intent are captured through it."""
    from app.sandbox.stripe import payment_intents

    doc = call.named("charge")
    if doc["captured"]:
        raise WrongState(f"Charge {doc['id']} has already been captured.", code="charge_already_captured")
    amount = call.params.get("amount")
    intent = call.get("payment_intent", doc["payment_intent"])
    payment_intents.capture(call, intent, amount, "amount")
    return call.get("charge", doc["id"])


@on_request("charge", "refunds")
def refunds_of(work: Work, doc: Doc) -> Doc:
    """The refunds of a charge, newest first."""
    found = work.store.find("refund", lists.equals({"charge": doc["id"]}, charge="charge"))
    return lists.whole(found, f"/v1/charges/{doc['id']}/refunds")


def method_of(work: Work, charge: Doc) -> Doc:
    """The payment method that a charge was made with."""
    return payment_methods.found(work, charge["payment_method"], "payment_method")
