"""One local Stripe for the tests of this folder; its switches are put back after each test."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import stripe

from tests.sandbox.stripe import contract
from tests.sandbox.stripe.running import CANCEL, SUCCESS, Inbox, Running, an_inbox, running


@pytest.fixture(scope="session")
def inbox_of_all() -> Iterator[Inbox]:
    with an_inbox() as made:
        yield made


@pytest.fixture(scope="session")
def one_server(inbox_of_all: Inbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("stripe"), inbox_of_all) as made:
        yield made


@pytest.fixture
def server(one_server: Running) -> Iterator[Running]:
    """The local Stripe. Every answer that it gives in the test must be as the description says."""
    one_server.problems.clear()
    one_server.inbox.clear()
    # Refunds arrive at once, so that no test hears of those of another.
    one_server.behave(refund_after=0)
    yield one_server
    if contract.available():
        for received in list(one_server.inbox.received):
            contract.check_event(json.loads(received.body))
    one_server.inbox.clear()
    one_server.behave_normally()
    one_server.settle()
    assert one_server.problems == []


@pytest.fixture
def inbox(server: Running) -> Inbox:
    """What the local Stripe tells the shop."""
    return server.inbox


@pytest.fixture
def client(server: Running) -> stripe.StripeClient:
    """The unmodified client, which does not try again by itself."""
    return server.client(max_network_retries=0)


@pytest.fixture
def a_price(client: stripe.StripeClient) -> stripe.Price:
    """A course for EUR 249."""
    return client.v1.prices.create({"currency": "eur", "unit_amount": 24900, "product_data": {"name": "Reading Price"}})


@pytest.fixture
def a_session(client: stripe.StripeClient, a_price: stripe.Price) -> Any:
    """Makes sessions for one course; parameters may be added or replaced."""

    def make(**params: Any) -> stripe.checkout.Session:
        return client.v1.checkout.sessions.create(
            {
                "mode": "payment",
                "line_items": [{"price": a_price.id, "quantity": 1}],
                "success_url": SUCCESS,
                "cancel_url": CANCEL,
                **params,
            }
        )

    return make
