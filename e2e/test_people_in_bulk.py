"""The owner filters people, saves that as a view, tags all of them after a look at what it does, and takes it back."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from e2e.people import People, Person
from e2e.visitor import Visitor

pytestmark = pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])


def test_people_are_filtered_kept_as_a_view_tagged_and_untagged(
    visit: Callable[..., Visitor], owner: Person, people: People, scripts: bool
) -> None:
    surname = "Quill" if scripts else "Quoin"
    for first in ("Ada", "Bea", "Cem"):
        people.member(f"{first} {surname}")
    office = visit(scripts=scripts, width=1280 if scripts else 375)
    page = office.page
    office.come_as(owner)
    office.open("/admin/people")
    page.locator("#list-q").fill(surname)
    page.locator("#list-role").select_option("member")
    if not scripts:
        office.press("Filter", exact=True)
    page.wait_for_url(lambda url: f"q={surname}" in url and "role=member" in url)
    rows = page.locator("#list tbody tr")
    expect(rows).to_have_count(3)
    office.look()  # the views come along with the list
    # What needs scripts is not offered without them.
    expect(page.get_by_role("checkbox", name="Pick all of this page")).to_be_visible(visible=scripts)

    page.locator("#list-views summary").click()
    office.fill("Name of the view", f"The {surname}s")
    office.press("Save the view")
    tab = page.locator("#list-views").get_by_role("link", name=f"The {surname}s")
    expect(tab).to_have_attribute("aria-current", "page")
    office.look()
    page.locator("#list-views").get_by_role("link", name="All", exact=True).click()
    expect(tab).not_to_have_attribute("aria-current", "page")
    tab.click()
    expect(rows).to_have_count(3)

    page.get_by_role("checkbox", name=f"Pick Ada {surname}").check()
    page.get_by_label("What to do").select_option(label="Add a tag")
    office.press("All 3 that match")
    office.sees("Add a tag", level=1)
    office.fill("Tag", f"{surname} family")
    office.press("Look at what it does")
    expect(page.get_by_text("Nothing has been done yet")).to_be_visible()
    expect(page.locator("tbody tr")).to_have_count(1)
    office.look()
    office.press(re.compile("^Tag 3 people"))
    expect(page.get_by_text("Done: 3 changed.")).to_be_visible()
    office.look()
    office.press("Take it back")
    expect(page.get_by_role("heading", name="Taken back", level=1)).to_be_visible()
    expect(page.get_by_text("Done: 3 changed.")).to_be_visible()
    office.click("Back to the list")
    expect(rows).to_have_count(3)
    expect(page.locator("#list")).not_to_contain_text(f"{surname} family")

    page.locator("#list-views summary").click()
    office.press("Remove the view")
    expect(page.locator("#list-views")).not_to_contain_text(f"The {surname}s")
