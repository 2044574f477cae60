"""The browser's module and the server agree, whatever the form and the answers: values, what is seen, required and walked."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from app.formbuilder import logic
from tests.formbuilder import plans

ROOT = Path(__file__).resolve().parents[2]
MODULE = ROOT / "static" / "js" / "form-logic.js"
NODE = shutil.which("node")
TODAY = "2026-11-21"
# Reads a line of JSON, answers a line of JSON. The module comes by its text, so that a control can break it.
RUNNER = """
import readline from "node:readline";
const source = Buffer.from(process.argv[1], "base64").toString("base64");
const { evaluate } = await import(`data:text/javascript;base64,${source}`);
for await (const line of readline.createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  const { plan, posted, today } = JSON.parse(line);
  let said;
  try {
    const { visible, required, values, steps } = evaluate(plan, posted, today);
    said = { visible: [...visible], required: [...required], values, steps };
  } catch (error) {
    said = { error: String(error) };
  }
  process.stdout.write(JSON.stringify(said) + "\\n");
}
"""
pytestmark = pytest.mark.skipif(NODE is None, reason="no node here to run the browser's module in")


class Browser:
    """One process that evaluates plans as a browser does."""

    def __init__(self, source: str) -> None:
        import base64

        given_source = base64.b64encode(source.encode()).decode()
        self.process = subprocess.Popen(
            [str(NODE), "--disallow-code-generation-from-strings", "--input-type=module", "-e", RUNNER, given_source],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def evaluate(self, plan: logic.Plan, posted: dict[str, list[str]], today: str = TODAY) -> dict[str, Any]:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps({"plan": plan, "posted": posted, "today": today}) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(10)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    made = Browser(MODULE.read_text())
    yield made
    made.close()


def on_server(plan: logic.Plan, posted: dict[str, list[str]], today: str = TODAY) -> dict[str, Any]:
    """What the server finds, with the order of sets taken out, through JSON as the browser's is."""
    found = logic.evaluate(json.loads(json.dumps(plan)), posted, today)
    said = {
        "visible": sorted(found.visible),
        "required": sorted(found.required),
        "values": dict(found.values),
        "steps": list(found.steps),
    }
    return json.loads(json.dumps(said))


def in_browser(browser: Browser, plan: logic.Plan, posted: dict[str, list[str]], today: str = TODAY) -> dict[str, Any]:
    said = browser.evaluate(plan, posted, today)
    assert "error" not in said, said
    return {**said, "visible": sorted(said["visible"]), "required": sorted(said["required"])}


# Without shrinking: it takes minutes here, and the example that is found is small enough.
PHASES = [Phase.explicit, Phase.reuse, Phase.generate]
SLOW = [
    HealthCheck.too_slow,
    HealthCheck.function_scoped_fixture,
    HealthCheck.data_too_large,
    HealthCheck.large_base_example,
]


@settings(max_examples=300, deadline=None, phases=PHASES, suppress_health_check=SLOW)
@given(form=plans.forms(), data=st.data())
def test_whatever_the_form_and_the_answers_both_find_the_same(
    browser: Browser, form: plans.Form, data: st.DataObject
) -> None:
    plan = logic.compile(form.fields, form.rules)
    posted = data.draw(plans.posted(form))
    assert in_browser(browser, plan, posted) == on_server(plan, posted)


@settings(max_examples=300, deadline=None, phases=PHASES, suppress_health_check=SLOW)
@given(text=plans.expressions(), data=st.data())
def test_whatever_the_calculation_both_find_the_same(browser: Browser, text: str, data: st.DataObject) -> None:
    fields = [
        *plans.FIELDS,
        logic.Node("total", "number", expression=text, decimals=data.draw(st.none() | st.integers(0, 6))),
    ]
    plan = logic.compile(fields, [])
    posted = data.draw(plans.answers(plans.FIELDS))
    assert in_browser(browser, plan, posted) == on_server(plan, posted)
