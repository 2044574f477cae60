"""The eyes of the journeys: what axe-core would judge otherwise is a page of another shape."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from e2e.audit import Auditor

GOOD = """<!doctype html><html lang="en"><head><title>Words</title><style>.row { padding: 1rem }</style></head><body><main><h1>Words</h1>
<ul><li class="row"><a href="/a">One</a></li><li class="row"><a href="/b">Two</a></li></ul>
<p><label for="name">Name</label> <input id="name"></p><img src="/a.png" alt="A boat"></main></body></html>"""


# What is made of the good page, and the rule that it breaks.
FAULTS = [
    ('<label for="name">Name</label>', "Name", "label"),
    ('alt="A boat"', "", "image-alt"),
    ("<h1>Words</h1>", "<h1></h1>", "empty-heading"),
    (">Two<", "><", "link-name"),
    ("<h1>Words</h1>", "<h1 style='color: #bbb; background: #fff'>Words</h1>", "color-contrast"),
    ('<html lang="en">', "<html>", "html-has-lang"),
    ("<title>Words</title>", "<title></title>", "document-title"),
    ("<style>", "<meta name='viewport' content='user-scalable=no'><style>", "meta-viewport"),
    ('<p><label for="name">', '<p role="nothing"><label for="name">', "aria-roles"),
    ("</li></ul>", "</li><div>Three</div></ul>", "list"),
]


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_a_fault_is_found_on_a_page_that_was_good_before(browser: Browser, tmp_path: Path, scripts: bool) -> None:
    auditor, page, shown = Auditor(browser, tmp_path / "seen"), browser.new_page(java_script_enabled=scripts), [GOOD]
    page.route("**/*", lambda route: route.fulfill(body=shown[0], content_type="text/html"))

    def look(html: str) -> str:
        shown[0] = html
        page.goto("http://school.test/")
        return "".join(auditor.look(page, scripts=scripts))

    assert look(GOOD) == ""
    for before, after, rule in FAULTS:
        assert GOOD.count(before) == 1
        assert f" {rule} (" in look(GOOD.replace(before, after))
    assert look(GOOD.replace(*FAULTS[0][:2])) == "", "each is told once"
    page.close()


def test_other_words_and_more_of_the_same_are_no_other_page(browser: Browser, tmp_path: Path) -> None:
    auditor, page = Auditor(browser, tmp_path / "seen"), browser.new_page()
    page.set_content(GOOD)
    auditor.look(page, scripts=True)
    known = set((tmp_path / "seen").iterdir())
    page.set_content(
        GOOD.replace("Words", "Other words").replace("<ul>", '<ul><li class="row"><a href="/c">Three</a></li>')
    )
    auditor.look(page, scripts=True)
    page.close()
    assert len(set((tmp_path / "seen").iterdir()) - known) == 1, "only its width was looked at again"
