"""The owner builds forms: by mouse, by keyboard, without scripts; takes steps back, is told of conflicts, publishes."""

from __future__ import annotations

import asyncio
import json
import re
import threading
import uuid
from collections.abc import Callable

import asyncpg
import pytest
from playwright.sync_api import Locator, Page, Response, expect

from e2e.people import Mailbox, People, Person
from e2e.school import SmallSchool
from e2e.visitor import Visitor


def name() -> str:
    return f"Built {uuid.uuid4().hex[:8]}"


def begin(office: Visitor, owner: Person, title: str) -> str:
    """Make an empty form; the path of its builder."""
    office.come_as(owner)
    office.open("/admin/forms/new")
    office.fill("Name", title, exact=True)
    office.press("Make the form")
    office.sees(title, level=1)
    return office.page.url.split("?")[0]


def imported(office: Visitor, owner: Person, definition: dict[str, object]) -> str:
    """Make a form of this definition; the path of its builder."""
    office.come_as(owner)
    office.open("/admin/forms/import")
    office.fill("Or paste it", json.dumps(definition))
    office.press("Import", within="main", exact=True)
    office.sees(str(definition["title"]), level=1)
    return office.page.url.split("?")[0]


def blocks(page: Page) -> Locator:
    return page.locator(".builder__list > [data-row]")


def are_in_order(page: Page, *names: str) -> None:
    """Wait until the form has these fields, and no others, in this order."""
    expect(blocks(page)).to_have_count(len(names))
    for place, name in enumerate(names):
        expect(blocks(page).nth(place)).to_have_attribute("data-name", name)


def add(office: Visitor, kind: str) -> None:
    """Press a kind of the palette, and wait until the new field can be edited."""
    office.press(kind, within=".builder__palette", exact=True)
    expect(office.page.get_by_label("Label", exact=True)).to_have_value(kind)


def settled(office: Visitor) -> None:
    """Wait until what was typed is kept."""
    office.page.wait_for_function("() => !document.querySelector('.htmx-request, .htmx-swapping, .htmx-settling')")
    expect(office.page.locator(".inspector .saved")).to_contain_text("Saved")


def keeps_order(answer: Response) -> bool:
    return answer.url.endswith("/field-order")


def kept(page: Page, label: str) -> None:
    expect(page.locator(f".builder__list > [data-name='{label}']")).to_be_visible()


def test_a_form_is_dragged_together_and_put_in_another_order(visit: Callable[..., Visitor], owner: Person) -> None:
    office = visit(scripts=True)
    page = office.page
    begin(office, owner, name())
    expect(page.get_by_text("There is nothing to answer yet")).to_be_visible()
    page.locator(".palette__item", has_text="Short text").drag_to(page.locator(".builder__sheet"))
    expect(blocks(page)).to_have_count(1)
    # The keyboard is where the label is written.
    expect(page.get_by_label("Label", exact=True)).to_be_focused()
    page.keyboard.type("Your name")
    kept(page, "Your name")
    expect(page.get_by_text("There is nothing to answer yet")).to_be_hidden()
    page.get_by_label("Find a kind of field").fill("email")
    expect(page.locator(".palette__item:visible")).to_have_count(2)
    page.locator(".palette__item", has_text=re.compile("^\\s*Email\\s*$")).drag_to(
        page.locator(".block--head"), target_position={"x": 60, "y": 10}
    )
    expect(blocks(page)).to_have_count(2)
    expect(page.get_by_label("Label", exact=True)).to_be_focused()
    page.keyboard.type("Your address")
    kept(page, "Your address")
    are_in_order(page, "Your address", "Your name")
    # What was searched for stays while the form changes around it.
    expect(page.get_by_label("Find a kind of field")).to_have_value("email")
    settled(office)
    grip = page.get_by_role("button", name="Move Your name. Use arrow keys")
    blocks(page).nth(1).hover()
    box, to = grip.bounding_box(), blocks(page).nth(0).bounding_box()
    assert box
    assert to
    page.mouse.move(box["x"] + 5, box["y"] + 5)
    page.mouse.down()
    page.mouse.move(to["x"] + 40, to["y"] + 30, steps=5)
    page.mouse.move(to["x"] + 40, to["y"] + 4, steps=5)
    with page.expect_response(keeps_order):
        page.mouse.up()
    are_in_order(page, "Your name", "Your address")
    page.reload()
    are_in_order(page, "Your name", "Your address")
    office.look()


def test_a_form_is_built_by_keyboard_alone(visit: Callable[..., Visitor], owner: Person) -> None:
    office = visit(scripts=True)
    page = office.page
    keys = page.keyboard
    begin(office, owner, name())
    page.get_by_label("Find a kind of field").focus()
    for kind, label in (("short text", "Your name"), ("single choice", "Which course?"), ("long text", "Why?")):
        keys.type(kind)
        keys.press("Enter")
        expect(page.get_by_label("Label", exact=True)).to_be_focused()
        keys.type(label)
        kept(page, label)
        keys.press("Control+Enter")
        expect(page.get_by_label("Find a kind of field")).to_be_focused()
        keys.press("Control+a")
    # Back to the field, a place up, a copy of it, the copy away again.
    page.get_by_label("Label", exact=True).focus()
    keys.press("Escape")
    expect(page.get_by_role("link", name="Edit Why?")).to_be_focused()
    with page.expect_response(keeps_order):
        keys.press("Alt+ArrowUp")
    expect(blocks(page).nth(1)).to_have_attribute("data-name", "Why?")
    expect(page.get_by_role("link", name="Edit Why?")).to_be_focused()
    settled(office)
    keys.press("Control+d")
    expect(blocks(page)).to_have_count(4)
    settled(office)
    page.get_by_role("link", name="Edit Why?").first.focus()
    keys.press("Delete")
    expect(blocks(page)).to_have_count(3)
    expect(page.get_by_role("link", name="Edit Why?")).to_be_focused()
    keys.press("ArrowUp")
    expect(page.get_by_role("link", name="Edit Your name")).to_be_focused()
    keys.press("Enter")
    expect(page.get_by_label("Label", exact=True)).to_have_value("Your name")
    page.get_by_label("Must be answered").focus()
    keys.press("Space")
    expect(page.locator(".block--picked .field__optional")).to_be_hidden()
    settled(office)
    page.get_by_role("link", name="Edit Your name").focus()
    # The removal, the copy, the place …
    for count in (4, 3):
        keys.press("Control+z")
        if count == 4:
            expect(page.get_by_label("Must be answered")).not_to_be_checked()
            keys.press("Control+z")
        expect(blocks(page)).to_have_count(count)
    keys.press("Control+z")
    expect(blocks(page).nth(2)).to_have_attribute("data-name", "Why?")
    keys.press("Control+Shift+z")
    expect(blocks(page).nth(1)).to_have_attribute("data-name", "Why?")
    page.get_by_role("button", name="Publish").focus()
    keys.press("Enter")
    expect(page.get_by_role("link", name="As visitor")).to_be_visible()
    office.look()


def test_typing_and_going_on_at_once_loses_nothing(visit: Callable[..., Visitor], owner: Person) -> None:
    office = visit(scripts=True)
    page = office.page
    fields = [{"id": f"q{n}", "kind": "short_text", "label": f"Question {n}"} for n in (1, 2, 3)]
    imported(office, owner, {"title": name(), "fields": fields})
    page.get_by_role("link", name="Edit Question 1").click()
    expect(page.get_by_label("Label", exact=True)).to_have_value("Question 1")
    page.get_by_label("Label", exact=True).fill("First")
    page.get_by_label("Hint").fill("A word of help")
    page.get_by_role("link", name="Edit Question 2").click()
    expect(page.get_by_label("Label", exact=True)).to_have_value("Question 2")
    page.get_by_label("Label", exact=True).fill("Second")
    page.get_by_label("Must be answered").check()
    page.get_by_role("link", name="Edit Question 3").click()
    expect(page.get_by_label("Label", exact=True)).to_have_value("Question 3")
    expect(page.get_by_label("Must be answered")).not_to_be_checked()
    page.reload()
    are_in_order(page, "First", "Second", "Question 3")
    expect(page.get_by_text("A word of help")).to_be_visible()
    # Two steps back, as fast as somebody clicks.
    undo = page.get_by_role("button", name="Undo")
    undo.click()
    undo.click()
    are_in_order(page, "Question 1", "Question 2", "Question 3")
    expect(undo).to_be_disabled()


def test_steps_back_and_on_show_in_every_control(visit: Callable[..., Visitor], owner: Person) -> None:
    office = visit(scripts=True)
    page = office.page
    begin(office, owner, name())
    add(office, "Short text")
    page.get_by_label("Must be answered").check()
    page.get_by_label("Width").select_option("Half")
    expect(page.locator(".block--picked.q--3")).to_be_visible()
    settled(office)
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_label("Must be answered")).not_to_be_checked()
    expect(page.get_by_label("Width")).to_have_value("6")
    page.get_by_role("button", name="Redo").click()
    expect(page.get_by_label("Must be answered")).to_be_checked()
    expect(page.get_by_label("Width")).to_have_value("3")
    expect(page.get_by_role("button", name="Redo")).to_be_disabled()


def test_a_form_with_a_rule_is_built_with_and_without_scripts(
    visit: Callable[..., Visitor], owner: Person, scripts: bool
) -> None:
    title = name()
    office = visit(scripts=scripts)
    page = office.page
    path = begin(office, owner, title)

    def keep() -> None:
        if scripts:
            settled(office)
        else:
            office.press("Keep", within=".inspector", exact=True)

    add(office, "Single choice")
    page.get_by_label("Label", exact=True).fill("Are you coming?")
    page.get_by_label("Option 1", exact=True).fill("Yes")
    page.get_by_label("Option 2", exact=True).fill("No")
    keep()
    kept(page, "Are you coming?")
    add(office, "Long text")
    page.get_by_label("Label", exact=True).fill("Why not?")
    keep()
    kept(page, "Why not?")
    office.look()
    office.click("Rules about this field")
    office.press("Add a rule")
    expect(page.get_by_text("is missing", exact=False).first).to_be_visible()
    page.get_by_label("Value", exact=True).select_option("No")
    if not scripts:
        office.press("Keep", exact=True)
    expect(page.locator(".rule__sentence")).to_have_text("Show “Why not?” when “Are you coming?” is No.")
    office.look()
    # A condition more, in a group of its own; then away with it.
    office.press("Group", exact=True)
    expect(page.get_by_label("How the conditions are joined")).to_have_count(2)
    office.press("Remove this group")
    expect(page.get_by_label("How the conditions are joined")).to_have_count(1)
    office.click("Build", within=".builder__tabs")
    expect(page.locator(".block__logic")).to_have_text("Show “Why not?” when “Are you coming?” is No.")
    office.press("Publish", exact=True)
    address = page.get_by_role("link", name="As visitor").get_attribute("href")
    assert address

    # Undo of a rule stays on its tab.
    office.click("Logic", within=".builder__tabs")
    office.press(re.compile("^Remove: "))
    expect(page.get_by_text("No rules yet")).to_be_visible()
    page.locator(".office__main").get_by_role("button", name="Undo").last.click()
    expect(page.locator(".rule__sentence")).to_have_text("Show “Why not?” when “Are you coming?” is No.")

    guest = visit(scripts=scripts, width=375)
    guest.open(address)
    if scripts:
        expect(guest.page.get_by_label("Why not?")).to_be_hidden()
        guest.page.get_by_label("No", exact=True).check()
        expect(guest.page.get_by_label("Why not?")).to_be_visible()
    assert path.startswith("http")


CONFLICTS = {
    "fields": [
        {"id": "q1", "kind": "short_text", "label": "One"},
        {"id": "q2", "kind": "short_text", "label": "Two"},
        {"id": "p2", "kind": "page_break", "label": "Second page"},
        {"id": "q3", "kind": "short_text", "label": "Three"},
    ],
    "rules": [
        {"id": "r1", "do": "show", "targets": ["q1"], "when": {"all": [{"field": "q2", "is": "not_empty"}]}},
        {"id": "r2", "do": "show", "targets": ["q2"], "when": {"all": [{"field": "q1", "is": "not_empty"}]}},
        {"id": "r3", "do": "skip", "targets": ["p2"], "when": {"all": []}},
        {"id": "r4", "do": "hide", "targets": ["q9"], "when": {"all": [{"field": "q1", "is": "empty"}]}},
    ],
}


def test_conflicts_are_told_while_building_and_keep_a_form_from_visitors(
    visit: Callable[..., Visitor], owner: Person, scripts: bool
) -> None:
    office = visit(scripts=scripts)
    page = office.page
    imported(office, owner, {"title": name(), **CONFLICTS})
    told = page.locator(".builder__problems")
    expect(told).to_contain_text("These wait for each other: “One” → “Two” → “One”.")
    expect(told).to_contain_text("Nobody comes to “Second page”")
    expect(told).to_contain_text("There is no field “q9”.")
    office.look()
    office.post("Publish", exact=True)
    office.look()
    expect(page.locator("#notices .notice--bad")).to_contain_text("There is no field")
    expect(page.get_by_role("link", name="As visitor")).to_have_count(0)
    # From the problem to its rule, and away with it: it is gone at once.
    office.click(re.compile("There is no field"), within=".builder__problems")
    page.wait_for_url("**/logic?rule=r4")
    office.press(re.compile("^Remove: Hide"))
    expect(page.get_by_text("There is no field")).to_have_count(0)


def test_a_calculation_is_written_with_pickers_and_tried(visit: Callable[..., Visitor], owner: Person) -> None:
    office = visit(scripts=True)
    page = office.page
    fields = [
        {"id": "q1", "kind": "number", "label": "Seats"},
        {"id": "q2", "kind": "calculation", "label": "Price", "settings": {"unit": "EUR"}},
    ]
    imported(office, owner, {"title": name(), "fields": fields})
    page.get_by_role("link", name="Edit Price").click()
    page.get_by_label("Put in").select_option("Seats")
    page.get_by_role("button", name="Put in").click()
    expect(page.get_by_label("Expression")).to_have_value("{q1}")
    page.keyboard.type(" * 12")
    expect(page.locator(".builder__meaning")).to_have_text("“Seats” × 12")
    expect(page.locator(".trial output")).to_have_text("36 EUR")
    page.locator(".trial").get_by_label("Seats").fill("10")
    expect(page.locator(".trial output")).to_have_text("120 EUR")
    office.look()
    page.get_by_label("Expression").fill("{q1} * * 12")
    expect(page.locator(".inspector mark")).to_have_text("* 12")
    expect(page.locator(".trial")).to_have_count(0)
    expect(page.locator(".block__wrong").first).to_be_visible()
    page.get_by_label("Expression").fill("{q7} + 1")
    expect(page.locator(".builder__problems")).to_contain_text("“q7”, which is not there")
    office.look()


async def _promote(url: str, email: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute("UPDATE users SET role = 'admin' WHERE email = $1", email)
    await connection.close()


@pytest.fixture
def colleague(school: SmallSchool, people: People, mailbox: Mailbox) -> Person:
    """Somebody else who may build forms."""
    person = people.confirmed(mailbox, "Tomas Bauer")
    thread = threading.Thread(target=lambda: asyncio.run(_promote(school.database_url, person.email)))
    thread.start()
    thread.join()
    return person


def test_two_who_build_at_once_are_told_and_neither_writes_over_the_other(
    visit: Callable[..., Visitor], owner: Person, colleague: Person
) -> None:
    title = name()
    one, two = visit(scripts=True), visit(scripts=True)
    fields = [{"id": f"q{n}", "kind": "short_text", "label": f"Question {n}"} for n in (1, 2)]
    path = imported(one, owner, {"title": title, "fields": fields})
    two.come_as(colleague)
    with two.page.expect_response(lambda answer: "/editors" in answer.url):  # it is noted who is there
        two.page.goto(f"{path}?field=q1")
    one.page.goto(f"{path}?field=q1")
    expect(one.page.locator("#editors")).to_contain_text("has this form open too.")
    two.page.get_by_label("Label", exact=True).fill("Full name")
    kept(two.page, "Full name")
    settled(two)
    one.expect_status(409, "/fields/q1")
    one.page.get_by_label("Label", exact=True).fill("First name")
    expect(one.page.get_by_role("alert")).to_contain_text("changed this field since you opened it")
    clash = one.page.locator(".builder__clash")
    expect(clash).to_contain_text("Full name")
    expect(clash).to_contain_text("First name")
    one.look()
    one.page.get_by_role("button", name="Keep", exact=True).press("Enter")
    kept(one.page, "First name")
    # The other is told that what is shown is no longer so.
    two.page.evaluate("htmx.trigger('#editors', 'asked')")
    expect(two.page.locator("#editors")).to_contain_text("was changed since you opened it")
    two.page.get_by_role("link", name="Show it as it is now").click()
    kept(two.page, "First name")
    expect(two.page.get_by_label("Label", exact=True)).to_have_value("First name")


def test_versions_are_compared_restored_and_a_form_goes_out_and_comes_back(
    visit: Callable[..., Visitor], owner: Person, scripts: bool
) -> None:
    office = visit(scripts=scripts)
    page = office.page
    fields = [{"id": "q1", "kind": "short_text", "label": "Name"}]
    path = imported(office, owner, {"title": name(), "fields": fields})
    page.goto(f"{path}?field=q1")
    page.get_by_label("Label", exact=True).fill("Your full name")
    if scripts:
        kept(page, "Your full name")
        settled(office)
    else:
        office.post("Keep", within=".inspector", exact=True)
    office.click("Versions", within=".builder__tabs")
    office.press("Compare the two chosen")
    expect(page.locator(".diff del")).to_have_text("Name")
    expect(page.locator(".diff ins")).to_have_text("Your full name")
    office.look()
    office.post(re.compile("^Restore"))
    page.goto(path)
    are_in_order(page, "Name")
    office.click("Settings", within=".builder__tabs")
    page.wait_for_url("**/settings")
    office.look()
    with page.expect_download() as coming:
        office.click("Download as JSON")
    text = coming.value.path().read_text("utf-8")
    assert json.loads(text)["fields"][0]["label"] == "Name"
    office.open("/admin/forms/import")
    page.get_by_label("File").set_input_files(
        {"name": "form.json", "mimeType": "application/json", "buffer": text.encode()}
    )
    office.press("Import", within="main", exact=True)
    expect(page.get_by_text("The form is here.")).to_be_visible()
    are_in_order(page, "Name")


@pytest.mark.parametrize(("tab", "width"), [("Phone", 375), ("Tablet", 768), ("Desk", 1100)])
def test_the_preview_is_walked_at_three_widths_and_follows_what_is_built(
    visit: Callable[..., Visitor], owner: Person, tab: str, width: int
) -> None:
    office = visit(scripts=True)
    page = office.page
    fields = [
        {"id": "q1", "kind": "short_text", "label": "Your name", "required": True},
        {"id": "p2", "kind": "page_break", "label": "About you"},
        {"id": "q2", "kind": "radio", "label": "Which?", "settings": {"options": ["One", "Two"]}},
    ]
    path = imported(office, owner, {"title": name(), "fields": fields})
    office.click("Preview")
    office.click(tab, within="main", exact=True)
    page.wait_for_url(f"**/preview?width={tab.lower()}")
    office.look()
    frame = page.frame_locator(".preview__frame")
    assert (page.locator(".preview__frame").bounding_box() or {})["width"] >= min(width, 900)
    office.expect_status(422, "/preview/page")
    frame.get_by_role("button", name="Next").click()
    expect(frame.get_by_text("Please answer this.")).to_be_visible()
    frame.get_by_label("Your name").fill("Ann")
    frame.get_by_role("button", name="Next").click()
    frame.get_by_label("Two").check()
    frame.get_by_role("button", name="Send").click()
    expect(frame.get_by_role("heading", name="Thank you")).to_be_visible()
    if width == 375:
        other = page.context.new_page()
        other.goto(f"{path}?field=q1")
        other.get_by_label("Label", exact=True).fill("Your whole name")
        expect(frame.get_by_label("Your whole name")).to_be_visible()
