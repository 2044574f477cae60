"""The faults: each begins, lasts and ends, and says when it had ended."""

from __future__ import annotations

import asyncio
import io
import os
import random
import resource
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress

import httpx
from PIL import Image

from tests.faults.stack import OWNER, PASSWORD, Stack

Fault = Callable[[Stack, random.Random], Awaitable[None]]


async def kill_worker(stack: Stack, dice: random.Random) -> None:
    """The worker of jobs is killed and comes back, as its supervisor makes it."""
    worker = dice.choice(stack.workers)
    await asyncio.to_thread(worker.kill)
    await asyncio.sleep(dice.random())
    worker.start()


async def kill_web(stack: Stack, dice: random.Random) -> None:
    """The older of the web processes is killed; the server starts another by itself.

    The same one twice within 5.5 s would be a crash loop to granian, which ends then.
    """
    children = stack.web.children()
    if children:
        with suppress(ProcessLookupError):
            os.kill(min(children), signal.SIGKILL)
    await asyncio.sleep(1)


async def postgres_fast(stack: Stack, dice: random.Random) -> None:
    """PostgreSQL is restarted; open transactions are rolled back."""
    await asyncio.to_thread(stack.restart_postgres, signal.SIGINT)


async def postgres_crash(stack: Stack, dice: random.Random) -> None:
    """PostgreSQL stops at once and recovers from its log."""
    await asyncio.to_thread(stack.restart_postgres, signal.SIGQUIT)


async def postgres_silent(stack: Stack, dice: random.Random) -> None:
    """PostgreSQL cannot be reached: nothing answers, nothing is refused."""
    stack.database.be("blackhole")
    await asyncio.sleep(6 + 4 * dice.random())
    stack.database.be()


async def postgres_slow(stack: Stack, dice: random.Random) -> None:
    """Each answer of PostgreSQL takes 40 ms longer."""
    stack.database.be("latency", seconds=0.04)
    await asyncio.sleep(3)
    stack.database.be()


async def postgres_cut(stack: Stack, dice: random.Random) -> None:
    """Answers break off half-way, several times: nobody knows whether the statement was done."""
    for _time in range(5):
        stack.database.be("cut", bytes_left=dice.randrange(0, 40))
        await asyncio.sleep(0.3)
    stack.database.be()


async def redis_restart(stack: Stack, dice: random.Random) -> None:
    """Redis stops, is away for a while, and comes back empty."""
    await asyncio.to_thread(stack.redis.stop)
    await asyncio.sleep(2 + 2 * dice.random())
    await asyncio.to_thread(stack.redis.start)


async def redis_silent(stack: Stack, dice: random.Random) -> None:
    """Redis does not answer and is not refused."""
    stack.cache.be("blackhole")
    await asyncio.sleep(4)
    stack.cache.be()


async def redis_flush(stack: Stack, dice: random.Random) -> None:
    """Redis forgets everything."""
    import redis

    client = redis.Redis(unix_socket_path=str(stack.redis.socket))
    await asyncio.to_thread(client.flushall)
    await asyncio.to_thread(client.close)


async def stripe_bad(stack: Stack, dice: random.Random) -> None:
    """Stripe answers with errors, limits, late, or acts and breaks off before the answer."""
    for _time in range(4):
        kind = dice.choice(("error", "error_kept", "limit", "slow", "cut"))
        await stack.switch(api_fault=kind, api_fault_times=dice.randrange(1, 5), api_fault_seconds=1.5)
        await asyncio.sleep(1)
    await stack.switch(api_fault="none", api_fault_times=0)


async def stripe_silent(stack: Stack, dice: random.Random) -> None:
    """Stripe cannot be reached, then refuses connections."""
    stack.payments.be("blackhole")
    await asyncio.sleep(2)
    stack.payments.be("refuse")
    await asyncio.sleep(1)
    stack.payments.be()


async def webhooks_bad(stack: Stack, dice: random.Random) -> None:
    """Webhooks come three times, late and shuffled."""
    await stack.switch(
        delivery_copies=3, delivery_order="shuffled", delivery_window=2.0, delivery_delay=0.5, delivery_parallel=6
    )
    await asyncio.sleep(5)
    await stack.switch(delivery_copies=1, delivery_order="in_order", delivery_delay=0.0, delivery_parallel=1)


async def mail_refused(stack: Stack, dice: random.Random) -> None:
    """The mail server is away, puts off, and takes without saying so."""
    for mode in ("refuse", "later"):
        stack.mail.be(mode)
        await asyncio.sleep(2)
    stack.mail.be("accept")


async def storage_full(stack: Stack, dice: random.Random) -> None:
    """No file of the web processes may grow past 20 kB: pictures and the log find no room."""
    processes = [stack.web.pid, *stack.web.children()]
    before = {pid: resource.prlimit(pid, resource.RLIMIT_FSIZE) for pid in processes}
    async with httpx.AsyncClient(base_url=stack.url, trust_env=False, timeout=15) as owner:
        form = {"email": OWNER, "password": PASSWORD, "next": "", "keep": "y"}
        owner.headers["X-Forwarded-For"] = "10.4.0.1"
        await owner.post("/login", data=form)
        for pid, (_soft, hard) in before.items():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (20_000, hard))
        try:
            await _expect(stack, owner, 507)
            await asyncio.sleep(1)
        finally:
            for pid, limits in before.items():
                with suppress(ProcessLookupError):
                    resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)
        await _expect(stack, owner, 303)


async def _expect(stack: Stack, owner: httpx.AsyncClient, status: int) -> None:
    """Send a picture of 60 kB; the answer must be this one."""
    noise = Image.frombytes("RGB", (142, 142), os.urandom(142 * 142 * 3))
    picture = io.BytesIO()
    noise.save(picture, "PNG")
    address = f"/admin/courses/{stack.courses[1].public_id}/picture"
    answer = await owner.post(address, files={"file": ("plate.png", picture.getvalue(), "image/png")})
    if answer.status_code != status:
        stack.wrong.append(f"a picture was answered {answer.status_code} instead of {status}")


KINDS: dict[str, Fault] = {
    "kill-worker": kill_worker,
    "kill-web": kill_web,
    "postgres": postgres_fast,
    "postgres-crash": postgres_crash,
    "postgres-silent": postgres_silent,
    "postgres-slow": postgres_slow,
    "postgres-cut": postgres_cut,
    "redis": redis_restart,
    "redis-silent": redis_silent,
    "redis-flush": redis_flush,
    "stripe": stripe_bad,
    "stripe-silent": stripe_silent,
    "webhooks": webhooks_bad,
    "mail": mail_refused,
    "storage": storage_full,
}
