"""What follows from a form: it is paid through the payment page, mails go out, a quiz shows how it went."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import expect

from e2e.people import Addresses, Mailbox, Person
from e2e.steps import is_at_payment, pay
from e2e.visitor import Visitor

TICKETS = [
    {"id": "q1", "kind": "short_text", "label": "Your name", "required": True},
    {"id": "q2", "kind": "email", "label": "Email", "required": True},
    {"id": "p1", "kind": "page_break", "label": "The ticket"},
    {"id": "q3", "kind": "product", "label": "Ticket", "required": True, "settings": {"options": [
        {"value": "full", "label": "Full price", "price": 4900, "stock": 3},
        {"value": "half", "label": "Half price", "price": 2450}]}},
    {"id": "q4", "kind": "custom_amount", "label": "A gift for the hall", "settings": {}},
]  # fmt: skip
QUIZ = [
    {"id": "q1", "kind": "radio", "label": "The capital of France", "required": True,
     "settings": {"options": [{"label": "Paris", "points": 2}, {"label": "Rome"}]}},
    {"id": "q2", "kind": "short_text", "label": "Seven times eight"},
]  # fmt: skip
SCORED = {"scoring": "points", "pass_mark": 50, "right_answers": ["q2 | 56 | 2"], "answer_key": True}


def import_form(office: Visitor, owner: Person, definition: dict[str, Any]) -> tuple[str, str]:
    """A form from pasted JSON; the addresses of its builder and its page."""
    office.come_as(owner)
    office.open("/admin/forms/import")
    office.page.get_by_label("Or paste it").fill(json.dumps(definition))
    office.press("Import", within="main", exact=True)
    office.sees(str(definition["title"]), level=1)
    builder = office.page.url.partition("?")[0]
    office.press("Publish")
    address = office.page.get_by_role("link", name="As visitor").get_attribute("href")
    assert address is not None
    return builder, address


def send(guest: Visitor, word: str) -> None:
    """Press the button; without scripts its page had no stamp yet."""
    guest.think()
    if not guest.scripts:
        guest.post(word, within="main", exact=True)
        guest.think()
    guest.press(word, within="main", exact=True)


def test_a_ticket_is_paid_in_a_form_and_both_sides_are_told(
    visit: Callable[..., Visitor], owner: Person, mailbox: Mailbox, addresses: Addresses, scripts: bool
) -> None:
    mark = uuid.uuid4().hex[:8]
    office = visit(scripts=scripts)
    page = office.page
    builder, address = import_form(office, owner, {"title": f"Evening {mark}", "fields": TICKETS, "last": 4})

    office.click("After sending", within="main")
    page.wait_for_url("**/after")
    office.sees("Evening", level=1)
    office.look()
    office.press("Add a mail")
    page.get_by_label("Name in the office").fill("Ticket")
    page.get_by_label("To", exact=True).select_option("field:q2")
    page.get_by_label("Subject").fill("Your ticket, ")
    if scripts:  # the picker writes where the cursor was
        page.get_by_label("Subject").press("End")
        page.get_by_role("button", name="{q1}", exact=True).click()
        expect(page.get_by_label("Subject")).to_have_value("Your ticket, {q1}")
        page.get_by_label("Answers go to").fill("")
        page.get_by_role("button", name="{email}", exact=True).focus()
        page.keyboard.press("Enter")
        expect(page.get_by_label("Answers go to")).to_have_value("{email}")
        expect(page.get_by_label("Answers go to")).to_be_focused()
    else:
        page.get_by_label("Subject").fill("Your ticket, {q1}")
    page.get_by_label("Text", exact=True).fill("**{q3}**: {amount} are paid.\n\n{all}")
    office.look()
    office.press("Keep", within="main", exact=True)
    expect(page.get_by_text("Your ticket, Ines Kovač")).to_be_visible()
    office.post("Publish")

    email = addresses.mail("Noor Visser")
    guest = visit(scripts=scripts, width=375)
    if not scripts:
        guest.expect_status(422, address)
    guest.open(address)
    guest.fill("Your name", "Noor <b>Visser</b>")
    guest.fill("Email", email)
    send(guest, "Next")
    guest.page.get_by_label("Full price").check()
    guest.fill("A gift for the hall", "5")
    guest.look()
    guest.press("Go on to payment", within="main", exact=True)
    is_at_payment(guest)
    expect(guest.page.locator("body")).to_contain_text("54.00")
    guest.page.get_by_role("link", name=re.compile("Back|Cancel|Meridian")).first.click()
    expect(guest.page.get_by_label("Your name")).to_have_value("Noor <b>Visser</b>")  # nothing is lost
    guest.look()
    guest.press("Next", within="main", exact=True)
    expect(guest.page.get_by_label("Full price")).to_be_checked()
    guest.press("Go on to payment", within="main", exact=True)
    is_at_payment(guest)
    pay(guest)
    guest.page.wait_for_url(lambda url: "/thanks/" in urlsplit(url).path)
    guest.sees("Thank you", level=1)
    guest.look()

    message = mailbox.message(email, "Your ticket, Noor")
    assert message["subject"] == "Your ticket, Noor <b>Visser</b>"
    assert "€54" in message["text"]
    assert "<b>Visser" not in message.get("html", "")
    assert mailbox.message(email, "order|receipt|bought")
    assert len([each for each in mailbox.messages(email) if each["subject"].startswith("Your ticket")]) == 1

    office.open(f"{builder}/entries")
    row = page.get_by_role("row").filter(has_text="Noor")
    expect(row.filter(has_text="Received")).to_have_count(1)
    expect(row.filter(has_text="Waits for payment")).to_have_count(1)  # the one that was sent before
    row.filter(has_text="Received").get_by_role("link").first.click()
    expect(page.get_by_role("link", name=re.compile("^Order "))).to_be_visible()
    office.look()


def test_a_quiz_shows_how_it_went(visit: Callable[..., Visitor], owner: Person, scripts: bool) -> None:
    mark = uuid.uuid4().hex[:8]
    passed = {"field": "passed", "is": "equals", "value": "yes"}
    words = [
        {
            "id": "c1",
            "name": "Passed",
            "when": passed,
            "title": "Passed",
            "text": "You have {score}.",
            "show_score": True,
        },
        {"id": "c2", "name": "Not yet", "title": "Not yet", "text": "Only {percent}."},
    ]
    office = visit(scripts=scripts)
    told = {"title": f"Quiz {mark}", "fields": QUIZ, "settings": SCORED, "confirmations": words, "last": 2}
    builder, address = import_form(office, owner, told)
    for answer, typed, title, said in (("Paris", " 56 ", "Passed", "4 / 4"), ("Rome", "54", "Not yet", "Only 0 %")):
        guest = visit(scripts=scripts, width=375)
        if not scripts:
            guest.expect_status(422, address)
        guest.open(address)
        guest.page.get_by_label(answer).check()
        guest.fill("Seven times eight", typed)
        send(guest, "Send")
        guest.sees(title, level=1)
        expect(guest.page.get_by_text(said).first).to_be_visible()
        guest.look()
    office.open(f"{builder}/after")
    expect(office.page.get_by_text(re.compile("What was right is counted"))).to_be_visible()
    office.look()
