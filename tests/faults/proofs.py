"""Promises that are measured rather than tested: each breaks one thing in a school and gives its figures.

bin/faults --prove webhooks,jobs,kills,postgres,postgres-silent,redis,reload,stop,kill-web [--full]

controls.py starts the schools, and runs them without their protections too.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import stripe

from app.core import db, reach
from tests.faults import counting, invariants, run
from tests.faults.load import Load, deliveries, failed, kinds, share
from tests.faults.people import Crowd, Told
from tests.faults.stack import Stack
from tests.faults.visits import a_client, deeds, entry, pages, signed_in, signs_of_life

WEBHOOK_SECRET = "whsec_faults0000000000000000000000"
# Seconds that a slow Stripe takes for an answer.
SLOW = 1.5
# A figure in milliseconds says nothing about us while others use more of the machine than this.
QUIET = 0.15


@dataclass
class Figures:
    """What was measured, and what of it is not as promised."""

    lines: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        self.lines.append(text)

    def hold(self, promise: bool, text: str) -> None:
        """A promise that must be kept; `text` says what was found."""
        self.lines.append(f"{'kept' if promise else 'BROKEN'}: {text}")
        if not promise:
            self.wrong.append(text)


Proof = Callable[[Stack, Figures, bool], Awaitable[None]]


async def webhooks(stack: Stack, figures: Figures, full: bool) -> None:
    """200 signed deliveries a second are stored and acknowledged."""
    seconds = 60 if full else 10

    others = await busy_with_others()
    taken = await deliveries(stack.web_port, 200 * seconds, 200, a_product_event)
    refused = [one for one in taken if one.status != 200]
    stored = await db.value("SELECT count(*) FROM webhook_events WHERE event_id LIKE 'evt_load_%'")
    figures.say(
        f"{len(taken)} deliveries in {seconds} s, p50 {share(taken, 0.5):.1f} ms, p99 {share(taken, 0.99):.1f} ms"
    )
    figures.hold(not refused, f"{len(refused)} were not answered 200 ({kinds(refused)})")
    figures.hold(stored == len(taken), f"{stored} of {len(taken)} are stored")
    if others < QUIET:
        figures.hold(share(taken, 0.99) <= 50, f"p99 is {share(taken, 0.99):.1f} ms (promised: 50)")
    else:
        figures.say(f"not judged: p99 (promised: 50 ms), for others keep {others:.0%} of the machine busy")
    settled = await run.settle(stack, hasten=False)
    figures.say(f"all were handled {settled:.1f} s after the last")
    await _webhooks_while_stripe_is_slow(stack, figures)


def a_product_event(number: int) -> tuple[bytes, str]:
    """A delivery of a kind that the school does not use, and its signature."""
    return _delivery({"id": f"evt_load_{number}", "type": "product.updated", "data": {"object": {}}})


def _delivery(event: dict[str, object]) -> tuple[bytes, str]:
    body = json.dumps({"object": "event", **event}, indent=2)
    header = stripe.WebhookSignature.generate_signature_header(body, WEBHOOK_SECRET, timestamp=int(time.time()))
    return body.encode(), header


async def _webhooks_while_stripe_is_slow(stack: Stack, figures: Figures) -> None:
    """News about which Stripe must be asked, while Stripe takes its time."""
    await db.run(
        """
        INSERT INTO orders (public_id, email, state, currency, subtotal_minor, tax_minor, total_minor, quote_key,
                            created_at, paid_at, stripe_payment_intent_id)
        VALUES ('slow', 'ann@example.org', 'paid', 'EUR', 4900, 0, 4900, 'slow', now(), now(), 'pi_slow')
        """
    )

    def make(number: int) -> tuple[bytes, str]:
        charge = {"id": "ch_slow", "object": "charge", "payment_intent": "pi_slow"}
        return _delivery({"id": f"evt_slow_{number}", "type": "charge.refunded", "data": {"object": charge}})

    await stack.switch(api_fault="slow", api_fault_times=1000, api_fault_seconds=SLOW, api_fault_path="/v1/refunds")
    taken = await deliveries(stack.web_port, 20, 10, make)
    await stack.switch_back()
    figures.hold(
        share(taken, 0.5) < SLOW * 1000,
        f"Stripe answers after {SLOW} s, news about which it must be asked are acknowledged after"
        f" {share(taken, 0.5):.1f} ms (p50)",
    )


async def jobs(stack: Stack, figures: Figures, full: bool) -> None:
    """Four workers do each of 10,000 jobs once."""
    count, workers = (10_000, 4) if full else (600, 2)
    took = await counting.race(stack, count, workers)
    lost, double = await counting.outcome(count)
    figures.say(f"{count} jobs, {workers} workers, {took:.1f} s, {count / took:.0f} a second")
    figures.hold(lost == 0, f"{lost} were lost")
    figures.hold(double == 0, f"{double} were done twice")


async def kills(stack: Stack, figures: Figures, full: bool) -> None:
    """The worker is killed again and again at any moment of a sale's jobs."""
    times = 200 if full else 5
    told, dice = Told(), random.Random(13)
    crowd = Crowd(stack, told, random.Random(14))
    crowd.start(buyers=3, learners=1)
    for _kill in range(times):
        # A worker that has not begun to work has nothing to lose.
        await _until_a_job_is_taken()
        await asyncio.sleep(1.5 * dice.random())
        await asyncio.to_thread(stack.workers[0].kill)
        stack.workers[0].start()
    await crowd.finish()
    await run.settle(stack, hasten=False)
    again = await db.value(
        """
        SELECT coalesce(max(extract(epoch FROM gap)), 0) FROM (
            SELECT created - lag(created) OVER (PARTITION BY job_id ORDER BY created) AS gap FROM pgqueuer_log
            WHERE status = 'picked') gaps
        """
    )
    taken_up = await db.value(
        "SELECT count(*) FROM (SELECT 1 FROM pgqueuer_log WHERE status = 'picked' GROUP BY job_id HAVING count(*) > 1) t"
    )
    figures.say(f"{times} kills, {len(told.paid)} sales, {taken_up} jobs were taken up by the next worker")
    held = await db.value("SELECT count(*) FROM pgqueuer WHERE status = 'failed'")
    waiting = await db.value("SELECT count(*) FROM pgqueuer WHERE status <> 'failed'")
    figures.say(f"{held} jobs are held, {waiting} wait")
    figures.hold(taken_up >= times / 20, "jobs were under way when their worker was killed")
    figures.hold(float(again) <= 60, f"a job was taken up again after {float(again):.1f} s at most (promised: 60)")
    wrong = await invariants.every(await run.books(stack), invariants.Post(stack.mail.taken, may_repeat=True), told)
    figures.hold(not wrong, f"{len(wrong)} invariants are broken {wrong[:3]}")


async def _until_a_job_is_taken() -> None:
    """Wait until some worker takes a job from now on; returns after a minute in any case."""
    newest = "SELECT coalesce(max(id), 0) FROM pgqueuer_log WHERE status = 'picked'"
    before = await db.value(newest)
    for _look in range(1200):
        if await db.value(newest) > before:
            return
        await asyncio.sleep(0.05)


async def postgres(stack: Stack, figures: Figures, full: bool) -> None:
    """PostgreSQL is restarted under load, gently and with a crash."""
    for sign, name in ((signal.SIGINT, "fast"), (signal.SIGQUIT, "immediate")):
        for _time in range(3 if full else 1):
            told = Told()
            crowd = Crowd(stack, told, random.Random(17))
            crowd.start(buyers=2, learners=2, refunds=False)
            async with signed_in(stack, 0) as client, Load(client, pages, 50 if full else 20) as load:
                await asyncio.sleep(1.5)
                began = time.monotonic()
                await asyncio.to_thread(stack.restart_postgres, sign)
                ended = time.monotonic()
                down = ended - began
                await asyncio.sleep(3)
            await crowd.finish()
            bad = failed(load.answers)
            slowest = max(one.seconds for one in load.answers)
            figures.say(
                f"{name}: down for {down:.2f} s, {len(load.answers)} pages asked for, the slowest {slowest:.2f} s"
            )
            if down < reach.PATIENCE - 0.5:
                figures.hold(not bad, f"{name}: {len(bad)} pages failed ({kinds(bad)})")
            else:  # pages do not wait for so long
                in_time = [one for one in bad if one.status == 503 and one.at + one.seconds < ended + 1]
                figures.hold(
                    len(in_time) == len(bad),
                    f"{name}: {len(bad)} pages failed ({kinds(bad)}), a second after it was back at most",
                )
            await run.settle(stack, hasten=False)
            post = invariants.Post(stack.mail.taken, may_repeat=True)
            wrong = await invariants.every(await run.books(stack), post, told)
            figures.hold(not wrong, f"{name}: {len(wrong)} invariants are broken {wrong[:3]}")


async def postgres_silent(stack: Stack, figures: Figures, full: bool) -> None:
    """PostgreSQL neither answers nor refuses for 30 seconds."""
    seconds = 30 if full else 8
    async with signed_in(stack, 1) as client:
        async with Load(client, pages, 10) as load, Load(client, signs_of_life, 5) as lives:
            await asyncio.sleep(1)
            stack.database.be("blackhole")
            began = time.monotonic()
            await asyncio.sleep(seconds - 5)
            page = await client.get("/learn")
            health = await client.get("/health/ready")
            live = await client.get("/health/live")
            await asyncio.sleep(max(0.0, began + seconds - time.monotonic()))
            stack.database.be()
            ended = time.monotonic()
            await asyncio.sleep(6)
        during = load.between(began, ended - 0.5)
        slow = max(one.seconds for one in during)
        # What a machine that is busy with others adds to anything.
        busy = max(one.seconds for one in lives.between(began, ended))
        figures.say(f"silent for {seconds} s, {len(during)} pages asked for: {kinds(during)}")
        figures.hold(all(one.status in (200, 503) for one in during), "whoever could not be served was told so (503)")
        figures.hold(
            slow - busy <= 5,
            f"the slowest answer took {slow:.2f} s, one without the database {busy:.2f} s (promised: 5 more)",
        )
        figures.hold(
            page.status_code == 503 and "</html>" in page.text, f"/learn says {page.status_code} with a whole page"
        )
        figures.hold(health.status_code == 503, f"/health/ready says {health.status_code}")
        figures.hold(live.status_code == 200, f"/health/live says {live.status_code}")
        last = max((one.at + one.seconds for one in failed(load.answers)), default=ended)
        figures.hold(last - ended <= 5, f"the last failure came {last - ended:.2f} s after it was back (promised: 5)")
        crowd = await asyncio.gather(*(client.get("/learn") for _n in range(60)))
        figures.hold(all(one.status_code == 200 for one in crowd), "60 pages at once are answered afterwards")
    wrong = await run.connections_are_given_back(stack)
    figures.hold(not wrong, f"connections are given back {wrong}")


async def redis(stack: Stack, figures: Figures, full: bool) -> None:
    """Redis is away in each way: people browse, sign in and learn, and do not wait for it."""
    seconds = 10 if full else 4
    halves: dict[str, float] = {}
    async with signed_in(stack, 2) as client:
        for name in ("there", "stopped", "silent", "flushed"):
            await _spoil_redis(stack, name)
            async with Load(client, deeds, 40) as load:
                await asyncio.sleep(seconds)
            await _mend_redis(stack, name)
            bad = [one for one in load.answers if one.status == 0 or one.status >= 400]
            slow = sum(one.seconds > 0.4 for one in load.answers)
            p50, p99 = share(load.answers, 0.5), share(load.answers, 0.99)
            figures.say(f"{name}: {len(load.answers)} requests, p50 {p50:.1f} ms, p99 {p99:.1f} ms, {slow} over 400 ms")
            figures.hold(not bad, f"{name}: {len(bad)} failed ({kinds(bad)})")
            # A form is counted in Redis, whose silence lasts half a second for whoever waits for it.
            forms = [one for one in load.answers if one.path.endswith("/position")]
            halves[name] = share(forms, 0.5)
            figures.hold(
                halves[name] < halves["there"] + 400,
                f"{name}: half of the forms were answered within {halves[name]:.0f} ms (promised: 400 more than before)",
            )


async def _spoil_redis(stack: Stack, name: str) -> None:
    if name == "stopped":
        await asyncio.to_thread(stack.redis.stop)
    elif name == "silent":
        stack.cache.be("blackhole")
    elif name == "flushed":
        await run.KINDS["redis-flush"](stack, random.Random(0))


async def _mend_redis(stack: Stack, name: str) -> None:
    if name == "stopped":
        await asyncio.to_thread(stack.redis.start)
    elif name == "silent":
        stack.cache.be()
    await asyncio.sleep(2)


async def reload(stack: Stack, figures: Figures, full: bool) -> None:
    """Web processes that take six seconds to start are replaced one by one (SIGHUP) under 50 requests a second."""
    await replaced(stack, figures, lambda: os.kill(stack.web.pid, signal.SIGHUP), times=2 if full else 1)


async def replaced(stack: Stack, figures: Figures, replace: Callable[[], None], *, times: int) -> None:
    """Replace the web processes in some way, and count what fails meanwhile."""
    async with signed_in(stack, 3) as client, Load(client, pages, 50, asks_again=True) as load:
        for _time in range(times):
            await asyncio.sleep(1)
            before = set(stack.web.children())
            began = time.monotonic()
            replace()
            await until(lambda: not before & set(stack.web.children()), 120)  # noqa: B023 - asked at once
            figures.say(f"{len(before)} processes were replaced in {time.monotonic() - began:.1f} s")
            figures.hold(not before & set(stack.web.children()), "no old process is left")
        await asyncio.sleep(2)
    bad = failed(load.answers)
    figures.say(f"{load.again} were sent again, on another connection")
    figures.hold(not bad, f"{len(bad)} of {len(load.answers)} requests failed ({kinds(bad)})")


async def stop(stack: Stack, figures: Figures, full: bool) -> None:
    """The school is asked to stop (SIGTERM) under 50 requests a second: what it took, it answers."""
    await stopped(stack, figures, lambda: stack.web.process.send_signal(signal.SIGTERM))  # type: ignore[union-attr]


async def stopped(stack: Stack, figures: Figures, end: Callable[[], None]) -> None:
    """End the web processes in some way while they are busy with people who sign in."""
    async with signed_in(stack, 4) as client, a_client(stack) as others, Load(client, pages, 50) as load:
        await asyncio.sleep(1)
        entries = [entry(others, number) for number in range(24)]
        entering = [asyncio.create_task(load.one(others, request)) for request in entries]
        addresses: set[str] = set()
        while len(addresses) < 4 and not all(task.done() for task in entering):
            addresses = await _signing_in_from(stack)
        began = time.monotonic()
        end()
        await asyncio.to_thread(stack.web.process.wait, 30)  # type: ignore[union-attr]
        took = time.monotonic() - began
        answers = await asyncio.gather(*entering)
        await asyncio.sleep(0.5)
    figures.hold(took <= 10, f"it ended after {took:.1f} s (promised: 10)")
    taken = [
        answer
        for request, answer in zip(entries, answers, strict=True)
        if request.headers["X-Forwarded-For"] in addresses
    ]
    broken = [one for one in taken if one.status != 303]
    figures.hold(not broken, f"{len(broken)} of {len(taken)} sign-ins that it was at were broken ({kinds(broken)})")
    # Nobody had begun with what was asked on a connection that was just being closed, and a browser asks again.
    late = [one for one in failed(load.answers) if one.why != "ConnectError" and one not in broken]
    figures.say(f"{len(late)} of {len(load.answers)} requests met a connection that was being closed ({kinds(late)})")
    worker = await asyncio.to_thread(stack.workers[0].stop)
    figures.hold(worker <= 10, f"the worker ended after {worker:.1f} s (promised: 10)")


async def _signing_in_from(stack: Stack) -> set[str]:
    """The addresses of sign-ins that a web process has begun with: counted in Redis until they turn out well."""
    import redis

    client = redis.Redis(unix_socket_path=str(stack.redis.socket))
    try:
        keys = await asyncio.to_thread(lambda: list(client.scan_iter("limit:sign-in:*:10.8.*", count=1000)))
    finally:
        client.close()
    return {key.decode().rpartition(":")[2] for key in keys}


async def kill_web(stack: Stack, figures: Figures, full: bool) -> None:
    """A web process is killed under 50 requests a second: another stands soon, and only what it held is lost."""
    for _time in range(5 if full else 1):
        async with signed_in(stack, 5) as client, Load(client, pages, 50) as load:
            await asyncio.sleep(1)
            before = set(stack.web.children())
            began = time.monotonic()
            with suppress(ProcessLookupError):
                os.kill(min(before), signal.SIGKILL)
            await until(lambda: bool(set(stack.web.children()) - before), 20)  # noqa: B023 - asked at once
            took = time.monotonic() - began
            await asyncio.sleep(3)
        bad = failed(load.answers)
        figures.say(f"{len(bad)} of {len(load.answers)} requests failed ({kinds(bad)})")
        figures.hold(took <= 5, f"another process stood after {took:.1f} s (promised: 5)")
        after = failed(load.between(began + 1, time.monotonic()))
        figures.hold(not after, f"{len(after)} that were sent a second after or later were lost ({kinds(after)})")


async def until(question: Callable[[], bool], seconds: float) -> None:
    """Wait until something is so, or time is over."""
    for _look in range(int(seconds / 0.05)):
        if question():
            return
        await asyncio.sleep(0.05)


async def busy_with_others() -> float:
    """The share of the machine that is in use while we do nothing."""

    def ticks() -> tuple[int, int]:
        numbers = [int(word) for word in Path("/proc/stat").read_text(encoding="utf-8").split("\n", 1)[0].split()[1:9]]
        return sum(numbers), numbers[3] + numbers[4]

    (all_before, idle_before), _nothing = ticks(), await asyncio.sleep(2)
    all_after, idle_after = ticks()
    return 1 - (idle_after - idle_before) / max(1, all_after - all_before)


PROOFS: dict[str, Proof] = {
    "webhooks": webhooks,
    "jobs": jobs,
    "kills": kills,
    "postgres": postgres,
    "postgres-silent": postgres_silent,
    "redis": redis,
    "reload": reload,
    "kill-web": kill_web,
    "stop": stop,
}


# What measures speed.
DIRECT = ("webhooks", "jobs", "postgres", "reload", "stop", "kill-web")
