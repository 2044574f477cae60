"""The mailbox of the tests, and how a person fills in the forms."""

import re
from dataclasses import dataclass
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, cast

import pytest
from quart import Response
from quart.typing import TestClientProtocol

from app import Lectern
from app.accounts import hashing, queries
from app.core import clock, db, queue
from app.web.traps import opened_stamp
from tests.cast import PASSWORD, Cast, Person


class Mailbox:
    """What the embedded mailer has delivered in this test, oldest first."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for path in folder.glob("*.eml"):
            path.unlink()

    async def all(self, to: str = "") -> list[EmailMessage]:
        """Let the worker's jobs run, then read what is there."""
        await queue.drain()
        found = [
            cast(EmailMessage, message_from_bytes(path.read_bytes(), policy=policy.default))
            for path in sorted(self._folder.glob("*.eml"))
        ]
        return [mail for mail in found if to in mail["To"]]

    async def last(self, to: str) -> EmailMessage:
        return (await self.all(to))[-1]

    async def link(self, to: str) -> str:
        """The path of the link in the newest mail to this address."""
        text = text_of(await self.last(to))
        found = re.search(r"http://localhost(/(?:verify|password/reset|login/link|privacy/keep)/\S+)", text)
        assert found, text
        return found[1]


def text_of(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def an_old_stamp() -> str:
    """That of a form which was open for a while."""
    with clock.shifted(timedelta(seconds=-20)):
        return opened_stamp()


@dataclass
class Browser:
    """A person at a browser: posts forms as a page of ours would."""

    client: TestClientProtocol

    async def get(self, path: str, **headers: str) -> Response:
        return cast(Response, await self.client.get(path, headers=headers))

    async def post(self, path: str, headers: dict[str, str] | None = None, **form: Any) -> Response:
        if path in ("/password/forgot", "/login/link"):
            form = {"opened": an_old_stamp(), **form}
        return cast(Response, await self.client.post(path, form=form, headers=headers))

    async def text(self, path: str) -> str:
        return str(await (await self.get(path)).get_data(as_text=True))

    async def sign_in(self, email: str, password: str = PASSWORD, **form: Any) -> Response:
        return await self.post("/login", email=email, password=password, **form)

    async def register(self, name: str = "Ann Archer", email: str = "ann@example.org", **form: Any) -> Response:
        filled = {"name": name, "email": email, "password": PASSWORD, "opened": an_old_stamp(), "website": ""}
        return await self.post("/register", **{**filled, **form})

    @property
    def cookie(self) -> str | None:
        """The session cookie that this browser would send."""
        found: Any = getattr(self.client, "cookie_jar", None)
        assert found is not None
        return next((cookie.value for cookie in found if cookie.name == "session"), None)

    async def is_signed_in(self) -> bool:
        return (await self.get("/account/corner")).status_code == 200


@pytest.fixture
def browser(app: Lectern) -> Browser:
    return Browser(app.test_client())


@pytest.fixture
def other_browser(app: Lectern) -> Browser:
    return Browser(app.test_client())


@pytest.fixture
async def ann(cast: Cast) -> Person:
    """Ann, signed in, with a password."""
    person = await cast.ann()
    await queries.set_password(person.id, await hashing.hashed(PASSWORD))
    return person


async def body(answer: Response) -> str:
    return str(await answer.get_data(as_text=True))


async def count(table: str) -> int:
    return int(await db.value(f"SELECT count(*) FROM {table}"))
