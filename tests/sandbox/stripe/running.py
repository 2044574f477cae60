"""A local Stripe on a real port, with an endpoint that takes its webhooks, for tests to drive from outside."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import stripe
from hypercorn.asyncio import serve
from hypercorn.config import Config
from quart import Quart

from app.sandbox.stripe import LocalStripe, create_stripe
from tests.sandbox.stripe import contract

SECRET_KEY = "sk_test_localstripe000000000000"
SIGNING_SECRET = "whsec_forthetests000000000000000000"
SUCCESS = "http://127.0.0.1:9/checkout/success?session={CHECKOUT_SESSION_ID}"
CANCEL = "http://127.0.0.1:9/cart"
# One for all requests: each new one reads whom to trust, which takes longer than the request.
http = httpx.Client(trust_env=False)
GOOD_CARD = {"number": "4242 4242 4242 4242", "expiry": "12 / 34", "cvc": "123", "name": "Ann Example"}


@dataclass
class Received:
    """One webhook as it came in."""

    body: bytes
    signature: str
    at: float
    headers: dict[str, str]

    @property
    def event(self) -> stripe.Event:
        """The event, after the official client has checked the signature."""
        return stripe.Webhook.construct_event(self.body, self.signature, SIGNING_SECRET)


@dataclass
class Inbox:
    """An endpoint. `answers` are the statuses of the next deliveries; after them 200."""

    url: str = ""
    received: list[Received] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    slow: float = 0.0

    def events(self, kind: str | None = None) -> list[stripe.Event]:
        """All that came, of one type when it is named."""
        return [item.event for item in list(self.received) if kind in (None, item.event.type)]

    def kinds(self) -> list[str]:
        """The types of all that came, in the order in which it came."""
        return [item.event.type for item in list(self.received)]

    def clear(self) -> None:
        """Forget what came."""
        self.received.clear()
        self.answers.clear()
        self.slow = 0.0


@dataclass
class Running:
    """A local Stripe that answers at `url`."""

    url: str
    app: Quart
    inbox: Inbox
    problems: list[str]

    @property
    def local(self) -> LocalStripe:
        """What runs inside."""
        found: LocalStripe = self.app.extensions["stripe"]
        return found

    def client(self, **options: Any) -> stripe.StripeClient:
        """The unmodified client."""
        return stripe.StripeClient(options.pop("api_key", SECRET_KEY), base_addresses={"api": self.url}, **options)

    def raw(self, method: str, path: str, body: str = "", **headers: str) -> httpx.Response:
        """A request as it is written, without the client's help."""
        sent = {"Authorization": f"Bearer {SECRET_KEY}", **{name.replace("_", "-"): v for name, v in headers.items()}}
        if method == "POST":
            sent.setdefault("Content-Type", "application/x-www-form-urlencoded")
            return http.request(method, self.url + path, content=body, headers=sent)
        return http.request(method, self.url + path + (f"?{body}" if body else ""), headers=sent)

    def behave(self, **switches: Any) -> None:
        """Set switches."""
        http.post(f"{self.url}/_sandbox/behaviour", json=switches).raise_for_status()

    def behave_normally(self) -> None:
        """Put all switches back."""
        http.delete(f"{self.url}/_sandbox/behaviour").raise_for_status()

    def settle(self) -> None:
        """Wait until nothing is on its way to the shop any more."""
        http.post(f"{self.url}/_sandbox/deliveries/release")
        waiting = f"{self.url}/_sandbox/deliveries?state=pending"
        wait_until(lambda: not http.get(waiting).json())

    def advance(self, seconds: float) -> None:
        """Move the clock."""
        http.post(f"{self.url}/_sandbox/clock", json={"advance": seconds}).raise_for_status()

    def buy(self, session: Any, **form: str) -> httpx.Response:
        """Fill in the payment page and press the button; does not follow to the shop."""
        return http.post(session.url, data={"email": "ann@example.com", **GOOD_CARD, **form})


def wait_until(question: Callable[[], Any], *, seconds: float = 30.0) -> Any:
    """Ask until the answer is true; gives it. Raises AssertionError when time is over.

    It is long: a machine with other work lets a delivery wait for seconds, and only a failure costs all of it.
    """
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        answer = question()
        if answer:
            return answer
        time.sleep(0.02)
    raise AssertionError(f"still not so after {seconds} s")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        port: int = made.getsockname()[1]
        return port


@contextmanager
def an_inbox() -> Iterator[Inbox]:
    """Listen for webhooks."""
    inbox = Inbox()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            inbox.received.append(
                Received(body, self.headers["Stripe-Signature"], time.time(), dict(self.headers.items()))
            )
            time.sleep(inbox.slow)
            self.send_response(inbox.answers.pop(0) if inbox.answers else 200)
            self.end_headers()

        def log_message(self, *ignored: Any) -> None:
            """Tests speak for themselves."""

    class Server(ThreadingHTTPServer):
        request_queue_size = 128

    server = Server(("127.0.0.1", 0), Handler)
    inbox.url = f"http://127.0.0.1:{server.server_port}/webhooks/stripe"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield inbox
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def running(data_dir: Path, inbox: Inbox | None = None) -> Iterator[Running]:
    """Run a local Stripe in a thread of its own, as `bin/run` runs it in a process of its own."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    webhooks = [(inbox.url, SIGNING_SECRET)] if inbox else []
    app = create_stripe(data_dir=data_dir, public_url=url, secret_key=SECRET_KEY, webhooks=webhooks)
    problems = contract.watch(app)
    loop, stopping, ready = asyncio.new_event_loop(), asyncio.Event(), threading.Event()

    async def run() -> None:
        config = Config()
        config.bind = [f"127.0.0.1:{port}"]
        config.loglevel, config.errorlog, config.graceful_timeout = "CRITICAL", None, 0.5
        app.before_serving(ready.set)
        await serve(app, config, shutdown_trigger=stopping.wait)

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()), daemon=True)
    thread.start()
    assert ready.wait(10)
    wait_until(lambda: _listens(port))
    try:
        yield Running(url, app, inbox or Inbox(), problems)
    finally:
        loop.call_soon_threadsafe(stopping.set)
        thread.join(10)
        loop.close()


def _listens(port: int) -> bool:
    with socket.socket() as made:
        return made.connect_ex(("127.0.0.1", port)) == 0
