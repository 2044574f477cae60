"""Customers. https://docs.stripe.com/api/customers"""

from __future__ import annotations

import re
from typing import Any

from stripe.params import (
    CustomerCreateParams,
    CustomerDeleteParams,
    CustomerListParams,
    CustomerRetrieveParams,
    CustomerUpdateParams,
)

from app.sandbox.stripe import ids, lists
from app.sandbox.stripe.errors import InvalidRequest
from app.sandbox.stripe.expansion import on_request
from app.sandbox.stripe.operations import operation
from app.sandbox.stripe.parameters import fresh_metadata, merged_metadata
from app.sandbox.stripe.store import Doc
from app.sandbox.stripe.work import Call, Work, deleted

ADDRESS = ("city", "country", "line1", "line2", "postal_code", "state")
UNSETTABLE = ("description", "email", "name", "phone", "business_name", "individual_name")
EMAIL = re.compile(r"^[^@\s]+@[^@\s.]+(\.[^@\s.]+)+$")
# What the local Stripe does not play: sent, it is refused rather than dropped.
NOT_PLAYED = ("source", "default_source", "cash_balance", "test_clock", "tax_id_data")


@operation("POST", "/v1/customers", CustomerCreateParams, unsettable=UNSETTABLE)
def create_customer(call: Call) -> Doc:
    """Create a customer."""
    return new_customer(call, call.params)


def new_customer(work: Work, params: Doc) -> Doc:
    """Keep and announce a customer."""
    from app.sandbox.stripe import payment_methods

    _check(work, params)
    doc: Doc = {
        "id": ids.new("cus"),
        "object": "customer",
        "address": address_of(params.get("address")),
        "balance": params.get("balance", 0),
        "created": work.now,
        "currency": None,
        "customer_account": None,
        "default_source": None,
        "delinquent": False,
        "description": params.get("description"),
        "discount": None,
        "email": params.get("email"),
        "invoice_prefix": params.get("invoice_prefix") or ids.letters(8).upper(),
        "invoice_settings": _invoice_settings(None, params.get("invoice_settings")),
        "livemode": False,
        "metadata": fresh_metadata(params.get("metadata", {})),
        "name": params.get("name"),
        "next_invoice_sequence": params.get("next_invoice_sequence", 1),
        "phone": params.get("phone"),
        "preferred_locales": params.get("preferred_locales", []),
        "shipping": shipping_of(params.get("shipping")),
        "tax_exempt": params.get("tax_exempt") or "none",
        "test_clock": None,
    }
    for name in ("business_name", "individual_name"):
        if params.get(name):
            doc[name] = params[name]
    work.insert(doc, event="customer.created")
    if "payment_method" in params:
        method = payment_methods.found(work, params["payment_method"], "payment_method")
        payment_methods.attach(work, method, doc)
    return doc


def address_of(sent: Doc | None) -> Doc | None:
    """An address with all its fields."""
    return None if sent is None else {name: sent.get(name) for name in ADDRESS}


def shipping_of(sent: Doc | None) -> Doc | None:
    """A shipping address with its name."""
    if sent is None:
        return None
    kept = {"address": address_of(sent["address"]), "name": sent["name"], "phone": sent.get("phone")}
    return {**kept, **{name: sent[name] for name in ("carrier", "tracking_number") if name in sent}}


def check_email(email: str | None, param: str) -> None:
    """Refuse what cannot be an address."""
    if email is not None and EMAIL.match(email) is None:
        raise InvalidRequest(f"Invalid email address: {email}", code="email_invalid", param=param)


def _invoice_settings(old: Doc | None, sent: Doc | None) -> Doc:
    empty = {"custom_fields": None, "default_payment_method": None, "footer": None, "rendering_options": None}
    kept = {**empty, **(old or {}), **(sent or {})}
    if kept["rendering_options"] is not None:
        options = kept["rendering_options"]
        kept["rendering_options"] = {name: options.get(name) for name in ("amount_tax_display", "template")}
    return kept


def _check(work: Work, params: Doc) -> None:
    for name in NOT_PLAYED:
        if name in params:
            raise InvalidRequest(f"The local Stripe does not play {name}.", param=name)
    check_email(params.get("email"), "email")
    method = (params.get("invoice_settings") or {}).get("default_payment_method")
    if method is not None:
        work.get("payment_method", method, "invoice_settings[default_payment_method]")


@operation("GET", "/v1/customers/{id}", CustomerRetrieveParams)
def retrieve_customer(call: Call) -> Doc:
    """One customer; one that was deleted is said to be so."""
    record = call.store.get(call.ids["id"])
    if record is not None and record.gone and record.doc["object"] == "customer":
        return deleted(record.doc)
    return call.named("customer")


@operation("POST", "/v1/customers/{id}", CustomerUpdateParams, unsettable=UNSETTABLE)
def update_customer(call: Call) -> Doc:
    """Change a customer. Sent fields are replaced; metadata is merged."""
    doc, params = call.named("customer"), call.params
    _check(call, params)
    special = ("metadata", "address", "shipping", "invoice_settings", "tax", "validate", "tax_exempt")
    changes: dict[str, Any] = {name: value for name, value in params.items() if name not in special}
    if "metadata" in params:
        changes["metadata"] = merged_metadata(doc["metadata"], params["metadata"])
    if "address" in params:
        changes["address"] = address_of(params["address"])
    if "shipping" in params:
        changes["shipping"] = shipping_of(params["shipping"])
    if "invoice_settings" in params:
        changes["invoice_settings"] = _invoice_settings(doc["invoice_settings"], params["invoice_settings"])
    if "tax_exempt" in params:
        changes["tax_exempt"] = params["tax_exempt"] or "none"
    return call.change(doc, changes, event="customer.updated", absent=("business_name", "individual_name"))


@operation("DELETE", "/v1/customers/{id}", CustomerDeleteParams)
def delete_customer(call: Call) -> Doc:
    """Delete a customer: it can no longer be used, its payments stay."""
    doc = call.named("customer")
    call.store.bury(doc["id"])
    for method in call.store.find("payment_method", lists.equals({"customer": doc["id"]}, customer="customer")):
        call.change(method, {"customer": None})
    call.emit("customer.deleted", doc)
    return deleted(doc)


@operation("GET", "/v1/customers", CustomerListParams)
def list_customers(call: Call) -> Doc:
    """Customers, newest first. The email filter is exact and case-sensitive."""
    return lists.page(call, "customer", lists.equals(call.params, email="email", test_clock="test_clock"))


@on_request("customer", "sources")
def sources_of(work: Work, doc: Doc) -> Doc:
    """Sources are the older kind of payment method; the local Stripe has none."""
    return lists.whole([], f"/v1/customers/{doc['id']}/sources")


@on_request("customer", "subscriptions")
def subscriptions_of(work: Work, doc: Doc) -> Doc:
    """The customer's subscriptions."""
    found = work.store.find("subscription", lists.equals({"customer": doc["id"]}, customer="customer"))
    return lists.whole(found, f"/v1/customers/{doc['id']}/subscriptions")


@on_request("customer", "tax_ids")
def tax_ids_of(work: Work, doc: Doc) -> Doc:
    """The customer's tax ids; the local Stripe keeps none."""
    return lists.whole([], f"/v1/customers/{doc['id']}/tax_ids")


@on_request("customer", "tax")
def tax_of(work: Work, doc: Doc) -> Doc:
    """Whether tax could be worked out for the customer: there are no registrations here."""
    return {"automatic_tax": "not_collecting", "ip_address": None, "location": None, "provider": "stripe"}
