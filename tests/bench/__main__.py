"""`bin/bench`: start the real stack, seed it, measure every page beside what it is compared with, print one table."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import signal
import sys
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.bench import choice, every, lighthouse, load, pages, people, recording, scale, special, stack, table
from tests.bench.measuring import QUICK, Bench, Measure, middle
from tests.bench.servers import LOOPS, SERVERS, Serving

# Members of the two schools of --scale.
SIZES = (200, 100_000)


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything is stopped and thrown away
    serving = Serving(options.workers, options.server, options.loop, tuple(options.server_options.split()))
    if options.scale:
        return compare_sizes(serving, options)
    if options.every:
        return visit_every_page(serving, options)
    worker = not (options.servers or options.lighthouse)
    with stack.running(serving, members=options.members, worker=worker) as running:
        if options.lighthouse:
            print(lighthouse.drawn(lighthouse.run(running, say, passes=options.passes or 1)))
            return 0
        if options.servers:
            return compare_servers(running, options)
        report = measure(running, options)
    print(table.drawn(report["pages"]))
    print(footing(report))
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    if options.compare:
        changes = table.compared(json.loads(options.compare.read_text("utf-8")), report)
        print("\n".join(changes) or f"Nothing moved by more than noise since {options.compare}.")
    return 1 if any(row["failed"] for row in report["pages"]) else 0


def compare_sizes(serving: Serving, options: argparse.Namespace) -> int:
    """The addresses that a large school answers too slowly; 1 when there are any."""
    one = replace(serving, workers=1)
    small, large = SIZES if options.members is None else (SIZES[0], options.members)
    with (
        stack.running(one, members=small, worker=False) as first,
        stack.running(one, members=large, worker=False) as second,
    ):
        measured, row = scale.compare(first, second, options.only, say)
        print(scale.drawn(measured, row))
        print(f"\n{datetime.now(UTC).isoformat(timespec='seconds')}; {machine()}; {small:,} and {large:,} members.")
        pages_measured = [address for address in measured if "format=csv" not in address.path]
        return 1 if any(scale.ratio(address, row) > scale.LIMIT for address in pages_measured) else 0


def visit_every_page(serving: Serving, options: argparse.Namespace) -> int:
    """The slowest of all kinds of pages; 1 when a link leads nowhere."""
    with stack.running(replace(serving, workers=1), members=options.members, worker=False) as running:
        visits = every.visit(running, say)
    print(every.drawn(visits))
    print(f"\n{datetime.now(UTC).isoformat(timespec='seconds')}; {machine()}; {options.members:,} members.")
    return 1 if every.failed(visits) else 0


def compare_servers(running: stack.Stack, options: argparse.Namespace) -> int:
    """The table by which the server was chosen."""
    found = asyncio.run(people.gather(running))
    recording.save({}, running.reference)
    how = how_long(options)
    print(choice.drawn(choice.compare(running, found, passes=how.passes, seconds=how.seconds, say=say)))
    print(f"\n{datetime.now(UTC).isoformat(timespec='seconds')}; {machine()}; load from {load.tool()}.")
    return 0


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bin/bench", description=__doc__)
    names = ", ".join(page.name for page in pages.PAGES)
    parser.add_argument("--pages", default="", metavar="NAME,…", help=f"only these: {names}")
    parser.add_argument("--members", type=int, metavar="N", help="members of the seeded school (1000)")
    parser.add_argument("--quick", action="store_true", help="one short pass: a couple of minutes, noisy")
    parser.add_argument("--passes", type=int, metavar="N", help="how many passes the median is of (3)")
    parser.add_argument("--seconds", type=float, metavar="S", help="length of one measurement (4)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 2, metavar="N", help="web processes (cores)")
    parser.add_argument("--server", choices=SERVERS, default="granian", help="serve with another server to compare")
    parser.add_argument("--loop", choices=LOOPS, default="uvloop", help="serve with another event loop to compare")
    parser.add_argument("--servers", action="store_true", help="compare all servers that are installed, and end")
    parser.add_argument("--scale", action="store_true", help="compare 200 with 100,000 (or N) members, and end")
    parser.add_argument("--only", default="", metavar="REGEX", help="with --scale: only addresses in which it is found")
    parser.add_argument("--every", action="store_true", help="follow all links, show the slowest pages, and end")
    parser.add_argument(
        "--lighthouse", action="store_true", help="Lighthouse's marks (needs npm's lighthouse), and end"
    )
    parser.add_argument("--server-options", default="", metavar="WORDS", help="more words for the server's command")
    parser.add_argument("--specials", action="store_true", help="also a sign-in storm and webhooks at a steady rate")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    parser.add_argument("--compare", type=Path, metavar="FILE", help="say what moved since an older --json")
    options = parser.parse_args(arguments)
    try:
        # Everything that is measured by default includes what is no page.
        options.specials = options.specials or not options.pages
        options.pages = pages.chosen(options.pages)
    except ValueError as error:
        parser.error(str(error))
    if options.members is None and not options.scale:
        options.members = 1000
    return options


def measure(running: stack.Stack, options: argparse.Namespace) -> dict[str, Any]:
    """Everything that the report holds."""
    found = asyncio.run(people.gather(running))
    recorded = recording.record(running.env, {page.name: several(page, found) for page in options.pages})
    recording.save({page.name: recorded[page.name] for page in options.pages if page.hand}, running.reference)
    running.start_school()
    running.start_reference()
    bench = Bench(running, found, how_long(options), say)
    results = bench.run(options.pages, {name: one.queries for name, one in recorded.items()})
    hello, listing = middle(bench.hello), middle(bench.listing)
    extra = specials(running, found, options)
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "tool": load.tool(),
        "serving": " ".join(running.serving.command("app.asgi:app", 0)[1:]),
        "members": options.members,
        "seeding_seconds": running.seeding,
        "starting_seconds": running.starting,
        "web_bytes": running.web_memory(),
        "hello": {"at_1": middle(bench.hello_at_one).p50, "rate": hello.rate, "p50": hello.p50, "p99": hello.p99},
        "list": {
            "at_1": middle(bench.listing_at_one).p50,
            "rate": listing.rate,
            "p50": listing.p50,
            "p99": listing.p99,
        },
        "specials": extra,
        "pages": [table.summary(result) for result in results],
    }


def several(page: pages.Page, found: people.People) -> list[load.Request]:
    """Enough requests to warm a process up, each sent once where that matters."""
    made = page.requests(found, 6)
    return made if len(made) > 1 else made * 6


def specials(running: stack.Stack, found: people.People, options: argparse.Namespace) -> dict[str, Any] | None:
    if not options.specials:
        return None
    seconds = 10 if options.quick else 60
    say(f"sign-in storm, twice {seconds} s")
    storm = special.sign_in_storm(running, found, seconds=seconds)
    say(f"webhooks, {seconds} s")
    return special.summary(storm, *special.webhooks(running, found, seconds=seconds))


def how_long(options: argparse.Namespace) -> Measure:
    kind = QUICK if options.quick else Measure()
    return Measure(options.seconds or kind.seconds, kind.warm, options.passes or kind.passes)


def machine() -> str:
    parts = [f"{os.cpu_count()} cores", platform.system(), f"Python {platform.python_version()}"]
    return ", ".join([*parts, *(f"{name} {version(name)}" for name in ("granian", "quart", "asyncpg"))])


def footing(report: dict[str, Any]) -> str:
    """What stands under the table."""
    hello, listing = report["hello"], report["list"]
    lines = [
        f"{report['at']}; {report['machine']}; {report['members']} members; load from {report['tool']}.",
        f"Served by: {report['serving']}",
    ]
    for name, one in (("Hello", hello), ("List of 50", listing)):
        lines.append(
            f"{name}: {one['rate']:.0f} req/s at 32 connections (p50 {one['p50']:.2f} ms, p99 {one['p99']:.1f} ms), "
            f"p50 {one['at_1']:.2f} ms at one."
        )
    lines.append(
        f"Web processes hold {report['web_bytes'] / 2**20:.0f} MiB after the load and start in "
        f"{report['starting_seconds']:.1f} s; seeding took {report['seeding_seconds']:.1f} s."
    )
    return "\n".join(["", *lines, *(special.sentences(report["specials"]) if report["specials"] else [])])


def say(words: str) -> None:
    """Progress, where it does not get into the table."""
    print(words, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
