"""The measuring tools keep working: nothing here looks at a clock."""

import asyncio
import copy
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from werkzeug.routing import Map, Rule

from tests.bench import choice, every, lighthouse, load, pages, special, table
from tests.bench.__main__ import parse
from tests.bench.load import Load, Request
from tests.bench.measuring import Result
from tests.bench.people import People, answers, deliveries, positions, sign_ins
from tests.bench.reference import ROWS, filled_up
from tests.bench.servers import Serving

PEOPLE = People(
    member="__Host-session=m",
    owner="__Host-session=o",
    cart="__Host-cart=c",
    course="/courses/a",
    lesson="/learn/a/b",
    free_lesson="/courses/a/preview/b",
    learners=[("__Host-session=m", "/learn/a/b")],
    signers=["ann@example.org"],
    webhook_secret="whsec_x",
    form="/forms/bench-form",
    secret_key="a key that only the tests know, long enough",
)


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """A server that answers 200 and then 503, in turn, keeping the connection."""
    turn = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal turn
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = next(
                    (int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length:")), 0
                )
                await reader.readexactly(length)
                turn += 1
                writer.write(b"HTTP/1.1 %d X\r\nContent-Length: 2\r\n\r\nok" % (200 if turn % 2 else 503))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


def _result(rate: float = 100.0) -> Result:
    result = Result("home", "Home", 200, queries=3, html=12_000, wire=3_500)
    for factor in (0.98, 1.0, 1.02):
        many = Load(rate * factor, 20, 60, 400)
        result.note(Load(50, 2, 4, 200), many, [Load(1000, 1, 2, 1)], [Load(200, 1, 2, 1)], Load(250, 1, 2, 1))
    return result


def _report(rate: float = 100.0) -> dict[str, Any]:
    return {"pages": [table.summary(_result(rate))]}


def test_the_table_shows_medians_and_ratios() -> None:
    row = _report()["pages"][0]
    assert (row["to_hello"], row["to_list"], row["to_hand"]) == (0.1, 0.5, 0.4)
    head, _rule, line = table.drawn([row]).splitlines()
    assert len(head) == len(line)
    assert [cell.strip() for cell in line.strip("|").split("|")][:4] == ["Home", "3", "12.0", "3.5"]


def test_only_a_change_beyond_noise_is_told() -> None:
    assert table.compared(_report(100), _report(95)) == []
    [hello, hand] = table.compared(_report(100), _report(50))
    assert "SLOWER" in hello and "0.10 → 0.05" in hello and "by hand" in hand
    fewer = copy.deepcopy(_report())
    fewer["pages"][0]["queries"] = 2
    assert table.compared(_report(), fewer) == ["Home: 3 → 2 queries"]


def test_the_line_that_wrk_prints_is_read() -> None:
    line = 'RESULT {"requests": 100, "seconds": 2.0, "p50": 1.5, "p99": 9.0, "refused": 3, "broken": 1}'
    assert load.read_wrk(f"Running 2s test\n{line}\n") == Load(50.0, 1.5, 9.0, 100, 3, 1)
    with pytest.raises(ValueError, match="no result"):
        load.read_wrk("unable to connect")


async def test_the_python_client_counts_answers_and_refusals(port: int) -> None:
    found = await load.drive(port, [Request("/", method="POST", body=b"x")], connections=2, seconds=0.2)
    assert found.requests > 2 and found.broken == 0
    assert abs(found.refused - found.requests / 2) <= 1


async def test_an_open_loop_sends_as_many_as_it_was_told(port: int) -> None:
    found = await load.at_rate(port, [Request("/")], rate=200, seconds=0.2, connections=4)
    assert (found.requests, found.refused, found.broken) == (40, 20, 0)


async def test_an_open_loop_counts_those_that_nobody_answered() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        found = await load.at_rate(closed.getsockname()[1], [Request("/")], rate=100, seconds=0.1)
    assert (found.requests, found.broken) == (0, 10)


def test_every_page_makes_requests_that_can_be_sent() -> None:
    for page in pages.PAGES:
        for request in page.requests(PEOPLE, 3):
            head, _, body = request.raw().partition(b"\r\n\r\n")
            assert head.startswith(f"{request.method} {request.path} HTTP/1.1\r\nHost: ".encode()), page.name
            assert body == request.body


def test_writes_come_from_many_addresses_and_deliveries_are_new_each_time() -> None:
    for made in (sign_ins(PEOPLE, 50), positions(PEOPLE, 50), deliveries(PEOPLE, 50), answers(PEOPLE, 50)):
        assert len({request.headers["X-Forwarded-For"] for request in made}) == 50
    assert len({request.body for request in deliveries(PEOPLE, 50)}) == 50


def test_a_page_that_is_not_there_is_refused() -> None:
    with pytest.raises(SystemExit):
        parse(["--pages", "home,nowhere"])
    assert [page.name for page in parse(["--pages", "home,cart"]).pages] == ["home", "cart"]
    assert not parse(["--pages", "home"]).specials and parse([]).specials


def test_the_page_by_hand_is_as_long_as_the_real_one() -> None:
    import jinja2

    rows = [[("a", "<b>"), ("c", 1)], [("d",)]]
    environment = jinja2.Environment(autoescape=True)
    drawn = environment.from_string(ROWS).render(results=rows)
    html = "<p>" + "word " * 500
    assert len(environment.from_string(filled_up(ROWS, html, len(drawn))).render(results=rows)) == len(html)
    assert "&lt;b&gt;" in drawn


def test_what_is_compared_is_served_by_the_products_own_command() -> None:
    words = Serving(2).command("app.asgi:app", 8000)
    assert words[1:4] == ["-m", "granian", "app.asgi:app"] and "--respawn-failed-workers" in words
    other = Serving(2, loop="asyncio", options=("--backlog", "64")).command("app.asgi:app", 8000)
    assert other[other.index("--loop") + 1] == "asyncio" and other[-2:] == ["--backlog", "64"]


def test_the_special_measures_are_told_in_sentences() -> None:
    one = Load(20, 3, 9, 100)
    [storm, hooks] = special.sentences(special.summary(special.Storm(one, one, one), one, 0))
    assert "20 sign-ins a second" in storm and "0 missing" in hooks


def test_lighthouses_marks_are_those_of_the_middle_run() -> None:
    def run(score: float) -> dict[str, Any]:
        audits = {"lcp": {"score": score}, "notes": {"score": None}}
        refs = [{"id": "lcp", "weight": 25}, {"id": "notes", "weight": 0}]
        categories = {name: {"score": 1, "auditRefs": []} for name in lighthouse.CATEGORIES}
        return {"audits": audits, "categories": categories | {"performance": {"score": score, "auditRefs": refs}}}

    row = {"page": "home", "preset": "mobile", **lighthouse._middle([run(0.9), run(1), run(0.98)])}
    assert (row["performance"], row["seo"], row["below"]) == (98, 100, ["lcp"])
    assert lighthouse.drawn([row]).endswith("| home | mobile | 98 | 100 | 100 | 100 | lcp |")


def test_servers_are_compared_with_the_products_own_command_first() -> None:
    first, *_ = measured = choice.choices(workers=2)
    assert first.serving == Serving(2)
    for one in measured:
        for name in ("hello", *choice.PAGES):
            one.at_one[name] = [Load(100, 1, 2, 1)]
            one.at_many[name] = [Load(300, 1, 2, 1), Load(500, 3, 4, 1)]
        one.memory.append(100 * 2**20)
    line = choice.drawn(measured).splitlines()[2]
    assert line.startswith("| granian uvloop | 400 | 2.0 / 3 | 1.00 |") and line.endswith("| 100 |")


def test_links_are_followed_within_the_school_and_once_for_each_kind() -> None:
    body = """<a class="x" href="/courses?q=a&amp;page=2#top">C</a> <a href="https://elsewhere.example/">E</a> <a href="#here">
        <a href="mailto:a@example.org"> <button hx-get="next"> <img src="/picture"> <a href="https://lectern.example">"""
    assert every.links("/learn/one", body) == ["/courses?q=a&page=2", "/learn/next", "/"]
    known = Map([Rule("/courses/<slug>")]).bind("lectern.example")
    assert every.kind_of("/courses/a?q=1&p=2", known) == every.kind_of("/courses/b?p=&q=", known)
    assert every.kind_of("/courses/a?q=1", known) != every.kind_of("/courses/a", known)
    assert every.kind_of("/nowhere", known) == ("/nowhere",)


def test_the_slowest_pages_are_shown_and_links_that_lead_nowhere_fail() -> None:
    quick, slow = (every.Visit(f"/{ms}", "owner", ms / 1000, 200, "/", True) for ms in (3, 9))
    file, lost = every.Visit("/file", "owner", 1, 200, "/", False), every.Visit("/lost", "owner", 0, 404, "/3", True)
    shown = every.drawn([quick, lost, file, slow])
    assert shown.index("| /9 (owner) | 9.0 |") < shown.index("| /3 (owner) | 3.0 |") and "/file" not in shown
    assert shown.endswith("failed: 404 /lost (owner), from /3") and every.failed([quick, lost, file]) == [lost]
