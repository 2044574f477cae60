"""A database of one's own, and one that can be broken off."""

from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest

from app import Lectern
from app.config import Config
from app.core import db
from tests.faults.proxy import Proxy
from tests.servers import Servers


@pytest.fixture
async def fresh(app: Lectern, config: Config) -> AsyncIterator[str]:
    """The address of an empty database."""
    await db.script("CREATE DATABASE fresh TEMPLATE template0")
    try:
        yield urlsplit(config.database_url.reveal())._replace(path="/fresh").geturl()
    finally:
        await db.script("DROP DATABASE fresh WITH (FORCE)")


@pytest.fixture
async def line(app: Lectern, config: Config, running: Servers) -> AsyncIterator[Proxy]:
    """The pool, two connections wide, goes through a proxy for the time of a test."""
    folder = running.database_url.partition("host=")[2].replace("%2F", "/")
    proxy = Proxy(f"{folder}/.s.PGSQL.5432").start()
    await db.disconnect()
    await db.connect(f"postgresql://lectern@127.0.0.1:{proxy.port}/lectern", min_size=0, max_size=2)
    try:
        yield proxy
    finally:
        proxy.be()
        await db.disconnect()
        proxy.stop()
        await db.connect(config.database_url.reveal(), max_size=config.database_pool_size)
