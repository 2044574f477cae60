"""The school as it runs in production, asked over a socket: granian, JSON logs, addresses that are https."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import httpx
import pytest

from tests import servers
from tests.bare.machine import free_port

HOST = "school.test"
SECRETS = {
    "SECRET_KEY": "canary-secret-key-9f8e7d6c5b4a-canary-secret-key",
    "STRIPE_SECRET": "sk_test_canary51HqLeak",
    "STRIPE_WEBHOOK_SECRET": "whsec_canaryB2leak,whsec_canaryB3leak",
    "SMTP_USERNAME": "canary-smtp-user",
    "SMTP_PASSWORD": "canary-smtp-password",
}


@dataclass(frozen=True, slots=True)
class Live:
    """Where it listens and where its words go."""

    port: int
    log: Path
    env: dict[str, str]

    @contextmanager
    def worker(self) -> Iterator[None]:
        """A worker for a while; for longer it would take the jobs of other tests."""
        with self.log.open("ab") as out:
            process = _start(["worker"], self.env, out)
            try:
                yield
            finally:
                stop(process)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@pytest.fixture(scope="session")
def live(app: object, running: servers.Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """One web process on the database of the tests (`app` has migrated it)."""
    folder, port = tmp_path_factory.mktemp("live"), free_port()
    env = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    env |= SECRETS | {
        "LECTERN_ENV": "production",
        "APP_URL": f"https://{HOST}",
        "DATA_DIR": str(folder / "data"),
        "DATABASE_URL": running.database_url,
        "REDIS_URL": running.redis_url,
        "FROM_EMAIL": "school@school.test",
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": "1",
        "STRIPE_ALLOW_TEST": "1",
        "STRIPE_API_BASE": "http://127.0.0.1:1",
        "LOG_LEVEL": "DEBUG",
        "TRUSTED_PROXIES": "1",
    }
    log = folder / "log"
    with log.open("wb") as out:
        web = _start(["web", "--port", str(port), "--workers", "1"], env, out)
        try:
            _wait(port, log)
            yield Live(port, log, env)
        finally:
            stop(web)
            if kept := os.environ.get("KEEP_LOG"):
                Path(kept).write_bytes(log.read_bytes())


def _start(words: list[str], env: dict[str, str], out: BinaryIO) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "app", *words], env=env, stdout=out, stderr=out)


def stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(3)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _wait(port: int, log: Path) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            with socket.create_connection(("127.0.0.1", port), 0.2):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(log.read_text("utf-8", "replace")[-3000:])


@pytest.fixture
async def outside(live: Live) -> AsyncIterator[httpx.AsyncClient]:
    """A browser of nobody, without a jar for cookies: over plain HTTP it would not send ours."""
    headers = {"Host": HOST, "X-Forwarded-For": "203.0.113.7", "Sec-Fetch-Site": "same-origin"}
    limits = httpx.Limits(max_connections=8)
    async with httpx.AsyncClient(
        base_url=live.url, headers=headers, trust_env=False, timeout=30, limits=limits
    ) as client:
        yield client
