"""The list of long files names files that are there, longest_first keeps the order within each."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.longest import LONGEST, longest_first

ROOT = Path(__file__).parents[1]


@dataclass
class Item:
    nodeid: str


def test_every_long_file_is_there() -> None:
    assert [name for name in LONGEST if not (ROOT / name).exists()] == []


def test_long_files_come_first_and_each_keeps_its_order() -> None:
    names = ["tests/a.py::two", "tests/a.py::one", f"{LONGEST[1]}::z", f"{LONGEST[1]}::a", f"{LONGEST[0]}::x[a::b]"]
    items: list[Any] = [Item(name) for name in names]
    longest_first(items)
    assert [item.nodeid for item in items] == [names[4], names[2], names[3], names[0], names[1]]
