"""The embedded PostgreSQL and Redis that the tests run on, started once and thrown away after."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from app.sandbox.postgres import Postgres, template_version
from app.sandbox.processes import server_uid
from app.sandbox.redis import Redis


@dataclass(frozen=True, slots=True)
class Servers:
    """Addresses of the running servers."""

    database_url: str
    redis_url: str


@contextmanager
def running() -> Iterator[Servers]:
    """Start both servers in a fresh temp folder, hand out their addresses, and stop them at the end."""
    folder = Path(tempfile.mkdtemp(prefix="lectern-test-"))
    folder.chmod(0o711)  # as root, PostgreSQL runs as somebody else, who must get through
    postgres, redis = Postgres(folder / "postgres", fast=True), Redis(folder / "redis")
    try:
        copy_template(postgres)
        postgres.start()
        redis.start()
        yield Servers(postgres.url, redis.url)
    finally:
        redis.stop()
        postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)


def copy_template(postgres: Postgres) -> None:
    """Making a data folder takes a second or two, copying one a tenth of that."""
    template = Path(tempfile.gettempdir()) / f"lectern-template-{template_version()}"
    if not template.exists():
        made = Path(tempfile.mkdtemp(prefix="lectern-template-"))
        made.chmod(0o711)
        fresh = Postgres(made, fast=True)
        fresh.create()
        with suppress(OSError):  # another run was faster
            fresh.data.rename(template)
        shutil.rmtree(made, ignore_errors=True)
    if template.stat().st_uid == server_uid():
        postgres.folder.mkdir(parents=True)
        shutil.copytree(template, postgres.data)
