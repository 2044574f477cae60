"""The local Stripe beside the application, and the hands of buyers."""

from collections.abc import AsyncIterator

import pytest
from quart.typing import TestClientProtocol

from app import Lectern
from app.config import Config
from app.gateways import payments
from tests import stripe
from tests.commerce.shop import Shop


@pytest.fixture(scope="session")
async def local_stripe(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[stripe.Stripe]:
    async with stripe.running(tmp_path_factory.mktemp("stripe")) as found:
        yield found


@pytest.fixture
async def shop(
    app: Lectern, client: TestClientProtocol, local_stripe: stripe.Stripe, config: Config
) -> AsyncIterator[Shop]:
    """The school's shop with a working payment service. What passes between them must be as Stripe describes it."""
    before = payments.gateway()
    gateway = payments.StripePayments(stripe.SECRET_KEY, api_base=local_stripe.url, retries=0)
    payments.use(gateway)
    await local_stripe.http.delete("/_sandbox/behaviour")
    local_stripe.problems.clear()
    local_stripe.requests.clear()
    yield Shop(app, client, local_stripe)
    payments.use(before)
    assert local_stripe.problems == []
