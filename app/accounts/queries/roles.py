"""The SQL of custom roles."""

from datetime import datetime

from app.accounts.models import Role
from app.core import db

COLUMNS = "id, key, name, description, capabilities, revision, created_at, updated_at"


async def roles() -> list[Role]:
    return await db.many(Role, f"SELECT {COLUMNS} FROM roles ORDER BY lower(name), id")  # noqa: S608


async def role(key: str) -> Role | None:
    return await db.one(Role, f"SELECT {COLUMNS} FROM roles WHERE key = :key", key=key)  # noqa: S608


async def holders() -> dict[str, int]:
    """How many people hold each role but the members', which are most of a school."""
    rows = await db.many(db.Row, "SELECT role, count(*) AS people FROM users WHERE role <> 'member' GROUP BY role")
    return {row.role: row.people for row in rows}


async def held_by(key: str) -> int:
    found: int = await db.value("SELECT count(*) FROM users WHERE role = :key AND role <> 'member'", key=key)
    return found


async def lock_roles(keys: list[str]) -> list[Role]:
    """These roles, held for a change, in one order."""
    return await db.many(
        Role,
        f"SELECT {COLUMNS} FROM roles WHERE key = ANY(CAST(:keys AS text[])) ORDER BY id FOR UPDATE",  # noqa: S608
        keys=keys,
    )


async def share_role(key: str) -> Role | None:
    """The role, kept from being changed or removed for the rest of the transaction."""
    return await db.one(Role, f"SELECT {COLUMNS} FROM roles WHERE key = :key FOR SHARE", key=key)  # noqa: S608


async def insert_role(*, key: str, name: str, description: str, capabilities: list[str], now: datetime) -> bool:
    """False when the key or the name is taken."""
    return bool(
        await db.run(
            """
            INSERT INTO roles (key, name, description, capabilities, created_at, updated_at)
            VALUES (:key, :name, :description, CAST(:capabilities AS text[]), :now, :now)
            ON CONFLICT DO NOTHING
            """,
            key=key,
            name=name,
            description=description,
            capabilities=capabilities,
            now=now,
        )
    )


async def is_name_taken(name: str, *, but: str) -> bool:
    return bool(
        await db.value(
            "SELECT EXISTS (SELECT 1 FROM roles WHERE lower(name) = lower(:name) AND key <> :but)", name=name, but=but
        )
    )


async def update_role(
    key: str, revision: int, *, name: str, description: str, capabilities: list[str], now: datetime
) -> bool:
    """False when somebody saved it since this revision."""
    return bool(
        await db.run(
            """
            UPDATE roles SET name = :name, description = :description, capabilities = CAST(:capabilities AS text[]),
                             revision = revision + 1, updated_at = :now
            WHERE key = :key AND revision = :revision
            """,
            key=key,
            revision=revision,
            name=name,
            description=description,
            capabilities=capabilities,
            now=now,
        )
    )


async def delete_role(key: str) -> bool:
    return bool(await db.run("DELETE FROM roles WHERE key = :key", key=key))


async def lock_holders(key: str, actor_id: int) -> None:
    """Hold everybody who holds this role, and who acts, in one order, before their sessions, as whoever ends those does."""
    await db.many(
        db.Row,
        """
        SELECT id FROM users WHERE (role = :key AND role <> 'member') OR id = :actor_id ORDER BY id FOR UPDATE
        """,
        key=key,
        actor_id=actor_id,
    )


async def move_holders(key: str, to: str) -> list[str]:
    """Give everybody who holds this role another one; their public ids."""
    rows = await db.many(
        db.Row,
        "UPDATE users SET role = :to WHERE role = :key AND role <> 'member' RETURNING public_id",
        key=key,
        to=to,
    )
    return [row.public_id for row in rows]


async def delete_sessions_of_holders(key: str) -> int:
    """Sign out everybody who holds this role."""
    return await db.run(
        "DELETE FROM sessions WHERE user_id IN (SELECT id FROM users WHERE role = :key AND role <> 'member')", key=key
    )
