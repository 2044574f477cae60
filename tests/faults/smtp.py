"""A mail server that keeps what it takes and refuses on request."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import Counter
from email import message_from_bytes, policy

MODES = ("accept", "refuse", "later", "cut")


class MailServer:
    """Takes mail on a free port. `accept`; `refuse`: no connection; `later`: 451; `cut`: taken, but no answer."""

    def __init__(self) -> None:
        self.port = 0
        self.mode = "accept"
        # How often each Message-ID was taken, and what it said.
        self.taken: Counter[str] = Counter()
        self.subjects: dict[str, str] = {}
        self.cut_off: set[str] = set()
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def start(self) -> MailServer:
        self._thread.start()
        self._do(self._listen())
        return self

    def stop(self) -> None:
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def be(self, mode: str) -> None:
        """Behave like this from now on."""
        assert mode in MODES
        before, self.mode = self.mode, mode
        if mode == "refuse":
            self._do(self._close())
        elif before == "refuse":
            self._do(self._listen())

    def _do(self, work: object) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)  # type: ignore[arg-type]

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._talk, "127.0.0.1", self.port, reuse_address=True, limit=2**20)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            writer.write(b"220 here\r\n")
            while line := await reader.readline():
                word = line[:4].upper().strip()
                if word == b"DATA":
                    if self.mode == "later":
                        writer.write(b"451 not now\r\n")
                        continue
                    writer.write(b"354 go on\r\n")
                    self._keep((await reader.readuntil(b"\r\n.\r\n"))[:-3])
                    if self.mode == "cut":
                        writer.transport.abort()
                        return
                    writer.write(b"250 taken\r\n")
                elif word == b"QUIT":
                    writer.write(b"221 bye\r\n")
                    await writer.drain()
                    break
                else:
                    writer.write(b"250 ok\r\n")
                await writer.drain()
        writer.close()

    def _keep(self, raw: bytes) -> None:
        message = message_from_bytes(raw, policy=policy.default)
        key = str(message["Message-ID"]).strip("<>")
        self.taken[key] += 1
        self.subjects[key] = str(message["Subject"])
        if self.mode == "cut":
            self.cut_off.add(key)
