"""The hosted payment page, the bank's question after it, and receipts. They work without JavaScript."""

from __future__ import annotations

from collections.abc import Mapping
from gettext import gettext as _
from urllib.parse import urlencode

from quart import Blueprint, Response, redirect, request

from app.sandbox.stripe import (
    checkout_payments,
    checkout_sessions,
    ids,
    payment_forms,
    rendering,
    repricing,
    timers,
)
from app.sandbox.stripe.errors import CardRefused
from app.sandbox.stripe.store import Doc
from app.sandbox.stripe.work import Account, Work


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
        with account.store.transaction():
            work = _work(account)
            session = work.find(session_id, "checkout.session")
            if session is None:
                return _not_found()
            return _pay(work, session, sent)

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

    @blueprint.post("/pay/<session_id>/shipping")
    async def change_shipping(session_id: str) -> Response:
        rate = (await request.form).get("shipping_rate", "")
        with account.store.transaction():
            work = _work(account)
            session = work.find(session_id, "checkout.session")
            if session is None:
                return _not_found()
            if session["status"] != "open":
                return _closed(work, session)
            problem = repricing.choose_shipping(work, session, rate)
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


def _draw(work: Work, session: Doc, form: Mapping[str, str], errors: dict[str, str], status: int = 200) -> Response:
    kept = {name: form.get(name, "") for name in payment_forms.names_of(session)}
    return rendering.page(
        "pay.html",
        status,
        session=session,
        lines=checkout_sessions.lines_of(work, session),
        rates={
            choice["shipping_rate"]: work.get("shipping_rate", choice["shipping_rate"])
            for choice in session["shipping_options"]
        },
        form=kept | {"method": kept["method"] or "card"},
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


def _pay(work: Work, session: Doc, sent: Mapping[str, str]) -> Response:
    if session["status"] == "complete":
        # The button was pressed twice: the first time has paid.
        return _see(success_url(session))
    if session["status"] == "expired":
        return _closed(work, session)
    form = payment_forms.read(session, sent)
    form["email"] = _fixed_email(work, session) or form["email"]
    errors = payment_forms.errors_of(work, session, form)
    method = None
    if not errors and session["amount_total"]:
        method, errors = payment_forms.try_method(work, form)
    if errors:
        return _draw(work, session, form, errors, 422)
    refusal = checkout_payments.pay(work, session, payment_forms.buyer_of(session, form), method)
    session = work.get("checkout.session", session["id"])
    if refusal is not None:
        return _draw(work, session, form, payment_forms.told(refusal), 422)
    if session["status"] == "open":
        return _see(f"{work.account.public_url}/pay/intents/{session['payment_intent']}/authentication")
    return _see(success_url(session))


def _after_bank(work: Work, intent: Doc, refusal: CardRefused | None = None) -> Response:
    """From the bank's page: on to the shop, or back to the payment page with what went wrong."""
    session = checkout_payments.session_of(work, intent)
    if session is None:
        return _return_to_shop(work, intent)
    if session["status"] == "complete":
        return _see(success_url(session))
    if refusal is not None:
        buyer = work.hidden(session["id"])["buyer"]
        form = {"email": buyer["email"], "name": buyer["name"]}
        return _draw(work, session, form, payment_forms.told(refusal), 422)
    return _see(f"{work.account.public_url}/pay/{session['id']}")


def _goes_to(work: Work, intent: Doc) -> str | None:
    session = checkout_payments.session_of(work, intent)
    url = session["success_url"] if session is not None else work.hidden(intent["id"]).get("return_url")
    return None if url is None else str(url)


def _return_to_shop(work: Work, intent: Doc) -> Response:
    """To the address that was sent with the confirmation, with the outcome in its query."""
    url = work.hidden(intent["id"]).get("return_url")
    if url is None:
        return rendering.page(
            "message.html",
            title=_("The bank has your answer"),
            text=_("The payment now has the status %(status)s.") % {"status": intent["status"]},
            link=None,
            link_text="",
        )
    outcome = "succeeded" if intent["status"] in ("succeeded", "requires_capture") else "failed"
    query = urlencode(
        {
            "payment_intent": intent["id"],
            "payment_intent_client_secret": intent["client_secret"],
            "redirect_status": outcome,
        }
    )
    return _see(f"{url}{'&' if '?' in url else '?'}{query}")


def _see(url: str) -> Response:
    response = redirect(url, 303)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response  # type: ignore[return-value]
