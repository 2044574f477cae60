"""One fault run: people buy and learn, faults strike, the dust settles, the invariants are checked.

python -m tests.faults.run [--minutes N] [--seed N] [--only kill-worker,postgres] [--keep]
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx

from app.core import db
from tests.faults import invariants
from tests.faults.kinds import KINDS
from tests.faults.people import Crowd, Told
from tests.faults.stack import STRIPE_SECRET, Stack, a_folder, answers


@dataclass(frozen=True, slots=True)
class Struck:
    """One fault that struck: when it began and ended, and how long until the school answered well again."""

    name: str
    began: float
    ended: float
    healed_after: float


HEALED_WITHIN = 10.0
DRAINED_WITHIN = 150.0


def main(arguments: list[str] | None = None) -> int:
    """Run; the exit status is 0 when every invariant holds."""
    parser = argparse.ArgumentParser(prog="bin/faults", description="Sell and teach while things break.")
    parser.add_argument("--minutes", type=float, default=5.0, help="how long faults strike (5)")
    parser.add_argument("--seed", type=int, default=None, help="the same seed strikes in the same order")
    parser.add_argument("--only", default="", help=f"a choice, with commas: {', '.join(KINDS)}")
    parser.add_argument(
        "--short", action="store_true", help="the form that bin/test runs: one round of the quick faults"
    )
    parser.add_argument("--keep", action="store_true", help="leave the folder with the logs and the database")
    parser.add_argument(
        "--prove", default="", metavar="NAMES", help="measure promises instead: all, controls, or a choice"
    )
    parser.add_argument("--repeat", type=int, default=0, metavar="N", help="N times in a row: the tests, or --prove")
    parser.add_argument("--full", action="store_true", help="with --prove: in the full measure (minutes)")
    options = parser.parse_args(arguments)
    from tests.faults import controls, repeats

    if options.prove:
        names = controls.named(options.prove)
        known = (*controls.PROOFS, *controls.CONTROLS)
        if unknown := sorted(set(names) - set(known)):
            parser.error(f"there is no promise called {', '.join(unknown)}; there are {', '.join(known)}")
        return repeats.repeat(
            options.repeat or 1,
            lambda: asyncio.run(controls.prove(names, full=options.full, keep=options.keep)),
            say if options.repeat else lambda _line: None,
        )
    if options.repeat:
        return repeats.repeat(options.repeat, repeats.tests, say)
    chosen = [name for name in options.only.split(",") if name]
    unknown = sorted(set(chosen) - set(KINDS))
    if unknown:
        parser.error(f"there is no fault called {', '.join(unknown)}")
    seed = options.seed if options.seed is not None else random.randrange(10**6)
    return asyncio.run(
        run(chosen or list(KINDS), seed=seed, seconds=options.minutes * 60, short=options.short, keep=options.keep)
    )


async def run(kinds: list[str], *, seed: int, seconds: float, short: bool, keep: bool) -> int:
    dice = random.Random(seed)
    say(f"seed {seed}; faults: {', '.join(kinds)}")
    stack = Stack(a_folder())
    told = Told()
    try:
        began = time.monotonic()
        await stack.start()
        say(f"the school stands after {time.monotonic() - began:.1f} s")
        crowd = Crowd(stack, told, random.Random(seed + 1))
        crowd.start()
        struck = await strike(stack, kinds, dice, seconds, short=short)
        await crowd.finish()
        settled = await settle(stack, hasten=short)
        wrong = await verdict(stack, told, struck, kinds)
        report(stack, told, struck, settled, wrong)
    finally:
        await stack.stop()
        if keep:
            say(f"logs and data are in {stack.folder}")
        else:
            stack.forget()
    return 1 if wrong else 0


async def strike(stack: Stack, kinds: list[str], dice: random.Random, seconds: float, *, short: bool) -> list[Struck]:
    """Let faults strike, one after the other, with a breath between."""
    struck: list[Struck] = []
    until = time.monotonic() + seconds
    await asyncio.sleep(2)
    while True:
        order = list(kinds)
        dice.shuffle(order)
        for name in order:
            began = time.monotonic()
            await KINDS[name](stack, dice)
            ended = time.monotonic()
            healed = await until_healed(stack)
            struck.append(Struck(name, began, ended, healed))
            say(f"{name}: {ended - began:.1f} s, answered well {healed:.2f} s after")
            await asyncio.sleep(0.5 if short else 2 + 3 * dice.random())
            if not short and time.monotonic() > until:
                return struck
        if short:
            return struck


async def until_healed(stack: Stack) -> float:
    """Seconds until a page that reads the database answers with 200."""
    began = time.monotonic()
    while time.monotonic() - began < 60:
        if await asyncio.to_thread(answers, f"{stack.url}/courses") and await asyncio.to_thread(
            answers, f"{stack.url}/health/ready"
        ):
            return time.monotonic() - began
        await asyncio.sleep(0.02)
    return time.monotonic() - began


async def settle(stack: Stack, *, hasten: bool) -> float:
    """Wait until nothing is on its way; the seconds that took. `hasten`: waiting times of retries are cut short."""
    await stack.switch_back()
    began = time.monotonic()
    quiet = 0
    while time.monotonic() - began < DRAINED_WITHIN and quiet < 3:
        if hasten:
            await db.run("UPDATE pgqueuer SET execute_after = now() WHERE status = 'queued' AND execute_after > now()")
        waiting = await db.value(
            "SELECT count(*) FROM pgqueuer WHERE status <> 'failed' AND coalesce(dedupe_key, '') NOT LIKE '%:schedule'"
        )
        async with httpx.AsyncClient(trust_env=False) as http:
            if hasten:
                await http.post(f"{stack.stripe_url}/_sandbox/deliveries/release")
            pending = (await http.get(f"{stack.stripe_url}/_sandbox/deliveries", params={"state": "pending"})).json()
        quiet = quiet + 1 if not waiting and not pending else 0
        await asyncio.sleep(0.5)
    return time.monotonic() - began


async def verdict(stack: Stack, told: Told, struck: list[Struck], kinds: list[str]) -> list[str]:
    post = invariants.Post(
        stack.mail.taken,
        may_repeat=bool(
            {"kill-worker", "mail", "postgres", "postgres-crash", "postgres-cut", "postgres-silent"} & set(kinds)
        ),
    )
    wrong = await invariants.every(await books(stack), post, told, stack.data)
    wrong += [
        f"after {one.name} the school was away for {one.healed_after:.1f} s"
        for one in struck
        if one.healed_after > HEALED_WITHIN
    ]
    wrong += stack.wrong
    wrong += [f"somebody gave up: {why}" for why in told.gave_up]
    wrong += await connections_are_given_back(stack)
    return wrong


async def books(stack: Stack) -> invariants.Books:
    """Stripe's own account of what happened."""
    found = invariants.Books()
    async with httpx.AsyncClient(base_url=stack.stripe_url, trust_env=False) as http:
        for path, into in (("/v1/checkout/sessions", found.sessions), ("/v1/refunds", found.refunds)):
            after: dict[str, Any] = {}
            while True:
                headers = {"Authorization": f"Bearer {STRIPE_SECRET}"}
                page = (await http.get(path, params={"limit": 100, **after}, headers=headers)).json()
                into.extend(page["data"])
                if not page["has_more"]:
                    break
                after = {"starting_after": page["data"][-1]["id"]}
    return found


async def connections_are_given_back(stack: Stack) -> list[str]:
    """No connection is kept in a transaction, and there are no more than the pools may hold."""
    rows = await db.many(
        db.Row,
        "SELECT state, count(*) AS n FROM pg_stat_activity WHERE backend_type = 'client backend'"
        " AND pid <> pg_backend_pid() GROUP BY state",
    )
    counts = {row.state: row.n for row in rows}
    most = (stack.web_workers + stack.job_workers) * 10 + stack.job_workers * 4 + 4
    wrong = [f"{n} connections are {state}" for state, n in counts.items() if state and "in transaction" in state]
    if sum(counts.values()) > most:
        wrong.append(f"{sum(counts.values())} connections are open, the pools hold at most {most}")
    return wrong


def report(stack: Stack, told: Told, struck: list[Struck], settled: float, wrong: list[str]) -> None:
    """Print what happened and what is wrong."""
    kinds = Counter((one.method, f"{one.status // 100}xx" if one.status else one.why) for one in told.answers)
    say("")
    say(f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {len(struck)} faults, {len(told.answers)} requests")
    for (method, status), n in sorted(kinds.items()):
        say(f"  {method:<5}{status:<24}{n:>7}")
    say(f"  {len(told.paid)} paid, {len(told.shown_paid)} shown as paid, {len(told.refunded)} refunded")
    say(
        f"  {sum(place.acknowledged is not None for place in told.places.values())} positions, {len(told.completed)} completions acknowledged"
    )
    twice = sum(n - 1 for n in stack.mail.taken.values())
    say(f"  {len(stack.mail.taken)} mails, {twice} of them handed over once more under the same Message-ID")
    for name in dict.fromkeys(one.name for one in struck):
        healed = [one.healed_after for one in struck if one.name == name]
        say(f"  {name:<16}{len(healed):>3} times, answered well after {max(healed):.2f} s at most")
    say(f"  drained {settled:.1f} s after the last")
    say("")
    for sentence in wrong[:50]:
        say(f"WRONG: {sentence}")
    say("every invariant holds" if not wrong else f"{len(wrong)} things are wrong")


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - a program that reports


if __name__ == "__main__":
    sys.exit(main())
