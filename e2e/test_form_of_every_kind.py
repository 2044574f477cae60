"""A form with a field of every kind, filled in on a narrow screen by somebody with scripts and by somebody without, all
together, in steps and one question at a time; the office reads what was answered.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import FilePayload, Locator, Page, expect

from e2e import forms
from e2e.audit import TWICE, WIDE, violations
from e2e.people import Person
from e2e.school import SmallSchool
from e2e.visitor import Visitor
from tests.formbuilder.every_kind import FILLED, IN_FOLD, SILENT, definition, label, name_of


def looks(page: Page) -> list[str]:
    """What axe-core finds by day and by night, and what sticks out."""
    found = []
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        found += [f"{scheme}: {one}" for one in violations(page)]
    if wide := page.evaluate(WIDE):
        found.append(f"{page.url} scrolls sideways: {' … '.join(wide)}")
    if twice := page.evaluate(TWICE):
        found.append(f"{page.url} has more than one element called {', '.join(twice)}")
    return found


def fill_in(page: Page, kind: str, *, scripts: bool) -> None:
    """Answer a question as somebody does who sees it."""
    if kind == "multi_select":
        page.locator("#f-k_multi_select summary").click()
    if kind == "ranking" and scripts:
        page.locator("#f-k_ranking").get_by_role("button", name="Down: First").click()
        return
    if kind == "signature" and scripts:
        sign(page)
        return
    for part, typed in FILLED[kind].typed.items():
        controls = page.locator(f'[name="{name_of(kind, part)}"]:not([type=hidden])')
        if isinstance(typed, tuple):
            controls.set_input_files(FilePayload(name=typed[0], mimeType=typed[2], buffer=typed[1]))
            continue
        for number, value in enumerate(typed if isinstance(typed, list) else [typed]):
            answer(page, controls, value, number, kind)


def answer(page: Page, controls: Locator, value: str, number: int, kind: str) -> None:
    first = controls.first
    how = first.evaluate("one => one.type")
    if how in ("radio", "checkbox"):
        controls.and_(page.locator(f'[value="{value}"]')).check()
    elif how == "select-one":
        first.select_option(value)
    elif how == "range":
        first.focus()
        page.keyboard.press("Home")
        for _step in range(int(value)):
            page.keyboard.press("ArrowRight")
    elif kind == "repeater":
        seen = controls.and_(page.locator(":visible"))
        if seen.count() <= number:
            page.get_by_role("button", name="Add a row").click()
        seen.nth(number).fill(value)
    else:
        first.fill(value)


def sign(page: Page) -> None:
    sheet = page.locator("canvas.signature")
    sheet.scroll_into_view_if_needed()
    box = sheet.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 20, box["y"] + 20)
    page.mouse.down()
    for step in range(1, 8):
        page.mouse.move(box["x"] + 20 + 20 * step, box["y"] + 20 + 12 * (step % 3))
    page.mouse.up()
    expect(page.locator('[name="k_signature.drawn"]')).not_to_have_value("")


def screen(guest: Visitor, *, scripts: bool) -> list[str]:
    """Fill in what is seen; which kinds that was."""
    page = guest.page
    fold = page.locator("details.fold")
    if fold.count() and fold.get_attribute("open") is None:
        fold.locator("summary").first.click()
    kinds = [kind for kind in FILLED if kind != "hidden" and page.locator(f"#f-k_{kind}").count()]
    for kind in kinds:
        fill_in(page, kind, scripts=scripts)
    folded = page.locator(f"[name={IN_FOLD}]:not([type=hidden])")
    if folded.count():
        folded.fill("In the fold")
    return kinds


@pytest.mark.parametrize("presentation", ["classic", "steps", "one"])
def test_every_kind_of_field_is_answered_and_read(
    visit: Callable[..., Visitor], school: SmallSchool, owner: Person, scripts: bool, presentation: str
) -> None:
    slug, _title = forms.put(school, definition(presentation))
    guest = visit(scripts=scripts, width=375)
    page = guest.page
    guest.expect_status(422, f"/forms/{slug}")
    page.goto(f"/forms/{slug}")
    asked: list[str] = []
    for number in range(80):
        page.wait_for_load_state()
        if number == 0:
            page.locator("input:not([type=hidden])").nth(1).hover()
            guest.think()
        if presentation != "one" or number % 8 == 0:
            wrong = looks(page) if scripts else []
            assert not wrong, "\n".join(wrong)
        asked += screen(guest, scripts=scripts)
        if presentation != "one":
            wrong = looks(page) if scripts else []
            assert not wrong, "\n".join(wrong)
        before = page.locator("#place").inner_text() if presentation != "classic" else ""
        if not scripts and number == 0:  # its page had no stamp yet; nothing that was answered is lost
            with guest.answered():
                page.locator("[name=go][value=next]").click()
            guest.think()
            if page.locator("[name='k_password']").count():
                expect(page.get_by_placeholder("Given already")).to_be_visible()
        page.locator("[name=go][value=next]").click()
        if before:
            expect(page.locator("#place").filter(has_text=re.compile(f"^{re.escape(before)}$"))).to_have_count(0)
        else:
            page.wait_for_url("**/thanks/**")
        if "/thanks/" in page.url:
            break
    assert asked == [kind for kind in FILLED if kind != "hidden"] or sorted(asked) == sorted(set(FILLED) - {"hidden"})
    guest.sees("You are in", level=1)
    entry, answers = forms.answers_of(school, slug)
    read_in_office(visit, owner, slug, entry, signed_by_hand=scripts)
    assert ("file" in answers["k_signature"]) is scripts
    assert answers[IN_FOLD] == "In the fold"


def read_in_office(
    visit: Callable[..., Visitor], owner: Person, slug: str, entry: str, *, signed_by_hand: bool
) -> None:
    office = visit(scripts=False)
    office.come_as(owner)
    office.open(f"/admin/forms/{slug}/entries/{entry}")
    rows: dict[str, Any] = dict(
        office.page.locator("dl.answers > div").evaluate_all(
            "rows => rows.map(row => [row.querySelector('dt').innerText, row.querySelector('dd').innerText])"
        )
    )
    for kind, filled in FILLED.items():
        said = "signature.png" if kind == "signature" and signed_by_hand else filled.read
        assert said in rows[label(kind)], (kind, rows[label(kind)])
        assert rows[label(kind)] != "no answer", kind
    for kind, (_settings, said) in SILENT.items():
        assert said in rows.get(label(kind), ""), (kind, rows.get(label(kind)))
