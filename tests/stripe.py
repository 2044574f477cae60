"""The local Stripe for tests: a real server on a free port, which delivers its webhooks into the application under
test; and the hands of a buyer on its payment page.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx
import stripe
from hypercorn.asyncio import serve
from hypercorn.config import Config as ServerConfig
from quart import request

from app.sandbox.stripe import create_stripe
from tests.sandbox.stripe import contract

SECRET_KEY = "sk_test_local"
CARD = {"number": "4242 4242 4242 4242", "expiry": "12 / 40", "cvc": "123", "name": "Ann Archer", "method": "card"}
DECLINED = {**CARD, "number": "4000 0000 0000 0002"}


@dataclass
class Stripe:
    """The running local Stripe."""

    url: str
    http: httpx.AsyncClient
    # What the shop sent or was answered that is not as Stripe's description says; empty when that is not at hand.
    problems: list[str] = field(default_factory=list)
    # Every request of the shop: method, path, form.
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)

    async def switch(self, **switches: Any) -> None:
        """Make it misbehave (app/sandbox/stripe/behaviour.py)."""
        (await self.http.post("/_sandbox/behaviour", json=switches)).raise_for_status()

    async def pay(self, page_url: str, **card: str) -> httpx.Response:
        """Fill in the payment page and send it; its answer (303 on success)."""
        return await self.http.post(page_url, data=card or CARD)

    async def get(self, path: str, **params: Any) -> dict[str, Any]:
        """Something of Stripe's, by its API."""
        answer = await self.http.get(path, params=params, headers={"Authorization": f"Bearer {SECRET_KEY}"})
        found: dict[str, Any] = answer.json()
        return found

    async def post(self, path: str, **form: Any) -> dict[str, Any]:
        answer = await self.http.post(path, data=form, headers={"Authorization": f"Bearer {SECRET_KEY}"})
        found: dict[str, Any] = answer.json()
        return found

    async def events(self, *kinds: str) -> list[dict[str, Any]]:
        """What it has to tell, oldest first."""
        found = (await self.get("/v1/events", limit=100))["data"]
        return [event for event in reversed(found) if not kinds or event["type"] in kinds]


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Stripe]:
    """Start one, without endpoints: tests take its events and deliver them as they like."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    app = create_stripe(data_dir=folder, public_url=url, secret_key=SECRET_KEY)
    problems = contract.watch(app)
    requests: list[tuple[str, str, dict[str, str]]] = []

    @app.before_request
    async def note_request() -> None:
        if request.path.startswith("/v1"):
            sent = dict(parse_qsl((await request.get_data()).decode())) | dict(request.args)
            requests.append((request.method, request.path, {**sent, "key": request.headers.get("Idempotency-Key", "")}))

    server = ServerConfig()
    server.bind = [f"127.0.0.1:{port}"]
    server.loglevel = "ERROR"
    stopping = asyncio.Event()
    task = asyncio.create_task(serve(app, server, shutdown_trigger=stopping.wait))  # type: ignore[arg-type]
    async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
        for _attempt in range(100):
            try:
                await http.get("/_sandbox/behaviour")
                break
            except httpx.TransportError:
                await asyncio.sleep(0.02)
        yield Stripe(url, http, problems, requests)
    stopping.set()
    await task


def signed(
    event: dict[str, Any] | bytes, secret: str = "whsec_test_one", *, at: float | None = None
) -> tuple[bytes, dict[str, str]]:
    """A delivery as Stripe sends it: body and headers."""
    raw = event if isinstance(event, bytes) else json.dumps(event, indent=2).encode()
    stamp = int(at if at is not None else time.time())
    header = stripe.WebhookSignature.generate_signature_header(raw.decode(), secret, timestamp=stamp)
    return raw, {"Stripe-Signature": header, "Content-Type": "application/json"}


def session_of(page_url: str) -> str:
    """The session id in a payment page's address."""
    found = re.search(r"cs_[A-Za-z0-9_]+", page_url)
    assert found is not None, page_url
    return found.group(0)
