from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest

from app import Lectern
from app.config import Config
from app.core import db


@pytest.fixture
async def fresh(app: Lectern, config: Config) -> AsyncIterator[str]:
    """The address of an empty database."""
    await db.script("CREATE DATABASE fresh TEMPLATE template0")
    try:
        yield urlsplit(config.database_url.reveal())._replace(path="/fresh").geturl()
    finally:
        await db.script("DROP DATABASE fresh WITH (FORCE)")
