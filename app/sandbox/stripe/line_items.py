"""What a checkout session sells: its lines, what they cost, and how discounts and taxes fall on them."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from app.sandbox.stripe import ids, money, prices
from app.sandbox.stripe.errors import InvalidRequest, exclusive, missing
from app.sandbox.stripe.expansion import on_request
from app.sandbox.stripe.parameters import fresh_metadata
from app.sandbox.stripe.store import Doc
from app.sandbox.stripe.work import Work

MOST_LINES = 100
MOST_QUANTITY = 999_999


@dataclass
class Line:
    """One line while it is being worked out."""

    price: Doc
    name: str
    quantity: int
    subtotal: int
    adjustable: Doc | None
    metadata: Doc | None
    rates: list[Doc] = field(default_factory=list)
    discount: int = 0
    taxes: list[Doc] = field(default_factory=list)
    id: str = ""

    @property
    def tax(self) -> int:
        """All taxes of the line, in the smallest unit."""
        return sum(int(item["amount"]) for item in self.taxes)

    @property
    def total(self) -> int:
        """What the line costs: taxes that are included already are not added again."""
        added = sum(int(item["amount"]) for item in self.taxes if not item["rate"]["inclusive"])
        return self.subtotal - self.discount + added


def read(work: Work, sent: list[Doc], param: str = "line_items") -> list[Line]:
    """The lines of a one-time payment. Raises InvalidRequest for what cannot be sold."""
    if not sent:
        raise missing(param)
    if len(sent) > MOST_LINES:
        raise InvalidRequest(f"A Checkout Session can have at most {MOST_LINES} line items.", param=param)
    lines = [_line(work, item, f"{param}[{place}]") for place, item in enumerate(sent)]
    if len({line.price["currency"] for line in lines}) > 1:
        raise InvalidRequest("All line items of a Checkout Session must have the same currency.", param=param)
    return lines


def _line(work: Work, sent: Doc, path: str) -> Line:
    price, product = _price(work, sent, path)
    if price["type"] == "recurring":
        raise InvalidRequest(
            "You sent a recurring price with mode=payment, which takes only one-time prices.",
            param="line_items",
        )
    if price["unit_amount_decimal"] is None:
        raise InvalidRequest("The local Stripe sells only prices with a fixed amount per unit.", param=f"{path}[price]")
    quantity = sent.get("quantity")
    if quantity is None:
        raise InvalidRequest(f"Quantity is required. Add quantity to {path}.", code="parameter_missing", param=path)
    if not 1 <= quantity <= MOST_QUANTITY:
        raise InvalidRequest(
            f"This value must be between 1 and {MOST_QUANTITY} (it currently is '{quantity}').",
            code="parameter_invalid_integer",
            param=f"{path}[quantity]",
        )
    rates = [_rate(work, rate, f"{path}[tax_rates][{place}]") for place, rate in enumerate(sent.get("tax_rates", []))]
    return Line(
        price=price,
        name=product["name"],
        quantity=quantity,
        subtotal=money.rounded(Decimal(price["unit_amount_decimal"]) * quantity),
        adjustable=_adjustable(sent.get("adjustable_quantity"), quantity, path),
        metadata=fresh_metadata(sent["metadata"]) if "metadata" in sent else None,
        rates=rates,
    )


def _price(work: Work, sent: Doc, path: str) -> tuple[Doc, Doc]:
    """The price of a line and its product; both are made, but not for reuse, from `price_data`."""
    if "price" in sent and "price_data" in sent:
        raise exclusive(f"{path}[price]", f"{path}[price_data]")
    if "price" in sent:
        price = work.get("price", sent["price"], f"{path}[price]")
        product = work.get("product", price["product"])
        if not price["active"]:
            raise InvalidRequest(
                "The price specified is inactive. Only active prices can be sold.", param=f"{path}[price]"
            )
        if not product["active"]:
            raise InvalidRequest(
                f"The product {product['id']} is inactive. Only active products can be sold.",
                param=f"{path}[price]",
            )
        return price, product
    if "price_data" not in sent:
        raise missing(f"{path}[price]")
    data, name = sent["price_data"], f"{path}[price_data]"
    product = prices.product_of(work, data, name)
    if not product["active"]:
        raise InvalidRequest(f"The product {product['id']} is inactive.", param=f"{name}[product]")
    price = prices.build(work, {**data, "product": product["id"], "active": False}, name)
    if "product_data" in data:
        product["active"] = False
        work.insert(product)
    return work.insert(price), product


def _rate(work: Work, rate_id: str, param: str) -> Doc:
    rate = work.get("tax_rate", rate_id, param)
    if not rate["active"]:
        raise InvalidRequest(f"The tax rate {rate_id} is inactive.", param=param)
    return rate


def _adjustable(sent: Doc | None, quantity: int, path: str) -> Doc | None:
    if sent is None or not sent["enabled"]:
        return None
    name = f"{path}[adjustable_quantity]"
    least, most = sent.get("minimum", 0), sent.get("maximum", 99)
    if not 0 <= least <= most <= MOST_QUANTITY:
        raise InvalidRequest("The minimum must not be above the maximum.", param=f"{name}[minimum]")
    if not least <= quantity <= most:
        raise InvalidRequest(
            "The quantity must be within the adjustable minimum and maximum.", param=f"{path}[quantity]"
        )
    return {"enabled": True, "maximum": most, "minimum": least}


def share_discount(lines: list[Line], amount: int) -> None:
    """Spread a discount over the lines by what they cost; the last cents go to the largest remainders."""
    whole = sum(line.subtotal for line in lines)
    if whole == 0:
        return
    amount = min(amount, whole)
    exact = [Decimal(amount * line.subtotal) / whole for line in lines]
    for line, share in zip(lines, exact, strict=True):
        line.discount = int(share)
    left = amount - sum(line.discount for line in lines)
    by_remainder = sorted(range(len(lines)), key=lambda place: int(exact[place]) - exact[place])
    for place in by_remainder[:left]:
        lines[place].discount += 1


def add_taxes(lines: list[Line]) -> None:
    """Work out the taxes of each line after its discount."""
    for line in lines:
        base = Decimal(line.subtotal - line.discount)
        inclusive = sum((Decimal(str(rate["percentage"])) for rate in line.rates if rate["inclusive"]), Decimal(0))
        net = base / (1 + inclusive / 100)
        line.taxes = [
            {
                "amount": money.rounded(net * Decimal(str(rate["percentage"])) / 100),
                "rate": rate,
                "taxability_reason": None,
                "taxable_amount": money.rounded(net),
            }
            for rate in line.rates
        ]


def keep(work: Work, lines: list[Line], discount: Doc | None) -> list[str]:
    """Keep the lines as items of their own, or again after a change; gives their ids."""
    kept = []
    for line in lines:
        doc = shown(line, line.id or ids.new("li"))
        cut = [{"amount": line.discount, "discount": discount}] if discount is not None else []
        hidden = {"taxes": line.taxes, "discounts": cut, "rates": line.rates}
        if line.id:
            work.store.save(doc, hidden)
        else:
            work.store.insert(doc, hidden)
        kept.append(doc["id"])
    return kept


def again(work: Work, item: Doc, quantity: int) -> Line:
    """A kept line, to be worked out again."""
    return Line(
        price=item["price"],
        name=item["description"],
        quantity=quantity,
        subtotal=money.rounded(Decimal(item["price"]["unit_amount_decimal"]) * quantity),
        adjustable=item["adjustable_quantity"],
        metadata=item["metadata"],
        rates=work.hidden(item["id"])["rates"],
        id=item["id"],
    )


def shown(line: Line, item_id: str) -> Doc:
    """A line as the API shows it."""
    return {
        "id": item_id,
        "object": "item",
        "adjustable_quantity": line.adjustable,
        "amount_discount": line.discount,
        "amount_subtotal": line.subtotal,
        "amount_tax": line.tax,
        "amount_total": line.total,
        "currency": line.price["currency"],
        "description": line.name,
        "metadata": line.metadata,
        "price": line.price,
        "quantity": line.quantity,
    }


def totals(lines: list[Line], shipping: Doc | None = None) -> Doc:
    """The sums that a session shows, with what it costs to send."""
    sending = 0 if shipping is None else int(shipping["amount_total"])
    return {
        "amount_subtotal": sum(line.subtotal for line in lines),
        "amount_total": sum(line.total for line in lines) + sending,
        "shipping_cost": shipping,
        "total_details": {
            "amount_discount": sum(line.discount for line in lines),
            "amount_shipping": sending,
            "amount_tax": sum(line.tax for line in lines),
        },
    }


@on_request("item", "taxes")
def taxes_of(work: Work, doc: Doc) -> Any:
    """The taxes of a line, shown only on request."""
    return work.hidden(doc["id"]).get("taxes", [])


@on_request("item", "discounts")
def discounts_of(work: Work, doc: Doc) -> Any:
    """The discounts of a line, shown only on request."""
    return work.hidden(doc["id"]).get("discounts", [])
