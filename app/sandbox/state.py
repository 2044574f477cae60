"""What bin/run keeps between starts, in the data folder: its secrets, and what the school began with."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

_FILE = "run.json"
DEMO = "demo.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The contents of `run.json`. The secrets stay the same, so that sessions and links outlive a restart."""

    data: Path
    school: str
    secret_key: str
    stripe_secret: str
    stripe_publishable_key: str
    stripe_webhook_secret: str
    google_client_secret: str
    # What the embedded database was brought up to, by `digest_of`.
    migrated: str
    # Whom an empty school was given to, once.
    owner: str

    @classmethod
    def load(cls, data: Path, *, empty: bool) -> State:
        """Read the state of a data folder, making it at the first start."""
        kept = read_json(data / _FILE)
        fresh = {
            "school": "empty" if empty else "demo",
            "secret_key": secrets.token_urlsafe(48),
            "stripe_secret": f"sk_test_{secrets.token_hex(24)}",
            "stripe_publishable_key": f"pk_test_{secrets.token_hex(24)}",
            "stripe_webhook_secret": f"whsec_{secrets.token_hex(32)}",
            "google_client_secret": secrets.token_urlsafe(24),
            "migrated": "",
            "owner": "",
        }
        state = cls(data=data, **{name: str(kept.get(name, value)) for name, value in fresh.items()})
        if set(fresh) - set(kept):
            state._write()
        return state

    def wants_demo_school(self) -> bool:
        """Tell whether the demo school is still to be made; `seed` writes `demo.json` when it is done."""
        return self.school == "demo" and not (self.data / DEMO).exists()

    def is_empty(self) -> bool:
        """Tell whether the school began without the demo school."""
        return self.school == "empty"

    def wants_owner(self) -> bool:
        """Tell whether nobody was made the owner of an empty school yet."""
        return self.is_empty() and not self.owner

    def remember_owner(self, email: str) -> None:
        """Keep that this address owns the school."""
        replace(self, owner=email)._write()

    def remember_migrated(self, digest: str) -> None:
        """Keep that the embedded database has every migration of this digest."""
        replace(self, migrated=digest)._write()

    @staticmethod
    def digest_of(folder: Path) -> str:
        """Tell the contents of a folder of migrations from any other's."""
        parts = [path.name.encode() + b"\0" + path.read_bytes() for path in sorted(folder.glob("*.sql"))]
        return hashlib.sha256(b"\0".join(parts)).hexdigest()

    def _write(self) -> None:
        kept = asdict(self)
        del kept["data"]
        aside = self.data / f"{_FILE}.new"
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(kept, file, indent=2)
        aside.replace(self.data / _FILE)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody of the demo school whom one may sign in as."""

    role: str
    email: str
    password: str


def demo_people(data: Path) -> list[Person]:
    """Return the demo sign-ins that `seed` wrote to `demo.json`, or nothing."""
    return list(_people(read_json(data / DEMO)))


def _people(demo: dict[str, object]) -> Iterator[Person]:
    for role, who in demo.items():
        if isinstance(who, dict) and "email" in who:
            yield Person(role, str(who["email"]), str(who.get("password", "")))


def read_json(path: Path) -> dict[str, object]:
    """Read an object from a file; a missing or broken file is an empty one."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def read_env_file(path: Path) -> dict[str, str]:
    """Read `NAME=value` lines, with or without quotes around the value; a missing file holds none."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    pairs = (line.strip().removeprefix("export ").split("=", 1) for line in lines if "=" in line)
    return {name.strip(): value.strip().strip("'\"") for name, value in pairs if not name.startswith("#")}
