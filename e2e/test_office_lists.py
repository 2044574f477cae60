"""The owner works through a list: filters, order, pages, export; the state is in the address."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from e2e.people import Person
from e2e.visitor import Visitor

LISTS = (
    "/admin/people",
    "/admin/courses",
    "/admin/jobs",
    "/admin/mails",
    "/admin/webhooks",
    "/admin/audit",
)


def test_orders_are_filtered_sorted_turned_over_and_exported(
    visit: Callable[..., Visitor], owner: Person, scripts: bool
) -> None:
    office = visit(scripts=scripts)
    page = office.page
    office.come_as(owner)
    office.open("/admin/orders")
    rows = page.locator("#list tbody tr")
    first = rows.first.locator("th").inner_text()
    count = rows.count()
    counted = page.locator("#counted").inner_text()
    office.click("Older", within="#list")
    expect(rows.first.locator("th")).not_to_have_text(first)
    office.look()
    office.click("Newer", within="#list")
    expect(rows.first.locator("th")).to_have_text(first)
    expect(rows).to_have_count(count)

    page.locator("#list-state").select_option("sold")
    page.locator("#list-product").select_option(label="Options, Plainly")
    if not scripts:
        office.press("Filter", exact=True)
    page.wait_for_url(lambda url: "state=sold" in url and "product=" in url)
    expect(page.locator("#list .list__chips")).to_contain_text("Options, Plainly")
    expect(page.locator("#counted")).not_to_have_text(counted)
    office.look()
    office.click("Total", within="#list thead")
    page.wait_for_url(lambda url: "sort=" in url and "state=sold" in url)
    expect(page.locator("#list th[aria-sort=descending]")).to_contain_text("Total")
    shown = rows.locator("th").all_inner_texts()
    office.look()

    with page.expect_download() as download:
        office.click("Export CSV", within="#list")
    text = Path(download.value.path()).read_text("utf-8-sig")
    lines = list(csv.DictReader(io.StringIO(text)))
    assert [line["Order"] for line in lines][: len(shown)] == shown
    assert all("Options, Plainly" in line["What"] for line in lines)

    page.go_back()
    page.wait_for_url(lambda url: "sort=" not in url and "state=sold" in url)
    expect(page.locator("#list-state")).to_have_value("sold")
    expect(page.locator("#list thead th", has_text="Total")).to_have_attribute("aria-sort", "none")
    office.click(re.compile("Clear all"), within="#list")
    expect(rows).to_have_count(count)


def test_one_step_back_leaves_a_search_that_was_followed_while_typing_and_sent_with_enter(
    visit: Callable[..., Visitor], owner: Person
) -> None:
    office = visit()
    page = office.page
    office.come_as(owner)
    office.open("/admin/orders")
    page.locator("#list-q").press_sequentially("nobody bought this")
    page.wait_for_url(lambda url: "q=nobody" in url)
    expect(page.locator("#list tbody tr")).to_have_count(0)
    steps = page.evaluate("history.length")
    with page.expect_response(lambda answer: "q=nobody" in answer.url):
        page.locator("#list-q").press("Enter")
    page.wait_for_timeout(500)
    assert page.evaluate("history.length") == steps
    page.go_back()
    page.wait_for_url(lambda url: "q=" not in url)


def test_a_filter_that_matches_nothing_says_so(visit: Callable[..., Visitor], owner: Person) -> None:
    office = visit()
    office.come_as(owner)
    office.open("/admin/orders?q=nobody+bought+this")
    expect(office.page.locator("#list tbody tr")).to_have_count(0)
    expect(office.page.locator("#list .empty-state, #list [class*=empty]").first).to_be_visible()


@pytest.mark.parametrize("width", [1280, 375])
def test_every_list_and_page_of_the_office_opens(visit: Callable[..., Visitor], owner: Person, width: int) -> None:
    office = visit(width=width)
    office.come_as(owner)
    for address in ("/admin", "/admin/orders", *LISTS, "/admin/settings"):
        office.open(address)
        expect(office.page.get_by_role("heading", level=1)).to_be_visible()
    for address in ("/admin/people", "/admin/orders", "/admin/courses"):
        office.page.goto(address)
        office.page.locator("#list tbody th a").first.click()
        office.is_at(re.compile(f"{address}/.+"))
        expect(office.page.get_by_role("heading", level=1)).to_be_visible()
        office.look()


def test_the_drawer_closes_by_escape_and_leaves_the_keyboard_where_it_was(
    visit: Callable[..., Visitor], owner: Person
) -> None:
    office = visit(width=375)
    office.come_as(owner)
    office.open("/admin/orders")
    page = office.page
    drawer = page.locator("details.office__drawer")
    page.locator("details.office__drawer > summary").focus()
    page.keyboard.press("Enter")
    expect(drawer).to_have_attribute("open", "")
    page.keyboard.press("Tab")
    expect(drawer.get_by_role("link").first).to_be_focused()
    page.keyboard.press("Escape")
    expect(drawer).not_to_have_attribute("open", "")
    expect(page.locator("details.office__drawer > summary")).to_be_focused()
    # It stays open for whoever has gone on to the page.
    page.keyboard.press("Enter")
    page.get_by_role("searchbox").first.focus()
    page.keyboard.press("Escape")
    expect(drawer).to_have_attribute("open", "")
    office.look()
