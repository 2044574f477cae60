"""The people of the tests: Ann and Bob learn, Ines teaches, Sam supports, Rob administers, Olga owns."""

from dataclasses import dataclass
from datetime import timedelta

from quart.typing import TestClientProtocol

from app import Lectern
from app.core import clock, db, tokens
from app.core.ids import public_id

PASSWORD = "correct horse battery staple"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with an account and a browser that is signed in."""

    id: int
    public_id: str
    email: str
    name: str
    browser: TestClientProtocol


class Cast:
    """Makes the people a test asks for."""

    def __init__(self, app: Lectern) -> None:
        self._app = app

    async def ann(self) -> Person:
        return await self.person("Ann Archer", "ann@example.org")

    async def bob(self) -> Person:
        return await self.person("Bob Breuer", "bob@example.org")

    async def ines(self) -> Person:
        return await self.person("Ines Ito", "ines@meridian.example", role="instructor")

    async def sam(self) -> Person:
        return await self.person("Sam Sorel", "sam@meridian.example", role="support")

    async def rob(self) -> Person:
        return await self.person("Rob Rask", "rob@meridian.example", role="admin")

    async def olga(self) -> Person:
        return await self.person("Olga Oster", "olga@meridian.example", role="owner")

    async def person(self, name: str, email: str, *, role: str = "member", verified: bool = True) -> Person:
        """A new account with a signed-in browser."""
        now = clock.now()
        person_id = public_id()
        user_id = await db.value(
            """
            INSERT INTO users (public_id, email, name, role, email_verified_at, created_at)
            VALUES (:public_id, :email, :name, :role, :verified, :now) RETURNING id
            """,
            public_id=person_id,
            email=email,
            name=name,
            role=role,
            verified=now if verified else None,
            now=now,
        )
        browser = self._app.test_client()
        person = Person(user_id, person_id, email, name, browser)
        await self.sign_in(person)
        return person

    async def role(self, key: str, capabilities: list[str], name: str = "") -> str:
        """A role of the school; its key."""
        await db.run(
            """
            INSERT INTO roles (key, name, capabilities, created_at, updated_at)
            VALUES (:key, :name, CAST(:capabilities AS text[]), :now, :now)
            """,
            key=key,
            name=name or key.capitalize(),
            capabilities=capabilities,
            now=clock.now(),
        )
        return key

    async def sign_in(self, person: Person, *, fresh: bool = True) -> None:
        """Give the person's browser a new session without going through the form."""
        token, now = tokens.random_token(), clock.now()
        await db.run(
            """
            INSERT INTO sessions (public_id, token_hash, user_id, created_at, fresh_at, last_seen_at, expires_at,
                                  address, user_agent)
            VALUES (:public_id, :hash, :user_id, :now, :fresh_at, :now, :expires, '127.0.0.1', 'tests')
            """,
            public_id=public_id(),
            hash=tokens.hashed(token),
            user_id=person.id,
            now=now,
            fresh_at=now if fresh else now - timedelta(hours=3),
            expires=now + timedelta(days=1),
        )
        person.browser.set_cookie("localhost", "session", token)
