"""Whom to believe is read once, not at each call: the event loop waits for it."""

import ssl
from typing import Any

import pytest

from app import Lectern
from app.gateways.captcha import Turnstile
from app.gateways.identity import Google, Unavailable
from app.gateways.trust import trust

NOWHERE = "http://127.0.0.1:9"


async def test_calls_read_the_authorities_once(app: Lectern, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Any] = []
    make = ssl.create_default_context

    def counted(*words: Any, **named: Any) -> ssl.SSLContext:
        read.append(named)
        return make(*words, **named)

    monkeypatch.setattr(ssl, "create_default_context", counted)
    trust.cache_clear()
    for _ in range(2):
        assert await Turnstile("k", "s", NOWHERE, []).check("a token", action="login", address="127.0.0.1") == "away"
        with pytest.raises(Unavailable):
            await Google("us", "secret", NOWHERE).begin("http://localhost/back")
    assert len(read) == 1
