"""Make app/accounts/breached_passwords.bloom from a list of passwords, one a line:

bin/python bin/breached_passwords.py 10-million-password-list-top-1000000.txt
"""

import sys
import unicodedata
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from app.accounts import breached
from app.accounts.strength import SHORTEST


def main(source: str) -> None:
    """Read the list, write the filter, say how many passwords it holds."""
    lines = Path(source).read_text(encoding="utf-8", errors="replace").split("\n")
    plain = {unicodedata.normalize("NFKC", line.rstrip("\r")).casefold() for line in lines if "\ufffd" not in line}
    kept = {one for one in plain if len(one) >= SHORTEST}
    breached.FILE.write_bytes(breached.filter_of(kept))
    print(f"{len(kept)} passwords of {SHORTEST} characters or more")


if __name__ == "__main__":
    main(sys.argv[1])
