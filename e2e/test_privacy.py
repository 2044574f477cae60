"""Looking as a member and back; taking one's data along; being forgotten, and thinking better of it."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import asyncpg
import pytest
from playwright.sync_api import expect

from e2e.people import Mailbox, People, Person
from e2e.school import SmallSchool
from e2e.visitor import Visitor

scripts_and_none = pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])


@scripts_and_none
def test_the_owner_looks_as_a_member_and_goes_back(
    visit: Callable[..., Visitor], people: People, owner: Person, scripts: bool
) -> None:
    lena = people.member("Lena Lorenz")
    visitor = visit(scripts=scripts, width=1280 if scripts else 375)
    visitor.come_as(owner)
    visitor.open(f"/admin/people?q={lena.email}")
    visitor.click("Lena Lorenz", within="main")
    visitor.sees("Lena Lorenz", level=1)
    visitor.click("Look as this person")
    visitor.sees("Look as Lena Lorenz", level=1)
    visitor.expect_status(422, "/impersonation")
    visitor.press("Look as Lena Lorenz")
    expect(visitor.page.get_by_text("Say in a few words why").first).to_be_visible()
    visitor.fill("Reason", "She cannot find the course that she bought")
    visitor.press("Look as Lena Lorenz")
    visitor.is_at("/learn")
    bar = visitor.page.get_by_role("region", name="Looking as another person")
    for address in ("/learn", "/", "/courses", "/cart", "/account"):
        visitor.open(address)
        expect(bar).to_contain_text("look as Lena Lorenz")
    visitor.expect_status(403, "/account/security")
    visitor.open("/account/security")
    expect(visitor.page.get_by_text("This page belongs to Lena Lorenz alone.")).to_be_visible()
    visitor.open("/account")
    visitor.expect_status(403, "/account/profile")
    visitor.fill("Headline", "Hacked")
    visitor.post("Save", within="main")
    expect(visitor.page.get_by_text("change nothing").first).to_be_visible()
    visitor.press("End", within=".acting")
    visitor.sees("Lena Lorenz", level=1)
    expect(bar).to_have_count(0)
    visitor.open("/admin/impersonations")
    visitor.page.get_by_role("row").filter(has_text="Lena Lorenz").get_by_role("link").first.click()
    expect(visitor.page.get_by_text("GET /account/security")).to_be_visible()
    expect(visitor.page.get_by_text("POST /account/profile")).to_be_visible()
    visitor.look()


def test_somebody_takes_their_data_along(visit: Callable[..., Visitor], people: People, mailbox: Mailbox) -> None:
    lena = people.confirmed(mailbox, "Lena Lorenz")
    visitor = visit()
    visitor.come_as(lena)
    visitor.open("/account")
    visitor.click("Privacy")
    visitor.sees("Your data", level=2)
    visitor.press("Gather my data")
    expect(visitor.page.get_by_text("We gather your data.")).to_be_visible()
    link = mailbox.link(lena.email, "Your data at .* is ready", "/account/privacy")
    visitor.open("/account")  # else the link would only lead down the page that is open
    visitor.open(link)
    with visitor.page.expect_download() as download:
        visitor.click("Download the file")
    with zipfile.ZipFile(io.BytesIO(download.value.path().read_bytes())) as archive:
        assert json.loads(archive.read("account.json"))[0]["email"] == lena.email
        assert lena.email in archive.read("README.txt").decode()


@scripts_and_none
def test_somebody_is_forgotten_after_the_time_to_think_it_over(
    visit: Callable[..., Visitor], people: People, mailbox: Mailbox, school: SmallSchool, scripts: bool
) -> None:
    lena = people.confirmed(mailbox, "Lena Lorenz")
    visitor = visit(scripts=scripts, width=375)
    visitor.come_as(lena)
    _ask(visitor, lena)
    visitor.open(mailbox.link(lena.email, "will be erased", "/privacy/keep/"))
    visitor.sees("Keep the account?", level=1)
    visitor.press("Keep my account", within="main")
    visitor.sees("Your account stays", level=1)
    _ask(visitor, lena)
    _let_time_pass(school, lena.email)
    mailbox.message(lena.email, "is erased")
    gone = visit(scripts=scripts)
    gone.expect_status(422, "/login")
    gone.open("/login")
    gone.fill("Email address", lena.email)
    gone.fill("Password", lena.password)
    gone.press("Sign in", within="main", exact=True)
    expect(gone.page.get_by_text("do not go together")).to_be_visible()


def _ask(visitor: Visitor, person: Person) -> None:
    visitor.open("/account/privacy")
    visitor.click("What goes and what stays")
    visitor.sees("What stays, and why", level=3)
    visitor.fill("Type your email address to confirm", person.email)
    visitor.press("Erase my account")
    expect(visitor.page.get_by_text("Your account will be erased on").first).to_be_visible()
    visitor.look()


def _let_time_pass(school: SmallSchool, email: str) -> None:
    """Two weeks go by in the row; the worker is told to look now instead of at the next full hour."""

    async def pass_by() -> None:
        connection = await asyncpg.connect(school.database_url)
        try:
            await connection.execute(
                """
                UPDATE erasures SET due_at = now() WHERE state = 'waiting'
                AND user_id = (SELECT id FROM users WHERE email = $1)
                """,
                email,
            )
            await connection.execute(
                "INSERT INTO pgqueuer (priority, status, entrypoint, payload) VALUES (0, 'queued', 'accounts.erase_due', '{}')"
            )
        finally:
            await connection.close()

    with ThreadPoolExecutor(1) as aside:  # this thread has the browser's event loop
        aside.submit(asyncio.run, pass_by()).result()
