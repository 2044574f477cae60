"""What a buyer writes on the payment page: read, checked, and turned into a payment method."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from gettext import gettext as _

from app.sandbox.stripe import cards, custom_fields, payment_methods
from app.sandbox.stripe.checkout_payments import Buyer
from app.sandbox.stripe.customers import ADDRESS, EMAIL
from app.sandbox.stripe.errors import CardRefused, InvalidRequest, StripeRefusal
from app.sandbox.stripe.store import Doc
from app.sandbox.stripe.work import Work

Form = dict[str, str]

PLAIN = ("email", "method", "number", "expiry", "cvc", "name", "iban", "phone", "promotion_code", "shipping_name")
BILLING = ("line1", "city", "postal_code", "country")
SHIPPING = tuple(f"shipping_{name}" for name in BILLING)
# Stripe's own page calls some fields otherwise; what is written for that page works here too.
STRIPES_NAMES = {"number": "cardNumber", "expiry": "cardExpiry", "cvc": "cardCvc", "name": "billingName"}
# Which field of the form a refusal is about.
FIELD_OF = {
    "incorrect_number": "number",
    "invalid_number": "number",
    "invalid_expiry_month": "expiry",
    "invalid_expiry_year": "expiry",
    "expired_card": "expiry",
    "invalid_cvc": "cvc",
    "incorrect_cvc": "cvc",
    "invalid_bank_account_iban": "iban",
}


def names_of(session: Doc) -> list[str]:
    """All fields that the page of a session may have."""
    return [*PLAIN, *BILLING, *SHIPPING, *custom_fields.names_of(session)]


def read(session: Doc, sent: Mapping[str, str]) -> Form:
    """The fields as they were sent, "" where not."""
    form = {}
    for name in names_of(session):
        value = sent.get(name) or sent.get(STRIPES_NAMES.get(name, ""), "") or ""
        form[name] = value.strip()
    form["method"] = form["method"] or session["payment_method_types"][0]
    return form


def errors_of(work: Work, session: Doc, form: Form) -> dict[str, str]:
    """A message for every field that cannot be accepted."""
    errors = custom_fields.errors_of(session, form)
    if EMAIL.match(form["email"]) is None:
        errors["email"] = _("Enter an email address, such as name@example.com.")
    if session["phone_number_collection"]["enabled"] and not form["phone"]:
        errors["phone"] = _("Enter a phone number.")
    if session["billing_address_collection"] == "required":
        errors.update(_address_errors(form, "", None))
    if session["shipping_address_collection"] is not None:
        allowed = session["shipping_address_collection"]["allowed_countries"]
        errors.update(_address_errors(form, "shipping_", allowed))
        if not form["shipping_name"]:
            errors["shipping_name"] = _("Enter the name of the person it is sent to.")
    if session["amount_total"] and form["method"] == "card":
        errors.update(_card_errors(work, form))
    return errors


def _address_errors(form: Form, prefix: str, allowed: list[str] | None) -> dict[str, str]:
    errors = {prefix + name: _("This part of the address is needed.") for name in BILLING if not form[prefix + name]}
    country = form[prefix + "country"].upper()
    if country and not (len(country) == 2 and country.isalpha()):
        errors[prefix + "country"] = _("Enter the two-letter code of the country, such as DE.")
    elif country and allowed is not None and country not in allowed:
        errors[prefix + "country"] = _("Nothing is sent to this country.")
    return errors


def _card_errors(work: Work, form: Form) -> dict[str, str]:
    """Each field of the card is looked at by itself, so that all mistakes are told at once."""
    number = _digits(form["number"])
    checks: list[Callable[[], None]] = [
        lambda: payment_methods.check_number(number),
        lambda: payment_methods.check_expiry(work, *_expiry(work, form["expiry"])),
        lambda: payment_methods.check_cvc(form["cvc"], number),
    ]
    errors: dict[str, str] = {}
    for check in checks:
        try:
            check()
        except CardRefused as refusal:
            errors.update(told(refusal))
    return errors


def method_of(work: Work, form: Form) -> Doc:
    """The payment method that the form describes. Raises InvalidRequest for an account that cannot be."""
    billing: Doc = {"email": form["email"], "name": form["name"] or None, "phone": form["phone"] or None}
    billing["address"] = _address(form, "")
    if form["method"] == "sepa_debit":
        return payment_methods.new_debit(work, form["iban"], billing)
    return payment_methods.new_card(
        work, cards.by_number(_digits(form["number"])), billing, expiry=_expiry(work, form["expiry"])
    )


def try_method(work: Work, form: Form) -> tuple[Doc | None, dict[str, str]]:
    """The payment method, or what is wrong with it."""
    try:
        return method_of(work, form), {}
    except InvalidRequest as refusal:
        return None, told(refusal)


def buyer_of(session: Doc, form: Form) -> Buyer:
    """What the form says about the buyer."""
    shipping = None
    if session["shipping_address_collection"] is not None:
        shipping = {"name": form["shipping_name"], "address": _address(form, "shipping_")}
    answers = custom_fields.answers_of(session, form)
    return Buyer(form["email"], form["name"], form["phone"] or None, _address(form, ""), shipping, answers)


def _address(form: Form, prefix: str) -> Doc | None:
    if not any(form[prefix + name] for name in BILLING):
        return None
    address: Doc = {name: form.get(prefix + name) or None for name in ADDRESS}
    address["country"] = (address["country"] or "").upper() or None
    return address


def _digits(text: str) -> str:
    return "".join(text.split()).replace("-", "")


def _expiry(work: Work, text: str) -> tuple[int, int]:
    """`12 / 27`, `1227` or `12/2027` as month and year."""
    digits = "".join(letter for letter in text if letter.isdigit())
    if len(digits) == 3:
        digits = f"0{digits}"
    if len(digits) not in (4, 6):
        raise CardRefused(_("Enter the expiry date as month and year, such as 12 / 27."), code="invalid_expiry_month")
    century = datetime.fromtimestamp(work.now, UTC).year // 100 * 100
    year = int(digits[2:])
    return int(digits[:2]), year if year > 99 else century + year


def told(refusal: StripeRefusal) -> dict[str, str]:
    """The message beside the field that it is about, or above the form."""
    return {FIELD_OF.get(refusal.code or "", "form"): refusal.message}
