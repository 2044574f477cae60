"""Starting and stopping child processes so that none outlives its parent, and folders for their sockets."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import hashlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import IO

# A unix socket's whole path must fit into sun_path: 108 bytes on Linux, 104 on BSD, with a closing zero.
SOCKET_PATH_LIMIT = 103

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform.startswith("linux") else None


class ServerError(Exception):
    """A server could not start; the message is one sentence for the person at the terminal."""


def spawn(
    command: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    output: IO[bytes] | int = subprocess.PIPE,
    death_signal: int = signal.SIGTERM,
    before_exec: Callable[[], None] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a child in a session of its own, so that Ctrl-C reaches only us and we stop it in our order.

    On Linux the kernel sends it `death_signal` when we die, however we die. `before_exec` runs in the child.
    """
    parent = os.getpid()

    def prepare() -> None:
        if before_exec:
            before_exec()
        if _LIBC:
            _LIBC.prctl(_PR_SET_PDEATHSIG, death_signal)
            if os.getppid() != parent:  # we died between fork and prctl
                os._exit(1)

    return subprocess.Popen(
        command,
        env=env,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=prepare,  # safe: we start children from one thread only
    )


def stop(process: subprocess.Popen[bytes], *, sign: int = signal.SIGTERM, patience: float = 10.0) -> None:
    """End a child and whatever it started: `sign` first, a kill after `patience` seconds."""
    if process.poll() is None:
        process.send_signal(sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def lock(folder: Path) -> int:
    """Take the folder for this process until it ends; returns the descriptor that holds the lock.

    Raises ServerError when another process has it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        other = os.pread(descriptor, 20, 0).decode(errors="replace").strip()
        os.close(descriptor)
        raise ServerError(
            f"{folder} is in use by another start of Lectern (process {other or 'unknown'}): "
            "stop that one, or choose another folder."
        ) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor


def carried(package: str) -> list[Path]:
    """The folders in which a program may lie that this wheel carries: among the libraries, or where bin/environment.py
    unpacks it for a Python that it does not name.
    """
    spec = find_spec(package)
    installed = spec.submodule_search_locations or [] if spec else []
    return [*map(Path, installed), Path(sys.prefix) / "servers" / package.replace("_", "-") / package]


def socket_folder(wanted: Path, longest_name: str) -> Path:
    """Return a folder for sockets: `wanted`, or a private one in the temp folder when its path is too long.

    Raises ServerError when somebody else's folder is in the way.
    """
    wanted = wanted.resolve()
    if len(os.fsencode(wanted / longest_name)) <= SOCKET_PATH_LIMIT:
        folder = wanted
    else:
        mark = hashlib.sha256(os.fsencode(wanted)).hexdigest()[:16]
        folder = Path(tempfile.gettempdir()) / f"lectern-{os.getuid()}-{mark}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid not in (os.getuid(), server_uid()):
        raise ServerError(f"{folder} belongs to somebody else: remove it or choose another data folder.")
    return folder


def leave_socket_folder(folder: Path, home: Path) -> None:
    """Remove a socket folder that had to lie outside `home`."""
    if home not in (folder, *folder.parents):
        shutil.rmtree(folder, ignore_errors=True)


def run_as_owner(folder: Path) -> Callable[[], None] | None:
    """Hand `folder` to an unprivileged user when we are root, and return what makes a child that user.

    PostgreSQL refuses to run as root. Returns None when we are an ordinary user already.
    """
    if os.geteuid() != 0:
        return None
    uid = server_uid()
    gid = pwd.getpwuid(uid).pw_gid
    for path in (folder, *folder.rglob("*")):
        if path.lstat().st_uid != uid:
            os.chown(path, uid, gid, follow_symlinks=False)
    keep_reach = not _others_reach(folder) or not _others_reach(Path(sys.prefix))

    def become() -> None:
        if keep_reach:
            _keep_capability_over_set_uid()
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
        if keep_reach:
            _raise_capability()

    return become


def server_uid() -> int:
    """The user that PostgreSQL runs as: ourselves, or nobody when we are root."""
    if os.geteuid() != 0:
        return os.geteuid()
    return pwd.getpwnam("nobody").pw_uid


def _others_reach(path: Path) -> bool:
    return all(parent.stat().st_mode & 0o001 for parent in (path.resolve(), *path.resolve().parents))


# A checkout below /root (mode 700) is out of an ordinary user's reach. Root may leave such a child one
# capability, to look past folder permissions, which it keeps over setuid and exec (capabilities(7)).
_CAP_DAC_OVERRIDE = 1
_PR_SET_KEEPCAPS = 8
_PR_SET_SECUREBITS = 28
# Keeps capabilities over setuid too, and lets access(2), with which initdb looks for postgres, count them.
_SECBIT_NO_SETUID_FIXUP = 1 << 2
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAPABILITY_VERSION_3 = 0x20080522


class _CapHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _CapData(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def _keep_capability_over_set_uid() -> None:
    if _LIBC and _LIBC.prctl(_PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP, 0, 0, 0) != 0:
        _LIBC.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0)


def _raise_capability() -> None:
    if _LIBC:
        mask = 1 << _CAP_DAC_OVERRIDE
        header = _CapHeader(_CAPABILITY_VERSION_3, 0)
        data = (_CapData * 2)(_CapData(mask, mask, mask), _CapData(0, 0, 0))
        _LIBC.capset(ctypes.byref(header), ctypes.byref(data))
        _LIBC.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_OVERRIDE, 0, 0)


def is_running(pid: int, name: str) -> bool:
    """Tell whether process `pid` exists and runs the program `name`: the number may be another's by now."""
    if pid <= 0:
        return False
    if Path("/proc/self/stat").exists():
        with contextlib.suppress(OSError):
            program, _, rest = Path(f"/proc/{pid}/stat").read_text("utf-8").partition("(")[2].rpartition(")")
            return program.startswith(name) and not rest.strip().startswith("Z")
        return False
    ps = shutil.which("ps") or "/bin/ps"
    answer = subprocess.run([ps, "-p", str(pid), "-o", "comm="], capture_output=True, encoding="utf-8", check=False)
    return Path(answer.stdout.strip()).name.startswith(name)


def end_orphan(pid: int, name: str, *, sign: int, patience: float = 10.0) -> None:
    """Stop a server that an earlier, killed start left behind."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, sign)
    until = time.monotonic() + patience
    while is_running(pid, name):
        if time.monotonic() > until:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)
