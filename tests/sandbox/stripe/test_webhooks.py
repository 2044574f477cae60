"""Webhooks: signed, tried again, and on request late, twice and in the wrong order."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
import stripe

from app.sandbox.stripe import signatures
from tests.sandbox.stripe import contract
from tests.sandbox.stripe.running import SIGNING_SECRET, Inbox, Running, an_inbox, http, running, wait_until


def test_a_signature_is_the_one_that_stripe_makes() -> None:
    folder = contract.description_file()
    if folder is None:
        pytest.skip(contract.REASON)
    vector = json.loads((folder.parent.parent / "signature-vectors.json").read_text("utf-8"))["stripe_signature"]
    made = signatures.header(vector["secret"], vector["body"].encode(), vector["timestamp"])
    assert made == vector["header"]


def test_an_event_is_delivered_signed_over_its_exact_bytes(client: stripe.StripeClient, inbox: Inbox) -> None:
    made = client.v1.products.create({"name": "Kovač"})
    received = wait_until(lambda: inbox.received and inbox.received[0])
    assert received.event.type == "product.created"
    assert received.event.data.object.id == made.id
    assert received.event.request.id == made.last_response.request_id
    assert received.event.request.idempotency_key
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(received.body + b" ", received.signature, SIGNING_SECRET)
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(received.body, received.signature, "whsec_another")
    assert abs(int(received.signature.split(",")[0].removeprefix("t=")) - time.time()) < 60


def test_the_delivered_event_is_the_one_that_the_api_shows(client: stripe.StripeClient, inbox: Inbox) -> None:
    client.v1.products.create({"name": "Course"})
    event = wait_until(lambda: inbox.events("product.created"))[0]
    assert event.pending_webhooks == 1
    wait_until(lambda: client.v1.events.retrieve(event.id).pending_webhooks == 0)
    shown = client.v1.events.retrieve(event.id)
    assert shown.data.object.to_dict() == event.data.object.to_dict()


def test_an_update_tells_what_was_there_before(client: stripe.StripeClient) -> None:
    made = client.v1.products.create({"name": "Course", "metadata": {"a": "1", "b": "2"}})
    client.v1.products.update(made.id, {"name": "Other", "metadata": {"a": "", "c": "3"}})
    event = client.v1.events.list({"type": "product.updated", "limit": 1}).data[0]
    previous = event.data.previous_attributes.to_dict()
    previous.pop("updated", None)
    assert previous == {"name": "Course", "metadata": {"a": "1", "c": None}}


def test_an_update_that_changes_nothing_is_no_event(client: stripe.StripeClient) -> None:
    made = client.v1.products.create({"name": "Course"})
    client.v1.products.update(made.id, {"name": "Course"})
    assert client.v1.events.list({"limit": 1}).data[0].type == "product.created"


def test_a_delivery_that_fails_is_tried_again_later_and_later(
    server: Running, client: stripe.StripeClient, inbox: Inbox
) -> None:
    server.behave(delivery_backoff=0.2)
    inbox.answers[:] = [500, 404, 302]
    client.v1.products.create({"name": "Course"})
    wait_until(lambda: len(inbox.received) == 4)
    assert len({item.event.id for item in inbox.received}) == 1
    gaps = [late.at - early.at for early, late in zip(inbox.received, inbox.received[1:], strict=False)]
    assert gaps[0] >= 0.2
    assert gaps[1] >= 0.4
    assert gaps[2] >= 0.8
    event = inbox.received[0].event.id
    wait_until(lambda: client.v1.events.retrieve(event).pending_webhooks == 0)
    (delivery,) = http.get(f"{server.url}/_sandbox/deliveries", params={"event": event}).json()
    assert (delivery["state"], [item["status"] for item in delivery["tries"]]) == (
        "delivered",
        [500, 404, 302, 200],
    )


def test_a_delivery_is_given_up_after_the_last_attempt(
    server: Running, client: stripe.StripeClient, inbox: Inbox
) -> None:
    server.behave(delivery_backoff=0.05, delivery_attempts=2)
    inbox.answers[:] = [500, 500]
    client.v1.products.create({"name": "Course"})
    wait_until(lambda: len(inbox.received) == 2)
    event = inbox.received[0].event.id
    assert event in [item.id for item in client.v1.events.list({"delivery_success": False}).data]
    time.sleep(0.3)
    assert len(inbox.received) == 2


def test_an_endpoint_that_is_too_slow_has_failed(server: Running, client: stripe.StripeClient, inbox: Inbox) -> None:
    server.behave(delivery_timeout=0.2, delivery_backoff=0.1)
    inbox.slow = 0.5
    client.v1.products.create({"name": "Course"})
    wait_until(lambda: len(inbox.received) >= 2)
    inbox.slow = 0.0
    wait_until(lambda: client.v1.events.list({"limit": 1}).data[0].pending_webhooks == 0)


def test_events_can_be_late(server: Running, client: stripe.StripeClient, inbox: Inbox) -> None:
    server.behave(delivery_delay=0.6)
    began = time.time()
    client.v1.products.create({"name": "Course"})
    received = wait_until(lambda: inbox.received and inbox.received[0])
    assert received.at - began >= 0.6


def test_events_can_come_several_times(server: Running, client: stripe.StripeClient, inbox: Inbox) -> None:
    server.behave(delivery_copies=3)
    client.v1.products.create({"name": "Course"})
    wait_until(lambda: len(inbox.received) == 3)
    assert len({item.event.id for item in inbox.received}) == 1
    assert inbox.events()[0].pending_webhooks == 1


def test_events_can_come_all_at_once(server: Running, client: stripe.StripeClient, inbox: Inbox) -> None:
    server.behave(delivery_copies=20, delivery_parallel=20)
    inbox.slow = 2.0
    client.v1.products.create({"name": "Course"})
    wait_until(lambda: len(inbox.received) == 20)
    times = [item.at for item in inbox.received]
    # None had been answered when the last came.
    assert max(times) - min(times) < 2.0


def test_events_can_come_in_the_wrong_order(server: Running, a_session: Any, inbox: Inbox) -> None:
    session = a_session()
    wait_until(lambda: len(inbox.received) == 2)
    inbox.clear()
    server.behave(delivery_order="reversed", delivery_window=0.5)
    server.buy(session)
    wait_until(lambda: len(inbox.received) == 5)
    assert inbox.kinds() == [
        "charge.updated",
        "checkout.session.completed",
        "payment_intent.succeeded",
        "charge.succeeded",
        "payment_intent.created",
    ]


def test_events_can_be_shuffled_and_still_all_come(server: Running, client: stripe.StripeClient, inbox: Inbox) -> None:
    server.behave(delivery_order="shuffled", delivery_window=0.4)
    made = [client.v1.products.create({"name": f"Course {n}"}).id for n in range(12)]
    wait_until(lambda: len(inbox.received) == 12)
    came = [event.data.object.id for event in inbox.events()]
    assert sorted(came) == sorted(made)
    assert came != made


def test_events_can_be_held_and_let_go(server: Running, client: stripe.StripeClient, inbox: Inbox) -> None:
    server.behave(delivery_paused=True)
    client.v1.products.create({"name": "First"})
    client.v1.products.create({"name": "Second"})
    time.sleep(0.3)
    assert inbox.received == []
    server.behave(delivery_paused=False)
    wait_until(lambda: len(inbox.received) == 2)
    assert [event.data.object.name for event in inbox.events()] == ["First", "Second"]


def test_an_event_can_be_sent_again(server: Running, client: stripe.StripeClient, inbox: Inbox) -> None:
    client.v1.products.create({"name": "Course"})
    event = wait_until(lambda: inbox.events("product.created"))[0]
    answer = http.post(f"{server.url}/_sandbox/events/{event.id}/resend")
    assert answer.json() == {"endpoints": 1}
    wait_until(lambda: len(inbox.received) == 2)
    assert inbox.received[0].body == inbox.received[1].body
    assert http.post(f"{server.url}/_sandbox/events/evt_nothere/resend").status_code == 404


@pytest.mark.parametrize(
    "wrong", [{"nonsense": 1}, {"delivery_order": "sideways"}, {"delivery_copies": "many"}, {"delivery_delay": -1}]
)
def test_a_switch_that_does_not_exist_is_refused(server: Running, wrong: dict[str, Any]) -> None:
    answer = http.post(f"{server.url}/_sandbox/behaviour", json=wrong)
    assert answer.status_code == 400
    assert next(iter(wrong)) in answer.json()["error"]


def test_switches_can_be_sent_as_a_form(server: Running) -> None:
    answer = http.post(f"{server.url}/_sandbox/behaviour", data={"delivery_copies": "2"})
    assert answer.json()["delivery_copies"] == 2
    assert http.get(f"{server.url}/_sandbox/behaviour").json()["delivery_copies"] == 2


# --- Endpoints --------------------------------------------------------------------------------------


def test_an_endpoint_made_through_the_api_gets_what_it_asked_for(client: stripe.StripeClient) -> None:
    with an_inbox() as other:
        made = client.v1.webhook_endpoints.create({"url": other.url, "enabled_events": ["price.created"]})
        assert made.secret.startswith("whsec_")
        assert not hasattr(client.v1.webhook_endpoints.retrieve(made.id), "secret")
        client.v1.prices.create({"currency": "eur", "unit_amount": 100, "product_data": {"name": "Course"}})
        received = wait_until(lambda: other.received and other.received[0])
        event = stripe.Webhook.construct_event(received.body, received.signature, made.secret)
        assert event.type == "price.created"
        client.v1.webhook_endpoints.update(made.id, {"disabled": True})
        assert client.v1.webhook_endpoints.retrieve(made.id).status == "disabled"
        client.v1.prices.create({"currency": "eur", "unit_amount": 100, "product_data": {"name": "Course"}})
        client.v1.webhook_endpoints.delete(made.id)
        time.sleep(0.3)
        assert len(other.received) == 1


@pytest.mark.parametrize(
    "params",
    [
        {"url": "not a url", "enabled_events": ["*"]},
        {"url": "https://example.com", "enabled_events": ["nonsense"]},
        {"url": "https://example.com", "enabled_events": ["*", "price.created"]},
        {"url": "https://example.com"},
    ],
)
def test_an_endpoint_that_cannot_work_is_refused(client: stripe.StripeClient, params: Any) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.webhook_endpoints.create(params)


# --- Restarts ---------------------------------------------------------------------------------------


def test_nothing_is_lost_over_a_restart(tmp_path: Path) -> None:
    with an_inbox() as inbox:
        with running(tmp_path, inbox) as first:
            first.behave(delivery_paused=True)
            made = first.client().v1.customers.create({"email": "ann@example.com"}, {"idempotency_key": "k"})
        assert inbox.received == []
        with running(tmp_path, inbox) as second:
            client = second.client()
            assert client.v1.customers.retrieve(made.id).email == "ann@example.com"
            again = client.v1.customers.create({"email": "ann@example.com"}, {"idempotency_key": "k"})
            assert again.id == made.id
            second.behave(delivery_paused=False)
            assert wait_until(lambda: inbox.events("customer.created"))[0].data.object.id == made.id


def test_a_session_expires_while_nobody_runs(tmp_path: Path) -> None:
    with running(tmp_path) as first:
        data = {"currency": "eur", "unit_amount": 500, "product_data": {"name": "Course"}}
        session = first.client().v1.checkout.sessions.create(
            {"line_items": [{"price_data": data, "quantity": 1}], "mode": "payment", "success_url": "https://a.b"}
        )
        first.behave(clock_offset=0)
    with running(tmp_path) as second:
        second.advance(25 * 3600)
        assert second.client().v1.checkout.sessions.retrieve(session.id).status == "expired"
