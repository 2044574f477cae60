"""Idempotency keys: the first answer stands."""

from __future__ import annotations

import asyncio

import httpx
import pytest
import stripe

from tests.sandbox.stripe.running import SECRET_KEY, Running


def key(name: str) -> dict[str, str]:
    return {"Idempotency_Key": name}


def test_the_same_key_gets_the_first_answer_again(server: Running) -> None:
    first = server.raw("POST", "/v1/customers", "email=ann@example.com", **key("once"))
    again = server.raw("POST", "/v1/customers", "email=ann@example.com", **key("once"))
    assert again.text == first.text
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.headers["Original-Request"] == first.headers["Request-Id"]
    assert first.headers["Idempotency-Key"] == "once"


def test_another_key_or_none_acts_again(server: Running) -> None:
    answers = [
        server.raw("POST", "/v1/customers", "email=ann@example.com", **headers).json()["id"]
        for headers in (key("first"), key("second"), {}, {})
    ]
    assert len(set(answers)) == 4


def test_the_same_key_with_other_parameters_is_refused(client: stripe.StripeClient) -> None:
    client.v1.customers.create({"email": "ann@example.com"}, {"idempotency_key": "mine"})
    with pytest.raises(stripe.IdempotencyError) as refused:
        client.v1.customers.create({"email": "bob@example.com"}, {"idempotency_key": "mine"})
    assert refused.value.http_status == 400
    with pytest.raises(stripe.IdempotencyError):
        client.v1.products.create({"name": "Course"}, {"idempotency_key": "mine"})


def test_the_order_of_parameters_does_not_matter(server: Running) -> None:
    first = server.raw("POST", "/v1/customers", "email=a@example.com&name=Ann", **key("order"))
    again = server.raw("POST", "/v1/customers", "name=Ann&email=a@example.com", **key("order"))
    assert first.json()["id"] == again.json()["id"]


@pytest.mark.parametrize(
    "wrong",
    ["name=Ann&nonsense=1", "balance=much", "email=nobody", "payment_method=pm_nothere"],
    ids=["unknown", "wrong type", "wrong value", "missing object"],
)
def test_a_request_that_was_refused_for_its_parameters_leaves_the_key_free(server: Running, wrong: str) -> None:
    name = f"free {wrong}"
    assert server.raw("POST", "/v1/customers", wrong, **key(name)).status_code == 400
    assert server.raw("POST", "/v1/customers", "name=Ann", **key(name)).status_code == 200


def test_a_declined_card_is_kept_under_its_key(server: Running) -> None:
    body = "amount=500&currency=usd&payment_method=pm_card_chargeDeclined&confirm=true"
    first = server.raw("POST", "/v1/payment_intents", body, **key("declined"))
    again = server.raw("POST", "/v1/payment_intents", body, **key("declined"))
    assert first.status_code == again.status_code == 402
    assert again.headers["Idempotent-Replayed"] == "true"
    assert first.json()["error"]["payment_intent"]["id"] == again.json()["error"]["payment_intent"]["id"]


def test_a_key_has_at_most_255_characters(server: Running) -> None:
    assert server.raw("POST", "/v1/customers", "", **key("k" * 255)).status_code == 200
    assert server.raw("POST", "/v1/customers", "", **key("k" * 256)).status_code == 400


def test_reading_ignores_the_key(server: Running) -> None:
    made = server.raw("POST", "/v1/customers", "", **key("reading")).json()["id"]
    assert server.raw("GET", "/v1/customers", "limit=1", **key("reading")).json()["data"][0]["id"] == made


async def test_of_many_at_once_one_acts_and_the_others_wait_or_are_told(server: Running) -> None:
    """The first takes its time. On a machine so slow that it was done before anybody else came, it takes more."""
    for seconds in (0.5, 2.0, 8.0):
        answers = await at_once(server, 20, seconds=seconds, name=f"at once, {seconds} s")
        made = {answer.json()["id"] for answer in answers if answer.status_code == 200}
        told = [answer.json()["error"] for answer in answers if answer.status_code != 200]
        assert len(made) == 1
        assert {answer.status_code for answer in answers} <= {200, 409}
        assert all(error["code"] == "idempotency_key_in_use" for error in told)
        if told:
            return
    raise AssertionError("nobody met anybody")


async def at_once(server: Running, count: int, *, seconds: float, name: str) -> list[httpx.Response]:
    """The same request so many times; the first is in work for so long."""
    headers = {"Authorization": f"Bearer {SECRET_KEY}", "Idempotency-Key": name}
    server.behave(api_fault="slow", api_fault_seconds=seconds, api_fault_path="/v1/customers")
    async with httpx.AsyncClient(timeout=60) as client:
        return await asyncio.gather(
            *(client.post(f"{server.url}/v1/customers", data={"name": "Ann"}, headers=headers) for _ in range(count))
        )


def test_a_key_is_forgotten_after_a_day(server: Running) -> None:
    first = server.raw("POST", "/v1/customers", "name=Ann", **key("yesterday")).json()["id"]
    server.advance(24 * 3600 + 1)
    assert server.raw("POST", "/v1/customers", "name=Ann", **key("yesterday")).json()["id"] != first


# --- Faults -----------------------------------------------------------------------------------------


def test_a_lost_answer_is_given_again_and_nothing_is_done_twice(server: Running) -> None:
    server.behave(api_fault="cut", api_fault_path="/v1/customers")
    with pytest.raises(httpx.HTTPError):
        server.raw("POST", "/v1/customers", "email=cut@example.com", **key("cut"))
    again = server.raw("POST", "/v1/customers", "email=cut@example.com", **key("cut"))
    assert again.headers["Idempotent-Replayed"] == "true"
    found = server.raw("GET", "/v1/customers", "email=cut@example.com").json()["data"]
    assert [item["id"] for item in found] == [again.json()["id"]]


def test_the_client_gets_over_a_lost_answer_by_itself(server: Running) -> None:
    server.behave(api_fault="cut", api_fault_path="/v1/customers")
    made = server.client(max_network_retries=2).v1.customers.create({"email": "twice@example.com"})
    found = server.client().v1.customers.list({"email": "twice@example.com"}).data
    assert [item.id for item in found] == [made.id]


def test_a_fault_before_the_effect_can_be_tried_again(server: Running) -> None:
    server.behave(api_fault="error", api_fault_times=2)
    made = server.client(max_network_retries=2).v1.customers.create({"email": "again@example.com"})
    assert made.email == "again@example.com"


def test_a_kept_fault_stays_with_its_key(server: Running) -> None:
    server.behave(api_fault="error_kept")
    for _ in range(2):
        answer = server.raw("POST", "/v1/customers", "name=Ann", **key("kept"))
        assert (answer.status_code, answer.json()["error"]["type"]) == (500, "api_error")
    assert server.raw("POST", "/v1/customers", "name=Ann", **key("other")).status_code == 200


def test_too_many_requests_are_said_to_be_so(server: Running, client: stripe.StripeClient) -> None:
    server.behave(api_fault="limit")
    with pytest.raises(stripe.RateLimitError):
        client.v1.customers.list()
    client.v1.customers.list()


async def test_a_slow_request_keeps_its_key_busy(server: Running) -> None:
    for seconds in (0.5, 2.0, 8.0):
        first, second = await at_once(server, 2, seconds=seconds, name=f"slow, {seconds} s")
        if {first.status_code, second.status_code} == {200, 409}:
            return
    raise AssertionError("its key was free")
