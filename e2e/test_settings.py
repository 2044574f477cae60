"""The owner changes the school's name, colour and logo, and the next page shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from e2e.people import Person
from e2e.visitor import Visitor

LOGO = Path(__file__).parents[1] / "app" / "demo" / "content" / "media" / "four-numbers.webp"


@pytest.fixture
def office(visit: Callable[..., Visitor], owner: Person) -> Iterator[Visitor]:
    """The owner at the settings; what was changed is changed back, since all journeys share the school."""
    office = visit()
    office.come_as(owner)
    office.open("/admin/settings")
    name, hue = (office.page.locator(field).input_value() for field in ("#name", "#hue"))
    yield office
    office.page.goto("/admin/settings")
    office.page.locator("#name").fill(name)
    office.page.locator("#hue").fill(hue)
    office.post("Save the settings")
    expect(office.page.locator(".office__nav .office__brand")).to_contain_text(name)
    office.look()
    if office.page.get_by_role("button", name="Remove the logo").is_visible():
        office.press("Remove the logo")
        expect(office.page.get_by_role("button", name="Remove the logo")).to_have_count(0)


def accent(visitor: Visitor) -> str:
    """The colour of the main button on the front page, as it is drawn."""
    color = visitor.page.locator(".btn--primary").first.evaluate("one => getComputedStyle(one).backgroundColor")
    return str(color)


def test_a_new_name_colour_and_logo_show_on_the_next_page(
    office: Visitor, visit: Callable[..., Visitor], scripts: bool
) -> None:
    guest = visit(scripts=scripts)
    brand = guest.page.locator("header .brand")
    guest.open_until("/", brand.filter(has_text="Meridian"))
    before = accent(guest)

    office.expect_status(422, "/admin/settings")
    office.page.locator("#name").fill("")
    office.press("Save the settings")
    expect(office.page.locator("#name")).to_have_attribute("aria-invalid", "true")
    office.look()
    office.page.locator("#name").fill("Harbour School")
    office.page.locator("#hue").fill("20")
    office.press("Save the settings")
    expect(office.page.locator(".office__nav .office__brand")).to_contain_text("Harbour School")
    office.look()
    guest.open_until("/", brand.filter(has_text="Harbour School"))
    assert accent(guest) != before

    office.page.get_by_label("New logo").set_input_files(LOGO)
    office.press("Upload the logo")
    expect(office.page.locator(".office__nav img.brand__mark")).to_be_visible()
    office.look()
    logo = brand.locator("img")
    guest.open_until("/", logo)
    expect(logo).to_be_visible()
    if guest.scripts:
        assert logo.evaluate("one => one.complete && one.naturalWidth > 0")
