"""The office goes through what was sent: approves, sorts, notes, changes, deletes, looks at the report."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from playwright.sync_api import expect

from e2e.people import Person
from e2e.visitor import Visitor


def test_entries_are_gone_through(visit: Callable[..., Visitor], owner: Person, scripts: bool) -> None:
    name = f"Apply {uuid.uuid4().hex[:8]}"
    office = visit(scripts=scripts)
    page = office.page
    office.sign_in(owner)
    office.open("/admin/forms/new")
    page.get_by_label("Name", exact=True).fill(name)
    office.press("Make the form")
    builder = page.url.partition("?")[0]
    for kind, label in (("short_text", "Your name"), ("radio", "Which evening?"), ("number", "Your age")):
        page.locator(f"button[name=kind][value={kind}]").first.click()
        page.get_by_label("Label", exact=True).first.fill(label)
        if kind == "radio":
            page.get_by_label("Options").fill("Monday\nThursday")
        office.press("Keep")
    office.press("Publish")
    address = page.get_by_role("link", name="See the form").get_attribute("href")
    assert address is not None
    for person, evening, age in (
        ("Ann Hart", "Monday", "34"),
        ("Ben Kern", "Thursday", "41"),
        ("Cem Aydin", "Monday", "29"),
    ):
        guest = visit(scripts=scripts)
        guest.open(address)
        guest.page.get_by_label("Your name").fill(person)
        guest.page.get_by_label(evening).check()
        guest.page.get_by_label("Your age").fill(age)
        guest.page.wait_for_timeout(1100)
        if not scripts:  # its page had no stamp yet
            guest.expect_status(422, address)
            guest.press("Send")
            guest.page.wait_for_timeout(1100)
        guest.press("Send")
        guest.sees("Thank you", level=1)

    office.open(f"{builder}/entries")
    office.look()
    page.locator("summary", has_text="Columns").click()
    page.get_by_label("Which evening?", exact=True).last.check()
    page.get_by_label("Your name", exact=True).last.check()
    office.press("Show these")
    expect(page.get_by_role("columnheader", name="Which evening?")).to_be_visible()
    office.look()
    page.get_by_role("combobox", name="Which evening?").select_option("thursday")
    office.press("Filter") if not scripts else page.wait_for_timeout(600)
    expect(page.get_by_role("row").filter(has_text="Ben Kern")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="Ann Hart")).to_have_count(0)

    page.get_by_role("row").filter(has_text="Ben Kern").get_by_role("link").first.click()
    office.look()
    page.get_by_label("Status", exact=True).select_option("In work")
    office.press("Set", exact=True)
    page.get_by_label("Note", exact=True).fill("Called, comes with a friend.")
    office.press("Write it down")
    expect(page.get_by_text("Called, comes with a friend.")).to_be_visible()
    office.click("Change the answers", within="main")
    office.look()
    page.get_by_label("Your name").fill("Benno Kern")
    office.press("Keep the changes")
    expect(page.locator("ins", has_text="Benno Kern")).to_be_visible()
    office.look()
    if scripts:
        page.keyboard.press("k")
        expect(page.get_by_text("Cem Aydin").first).to_be_visible()
        page.keyboard.press("j")
        expect(page.locator("dd", has_text="Benno Kern")).to_be_visible()
    office.press("Delete", exact=True)
    expect(page.get_by_text("It lies in the bin")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="Benno Kern")).to_have_count(0)
    office.press("Undo")
    expect(page.locator("dd", has_text="Benno Kern")).to_be_visible()

    office.open(f"{builder}/report")
    expect(page.get_by_role("row").filter(has_text="Monday")).to_contain_text("67 %")
    office.look()
    office.open("/admin/forms/erasure")
    office.look()
