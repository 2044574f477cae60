"""Balance transactions: what a payment or refund moves, and Stripe's fee.

https://docs.stripe.com/api/balance_transactions
"""

from __future__ import annotations

from decimal import Decimal

from stripe.params import (
    BalanceRetrieveParams,
    BalanceTransactionListParams,
    BalanceTransactionRetrieveParams,
)

from app.sandbox.stripe import ids, lists
from app.sandbox.stripe.money import rounded
from app.sandbox.stripe.operations import operation
from app.sandbox.stripe.store import Doc
from app.sandbox.stripe.work import Call, Work

# The price of a card payment in the US: 2.9 % and 30 cents.
FEE_SHARE = Decimal("0.029")
FEE_FIXED = 30
AVAILABLE_AFTER = 2 * 24 * 3600


def for_charge(work: Work, charge: Doc, amount: int) -> Doc:
    """Money in: the captured amount, less the fee."""
    fee = min(amount, rounded(amount * FEE_SHARE) + FEE_FIXED)
    detail = {
        "amount": fee,
        "application": None,
        "currency": charge["currency"],
        "description": "Stripe processing fees",
        "type": "stripe_fee",
    }
    return _new(work, charge, amount, fee, [detail], "charge", charge["description"])


def for_refund(work: Work, refund: Doc, *, failed: bool = False) -> Doc:
    """Money out (or back in, when a refund failed). The fee of the payment stays with Stripe."""
    kind = "refund_failure" if failed else "refund"
    amount = refund["amount"] if failed else -refund["amount"]
    description = "REFUND FAILURE FOR CHARGE" if failed else "REFUND FOR CHARGE"
    return _new(work, refund, amount, 0, [], kind, description)


def _new(work: Work, source: Doc, amount: int, fee: int, details: list[Doc], kind: str, text: str | None) -> Doc:
    doc: Doc = {
        "id": ids.new("txn"),
        "object": "balance_transaction",
        "amount": amount,
        "available_on": work.now + (AVAILABLE_AFTER if kind == "charge" else 0),
        "balance_type": "payments",
        "created": work.now,
        "currency": source["currency"],
        "description": text,
        "exchange_rate": None,
        "fee": fee,
        "fee_details": details,
        "net": amount - fee,
        "reporting_category": kind,
        "source": source["id"],
        "status": "pending" if kind == "charge" else "available",
        "type": kind,
    }
    return work.insert(doc)


@operation("GET", "/v1/balance_transactions/{id}", BalanceTransactionRetrieveParams)
def retrieve_balance_transaction(call: Call) -> Doc:
    """One balance transaction."""
    return _current(call, call.named("balance_transaction"))


@operation("GET", "/v1/balance_transactions", BalanceTransactionListParams)
def list_balance_transactions(call: Call) -> Doc:
    """Balance transactions, newest first."""
    where = lists.equals(call.params, currency="currency", source="source", type="type")
    if "payout" in call.params:
        # There are no payouts here, so nothing belongs to one.
        where.append(("0 = ?", 1))
    page = lists.page(call, "balance_transaction", where)
    return {**page, "data": [_current(call, item) for item in page["data"]]}


def _current(work: Work, doc: Doc) -> Doc:
    """Pending money becomes available with time."""
    return {**doc, "status": "available" if doc["available_on"] <= work.now else "pending"}


@operation("GET", "/v1/balance", BalanceRetrieveParams)
def retrieve_balance(call: Call) -> Doc:
    """What the account holds, by currency."""
    sums: dict[str, dict[str, int]] = {}
    for item in call.store.find("balance_transaction"):
        item = _current(call, item)
        held = sums.setdefault(item["currency"], {"available": 0, "pending": 0})
        held[item["status"]] += item["net"]
    sums = sums or {"usd": {"available": 0, "pending": 0}}

    def shares(status: str) -> list[Doc]:
        return [
            {"amount": held[status], "currency": currency, "source_types": {"card": held[status]}}
            for currency, held in sorted(sums.items())
        ]

    return {
        "object": "balance",
        "available": shares("available"),
        "livemode": False,
        "pending": shares("pending"),
        "refund_and_dispute_prefunding": {"available": [], "pending": []},
    }
