"""What the tables of forms hold about a person, one statement a function."""

from collections.abc import AsyncIterator, Sequence

from app.core import db

_OF = "(e.user_id = :id OR (e.email <> '' AND lower(e.email) = ANY(CAST(:addresses AS text[]))))"


def entries_of(user_id: int, addresses: Sequence[str]) -> AsyncIterator[db.Row]:
    """What somebody answered, with what it was asked in. Anybody can type their address: what another account sent is not
    theirs, nor is from where it came when nobody was signed in."""
    return db.stream(
        db.Row,
        f"""
        SELECT f.title, v.definition, e.answers, e.email, e.state, e.created_at,
               CASE WHEN e.user_id = :id THEN e.address ELSE '' END AS address,
               CASE WHEN e.user_id = :id THEN e.user_agent ELSE '' END AS user_agent
        FROM form_entries e JOIN forms f ON f.id = e.form_id JOIN form_versions v ON v.id = e.version_id
        WHERE {_OF} AND coalesce(e.user_id, :id) = :id ORDER BY e.id
        """,  # noqa: S608 (a constant)
        id=user_id,
        addresses=[address.lower() for address in addresses],
    )


async def names_in_titles(names: Sequence[str]) -> list[str]:
    """Which of these stand in the title of a form."""
    rows = await db.many(
        db.Row,
        """
        SELECT asked.word FROM unnest(CAST(:names AS text[])) asked (word)
        WHERE EXISTS (SELECT FROM forms f WHERE strpos(lower(f.title), lower(asked.word)) > 0)
        """,
        names=list(names),
    )
    return [row.word for row in rows]


async def delete_entries(user_id: int, addresses: Sequence[str]) -> None:
    await db.run(
        f"DELETE FROM form_entries e WHERE {_OF}",  # noqa: S608 (a constant)
        id=user_id,
        addresses=[address.lower() for address in addresses],
    )


async def delete_drafts(user_id: int, addresses: Sequence[str]) -> None:
    await db.run(
        f"DELETE FROM form_drafts e WHERE {_OF}",  # noqa: S608 (a constant)
        id=user_id,
        addresses=[address.lower() for address in addresses],
    )


async def forget_acts(user_id: int) -> None:
    """What somebody of the team wrote beside entries stays, by nobody who is named; which columns they chose goes."""
    await db.run("UPDATE form_entry_acts SET made_by = NULL WHERE made_by = :id", id=user_id)
    await db.run("DELETE FROM form_columns WHERE user_id = :id", id=user_id)


async def move(gone_id: int, kept_id: int) -> int:
    """What one account made and answered is the other's; how many entries."""
    await db.run("UPDATE forms SET created_by = :kept WHERE created_by = :gone", gone=gone_id, kept=kept_id)
    await db.run("UPDATE form_versions SET made_by = :kept WHERE made_by = :gone", gone=gone_id, kept=kept_id)
    await db.run("UPDATE form_links SET made_by = :kept WHERE made_by = :gone", gone=gone_id, kept=kept_id)
    await db.run("UPDATE form_entry_acts SET made_by = :kept WHERE made_by = :gone", gone=gone_id, kept=kept_id)
    await db.run("UPDATE form_connections SET created_by = :kept WHERE created_by = :gone", gone=gone_id, kept=kept_id)
    await db.run("UPDATE form_drafts SET user_id = :kept WHERE user_id = :gone", gone=gone_id, kept=kept_id)
    return await db.run("UPDATE form_entries SET user_id = :kept WHERE user_id = :gone", gone=gone_id, kept=kept_id)


async def count_entries(user_id: int) -> int:
    return int(await db.value("SELECT count(*) FROM form_entries WHERE user_id = :id", id=user_id))
