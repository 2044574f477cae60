"""A module of static/js run beside the tests, as a browser runs it: a line of JSON in, a line of JSON out."""

import base64
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "static" / "js"
NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="no node here to run the browser's module in")


def _number(text: str) -> int | float:
    """JavaScript has doubles alone. Beyond 2⁵³ it writes them without a point, with as many digits as tell them apart."""
    return int(text) if abs(int(text)) <= 2**53 else float(text)


class Module:
    """One process that answers for a module. It comes by its text, so that a control can break it.

    `runner` imports the module from `data:text/javascript;base64,${process.argv[1]}` and answers each line that it reads.
    """

    def __init__(self, source: str, runner: str) -> None:
        given_source = base64.b64encode(source.encode()).decode()
        self.process = subprocess.Popen(
            [str(NODE), "--disallow-code-generation-from-strings", "--input-type=module", "-e", runner, given_source],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def ask(self, told: Any) -> Any:
        """What it answers."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps(told) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline(), parse_int=_number)

    def close(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(10)
