"""The page for people: what has happened, and the switches."""

from __future__ import annotations

from typing import Any

import stripe

from tests.sandbox.stripe.running import Inbox, Running, http, wait_until


def test_the_page_shows_sessions_payments_and_events(server: Running, a_session: Any) -> None:
    session = a_session()
    server.buy(session, email="panel@example.com")
    page = http.get(f"{server.url}/stripe").text
    for words in (session.id[:20], "panel@example.com", "complete, paid", "EUR 249.00", "checkout.session.completed"):
        assert words in page
    assert http.get(f"{server.url}/", follow_redirects=True).url.path == "/stripe"


def test_each_thing_can_be_looked_into(server: Running, client: stripe.StripeClient, inbox: Inbox) -> None:
    client.v1.products.create({"name": "A <b>bold</b> course"})
    event = wait_until(lambda: inbox.events("product.created"))[0]
    wait_until(lambda: client.v1.events.retrieve(event.id).pending_webhooks == 0)
    page = http.get(f"{server.url}/stripe/objects/{event.id}").text
    assert "product.created" in page
    assert inbox.url in page
    assert "<b>" not in page
    assert http.get(f"{server.url}/stripe/objects/evt_nothere").status_code == 404


def test_the_refund_button_gives_the_rest_back(server: Running, client: stripe.StripeClient, a_session: Any) -> None:
    session = a_session()
    server.buy(session)
    intent = client.v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent"]}).payment_intent
    client.v1.refunds.create({"payment_intent": intent.id, "amount": 900})
    for _ in range(2):
        answer = http.post(f"{server.url}/stripe/refunds", data={"charge": intent.latest_charge})
        assert answer.status_code == 303
    assert [item.amount for item in client.v1.refunds.list({"charge": intent.latest_charge}).data] == [24000, 900]


def test_an_event_is_delivered_again_by_a_button(server: Running, client: stripe.StripeClient, inbox: Inbox) -> None:
    client.v1.products.create({"name": "Course"})
    event = wait_until(lambda: inbox.events("product.created"))[0]
    http.post(f"{server.url}/stripe/resends", data={"event": event.id})
    wait_until(lambda: [item.id for item in inbox.events()].count(event.id) == 2)


def test_the_switches_are_set_by_the_form(server: Running) -> None:
    form = {"delivery_paused": "on", "delivery_copies": "2", "delivery_order": "shuffled"}
    assert http.post(f"{server.url}/stripe/behaviour", data=form).status_code == 303
    set_now = http.get(f"{server.url}/_sandbox/behaviour").json()
    assert (set_now["delivery_paused"], set_now["delivery_copies"], set_now["delivery_order"]) == (
        True,
        2,
        "shuffled",
    )
    wrong = http.post(f"{server.url}/stripe/behaviour", data={"delivery_copies": "many"})
    assert wrong.status_code == 422
    assert "delivery_copies must be a number" in wrong.text
