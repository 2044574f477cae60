"""Watching over children: logs to files, important lines to the terminal, a crashed one is started again."""

from __future__ import annotations

import contextlib
import re
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Protocol

from app.sandbox import processes
from app.sandbox.processes import ServerError

_IMPORTANT = re.compile(r"\b(warning|error|critical|traceback|exception)\b", re.IGNORECASE)
_LONGEST_WAIT = 30.0
_STEADY_AFTER = 60.0
# A crashing program repeats itself: the terminal gets this many lines of one child in ten seconds.
_LINES_SHOWN = 12


class Child:
    """One of our own programs, in a process of its own."""

    def __init__(
        self,
        name: str,
        command: list[str],
        *,
        env: Mapping[str, str],
        cwd: Path,
        log: Path,
        patience: float = 10,
    ) -> None:
        self.name = name
        self.command = command
        self.env = env
        self.cwd = cwd
        self.log = log
        self.patience = patience
        self.process: subprocess.Popen[bytes] | None = None
        self._last: deque[str] = deque(maxlen=50)
        self._reader: threading.Thread | None = None
        self._shown: deque[float] = deque(maxlen=_LINES_SHOWN)

    def start(self) -> None:
        """Start it; its output goes to the log, and what matters to the terminal too."""
        if self.log.exists():
            self.log.replace(self.log.with_suffix(".log.1"))
        self.log.touch()
        self._last.clear()
        self.process = processes.spawn(self.command, env=self.env, cwd=self.cwd)
        self._reader = threading.Thread(target=self._read, args=(self.process,), daemon=True)
        self._reader.start()

    def stop(self) -> None:
        """Stop it and whatever it started, asking first."""
        if self.process is not None:
            processes.stop(self.process, patience=self.patience)
            if self._reader:
                self._reader.join(1)

    def kill(self) -> None:
        """End it at once."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()

    def has_died(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def wait(self, watch: Watch) -> int:
        """Wait for its end and return its exit code; stops it when the person stops us."""
        assert self.process is not None
        while self.process.poll() is None:
            if watch.stopping.wait(0.02):
                self.stop()
                raise KeyboardInterrupt
        self.stop()
        return self.process.returncode

    def wait_until_ready(self, url: str, watch: Watch, patience: float = 90) -> None:
        """Wait until `url` answers 200. Raises ServerError when it ends before, or takes too long."""
        until = time.monotonic() + patience
        while answer := _refusal(url):
            if self.has_died() or time.monotonic() > until:
                words = self.last_words() if self.has_died() else answer
                raise ServerError(f"The school did not start: {words} (its log: {self.log})")
            if watch.stopping.wait(0.05):
                raise KeyboardInterrupt

    def last_words(self) -> str:
        """The last line it printed, which for a refused start is the sentence that says why."""
        if self._reader and self.has_died():
            self._reader.join(1)
        return next((line.strip() for line in reversed(self._last) if line.strip()), "it said nothing")

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        with self.log.open("ab", buffering=0) as log, process.stdout as output:
            for raw in output:
                log.write(raw)
                line = raw.decode(errors="replace").rstrip()
                self._last.append(line)
                if _IMPORTANT.search(line) and self._may_show():
                    print(f"{self.name:<8}| {line}", flush=True)

    def _may_show(self) -> bool:
        now = time.monotonic()
        if len(self._shown) == _LINES_SHOWN and now - self._shown[0] < 10:
            return False
        self._shown.append(now)
        return True


class Server(Protocol):
    """An embedded server: see `Postgres` and `Redis`."""

    process: subprocess.Popen[bytes] | None

    def start(self) -> None: ...
    def stop(self) -> None: ...


class _Watched:
    """A child or server with its record of falls."""

    def __init__(self, name: str, what: Child | Server) -> None:
        self.name = name
        self.what = what
        self.started = time.monotonic()
        self.wait = 0.0
        self.due: float | None = None

    def has_died(self) -> bool:
        return self.what.process is None or self.what.process.poll() is not None

    def look(self) -> None:
        """Start it again when it fell: at once at first, then after longer and longer waits."""
        now = time.monotonic()
        if not self.has_died():
            return
        if self.due is None:
            code = self.what.process.returncode if self.what.process else "?"
            self.wait = 0.0 if now - self.started > _STEADY_AFTER else min(self.wait * 2 or 1.0, _LONGEST_WAIT)
            self.due = now + self.wait
            again = f"starting it again in {self.wait:.0f} s" if self.wait else "starting it again"
            print(f"{self.name} stopped by itself (exit {code}); {again}.", flush=True)
        if now >= self.due:
            self.due, self.started = None, now
            with contextlib.suppress(ServerError):
                self.what.stop()
                self.what.start()


class Watch:
    """All that runs, in the order it was started."""

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self._all: list[_Watched] = []

    def ask_to_stop(self, sign: int, frame: FrameType | None) -> None:
        """Signal handler: the first signal stops everything in order, the second ends our programs."""
        if self.stopping.is_set():
            for watched in self._all:
                if isinstance(watched.what, Child):
                    watched.what.kill()
        self.stopping.set()

    def start_child(self, child: Child) -> None:
        """Start a child and look after it from now on."""
        child.start()
        self._all.append(_Watched(child.name, child))

    def start_server(self, name: str, server: Server) -> None:
        """Start a server and look after it from now on. Raises ServerError when it cannot start."""
        server.start()
        self._all.append(_Watched(name, server))

    def until_stopped(self) -> None:
        """Look after everything until somebody asks to stop."""
        while not self.stopping.wait(0.2):
            for watched in self._all:
                watched.look()
        print("\nStopping …", flush=True)

    def stop_all(self) -> None:
        """Stop everything, last started first."""
        for watched in reversed(self._all):
            watched.what.stop()
        self._all.clear()


def _refusal(url: str) -> str:
    """Return nothing when `url` answers 200, and else what it answers."""
    try:
        with urllib.request.urlopen(url, timeout=2):  # noqa: S310 - our own address
            return ""
    except urllib.error.HTTPError as error:
        return f"{url} answers {error.code} {error.read(500).decode(errors='replace')}"
    except OSError:
        return f"{url} does not answer"
