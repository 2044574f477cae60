"""What a buyer may change on the payment page: how many of a thing, and a promotion code."""

from __future__ import annotations

from gettext import gettext as _

from app.sandbox.stripe import checkout_sessions, discounts, line_items, money, promotion_codes, shipping_rates
from app.sandbox.stripe.errors import InvalidRequest
from app.sandbox.stripe.store import Doc
from app.sandbox.stripe.work import Work


def apply_code(work: Work, session: Doc, word: str) -> str | None:
    """Put a promotion code on a session. Gives the reason when it cannot be."""
    code = promotion_codes.by_code(work, word) if word else None
    if code is None:
        return _("This code is not valid.")
    limits = code["restrictions"]
    least, currency = limits["minimum_amount"], limits["minimum_amount_currency"]
    if least is not None and (currency != session["currency"] or session["amount_subtotal"] < least):
        return _("This code is for orders of %(amount)s or more.") % {"amount": money.shown(least, currency)}
    if code["customer"] not in (None, session["customer"]):
        return _("This code is not valid.")
    try:
        _reprice(work, session, [{"promotion_code": code["id"]}], {})
    except InvalidRequest:
        return _("This code does not apply to this order.")
    return None


def change_quantities(work: Work, session: Doc, wanted: dict[str, int]) -> str | None:
    """Change how many of each adjustable line. Gives the reason when it cannot be."""
    for item in checkout_sessions.lines_of(work, session):
        limits, quantity = item["adjustable_quantity"], wanted.get(item["id"], item["quantity"])
        if limits is None and quantity != item["quantity"]:
            return _("The quantity of %(name)s is fixed.") % {"name": item["description"]}
        if limits is not None and not max(1, limits["minimum"]) <= quantity <= limits["maximum"]:
            return _("Choose between %(least)s and %(most)s of %(name)s.") % {
                "least": max(1, limits["minimum"]),
                "most": limits["maximum"],
                "name": item["description"],
            }
    _reprice(work, session, _kept_discounts(session), wanted)
    return None


def choose_shipping(work: Work, session: Doc, rate: str) -> str | None:
    """Choose how it is sent. Gives the reason when it cannot be so."""
    if rate not in [choice["shipping_rate"] for choice in session["shipping_options"]]:
        return _("Choose one of the ways of delivery.")
    _reprice(work, session, _kept_discounts(session), {}, rate)
    return None


def _kept_discounts(session: Doc) -> list[Doc]:
    return [{name: value for name, value in item.items() if value} for item in session["discounts"] or []]


def _reprice(work: Work, session: Doc, sent: list[Doc], quantities: dict[str, int], rate: str | None = None) -> None:
    items = checkout_sessions.lines_of(work, session)
    lines = [line_items.again(work, item, quantities.get(item["id"], int(item["quantity"]))) for item in items]
    discount = discounts.apply(work, sent, session["customer"], lines)
    line_items.add_taxes(lines)
    chosen = rate or (session["shipping_cost"] or {}).get("shipping_rate")
    options = [choice for choice in session["shipping_options"] if choice["shipping_rate"] == chosen]
    shipping = shipping_rates.cost_of(options[0] if options else None)
    totals = line_items.totals(lines, shipping)
    if 0 < totals["amount_total"] < money.least(session["currency"]):
        raise InvalidRequest("The total would be too small to charge.", code="amount_too_small")
    line_items.keep(work, lines, discount)
    work.change(
        session,
        {
            **totals,
            "discounts": [] if discount is None else [checkout_sessions.shown_discount(discount)],
            "payment_status": "unpaid" if totals["amount_total"] else "no_payment_required",
        },
    )
    checkout_sessions.keep(work, session["id"], discount=discount)
    if session["payment_intent"] is not None:
        intent = work.get("payment_intent", session["payment_intent"])
        work.change(intent, {"amount": totals["amount_total"]})
