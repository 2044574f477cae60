"""Products, prices, customers, coupons and events: what may be made, changed and deleted."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

DATA = {"name": "Reading Price"}


def refused(act: Any) -> stripe.InvalidRequestError:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        act()
    return caught.value


def test_a_product_with_a_price_of_its_own(client: stripe.StripeClient) -> None:
    made = client.v1.products.create({"name": "Course", "default_price_data": {"currency": "eur", "unit_amount": 100}})
    price = client.v1.prices.retrieve(made.default_price)
    assert (price.product, price.unit_amount, price.unit_amount_decimal) == (made.id, 100, 100)
    kinds = [event.type for event in client.v1.events.list({"limit": 2}).data]
    assert kinds == ["price.created", "product.created"]
    assert "default" in str(refused(lambda: client.v1.prices.update(price.id, {"active": False})))


def test_a_product_with_prices_cannot_be_deleted_and_one_without_can(client: stripe.StripeClient) -> None:
    made = client.v1.products.create({"name": "Course"})
    client.v1.prices.create({"product": made.id, "currency": "eur", "unit_amount": 100})
    assert refused(lambda: client.v1.products.delete(made.id)).http_status == 400
    bare = client.v1.products.create({"name": "Bare"})
    gone = client.v1.products.delete(bare.id)
    assert (gone.id, gone.deleted) == (bare.id, True)
    assert refused(lambda: client.v1.products.retrieve(bare.id)).http_status == 404
    assert bare.id not in [item.id for item in client.v1.products.list({"limit": 100}).data]


def test_a_product_may_bring_its_own_id_once(client: stripe.StripeClient) -> None:
    client.v1.products.create({"id": "course-1", "name": "Course"})
    assert refused(lambda: client.v1.products.create({"id": "course-1", "name": "Course"})).code == (
        "resource_already_exists"
    )


def test_products_are_found_by_what_they_are(client: stripe.StripeClient) -> None:
    off = client.v1.products.create({"name": "Off", "active": False, "url": "https://example.com/off"})
    on = client.v1.products.create({"name": "On"})
    found = [item.id for item in client.v1.products.list({"active": False, "limit": 100}).data]
    assert off.id in found
    assert on.id not in found
    assert [item.id for item in client.v1.products.list({"url": "https://example.com/off"}).data] == [off.id]
    assert {item.id for item in client.v1.products.list({"ids": [off.id, on.id]}).data} == {off.id, on.id}


@pytest.mark.parametrize(
    "params",
    [
        {"currency": "eur", "unit_amount": 100},
        {"currency": "eur", "product_data": DATA},
        {"unit_amount": 100, "product_data": DATA},
        {"currency": "eur", "unit_amount": -1, "product_data": DATA},
        {"currency": "eur", "unit_amount": 100, "unit_amount_decimal": "100", "product_data": DATA},
        {"currency": "eur", "unit_amount": 100, "product_data": DATA, "product": "prod_1"},
        {"currency": "eur", "unit_amount": 100, "product_data": DATA, "tiers_mode": "volume"},
        {"currency": "eur", "billing_scheme": "tiered", "tiers_mode": "volume", "product_data": DATA},
        {
            "currency": "eur",
            "unit_amount": 100,
            "product_data": DATA,
            "recurring": {"interval": "year", "interval_count": 4},
        },
        {"currency": "eur", "unit_amount_decimal": "much", "product_data": DATA},
    ],
)
def test_a_price_that_stripe_refuses_is_refused(client: stripe.StripeClient, params: Any) -> None:
    assert refused(lambda: client.v1.prices.create(params)).http_status == 400


def test_the_amount_of_a_price_never_changes(client: stripe.StripeClient, a_price: stripe.Price) -> None:
    for name, value in {"unit_amount": 1, "currency": "usd", "product": "prod_1", "recurring": {}}.items():
        error = refused(lambda name=name, value=value: client.v1.prices.update(a_price.id, {name: value or "x"}))
        assert (error.code, error.param) == ("parameter_unknown", name)
    changed = client.v1.prices.update(a_price.id, {"nickname": "Early", "active": False, "tax_behavior": "inclusive"})
    assert (changed.nickname, changed.active, changed.tax_behavior) == ("Early", False, "inclusive")
    assert refused(lambda: client.v1.prices.update(a_price.id, {"tax_behavior": "exclusive"})).param == "tax_behavior"


def test_a_lookup_key_moves_only_when_told_to(client: stripe.StripeClient) -> None:
    first = client.v1.prices.create(
        {"currency": "eur", "unit_amount": 1, "product_data": DATA, "lookup_key": "course_1"}
    )
    params: Any = {"currency": "eur", "unit_amount": 2, "product_data": DATA, "lookup_key": "course_1"}
    assert refused(lambda: client.v1.prices.create(params)).param == "lookup_key"
    second = client.v1.prices.create({**params, "transfer_lookup_key": True})
    assert client.v1.prices.retrieve(first.id).lookup_key is None
    assert [item.id for item in client.v1.prices.list({"lookup_keys": ["course_1"]}).data] == [second.id]


def test_fractions_of_a_cent_have_no_whole_amount(client: stripe.StripeClient) -> None:
    made = client.v1.prices.create({"currency": "usd", "unit_amount_decimal": "0.5", "product_data": DATA})
    assert made.unit_amount is None
    assert str(made.unit_amount_decimal) == "0.5"


def test_a_customer_is_made_changed_and_deleted(client: stripe.StripeClient) -> None:
    made = client.v1.customers.create({"email": "ann@example.com", "name": "Ann", "metadata": {"a": "1"}})
    changed = client.v1.customers.update(made.id, {"name": "", "metadata": {"b": "2"}})
    assert (changed.name, changed.email, changed.metadata.to_dict()) == (None, "ann@example.com", {"a": "1", "b": "2"})
    event = client.v1.events.list({"type": "customer.updated", "limit": 1}).data[0]
    assert event.data.previous_attributes.to_dict() == {"name": "Ann", "metadata": {"b": None}}
    assert client.v1.customers.delete(made.id).deleted is True
    assert client.v1.customers.retrieve(made.id).deleted is True
    assert refused(lambda: client.v1.customers.update(made.id, {"name": "Ann"})).code == "resource_missing"
    assert refused(lambda: client.v1.customers.delete(made.id)).http_status == 404


def test_a_customer_without_a_real_address_is_refused(client: stripe.StripeClient) -> None:
    assert refused(lambda: client.v1.customers.create({"email": "nobody"})).param == "email"


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"percent_off": 10, "amount_off": 100, "currency": "eur"},
        {"percent_off": 101},
        {"amount_off": 100},
        {"percent_off": 10, "duration": "repeating"},
        {"percent_off": 10, "duration": "always"},
    ],
)
def test_a_coupon_that_stripe_refuses_is_refused(client: stripe.StripeClient, params: Any) -> None:
    assert refused(lambda: client.v1.coupons.create(params)).http_status == 400


def test_a_coupon_ends_with_time_and_with_use(client: stripe.StripeClient, a_session: Any, server: Any) -> None:
    once = client.v1.coupons.create({"percent_off": 10, "max_redemptions": 1, "id": "ONCE"})
    server.buy(a_session(discounts=[{"coupon": "ONCE"}]))
    assert client.v1.coupons.retrieve(once.id).valid is False
    assert refused(lambda: a_session(discounts=[{"coupon": "ONCE"}])).http_status == 400
    soon = client.v1.coupons.create({"percent_off": 10, "redeem_by": once.created + 60})
    server.advance(61)
    assert client.v1.coupons.retrieve(soon.id).valid is False


def test_a_coupon_for_some_products_leaves_the_others_alone(client: stripe.StripeClient, a_session: Any) -> None:
    course, book = (client.v1.products.create({"name": name}).id for name in ("Course", "Book"))
    coupon = client.v1.coupons.create({"percent_off": 50, "applies_to": {"products": [book]}})
    lines = [
        {"price_data": {"currency": "eur", "unit_amount": 1000, "product": product}, "quantity": 1}
        for product in (course, book)
    ]
    session = a_session(line_items=lines, discounts=[{"coupon": coupon.id}], expand=["line_items"])
    assert [line.amount_discount for line in session.line_items.data] == [0, 500]


def test_events_are_found_by_type_and_time(client: stripe.StripeClient) -> None:
    made = client.v1.customers.create()
    client.v1.customers.update(made.id, {"name": "Ann"})
    client.v1.customers.delete(made.id)
    one = client.v1.events.list({"type": "customer.deleted", "limit": 1}).data[0]
    assert one.data.object.id == made.id
    some = client.v1.events.list({"types": ["customer.created", "customer.deleted"], "limit": 2}).data
    assert [event.type for event in some] == ["customer.deleted", "customer.created"]
    every = client.v1.events.list({"type": "customer.*", "limit": 3}).data
    assert [event.type for event in every] == ["customer.deleted", "customer.updated", "customer.created"]
    for bound, is_there in (("gte", True), ("gt", False)):
        found = client.v1.events.list({"type": "customer.deleted", "created": {bound: one.created}}).data
        assert (one.id in [event.id for event in found]) == is_there
    assert refused(lambda: client.v1.events.list({"type": "a", "types": ["b"]})).code == "parameters_exclusive"


def test_events_are_kept_for_thirty_days(client: stripe.StripeClient, server: Any) -> None:
    client.v1.customers.create()
    server.advance(31 * 24 * 3600)
    assert client.v1.events.list({"type": "customer.created"}).data == []
