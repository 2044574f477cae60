"""The task beside the server: delivers webhooks, rings timers, lets sessions expire."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time

import httpx

from app.sandbox.stripe import behaviour, deliveries, signatures, timers
from app.sandbox.stripe.deliveries import Delivery
from app.sandbox.stripe.work import Account

log = logging.getLogger(__name__)

USER_AGENT = "Stripe/1.0 (+https://stripe.com/docs/webhooks)"
# Look at least this often, in seconds: a test may have moved the clock.
LONGEST_SLEEP = 0.5


class Background:
    """One loop over what is due. Deliveries to one endpoint go in turn, unless the switches say otherwise."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.woken = asyncio.Event()
        self.busy: dict[str, asyncio.Task[None]] = {}
        self.task: asyncio.Task[None] | None = None
        self.client: httpx.AsyncClient | None = None

    async def start(self) -> None:
        """Begin; what was left undone before a restart is taken up again."""
        self.client = httpx.AsyncClient(follow_redirects=False, trust_env=False)
        self.account.wake = self.woken.set
        self.task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop after the current step; unfinished deliveries stay queued."""
        for task in [self.task, *self.busy.values()]:
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
        if self.client is not None:
            await self.client.aclose()

    async def _run(self) -> None:
        while True:
            try:
                timers.ring(self.account)
                self._deliver()
            except Exception:
                # One bad timer must not end all deliveries.
                log.exception("The local Stripe's background work failed; it goes on.")
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self.woken.wait(), self._pause())
            self.woken.clear()

    def _pause(self) -> float:
        moments = [deliveries.next_due(self.account.store), timers.next_due(self.account.store)]
        now = self.account.clock.precise()
        waits = [max(moment - now, 0.02) for moment in moments if moment is not None]
        return min([*waits, LONGEST_SLEEP])

    def _deliver(self) -> None:
        if behaviour.current(self.account.store).delivery_paused:
            return
        waiting: dict[str, list[Delivery]] = {}
        for delivery in deliveries.due_now(self.account.store, self.account.clock.precise()):
            waiting.setdefault(delivery.endpoint, []).append(delivery)
        for endpoint, batch in waiting.items():
            task = self.busy.get(endpoint)
            if task is None or task.done():
                self.busy[endpoint] = asyncio.create_task(self._send_all(batch))

    async def _send_all(self, batch: list[Delivery]) -> None:
        while batch:
            switches = behaviour.current(self.account.store)
            if switches.delivery_paused:
                break
            now, batch = batch[: switches.delivery_parallel], batch[switches.delivery_parallel :]
            await asyncio.gather(*(self._send(delivery) for delivery in now))
        self.woken.set()

    async def _send(self, delivery: Delivery) -> None:
        work = self.account.work()
        event, endpoint = work.store.get(delivery.event), work.store.get(delivery.endpoint)
        if event is None or endpoint is None or endpoint.gone or endpoint.doc["status"] != "enabled":
            work.store.db.execute("UPDATE deliveries SET state = 'failed' WHERE id = ?", (delivery.id,))
            return
        body = deliveries.body_of(event.doc)
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": USER_AGENT,
            # Always the real time: receivers compare it with theirs.
            "Stripe-Signature": signatures.header(endpoint.hidden["secret"], body, int(time.time())),
        }
        started = time.monotonic()
        status, answer = await self._post(endpoint.doc["url"], body, headers)
        with work.store.transaction():
            deliveries.record(work, delivery, status=status, answer=answer, seconds=time.monotonic() - started)

    async def _post(self, url: str, body: bytes, headers: dict[str, str]) -> tuple[int | None, str]:
        timeout = behaviour.current(self.account.store).delivery_timeout
        assert self.client is not None
        try:
            answer = await self.client.post(url, content=body, headers=headers, timeout=timeout)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            return None, f"{type(error).__name__}: {error}"
        return answer.status_code, answer.text
