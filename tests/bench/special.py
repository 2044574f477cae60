"""What a table of pages cannot show: other pages while many people sign in, and webhooks at a steady rate."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import asyncpg

from tests.bench import load, people
from tests.bench.load import Load, Request
from tests.bench.pages import PAGES
from tests.bench.people import People
from tests.bench.stack import Stack

SIGN_INS = 20
DELIVERIES = 200


@dataclass(frozen=True, slots=True)
class Storm:
    """A page asked for at a steady rate, alone and while people sign in; and the sign-ins."""

    calm: Load
    stormy: Load
    sign_ins: Load


def sign_in_storm(stack: Stack, found: People, *, seconds: float) -> Storm:
    """A member's courses 50 times a second, first alone, then with 20 sign-ins a second beside them."""
    return asyncio.run(_storm(stack.port, found, seconds))


async def _storm(port: int, found: People, seconds: float) -> Storm:
    [learn] = [page.requests(found, 1) for page in PAGES if page.name == "learn"]
    calm = await load.at_rate(port, learn, rate=50, seconds=seconds)
    sign_ins = people.sign_ins(found, int(SIGN_INS * seconds) + 1)
    stormy, signed = await asyncio.gather(
        load.at_rate(port, learn, rate=50, seconds=seconds),
        load.at_rate(port, sign_ins, rate=SIGN_INS, seconds=seconds),
    )
    return Storm(calm, stormy, signed)


def webhooks(stack: Stack, found: People, *, seconds: float) -> tuple[Load, int]:
    """200 new deliveries a second; and how many of them are missing in the database afterwards (none)."""
    deliveries = people.deliveries(found, int(DELIVERIES * seconds))
    return asyncio.run(_webhooks(stack, deliveries, seconds))


async def _webhooks(stack: Stack, deliveries: list[Request], seconds: float) -> tuple[Load, int]:
    connection = await asyncpg.connect(stack.env["DATABASE_URL"])
    try:
        before = await connection.fetchval("SELECT count(*) FROM webhook_events")
        measured = await load.at_rate(stack.port, deliveries, rate=DELIVERIES, seconds=seconds)
        after = await connection.fetchval("SELECT count(*) FROM webhook_events")
    finally:
        await connection.close()
    return measured, len(deliveries) - (after - before)


def summary(storm: Storm, hooks: Load, missing: int) -> dict[str, Any]:
    """All of it in plain figures."""
    named = {"calm": storm.calm, "stormy": storm.stormy, "sign_ins": storm.sign_ins, "webhooks": hooks}
    plain: dict[str, Any] = {
        name: {"rate": one.rate, "p50": one.p50, "p99": one.p99, "failed": one.refused + one.broken}
        for name, one in named.items()
    }
    return plain | {"webhooks_missing": missing}


def sentences(found: dict[str, Any]) -> list[str]:
    """The same for people."""
    calm, stormy, signed, hooks = (found[name] for name in ("calm", "stormy", "sign_ins", "webhooks"))
    return [
        f"Sign-in storm: a member's courses 50 times a second, p50 {calm['p50']:.1f} ms and p99 {calm['p99']:.0f} ms "
        f"alone, p50 {stormy['p50']:.1f} ms and p99 {stormy['p99']:.0f} ms beside {signed['rate']:.0f} sign-ins a "
        f"second (their p50 {signed['p50']:.0f} ms); {stormy['failed'] + signed['failed']} failed.",
        f"Webhooks: {hooks['rate']:.0f} a second, p50 {hooks['p50']:.1f} ms, p99 {hooks['p99']:.0f} ms; "
        f"{hooks['failed']} failed, {found['webhooks_missing']} missing in the database.",
    ]
