"""One PostgreSQL, one Redis and one application for the whole run; every test begins with an empty database."""

import asyncio
import os
import warnings
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import uvloop
from argon2 import PasswordHasher
from quart.typing import TestClientProtocol

from app import Lectern, create_app, start, stop
from app.accounts import hashing
from app.config import Config
from app.core import cache, limits, migrations, settings, submissions
from app.gateways import payments
from app.web.tables import commonness
from tests import google, servers, stripe
from tests.accounts.conftest import Mailbox
from tests.cast import Cast
from tests.commerce.shop import Shop
from tests.emptying import Emptier
from tests.longest import longest_first
from tests.settled import settle

# The loop that web processes have. (A loop factory of pytest-asyncio's would be another loop for tests that are not async.)
with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    longest_first(items)


def pytest_collection_finish() -> None:
    settle()


_COSTLY = hashing._hasher, hashing.NOBODY
_CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture(scope="session", autouse=True)
def cheap_hashes() -> Iterator[None]:
    """Hashes that cost next to nothing, of which the tests make thousands."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hashing, "_hasher", _CHEAP)
        patch.setattr(hashing, "NOBODY", _CHEAP.hash("nobody"))
        yield


@pytest.fixture
def costly_hashes(cheap_hashes: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The product's own, where the cost itself is looked at."""
    hasher, nobody = _COSTLY
    monkeypatch.setattr(hashing, "_hasher", hasher)
    monkeypatch.setattr(hashing, "NOBODY", nobody)


@pytest.fixture(scope="session")
def running() -> Iterator[servers.Servers]:
    with servers.running() as found:
        yield found


@pytest.fixture(scope="session")
def config(running: servers.Servers, tmp_path_factory: pytest.TempPathFactory) -> Config:
    folder: Path = tmp_path_factory.mktemp("data")
    return Config.from_env(
        {
            "PATH": os.environ["PATH"],
            "LECTERN_ENV": "test",
            "SECRET_KEY": "a key that only the tests know, long enough",
            "APP_URL": "http://localhost",
            "DATA_DIR": str(folder),
            "DATABASE_URL": running.database_url,
            "REDIS_URL": running.redis_url,
            "ADMIN_EMAIL": "olga@meridian.example",
            "STRIPE_SECRET": "sk_test_local",
            "STRIPE_PUBLISHABLE_KEY": "pk_test_local",
            "STRIPE_WEBHOOK_SECRET": "whsec_test_one,whsec_test_two",
            **google.SETTINGS,
        }
    )


@pytest.fixture(scope="session")
def emptier(config: Config) -> Emptier:
    return Emptier(config.database_url.reveal())


@pytest.fixture(scope="session")
async def app(config: Config, emptier: Emptier) -> AsyncIterator[Lectern]:
    made = create_app(config)
    google.connect(config)
    await start(config)
    await migrations.apply()
    yield made
    await emptier.close()
    await stop()


@pytest.fixture(autouse=True)
async def clean(request: pytest.FixtureRequest) -> None:
    """Empty tables, fresh limits, no hot copies; only for tests that use the application."""
    if "app" not in request.fixturenames:
        return
    await request.getfixturevalue("emptier").empty()
    await limits.forget_all()
    await settings.forget_copy()
    await settings.save_school(name="Meridian", currency="EUR", tax_percent="19")


@pytest.fixture(scope="session", autouse=True)
def no_word_is_known() -> Iterator[None]:
    """What PostgreSQL noted of the rows of an earlier test says nothing of the next one's (`tests/web/test_commonness.py`
    asks it all the same).
    """

    async def nothing(table: str, column: str) -> commonness.Statistics:
        return commonness.Statistics(0, [], [])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(commonness, "_read", nothing)
        yield


@pytest.fixture
def client(app: Lectern) -> TestClientProtocol:
    return app.test_client()


@pytest.fixture
def cast(app: Lectern) -> Cast:
    return Cast(app)


@pytest.fixture
def mailbox(config: Config) -> Mailbox:
    return Mailbox(config.data_dir / "mail")


@pytest.fixture(scope="session")
async def local_stripe(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[stripe.Stripe]:
    """The local Stripe beside the application."""
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


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same form sent again counts as sent again, as if some time had passed in between."""
    monkeypatch.setattr(submissions, "MOMENT", timedelta(0))


@pytest.fixture
def unlimited(app: Lectern, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is slowed down: what is tried here is not the limits."""

    async def nothing(*_args: object) -> None:
        return None

    async def never(*_args: object) -> int:
        return 0

    monkeypatch.setattr(limits, "check", nothing)
    monkeypatch.setattr(limits, "used", never)


@pytest.fixture(params=["with Redis", "without Redis"])
def store(request: pytest.FixtureRequest) -> str:
    """Where limits are counted: each test that asks for it runs both ways."""
    if request.param == "without Redis":
        request.getfixturevalue("without_redis")
    return str(request.param)


@pytest.fixture
async def without_redis(config: Config) -> AsyncIterator[None]:
    await cache.close()
    cache.configure("")
    yield
    cache.configure(config.redis_url.reveal())
