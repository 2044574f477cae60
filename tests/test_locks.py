"""The lock files, which say what is installed on every Python."""

import re
from collections import Counter
from pathlib import Path

import pytest

_LOCKS = sorted(Path(__file__).parents[1].glob("requirements*.txt"))


def _packages(lock: str) -> list[str]:
    return re.findall(r"^([\w.-]+)==", lock, re.MULTILINE)


def _locked_twice(lock: str) -> set[str]:
    return {name for name, number in Counter(_packages(lock)).items() if number > 1}


@pytest.mark.parametrize("path", _LOCKS, ids=lambda path: path.name)
def test_every_python_runs_the_same_version_of_a_package(path: Path) -> None:
    """A newer one on newer Pythons alone is a program that these tests, on one Python, know nothing of."""
    lock = path.read_text(encoding="utf-8")
    assert "quart" in _packages(lock), "locks are written otherwise than this test reads them"
    assert not _locked_twice(lock)


def test_a_version_for_some_pythons_alone_would_be_seen() -> None:
    assert _locked_twice(
        "a==1 ; python_full_version < '3.13' \\\nb==2 \\\na==2 ; python_full_version >= '3.13' \\\n"
    ) == {"a"}


@pytest.mark.parametrize("path", _LOCKS, ids=lambda path: path.name)
def test_a_lock_names_no_index(path: Path) -> None:
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links", path.read_text(encoding="utf-8"))
