"""A small TCP proxy that misbehaves on request; it stands between the product and PostgreSQL, Redis or Stripe.

| mode | what the client sees |
|---|---|
| `pass` | the service itself |
| `latency` | each piece of an answer comes `seconds` later |
| `trickle` | an answer comes byte by byte, `seconds` apart |
| `blackhole` | the connection stands and nothing ever comes; new ones are taken and left alone |
| `refuse` | new connections are refused, open ones are reset |
| `cut` | the next answer breaks off after its first `bytes_left` bytes |
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from dataclasses import dataclass

PIECE = 64 * 1024
_RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Mode:
    """How the proxy behaves now."""

    name: str = "pass"
    seconds: float = 0.0
    bytes_left: int = 0


class Proxy:
    """One listening port in front of one service (`host:port` or the path of a unix socket), on a thread of its own."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.mode = Mode()
        self.port = 0
        self.taken = 0
        # Python's own, whatever the tests run on: how a connection is broken off is exactly known of it.
        self._loop = asyncio.SelectorEventLoop()
        self._pairs: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter | None]] = set()
        self._changed = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def start(self) -> Proxy:
        self._thread.start()
        self._do(self._listen())
        return self

    def stop(self) -> None:
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def be(self, name: str = "pass", *, seconds: float = 0.0, bytes_left: int = 0) -> None:
        """Behave like this from now on, on open connections too."""
        self._do(self._turn(Mode(name, seconds, bytes_left)))

    def reset_all(self) -> None:
        """Reset every open connection; new ones are as before."""
        self._do(self._reset_all())

    def _do(self, work: object) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)  # type: ignore[arg-type]

    async def _turn(self, mode: Mode) -> None:
        before, self.mode = self.mode, mode
        self._changed.set()
        self._changed = asyncio.Event()
        if mode.name == "refuse":
            await self._close()
        elif before.name == "refuse":
            await self._listen()
        elif before.name == "blackhole":
            # What was swallowed cannot be given back: a host that comes back knows nothing of old connections.
            await self._reset_all()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._take, "127.0.0.1", self.port, reuse_address=True, backlog=512)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        await self._reset_all()

    async def _end(self) -> None:
        await self._close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _reset_all(self) -> None:
        for client, service in list(self._pairs):
            _reset(client)
            if service is not None:
                service.transport.abort()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.taken += 1
        try:
            await self._serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            _reset(writer)
        finally:
            self._tasks.discard(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        waiting = (writer, None)
        self._pairs.add(waiting)
        try:
            while self.mode.name == "blackhole":
                await self._changed.wait()
            if writer.transport.is_closing():
                return
            service_reader, service = await self._connect()
        except OSError:
            _reset(writer)
            return
        finally:
            self._pairs.discard(waiting)
        pair = (writer, service)
        self._pairs.add(pair)
        try:
            there = asyncio.create_task(self._carry(reader, service, is_answer=False))
            back = asyncio.create_task(self._carry(service_reader, writer, is_answer=True))
            await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
            for task in (there, back):
                task.cancel()
            await asyncio.gather(there, back, return_exceptions=True)
        finally:
            self._pairs.discard(pair)
            for one in (service, writer):
                with contextlib.suppress(OSError, RuntimeError):
                    one.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self.target.startswith("/"):
            return await asyncio.open_unix_connection(self.target)
        host, _, port = self.target.rpartition(":")
        return await asyncio.open_connection(host, int(port))

    async def _carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, is_answer: bool) -> None:
        while piece := await source.read(PIECE):
            while self.mode.name == "blackhole":
                await self._changed.wait()
            mode = self.mode
            if is_answer and mode.name == "latency":
                await asyncio.sleep(mode.seconds)
            elif is_answer and mode.name == "trickle":
                await self._trickle(piece, sink, mode)
                continue
            elif is_answer and mode.name == "cut":
                sink.write(piece[: mode.bytes_left])
                await sink.drain()
                self.mode = Mode()
                _reset(sink)
                return
            sink.write(piece)
            await sink.drain()

    async def _trickle(self, piece: bytes, sink: asyncio.StreamWriter, mode: Mode) -> None:
        for position in range(len(piece)):
            sink.write(piece[position : position + 1])
            await sink.drain()
            if self.mode is mode:
                await asyncio.sleep(mode.seconds)


def _reset(writer: asyncio.StreamWriter) -> None:
    """End a connection with RST instead of FIN, as a crashed host does."""
    with contextlib.suppress(OSError, AttributeError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
