"""What bin/run does once the environment stands: the whole school on one machine, started, watched, stopped.

PostgreSQL and Redis are embedded unless DATABASE_URL and REDIS_URL name others; the outside services are the
local ones unless their keys are set. With LECTERN_ENV=production nothing is made up: a missing setting stops
the start with the sentence of `app.config`.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from app.__main__ import print_anything, run_migrate
from app.config import Config, ConfigError
from app.sandbox import processes
from app.sandbox.children import Child, Watch
from app.sandbox.postgres import Postgres
from app.sandbox.processes import ServerError
from app.sandbox.redis import Redis
from app.sandbox.state import State, demo_people, read_env_file

ROOT = Path(__file__).resolve().parents[2]
# Who owns a school that began without the demo school, unless ADMIN_EMAIL says otherwise.
OWNER = "owner@school.example"


def main(arguments: list[str] | None = None) -> int:
    """Run until Ctrl-C or SIGTERM; returns the exit code."""
    print_anything()
    options = parse(arguments)
    began = time.monotonic()
    env = {**read_env_file(ROOT / ".env"), **os.environ}
    school = School(options, env)
    for sign in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if sign != signal.SIGHUP or signal.getsignal(sign) is not signal.SIG_IGN:  # nohup means it
            signal.signal(sign, school.watch.ask_to_stop)
    try:
        school.start()
        say_welcome(school, time.monotonic() - began)
        school.watch.until_stopped()
    except (ServerError, ConfigError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:  # raised only while starting
        print("\nStopped while starting.")
        return 130
    finally:
        school.stop()
    return 0


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bin/run", description="Start Lectern on this machine.")
    parser.add_argument("--port", type=int, default=8000, metavar="N", help="port of the school (8000)")
    parser.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="address to listen on (127.0.0.1)")
    parser.add_argument("--data", type=Path, default=None, metavar="DIR", help="folder that keeps everything (var/)")
    parser.add_argument("--empty", action="store_true", help="start without the demo school")
    parser.add_argument("--workers", type=int, default=None, metavar="N", help="web processes (2)")
    options = parser.parse_args(arguments)
    if not 1 <= options.port <= 65534:
        parser.error("--port takes a number from 1 to 65534; the local services use the next one")
    options.data = (options.data or ROOT / "var").absolute()
    return options


class School:
    """Everything that one start of bin/run looks after."""

    def __init__(self, options: argparse.Namespace, env: Mapping[str, str]) -> None:
        self.options = options
        self.data: Path = options.data
        self.production = (env.get("LECTERN_ENV") or env.get("ENVIRONMENT")) == "production"
        self.env = dict(env)
        self.watch = Watch()
        self._lock: int | None = None
        self._keeps_data = False

    @property
    def url(self) -> str:
        # By a name where there is one: passkeys belong to names, not to numbers.
        host = _reachable(self.options.host)
        return f"http://{'localhost' if host == '127.0.0.1' else host}:{self.options.port}"

    @property
    def sandbox_url(self) -> str:
        return f"http://{_reachable(self.options.host)}:{self.options.port + 1}"

    def start(self) -> None:
        """Start everything in order; returns when the school answers. Raises ServerError or ConfigError."""
        if self.production:
            Config.from_env(self.env)
        self._lock = processes.lock(self.data)
        self._check_ports()
        (self.data / "log").mkdir(exist_ok=True)
        state = State.load(self.data, empty=self.options.empty)
        self._fill_settings(state)
        Config.from_env(self.env)
        self._start_servers()
        self._migrate(state)
        if not self.production:
            self._start_sandbox()
        if not self.production and state.wants_demo_school():
            print("Making the demo school (once) …", flush=True)
            self._command("seed")
        if not self.production and state.is_empty():
            self._default("ADMIN_EMAIL", OWNER)
        self._start_app()
        if not self.production and state.wants_owner():
            self._make_owner()

    def stop(self) -> None:
        """Stop everything, last started first."""
        self.watch.stop_all()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _check_ports(self) -> None:
        ports = [self.options.port] if self.production else [self.options.port, self.options.port + 1]
        for port in ports:
            with socket.socket(socket.AF_INET6 if ":" in self.options.host else socket.AF_INET) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((self.options.host, port))
                except OSError as error:
                    raise ServerError(
                        f"Port {port} cannot be used ({error.strerror}): stop the program that has it, "
                        f"or choose another, as in bin/run --port {self.options.port + 10}."
                    ) from None

    def _fill_settings(self, state: State) -> None:
        """Set what the person did not: what is set wins, so one outside service can be tried at a time."""
        if self.options.workers is not None:
            self.env["WEB_CONCURRENCY"] = str(self.options.workers)
        self.env["DATA_DIR"] = str(self.data)
        self.env["PYTHONUNBUFFERED"] = "1"
        if self.production:
            return
        self._default("LECTERN_ENV", "development")
        self._default("APP_URL", self.url)
        self._default("SECRET_KEY", state.secret_key)
        if not self.env.get("STRIPE_SECRET"):
            self.env["STRIPE_SECRET"] = state.stripe_secret
            self.env["STRIPE_PUBLISHABLE_KEY"] = state.stripe_publishable_key
            self.env["STRIPE_API_BASE"] = self.sandbox_url
            self._default("STRIPE_WEBHOOK_SECRET", state.stripe_webhook_secret)
        if not self.env.get("GOOGLE_CLIENT_ID"):
            self.env["GOOGLE_CLIENT_ID"] = "local.apps.googleusercontent.example"
            self.env["GOOGLE_CLIENT_SECRET"] = state.google_client_secret
            self.env["GOOGLE_ISSUER"] = f"{self.sandbox_url}/google"
        self._default("OUTSIDE_BASE", f"{self.sandbox_url}/outside")
        if self.env.get("TURNSTILE_SECRET_KEY", "")[:2] in ("1x", "2x", "3x"):  # Cloudflare's keys for trying out
            self._default("TURNSTILE_API_BASE", self.sandbox_url)

    def _default(self, name: str, value: str) -> None:
        if not self.env.get(name):
            self.env[name] = value

    def _start_servers(self) -> None:
        if not self.env.get("DATABASE_URL"):
            postgres = Postgres(self.data / "postgres")
            self._keeps_data = (postgres.data / "PG_VERSION").exists()
            if not self._keeps_data:
                print("Making a database (once) …", flush=True)
            self.watch.start_server("PostgreSQL", postgres)
            self.env["DATABASE_URL"] = self.env["DATABASE_URL_UNPOOLED"] = postgres.url
        if not self.env.get("REDIS_URL"):
            redis = Redis(self.data / "redis")
            try:
                self.watch.start_server("Redis", redis)
                self.env["REDIS_URL"] = redis.url
            except ServerError as error:  # Lectern does without it
                print(f"Going on without Redis. {error}", flush=True)

    def _start_sandbox(self) -> None:
        place = ["--host", self.options.host, "--port", str(self.options.port + 1)]
        self.watch.start_child(self._child("sandbox", ["app.sandbox.server", *place]))

    def _start_app(self) -> None:
        if not self.production:
            for owner in (who for who in demo_people(self.data) if who.role == "owner"):
                self._default("ADMIN_EMAIL", owner.email)
        place = ["--host", self.options.host, "--port", str(self.options.port)]
        workers = ["--workers", str(self.options.workers)] if self.options.workers else []
        web = self._child("web", ["app", "web", "--preload", *place, *workers])
        self.watch.start_child(web)
        web.wait_until_ready(f"{self.url}/health/ready", self.watch)
        # After the others, which somebody is waiting for: two processors are busy with them.
        self.watch.start_child(self._child("worker", ["app", "worker"], patience=20))

    def _make_owner(self) -> None:
        """Let somebody in: a school without the demo has nobody who could sign in. The link waits in the mailbox."""
        self._command("owner", self.env["ADMIN_EMAIL"])
        State.load(self.data, empty=True).remember_owner(self.env["ADMIN_EMAIL"])

    def _child(self, name: str, module: list[str], *, patience: float = 10) -> Child:
        command = [sys.executable, "-m", *module]
        return Child(name, command, env=self.env, cwd=ROOT, log=self.data / "log" / f"{name}.log", patience=patience)

    def _migrate(self, state: State) -> None:
        """Bring the database up to date, in this process; not at all when our own database has it already."""
        wanted = state.digest_of(ROOT / "migrations")
        if self._keeps_data and state.migrated == wanted:
            return
        path = self.data / "log" / "migrate.log"
        with path.open("w+", encoding="utf-8") as log:
            with contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
                code = run_migrate(Config.from_env(self.env), argparse.Namespace())
            log.seek(0)
            words = log.read().strip().splitlines() or ["it said nothing"]
        if code != 0:
            raise ServerError(f"The database could not be brought up to date: {words[-1]}")
        if not self.production:
            state.remember_migrated(wanted)

    def _command(self, name: str, *arguments: str) -> None:
        """Run one `python -m app …` to its end. Raises ServerError with its last words when it fails."""
        child = self._child(name, ["app", name, *arguments])
        child.start()
        code = child.wait(self.watch)
        if code != 0:
            raise ServerError(f"`python -m app {name}` failed: {child.last_words()} (all of it: {child.log})")


def _reachable(host: str) -> str:
    """The address to open, for an address to listen on."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"[{host}]" if ":" in host else host


def say_welcome(school: School, seconds: float) -> None:
    """Print where everything is and how to sign in."""
    lines = ["", f"Lectern is ready: {school.url}   ({seconds:.1f} s)", ""]
    lines.append(f"  Back office   {school.url}/admin")
    if not school.production:
        if school.env.get("STRIPE_API_BASE") == school.sandbox_url:
            lines.append(f"  Local Stripe  {school.sandbox_url}/stripe    pay with the card 4242 4242 4242 4242")
        lines.append(f"  Mailbox       {school.sandbox_url}/mailbox   every message that the school sends")
    people = demo_people(school.data)
    if people:
        lines += ["", "  Sign in as"]
        lines += [f"    {who.role:<12}{who.email:<32}{who.password}" for who in people]
    owner = State.load(school.data, empty=school.options.empty).owner
    if owner and not school.production:
        lines += ["", f"  Owner         {owner}   the first mail in the mailbox holds the link to choose a password"]
    lines += ["", f"  Logs in {_short(school.data / 'log')}. Stop with Ctrl-C.", ""]
    print("\n".join(lines), flush=True)


def _short(path: Path) -> str:
    with contextlib.suppress(ValueError):
        return str(path.relative_to(Path.cwd()))
    return str(path)


if __name__ == "__main__":
    sys.exit(main())
