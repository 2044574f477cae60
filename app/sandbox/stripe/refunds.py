"""Refunds. https://docs.stripe.com/api/refunds"""

from __future__ import annotations

from stripe.params import (
    RefundCancelParams,
    RefundCreateParams,
    RefundListParams,
    RefundRetrieveParams,
    RefundUpdateParams,
)

from app.sandbox.stripe import (
    balance_transactions,
    behaviour,
    charges,
    ids,
    lists,
    money,
    payment_methods,
    timers,
)
from app.sandbox.stripe.errors import InvalidRequest, WrongState
from app.sandbox.stripe.operations import operation
from app.sandbox.stripe.parameters import fresh_metadata, merged_metadata
from app.sandbox.stripe.store import Doc
from app.sandbox.stripe.work import Call, Work

NOT_PLAYED = ("customer", "currency", "origin", "refund_application_fee", "reverse_transfer")


@operation("POST", "/v1/refunds", RefundCreateParams)
def create_refund(call: Call) -> Doc:
    """Give back all of a payment, or a part of it."""
    params = call.params
    for name in NOT_PLAYED:
        if params.get(name):
            raise InvalidRequest(f"The local Stripe does not play {name}.", param=name)
    charge = _refundable(call, params)
    left = charge["amount"] - charge["amount_refunded"]
    amount = params.get("amount", left)
    if amount < 1:
        raise InvalidRequest(
            "This value must be greater than or equal to 1.", code="parameter_invalid_integer", param="amount"
        )
    if amount > left:
        raise InvalidRequest(
            f"Refund amount ({money.shown(amount, charge['currency'])}) is greater than"
            f" unrefunded amount on charge ({money.shown(left, charge['currency'])}).",
            param="amount",
        )
    return refund(
        call,
        charge,
        amount,
        reason=params.get("reason"),
        metadata=params.get("metadata", {}),
        instructions_email=params.get("instructions_email"),
    )


def _refundable(call: Call, params: Doc) -> Doc:
    """The paid charge that is meant. Raises when there is none, or nothing of it is left."""
    if "charge" not in params and "payment_intent" not in params:
        raise InvalidRequest(
            "One of the following params should be provided for this request: payment_intent or charge.",
            code="parameter_missing",
        )
    if "charge" in params:
        charge = call.get("charge", params["charge"], "charge")
        if params.get("payment_intent") not in (None, charge["payment_intent"]):
            raise InvalidRequest("The charge does not belong to the payment intent.", param="charge")
    else:
        charge = _charge_of(call, call.get("payment_intent", params["payment_intent"], "payment_intent"))
    if charge["status"] == "failed" or (charge["status"] == "pending" and not charge["paid"]):
        raise WrongState(
            f"Charge {charge['id']} has not been paid, so it cannot be refunded.",
            code="charge_not_refundable",
        )
    if not charge["captured"]:
        raise WrongState(
            f"Charge {charge['id']} has not been captured. Cancel its PaymentIntent to release the money.",
            code="charge_not_refundable",
        )
    if charge["disputed"]:
        raise WrongState(f"Charge {charge['id']} is disputed, so it cannot be refunded.", code="charge_disputed")
    if charge["refunded"]:
        raise WrongState(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
    return charge


def _charge_of(call: Call, intent: Doc) -> Doc:
    if intent["latest_charge"] is None or intent["status"] != "succeeded":
        raise WrongState(
            f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund.",
            code="payment_intent_unexpected_state",
        )
    return call.get("charge", intent["latest_charge"])


def refund(
    work: Work,
    charge: Doc,
    amount: int,
    *,
    reason: str | None,
    metadata: Doc | None,
    instructions_email: str | None = None,
) -> Doc:
    """Keep a refund of a charge and announce both."""
    card = payment_methods.card_of(work, charges.method_of(work, charge)) if _by_card(charge) else None
    slow = card is not None and card.special == "refund_succeeds_late"
    doc = _new(work, charge, amount, reason, metadata)
    doc["status"] = "pending" if slow or not _by_card(charge) else "succeeded"
    if instructions_email is not None:
        doc["instructions_email"] = instructions_email
    doc["balance_transaction"] = balance_transactions.for_refund(work, doc)["id"]
    returned = charge["amount_refunded"] + amount
    updated = {**charge, "amount_refunded": returned, "refunded": returned >= charge["amount"]}
    work.insert(doc, event="refund.created")
    work.store.save(updated)
    work.emit(
        "charge.refunded",
        updated,
        {name: charge[name] for name in ("amount_refunded", "refunded") if charge[name] != updated[name]},
    )
    wait = behaviour.current(work.store).refund_after
    timers.start(work, "refund_arrives", doc["id"], due=work.account.clock.precise() + wait)
    return doc


def _by_card(charge: Doc) -> bool:
    return bool(charge["payment_method_details"]["type"] == "card")


def _new(work: Work, charge: Doc, amount: int, reason: str | None, metadata: Doc | None) -> Doc:
    kind = charge["payment_method_details"]["type"]
    details: Doc = {"type": kind}
    if kind == "card":
        reference = {"reference_status": "pending", "reference_type": "acquirer_reference_number"}
        details["card"] = {**reference, "type": "refund"}
    return {
        "id": ids.new("re" if kind == "card" else "pyr"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": work.now,
        "currency": charge["currency"],
        "customer": charge["customer"],
        "customer_account": None,
        "destination_details": details,
        "metadata": fresh_metadata(metadata),
        "payment_intent": charge["payment_intent"],
        "payment_method": charge["payment_method"],
        "reason": reason,
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "succeeded",
        "transfer_reversal": None,
    }


def release(work: Work, charge: Doc) -> None:
    """Give back authorised money that was never captured."""
    updated = {**charge, "amount_refunded": charge["amount"], "refunded": True}
    work.store.save(updated)
    work.emit("charge.refunded", updated, {"amount_refunded": charge["amount_refunded"], "refunded": False})


@timers.rings("refund_arrives")
def arrive(work: Work, refund_id: str) -> None:
    """The bank reports on a refund: where it went, or that it could not be made."""
    doc = work.get("refund", refund_id)
    if doc["status"] not in ("pending", "succeeded"):
        return
    charge = work.get("charge", doc["charge"])
    changes: Doc = {"status": "succeeded"}
    if _by_card(charge):
        card = payment_methods.card_of(work, charges.method_of(work, charge))
        if card.special == "refund_fails_late":
            _fail(work, doc, charge)
            return
        sent = {
            **doc["destination_details"]["card"],
            "reference": ids.letters(23),
            "reference_status": "available",
        }
        changes["destination_details"] = {**doc["destination_details"], "card": sent}
    previous = {**doc}
    doc = work.change(doc, changes, event="refund.updated")
    if doc != previous:
        work.emit(
            "charge.refund.updated",
            doc,
            {name: previous[name] for name in changes if previous[name] != doc[name]},
        )


def _fail(work: Work, doc: Doc, charge: Doc) -> None:
    """A refund that the bank returned: the money is the account's again."""
    back = balance_transactions.for_refund(work, doc, failed=True)
    failed = {
        **doc,
        "status": "failed",
        "failure_reason": "lost_or_stolen_card",
        "failure_balance_transaction": back["id"],
    }
    work.store.save(failed)
    left = charge["amount_refunded"] - doc["amount"]
    work.change(charge, {"amount_refunded": left, "refunded": False}, event="charge.updated")
    work.emit("refund.updated", failed, {"status": doc["status"]})
    work.emit("charge.refund.updated", failed, {"status": doc["status"]})
    work.emit("refund.failed", failed)


@operation("GET", "/v1/refunds/{id}", RefundRetrieveParams)
def retrieve_refund(call: Call) -> Doc:
    """One refund."""
    return call.named("refund")


@operation("POST", "/v1/refunds/{id}", RefundUpdateParams)
def update_refund(call: Call) -> Doc:
    """Change the metadata; nothing else of a refund changes."""
    doc = call.named("refund")
    if "metadata" not in call.params:
        return doc
    return call.change(
        doc, {"metadata": merged_metadata(doc["metadata"], call.params["metadata"])}, event="refund.updated"
    )


@operation("POST", "/v1/refunds/{id}/cancel", RefundCancelParams)
def cancel_refund(call: Call) -> Doc:
    """Only refunds that wait for the buyer can be canceled; cards and debits have none of these."""
    doc = call.named("refund")
    raise WrongState(
        f"The refund {doc['id']} cannot be canceled: it has a status of {doc['status']},"
        " and only refunds that require an action of the customer can be.",
    )


@operation("GET", "/v1/refunds", RefundListParams)
def list_refunds(call: Call) -> Doc:
    """Refunds, newest first."""
    return lists.page(call, "refund", lists.equals(call.params, charge="charge", payment_intent="payment_intent"))
