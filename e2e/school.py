"""The whole school as bin/run starts it, on free ports, with a small demo school and servers that are thrown away."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from app.sandbox.run import School, parse
from app.sandbox.state import demo_people
from tests import servers
from tests.bare.machine import free_port

MEMBERS = 60
OWNER_ALERTS = "alerts@meridian.example"


class SmallSchool(School):
    """The school of bin/run with fewer members, so that it is ready in seconds."""

    @property
    def logs(self) -> Path:
        return self.data / "log"

    @property
    def database_url(self) -> str:
        return self.env["DATABASE_URL"]

    def password_of(self, role: str) -> tuple[str, str]:
        """Address and password of one of the demo school's people: owner, instructor, support, member."""
        (found,) = [person for person in demo_people(self.data) if person.role == role]
        return found.email, found.password

    def _command(self, name: str, *arguments: str) -> None:
        words = ["--members", str(MEMBERS)] if name == "seed" else []
        child = self._child(name, ["app", name, *words, *arguments])
        child.start()
        assert child.wait(self.watch) == 0, f"{name} failed: {child.last_words()}"


@contextmanager
def running(folder: Path, *, empty: bool = False) -> Iterator[SmallSchool]:
    """Start PostgreSQL, Redis, web, worker and the local services; stop them at the end. `empty`: without the demo.

    E2E_RUNNING="8000 var" instead uses what `TRUSTED_PROXIES=1 ADMIN_EMAIL=… bin/run --port 8000 --data var` started
    (with its DATABASE_URL): to write a journey without waiting for a school each time.
    """
    if (already := os.environ.get("E2E_RUNNING")) and not empty:
        port, _, data = already.partition(" ")
        env = {"DATABASE_URL": os.environ.get("DATABASE_URL", "")}
        yield SmallSchool(parse(["--port", port, "--data", data]), env)
        return
    with servers.running() as found:
        env = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        env |= {
            "DATABASE_URL": found.database_url,
            "DATABASE_URL_UNPOOLED": found.database_url,
            "REDIS_URL": found.redis_url,
            "ADMIN_EMAIL": OWNER_ALERTS,
            # Each browser says where it comes from, so that limits meant for one visitor do not add up over all tests.
            "TRUSTED_PROXIES": "1",
        }
        begins = ["--empty", "--workers", "1"] if empty else ["--workers", "2"]
        school = SmallSchool(parse(["--port", str(free_port()), "--data", str(folder), *begins]), env)
        # Playwright's event loop may hold this thread already; and what is started ends with the thread that started it.
        with ThreadPoolExecutor(1) as aside:
            try:
                aside.submit(school.start).result()
                yield school
            finally:
                school.stop()
