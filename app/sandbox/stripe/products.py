"""Products. https://docs.stripe.com/api/products"""

from __future__ import annotations

from typing import Any

from stripe.params import (
    ProductCreateParams,
    ProductDeleteParams,
    ProductListParams,
    ProductRetrieveParams,
    ProductUpdateParams,
)

from app.sandbox.stripe import ids, lists, prices
from app.sandbox.stripe.errors import InvalidRequest, WrongState, exclusive
from app.sandbox.stripe.operations import operation
from app.sandbox.stripe.parameters import check_descriptor, fresh_metadata, merged_metadata
from app.sandbox.stripe.store import Doc
from app.sandbox.stripe.work import Call, Work, deleted

MOST_IMAGES = 8
MOST_FEATURES = 15


@operation("POST", "/v1/products", ProductCreateParams)
def create_product(call: Call) -> Doc:
    """Create a product, with its default price when `default_price_data` is sent."""
    params = dict(call.params)
    price_data = params.pop("default_price_data", None)
    doc = new_product(call, params)
    if price_data is not None:
        price = prices.build(call, {**price_data, "product": doc["id"]}, "default_price_data")
        doc["default_price"] = price["id"]
        call.insert(doc, event="product.created")
        call.insert(price, event="price.created")
    else:
        call.insert(doc, event="product.created")
    return doc


def new_product(work: Work, params: Doc, path: str = "") -> Doc:
    """A product that is not kept yet. Raises InvalidRequest when its id is taken."""
    _check(params, path)
    product_id = params.get("id") or ids.new("prod")
    if work.store.get(product_id) is not None:
        raise InvalidRequest(f"Product already exists: {product_id}", code="resource_already_exists", param="id")
    return {
        "id": product_id,
        "object": "product",
        "active": params.get("active", True),
        "created": work.now,
        "default_price": None,
        "description": params.get("description"),
        "images": params.get("images", []),
        "livemode": False,
        "marketing_features": params.get("marketing_features", []),
        "metadata": fresh_metadata(params.get("metadata", {})),
        "name": params["name"],
        "package_dimensions": params.get("package_dimensions"),
        "shippable": params.get("shippable"),
        "statement_descriptor": params.get("statement_descriptor"),
        "tax_code": params.get("tax_code"),
        "tax_details": _tax_details(params),
        "type": params.get("type", "service"),
        "unit_label": params.get("unit_label"),
        "updated": work.now,
        "url": params.get("url"),
    }


def _tax_details(params: Doc) -> Doc | None:
    sent = params.get("tax_details")
    if sent is None:
        return None
    return {"performance_location": sent.get("performance_location"), "tax_code": sent.get("tax_code")}


def _check(params: Doc, path: str = "") -> None:
    def named(name: str) -> str:
        return f"{path}[{name}]" if path else name

    check_descriptor(params.get("statement_descriptor"), named("statement_descriptor"))
    if len(params.get("images") or []) > MOST_IMAGES:
        raise InvalidRequest(f"A product can have at most {MOST_IMAGES} images.", param=named("images"))
    if len(params.get("marketing_features") or []) > MOST_FEATURES:
        raise InvalidRequest(
            f"A product can have at most {MOST_FEATURES} marketing features.",
            param=named("marketing_features"),
        )
    for feature in params.get("marketing_features") or []:
        if len(feature["name"]) > 80:
            raise InvalidRequest(
                "A marketing feature can have at most 80 characters.", param=named("marketing_features")
            )
    if params.get("tax_code") and (params.get("tax_details") or {}).get("tax_code"):
        raise exclusive(named("tax_code"), f"{named('tax_details')}[tax_code]")
    code = params.get("tax_code")
    if code is not None and not code.startswith("txcd_"):
        raise InvalidRequest(f"Invalid tax code: {code}", param=named("tax_code"))


@operation("GET", "/v1/products/{id}", ProductRetrieveParams)
def retrieve_product(call: Call) -> Doc:
    """One product."""
    return call.named("product")


@operation("POST", "/v1/products/{id}", ProductUpdateParams)
def update_product(call: Call) -> Doc:
    """Change a product. Sent fields are replaced; metadata is merged."""
    doc, params = call.named("product"), call.params
    _check(params)
    changes: dict[str, Any] = {name: value for name, value in params.items() if name != "metadata"}
    for name in ("images", "marketing_features"):
        if name in changes and changes[name] is None:
            changes[name] = []
    if "tax_details" in changes:
        changes["tax_details"] = _tax_details(params)
    if "metadata" in params:
        changes["metadata"] = merged_metadata(doc["metadata"], params["metadata"])
    if "default_price" in params:
        price = call.get("price", params["default_price"], "default_price")
        if price["product"] != doc["id"] or not price["active"]:
            raise InvalidRequest(
                f"The price {price['id']} cannot be the default: it must be active and of this product.",
                param="default_price",
            )
    if any(doc.get(name) != value for name, value in changes.items()):
        changes["updated"] = call.now
    return call.change(doc, changes, event="product.updated")


@operation("DELETE", "/v1/products/{id}", ProductDeleteParams)
def delete_product(call: Call) -> Doc:
    """Delete a product that has no prices."""
    doc = call.named("product")
    if call.store.find("price", lists.equals({"product": doc["id"]}, product="product"), limit=1):
        raise WrongState(
            "This product cannot be deleted because it has one or more prices. Set active to false instead."
        )
    call.store.bury(doc["id"])
    call.emit("product.deleted", doc)
    return deleted(doc)


@operation("GET", "/v1/products", ProductListParams)
def list_products(call: Call) -> Doc:
    """Products, newest first."""
    params = call.params
    where = lists.equals(params, active="active", shippable="shippable", type="type", url="url")
    if "ids" in params:
        for cursor in ("starting_after", "ending_before"):
            if cursor in params:
                raise exclusive("ids", cursor)
        where.append(lists.one_of("id", params["ids"]))
    return lists.page(call, "product", where)
