"""The hosted payment page, the bank's question after it, and receipts. They work without JavaScript."""

from __future__ import annotations

from datetime import UTC, datetime
from gettext import gettext as _

from quart import Blueprint, Response, redirect, request

from app.sandbox.stripe import (
    cards,
    checkout_payments,
    checkout_sessions,
    ids,
    payment_methods,
    rendering,
    repricing,
)
from app.sandbox.stripe.checkout_payments import Buyer
from app.sandbox.stripe.customers import EMAIL
from app.sandbox.stripe.errors import CardRefused, InvalidRequest, StripeRefusal
from app.sandbox.stripe.store import Doc
from app.sandbox.stripe.work import Account, Work

FIELDS = (
    "email", "method", "number", "expiry", "cvc", "name", "iban", "phone", "line1", "city", "postal_code",
    "country", "promotion_code",
)  # fmt: skip
# Stripe's own page calls some fields otherwise; what is written for that page works here too.
STRIPES_NAMES = {"number": "cardNumber", "expiry": "cardExpiry", "cvc": "cardCvc", "name": "billingName"}
ADDRESS = ("line1", "city", "postal_code", "country")
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


def add_pages(blueprint: Blueprint, account: Account) -> None:
    """Put the pages on a blueprint."""

    @blueprint.get("/pay/<session_id>")
    async def show_payment_page(session_id: str) -> Response:
        work = _work(account)
        session = work.find(session_id, "checkout.session")
        if session is None:
            return _not_found()
        if session["status"] != "open":
            return _closed(work, session)
        return _draw(work, session, {}, {})

    @blueprint.post("/pay/<session_id>")
    async def create_payment(session_id: str) -> Response:
        sent = await request.form
        form = {name: (sent.get(name) or sent.get(STRIPES_NAMES.get(name, "")) or "").strip() for name in FIELDS}
        with account.store.transaction():
            work = _work(account)
            session = work.find(session_id, "checkout.session")
            if session is None:
                return _not_found()
            return _pay(work, session, form)

    @blueprint.post("/pay/<session_id>/promotion-code")
    async def create_discount(session_id: str) -> Response:
        word = (await request.form).get("promotion_code", "").strip()
        with account.store.transaction():
            work = _work(account)
            session = work.find(session_id, "checkout.session")
            if session is None:
                return _not_found()
            if session["status"] != "open" or not session["allow_promotion_codes"]:
                return _closed(work, session)
            problem = repricing.apply_code(work, session, word)
            if problem is not None:
                return _draw(work, session, {"promotion_code": word}, {"promotion_code": problem}, 422)
            return _see(session["url"])

    @blueprint.post("/pay/<session_id>/quantities")
    async def change_quantities(session_id: str) -> Response:
        form = await request.form
        wanted = {name: int(value) for name, value in form.items() if value.isdigit() and len(value) < 7}
        with account.store.transaction():
            work = _work(account)
            session = work.find(session_id, "checkout.session")
            if session is None:
                return _not_found()
            if session["status"] != "open":
                return _closed(work, session)
            problem = repricing.change_quantities(work, session, wanted)
            if problem is not None:
                return _draw(work, session, {}, {"form": problem}, 422)
            return _see(session["url"])

    @blueprint.get("/pay/intents/<intent_id>/authentication")
    async def show_authentication(intent_id: str) -> Response:
        work = _work(account)
        intent = work.find(intent_id, "payment_intent")
        if intent is None:
            return _not_found()
        if intent["status"] != "requires_action":
            return _after_bank(work, intent)
        return rendering.page("bank.html", intent=intent, goes_to=[_goes_to(work, intent)])

    @blueprint.post("/pay/intents/<intent_id>/authentication")
    async def create_authentication(intent_id: str) -> Response:
        form = await request.form
        with account.store.transaction():
            work = _work(account)
            intent = work.find(intent_id, "payment_intent")
            if intent is None:
                return _not_found()
            refusal = None
            if intent["status"] == "requires_action":
                refusal = checkout_payments.answer_bank(work, intent, proved=form.get("answer") == "complete")
            return _after_bank(work, work.get("payment_intent", intent_id), refusal)

    @blueprint.get("/pay/receipts/<charge_id>")
    async def show_receipt(charge_id: str) -> Response:
        work = _work(account)
        charge = work.find(charge_id, "charge")
        if charge is None or not charge["paid"]:
            return _not_found()
        return rendering.page("receipt.html", charge=charge)


def _work(account: Account) -> Work:
    """Work for a visitor: to the events it is a request like any other."""
    from app.sandbox.stripe import timers

    timers.ring(account)
    return Work(account, ids.new("req"), None)


def _not_found() -> Response:
    return rendering.page(
        "message.html",
        404,
        title=_("There is no such payment page"),
        text=_("The address is not complete, or the local Stripe has been emptied since."),
        link=None,
        link_text="",
    )


def _closed(work: Work, session: Doc) -> Response:
    """A session that is paid or expired says so, and leads back."""
    if session["status"] == "complete":
        return rendering.page(
            "message.html",
            title=_("This is paid already"),
            text=_("You have not been charged twice. Nothing more needs to be done here."),
            link=success_url(session),
            link_text=_("Back to the shop"),
        )
    return rendering.page(
        "message.html",
        410,
        title=_("This payment page has expired"),
        text=_("Nothing was charged. Go back to the shop to begin again."),
        link=session["cancel_url"],
        link_text=_("Back to the shop"),
    )


def success_url(session: Doc) -> str:
    """Where a buyer goes after paying, with the session's id filled in."""
    url: str = session["success_url"]
    return url.replace("{CHECKOUT_SESSION_ID}", session["id"])


def _draw(work: Work, session: Doc, form: dict[str, str], errors: dict[str, str], status: int = 200) -> Response:
    return rendering.page(
        "pay.html",
        status,
        session=session,
        lines=checkout_sessions.lines_of(work, session),
        form={name: form.get(name, "") for name in FIELDS} | {"method": form.get("method") or "card"},
        errors=errors,
        fixed_email=_fixed_email(work, session),
        goes_to=[session["success_url"], session["cancel_url"]],
    )


def _fixed_email(work: Work, session: Doc) -> str | None:
    """The address that the shop has set, which the buyer cannot change."""
    if session["customer_email"]:
        return str(session["customer_email"])
    customer = work.find(session["customer"], "customer") if session["customer"] else None
    return customer["email"] if customer else None


def _pay(work: Work, session: Doc, form: dict[str, str]) -> Response:
    if session["status"] == "complete":
        # The button was pressed twice: the first time has paid.
        return _see(success_url(session))
    if session["status"] == "expired":
        return _closed(work, session)
    form["email"] = _fixed_email(work, session) or form["email"]
    form["method"] = form["method"] or "card"
    errors = _errors(session, form)
    method = None
    if not errors and session["amount_total"]:
        method = _method(work, form, errors)
    if errors:
        return _draw(work, session, form, errors, 422)
    address = {name: form[name] or None for name in ADDRESS} if any(form[name] for name in ADDRESS) else None
    buyer = Buyer(form["email"], form["name"], form["phone"] or None, address)
    refusal = checkout_payments.pay(work, session, buyer, method)
    session = work.get("checkout.session", session["id"])
    if refusal is not None:
        return _draw(work, session, form, _told(refusal), 422)
    if session["status"] == "open":
        return _see(f"{work.account.public_url}/pay/intents/{session['payment_intent']}/authentication")
    return _see(success_url(session))


def _errors(session: Doc, form: dict[str, str]) -> dict[str, str]:
    errors = {}
    if EMAIL.match(form["email"]) is None:
        errors["email"] = _("Enter an email address, such as name@example.com.")
    if session["phone_number_collection"]["enabled"] and not form["phone"]:
        errors["phone"] = _("Enter a phone number.")
    if session["billing_address_collection"] == "required":
        for name in ADDRESS:
            if not form[name]:
                errors[name] = _("This part of the address is needed.")
    if form["country"] and not (len(form["country"]) == 2 and form["country"].isalpha()):
        errors["country"] = _("Enter the two-letter code of the country, such as DE.")
    return errors


def _method(work: Work, form: dict[str, str], errors: dict[str, str]) -> Doc | None:
    """The payment method that the form describes; fills `errors` when it describes none."""
    billing = {"email": form["email"], "name": form["name"] or None, "phone": form["phone"] or None}
    billing["address"] = {name: form[name] or None for name in ADDRESS}  # type: ignore[assignment]
    try:
        if form["method"] == "sepa_debit":
            return payment_methods.new_debit(work, form["iban"], billing)
        number = "".join(form["number"].split()).replace("-", "")
        month, year = _expiry(work, form["expiry"])
        payment_methods.check_card(work, number, month, year, form["cvc"] or "none")
        return payment_methods.new_card(work, cards.by_number(number), billing, expiry=(month, year))
    except (CardRefused, InvalidRequest) as refusal:
        errors.update(_told(refusal))
        return None


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


def _told(refusal: StripeRefusal) -> dict[str, str]:
    """The message beside the field that it is about, or above the form."""
    return {FIELD_OF.get(refusal.code or "", "form"): refusal.message}


def _after_bank(work: Work, intent: Doc, refusal: CardRefused | None = None) -> Response:
    """From the bank's page: on to the shop, or back to the payment page with what went wrong."""
    session = checkout_payments.session_of(work, intent)
    if session is None:
        return _return_to_shop(intent)
    if session["status"] == "complete":
        return _see(success_url(session))
    if refusal is not None:
        buyer = work.hidden(session["id"])["buyer"]
        form = {"email": buyer["email"], "name": buyer["name"]}
        return _draw(work, session, form, _told(refusal), 422)
    return _see(f"{work.account.public_url}/pay/{session['id']}")


def _goes_to(work: Work, intent: Doc) -> str | None:
    session = checkout_payments.session_of(work, intent)
    if session is not None:
        return str(session["success_url"])
    return _return_url(work, intent)


def _return_url(work: Work, intent: Doc) -> str | None:
    action = intent["next_action"] or {}
    url = action.get("redirect_to_url", {}).get("return_url") or work.hidden(intent["id"]).get("return_url")
    return None if url is None else str(url)


def _return_to_shop(intent: Doc) -> Response:
    return rendering.page(
        "message.html",
        title=_("The bank has your answer"),
        text=_("The payment now has the status %(status)s.") % {"status": intent["status"]},
        link=None,
        link_text="",
    )


def _see(url: str) -> Response:
    response = redirect(url, 303)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response  # type: ignore[return-value]
