"""A process that cannot work says in one sentence what to set, and stops with status 2."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from tests.servers import Servers

ROOT = Path(__file__).resolve().parents[1]
NOBODY = "postgresql://nobody:secret-word@127.0.0.1:9/lectern"
LIVE = {
    "LECTERN_ENV": "production",
    "DATABASE_URL": NOBODY,
    "SECRET_KEY": "k" * 40,
    "APP_URL": "https://school.example",
    "FROM_EMAIL": "school@school.example",
    "STRIPE_SECRET": "sk_live_abc",
    "STRIPE_PUBLISHABLE_KEY": "pk_live_abc",
    "STRIPE_WEBHOOK_SECRET": "whsec_abc",
    "POSTMARK_TOKEN": "token",
}


def command(*words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **settings}
    return subprocess.run(
        [sys.executable, "-m", "app", *words],
        cwd=ROOT,
        env=env,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("words", ["web", "worker", "migrate", "doctor"])
def test_a_database_that_does_not_answer_stops_every_process(words: str, tmp_path: Path) -> None:
    done = command(words, DATABASE_URL=NOBODY, DATA_DIR=str(tmp_path))
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("Set DATABASE_URL to a PostgreSQL that answers")
    assert "secret-word" not in done.stderr


@pytest.mark.parametrize("words", [["owner", "ann@x.example"], ["reset-second-factor", "ann@x.example"], ["figures"]])
async def test_a_command_that_comes_before_the_migrations_says_so(
    words: list[str], running: Servers, tmp_path: Path
) -> None:
    connection = await asyncpg.connect(running.database_url)
    await connection.execute("CREATE DATABASE bare")
    try:
        url = running.database_url.replace("/lectern?", "/bare?")
        done = await asyncio.to_thread(command, *words, DATABASE_URL=url, DATA_DIR=str(tmp_path))
    finally:
        await connection.execute("DROP DATABASE bare WITH (FORCE)")
        await connection.close()
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("Run python -m app migrate first")


@pytest.mark.parametrize(
    ("missing", "instead", "says"),
    [
        ("DATABASE_URL", "", "Set DATABASE_URL"),
        ("SECRET_KEY", "", "Set SECRET_KEY"),
        ("STRIPE_SECRET", "sk_test_abc", "keys of the same mode"),
        ("STRIPE_SECRET", "pk_live_abc", "it holds a publishable key"),
        ("STRIPE_WEBHOOK_SECRET", "", "Set STRIPE_WEBHOOK_SECRET"),
        ("APP_URL", "http://school.example", "Set APP_URL"),
    ],
)
def test_a_wrong_setting_in_production_stops_the_start(missing: str, instead: str, says: str) -> None:
    settings = {**LIVE, missing: instead} if instead else {name: v for name, v in LIVE.items() if name != missing}
    done = command("web", **settings)
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert says in line
