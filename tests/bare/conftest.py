"""The bare start takes minutes, so it runs only when it is asked for: `bin/test bare`, or the end of `bin/test`."""

import sys

collect_ignore_glob = [] if any("bare" in argument for argument in sys.argv) else ["test_*.py"]
