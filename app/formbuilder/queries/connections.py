"""SQL about accounts of outside services, one statement a function."""

from datetime import datetime
from typing import Any

from app.core import db
from app.formbuilder.models import Connection

_CONNECTION = """
SELECT c.id, c.public_id, c.provider, c.name, c.account, c.sealed, c.state, c.paused_until, c.checked_at, c.created_at
FROM form_connections c
"""


async def insert_connection(values: dict[str, Any]) -> int | None:
    """Its key; None when another is called so."""
    found: int | None = await db.value(
        """
        INSERT INTO form_connections (public_id, provider, name, account, sealed, checked_at, created_by, created_at, updated_at)
        VALUES (:public_id, :provider, :name, :account, :sealed, :now, :by, :now, :now)
        ON CONFLICT (name) DO NOTHING RETURNING id
        """,
        **values,
    )
    return found


async def connection(public_id: str) -> Connection | None:
    return await db.one(Connection, f"{_CONNECTION} WHERE c.public_id = :id", id=public_id)


async def connection_by_id(connection_id: int) -> Connection | None:
    return await db.one(Connection, f"{_CONNECTION} WHERE c.id = :id", id=connection_id)


async def lock_connection(connection_id: int) -> Connection | None:
    """The same, kept from others until the transaction ends."""
    return await db.one(Connection, f"{_CONNECTION} WHERE c.id = :id FOR NO KEY UPDATE", id=connection_id)


async def connections() -> list[Connection]:
    return await db.many(Connection, f"{_CONNECTION} ORDER BY lower(c.name), c.id")


async def uses(public_id: str) -> list[db.Row]:
    """Forms that hand entries to this account, as they are built or as they are answered."""
    return await db.many(
        db.Row,
        """
        SELECT f.public_id, f.title, f.state FROM forms f
        WHERE EXISTS (SELECT 1 FROM form_versions v WHERE v.id IN (f.head_id, f.live_id)
                        AND v.definition -> 'integrations' @> CAST(:wanted AS jsonb))
        ORDER BY lower(f.title), f.id
        """,
        wanted=[{"connection": public_id}],
    )


async def with_uses(public_id: str) -> db.Row | None:
    """An account by its name, with the forms (`public_id`, `title`) that hand entries to it."""
    return await db.one(
        db.Row,
        """
        SELECT c.id, c.public_id, c.name,
               (SELECT coalesce(jsonb_agg(jsonb_build_object('public_id', f.public_id, 'title', f.title)
                                          ORDER BY lower(f.title), f.id), '[]') FROM forms f
                WHERE EXISTS (SELECT 1 FROM form_versions v WHERE v.id IN (f.head_id, f.live_id)
                                AND v.definition -> 'integrations' @> jsonb_build_array(
                                    jsonb_build_object('connection', c.public_id)))) AS uses
        FROM form_connections c WHERE c.public_id = :id
        """,
        id=public_id,
    )


async def held(connection_id: int) -> db.Row:
    """How many of its deliveries are `held` and `waiting`."""
    found = await db.one(
        db.Row,
        """
        SELECT count(*) FILTER (WHERE state = 'held') AS held, count(*) FILTER (WHERE state = 'waiting') AS waiting
        FROM form_deliveries WHERE connection_id = :id AND state IN ('held', 'waiting')
        """,
        id=connection_id,
    )
    assert found is not None
    return found


async def set_checked(connection_id: int, now: datetime) -> None:
    """Its credentials were good a moment ago."""
    await db.run(
        "UPDATE form_connections SET state = 'good', checked_at = :now, updated_at = :now WHERE id = :id",
        id=connection_id,
        now=now,
    )


async def set_credentials(connection_id: int, sealed: bytes, account: str, now: datetime) -> None:
    """New credentials that were found good."""
    await db.run(
        """
        UPDATE form_connections SET sealed = :sealed, account = :account, state = 'good', paused_until = NULL,
               checked_at = :now, updated_at = :now
        WHERE id = :id
        """,
        id=connection_id,
        sealed=sealed,
        account=account,
        now=now,
    )


async def set_sealed(connection_id: int, sealed: bytes, now: datetime) -> None:
    await db.run(
        "UPDATE form_connections SET sealed = :sealed, updated_at = :now WHERE id = :id",
        id=connection_id,
        sealed=sealed,
        now=now,
    )


async def is_called(name: str) -> bool:
    """Whether an account is called so."""
    return bool(await db.value("SELECT EXISTS (SELECT 1 FROM form_connections WHERE name = :name)", name=name))


async def set_name(connection_id: int, name: str, now: datetime) -> None:
    """Raises UniqueViolationError when another is called so."""
    await db.run(
        "UPDATE form_connections SET name = :name, updated_at = :now WHERE id = :id",
        id=connection_id,
        name=name,
        now=now,
    )


async def set_state(connection_id: int, state: str, now: datetime, *, sealed: bytes | None = None) -> bool:
    """False when it was so already, or has other settings by now than these."""
    return bool(
        await db.run(
            """
            UPDATE form_connections SET state = :state, updated_at = :now
            WHERE id = :id AND state <> :state AND sealed = coalesce(CAST(:sealed AS bytea), sealed)
            """,
            id=connection_id,
            state=state,
            now=now,
            sealed=sealed,
        )
    )


async def pause(connection_id: int, until: datetime) -> None:
    """Not to be asked before; the later of two counts."""
    await db.run(
        """
        UPDATE form_connections SET paused_until = :until
        WHERE id = :id AND (paused_until IS NULL OR paused_until < :until)
        """,
        id=connection_id,
        until=until,
    )


async def delete(connection_id: int) -> bool:
    return bool(await db.run("DELETE FROM form_connections WHERE id = :id", id=connection_id))
