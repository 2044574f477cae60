"""The load tool: wrk where it is installed, else a small client of our own in Python, which is slower and says so.

One `measure` keeps a number of connections busy for some seconds, each sending its next request when it has the
answer to the last. Requests are raw bytes made before, so that making them costs nothing while the clock runs.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

_SCRIPT = Path(__file__).with_name("wrk.lua")
CLOSED = (ConnectionError, asyncio.IncompleteReadError, OSError, ValueError)


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request."""

    path: str
    headers: dict[str, str] = field(default_factory=dict)
    method: str = "GET"
    body: bytes = b""

    def raw(self) -> bytes:
        """The bytes that go over the wire."""
        lines = [f"{self.method} {self.path} HTTP/1.1", *(f"{name}: {text}" for name, text in self.headers.items())]
        if self.method != "GET":
            lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + self.body


@dataclass(frozen=True, slots=True)
class Load:
    """What one measurement found: requests a second, milliseconds; `refused` were answered 400 or more."""

    rate: float
    p50: float
    p99: float
    requests: int
    refused: int = 0
    broken: int = 0


def tool() -> str:
    """What measures here, for the report."""
    return "wrk, one thread" if shutil.which("wrk") else "the Python client (wrk is not installed: figures are lower)"


def measure(port: int, requests: Sequence[Request], *, connections: int, seconds: float, scratch: Path) -> Load:
    """Keep `connections` busy with these requests, in turn, for `seconds`; `scratch` is a file to overwrite."""
    program = shutil.which("wrk")
    if program is None:
        return asyncio.run(drive(port, requests, connections=connections, seconds=seconds))
    words = [program, "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "10s", "-s", str(_SCRIPT)]
    if len(requests) == 1 and requests[0].method == "GET":
        words += [word for name, text in requests[0].headers.items() for word in ("-H", f"{name}: {text}")]
        words.append(f"http://127.0.0.1:{port}{requests[0].path}")
    else:
        scratch.write_bytes(b"".join(b"%08d%s" % (len(raw), raw) for raw in (one.raw() for one in requests)))
        words += [f"http://127.0.0.1:{port}/", "--", str(scratch)]
    return read_wrk(subprocess.run(words, capture_output=True, text=True, check=True).stdout)


def read_wrk(output: str) -> Load:
    """Read the line that wrk.lua prints at the end. Raises ValueError when there is none."""
    for line in output.splitlines():
        if line.startswith("RESULT "):
            found = json.loads(line.removeprefix("RESULT "))
            rate = found["requests"] / found["seconds"]
            return Load(rate, found["p50"], found["p99"], found["requests"], found["refused"], found["broken"])
    raise ValueError(f"wrk gave no result: {output[-500:]}")


def summed_up(times: Sequence[float], seconds: float, *, refused: int = 0, broken: int = 0) -> Load:
    """The same from the times of single requests, in seconds."""
    ordered = sorted(times) or [float("nan")]
    p50, p99 = (ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000 for share in (0.5, 0.99))
    return Load(len(times) / seconds, p50, p99, len(times), refused, broken)


async def drive(port: int, requests: Sequence[Request], *, connections: int, seconds: float) -> Load:
    """The Python client: what wrk does, with asyncio streams."""
    raws = [one.raw() for one in requests]
    times: list[float] = []
    refused = broken = turn = 0
    began = time.perf_counter()

    async def keep_busy() -> None:
        nonlocal refused, broken, turn
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while (start := time.perf_counter()) - began < seconds:
            turn += 1
            try:
                status, _, _ = await exchange(reader, writer, raws[turn % len(raws)])
                times.append(time.perf_counter() - start)
                refused += status >= 400
            except CLOSED:
                broken += 1
                writer.close()
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()

    await asyncio.gather(*(keep_busy() for _ in range(connections)))
    return summed_up(times, time.perf_counter() - began, refused=refused, broken=broken)


async def at_rate(
    port: int, requests: Sequence[Request], *, rate: float, seconds: float, connections: int = 64
) -> Load:
    """Open loop: a request every 1/`rate` s, whether the last is answered or not; its time counts from when it was
    due, so waiting for a free connection is seen (no coordinated omission)."""
    free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter] | None] = asyncio.Queue()
    for _ in range(connections):
        free.put_nowait(None)
    times: list[float] = []
    refused = broken = 0
    began = time.perf_counter()

    async def send(raw: bytes, due: float) -> None:
        nonlocal refused, broken
        streams = await free.get()
        try:
            streams = streams or await asyncio.open_connection("127.0.0.1", port)
            status, _, _ = await exchange(*streams, raw)
            times.append(time.perf_counter() - due)
            refused += status >= 400
        except CLOSED:
            broken += 1
            if streams:
                streams[1].close()
            streams = None
        free.put_nowait(streams)

    async with asyncio.TaskGroup() as group:
        for number in range(int(rate * seconds)):
            due = began + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            group.create_task(send(requests[number % len(requests)].raw(), due))
    took = time.perf_counter() - began
    while not free.empty():
        if streams := free.get_nowait():
            streams[1].close()
    return summed_up(times, took, refused=refused, broken=broken)


async def exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, raw: bytes
) -> tuple[int, dict[str, str], bytes]:
    """Send one request; status, headers (names in lower case) and body of its answer."""
    writer.write(raw)
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    pairs = (line.split(":", 1) for line in head[1:] if ":" in line)
    headers = {name.lower(): text.strip() for name, text in pairs}
    status = int(head[0].split()[1])
    if headers.get("transfer-encoding") == "chunked":
        parts = []
        while size := int(await reader.readline(), 16):
            parts.append((await reader.readexactly(size + 2))[:-2])
        await reader.readline()
        return status, headers, b"".join(parts)
    length = 0 if status in (204, 304) else int(headers.get("content-length", 0))
    return status, headers, await reader.readexactly(length)


async def ask(port: int, request: Request) -> tuple[int, dict[str, str], bytes]:
    """Send one request on a connection of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        return await exchange(reader, writer, request.raw())
    finally:
        writer.close()
