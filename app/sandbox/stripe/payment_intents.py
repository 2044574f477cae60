"""Payment intents. https://docs.stripe.com/api/payment_intents"""

from __future__ import annotations

from typing import Any

from stripe.params import (
    PaymentIntentCancelParams,
    PaymentIntentCaptureParams,
    PaymentIntentConfirmParams,
    PaymentIntentCreateParams,
    PaymentIntentListParams,
    PaymentIntentRetrieveParams,
    PaymentIntentUpdateParams,
)

from app.sandbox.stripe import balance_transactions, customers, ids, lists, money, payment_methods, payments
from app.sandbox.stripe.errors import InvalidRequest, WrongState, exclusive, missing_resource
from app.sandbox.stripe.operations import operation
from app.sandbox.stripe.parameters import check_descriptor, fresh_metadata, merged_metadata
from app.sandbox.stripe.store import Doc
from app.sandbox.stripe.work import Call, Work

OPEN = ("requires_payment_method", "requires_confirmation", "requires_action")
CANCELABLE = (*OPEN, "requires_capture")
UNSETTABLE = (
    "description",
    "receipt_email",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "transfer_group",
)
ONLY_WITH_CONFIRM = (
    "off_session",
    "mandate_data",
    "mandate",
    "return_url",
    "error_on_requires_action",
    "use_stripe_sdk",
)
# What the local Stripe does not play: sent, it is refused rather than dropped.
NOT_PLAYED = (
    "confirmation_token", "hooks", "amount_to_confirm", "mandate", "transfer_data", "on_behalf_of",
    "application_fee_amount", "customer_account", "payment_method_configuration",
    "amount_details",
)  # fmt: skip
COPIED = (
    "description", "receipt_email", "setup_future_usage", "statement_descriptor",
    "statement_descriptor_suffix", "transfer_group",
)  # fmt: skip


@operation("POST", "/v1/payment_intents", PaymentIntentCreateParams, unsettable=UNSETTABLE)
def create_payment_intent(call: Call) -> Doc:
    """Create an intent, and pay it at once when `confirm` is true."""
    params = call.params
    confirmed = params.get("confirm", False)
    for name in ONLY_WITH_CONFIRM:
        if name in params and not confirmed:
            raise InvalidRequest(f"You can only send {name} together with confirm=true.", param=name)
    _check(call, params)
    money.check_charge(params["amount"], money.currency_of(params["currency"]))
    customer = call.referred("customer", "customer")
    method = _sent_method(call, params)
    _match(method, customer)
    intent = new_intent(call, params, method)
    call.insert(intent, event="payment_intent.created")
    return _confirm(call, intent, method) if confirmed else intent


def new_intent(work: Work, params: Doc, method: Doc | None) -> Doc:
    """An intent that is not kept yet."""
    intent_id = ids.new("pi")
    automatic = params.get("automatic_payment_methods")
    types = payment_methods.types_for(params, params["currency"].lower())
    if automatic is None and "allowed_payment_method_types" not in params:
        automatic = {"allow_redirects": "always", "enabled": True}
    doc: Doc = {
        "id": intent_id,
        "object": "payment_intent",
        "allowed_payment_method_types": params.get("allowed_payment_method_types"),
        "amount": params["amount"],
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": {"allow_redirects": "always", **automatic} if automatic else None,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": params.get("capture_method", "automatic_async"),
        "client_secret": ids.secret_of(intent_id),
        "confirmation_method": params.get("confirmation_method", "automatic"),
        "created": work.now,
        "currency": params["currency"].lower(),
        "customer": params.get("customer"),
        "customer_account": None,
        "excluded_payment_method_types": params.get("excluded_payment_method_types"),
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "managed_payments": {"enabled": False},
        "metadata": fresh_metadata(params.get("metadata", {})),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": method["id"] if method else None,
        "payment_method_configuration_details": None,
        "payment_method_options": options_of(types, params.get("payment_method_options", {})),
        "payment_method_types": types,
        "payment_record": None,
        "processing": None,
        "review": None,
        "shipping": customers.shipping_of(params.get("shipping")),
        "source": None,
        "status": "requires_confirmation" if method else "requires_payment_method",
        "transfer_data": None,
    }
    if "payment_details" in params:
        details = params["payment_details"]
        doc["payment_details"] = {name: details.get(name) for name in ("customer_reference", "order_reference")}
    return {**doc, **{name: params.get(name) for name in COPIED}}


def options_of(types: list[str], sent: Doc) -> Doc:
    """The options of each payment method type: what was sent over what is usual."""
    card = {"installments": None, "mandate_options": None, "network": None, "request_three_d_secure": "automatic"}
    usual: Doc = {"card": card, "sepa_debit": {}}
    return {kind: {**usual[kind], **(sent.get(kind) or {})} for kind in types}


def _check(work: Work, params: Doc) -> None:
    for name in NOT_PLAYED:
        if name in params:
            raise InvalidRequest(f"The local Stripe does not play {name}.", param=name)
    if "payment_method" in params and "payment_method_data" in params:
        raise exclusive("payment_method", "payment_method_data")
    if "automatic_payment_methods" in params and "allowed_payment_method_types" in params:
        raise exclusive("automatic_payment_methods", "allowed_payment_method_types")
    if "allowed_payment_method_types" in params and "excluded_payment_method_types" in params:
        raise exclusive("allowed_payment_method_types", "excluded_payment_method_types")
    customers.check_email(params.get("receipt_email"), "receipt_email")
    check_descriptor(params.get("statement_descriptor"), "statement_descriptor")
    check_descriptor(params.get("statement_descriptor_suffix"), "statement_descriptor_suffix", shortest=1)


def _sent_method(call: Call, params: Doc) -> Doc | None:
    if "payment_method" in params:
        return payment_methods.found(call, params["payment_method"], "payment_method")
    if "payment_method_data" in params:
        return payment_methods.from_data(call, params["payment_method_data"], "payment_method_data")
    return None


def _match(method: Doc | None, customer: Doc | None) -> None:
    """A saved payment method is only for its own customer."""
    if method is None or method["customer"] is None:
        return
    if customer is None:
        raise InvalidRequest(
            f"The payment method {method['id']} belongs to the customer {method['customer']}. Send that customer too.",
            param="payment_method",
        )
    if method["customer"] != customer["id"]:
        raise InvalidRequest(
            f"The payment method {method['id']} does not belong to the customer {customer['id']}.",
            param="payment_method",
        )


@operation("GET", "/v1/payment_intents/{id}", PaymentIntentRetrieveParams)
def retrieve_payment_intent(call: Call) -> Doc:
    """One intent."""
    doc = call.named("payment_intent", "intent")
    secret = call.params.get("client_secret")
    if secret is not None and secret != doc["client_secret"]:
        raise missing_resource("payment_intent", doc["id"], "intent", in_path=True)
    return doc


@operation("GET", "/v1/payment_intents", PaymentIntentListParams)
def list_payment_intents(call: Call) -> Doc:
    """Intents, newest first."""
    where = lists.equals(call.params, customer="customer", customer_account="customer_account")
    return lists.page(call, "payment_intent", where)


@operation("POST", "/v1/payment_intents/{id}", PaymentIntentUpdateParams, unsettable=UNSETTABLE)
def update_payment_intent(call: Call) -> Doc:
    """Change an intent without paying it."""
    doc, params = call.named("payment_intent", "intent"), call.params
    _check(call, params)
    for name in (
        "amount",
        "currency",
        "customer",
        "payment_method",
        "payment_method_data",
        "setup_future_usage",
        "capture_method",
    ):
        if name in params and doc["status"] not in OPEN:
            raise _unexpected(doc, f"{name} could not be updated", OPEN)
    call.referred("customer", "customer")
    changes: dict[str, Any] = {name: params[name] for name in (*COPIED, "capture_method") if name in params}
    changes |= {name: params[name] for name in ("amount", "customer") if name in params}
    if "currency" in params:
        changes["currency"] = money.currency_of(params["currency"])
    if "metadata" in params:
        changes["metadata"] = merged_metadata(doc["metadata"], params["metadata"])
    if "shipping" in params:
        changes["shipping"] = customers.shipping_of(params["shipping"])
    method = _sent_method(call, params)
    customer_id = changes.get("customer", doc["customer"])
    _match(method, None if customer_id is None else call.get("customer", customer_id, "customer"))
    if method is not None:
        changes |= {"payment_method": method["id"], "status": "requires_confirmation", "next_action": None}
    changed = {**doc, **changes}
    if "amount" in params or "currency" in params:
        money.check_charge(changed["amount"], changed["currency"])
    # There is no payment_intent.updated event.
    return call.change(doc, changes)


@operation("POST", "/v1/payment_intents/{id}/confirm", PaymentIntentConfirmParams)
def confirm_payment_intent(call: Call) -> Doc:
    """Pay an intent."""
    doc, params = call.named("payment_intent", "intent"), call.params
    _check(call, params)
    if doc["status"] not in OPEN:
        raise _unexpected(doc, "could not be confirmed", OPEN)
    method = _sent_method(call, params)
    customer = None if doc["customer"] is None else call.find(doc["customer"], "customer")
    _match(method, customer)
    changes: Doc = {
        name: params[name] for name in ("receipt_email", "setup_future_usage", "capture_method") if name in params
    }
    if "shipping" in params:
        changes["shipping"] = customers.shipping_of(params["shipping"])
    return _confirm(call, call.change(doc, changes), method)


def _confirm(call: Call, intent: Doc, method: Doc | None) -> Doc:
    if method is None and intent["payment_method"] is None:
        raise WrongState(
            "You cannot confirm this PaymentIntent because it's missing a payment method. Send one with the "
            "confirmation, or update the PaymentIntent with one first.",
            code="payment_intent_unexpected_state",
            payment_intent=intent,
        )
    method = method or payment_methods.found(call, intent["payment_method"], "payment_method")
    if method["type"] not in intent["payment_method_types"]:
        raise InvalidRequest(
            f"A payment method of type {method['type']} is not allowed by this PaymentIntent, which allows"
            f" {', '.join(intent['payment_method_types'])}.",
            param="payment_method",
        )
    attempt = payments.pay(
        call,
        intent,
        method,
        absent=bool(call.params.get("off_session")),
        refuse_action=call.params.get("error_on_requires_action", False),
        return_url=call.params.get("return_url"),
    )
    if attempt.refusal is not None:
        raise attempt.refusal
    payments.booked(call, attempt.intent)
    return attempt.intent


@operation("POST", "/v1/payment_intents/{id}/capture", PaymentIntentCaptureParams)
def capture_payment_intent(call: Call) -> Doc:
    """Take the money that was authorised, or a part of it."""
    doc, params = call.named("payment_intent", "intent"), call.params
    _check(call, params)
    changes: Doc = {
        name: params[name] for name in ("statement_descriptor", "statement_descriptor_suffix") if name in params
    }
    if "metadata" in params:
        changes["metadata"] = merged_metadata(doc["metadata"], params["metadata"])
    return capture(call, {**doc, **changes}, params.get("amount_to_capture"), "amount_to_capture")


def capture(work: Work, intent: Doc, amount: int | None, param: str) -> Doc:
    """Capture an authorised intent; what is not captured is released."""
    if intent["status"] != "requires_capture":
        raise _unexpected(intent, "could not be captured", ("requires_capture",))
    authorised = intent["amount_capturable"]
    amount = authorised if amount is None else amount
    if amount < 1:
        raise InvalidRequest(
            "This value must be greater than or equal to 1.", code="parameter_invalid_integer", param=param
        )
    if amount > authorised:
        raise InvalidRequest(
            f"The remaining capturable amount for this PaymentIntent is {authorised}, less than {amount}.",
            code="amount_too_large",
            param=param,
        )
    charge = work.get("charge", intent["latest_charge"])
    charge = {**charge, "captured": True, "amount_captured": amount, "amount_refunded": authorised - amount}
    transaction = balance_transactions.for_charge(work, charge, amount)
    charge["balance_transaction"] = transaction["id"]
    work.store.save(charge)
    work.emit("charge.captured", charge)
    intent = {**intent, "status": "succeeded", "amount_capturable": 0, "amount_received": amount}
    work.store.save(intent)
    work.emit("payment_intent.succeeded", intent)
    return intent


@operation("POST", "/v1/payment_intents/{id}/cancel", PaymentIntentCancelParams)
def cancel_payment_intent(call: Call) -> Doc:
    """Give up an intent; authorised money is released."""
    doc = call.named("payment_intent", "intent")
    if doc["status"] not in CANCELABLE:
        raise _unexpected(doc, "could not be canceled", CANCELABLE)
    session = call.store.find("checkout.session", lists.equals({"intent": doc["id"]}, intent="payment_intent"), limit=1)
    if session and session[0]["status"] == "open":
        raise WrongState(
            f"You cannot cancel this PaymentIntent: the Checkout Session {session[0]['id']} is open. "
            "Expire the session instead.",
            code="payment_intent_unexpected_state",
        )
    return cancel(call, doc, call.params.get("cancellation_reason"))


def cancel(work: Work, intent: Doc, reason: str | None) -> Doc:
    """Cancel an intent and release what it authorised."""
    from app.sandbox.stripe import refunds

    if intent["status"] == "requires_capture":
        refunds.release(work, work.get("charge", intent["latest_charge"]))
    intent = work.change(
        intent,
        {
            "status": "canceled",
            "canceled_at": work.now,
            "cancellation_reason": reason,
            "amount_capturable": 0,
            "next_action": None,
        },
    )
    work.emit("payment_intent.canceled", intent)
    return intent


def _unexpected(intent: Doc, what: str, allowed: tuple[str, ...]) -> WrongState:
    return WrongState(
        f"This PaymentIntent {what} because it has a status of {intent['status']}. "
        f"Only a PaymentIntent with one of these statuses may be: {', '.join(allowed)}.",
        code="payment_intent_unexpected_state",
        payment_intent=intent,
    )
