"""The embedded PostgreSQL and Redis, and what becomes of them when their parent is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
import redis.asyncio

from app.sandbox import processes
from app.sandbox.postgres import Postgres
from app.sandbox.processes import ServerError
from app.sandbox.redis import Redis

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A path too long for a unix socket, which must not matter."""
    return tmp_path_factory.mktemp("a-folder-with-quite-a-long-name-" + "x" * 60)


@pytest.fixture
def postgres(folder: Path) -> Iterator[Postgres]:
    server = Postgres(folder / "postgres", fast=True)
    server.start()
    yield server
    server.stop()


async def fetch(server: Postgres, sql: str) -> object:
    connection = await asyncpg.connect(server.url)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


def is_alive(pid: int) -> bool:
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False


def wait_until(question: object, *, seconds: float = 10) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if callable(question) and question():
            return True
        time.sleep(0.05)
    return False


def start_and_get_killed(folder: Path, kind: str) -> int:
    """Start a server in another process, kill that process, and return the server's pid."""
    script = textwrap.dedent(f"""
        import os, pathlib, signal, sys
        from app.sandbox.postgres import Postgres
        from app.sandbox.redis import Redis
        server = {kind}(pathlib.Path(sys.argv[1]))
        server.start()
        print(server.process.pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """)
    command = [sys.executable, "-c", script, str(folder)]
    return int(subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=False).stdout)


async def test_postgres_starts_with_the_database_and_utf8(postgres: Postgres) -> None:
    assert await fetch(postgres, "SELECT current_database() || '/' || upper('é')") == "lectern/É"
    assert await fetch(postgres, "SHOW listen_addresses") == ""


async def test_postgres_keeps_data_over_a_restart(postgres: Postgres) -> None:
    await fetch(postgres, "CREATE TABLE IF NOT EXISTS kept AS SELECT 42 AS answer")
    postgres.fast = False  # an immediate stop without fsync may lose data, and may do so
    postgres.stop()
    postgres.start()
    assert await fetch(postgres, "SELECT answer FROM kept") == 42


def test_a_second_start_on_the_same_folder_is_refused_in_one_sentence(postgres: Postgres) -> None:
    with pytest.raises(ServerError, match=r"in use by another start of Lectern \(process \d+\): stop that one"):
        Postgres(postgres.folder).start()
    assert postgres.process
    assert postgres.process.poll() is None


def test_a_second_redis_on_the_same_folder_is_refused(folder: Path) -> None:
    first = Redis(folder / "redis")
    first.start()
    try:
        with pytest.raises(ServerError, match="in use by another start"):
            Redis(folder / "redis").start()
    finally:
        first.stop()


async def test_postgres_starts_over_a_pid_file_whose_number_is_another_process(postgres: Postgres) -> None:
    postgres.stop()
    stale = postgres.data / "postmaster.pid"
    stale.write_text(f"{os.getppid()}\n{postgres.data}\n1\n5432\n\n\n\nready\n", "utf-8")
    os.chown(stale, postgres.data.stat().st_uid, -1)
    postgres.start()
    assert await fetch(postgres, "SELECT 1") == 1


async def test_postgres_starts_after_its_process_was_killed(postgres: Postgres) -> None:
    assert postgres.process
    postgres.process.kill()
    assert wait_until(lambda: postgres.process and postgres.process.poll() is not None)
    postgres.stop()
    postgres.start()
    assert await fetch(postgres, "SELECT 1") == 1


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells a child of its parent's death")
@pytest.mark.parametrize("kind", ["Postgres", "Redis"])
def test_no_server_outlives_a_killed_parent_and_the_next_start_works(tmp_path: Path, kind: str) -> None:
    tmp_path.chmod(0o755)
    pid = start_and_get_killed(tmp_path / "server", kind)
    assert wait_until(lambda: not is_alive(pid))
    server = {"Postgres": Postgres, "Redis": Redis}[kind](tmp_path / "server")
    server.start()
    server.stop()


def test_a_server_left_behind_is_ended_by_the_next_start(tmp_path: Path) -> None:
    """Where the kernel does not tell the child: the same, with a redis that had no parent to lose."""
    tmp_path.chmod(0o755)
    first = Redis(tmp_path / "redis")
    first.start()
    assert first.process
    left = first.process
    os.close(first._lock or 0)  # what the death of its parent would do
    second = Redis(tmp_path / "redis")
    second.start()
    assert left.wait(5) is not None
    second.stop()


async def test_redis_answers_and_forgets_after_a_restart(folder: Path) -> None:
    server = Redis(folder / "redis")
    for expected in (None, None):
        server.start()
        client = redis.asyncio.from_url(server.url)
        assert await client.get("name") is expected
        await client.set("name", "Ann")
        assert await client.get("name") == b"Ann"
        await client.aclose()
        server.stop()


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    server = Postgres(tmp_path / "postgres", fast=True)
    server.create()
    (server.data / "global" / "pg_control").write_bytes(b"broken")
    with pytest.raises(ServerError, match=r"PostgreSQL did not start: .*postgres\.log"):
        server.start()
    assert server.process is None


def test_a_socket_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "theirs").symlink_to("/tmp")
    folder = tmp_path / "theirs" / ("x" * 120)
    real = processes.socket_folder(folder, "redis.sock")
    try:
        assert len(str(real / "redis.sock")) <= processes.SOCKET_PATH_LIMIT
        real.rmdir()
        real.symlink_to(tmp_path)
        with pytest.raises(ServerError, match="belongs to somebody else"):
            processes.socket_folder(folder, "redis.sock")
    finally:
        real.unlink(missing_ok=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
def test_as_root_postgres_runs_as_an_ordinary_user(postgres: Postgres) -> None:
    assert postgres.process
    assert os.stat(f"/proc/{postgres.process.pid}").st_uid == processes.server_uid() != 0


def test_stopping_ends_what_the_child_started_too(tmp_path: Path) -> None:
    script = (
        "import subprocess, sys, time; p = subprocess.Popen(['sleep', '60']); print(p.pid, flush=True); time.sleep(60)"
    )
    child = processes.spawn([sys.executable, "-c", script])
    assert child.stdout
    grandchild = int(child.stdout.readline())
    processes.stop(child, sign=signal.SIGTERM)
    assert wait_until(lambda: not is_alive(grandchild))
