"""The mailbox page: what the embedded mailer writes, a person and a test can read."""

from __future__ import annotations

from email.message import EmailMessage
from pathlib import Path

import pytest
from quart.typing import TestClientProtocol as Client

from app.config import Config
from app.sandbox.server import create_sandbox


def write(folder: Path, name: str, *, to: str = "ann@school.test", subject: str = "Welcome", **parts: str) -> None:
    message = EmailMessage()
    message["To"], message["From"], message["Subject"] = to, "Meridian <hello@school.test>", subject
    message["Date"] = "Mon, 02 Nov 2026 10:00:00 +0000"
    message.set_content(parts.get("text", "Hello. Open http://127.0.0.1:8000/verify/abc."))
    if html := parts.get("html", '<html><head></head><body><a href="http://127.0.0.1:8000/x">Open</a></body></html>'):
        message.add_alternative(html, subtype="html")
    if attached := parts.get("attached"):
        message.add_attachment(attached.encode(), maintype="text", subtype="csv", filename="orders.csv")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.eml").write_bytes(message.as_bytes())


@pytest.fixture
def mail(tmp_path: Path) -> Path:
    return tmp_path / "mail"


@pytest.fixture
def client(tmp_path: Path) -> Client:
    return create_sandbox(Config.from_env({"DATA_DIR": str(tmp_path)})).test_client()


async def page(client: Client, address: str) -> str:
    response = await client.get(address)
    assert response.status_code == 200
    return await response.get_data(as_text=True)


async def test_an_empty_mailbox_says_what_to_do(client: Client) -> None:
    assert "No message yet" in await page(client, "/mailbox")


async def test_messages_are_listed_newest_first(client: Client, mail: Path) -> None:
    write(mail, "20261102T100000-a", subject="First")
    write(mail, "20261102T110000-b", subject="Second & last")
    shown = await page(client, "/mailbox")
    assert shown.index("Second &amp; last") < shown.index("First")


async def test_a_message_written_later_appears(client: Client, mail: Path) -> None:
    write(mail, "1", subject="First")
    await page(client, "/mailbox")
    write(mail, "2", subject="Second")
    assert "Second" in await page(client, "/mailbox")


async def test_the_list_is_searched_by_recipient(client: Client, mail: Path) -> None:
    write(mail, "1", to="ann@school.test", subject="For Ann")
    write(mail, "2", to="bob@school.test", subject="For Bob")
    shown = await page(client, "/mailbox?to=ANN@")
    assert "For Ann" in shown
    assert "For Bob" not in shown
    assert "No message to “cleo”" in await page(client, "/mailbox?to=cleo")


async def test_a_long_list_goes_on_to_older_messages(client: Client, mail: Path) -> None:
    for number in range(60):
        write(mail, f"{number:03}", subject=f"Number {number}.")
    assert "before=010" in await page(client, "/mailbox")
    older = await page(client, "/mailbox?before=010")
    assert "Number 9." in older
    assert "Number 10." not in older


async def test_html_is_shown_in_a_frame_that_runs_nothing(client: Client, mail: Path) -> None:
    write(mail, "1", html="<p>Hi</p><script>alert(1)</script>")
    assert 'sandbox="allow-popups' in await page(client, "/mailbox/messages/1")
    body = await client.get("/mailbox/messages/1/body.html")
    policy = body.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "allow-scripts" not in policy
    assert "sandbox " in policy
    assert (await body.get_data(as_text=True)).startswith('<base target="_top">')


async def test_the_text_has_clickable_links_and_nothing_else(client: Client, mail: Path) -> None:
    write(mail, "1", text="Open http://127.0.0.1:8000/verify/abc. <b>Now</b>")
    shown = await page(client, "/mailbox/messages/1?view=text")
    assert '<a href="http://127.0.0.1:8000/verify/abc">' in shown
    assert "&lt;b&gt;Now" in shown


async def test_a_message_without_html_shows_its_text(client: Client, mail: Path) -> None:
    write(mail, "1", html="", text="Only words")
    shown = await page(client, "/mailbox/messages/1")
    assert "Only words" in shown
    assert "<iframe" not in shown


async def test_headers_and_source_are_shown(client: Client, mail: Path) -> None:
    write(mail, "1")
    assert "From: Meridian" in await page(client, "/mailbox/messages/1?view=headers")
    assert "multipart/alternative" in await page(client, "/mailbox/messages/1/source")


async def test_an_attachment_is_downloaded(client: Client, mail: Path) -> None:
    write(mail, "1", attached="a,b\n")
    assert "orders.csv" in await page(client, "/mailbox/messages/1")
    response = await client.get("/mailbox/messages/1/attachments/0")
    assert "attachment" in response.headers["Content-Disposition"]
    assert await response.get_data() == b"a,b\n"
    assert (await client.get("/mailbox/messages/1/attachments/1")).status_code == 404


@pytest.mark.parametrize("id", ["missing", "..", "%2e%2e%2fsecret", ".hidden"])
async def test_no_file_outside_the_folder_is_read(client: Client, mail: Path, tmp_path: Path, id: str) -> None:
    write(mail, "1")
    write(tmp_path, "secret")
    assert (await client.get(f"/mailbox/messages/{id}")).status_code == 404


async def test_deleting_all_empties_the_mailbox(client: Client, mail: Path) -> None:
    write(mail, "1")
    response = await client.post("/mailbox/deletions")
    assert (response.status_code, response.headers["Location"]) == (303, "/mailbox")
    assert "No message yet" in await page(client, "/mailbox")


async def test_another_site_cannot_delete(client: Client, mail: Path) -> None:
    write(mail, "1", subject="Still here")
    response = await client.post("/mailbox/deletions", headers={"Sec-Fetch-Site": "cross-site"})
    assert response.status_code == 403
    assert "Still here" in await page(client, "/mailbox")


async def test_messages_are_given_as_json(client: Client, mail: Path) -> None:
    write(mail, "1", to="ann@school.test")
    write(mail, "2", to="bob@school.test", subject="Grüße")
    (message,) = await (await client.get("/mailbox/messages.json?to=bob@school.test")).get_json()
    assert message["subject"] == "Grüße"
    assert message["at"] == "2026-11-02T10:00:00+00:00"
    assert message["links"] == ["http://127.0.0.1:8000/verify/abc"]
    assert "<a href" in message["html"]


async def test_the_index_links_to_the_mailbox(client: Client) -> None:
    assert 'href="/mailbox"' in await page(client, "/")
