"""Prices. https://docs.stripe.com/api/prices"""

from __future__ import annotations

from typing import Any

from stripe.params import PriceCreateParams, PriceListParams, PriceRetrieveParams, PriceUpdateParams

from app.sandbox.stripe import ids, lists, money, products
from app.sandbox.stripe.errors import InvalidRequest, WrongState, exclusive, missing
from app.sandbox.stripe.expansion import on_request
from app.sandbox.stripe.operations import operation
from app.sandbox.stripe.parameters import fresh_metadata, merged_metadata, name_of
from app.sandbox.stripe.store import Doc
from app.sandbox.stripe.work import Call, Work

# Longest billing period, in units of its interval: three years.
LONGEST = {"day": 1095, "week": 156, "month": 36, "year": 3}


@operation("POST", "/v1/prices", PriceCreateParams)
def create_price(call: Call) -> Doc:
    """Create a price for a product, or with a new product when `product_data` is sent."""
    params = call.params
    product = product_of(call, params, "")
    doc = build(call, {**params, "product": product["id"]}, "")
    if "product_data" in params:
        call.insert(product, event="product.created")
    hidden: Doc = {name: doc.pop(name) for name in ("tiers", "currency_options") if name in doc}
    return call.insert(doc, event="price.created", hidden=hidden)


def product_of(work: Work, params: Doc, path: str) -> Doc:
    """The product that a price is for: an existing one, or a new one that is not kept yet."""
    product, data = name_of(path, "product"), name_of(path, "product_data")
    if "product" in params and "product_data" in params:
        raise exclusive(product, data)
    if "product_data" in params:
        return products.new_product(work, params["product_data"], data)
    if "product" not in params:
        raise missing(product)
    return work.get("product", params["product"], product)


def build(work: Work, params: Doc, path: str) -> Doc:
    """A price that is not kept yet; moves a lookup key when asked to."""
    currency = money.currency_of(params["currency"], name_of(path, "currency"))
    whole, decimal = _amount(params, path)
    doc: Doc = {
        "id": ids.new("price"),
        "object": "price",
        "active": params.get("active", True),
        "billing_scheme": params.get("billing_scheme", "per_unit"),
        "created": work.now,
        "currency": currency,
        "custom_unit_amount": _custom(params.get("custom_unit_amount")),
        "livemode": False,
        "lookup_key": params.get("lookup_key"),
        "metadata": fresh_metadata(params.get("metadata", {})),
        "nickname": params.get("nickname"),
        "product": params["product"],
        "recurring": _recurring(params.get("recurring"), name_of(path, "recurring")),
        "tax_behavior": params.get("tax_behavior", "unspecified"),
        "tiers_mode": params.get("tiers_mode"),
        "transform_quantity": params.get("transform_quantity"),
        "type": "recurring" if "recurring" in params else "one_time",
        "unit_amount": whole,
        "unit_amount_decimal": decimal,
    }
    if "tiers" in params:
        doc["tiers"] = [_tier(tier, name_of(path, "tiers"), place) for place, tier in enumerate(params["tiers"])]
    if "currency_options" in params:
        doc["currency_options"] = _options(params["currency_options"], name_of(path, "currency_options"))
    _claim_lookup_key(work, doc, transfer=params.get("transfer_lookup_key", False))
    return doc


def _amount(params: Doc, path: str) -> tuple[int | None, str | None]:
    """Exactly one way to say the amount: per unit, chosen by the buyer, or in tiers."""
    if params.get("billing_scheme") == "tiered":
        if "tiers" not in params:
            raise missing(name_of(path, "tiers"))
        if "tiers_mode" not in params:
            raise missing(name_of(path, "tiers_mode"))
        for name in ("unit_amount", "unit_amount_decimal", "custom_unit_amount", "transform_quantity"):
            if name in params:
                raise exclusive(name_of(path, "tiers"), name_of(path, name))
        return None, None
    for name in ("tiers", "tiers_mode"):
        if name in params:
            raise InvalidRequest(f"{name} can only be sent with billing_scheme=tiered.", param=name_of(path, name))
    whole, decimal = money.unit_amounts(params.get("unit_amount"), params.get("unit_amount_decimal"), path)
    custom = (params.get("custom_unit_amount") or {}).get("enabled", False)
    if custom and decimal is not None:
        raise exclusive(name_of(path, "custom_unit_amount"), name_of(path, "unit_amount"))
    if custom and "recurring" in params:
        raise InvalidRequest(
            "A recurring price cannot have a custom_unit_amount.", param=name_of(path, "custom_unit_amount")
        )
    if not custom and decimal is None:
        raise InvalidRequest(
            "Prices need an amount: send unit_amount, unit_amount_decimal or custom_unit_amount.",
            code="parameter_missing",
            param=name_of(path, "unit_amount"),
        )
    return whole, decimal


def _custom(sent: Doc | None) -> Doc | None:
    if sent is None or not sent["enabled"]:
        return None
    return {name: sent.get(name) for name in ("maximum", "minimum", "preset")}


def _recurring(sent: Doc | None, path: str) -> Doc | None:
    if sent is None:
        return None
    count = sent.get("interval_count", 1)
    if not 1 <= count <= LONGEST[sent["interval"]]:
        raise InvalidRequest(
            "A billing period is at least one interval and at most three years long.",
            param=f"{path}[interval_count]",
        )
    return {
        "interval": sent["interval"],
        "interval_count": count,
        "meter": sent.get("meter"),
        "trial_period_days": sent.get("trial_period_days"),
        "usage_type": sent.get("usage_type", "licensed"),
    }


def _tier(sent: Doc, path: str, place: int) -> Doc:
    flat, flat_decimal = money.unit_amounts(sent.get("flat_amount"), sent.get("flat_amount_decimal"))
    unit, unit_decimal = money.unit_amounts(sent.get("unit_amount"), sent.get("unit_amount_decimal"))
    if flat_decimal is None and unit_decimal is None:
        raise InvalidRequest("A tier needs an amount per unit or a flat amount.", param=f"{path}[{place}]")
    return {
        "flat_amount": flat,
        "flat_amount_decimal": flat_decimal,
        "unit_amount": unit,
        "unit_amount_decimal": unit_decimal,
        "up_to": None if sent["up_to"] == "inf" else sent["up_to"],
    }


def _options(sent: dict[str, Doc], path: str) -> Doc:
    options: Doc = {}
    for currency, option in sent.items():
        name = f"{path}[{currency}]"
        whole, decimal = money.unit_amounts(option.get("unit_amount"), option.get("unit_amount_decimal"), name)
        options[money.currency_of(currency, name)] = {
            "custom_unit_amount": _custom(option.get("custom_unit_amount")),
            "tax_behavior": option.get("tax_behavior", "unspecified"),
            "unit_amount": whole,
            "unit_amount_decimal": decimal,
        }
    return options


def _claim_lookup_key(work: Work, doc: Doc, *, transfer: bool) -> None:
    """A lookup key belongs to one price; it moves from another only when asked to."""
    key = doc["lookup_key"]
    if key is None:
        return
    for other in work.store.find("price", lists.equals({"key": key}, key="lookup_key")):
        if other["id"] == doc["id"]:
            continue
        if not transfer:
            raise InvalidRequest(
                f"The lookup key '{key}' belongs to {other['id']}; send transfer_lookup_key=true to move it.",
                param="lookup_key",
            )
        work.change(other, {"lookup_key": None}, event="price.updated")


@operation("GET", "/v1/prices/{id}", PriceRetrieveParams)
def retrieve_price(call: Call) -> Doc:
    """One price."""
    return call.named("price", "price")


@operation("POST", "/v1/prices/{id}", PriceUpdateParams, unsettable=("nickname", "lookup_key"))
def update_price(call: Call) -> Doc:
    """Change what may change of a price: never its amount, currency or period."""
    doc, params = call.named("price", "price"), call.params
    changes: dict[str, Any] = {name: params[name] for name in ("active", "nickname", "lookup_key") if name in params}
    if params.get("active") is False:
        _not_default(call, doc)
    if "metadata" in params:
        changes["metadata"] = merged_metadata(doc["metadata"], params["metadata"])
    if "tax_behavior" in params:
        changes["tax_behavior"] = _settled_tax_behavior(doc, params["tax_behavior"])
    if "currency_options" in params:
        hidden = call.hidden(doc["id"])
        sent = _options(params["currency_options"] or {}, "currency_options")
        hidden["currency_options"] = {**hidden.get("currency_options", {}), **sent}
        call.store.save(doc, hidden)
    if params.get("lookup_key"):
        _claim_lookup_key(call, {**doc, **changes}, transfer=params.get("transfer_lookup_key", False))
    return call.change(doc, changes, event="price.updated")


def _not_default(call: Call, doc: Doc) -> None:
    product = call.find(doc["product"], "product")
    if product is not None and product["default_price"] == doc["id"]:
        raise WrongState("This price cannot be archived because it is the default price of its product.")


def _settled_tax_behavior(doc: Doc, wanted: str) -> str:
    if doc["tax_behavior"] not in ("unspecified", wanted):
        raise InvalidRequest(
            f"The tax behavior of a price cannot change once it is set (it is {doc['tax_behavior']}).",
            param="tax_behavior",
        )
    return wanted


@operation("GET", "/v1/prices", PriceListParams)
def list_prices(call: Call) -> Doc:
    """Prices, newest first."""
    params = call.params
    where = lists.equals(params, active="active", currency="currency", product="product", type="type")
    where += lists.equals(
        params.get("recurring", {}),
        interval="recurring.interval",
        usage_type="recurring.usage_type",
        meter="recurring.meter",
    )
    if "lookup_keys" in params:
        if len(params["lookup_keys"]) > 10:
            raise InvalidRequest("At most 10 lookup keys can be asked for.", param="lookup_keys")
        where.append(lists.one_of("lookup_key", params["lookup_keys"]))
    return lists.page(call, "price", where)


@on_request("price", "tiers")
def tiers_of(work: Work, doc: Doc) -> list[Doc]:
    """The tiers of a price, shown only on request."""
    tiers: list[Doc] = work.hidden(doc["id"]).get("tiers", [])
    return tiers


@on_request("price", "currency_options")
def currency_options_of(work: Work, doc: Doc) -> Doc:
    """The price in each of its currencies, its own first."""
    own = {name: doc[name] for name in ("custom_unit_amount", "tax_behavior", "unit_amount", "unit_amount_decimal")}
    return {doc["currency"]: own, **work.hidden(doc["id"]).get("currency_options", {})}
