"""Capabilities are named once: what guards, lists, verbs and templates ask for exists, and what exists is asked for."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from app.accounts.roles import CAPABILITIES

ROOT = Path(__file__).resolve().parents[1]
# Calls whose first argument is a capability, and keywords that hold one anywhere.
ASKING = {"requires", "can"}
KEYWORDS = {"capability", "export_needs"}
NAME = re.compile(r"[a-z]+\.[a-z_]+")
IN_TEMPLATE = re.compile(r"""\.can\(\s*(["'])(.*?)\1""")


def asked_in_python(text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Call):
            continue
        called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        values = [node.args[0]] if called in ASKING and node.args else []
        values += [keyword.value for keyword in node.keywords if keyword.arg in KEYWORDS]
        # The navigation names one last but for what it counts.
        values += node.args[4:5] if called == "Entry" else []
        for value in values:
            if isinstance(value, ast.Constant) and isinstance(value.value, str) and value.value:
                yield value.value


def asked() -> dict[str, list[str]]:
    """Each capability that is asked for, with where."""
    found: dict[str, list[str]] = {}
    for path in [*(ROOT / "app").rglob("*.py"), *(ROOT / "templates").rglob("*.html")]:
        text = path.read_text("utf-8")
        names = asked_in_python(text) if path.suffix == ".py" else (match[2] for match in IN_TEMPLATE.finditer(text))
        for name in names:
            found.setdefault(name, []).append(str(path.relative_to(ROOT)))
    return found


def test_every_capability_that_is_asked_for_exists() -> None:
    unknown = {name: places for name, places in asked().items() if name not in CAPABILITIES}
    assert not unknown


def test_every_capability_that_exists_is_asked_for() -> None:
    assert CAPABILITIES.keys() - asked().keys() == set()


def test_capabilities_are_called_noun_and_verb() -> None:
    assert [name for name in CAPABILITIES if not NAME.fullmatch(name)] == []


def test_a_misspelt_capability_would_be_noticed() -> None:
    """The negative control: the scan sees the ways in which one is asked for."""
    text = """
@requires("orders.refundd", fresh=True)
def handler(person):
    person.can("moon.fly")
    Listing(export_needs="orders.exprt")
    locked(1, person, capability="courses.pub")
    Entry("", "Moon", "moon", "moon.show", "moon.view")
"""
    found = set(asked_in_python(text))
    assert found == {"orders.refundd", "moon.fly", "orders.exprt", "courses.pub", "moon.view"}
    assert [match[2] for match in IN_TEMPLATE.finditer("{% if viewer.can('moon.fly') %}")] == ["moon.fly"]
