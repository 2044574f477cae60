"""A bare machine: a fresh checkout in an empty folder, an empty home, and a started bin/run."""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO

import httpx

ROOT = Path(__file__).resolve().parents[2]
# How to reach the package index, which a bare machine has to know too.
KEPT = ("PIP_", "UV_", "SSL_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http", "no_proxy", "REQUESTS_CA_BUNDLE")


def check_out(folder: Path) -> Path:
    """Put the repository into `folder`: its last commit, or the files as they are when something is not committed."""
    git = ["git", "-c", f"safe.directory={ROOT}", "-C", str(ROOT)]
    state = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True, check=False)
    if state.returncode == 0 and not state.stdout.strip():
        clone = ["git", "-c", "safe.directory=*", "clone", "--quiet", str(ROOT), str(folder)]
        if subprocess.run(clone, check=False).returncode == 0:
            return folder
        shutil.rmtree(folder, ignore_errors=True)
    listed = subprocess.run(
        [*git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"], capture_output=True, check=True
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


# Files that say which ports this process has taken, locked until it ends.
_TAKEN: list[IO[bytes]] = []


def free_port() -> int:
    """Find a port that is free, and the next one too, where no outgoing connection takes one between starts, nor another
    process that asks here.
    """
    while True:
        port = random.randrange(20_000, 32_000, 2)
        with socket.socket() as first, socket.socket() as second, contextlib.suppress(OSError):
            first.bind(("127.0.0.1", port))
            second.bind(("127.0.0.1", port + 1))
            taken = (Path(tempfile.gettempdir()) / f"lectern-port-{port}").open("wb")
            fcntl.flock(taken, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _TAKEN.append(taken)
            return port


class Started:
    """One start of bin/run, and how long it took until `/health/ready`."""

    def __init__(self, checkout: Path, home: Path, port: int, *, patience: float) -> None:
        self.url, self.sandbox_url = f"http://localhost:{port}", f"http://127.0.0.1:{port + 1}"
        self.output = home / "output.txt"
        began = time.monotonic()
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [str(checkout / "bin" / "run"), "--port", str(port)],
                cwd=home,
                env=bare_environment(home),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        until = began + patience
        while not self._is_ready():
            if self.process.poll() is not None or time.monotonic() > until:
                self.end()
                raise AssertionError(f"not ready after {time.monotonic() - began:.0f} s:\n{self.said()}")
            time.sleep(0.05)
        self.seconds = time.monotonic() - began

    def said(self) -> str:
        return self.output.read_text(errors="replace")

    def stop(self) -> int:
        """Ask it to stop, as Ctrl-C does, and return its exit code."""
        # Before it has said so it is still starting, and would stop as one that was stopped while starting.
        until = time.monotonic() + 20
        while "Lectern is ready" not in self.said() and self.process.poll() is None and time.monotonic() < until:
            time.sleep(0.05)
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(60)

    def end(self) -> None:
        """Make sure that it is gone, whatever happened."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health/ready", timeout=2, trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False


def bare_environment(home: Path) -> dict[str, str]:
    python = Path(os.path.realpath(sys.executable))
    kept = {name: value for name, value in os.environ.items() if name.startswith(KEPT)}
    return {**kept, "HOME": str(home), "PATH": os.defpath, "PYTHON": str(python), "LANG": "C.UTF-8"}


def processes_of(checkout: Path) -> list[str]:
    """The command lines of living processes that run from, or on the data of, this checkout."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(checkout) in line:
            found.append(line.strip())
    return found
