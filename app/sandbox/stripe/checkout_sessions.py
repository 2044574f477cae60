"""Checkout sessions: one-time payments on a hosted page. https://docs.stripe.com/api/checkout/sessions"""

from __future__ import annotations

from typing import Any

from stripe.params.checkout import (
    SessionCreateParams,
    SessionExpireParams,
    SessionListLineItemsParams,
    SessionListParams,
    SessionRetrieveParams,
    SessionUpdateParams,
)

from app.sandbox.stripe import (
    checkout_parameters,
    custom_fields,
    ids,
    line_items,
    lists,
    payment_methods,
    shipping_rates,
    timers,
)
from app.sandbox.stripe.errors import InvalidRequest, WrongState
from app.sandbox.stripe.expansion import on_request
from app.sandbox.stripe.operations import operation
from app.sandbox.stripe.parameters import fresh_metadata, merged_metadata
from app.sandbox.stripe.store import Doc
from app.sandbox.stripe.work import Call, Work

LATEST = checkout_parameters.LATEST
CUSTOM_TEXTS = ("after_submit", "shipping_address", "submit", "terms_of_service_acceptance")


@operation("POST", "/v1/checkout/sessions", SessionCreateParams)
def create_session(call: Call) -> Doc:
    """Open a session with its payment page."""
    params = call.params
    checkout_parameters.check(call, params)
    customer = call.referred("customer", "customer")
    lines = line_items.read(call, params.get("line_items", []))
    discount = _apply_discount(call, params, lines)
    line_items.add_taxes(lines)
    doc = _new(call, params, lines, customer)
    checkout_parameters.check_total(doc["amount_total"], doc["currency"])
    hidden = {
        "lines": line_items.keep(call, lines, discount),
        "data": params.get("payment_intent_data", {}),
        "discount": discount,
        "customer_update": params.get("customer_update", {}),
    }
    doc["discounts"] = [] if discount is None else [shown_discount(discount)]
    call.insert(doc, hidden=hidden)
    timers.start(call, "expire_session", doc["id"], due=doc["expires_at"])
    return doc


def _new(call: Call, params: Doc, lines: list[line_items.Line], customer: Doc | None) -> Doc:
    session_id = ids.new("cs_test")
    email = params.get("customer_email") or (customer or {}).get("email")
    creation = None if customer else params.get("customer_creation", "if_required")
    text = params.get("custom_text", {})
    currency = lines[0].price["currency"]
    types = payment_methods.types_for(params, currency)
    options = shipping_rates.choices(call, params.get("shipping_options", []), currency)
    doc: Doc = {
        "id": session_id,
        "object": "checkout.session",
        "adaptive_pricing": {"enabled": params.get("adaptive_pricing", {}).get("enabled", False)},
        "after_expiration": None,
        "allow_promotion_codes": params.get("allow_promotion_codes"),
        "allowed_payment_method_types": params.get("allowed_payment_method_types"),
        "automatic_tax": _automatic_tax(params.get("automatic_tax")),
        "billing_address_collection": params.get("billing_address_collection"),
        "cancel_url": params.get("cancel_url"),
        "client_reference_id": params.get("client_reference_id"),
        "client_secret": None,
        "collected_information": None,
        "consent": None,
        "consent_collection": _consent(params.get("consent_collection")),
        "created": call.now,
        "currency": currency,
        "currency_conversion": None,
        "custom_fields": custom_fields.build(params.get("custom_fields", [])),
        "custom_text": {name: text.get(name) for name in CUSTOM_TEXTS},
        "customer": customer["id"] if customer else None,
        "customer_account": None,
        "customer_creation": creation,
        "customer_details": details_of(email, customer) if email else None,
        "customer_email": params.get("customer_email"),
        "discounts": [],
        "expires_at": params.get("expires_at", call.now + LATEST),
        "integration_identifier": params.get("integration_identifier"),
        "invoice": None,
        "invoice_creation": _invoice_creation(params.get("invoice_creation")),
        "livemode": False,
        "locale": params.get("locale"),
        "managed_payments": {"enabled": False},
        "metadata": fresh_metadata(params.get("metadata", {})),
        "mode": "payment",
        "origin_context": params.get("origin_context"),
        "payment_intent": None,
        "payment_link": None,
        "payment_method_collection": "if_required",
        "payment_method_configuration_details": None,
        "payment_method_options": _method_options(types, params.get("payment_method_options", {})),
        "payment_method_types": types,
        "permissions": params.get("permissions"),
        "phone_number_collection": {"enabled": params.get("phone_number_collection", {}).get("enabled", False)},
        "recovered_from": None,
        "saved_payment_method_options": _saved_options(params, customer),
        "setup_intent": None,
        "shipping_address_collection": params.get("shipping_address_collection"),
        "shipping_options": options,
        "status": "open",
        "submit_type": params.get("submit_type"),
        "subscription": None,
        "success_url": params["success_url"],
        "ui_mode": "hosted_page",
        "url": f"{call.account.public_url}/pay/{session_id}",
        "wallet_options": params.get("wallet_options"),
        **line_items.totals(lines, shipping_rates.cost_of(options[0] if options else None)),
    }
    doc["payment_status"] = "unpaid" if doc["amount_total"] else "no_payment_required"
    for name in (
        "branding_settings",
        "excluded_payment_method_types",
        "name_collection",
        "tax_id_collection",
    ):
        if name in params:
            doc[name] = params[name]
    return doc


def details_of(email: str | None, customer: Doc | None = None, *, name: str | None = None) -> Doc:
    """What is known about the buyer."""
    return {
        "address": None,
        "business_name": None,
        "email": email,
        "individual_name": None,
        "name": name,
        "phone": None,
        "tax_exempt": (customer or {}).get("tax_exempt", "none"),
        "tax_ids": None,
    }


def _method_options(types: list[str], sent: Doc) -> Doc:
    usual: Doc = {"card": {"request_three_d_secure": "automatic"}, "sepa_debit": {}}
    return {kind: {**usual[kind], **sent.get(kind, {})} for kind in types}


def _automatic_tax(sent: Doc | None) -> Doc:
    """Tax is worked out by nobody here: without registrations Stripe Tax adds nothing either."""
    enabled = bool(sent and sent["enabled"])
    return {
        "enabled": enabled,
        "liability": {"type": "self"} if enabled else None,
        "provider": "stripe" if enabled else None,
        "status": "complete" if enabled else None,
    }


def _consent(sent: Doc | None) -> Doc | None:
    if sent is None:
        return None
    return {name: sent.get(name) for name in ("payment_method_reuse_agreement", "promotions", "terms_of_service")}


def _invoice_creation(sent: Doc | None) -> Doc:
    data = (sent or {}).get("invoice_data", {})
    names = ("account_tax_ids", "custom_fields", "description", "footer", "issuer", "rendering_options")
    return {
        "enabled": bool(sent and sent["enabled"]),
        "invoice_data": {**{name: data.get(name) for name in names}, "metadata": data.get("metadata", {})},
    }


def _saved_options(params: Doc, customer: Doc | None) -> Doc | None:
    sent = params.get("saved_payment_method_options")
    if sent is None and customer is None:
        return None
    sent = sent or {}
    return {
        "allow_redisplay_filters": sent.get("allow_redisplay_filters", ["always"]),
        "payment_method_remove": sent.get("payment_method_remove", "disabled"),
        "payment_method_save": sent.get("payment_method_save"),
    }


def _apply_discount(call: Call, params: Doc, lines: list[line_items.Line]) -> Doc | None:
    from app.sandbox.stripe import discounts

    return discounts.apply(call, params.get("discounts", []), params.get("customer"), lines)


def shown_discount(discount: Doc) -> Doc:
    """A discount as the session lists it."""
    return {"coupon": discount["source"]["coupon"]["id"], "promotion_code": discount["promotion_code"]}


@operation("GET", "/v1/checkout/sessions/{id}", SessionRetrieveParams)
def retrieve_session(call: Call) -> Doc:
    """One session."""
    return call.named("checkout.session", "session")


@operation("GET", "/v1/checkout/sessions", SessionListParams)
def list_sessions(call: Call) -> Doc:
    """Sessions, newest first."""
    params = call.params
    where = lists.equals(
        params,
        customer="customer",
        payment_intent="payment_intent",
        status="status",
        subscription="subscription",
        payment_link="payment_link",
        customer_account="customer_account",
    )
    where += lists.equals(params.get("customer_details", {}), email="customer_details.email")
    return lists.page(call, "checkout.session", where)


@operation("POST", "/v1/checkout/sessions/{id}", SessionUpdateParams)
def update_session(call: Call) -> Doc:
    """Change the metadata of a session. There is no event for it."""
    doc, params = call.named("checkout.session", "session"), call.params
    for name in params:
        if name != "metadata":
            raise InvalidRequest(f"The local Stripe does not change {name} of a session.", param=name)
    changes: dict[str, Any] = {}
    if "metadata" in params:
        changes["metadata"] = merged_metadata(doc["metadata"], params["metadata"])
    return call.change(doc, changes)


@operation("POST", "/v1/checkout/sessions/{id}/expire", SessionExpireParams)
def expire_session(call: Call) -> Doc:
    """Close an open session before its time."""
    doc = call.named("checkout.session", "session")
    if doc["status"] != "open":
        raise WrongState(
            f"Only Checkout Sessions with a status in [open] can be expired. "
            f"This Checkout Session has a status of {doc['status']}.",
            param="session",
        )
    return expire(call, doc)


def expire(work: Work, doc: Doc) -> Doc:
    """Close a session that was not paid; an intent begun for it is canceled."""
    from app.sandbox.stripe import payment_intents

    doc = work.change(doc, {"status": "expired", "url": None})
    if doc["payment_intent"] is not None:
        payment_intents.cancel(work, work.get("payment_intent", doc["payment_intent"]), "expired")
    work.emit("checkout.session.expired", doc, automatic=work.request_id is None)
    return doc


@timers.rings("expire_session")
def expire_by_itself(work: Work, session_id: str) -> None:
    """Close a session whose time is over."""
    doc = work.get("checkout.session", session_id)
    if doc["status"] == "open":
        expire(work, doc)


@operation("GET", "/v1/checkout/sessions/{id}/line_items", SessionListLineItemsParams)
def list_session_line_items(call: Call) -> Doc:
    """The lines of a session, in the order given."""
    doc = call.named("checkout.session", "session")
    return lists.page_of(lines_of(call, doc), call.params, call.path)


def lines_of(work: Work, doc: Doc) -> list[Doc]:
    """All lines of a session."""
    return [work.get("item", item) for item in work.hidden(doc["id"])["lines"]]


@on_request("checkout.session", "line_items")
def line_items_of(work: Work, doc: Doc) -> Doc:
    """The lines inside a session, shown only on request."""
    return lists.whole(lines_of(work, doc), f"/v1/checkout/sessions/{doc['id']}/line_items")


@on_request("checkout.session", "total_details.breakdown")
def breakdown_of(work: Work, doc: Doc) -> Doc:
    """Which discounts and taxes make up the totals."""
    hidden = work.hidden(doc["id"])
    discounts = []
    if hidden.get("discount") is not None:
        discounts = [{"amount": doc["total_details"]["amount_discount"], "discount": hidden["discount"]}]
    by_rate: dict[str, Doc] = {}
    for line in hidden["lines"]:
        for tax in work.hidden(line)["taxes"]:
            kept = by_rate.setdefault(tax["rate"]["id"], {**tax, "amount": 0, "taxable_amount": 0})
            kept["amount"] += tax["amount"]
            kept["taxable_amount"] += tax["taxable_amount"]
    return {"discounts": discounts, "taxes": list(by_rate.values())}


def keep(work: Work, session_id: str, **facts: Any) -> None:
    """Keep facts about a session that the API does not show."""
    record = work.store.get(session_id)
    if record is not None:
        work.store.save(record.doc, {**record.hidden, **facts})
