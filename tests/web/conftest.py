"""A cache that keeps, for the tests of it; elsewhere nothing listens, so nothing is kept."""

from collections.abc import AsyncIterator

import pytest

from app import Lectern
from app.web.page_cache import PageCache
from tests.web.kept import Entries, keeping


@pytest.fixture
async def kept(app: Lectern) -> AsyncIterator[PageCache]:
    async with keeping(app) as cache:
        yield cache


@pytest.fixture
def entries(kept: PageCache, monkeypatch: pytest.MonkeyPatch) -> Entries:
    found, inner = Entries(), kept._inner

    async def count(scope: dict[str, object], receive: object, send: object) -> None:
        found.scopes.append(scope)
        await inner(scope, receive, send)

    monkeypatch.setattr(kept, "_inner", count)
    return found
