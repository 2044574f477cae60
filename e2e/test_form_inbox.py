"""The office goes through what was sent: approves, sorts, notes, changes, deletes, looks at the report."""

# ruff: noqa: F811 (fixtures have the names of what they give)

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

from e2e.people import Mailbox, Person
from e2e.test_form_integrations import until
from e2e.test_form_steps import make_form  # noqa: F401 (a fixture)
from e2e.visitor import Visitor

ASKED = [
    {"id": "q1", "kind": "short_text", "label": "Your name"},
    {"id": "q2", "kind": "radio", "label": "Which evening?",
     "settings": {"options": [{"value": "monday", "label": "Monday"}, {"value": "thursday", "label": "Thursday"}]}},
    {"id": "q3", "kind": "number", "label": "Your age"},
]  # fmt: skip


def test_entries_are_gone_through(
    visit: Callable[..., Visitor], owner: Person, make_form: Callable[..., str], scripts: bool
) -> None:
    slug = make_form(ASKED, [])
    address, builder = f"/forms/{slug}", f"/admin/forms/{slug}"
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
        guest.think()
        if not scripts:  # its page had no stamp yet
            guest.expect_status(422, address)
            guest.post("Send")
            guest.think()
        guest.press("Send")
        guest.sees("Thank you", level=1)

    office = visit(scripts=scripts)
    page = office.page
    office.come_as(owner)
    office.open(f"{builder}/entries")
    office.look()
    page.locator("summary", has_text="Columns").click()
    page.get_by_role("checkbox", name="Which evening?").check()
    page.get_by_role("checkbox", name="Your name").check()
    office.press("Show these")
    expect(page.get_by_role("columnheader", name="Which evening?")).to_be_visible()
    office.look()
    page.get_by_role("combobox", name="Which evening?").select_option("thursday")
    if not scripts:
        office.press("Filter")
    expect(page.get_by_role("row").filter(has_text="Ann Hart")).to_have_count(0)
    expect(page.get_by_role("row").filter(has_text="Ben Kern")).to_be_visible()

    page.get_by_role("row").filter(has_text="Ben Kern").get_by_role("link").first.click()
    expect(page.get_by_label("Status", exact=True)).to_be_visible()
    office.look()
    page.get_by_label("Status", exact=True).select_option("In work")
    office.press("Set", exact=True)
    expect(page.locator(".timeline")).to_contain_text("In work")
    page.get_by_label("Note", exact=True).fill("Called, comes with a friend.")
    office.press("Write it down")
    expect(page.get_by_text("Called, comes with a friend.")).to_be_visible()
    office.click("Change the answers", within="main")
    page.wait_for_url("**/answers")
    office.look()
    page.get_by_label("Your name").fill("Benno Kern")
    office.press("Keep the changes")
    expect(page.locator("ins", has_text="Benno Kern")).to_be_visible()
    office.look()
    if scripts:
        page.keyboard.press("k")
        expect(page.locator("dd", has_text="Cem Aydin")).to_be_visible()
        office.look()
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


FIELDS = [
    {"id": "q1", "kind": "short_text", "label": "Your name", "required": True},
    {"id": "q2", "kind": "email", "label": "Email"},
]


def _send(guest: Visitor, slug: str, name: str, email: str) -> None:
    guest.open(f"/forms/{slug}")
    guest.page.get_by_label("Your name").fill(name)
    guest.page.get_by_label("Email").fill(email)
    guest.think()
    if not guest.scripts:  # its page had no stamp yet
        guest.expect_status(422, f"/forms/{slug}")
        guest.post("Send")
        guest.think()
    guest.press("Send")
    guest.page.wait_for_url("**/thanks/**")


def _tab_to(page: Page, target: Locator) -> None:
    """Go there as somebody does who has no mouse."""
    for _step in range(120):
        if target.evaluate("node => node === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"the keyboard does not come to {target}")


def test_an_entry_is_approved_by_keyboard_and_exported(
    visit: Callable[..., Visitor], owner: Person, make_form: Callable[..., str], scripts: bool
) -> None:
    slug = make_form(FIELDS, [], approval=True)
    guest = visit(scripts=scripts)
    _send(guest, slug, "=1+1", "keys@example.org")
    guest.sees("Thank you", level=1)
    office = visit(scripts=scripts)
    page = office.page
    office.come_as(owner)
    office.open(f"/admin/forms/{slug}/entries")
    link = page.get_by_role("row").filter(has_text="keys@example.org").get_by_role("link").first
    _tab_to(page, link)
    page.keyboard.press("Enter")
    office.is_at(re.compile(f"/admin/forms/{slug}/entries/.+"))
    expect(page.get_by_text("Waits for approval").first).to_be_visible()
    _tab_to(page, page.get_by_role("button", name="Approve"))
    page.keyboard.press("Enter")
    expect(page.get_by_text("Approved").first).to_be_visible()
    expect(page.get_by_role("button", name="Approve")).to_have_count(0)
    with page.expect_download() as pdf:
        page.get_by_role("link", name="PDF").click()
    assert pdf.value.path().read_bytes().startswith(b"%PDF-")

    office.open(f"/admin/forms/{slug}/entries")
    for kind in ("CSV", "JSON", "Excel"):
        page.locator("summary", has_text="Export all").click()
        with page.expect_download() as file:
            page.get_by_role("link", name=kind, exact=True).click()
        content = file.value.path().read_bytes()
        if kind == "CSV":
            assert ",'=1+1," in content.decode("utf-8-sig")
        elif kind == "JSON":
            assert [each["answers"]["q1"] for each in json.loads(content)["entries"]] == ["=1+1"]
        else:
            assert content.startswith(b"PK")
        if scripts:
            page.keyboard.press("Escape")
        else:
            page.locator("summary", has_text="Export all").click()


def test_nothing_counts_before_the_click_in_the_mail(
    visit: Callable[..., Visitor], owner: Person, make_form: Callable[..., str], mailbox: Mailbox, scripts: bool
) -> None:
    slug, email = make_form(FIELDS, [], opt_in=True), f"ann-{uuid.uuid4().hex[:8]}@example.org"
    guest = visit(scripts=scripts, width=375)
    _send(guest, slug, "Ann Hart", email)
    guest.sees("Look into your mail", level=1)
    office = visit(scripts=scripts)
    office.come_as(owner)
    office.open(f"/admin/forms/{slug}/entries")
    row = office.page.get_by_role("row").filter(has_text=email)
    expect(row).to_contain_text("Waits for a click in the mail")
    link = mailbox.link(email, slug, "/confirmations/")
    elsewhere = visit(scripts=scripts)
    elsewhere.open(link)
    elsewhere.look()
    elsewhere.press("Confirm")
    elsewhere.sees("Thank you", level=1)
    office.open(f"/admin/forms/{slug}/entries")
    expect(row).to_contain_text("Received")


def test_the_report_tells_at_which_question_a_page_was_left(
    visit: Callable[..., Visitor], owner: Person, make_form: Callable[..., str], scripts: bool
) -> None:
    slug = make_form(ASKED, [])
    guest = visit(scripts=scripts)
    guest.open(f"/forms/{slug}")
    guest.page.get_by_label("Your name").fill("Nobody is told this")
    guest.page.get_by_label("Monday").check()
    if scripts:
        expect(guest.page.locator("[name=stamp]")).not_to_have_value("")
    guest.think()
    guest.page.goto("about:blank")
    office = visit(scripts=scripts)
    office.come_as(owner)
    office.open(f"/admin/forms/{slug}/report")
    if not scripts:  # only a browser that runs scripts tells that a page is left
        guest.think()
        office.page.reload()
        expect(office.page.get_by_text("Where people leave")).to_have_count(0)
        return
    until(office.page, "Where people leave")
    row = office.page.get_by_role("row").filter(has_text="Which evening?")
    expect(row.last).to_contain_text("100 %")
