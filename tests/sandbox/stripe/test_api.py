"""Who may ask, what is refused and how: the API before any resource."""

from __future__ import annotations

import base64

import pytest
import stripe

from app.sandbox.stripe.work import API_VERSION
from tests.sandbox.stripe.running import SECRET_KEY, Running, http


def error_of(server: Running, body: str, path: str = "/v1/products") -> dict[str, str]:
    answer = server.raw("POST", path, body)
    assert answer.status_code == 400, answer.text
    found: dict[str, str] = answer.json()["error"]
    assert found["type"] == "invalid_request_error"
    assert found["message"]
    return found


def test_the_local_stripe_speaks_the_version_that_the_client_pins() -> None:
    assert stripe.api_version == API_VERSION


def test_a_request_without_a_key_is_not_answered(server: Running) -> None:
    answer = server.raw("GET", "/v1/products", Authorization="")
    assert answer.status_code == 401
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_a_wrong_key_is_not_repeated_in_full(server: Running) -> None:
    with pytest.raises(stripe.AuthenticationError) as refused:
        server.client(api_key="sk_test_thisisnotthekeyofanyone").v1.products.list()
    assert refused.value.http_status == 401
    assert "thisisnotthekey" not in str(refused.value)


def test_a_publishable_key_is_not_enough(server: Running) -> None:
    assert server.raw("GET", "/v1/products", Authorization="Bearer pk_test_1").status_code == 401


def test_the_key_may_come_as_the_user_name_of_basic_authentication(server: Running) -> None:
    basic = base64.b64encode(f"{SECRET_KEY}:".encode()).decode()
    assert server.raw("GET", "/v1/products", Authorization=f"Basic {basic}").status_code == 200


def test_every_answer_names_its_request(server: Running) -> None:
    answer = server.raw("GET", "/v1/products")
    assert answer.headers["Request-Id"].startswith("req_")
    assert answer.headers["Stripe-Version"] == API_VERSION


def test_another_version_is_refused_rather_than_pretended(server: Running) -> None:
    assert server.raw("GET", "/v1/products", Stripe_Version="2019-01-01").status_code == 400
    assert server.raw("GET", "/v1/products", Stripe_Version=API_VERSION).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/nonsense"),
        ("GET", "/v1"),
        ("PUT", "/v1/products"),
        ("DELETE", "/v1/refunds/re_1"),
        ("GET", "/v1/products/search"),
    ],
)
def test_an_address_that_does_not_exist_is_said_not_to(server: Running, method: str, path: str) -> None:
    answer = server.raw(method, path)
    assert answer.status_code == 404
    assert f"({method}: {path})" in answer.json()["error"]["message"]


def test_an_unknown_parameter_is_refused_by_name(server: Running) -> None:
    error = error_of(server, "name=Course&colour=blue")
    assert (error["code"], error["param"]) == ("parameter_unknown", "colour")
    assert error["doc_url"].endswith("parameter-unknown")


def test_an_unknown_parameter_inside_another_is_refused_by_its_whole_name(server: Running) -> None:
    body = "mode=payment&line_items[0][price_data][currency]=eur&line_items[0][price_data][vat]=1"
    error = error_of(server, body, "/v1/checkout/sessions")
    assert error["param"] == "line_items[0][price_data][vat]"


def test_payment_method_types_are_gone_since_endive(server: Running) -> None:
    error = error_of(server, "amount=500&currency=usd&payment_method_types[]=card", "/v1/payment_intents")
    assert (error["code"], error["param"]) == ("parameter_unknown", "payment_method_types")


def test_a_missing_parameter_is_named(server: Running) -> None:
    assert error_of(server, "description=x")["param"] == "name"
    error = error_of(server, "unit_amount=5&recurring[interval_count]=1&currency=eur", "/v1/prices")
    assert (error["code"], error["param"]) == ("parameter_missing", "recurring[interval]")


@pytest.mark.parametrize(
    ("body", "path", "param", "code"),
    [
        ("amount=ten&currency=usd", "/v1/payment_intents", "amount", "parameter_invalid_integer"),
        ("amount=10.5&currency=usd", "/v1/payment_intents", "amount", "parameter_invalid_integer"),
        ("amount=500&currency=usd&confirm=yes", "/v1/payment_intents", "confirm", None),
        ("amount=500&currency=zzz", "/v1/payment_intents", "currency", None),
        ("amount=500&currency=usd&capture_method=later", "/v1/payment_intents", "capture_method", None),
        ("amount=500&currency=usd&shipping=here", "/v1/payment_intents", "shipping", None),
        ("name=Course&images=one", "/v1/products", "images", None),
        ("name[a]=Course", "/v1/products", "name", None),
        ("name=", "/v1/products", "name", "parameter_invalid_empty"),
        ("name=Course&metadata=x", "/v1/products", "metadata", None),
        (f"name={'x' * 5001}", "/v1/products", "name", None),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused(
    server: Running, body: str, path: str, param: str, code: str | None
) -> None:
    error = error_of(server, body, path)
    assert error["param"] == param
    if code:
        assert error["code"] == code


def test_arrays_may_be_sent_with_indexes_or_without(server: Running) -> None:
    for body in ("images[0]=a&images[1]=b", "images[]=a&images[]=b", "images[1]=b&images[0]=a"):
        answer = server.raw("POST", "/v1/products", f"name=Course&{body}")
        assert answer.json()["images"] == ["a", "b"]


def test_arrays_of_hashes_may_be_sent_without_indexes(server: Running, a_price: stripe.Price) -> None:
    lines = f"line_items[][price]={a_price.id}&line_items[][quantity]=1"
    lines += f"&line_items[][price]={a_price.id}&line_items[][quantity]=2"
    answer = server.raw(
        "POST",
        "/v1/checkout/sessions",
        f"mode=payment&success_url=https://example.com&{lines}&expand[]=line_items",
    )
    assert [line["quantity"] for line in answer.json()["line_items"]["data"]] == [1, 2]


def test_multipart_forms_are_read_too(server: Running) -> None:
    answer = http.post(
        f"{server.url}/v1/products",
        files={"name": (None, "Course"), "metadata[a]": (None, "b")},
        headers={"Authorization": f"Bearer {SECRET_KEY}"},
    )
    assert (answer.json()["name"], answer.json()["metadata"]) == ("Course", {"a": "b"})


def test_a_json_body_is_refused(server: Running) -> None:
    answer = server.raw("POST", "/v1/products", '{"name": "Course"}', Content_Type="application/json")
    assert answer.status_code == 400


def test_metadata_is_merged_key_by_key(client: stripe.StripeClient) -> None:
    made = client.v1.products.create({"name": "Course", "metadata": {"a": "1", "b": "2"}})
    changed = client.v1.products.update(made.id, {"metadata": {"a": "", "c": "3"}})
    assert changed.metadata.to_dict() == {"b": "2", "c": "3"}
    assert client.v1.products.update(made.id, {"metadata": ""}).metadata.to_dict() == {}


@pytest.mark.parametrize("metadata", [{f"key{n}": "x" for n in range(51)}, {"k" * 41: "x"}, {"k": "x" * 501}])
def test_metadata_has_limits(client: stripe.StripeClient, metadata: dict[str, str]) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.products.create({"name": "Course", "metadata": metadata})


def test_an_empty_string_unsets_what_may_be_unset(client: stripe.StripeClient) -> None:
    made = client.v1.products.create({"name": "Course", "description": "Long", "url": "https://example.com"})
    assert client.v1.products.update(made.id, {"description": "", "url": ""}).description is None
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.products.update(made.id, {"name": ""})
    assert refused.value.code == "parameter_invalid_empty"


def test_an_object_that_is_not_there_is_missing(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.products.retrieve("prod_nothere")
    assert (refused.value.http_status, refused.value.code) == (404, "resource_missing")
    assert (refused.value.param, "prod_nothere" in str(refused.value)) == ("id", True)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.prices.create({"currency": "eur", "unit_amount": 1, "product": "prod_nothere"})
    assert (refused.value.http_status, refused.value.code, refused.value.param) == (
        400,
        "resource_missing",
        "product",
    )


def test_an_id_of_another_kind_is_missing_too(client: stripe.StripeClient, a_price: stripe.Price) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.products.retrieve(a_price.id)
    assert refused.value.code == "resource_missing"


async def test_the_asynchronous_client_works_as_well(server: Running) -> None:
    client = server.client(http_client=stripe.HTTPXClient())
    made = await client.v1.products.create_async({"name": "Course"})
    assert (await client.v1.products.retrieve_async(made.id)).name == "Course"
    assert [item.id async for item in (await client.v1.products.list_async({"ids": [made.id]})).auto_paging_iter()] == [
        made.id
    ]


def test_the_older_style_of_the_client_works_as_well(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stripe, "api_key", SECRET_KEY)
    monkeypatch.setattr(stripe, "api_base", server.url)
    made = stripe.Product.create(name="Course")
    assert stripe.Product.modify(made.id, active=False).active is False
    assert stripe.Product.delete(made.id).deleted is True


# --- Lists ------------------------------------------------------------------------------------------


@pytest.fixture
def five(client: stripe.StripeClient) -> list[str]:
    """The ids of five customers, newest first."""
    return [client.v1.customers.create({"email": f"c{n}@example.com"}).id for n in range(5)][::-1]


def test_a_list_is_newest_first_and_says_whether_there_is_more(client: stripe.StripeClient, five: list[str]) -> None:
    page = client.v1.customers.list({"limit": 2})
    assert ([item.id for item in page.data], page.has_more, page.url) == (five[:2], True, "/v1/customers")
    page = client.v1.customers.list({"limit": 2, "starting_after": five[1]})
    assert ([item.id for item in page.data], page.has_more) == (five[2:4], True)
    page = client.v1.customers.list({"limit": 2, "ending_before": five[3]})
    assert ([item.id for item in page.data], page.has_more) == (five[1:3], True)
    page = client.v1.customers.list({"limit": 3, "ending_before": five[2]})
    assert ([item.id for item in page.data], page.has_more) == (five[:2], False)


def test_pages_can_be_walked_to_the_end(client: stripe.StripeClient, five: list[str]) -> None:
    walked = [item.id for item in client.v1.customers.list({"limit": 2}).auto_paging_iter()]
    assert walked[:5] == five
    assert len(set(walked)) == len(walked)


@pytest.mark.parametrize(
    "params",
    [{"limit": 0}, {"limit": 101}, {"starting_after": "cus_no"}, {"starting_after": "x", "ending_before": "y"}],
)
def test_a_list_refuses_what_is_no_page(client: stripe.StripeClient, params: dict[str, str]) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.customers.list(params)  # type: ignore[arg-type]
    assert refused.value.param in params


def test_a_list_can_be_limited_to_a_time(client: stripe.StripeClient, five: list[str]) -> None:
    now = client.v1.customers.retrieve(five[0]).created
    assert client.v1.customers.list({"created": {"gt": now}}).data == []
    assert five[0] in [item.id for item in client.v1.customers.list({"created": {"gte": now, "lt": now + 1}}).data]
    assert five[0] in [item.id for item in client.v1.customers.list({"created": now}).data]
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.customers.list({"created": {"since": now}})  # type: ignore[typeddict-unknown-key]
    assert refused.value.param == "created[since]"


# --- Expansion --------------------------------------------------------------------------------------


def test_ids_are_expanded_on_request_and_deeply(client: stripe.StripeClient, a_price: stripe.Price) -> None:
    client.v1.products.update(a_price.product, {"default_price": a_price.id})
    price = client.v1.prices.retrieve(a_price.id, {"expand": ["product.default_price.product"]})
    assert price.product.default_price.product.name == "Reading Price"
    page = client.v1.prices.list({"limit": 1, "expand": ["data.product"]})
    assert page.data[0].product.object == "product"


@pytest.mark.parametrize("path", ["unit_amount", "nonsense", "product.name", "product.nonsense.deeper", "data.product"])
def test_what_cannot_be_expanded_is_refused(client: stripe.StripeClient, a_price: stripe.Price, path: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.prices.retrieve(a_price.id, {"expand": [path]})
    assert path in str(refused.value)


def test_a_list_is_expanded_through_its_data(client: stripe.StripeClient, a_price: stripe.Price) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.prices.list({"expand": ["product"]})
    assert "data.product" in str(refused.value)


def test_expansion_goes_four_levels_deep_and_no_further(client: stripe.StripeClient, a_price: stripe.Price) -> None:
    client.v1.products.update(a_price.product, {"default_price": a_price.id})
    four = "product.default_price.product.default_price"
    client.v1.prices.retrieve(a_price.id, {"expand": [four]})
    client.v1.prices.list({"expand": [f"data.{four}"]})
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.prices.retrieve(a_price.id, {"expand": [f"{four}.product"]})


def test_a_wrong_expansion_undoes_the_request(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.products.create({"id": "prod_undone", "name": "Course", "expand": ["nonsense"]})
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.products.retrieve("prod_undone")
