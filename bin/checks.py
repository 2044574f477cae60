"""Everything that must pass, as named steps: checks.py [lint|unit|e2e|faults|bare] [pytest's options].

Without a name every step runs, and a failed one does not keep the others from running.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("lint", "unit", "e2e", "faults", "bare")
# The shell without windows comes first: a whole Chromium spends more on its own frame than on our pages.
BROWSERS = (
    "chromium-headless-shell",
    "chrome-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
)


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the report; `part` is the word that runs it alone."""

    part: str
    name: str
    command: Callable[[list[str]], list[str]]


def module(*words: str) -> Callable[[list[str]], list[str]]:
    return lambda extra: [sys.executable, "-m", *words]


def processes() -> int:
    """How many run tests side by side: tests also wait, so on few cores one more than there are."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return cores + 1 if cores < 4 else cores


def pytest(folder: str, *words: str, split: bool = False) -> Callable[[list[str]], list[str]]:
    """Pytest over a folder, or over the paths that were given instead.

    With `split` the whole folder runs in several processes, each with servers of its own, file by file in the order of
    tests/longest.py.
    """

    def command(extra: list[str]) -> list[str]:
        given = any((ROOT / word.partition("::")[0]).exists() for word in extra)
        whole = (
            []
            if given
            else [
                folder,
                *([f"--numprocesses={processes()}", "--dist=loadfile", "--no-loadscope-reorder"] if split else []),
            ]
        )
        return [sys.executable, "-m", "pytest", *whole, *words, *extra]

    return command


STEPS = (
    Step("lint", "format", module("ruff", "format", "--check", "--quiet", ".")),
    Step("lint", "lint", module("ruff", "check", "--quiet", ".")),
    Step("lint", "types", module("mypy")),
    Step("lint", "templates", module("djlint", "templates", "app/sandbox", "--lint", "--quiet")),
    Step("lint", "catalogue", lambda extra: [sys.executable, str(ROOT / "bin" / "catalogue.py"), "--check"]),
    Step("unit", "tests", pytest("tests", "--ignore=tests/bare", "--durations=5", split=True)),
    Step("e2e", "browser journeys", pytest("e2e", "--durations=5", split=True)),
    Step("faults", "faults", module("tests.faults.run", "--short", "--seed", "11")),
    Step("faults", "forms under faults", module("tests.faults.run", "--prove", "forms")),
    Step("bare", "bare start", pytest("tests/bare", "-s")),
)


def main() -> int:
    part, extra = (sys.argv[1], sys.argv[2:]) if sys.argv[1:2] and sys.argv[1] in PARTS else ("", sys.argv[1:])
    steps = [step for step in STEPS if part in ("", step.part)]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    # Compiled tests are read again by the next process, and compiled pages of the product by each that is started.
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    # Text read as whatever the machine's language is fails where that is not UTF-8.
    env["PYTHONWARNDEFAULTENCODING"] = "1"
    if any(step.part == "e2e" for step in steps):
        env["CHROMIUM"] = find_chromium()
    failed = run(steps, extra, env)
    print(f"\n{len(steps) - len(failed)} of {len(steps)} steps passed", flush=True)
    if failed:
        print(f"Failed: {', '.join(failed)}", flush=True)
    return 1 if failed else 0


def run(steps: list[Step], extra: list[str], env: dict[str, str]) -> list[str]:
    """Run the steps in their order and return the names of those that failed.

    The steps of `lint` need one core, and `faults` mostly waits: when both are asked for, they run side by side, and
    what `lint` says is kept until the faults are over.
    """
    has_faults = any(step.part == "faults" for step in steps)
    beside = [step for step in steps if has_faults and step.part == "lint"]
    failed: list[str] = []
    for step in (step for step in steps if not has_faults or step.part != "lint"):
        if step.part != "faults" or not beside:
            failed += [] if passes(step, extra, env) else [step.name]
            continue
        with ThreadPoolExecutor(1) as pool:
            others = [pool.submit(said, one, extra, env) for one in beside]
            failed += [] if passes(step, extra, env) else [step.name]
            failed += [one.name for one, other in zip(beside, others, strict=True) if not told(one, *other.result())]
        beside = []  # once is enough, and there may be more faults
    return failed


def passes(step: Step, extra: list[str], env: dict[str, str]) -> bool:
    """Run a step that speaks for itself as it goes."""
    title(step)
    began = time.monotonic()
    code = subprocess.run(step.command(extra), cwd=ROOT, env=env, stdin=subprocess.DEVNULL, check=False).returncode
    return verdict(step, code, time.monotonic() - began)


def said(step: Step, extra: list[str], env: dict[str, str]) -> tuple[int, str, float]:
    """Run a step quietly, giving way to others; its exit code, what it said, and the seconds it took."""
    began = time.monotonic()
    done = subprocess.run(
        [*(["nice", "-n", "10"] if shutil.which("nice") else []), *step.command(extra)],
        cwd=ROOT,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    return done.returncode, done.stdout, time.monotonic() - began


def told(step: Step, code: int, text: str, seconds: float) -> bool:
    """Show a step that ran quietly."""
    title(step)
    print(text, end="", flush=True)
    return verdict(step, code, seconds)


def title(step: Step) -> None:
    print(f"\n── {step.name} " + "─" * (60 - len(step.name)), flush=True)


def verdict(step: Step, code: int, seconds: float) -> bool:
    print(f"{step.name}: {'passed' if code == 0 else 'FAILED'} ({seconds:.1f} s)", flush=True)
    return code == 0


def find_chromium() -> str:
    """Return the path of a Chromium: one that is there, else Playwright's, else the distribution's.

    Ends the run with a sentence when none is to be had.
    """
    given = os.environ.get("CHROMIUM", "")
    there = [given] if given else [shutil.which(name) or "" for name in BROWSERS]
    for path in (*there, playwright_chromium()):
        if path and Path(path).exists():
            return path
    print("Fetching a Chromium for the browser journeys …", flush=True)
    quietly([sys.executable, "-m", "playwright", "install", "chromium"])
    if os.geteuid() == 0 and shutil.which("apt-get") and not Path(playwright_chromium()).exists():
        quietly(["apt-get", "update", "-qq"])
        quietly(["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium", "fonts-liberation"])
    for path in (*(shutil.which(name) or "" for name in BROWSERS), playwright_chromium()):
        if path and Path(path).exists():
            return path
    sys.exit("Install Chromium, or set CHROMIUM to its path: the browser journeys need it (bin/test unit does not).")


def playwright_chromium() -> str:
    """Where Playwright keeps, or would keep, its own Chromium: the shell without windows when it is there."""
    ask = "from playwright.sync_api import sync_playwright as p\nwith p() as w: print(w.chromium.executable_path)"
    answer = subprocess.run([sys.executable, "-c", ask], capture_output=True, encoding="utf-8", check=False)
    whole = Path(answer.stdout.strip() or "/none")
    shells = sorted(whole.parent.parent.parent.glob("chromium_headless_shell-*/*/*headless*shell"))
    return str(shells[-1] if shells else whole)


def quietly(command: list[str]) -> None:
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False, timeout=900)


if __name__ == "__main__":
    sys.exit(main())
