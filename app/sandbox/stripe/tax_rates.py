"""Tax rates. https://docs.stripe.com/api/tax_rates"""

from __future__ import annotations

from typing import Any

from stripe.params import TaxRateCreateParams, TaxRateListParams, TaxRateRetrieveParams, TaxRateUpdateParams

from app.sandbox.stripe import ids, lists
from app.sandbox.stripe.errors import InvalidRequest
from app.sandbox.stripe.operations import operation
from app.sandbox.stripe.parameters import fresh_metadata, merged_metadata
from app.sandbox.stripe.store import Doc
from app.sandbox.stripe.work import Call

TEXTS = ("country", "description", "jurisdiction", "state", "tax_type")


@operation("POST", "/v1/tax_rates", TaxRateCreateParams)
def create_tax_rate(call: Call) -> Doc:
    """Create a tax rate."""
    params = call.params
    if not 0 <= params["percentage"] <= 100:
        raise InvalidRequest("percentage must be between 0 and 100.", param="percentage")
    doc: Doc = {
        "id": ids.new("txr"),
        "object": "tax_rate",
        "active": params.get("active", True),
        "created": call.now,
        "display_name": params["display_name"],
        "effective_percentage": params["percentage"],
        "flat_amount": None,
        "inclusive": params["inclusive"],
        "jurisdiction_level": None,
        "livemode": False,
        "metadata": fresh_metadata(params.get("metadata", {})),
        "percentage": params["percentage"],
        "rate_type": "percentage",
        **{name: params.get(name) for name in TEXTS},
    }
    return call.insert(doc, event="tax_rate.created")


@operation("GET", "/v1/tax_rates/{id}", TaxRateRetrieveParams)
def retrieve_tax_rate(call: Call) -> Doc:
    """One tax rate."""
    return call.named("tax_rate", "tax_rate")


@operation("POST", "/v1/tax_rates/{id}", TaxRateUpdateParams, unsettable=("description", "jurisdiction"))
def update_tax_rate(call: Call) -> Doc:
    """Change what is said about a rate; the percentage never changes."""
    doc, params = call.named("tax_rate", "tax_rate"), call.params
    changes: dict[str, Any] = {name: value for name, value in params.items() if name != "metadata"}
    if "metadata" in params:
        changes["metadata"] = merged_metadata(doc["metadata"], params["metadata"])
    return call.change(doc, changes, event="tax_rate.updated")


@operation("GET", "/v1/tax_rates", TaxRateListParams)
def list_tax_rates(call: Call) -> Doc:
    """Tax rates, newest first."""
    return lists.page(call, "tax_rate", lists.equals(call.params, active="active", inclusive="inclusive"))
