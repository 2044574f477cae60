"""The owner builds a form, a visitor fills it in, the owner reads the answers."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from playwright.sync_api import expect

from e2e.people import Person
from e2e.test_form_builder import add, kept, settled
from e2e.visitor import Visitor


def test_a_form_is_built_published_answered_and_read(
    visit: Callable[..., Visitor], owner: Person, scripts: bool
) -> None:
    name = f"Ask us {uuid.uuid4().hex[:8]}"
    office = visit(scripts=scripts)
    page = office.page
    office.come_as(owner)
    office.open("/admin/forms")
    office.click("New form", within="main", exact=True)
    page.get_by_label("Name", exact=True).fill(name)
    office.press("Make the form")
    office.sees(name, level=1)
    expect(page.get_by_text("There is nothing to answer yet")).to_be_visible()

    def keep() -> None:
        """With scripts what is typed is kept by itself."""
        if scripts:
            settled(office)
        else:
            office.press("Keep", within=".inspector", exact=True)

    add(office, "Short text")
    page.get_by_label("Label", exact=True).fill("Your name")
    page.get_by_label("Must be answered").check()
    keep()
    kept(page, "Your name")
    add(office, "Single choice")
    page.get_by_label("Label", exact=True).fill("How did you find us?")
    page.get_by_label("Option 1", exact=True).fill("A friend")
    page.get_by_label("Option 2", exact=True).fill("The search")
    keep()
    kept(page, "How did you find us?")
    office.look()
    office.press("Publish")
    address = page.get_by_role("link", name="As visitor").get_attribute("href")
    assert address is not None

    guest = visit(scripts=scripts, width=375)
    guest.open(address)
    guest.sees(name, level=1)
    guest.look()
    guest.page.get_by_label("A friend").check()
    guest.think()
    guest.expect_status(422, address)
    if not scripts:  # its page had no stamp yet
        guest.post("Send")
        guest.think()
    guest.press("Send")
    expect(guest.page.get_by_text("Please answer this.")).to_be_visible()
    expect(guest.page.get_by_label("A friend")).to_be_checked()
    guest.look()
    guest.page.get_by_label("Your name").fill("Ann Hart")
    guest.press("Send")
    guest.sees("Thank you", level=1)
    guest.look()

    office.click("Entries", within="main", exact=True)
    expect(page.get_by_role("row").filter(has_text="Ann Hart")).to_be_visible()
    office.look()
    page.get_by_role("row").filter(has_text="Ann Hart").get_by_role("link").first.click()
    expect(page.get_by_text("A friend")).to_be_visible()
    office.look()
