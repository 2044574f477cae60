"""The checked list of docs/security.md: every requirement of its chapters once, and every test that it names is there."""

import re
from pathlib import Path

PAGE = (Path(__file__).parent.parent / "docs/security.md").read_text(encoding="utf-8")
# OWASP ASVS 5.0.0, chapters V6 to V8, levels 1 and 2: how many requirements each section begins with, in their order.
# Those of level 3 come after them in each section.
SECTIONS = {
    "6.1": 3, "6.2": 12, "6.3": 4, "6.4": 4, "6.5": 5, "6.6": 3, "6.8": 4,
    "7.1": 3, "7.2": 4, "7.3": 2, "7.4": 5, "7.5": 2, "7.6": 2,
    "8.1": 2, "8.2": 3, "8.3": 1, "8.4": 1,
}  # fmt: skip
ROW = re.compile(r"^\| (\d\.\d\.\d+) \| [^|]+ \| (yes|deviates|not applicable) \| [^|]+ \|$", re.MULTILINE)


def test_every_requirement_of_levels_1_and_2_stands_there_once_and_in_order() -> None:
    wanted = [f"{section}.{number}" for section, most in SECTIONS.items() for number in range(1, most + 1)]
    assert [row[1] for row in ROW.finditer(PAGE)] == wanted


def test_the_sum_is_that_of_the_rows() -> None:
    said = [row[2] for row in ROW.finditer(PAGE)]
    met, deviate, other = (said.count(word) for word in ("yes", "deviates", "not applicable"))
    assert f"{len(said)} requirements: {met} met, {deviate} deviate, {other} do not apply." in PAGE


def test_every_test_that_the_page_names_is_there() -> None:
    named = set(re.findall(r"`((?:tests/|web/|gateways/)?test_\w+\.py)`", PAGE))
    folder = Path(__file__).parent
    missing = {
        name
        for name in named
        if not any((folder / below / name.removeprefix("tests/")).exists() for below in ("accounts", "."))
    }
    assert len(named) > 20
    assert missing == set()


def test_the_table_of_what_ends_has_a_row_for_each_kind() -> None:
    table = PAGE.partition("### What ends with what")[2].partition("\n## ")[0]
    assert len(re.findall(r"^\| (?!what|---)[^|]+ \| end \| (?:end|stay)[^|]* \|$", table, re.MULTILINE)) == 9
