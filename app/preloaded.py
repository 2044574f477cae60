"""The web server for an application that is loaded once: `python -m app.preloaded app.asgi:app …`, else as granian.

The web processes are forked off with the application in them. All of them start in the time of one, another stands at
once when one dies, and what was loaded lies in memory once. New code needs a new start: SIGHUP brings fresh processes of
what was loaded.
"""

import gc
import importlib
import multiprocessing
import sys

from granian.cli import entrypoint


def main() -> None:
    """Load the application that the first argument names, then serve it; ends with granian's exit code."""
    importlib.import_module(sys.argv[1].partition(":")[0])
    gc.freeze()  # a collector that marks what it looks at would make every process a copy of its own
    multiprocessing.set_start_method("fork")  # what granian takes by itself up to Python 3.13
    entrypoint()  # type: ignore[no-untyped-call]  # granian declares no types for it


if __name__ == "__main__":
    main()
