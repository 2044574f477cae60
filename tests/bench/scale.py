"""`bin/bench --scale`: the same addresses at a small and at a large school, in turn, in one run.

Every list of the office is asked for plain, with each value of each filter, in each order both ways, with every two of
these together, on its second page and as a file (up to its first bytes); beside them the other pages of office, members
and visitors. What is compared is the time on a processor of the school's web process and its PostgreSQL, per request,
the least of several turns: other work on the machine moves it little, and on a quiet machine it is the answer's time.

A large school's list may show forty rows where the small one has two. What these rows cost to draw is no matter of
scale, so it is taken from the small school's own list (plain against empty) and added to the small school's time.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote

import asyncpg
import brotli

from app.accounts.queries import PEOPLE, impersonations
from app.accounts.queries.erasures import ERASURES
from app.admin.queries import LEARNERS
from app.commerce.queries.lists import ORDERS
from app.imports.queries import PEOPLE_IMPORTS
from app.ops.queries import AUDIT, JOB_LOG, JOBS, MAILS, WEBHOOKS
from app.web.tables import Dates, Listing, Search, Select, Toggle
from tests.bench import people
from tests.bench.load import Request
from tests.bench.stack import Stack

# How much slower a page of the large school may be.
LIMIT = 1.5
# Milliseconds: two times this near to each other are the same on a shared machine.
NOISE = 0.3
# How often the schools take turns, all told: at first, when a page seems near the limit, when it still seems beyond it.
# Then the requests of a turn.
FIRST, AGAIN, LONG, TURN = 3, 10, 40, 3

LISTS: dict[str, Listing] = {
    "/admin/orders": ORDERS,
    "/admin/people": PEOPLE,
    "/admin/learners": LEARNERS,
    "/admin/mails": MAILS,
    "/admin/webhooks": WEBHOOKS,
    "/admin/audit": AUDIT,
    "/admin/jobs": JOBS,
    "/admin/jobs/log": JOB_LOG,
    "/admin/people/imports": PEOPLE_IMPORTS,
    "/admin/privacy": ERASURES,
    "/admin/impersonations": impersonations.LISTING,
}
# Values that only the database knows; {names} are those of `gather`.
CHOSEN = {
    ("/admin/orders", "product"): ["{product}"],
    ("/admin/mails", "template"): ["commerce/order_confirmation", "accounts/verify_email"],
    ("/admin/audit", "actor"): ["{owner}"],
    ("/admin/audit", "action"): ["order.refund"],
    ("/admin/audit", "subject"): ["order"],
    ("/admin/jobs/log", "job"): ["core.deliver_mail"],
    ("/admin/people", "tag"): ["{tag}", "{most}"],
}
# The beginning of very many words, the commonest surname, one that half as many have, a word of one row, nothing.
WORDS = ["an", "{surname}", "{rarer}", "{email}", "zzzzqq"]
OFFICE = [
    "/admin", "/admin?period=7", "/admin?period=90", "/admin?period=365", "/admin?period=this-month",
    "/admin/search?q=an", "/admin/search?q={surname}", "/admin/search?q={rarer}", "/admin/search?q={email}", "/admin/search?q=1010",
    "/admin/search?q=zzzzqq", "/admin/people/new", "/admin/people/{person}", "/admin/people/{person}/access",
    "/admin/people/{person}/orders", "/admin/people/{person}/notes", "/admin/people/tags", "/admin/people/tags/{tag}",
    "/admin/audit/person/{person}", "/admin/roles", "/account/tokens", "/admin/orders/{order}", "/admin/orders/{order}/receipt", "/admin/courses",
    "/admin/courses/{course_id}", "/admin/courses/{course_id}/details", "/admin/courses/{course_id}/price",
    "/admin/courses/{course_id}/lessons/{lesson_id}", "/admin/courses/{course_id}/lessons/{lesson_id}/removal",
    "/admin/mails/templates", "/admin/jobs/schedules", "/admin/settings",
]  # fmt: skip
MEMBER = [
    "/", "/courses", "/courses/{course}", "/cart", "/account", "/account/orders", "/account/orders/{order}",
    "/account/sessions", "/account/privacy", "/account/security", "/learn", "/learn/{course}", "/learn/{course}/{lesson}", "/learn/{course}/access",
]  # fmt: skip
VISITOR = ["/", "/courses", "/courses/{course}", "/login", "/register", "/cart", "/cart/count", "/health/ready"]


@dataclass(slots=True)
class School:
    """A running school, with what stands in the addresses there."""

    stack: Stack
    cookies: dict[str, str]
    names: dict[str, str]


@dataclass(slots=True)
class Address:
    """What is asked for, by whom, and what came of it at the small and the large school: seconds on a processor of each
    turn, rows, statuses.
    """

    path: str
    who: str
    page: int = 1
    times: tuple[list[float], list[float]] = field(default_factory=lambda: ([], []))
    rows: tuple[int, int] = (0, 0)
    statuses: tuple[int, int] = (0, 0)

    @property
    def name(self) -> str:
        return f"{self.path} ({self.who}{', second page' if self.page == 2 else ''})"


def addresses() -> list[Address]:
    """All that is measured."""
    found = [Address(path, "visitor") for path in VISITOR]
    found += [Address(path, "member") for path in MEMBER]
    found += [Address(path, "owner") for path in OFFICE]
    for path, listing in LISTS.items():
        found += list(of_list(path, listing))
    return found


def of_list(path: str, listing: Listing) -> Iterator[Address]:
    sorts = [("sort", sign + column.key) for column in listing.columns if column.sort for sign in ("", "-")]
    values: list[tuple[str, list[tuple[str, ...]]]] = [("sort", [("sort", name) for _sort, name in sorts])]
    values += [(item.name, list(_values(path, item))) for item in listing.filters]
    singles = [""] + [_query(value) for _name, several in values for value in several]
    for query in singles:
        yield Address(f"{path}?{query}".rstrip("?"), "owner")
        yield Address(f"{path}?{query}".rstrip("?"), "owner", page=2)
        yield Address(f"{path}?{query}&format=csv".replace("?&", "?"), "owner")
    for (_one, several), (_other, others) in combinations(values, 2):
        for value in several:
            for other in others:
                yield Address(f"{path}?{_query(value)}&{_query(other)}", "owner")


def _values(path: str, item: Any) -> Iterator[tuple[str, ...]]:
    if isinstance(item, Search):
        yield from ((item.name, word) for word in WORDS)
    elif isinstance(item, Select):
        known = CHOSEN.get((path, item.name)) or [choice.value for choice in item.choices]
        yield from ((item.name, value) for value in known)
    elif isinstance(item, Toggle):
        yield (item.name, "1")
    elif isinstance(item, Dates):
        yield (item.from_name, "{month_ago}", item.to_name, "{today}")
        yield (item.from_name, "{yesterday}", item.to_name, "{today}")
        yield (item.from_name, "{month_ago}", item.to_name, "{yesterday}")


def _query(value: tuple[str, ...]) -> str:
    return "&".join(f"{name}={text}" for name, text in zip(value[::2], value[1::2], strict=True))


async def lengthen(stack: Stack) -> None:
    """Add what a year of running leaves in the logs, which the seed does not make."""
    connection = await asyncpg.connect(stack.env["DATABASE_URL"])
    try:
        await connection.execute(Path(__file__).with_name("logs.sql").read_text("utf-8"), timeout=3600)
        await connection.execute("VACUUM (ANALYZE)", timeout=3600)
    finally:
        await connection.close()


async def gather(stack: Stack) -> School:
    """Open sessions and choose who and what is looked at. `stack` runs."""
    connection = await asyncpg.connect(stack.env["DATABASE_URL"])
    try:
        row = await connection.fetchrow(_CHOSEN)
        sessions = await people.open_sessions(connection, [row["owner_id"], row["person_id"]])
    finally:
        await connection.close()
    cookies = {"visitor": "", "owner": sessions[row["owner_id"]], "member": sessions[row["person_id"]]}
    names = {name: quote(str(value), safe="") for name, value in row.items()}
    return School(stack, {who: token and f"__Host-session={token}" for who, token in cookies.items()}, names)


# A member with two courses, an order and some progress, as there are in a school of any size.
_CHOSEN = """
    WITH surnames AS (SELECT lower(reverse(split_part(reverse(name), ' ', 1))) AS name, count(*) AS people
                      FROM users WHERE role = 'member' GROUP BY 1)
    SELECT o.id AS owner_id, o.public_id AS owner, u.id AS person_id, u.public_id AS person, u.email,
           (SELECT name FROM surnames ORDER BY people DESC, name LIMIT 1) AS surname,
           (SELECT name FROM surnames
            ORDER BY abs(people - (SELECT max(people) FROM surnames) / 2), name LIMIT 1) AS rarer,
           c.slug AS course, c.public_id AS course_id,
           l.slug AS lesson, l.public_id AS lesson_id, p.public_id AS product,
           (SELECT public_id FROM orders WHERE user_id = u.id ORDER BY id LIMIT 1) AS order,
           (SELECT public_id FROM tags ORDER BY id LIMIT 1) AS tag, 'most' AS most,
           CAST(now() AS date) AS today, CAST(now() AS date) - 1 AS yesterday, CAST(now() AS date) - 30 AS month_ago
    FROM (SELECT id, public_id FROM users WHERE role = 'owner' ORDER BY id LIMIT 1) o, users u
    JOIN entitlements e ON e.user_id = u.id AND e.closed_at IS NULL
    JOIN products p ON p.id = e.product_id JOIN courses c ON c.id = p.course_id
    JOIN lessons l ON l.course_id = c.id AND l.state = 'published'
    WHERE u.role = 'member' AND (SELECT count(*) FROM enrolments n WHERE n.user_id = u.id) = 2
      AND EXISTS (SELECT 1 FROM orders x WHERE x.user_id = u.id AND x.state = 'paid')
      AND (SELECT count(*) FROM lesson_progress x WHERE x.user_id = u.id) BETWEEN 5 AND 14
    ORDER BY u.id, c.id, l.id LIMIT 1
"""


def compare(
    small: Stack, large: Stack, only: str, say: Callable[[str], None]
) -> tuple[list[Address], dict[str, float]]:
    """Measure all addresses in which `only` is found at both, in turn; what seems too slow again, more often.

    Also the seconds that a row of each list takes to draw.
    """
    for stack in (small, large):
        asyncio.run(lengthen(stack))
        stack.start_school()
    return measure((asyncio.run(gather(small)), asyncio.run(gather(large))), only, say)


def measure(
    schools: tuple[School, School], only: str, say: Callable[[str], None]
) -> tuple[list[Address], dict[str, float]]:
    """The same for schools that run."""
    row = {path: _row(schools[0], path, _none(listing)) for path, listing in LISTS.items() if _none(listing)}
    measured = [address for address in addresses() if re.search(only, address.name)]
    # Broken off, it tells of what it has; in this order of all kinds.
    Random(1).shuffle(measured)
    with contextlib.suppress(KeyboardInterrupt):
        for number, address in enumerate(measured):
            if number % 50 == 0:
                say(f"{number} of {len(measured)} addresses")
            _compare(schools, address, row)
    return [address for address in measured if min(map(len, address.times)) >= FIRST], row


def _compare(schools: tuple[School, School], address: Address, row: dict[str, float]) -> None:
    paths = [_found(school, address) for school in schools]
    if not all(paths):
        return  # no second page in so small a school
    _measure(schools, address, paths, FIRST)
    for turns, seems_beyond in ((AGAIN - FIRST, LIMIT - 0.2), (LONG - AGAIN, LIMIT)):
        if all(address.times) and ratio(address, row) > seems_beyond:
            _measure(schools, address, paths, turns)


def ratio(address: Address, row: dict[str, float]) -> float:
    """How much slower the large school is, rows that only it shows set aside."""
    small, large = (min(times) for times in address.times)
    # Lists that cannot be asked for no rows draw them as the others do.
    usual = sum(row.values()) / len(row)
    more = max(0, address.rows[1] - address.rows[0]) * row.get(address.path.partition("?")[0], usual)
    return large / (small + more + NOISE / 1000)


def _none(listing: Listing) -> str:
    """What the list is asked for to show no row; "" when it has nothing for that."""
    if any(isinstance(item, Dates) for item in listing.filters):
        return "from=1970-01-01&to=1970-01-01"
    return "q=zzzzqq" if any(isinstance(item, Search) for item in listing.filters) else ""


def _row(school: School, path: str, none: str) -> float:
    plain, empty = Address(path, "owner"), Address(f"{path}?{none}", "owner")
    for address in (plain, empty):
        for _ in range(AGAIN):
            _turn(school, address, 0, address.path)
    return max(0.0, min(plain.times[0]) - min(empty.times[0])) / max(1, plain.rows[0] - empty.rows[0])


def _found(school: School, address: Address) -> str:
    """The address at this school; "" when it is a second page that the list does not have."""
    path = address.path.format(**school.names)
    if address.page == 1:
        return path
    _status, body = ask(school, path, address.who)
    link = re.search(r'href="([^"]*after=[^"]*)"', body)
    return link[1].replace("&amp;", "&") if link else ""


def _measure(schools: tuple[School, School], address: Address, paths: list[str], turns: int) -> None:
    for _ in range(turns):
        for which, (school, path) in enumerate(zip(schools, paths, strict=True)):
            _turn(school, address, which, path)


def _turn(school: School, address: Address, which: int, path: str) -> None:
    began = school.stack.processor_time()
    for _ in range(TURN):
        status, body = ask(school, path, address.who)
    took = (school.stack.processor_time() - began) / TURN
    # What a process that ended meanwhile had spent is gone from the sum.
    if took > 0:
        address.times[which].append(took)
    rows, statuses = list(address.rows), list(address.statuses)
    rows[which], statuses[which] = body.count("<tr"), status
    address.rows, address.statuses = (rows[0], rows[1]), (statuses[0], statuses[1])


_connections: dict[int, http.client.HTTPConnection] = {}


def ask(school: School, path: str, who: str) -> tuple[int, str]:
    """Of a file only its first bytes are waited for."""
    port = school.stack.port
    connection = _connections.setdefault(port, http.client.HTTPConnection("127.0.0.1", port))
    request: Request = people.get(path, school.cookies[who])
    connection.request("GET", request.path, headers=request.headers)
    answer = connection.getresponse()
    if "format=csv" in path:
        answer.read(1)
        connection.close()
        return answer.status, ""
    body = answer.read()
    packed = answer.headers.get("Content-Encoding") == "br"
    return answer.status, (brotli.decompress(body) if packed else body).decode()


def drawn(measured: list[Address], row: dict[str, float]) -> str:
    """The addresses beyond the limit, worst first, and how all of them fared."""
    ordered = sorted(measured, key=lambda address: -ratio(address, row))
    files = [address for address in ordered if "format=csv" in address.path]
    ordered = [address for address in ordered if address not in files]
    beyond = [address for address in ordered if ratio(address, row) > LIMIT]
    lines = ["| address | small, ms | large, ms | rows | times slower |", "|---|---:|---:|---:|---:|"]
    for address in beyond or ordered[:10]:
        small, large = (min(times) * 1000 for times in address.times)
        rows = "/".join(str(number) for number in address.rows)
        lines.append(f"| {address.name} | {small:.2f} | {large:.2f} | {rows} | {ratio(address, row):.2f} |")
    failed = [address.name for address in measured if not all(200 <= status < 400 for status in address.statuses)]
    middle = ratio(ordered[len(ordered) // 2], row)
    lines.append(f"\n{len(beyond)} of {len(ordered)} pages beyond {LIMIT}; the median is {middle:.2f}.")
    if files:  # they hold all rows, and what is made before the first bytes are read is not bounded
        slowest = ", ".join(f"{address.name} {min(address.times[1]) * 1000:.0f} ms" for address in files[:3])
        lines.append(f"Of {len(files)} files up to their first bytes, the slowest: {slowest}.")
    return "\n".join([*lines, *(f"failed: {name}" for name in failed)])
