"""The names of this machine: a visit by another one than that of APP_URL is led there, so that cookies stay together."""

from typing import Any

import pytest

from app import Lectern
from app.web.one_name import OneName, is_this_machine


async def asked(
    host: str, *, method: str = "GET", path: str = "/courses", query: bytes = b"", url: str = "", browser: bool = True
) -> Any:
    """The address that a visit is led to, or None when it is served."""
    found: list[Any] = []

    async def inner(_scope: Any, _receive: Any, _send: Any) -> None:
        found.append(None)

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            assert message["status"] == 307
            found.append(dict(message["headers"])[b"location"].decode())

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query,
        "headers": [(b"host", host.encode()), *([(b"sec-fetch-site", b"none")] if browser else [])],
    }
    await OneName(inner, url or "http://127.0.0.1:8000")(scope, None, send)
    (only,) = found
    return only


async def test_a_visit_by_another_name_is_led_to_the_one_that_payments_return_to() -> None:
    assert await asked("localhost:8000") == "http://127.0.0.1:8000/courses"
    assert await asked("LOCALHOST:8000", method="HEAD") == "http://127.0.0.1:8000/courses"
    assert await asked("[::1]:8000") == "http://127.0.0.1:8000/courses"
    assert await asked("127.0.0.1:8000", url="http://localhost:8000/") == "http://localhost:8000/courses"
    assert await asked("localhost:8000", path="/kurs/é", query=b"a=1&b=%2F") == (
        "http://127.0.0.1:8000/kurs/%C3%A9?a=1&b=%2F"
    )
    assert await asked("127.0.0.1", url="http://localhost") == "http://localhost/courses"


@pytest.mark.parametrize("path", ["//evil.example", "/\r\nSet-Cookie: a=b", "/\\evil.example"])
async def test_it_leads_nowhere_else(path: str) -> None:
    found = await asked("localhost:8000", path=path)
    assert found.startswith("http://127.0.0.1:8000/")
    assert "\r" not in found
    assert "\n" not in found


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:8000",
        "localhost:9000",  # a port that is passed on from elsewhere
        "localhost",
        "school.example:8000",
        "192.168.0.7:8000",
        "localhost.evil.example:8000",
        "localhost:port",
        "[:8000",
        "",
    ],
)
async def test_all_others_are_served_as_they_came(host: str) -> None:
    assert await asked(host) is None


async def test_a_form_is_taken_where_it_was_sent() -> None:
    assert await asked("localhost:8000", method="POST") is None


async def test_a_program_is_answered_at_any_name() -> None:
    assert await asked("localhost:8000", browser=False) is None


async def test_whoever_watches_a_process_is_answered_at_any_name() -> None:
    assert await asked("localhost:8000", path="/health/ready") is None


@pytest.mark.parametrize(
    ("host", "is_ours"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("school.example", False),
        ("", False),
    ],
)
def test_only_the_loopback_has_several_names(host: str, is_ours: bool) -> None:
    assert is_this_machine(host) is is_ours


async def test_the_school_leads_past_its_kept_pages(app: Lectern) -> None:
    answer = await app.test_client().get("/courses?page=1", headers={"Host": "127.0.0.1", "Sec-Fetch-Site": "none"})
    assert (answer.status_code, answer.headers["Location"]) == (307, "http://localhost/courses?page=1")
    assert (await app.test_client().get("/courses")).status_code == 200
