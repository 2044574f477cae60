"""The command line: `python -m app web|worker|migrate|seed|figures|owner|reset-second-factor|doctor`."""

import argparse
import asyncio
import io
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import asyncpg

from app.config import Config, ConfigError


def main(arguments: list[str] | None = None) -> int:
    """Run one command; its exit status. What keeps it from starting is told in one sentence, with status 2."""
    print_anything()
    options = _parser().parse_args(arguments)
    try:
        config = Config.from_env()
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    try:
        return int(options.run(config, options) or 0)
    except CannotStart as error:
        print(error, file=sys.stderr)
        return 2


def print_anything() -> None:
    """Let `print` write what the terminal's encoding lacks as \\u2026, as errors are written already, and not end there."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m app", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    web = commands.add_parser("web", help="serve the school")
    web.add_argument("--host", default="0.0.0.0")  # noqa: S104 (a container must be reachable)
    web.add_argument("--port", type=int, default=8000)
    web.add_argument("--workers", type=int)
    web.add_argument("--preload", action="store_true", help="load the code once for all web processes (Linux)")
    web.set_defaults(run=run_web)
    commands.add_parser("worker", help="run jobs and schedules").set_defaults(run=run_worker)
    commands.add_parser("migrate", help="bring the database up to date").set_defaults(run=run_migrate)
    seed = commands.add_parser("seed", help="fill an empty database with the demo school")
    seed.add_argument("--members", type=int, default=200, help="how many members (orders and progress in proportion)")
    seed.set_defaults(run=run_seed)
    commands.add_parser("figures", help="add up the dashboard's figures anew").set_defaults(run=run_figures)
    owner = commands.add_parser("owner", help="make somebody an owner and mail them the link to set a password")
    owner.add_argument("email")
    owner.set_defaults(run=run_owner)
    reset = commands.add_parser("reset-second-factor", help="turn off the second step of somebody who lost the device")
    reset.add_argument("email")
    reset.set_defaults(run=run_reset_second_factor)
    commands.add_parser("doctor", help="say what is set up and what is missing").set_defaults(run=run_doctor)
    return parser


def run_web(config: Config, options: argparse.Namespace) -> None:
    """Replace this process by granian, which respawns a worker that dies and stops gracefully."""
    asyncio.run(_check_database(config))
    workers = options.workers or config.web_concurrency
    preload = options.preload and sys.platform == "linux"  # elsewhere a process with libraries in it may not be forked
    command = server_command("app.asgi:app", host=options.host, port=options.port, workers=workers, preload=preload)
    os.execv(sys.executable, command)  # noqa: S606 (arguments are ours)


def server_command(target: str, *, host: str, port: int, workers: int, preload: bool = False) -> list[str]:
    """How an ASGI application is served; the measurements serve what they compare with by the same command.

    `preload`: it is loaded once, and each web process forked off (`app.preloaded`).
    """
    command = [sys.executable, "-m", "app.preloaded" if preload else "granian", target, "--interface", "asgi"]
    command += ["--host", host, "--port", str(port), "--workers", str(workers)]
    command += ["--loop", "uvloop", "--respawn-failed-workers", "--backpressure", "512"]
    command += ["--workers-kill-timeout", "10", "--no-ws", "--log-level", "warning"]
    # On SIGHUP an old worker is stopped so many seconds after its successor was begun, ready or not: starting takes
    # two seconds, and several times as long on a small machine that is busy.
    command += ["--respawn-interval", "15"]
    return command


def run_worker(config: Config, options: argparse.Namespace) -> None:
    """Work until told to stop."""
    from app.core import worker

    async def work() -> None:
        async with _application(config, patience=_WORKER_PATIENCE):
            await worker.run(config.database_url_unpooled.reveal(), concurrency=config.worker_concurrency)

    asyncio.run(work())


def run_migrate(config: Config, options: argparse.Namespace) -> int:
    """Apply what is pending and print it."""
    from app.core import migrations

    async def migrate() -> int:
        async with _connections(config, unpooled=True):
            try:
                for name in await migrations.apply():
                    print(f"applied {name}")
            except migrations.MigrationError as error:
                print(error, file=sys.stderr)
                return 1
        return 0

    return asyncio.run(migrate())


def run_seed(config: Config, options: argparse.Namespace) -> None:
    """Fill an empty database with the demo school."""
    from app.demo import seed

    async def fill() -> None:
        async with _migrated_application(config):
            # A small school is there before its first line could be read.
            say = partial(print, flush=True) if options.members > 5_000 else None
            if not await seed.run(config, members=options.members, say=say):
                print("The database has members already; nothing was changed.")

    asyncio.run(fill())


def run_figures(config: Config, options: argparse.Namespace) -> None:
    """Forget the figures that are written down, and add them up from the rows."""
    from app.admin import figures

    async def rebuild() -> None:
        async with _migrated_application(config):
            print(f"{await figures.rebuild()} days are added up")

    asyncio.run(rebuild())


def run_owner(config: Config, options: argparse.Namespace) -> int:
    """Make the account of an address an owner's; the worker mails the link."""
    from app.accounts import people
    from app.web.forms import is_email

    async def promote() -> int:
        if not is_email(options.email):
            print(f"{options.email} is not an email address", file=sys.stderr)
            return 2
        async with _migrated_application(config):
            await people.make_owner(options.email)
        print(f"{options.email} owns the school; the link to set a password is in the mail")
        return 0

    return asyncio.run(promote())


def run_reset_second_factor(config: Config, options: argparse.Namespace) -> int:
    """Turn off the second step of an account, sign it out everywhere, and tell its address by mail."""
    from app.accounts import people
    from app.core.errors import Conflict

    async def reset() -> int:
        try:
            async with _migrated_application(config):
                found = await people.reset_second_factor(options.email)
        except Conflict as error:
            print(error.message, file=sys.stderr)
            return 1
        if not found:
            print(f"{options.email} has no account", file=sys.stderr)
            return 1
        print(f"the second step of {options.email} is off, and they are signed out; a mail tells them")
        return 0

    return asyncio.run(reset())


def run_doctor(config: Config, options: argparse.Namespace) -> int:
    """Print what answers and what does not."""
    from app.core import db, health

    async def examine() -> int:
        async with _connections(config), db.hold():
            report = await health.readiness()
        for name, state in report.items():
            print(f"{name}: {state}")
        return 0 if report["database"] == "ok" else 1

    return asyncio.run(examine())


class CannotStart(Exception):
    """A process cannot do its work; the message is one sentence that says what to set, or to do first."""


# Seconds. A worker that is started again while its database restarts waits for it; longer, and its supervisor does.
_WORKER_PATIENCE = 8.0


@asynccontextmanager
async def _application(config: Config, *, patience: float = 0.0) -> AsyncIterator[None]:
    """The whole product, connected, as the surroundings of a command."""
    from app import create_app

    app = create_app(config)
    async with _connections(config, patience=patience), app.app_context():
        yield


@asynccontextmanager
async def _migrated_application(config: Config) -> AsyncIterator[None]:
    """The same for a command that does one thing and ends. Raises CannotStart while migrations have not run."""
    from app.core import migrations

    async with _application(config):
        if waiting := await migrations.pending():
            raise CannotStart(f"Run python -m app migrate first: {len(waiting)} migrations have not run.")
        yield


@asynccontextmanager
async def _connections(config: Config, *, unpooled: bool = False, patience: float = 0.0) -> AsyncIterator[None]:
    """The connections of a process. Raises CannotStart when the database does not answer within `patience` seconds."""
    from app import start, stop
    from app.core.reach import NOT_THERE

    until = time.monotonic() + patience
    while True:
        try:
            await start(config, unpooled=unpooled)
            break
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            if not isinstance(error, NOT_THERE) or time.monotonic() > until:
                raise _no_database(error) from error
        await asyncio.sleep(1)
    try:
        yield
    finally:
        await stop()


async def _check_database(config: Config) -> None:
    """Connect once. Raises CannotStart, so that a web process does not begin only to refuse everybody."""
    try:
        connection = await asyncpg.connect(config.database_url.reveal(), timeout=10)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise _no_database(error) from error
    await connection.close()


def _no_database(error: Exception) -> CannotStart:
    reason = str(error).split("\n")[0] or type(error).__name__
    return CannotStart(f"Set DATABASE_URL to a PostgreSQL that answers; this one says: {reason}.")


if __name__ == "__main__":
    sys.exit(main())
