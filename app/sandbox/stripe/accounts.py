"""The account itself. https://docs.stripe.com/api/accounts"""

from __future__ import annotations

from stripe.params import AccountRetrieveCurrentParams

from app.sandbox.stripe.operations import operation
from app.sandbox.stripe.store import Doc
from app.sandbox.stripe.work import Call


@operation("GET", "/v1/account", AccountRetrieveCurrentParams)
def retrieve_account(call: Call) -> Doc:
    """The account that the key belongs to."""
    return {
        "id": call.account.id,
        "object": "account",
        "business_type": None,
        "capabilities": {"card_payments": "active", "sepa_debit_payments": "active"},
        "charges_enabled": True,
        "country": "US",
        "created": 1767225600,
        "default_currency": "usd",
        "details_submitted": True,
        "email": None,
        "payouts_enabled": True,
        "settings": None,
        "type": "standard",
    }
