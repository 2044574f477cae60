"""The limits of request bodies, on an application of their own with two routes."""

import asyncio
from typing import Any

import pytest
from quart import Quart, request
from quart.wrappers import Request

from app.web import bodies


@pytest.fixture
def small() -> Quart:
    app = Quart(__name__)
    app.config["MAX_CONTENT_LENGTH"] = 1000
    bodies.install(app)

    @app.post("/fields")
    async def fields() -> str:
        return str(len((await request.form).get("text", "")))

    @app.post("/raw")
    async def raw() -> str:
        return str(len(await request.get_data()))

    @app.post("/files")
    @bodies.brings(5 * bodies.MEGABYTE)
    async def files() -> str:
        await asyncio.sleep(0.05)  # as a guard does that asks the database
        found = (await request.files)["file"]
        return str(len(found.stream.read()))

    return app


def multipart(size: int) -> tuple[bytes, dict[str, str]]:
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n\r\n'
    return head + b"x" * size + b"\r\n--b--\r\n", {"Content-Type": "multipart/form-data; boundary=b"}


async def test_a_body_over_the_limit_is_refused(small: Quart) -> None:
    client = small.test_client()
    assert (await client.post("/raw", data=b"x" * 1000)).status_code == 200
    assert (await client.post("/raw", data=b"x" * 1001)).status_code == 413
    body, headers = multipart(2000)
    assert (await client.post("/fields", data=body, headers=headers)).status_code == 413


async def test_a_route_may_take_more_and_gets_all_of_it(small: Quart) -> None:
    client = small.test_client()
    body, headers = multipart(4_000_000)
    answer = await client.post("/files", data=body, headers=headers)
    assert await answer.get_data(as_text=True) == "4000000"
    body, headers = multipart(5 * bodies.MEGABYTE)
    assert (await client.post("/files", data=body, headers=headers)).status_code == 413


async def test_more_is_taken_of_files_only(small: Quart) -> None:
    """Fields are held in memory whole, wherever they are sent."""
    client = small.test_client()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert (await client.post("/files", data=b"x" * 2000, headers=headers)).status_code == 413


async def test_a_body_without_a_length_is_counted_as_it_comes(small: Quart) -> None:
    """Chunked: nothing says beforehand how much will come."""
    body, headers = multipart(20 * bodies.MEGABYTE)
    status, taken = await send_in_pieces(small, "/files", body, headers)
    assert status == 413
    # A little more than the limit is taken in and thrown away, so that the sender hears the answer.
    assert 5 * bodies.MEGABYTE < taken < 15 * bodies.MEGABYTE
    body, headers = multipart(3 * bodies.MEGABYTE)
    status, taken = await send_in_pieces(small, "/files", body, headers)
    assert (status, taken) == (200, len(body))


async def test_no_more_is_taken_in_than_the_handler_reads(small: Quart) -> None:
    """While a handler has not begun to read, at most a buffer of the body is in memory."""
    waiting = asyncio.Event()

    @small.post("/slow")
    @bodies.brings(50 * bodies.MEGABYTE)
    async def slow() -> str:
        await waiting.wait()
        return str(len((await request.files)["file"].stream.read()))

    body, headers = multipart(20 * bodies.MEGABYTE)
    taken = [0]
    sending = asyncio.ensure_future(send_in_pieces(small, "/slow", body, headers, taken))
    await asyncio.sleep(0.1)
    assert 0 < taken[0] < bodies.MEGABYTE
    waiting.set()
    assert await sending == (200, len(body))


async def send_in_pieces(
    app: Quart, path: str, body: bytes, headers: dict[str, str], taken: list[int] | None = None
) -> tuple[int, int]:
    """Speak ASGI to the application without a Content-Length; the status and how many bytes it took."""
    taken = [0] if taken is None else taken
    status = [0]
    scope: Any = {
        "type": "http", "http_version": "1.1", "method": "POST", "scheme": "http", "path": path, "query_string": b"",
        "headers": [(k.lower().encode(), v.encode()) for k, v in headers.items()], "root_path": "",
        "client": ("127.0.0.1", 1), "server": ("localhost", 80), "extensions": {}, "asgi": {"version": "3.0"},
    }  # fmt: skip
    size = 64 * 1024

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0)
        if taken[0] >= len(body):
            await asyncio.Event().wait()
        piece = body[taken[0] : taken[0] + size]
        taken[0] += len(piece)
        return {"type": "http.request", "body": piece, "more_body": taken[0] < len(body)}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            status[0] = message["status"]

    async with app.app_context():
        await app.asgi_app(scope, receive, send)  # type: ignore[arg-type]
    return status[0], taken[0]


def test_requests_are_patient(small: Quart) -> None:
    assert issubclass(small.request_class, Request)
    assert small.request_class.body_class is bodies.PatientBody


@pytest.mark.parametrize(
    ("method", "is_whole", "is_done"), [("POST", True, True), ("POST", False, False), ("GET", True, False)]
)
async def test_a_form_that_came_whole_is_carried_out_though_its_sender_hangs_up(
    small: Quart, method: str, is_whole: bool, is_done: bool
) -> None:
    """A page that is only looked at is not drawn for nobody, and half a form is none."""
    done, begun = asyncio.Event(), asyncio.Event()

    @small.route("/deed", methods=["GET", "POST"])
    async def deed() -> str:
        begun.set()
        await request.get_data()
        await asyncio.sleep(0.6)
        done.set()
        return "done"

    connection = small.test_client().request("/deed", method=method)
    async with connection:
        await connection.send(b"a=b")
        if is_whole:
            await connection.send_complete()
        await begun.wait()
        await asyncio.sleep(0.02)
        await connection.disconnect()
    assert done.is_set() is is_done
