"""Payment methods: cards, and a bank debit that settles later. https://docs.stripe.com/api/payment_methods"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

from stripe.params import (
    CustomerListPaymentMethodsParams,
    CustomerRetrievePaymentMethodParams,
    PaymentMethodAttachParams,
    PaymentMethodCreateParams,
    PaymentMethodDetachParams,
    PaymentMethodListParams,
    PaymentMethodRetrieveParams,
    PaymentMethodUpdateParams,
)

from app.sandbox.stripe import cards, customers, ids, lists
from app.sandbox.stripe.cards import Card
from app.sandbox.stripe.errors import CardRefused, InvalidRequest, WrongState, missing, missing_resource
from app.sandbox.stripe.operations import operation
from app.sandbox.stripe.parameters import fresh_metadata, merged_metadata
from app.sandbox.stripe.store import Doc
from app.sandbox.stripe.work import Call, Work

PLAYED = ("card", "sepa_debit")
DEBIT_CURRENCY = "eur"
# Test accounts: https://docs.stripe.com/testing?payment-method=sepa-direct-debit
IBAN_PAYS = "DE89370400440532013000"
IBAN_FAILS = "DE62370400440532013001"


def types_for(params: Doc, currency: str) -> list[str]:
    """The types that a payment offers: those active here, as far as it is limited to some."""
    active = [kind for kind in PLAYED if kind == "card" or currency == DEBIT_CURRENCY]
    allowed = params.get("allowed_payment_method_types") or active
    excluded = params.get("excluded_payment_method_types") or []
    types = [kind for kind in active if kind in allowed and kind not in excluded]
    if not types:
        raise InvalidRequest(
            f"None of these payment method types can be used: in {currency}, this account has {', '.join(active)}.",
            param="allowed_payment_method_types",
        )
    return types


@operation("POST", "/v1/payment_methods", PaymentMethodCreateParams)
def create_payment_method(call: Call) -> Doc:
    """Create a payment method from a test card, a token or an IBAN."""
    for name in ("payment_method", "customer"):
        if name in call.params:
            raise InvalidRequest(
                f"{name} is for platforms that copy payment methods, which the local Stripe does not play.",
                param=name,
            )
    return from_data(call, call.params, "")


def from_data(work: Work, data: Doc, path: str) -> Doc:
    """A payment method from `payment_method_data` or its like."""
    kind = data.get("type")
    if kind is None:
        raise missing(_name(path, "type"))
    if kind not in PLAYED:
        raise InvalidRequest(
            f"The local Stripe does not play payment methods of type {kind}.", param=_name(path, "type")
        )
    if kind not in data:
        raise missing(_name(path, kind))
    billing = data.get("billing_details", {})
    more = {
        "allow_redisplay": data.get("allow_redisplay", "unspecified"),
        "metadata": fresh_metadata(data.get("metadata", {})),
    }
    if kind == "sepa_debit":
        return new_debit(work, data["sepa_debit"]["iban"], billing, **more)
    sent = data["card"]
    if "token" in sent:
        card = cards.named(sent["token"], "tok_")
        if card is None:
            raise InvalidRequest(
                f"No such token: '{sent['token']}'", code="resource_missing", param=_name(path, "card[token]")
            )
        return new_card(work, card, billing, **more)
    for name in ("number", "exp_month", "exp_year"):
        if name not in sent:
            raise missing(_name(path, f"card[{name}]"))
    check_card(work, sent["number"], sent["exp_month"], sent["exp_year"], sent.get("cvc"))
    card = cards.by_number(sent["number"].replace(" ", ""))
    expiry = (sent["exp_month"], full_year(sent["exp_year"]))
    return new_card(work, card, billing, expiry=expiry, cvc="cvc" in sent, **more)


def _name(path: str, name: str) -> str:
    if not path:
        return name
    first, bracket, rest = name.partition("[")
    return f"{path}[{first}]{bracket}{rest}"


def full_year(year: int) -> int:
    """Two-digit years are of this century."""
    return year + 2000 if year < 100 else year


def check_card(work: Work, number: str, month: int, year: int, cvc: str | None) -> None:
    """Refuse what cannot be a card, with the codes that Stripe gives the buyer."""
    check_number(number)
    check_expiry(work, month, year)
    if cvc is not None:
        check_cvc(cvc, number)


def check_number(number: str) -> None:
    """Refuse a number that no card has."""
    if not cards.passes_luhn(number.replace(" ", "").replace("-", "")):
        raise CardRefused("Your card number is incorrect.", code="incorrect_number", param="number")


def check_expiry(work: Work, month: int, year: int) -> None:
    """Refuse a date that is none, or is over."""
    today = datetime.fromtimestamp(work.now, UTC)
    if not today.year <= full_year(year) <= today.year + 50:
        raise CardRefused("Your card's expiration year is invalid.", code="invalid_expiry_year", param="exp_year")
    if not 1 <= month <= 12 or (full_year(year), month) < (today.year, today.month):
        raise CardRefused("Your card's expiration month is invalid.", code="invalid_expiry_month", param="exp_month")


def check_cvc(cvc: str, number: str) -> None:
    """Refuse a security code of the wrong length for the card's network."""
    length = cards.cvc_length(cards.brand_of(number.replace(" ", "")))
    if not (cvc.isdigit() and len(cvc) == length):
        raise CardRefused("Your card's security code is invalid.", code="invalid_cvc", param="cvc")


def billing_details(sent: Doc) -> Doc:
    """Billing details with all their fields."""
    return {
        "address": customers.address_of(sent.get("address") or {}),
        "email": sent.get("email"),
        "name": sent.get("name"),
        "phone": sent.get("phone"),
        "tax_id": sent.get("tax_id"),
    }


def new_card(
    work: Work,
    card: Card,
    billing: Doc,
    *,
    expiry: tuple[int, int] | None = None,
    cvc: bool = True,
    allow_redisplay: str = "unspecified",
    metadata: Doc | None = None,
) -> Doc:
    """Keep a payment method for a test card."""
    month, year = expiry or (12, datetime.fromtimestamp(work.now, UTC).year + 1)
    sort: Doc = {
        "brand": card.brand,
        "checks": {
            "address_line1_check": None,
            "address_postal_code_check": None,
            "cvc_check": "unchecked" if cvc else None,
        },
        "country": card.country,
        "display_brand": {"amex": "american_express", "diners": "diners_club"}.get(card.brand, card.brand),
        "exp_month": month,
        "exp_year": year,
        "fingerprint": cards.fingerprint(card.number),
        "funding": card.funding,
        "generated_from": None,
        "last4": card.number[-4:],
        "networks": {"available": [card.brand], "preferred": None},
        "regulated_status": "unregulated",
        "three_d_secure_usage": {"supported": True},
        "wallet": None,
    }
    # Only test numbers are kept whole; of any other, what decides is kept.
    hidden = {"number": card.number if card.number in cards.CARDS else "4000000000000002", "cvc": cvc}
    if card.decline is cards.LIVE_CARD:
        hidden["live"] = True
    return _keep(work, "card", sort, billing, hidden, allow_redisplay, metadata)


def new_debit(
    work: Work, iban: str, billing: Doc, *, allow_redisplay: str = "unspecified", metadata: Doc | None = None
) -> Doc:
    """Keep a payment method for a bank account. Known test IBANs settle or fail after a while."""
    account = iban.replace(" ", "").upper()
    if len(account) < 15 or not account[:2].isalpha() or not account[2:].isalnum():
        raise InvalidRequest("The IBAN you provided is invalid.", code="invalid_bank_account_iban", param="iban")
    sort: Doc = {
        "bank_code": account[4:12],
        "branch_code": "",
        "country": account[:2],
        "fingerprint": hashlib.sha256(f"iban {account}".encode()).hexdigest()[:16],
        "generated_from": {"charge": None, "setup_attempt": None},
        "last4": account[-4:],
    }
    return _keep(work, "sepa_debit", sort, billing, {"iban": account}, allow_redisplay, metadata)


def _keep(
    work: Work, kind: str, sort: Doc, billing: Doc, hidden: Doc, allow_redisplay: str, metadata: Doc | None
) -> Doc:
    doc: Doc = {
        "id": ids.new("pm"),
        "object": "payment_method",
        "allow_redisplay": allow_redisplay,
        "billing_details": billing_details(billing),
        kind: sort,
        "created": work.now,
        "customer": None,
        "customer_account": None,
        "livemode": False,
        "metadata": metadata or {},
        "type": kind,
    }
    return work.insert(doc, hidden=hidden)


def found(work: Work, name: str, param: str, *, in_path: bool = False) -> Doc:
    """The payment method with that id; ready-made test names make a new one."""
    card = cards.named(name, "pm_card_")
    if card is not None:
        return new_card(work, card, {})
    doc = work.find(name, "payment_method")
    if doc is None:
        raise missing_resource("payment_method", name, param, in_path=in_path)
    return doc


def card_of(work: Work, method: Doc) -> Card:
    """The test card behind a payment method."""
    hidden = work.hidden(method["id"])
    card = cards.CARDS[hidden["number"]]
    return Card(card.number, card.brand, decline=cards.LIVE_CARD) if hidden.get("live") else card


def attach(work: Work, method: Doc, customer: Doc) -> Doc:
    """Save a payment method to a customer, as far as its card allows that."""
    if method["customer"] == customer["id"]:
        return method
    if method["customer"] is not None:
        raise WrongState(
            "The payment method you provided has already been attached to a customer.",
            code="payment_method_unexpected_state",
        )
    hidden = work.hidden(method["id"])
    if hidden.get("detached"):
        raise WrongState(
            "This payment method was detached from a customer and cannot be used again.",
            code="payment_method_unexpected_state",
        )
    if method["type"] == "card":
        card = card_of(work, method)
        if card.decline is not None and card.special != "attaches" and not card.asks:
            raise declined(card.decline, payment_method=method)
        checks = {**method["card"]["checks"], "cvc_check": "pass" if hidden.get("cvc") else None}
        method = {**method, "card": {**method["card"], "checks": checks}}
    method = {**method, "customer": customer["id"]}
    work.store.save(method)
    work.emit("payment_method.attached", method)
    return method


def declined(decline: cards.Decline, **more: Any) -> CardRefused:
    """The 402 answer for a decline."""
    return CardRefused(
        decline.message,
        code=decline.code,
        param=decline.param,
        decline_code=decline.decline_code,
        advice_code=decline.advice,
        **more,
    )


@operation("GET", "/v1/payment_methods/{id}", PaymentMethodRetrieveParams)
def retrieve_payment_method(call: Call) -> Doc:
    """One payment method."""
    return found(call, call.ids["id"], "payment_method", in_path=True)


@operation("POST", "/v1/payment_methods/{id}", PaymentMethodUpdateParams)
def update_payment_method(call: Call) -> Doc:
    """Change the billing details, the expiry date or the metadata."""
    doc, params = call.named("payment_method", "payment_method"), call.params
    if doc["customer"] is None:
        raise WrongState("Only a payment method that is attached to a customer can be changed.")
    changes: Doc = {name: params[name] for name in ("allow_redisplay",) if name in params}
    if "billing_details" in params:
        changes["billing_details"] = billing_details({**doc["billing_details"], **params["billing_details"]})
    if "metadata" in params:
        changes["metadata"] = merged_metadata(doc["metadata"], params["metadata"])
    for name in ("card", "us_bank_account"):
        if name in params and doc["type"] != name:
            raise InvalidRequest(f"This payment method is of type {doc['type']}, not {name}.", param=name)
    if "card" in params:
        dates = {name: value for name, value in params["card"].items() if name.startswith("exp_")}
        changes["card"] = {**doc["card"], **dates}
    return call.change(doc, changes, event="payment_method.updated")


@operation("POST", "/v1/payment_methods/{id}/attach", PaymentMethodAttachParams)
def attach_payment_method(call: Call) -> Doc:
    """Save a payment method to a customer."""
    method = found(call, call.ids["id"], "payment_method", in_path=True)
    customer = call.referred("customer", "customer")
    if customer is None:
        raise missing("customer")
    return attach(call, method, customer)


@operation("POST", "/v1/payment_methods/{id}/detach", PaymentMethodDetachParams)
def detach_payment_method(call: Call) -> Doc:
    """Take a payment method from its customer; it cannot be used again."""
    doc = call.named("payment_method", "payment_method")
    if doc["customer"] is None:
        raise WrongState(
            "The payment method you provided is not attached to a customer, so it cannot be detached.",
            code="payment_method_unexpected_state",
        )
    call.store.save(doc, {**call.hidden(doc["id"]), "detached": True})
    return call.change(doc, {"customer": None}, event="payment_method.detached")


@operation("GET", "/v1/payment_methods", PaymentMethodListParams)
def list_payment_methods(call: Call) -> Doc:
    """Payment methods, newest first; of one customer when it is named."""
    call.referred("customer", "customer")
    return lists.page(call, "payment_method", lists.equals(call.params, customer="customer", type="type"))


@operation("GET", "/v1/customers/{id}/payment_methods", CustomerListPaymentMethodsParams)
def list_customer_payment_methods(call: Call) -> Doc:
    """A customer's payment methods."""
    customer = call.named("customer")
    where = lists.equals(
        {**call.params, "customer": customer["id"]},
        customer="customer",
        type="type",
        allow_redisplay="allow_redisplay",
    )
    return lists.page(call, "payment_method", where)


@operation("GET", "/v1/customers/{customerId}/payment_methods/{id}", CustomerRetrievePaymentMethodParams)
def retrieve_customer_payment_method(call: Call) -> Doc:
    """One of a customer's payment methods."""
    customer = call.named("customer", "customer", path_id="customerId")
    method = call.named("payment_method", "payment_method")
    if method["customer"] != customer["id"]:
        raise missing_resource("payment_method", method["id"], "payment_method", in_path=True)
    return method
