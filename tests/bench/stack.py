"""The real stack in a folder of its own: embedded PostgreSQL and Redis, the seeded school, web processes, worker.

It runs with the settings of production, behind one trusted proxy, which the measurements play.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from app.sandbox.children import Child, Watch
from app.sandbox.postgres import Postgres
from app.sandbox.redis import Redis
from tests.bench.servers import Serving

ROOT = Path(__file__).resolve().parents[2]
HOST = "lectern.example"


@dataclass(slots=True)
class Stack:
    """What runs: the school at `port`, what it is compared with at `reference_port`."""

    folder: Path
    env: dict[str, str]
    watch: Watch
    serving: Serving
    port: int
    reference_port: int
    children: dict[str, Child] = field(default_factory=dict)
    # Process ids of PostgreSQL.
    servers: list[int] = field(default_factory=list)
    # Seconds.
    seeding: float = 0.0
    starting: float = 0.0

    @property
    def reference(self) -> str:
        """The file from which tests/bench/reference.py learns its pages."""
        return self.env["BENCH_REFERENCE"]

    def start_child(self, name: str, command: list[str], *, ready: str = "") -> float:
        """Start one of our programs; returns after how many seconds `ready` answered."""
        began = time.monotonic()
        log = self.folder / "log" / f"{name}.log"
        child = Child(name, command, env=self.env, cwd=ROOT, log=log, patience=20)
        self.watch.start_child(child)
        self.children[name] = child
        if ready:
            child.wait_until_ready(ready, self.watch)
        return time.monotonic() - began

    def run_to_end(self, *words: str) -> float:
        """Run one `python -m app …`; how many seconds it took. Raises RuntimeError with its last words."""
        began = time.monotonic()
        log = self.folder / "log" / f"{words[0]}.log"
        child = Child(words[0], [sys.executable, "-m", "app", *words], env=self.env, cwd=ROOT, log=log)
        child.start()
        if child.wait(self.watch):
            raise RuntimeError(f"python -m app {words[0]} failed: {child.last_words()}")
        return time.monotonic() - began

    def start_school(self) -> None:
        """Start the web processes; again after `stop_school`."""
        command = self.serving.command("app.asgi:app", self.port)
        self.starting = self.start_child("web", command, ready=f"http://127.0.0.1:{self.port}/health/ready")

    def start_reference(self) -> None:
        """Start the pages that the school is compared with, on the same server."""
        command = self.serving.command("tests.bench.reference:app", self.reference_port)
        self.start_child("reference", command, ready=f"http://127.0.0.1:{self.reference_port}/hello")

    def stop_child(self, name: str) -> None:
        """Stop one of them, to start it in another way; nothing looks after a child that has been stopped here."""
        self.children.pop(name).stop()

    def web_memory(self) -> int:
        """Bytes of the web processes together, shared memory counted in proportion (PSS); 0 where unknown."""
        process = self.children["web"].process
        return sum(_pss(pid) for pid in _tree(process.pid)) if process is not None else 0

    def processor_time(self) -> float:
        """Seconds that web processes and PostgreSQL have spent on a processor; Linux alone tells."""
        web = self.children["web"].process
        roots = [web.pid if web is not None else 0, *self.servers]
        return sum(_ran(pid) for root in roots for pid in _tree(root))


@contextlib.contextmanager
def running(serving: Serving, *, members: int, worker: bool = True) -> Iterator[Stack]:
    """Start everything but the web processes, which are the caller's to start, and throw all away at the end."""
    folder = Path(tempfile.mkdtemp(prefix="lectern-bench-"))
    folder.chmod(0o711)  # as root, PostgreSQL runs as somebody else, who must get through
    (folder / "log").mkdir()
    watch = Watch()
    postgres, redis = Postgres(folder / "postgres"), Redis(folder / "redis")
    try:
        watch.start_server("PostgreSQL", postgres)
        watch.start_server("Redis", redis)
        env = _settings(folder, postgres.url, redis.url, serving.workers)
        stack = Stack(folder, env, watch, serving, free_port(), free_port())
        stack.servers = [postgres.process.pid] if postgres.process is not None else []
        stack.run_to_end("migrate")
        stack.seeding = stack.run_to_end("seed", "--members", str(members))
        if worker:
            stack.start_child("worker", [sys.executable, "-m", "app", "worker"])
        yield stack
    finally:
        watch.stop_all()
        shutil.rmtree(folder, ignore_errors=True)


def _settings(folder: Path, database_url: str, redis_url: str, workers: int) -> dict[str, str]:
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return inherited | {
        # Behind it, where servers to compare with may lie.
        "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))),
        "LECTERN_ENV": "production",
        "SECRET_KEY": secrets.token_urlsafe(48),
        "APP_URL": f"https://{HOST}",
        "DATA_DIR": str(folder / "data"),
        "DATABASE_URL": database_url,
        "DATABASE_URL_UNPOOLED": database_url,
        "REDIS_URL": redis_url,
        "WEB_CONCURRENCY": str(workers),
        "TRUSTED_PROXIES": "1",
        "STRIPE_SECRET": f"sk_test_{secrets.token_hex(24)}",
        "STRIPE_PUBLISHABLE_KEY": f"pk_test_{secrets.token_hex(24)}",
        "STRIPE_WEBHOOK_SECRET": f"whsec_{secrets.token_hex(32)}",
        "STRIPE_ALLOW_TEST": "1",
        # No page that is measured asks Stripe or sends mail; what does finds nobody there.
        "STRIPE_API_BASE": f"http://127.0.0.1:{free_port()}",
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": str(free_port()),
        "FROM_EMAIL": "school@meridian.example",
        "ADMIN_EMAIL": "owner@meridian.example",
        "BENCH_REFERENCE": str(folder / "reference.pickle"),
    }


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _tree(root: int) -> list[int]:
    """A process and all its descendants (Linux; elsewhere the process alone)."""
    found = [root]
    for pid in found:
        # What each process says of itself: to read through all of a busy machine's takes longer than a page.
        for path in Path(f"/proc/{pid}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                found += [int(child) for child in path.read_text("utf-8").split()]
    return found


def _ran(pid: int) -> float:
    """Nanoseconds are what the kernel counts; /proc/PID/stat would round them to hundredths of a second."""
    total = 0
    for path in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with contextlib.suppress(OSError):
            total += int(path.read_text("utf-8").split()[0])
    return total / 1e9


def _pss(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0
