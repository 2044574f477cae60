"""The whole product as it runs in earnest, in processes of its own, with a fault proxy before each thing it stands on.

PostgreSQL keeps its promises here (fsync, synchronous commit): what is acknowledged must survive.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from app.core import clock, db, migrations
from app.core.ids import public_id
from app.sandbox import processes
from app.sandbox.postgres import Postgres
from app.sandbox.redis import Redis
from tests import servers
from tests.faults import unguarded
from tests.faults.proxy import Proxy
from tests.faults.smtp import MailServer
from tests.sandbox.stripe.running import free_port
from tests.school import MadeCourse, a_course

ROOT = Path(__file__).resolve().parents[2]
SECRET_KEY = "a key that only the fault runs know, long enough"
STRIPE_SECRET = "sk_test_faults00000000000000000000"
PASSWORD = "seven slow rivers at night"
OWNER = "olga@meridian.example"
COURSES = 5
LESSONS = 8


class Process:
    """One of our programs; its output goes to a file. `limits` runs in the child before the program does."""

    def __init__(self, name: str, module: list[str], env: dict[str, str], folder: Path) -> None:
        self.name = name
        self.command = [sys.executable, "-m", *module]
        self.env = env
        self.log = folder / f"{name}.log"
        self.limits = None
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = processes.spawn(self.command, env=self.env, cwd=ROOT, output=log, before_exec=self.limits)

    def stop(self) -> float:
        """Ask it to stop; the seconds that took."""
        began = time.monotonic()
        if self.process is not None:
            processes.stop(self.process, patience=30)
        return time.monotonic() - began

    def kill(self) -> None:
        """End it and its children at once, as the kernel does when memory is short."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def has_died(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def children(self) -> list[int]:
        """The processes that it started, such as granian's workers; the resource tracker of Python is none of them."""
        path = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        found = [int(pid) for pid in path.read_text(encoding="utf-8").split()] if path.exists() else []
        return [pid for pid in found if b"resource_tracker" not in _command_line(pid)]


@dataclass
class Person:
    """A member of the school who can sign in."""

    id: int
    email: str
    name: str


@dataclass
class Stack:
    """What runs, where it is, and who and what the school has."""

    folder: Path
    web_workers: int = 2
    job_workers: int = 1
    # Without the proxies, whose Python costs time, before PostgreSQL and Redis.
    direct: bool = False
    # A protection that is taken away (unguarded.py), for a negative control.
    without: str = ""
    postgres: Postgres = field(init=False)
    redis: Redis = field(init=False)
    database: Proxy = field(init=False)
    cache: Proxy = field(init=False)
    payments: Proxy = field(init=False)
    mail: MailServer = field(init=False)
    web: Process = field(init=False)
    workers: list[Process] = field(init=False)
    sandbox: Process = field(init=False)
    courses: list[MadeCourse] = field(default_factory=list)
    members: list[Person] = field(default_factory=list)
    # What a fault itself saw go wrong.
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.web_port, self.sandbox_port = free_port(), free_port()
        self.url, self.stripe_url = f"http://127.0.0.1:{self.web_port}", f"http://127.0.0.1:{self.sandbox_port}"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    async def start(self, *, members: int = 6) -> None:
        """Start everything and fill the school; returns when it answers."""
        self.data.mkdir(parents=True)
        self.postgres, self.redis = Postgres(self.folder / "postgres"), Redis(self.folder / "redis")
        servers.copy_template(self.postgres)
        self.postgres.start()
        self.redis.start()
        self.database = Proxy(f"{self._socket_folder()}/.s.PGSQL.5432").start()
        self.cache = Proxy(str(self.redis.socket)).start()
        self.payments = Proxy(f"127.0.0.1:{self.sandbox_port}").start()
        self.mail = MailServer().start()
        await db.connect(self.postgres.url, min_size=0, max_size=4)
        await migrations.apply()
        await self._fill(members)
        env = self._environment()
        place = ["--host", "127.0.0.1", "--port"]
        sandbox_env = {**env, "STRIPE_API_BASE": self.stripe_url}
        self.sandbox = Process(
            "sandbox", ["app.sandbox.server", *place, str(self.sandbox_port)], sandbox_env, self.folder
        )
        program = "tests.faults.unguarded" if self.without else "app"
        web = [program, "web", *place, str(self.web_port), "--workers", str(self.web_workers)]
        if self.without not in unguarded.SLOW_STARTS:  # which is about processes that load the program each for itself
            web.append("--preload")
        self.web = Process("web", web, env, self.folder)
        self.workers = [Process(f"worker-{n}", [program, "worker"], env, self.folder) for n in range(self.job_workers)]
        for process in (self.sandbox, self.web, *self.workers):
            process.start()
        await self.until_ready(60)

    async def stop(self) -> None:
        """Stop everything; the folder stays for whoever wants to look."""
        await db.disconnect()
        for process in (*getattr(self, "workers", []), getattr(self, "web", None), getattr(self, "sandbox", None)):
            if process is not None:
                process.kill()
        for name in ("database", "cache", "payments", "mail"):
            if hasattr(self, name):
                getattr(self, name).stop()
        self.redis.stop()
        self.postgres.stop()

    def forget(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    async def until_ready(self, seconds: float) -> float:
        """Wait until the school says that it is ready; the seconds that took. Raises AssertionError when time is over."""
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            if await asyncio.to_thread(answers, f"{self.url}/health/ready"):
                return time.monotonic() - began
            assert not self.web.has_died(), f"the web process ended: {self.last_words(self.web)}"
            await asyncio.sleep(0.05)
        raise AssertionError(f"not ready after {seconds} s: {self.last_words(self.web)}")

    def last_words(self, process: Process) -> str:
        return process.log.read_text(errors="replace")[-1500:] if process.log.exists() else ""

    async def switch(self, **switches: object) -> None:
        """Make the local Stripe misbehave (app/sandbox/stripe/behaviour.py)."""
        async with httpx.AsyncClient(trust_env=False) as http:
            (await http.post(f"{self.stripe_url}/_sandbox/behaviour", json=switches)).raise_for_status()

    async def switch_back(self) -> None:
        async with httpx.AsyncClient(trust_env=False) as http:
            (await http.delete(f"{self.stripe_url}/_sandbox/behaviour")).raise_for_status()

    def restart_postgres(self, sign: int) -> None:
        """SIGINT: fast, SIGQUIT: immediate (a crash: it recovers from its log at the next start)."""
        process = self.postgres.process
        assert process is not None
        process.send_signal(sign)
        process.wait(30)
        self.postgres.stop()
        self.postgres.start()

    def _environment(self) -> dict[str, str]:
        kept = {name: text for name, text in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}
        through = f"postgresql://lectern@127.0.0.1:{self.database.port}/lectern"
        database = self.postgres.url if self.direct else through
        return kept | {
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "LECTERN_ENV": "development",
            "SECRET_KEY": SECRET_KEY,
            "APP_URL": self.url,
            "DATA_DIR": str(self.data),
            "ADMIN_EMAIL": OWNER,
            "TRUSTED_PROXIES": "1",
            "DATABASE_URL": database,
            "DATABASE_URL_UNPOOLED": database,
            "REDIS_URL": self.redis.url if self.direct else f"redis://127.0.0.1:{self.cache.port}/0",
            "STRIPE_SECRET": STRIPE_SECRET,
            "STRIPE_PUBLISHABLE_KEY": "pk_test_faults",
            "STRIPE_WEBHOOK_SECRET": "whsec_faults0000000000000000000000",
            "OUTSIDE_BASE": f"{self.stripe_url}/outside",
            "STRIPE_API_BASE": f"http://127.0.0.1:{self.payments.port}",
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": str(self.mail.port),
            **({unguarded.VARIABLE: self.without} if self.without else {}),
        }

    def _socket_folder(self) -> Path:
        return self.postgres._sockets

    async def _fill(self, members: int) -> None:
        """Courses, an owner, and members who may use the first course because somebody let them."""
        from app.accounts import hashing

        stored = await hashing.hashed(PASSWORD)
        for number in range(COURSES):
            self.courses.append(
                await a_course(f"course-{number}", f"Course number {number}", price=4900 + number, lessons=LESSONS)
            )
        self.owner = await _person(OWNER, "Olga Oster", stored, role="owner")
        first = self.courses[0]
        for number in range(members):
            person = await _person(f"member-{number}@example.org", f"Member {number}", stored)
            self.members.append(person)
            await db.run(
                """
                INSERT INTO entitlements (public_id, user_id, product_id, source, source_ref, starts_at, created_at)
                VALUES (:public_id, :user, :product, 'manual', :ref, :now, :now)
                """,
                public_id=public_id(),
                user=person.id,
                product=first.product_id,
                ref=f"manual:{public_id()}",
                now=clock.now(),
            )
            await db.run(
                "INSERT INTO enrolments (user_id, course_id, enrolled_at) VALUES (:user, :course, :now)",
                user=person.id,
                course=first.id,
                now=clock.now(),
            )


async def _person(email: str, name: str, stored: str, *, role: str = "member") -> Person:
    user_id = await db.value(
        """
        INSERT INTO users (public_id, email, name, role, password_hash, email_verified_at, created_at)
        VALUES (:public_id, :email, :name, :role, :hash, :now, :now) RETURNING id
        """,
        public_id=public_id(),
        email=email,
        name=name,
        role=role,
        hash=stored,
        now=clock.now(),
    )
    return Person(user_id, email, name)


def a_folder() -> Path:
    """A fresh folder that the unprivileged PostgreSQL can pass through."""
    folder = Path(tempfile.mkdtemp(prefix="lectern-faults-"))
    folder.chmod(0o711)
    return folder


def answers(url: str) -> bool:
    """Whether 200 comes within two seconds."""
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except OSError:
        return False


def _command_line(pid: int) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""
