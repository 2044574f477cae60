"""The owner brings a list of people: looks at it, tries it, runs it, fetches the result."""

from __future__ import annotations

import csv
import uuid
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import expect

from e2e.people import Mailbox, Person
from e2e.visitor import Visitor


def test_a_list_is_brought_tried_and_imported(
    visit: Callable[..., Visitor], owner: Person, mailbox: Mailbox, scripts: bool, tmp_path: Path
) -> None:
    tag = uuid.uuid4().hex[:8]
    ada, bob = f"ada.{tag}@example.net", f"bob.{tag}@example.net"
    content = f"Prénom;Nom;Courriel;Quoi\nZoë;Müller;{ada};=1+1\nBob;;{bob};x\nNobody;;not an address;y\n"
    office = visit(scripts=scripts, width=1280 if scripts else 375)
    page = office.page
    office.come_as(owner)
    office.open("/admin/people")
    office.click("Import", within="main", exact=True)
    office.sees("Import people", level=1)
    page.get_by_label("File", exact=True).set_input_files(
        {"name": "Élèves.csv", "mimeType": "text/csv", "buffer": content.encode("windows-1252")}
    )
    office.press("Look at the file")
    office.sees("Élèves.csv", level=1)
    office.look()
    expect(page.get_by_label("Prénom")).to_have_value("first_name")
    expect(page.get_by_label("Courriel")).to_have_value("email")
    office.expect_status(422, "/trials")
    page.get_by_label("Courriel").select_option("")
    office.press("Try it without changing anything")
    expect(page.get_by_text("Say which column")).to_be_visible()
    page.get_by_label("Courriel").select_option("email")
    page.get_by_label("Send mails").check()
    office.press("Try it without changing anything")
    office.sees("What would happen", level=2)
    expect(page.get_by_text("This is not an email address.")).to_be_visible()
    office.look()
    office.press("Import 2 people")
    office.sees("What happened", level=2)
    office.look()
    with page.expect_download() as download:
        office.click("Result as a file")
    download.value.save_as(tmp_path / "result.csv")
    rows = list(csv.DictReader((tmp_path / "result.csv").open(encoding="utf-8-sig", newline="")))
    assert [(row["Courriel"], row["Quoi"], row["Outcome"]) for row in rows] == [
        (ada, "'=1+1", "new"),
        (bob, "x", "new"),
        ("not an address", "y", "refused"),
    ]
    assert mailbox.link(ada, "Welcome", "/password/reset/")
    office.open(f"/admin/people?q={tag}")
    expect(page.get_by_role("link", name="Zoë Müller")).to_be_visible()
