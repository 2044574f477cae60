"""The tests of rows 1 to 21 of docs/reliability.md, several times in a row: one that fails now and then does not count.

bin/faults --repeat 20
bin/faults --repeat 20 --prove jobs,redis    the proofs instead
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable

from tests.faults.stack import ROOT

TESTS = (
    "tests/commerce/test_storms.py",
    "tests/commerce/test_webhooks.py",
    "tests/commerce/test_reconciliation.py",
    "tests/commerce/test_faults.py",
    "tests/commerce/test_pairs.py",
    "tests/commerce/test_cart_controls.py",
    "tests/test_double_clicks.py",
    "tests/core/test_queue.py",
    "tests/core/test_reach.py",
    "tests/core/test_cache.py",
    "tests/faults",
)


def repeat(times: int, once: Callable[[], int], say: Callable[[str], None]) -> int:
    """Do something several times in a row, which must go well each time; the exit status."""
    failed = 0
    for turn in range(1, times + 1):
        began = time.monotonic()
        status = once()
        failed += status != 0
        say(f"turn {turn} of {times}: {'passed' if status == 0 else 'FAILED'} in {time.monotonic() - began:.0f} s")
    say(f"\n{times - failed} of {times} turns passed")
    return 1 if failed else 0


def tests() -> int:
    """Run the tests once, in as many processes as there are cores; what they print is shown only when one fails. The exit
    status.
    """
    side_by_side = ["--numprocesses=auto", "--dist=loadfile"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *side_by_side, *TESTS]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.stdout.write(done.stdout[-20_000:] + done.stderr[-2_000:])
    return done.returncode
