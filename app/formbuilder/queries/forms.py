"""SQL about forms and their versions, one statement a function."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from app.core import db
from app.courses.models import slug_stem
from app.formbuilder.models import Form, Version

_FORM = """
SELECT f.id, f.public_id, f.slug, f.title, f.state, f.head_id, f.live_id, v.id AS version_id, v.number, v.definition,
       f.created_at, f.updated_at
FROM forms f JOIN form_versions v ON v.form_id = f.id
"""

# What is at an address: the form that has it now comes before one that had it.
_EVER_AT = """
f.id = (SELECT id FROM forms WHERE slug = :slug OR :slug = ANY(former_slugs) ORDER BY slug = :slug DESC, id DESC LIMIT 1)
"""
_AT = f"{_EVER_AT} AND f.state <> 'archived'"


async def form_by_public_id(public_id: str) -> Form | None:
    """With the version that the builder shows."""
    return await db.one(Form, f"{_FORM} AND v.id = f.head_id WHERE f.public_id = :id", id=public_id)


async def lock_form(form_id: int) -> Form | None:
    """The same, kept from others until the transaction ends."""
    await db.run("SELECT 1 FROM forms WHERE id = :id FOR NO KEY UPDATE", id=form_id)
    return await db.one(Form, f"{_FORM} AND v.id = f.head_id WHERE f.id = :id", id=form_id)


async def lock_forms_of(entry_ids: Sequence[int]) -> None:
    """Keep the forms of these entries from others until the transaction ends, in one order for everybody."""
    await db.run(
        """
        SELECT 1 FROM forms WHERE id IN (SELECT form_id FROM form_entries WHERE id = ANY(CAST(:ids AS bigint[])))
        ORDER BY id FOR NO KEY UPDATE
        """,
        ids=list(entry_ids),
    )


async def live_form(slug: str, *, archived: bool = False) -> Form | None:
    """The form at this address with the version that visitors answer; None for one that was never published, and, unless
    asked for, for an `archived` one.
    """
    return await db.one(Form, f"{_FORM} AND v.id = f.live_id WHERE {_EVER_AT if archived else _AT}", slug=slug)


async def was_at(form_id: int, slug: str) -> bool:
    """Whether a form is at this address, or was."""
    return bool(
        await db.value(
            "SELECT slug = :slug OR :slug = ANY(former_slugs) FROM forms WHERE id = :id", id=form_id, slug=slug
        )
    )


async def form_of_version(slug: str, number: int, *, archived: bool = False) -> Form | None:
    """The form at this address with a version that was published once: a page may be older than the form."""
    return await db.one(
        Form,
        f"{_FORM} AND v.number = :number WHERE {_EVER_AT if archived else _AT} AND v.published_at IS NOT NULL",
        slug=slug,
        number=number,
    )


async def newest_definitions(slug: str) -> list[Any]:
    """What visitors of the form at this address may have before them: what is live, and what was shortly before."""
    rows = await db.many(
        db.Row,
        f"""
        SELECT v.definition FROM forms f JOIN form_versions v ON v.form_id = f.id
        WHERE {_AT} AND v.published_at IS NOT NULL
        ORDER BY v.id = f.live_id DESC, v.published_at DESC LIMIT 4
        """,  # noqa: S608 (a constant)
        slug=slug,
    )
    return [row.definition for row in rows]


async def slugs_like(slug: str) -> set[str]:
    """The address and its numbered kin, as far as they are taken; until the transaction ends, nobody else who looks takes
    one.
    """
    await db.run("SELECT pg_advisory_xact_lock(hashtext('formbuilder.slug'), 0)")
    rows = await db.many(db.Row, "SELECT slug FROM forms WHERE starts_with(slug, :stem)", stem=slug_stem(slug))
    return {row.slug for row in rows}


async def insert_form(public_id: str, slug: str, title: str, by: int | None, now: datetime) -> int:
    form_id: int = await db.value(
        """
        INSERT INTO forms (public_id, slug, title, created_by, created_at, updated_at)
        VALUES (:public_id, :slug, :title, :by, :now, :now) RETURNING id
        """,
        public_id=public_id,
        slug=slug,
        title=title,
        by=by,
        now=now,
    )
    return form_id


async def insert_version(
    form_id: int,
    parent_id: int | None,
    definition: dict[str, Any],
    words: str,
    subject: str,
    by: int | None,
    now: datetime,
) -> int:
    """The next version; the form is locked, so nobody else takes its number. What it holds as `last` is never below that of
    the version before: what is restored may be from before a field was made, and its id is not to be used again."""
    version_id: int = await db.value(
        """
        INSERT INTO form_versions (form_id, number, parent_id, definition, words, subject, made_by, made_at)
        SELECT :form_id, 1 + coalesce(max(number), 0), CAST(:parent_id AS bigint), (
                   SELECT jsonb_set(given.it, '{last}', to_jsonb(greatest(
                       coalesce(CAST(given.it ->> 'last' AS bigint), 0),
                       (SELECT CAST(p.definition ->> 'last' AS bigint) FROM form_versions p WHERE p.id = CAST(:parent_id AS bigint)))))
                   FROM (SELECT CAST(:definition AS jsonb) AS it) given),
               CAST(:words AS text), CAST(:subject AS text), CAST(:by AS bigint), CAST(:now AS timestamptz)
        FROM form_versions WHERE form_id = :form_id RETURNING id
        """,
        form_id=form_id,
        parent_id=parent_id,
        definition=definition,
        words=words,
        subject=subject,
        by=by,
        now=now,
    )
    return version_id


async def amend_version(
    version_id: int, definition: dict[str, Any], *, subject: str, by: int | None, since: datetime, now: datetime
) -> bool:
    """Write into a version that the same person made of the same field since then, and that nothing came after."""
    return bool(
        await db.run(
            """
            UPDATE form_versions SET definition = CAST(:definition AS jsonb), made_at = :now
            WHERE id = :id AND subject = :subject AND subject <> '' AND made_by IS NOT DISTINCT FROM :by
              AND made_at > :since AND published_at IS NULL
              AND NOT EXISTS (SELECT 1 FROM form_versions c WHERE c.parent_id = :id)
            """,
            id=version_id,
            definition=definition,
            subject=subject,
            by=by,
            since=since,
            now=now,
        )
    )


async def set_head(form_id: int, version_id: int, title: str, now: datetime) -> None:
    """Let the builder show this version. What is undone takes `last` along, so that no id is used again: answers are kept by it."""
    await db.run(
        """
        WITH carried AS (
            UPDATE form_versions v SET definition = jsonb_set(v.definition, '{last}', h.definition -> 'last')
            FROM forms f JOIN form_versions h ON h.id = f.head_id
            WHERE f.id = :id AND v.id = :version_id
              AND CAST(h.definition ->> 'last' AS bigint) > CAST(v.definition ->> 'last' AS bigint))
        UPDATE forms SET head_id = :version_id, title = :title, updated_at = :now WHERE id = :id
        """,
        id=form_id,
        version_id=version_id,
        title=title,
        now=now,
    )


async def publish_head(form_id: int, now: datetime) -> None:
    """What the builder shows is what visitors answer from now on."""
    await db.run(
        """
        WITH f AS (UPDATE forms SET live_id = head_id, state = 'open', updated_at = :now WHERE id = :id RETURNING head_id)
        UPDATE form_versions v SET published_at = coalesce(v.published_at, :now) FROM f WHERE v.id = f.head_id
        """,
        id=form_id,
        now=now,
    )


async def set_state(form_id: int, state: str, before: list[str], now: datetime) -> bool:
    """Whether it was in one of the states before."""
    return bool(
        await db.run(
            "UPDATE forms SET state = :state, updated_at = :now WHERE id = :id AND state = ANY(CAST(:before AS text[]))",
            id=form_id,
            state=state,
            before=before,
            now=now,
        )
    )


async def set_slug(form_id: int, slug: str, now: datetime) -> None:
    await db.run(
        """
        UPDATE forms SET slug = :slug, former_slugs = array_append(array_remove(former_slugs, :slug), slug), updated_at = :now
        WHERE id = :id
        """,
        id=form_id,
        slug=slug,
        now=now,
    )


async def around(version_id: int) -> Version | None:
    """What undo and redo lead to from here: the parent, and the youngest child."""
    return await db.one(
        Version,
        """
        SELECT v.id, v.number, v.parent_id, v.words, v.made_at, v.published_at, u.name AS made_by,
               (SELECT c.id FROM form_versions c WHERE c.parent_id = v.id ORDER BY c.id DESC LIMIT 1) AS child_id
        FROM form_versions v LEFT JOIN users u ON u.id = v.made_by WHERE v.id = :id
        """,
        id=version_id,
    )


async def parent_of(form_id: int, number: int) -> int | None:
    """What a version was made from."""
    found: int | None = await db.value(
        "SELECT parent_id FROM form_versions WHERE form_id = :form_id AND number = :number",
        form_id=form_id,
        number=number,
    )
    return found


async def version(form_id: int, number: int) -> Form | None:
    """The form with one of its versions."""
    return await db.one(Form, f"{_FORM} AND v.number = :number WHERE f.id = :id", id=form_id, number=number)


async def versions(form_id: int, before: int | None, limit: int) -> list[Version]:
    """The newest versions, or the newest before a number."""
    return await db.many(
        Version,
        """
        SELECT v.id, v.number, v.parent_id, v.words, v.made_at, v.published_at, u.name AS made_by, NULL AS child_id
        FROM form_versions v LEFT JOIN users u ON u.id = v.made_by
        WHERE v.form_id = :form_id AND v.number < coalesce(CAST(:before AS integer), 2147483647)
        ORDER BY v.number DESC LIMIT :limit
        """,
        form_id=form_id,
        before=before,
        limit=limit,
    )


async def form_of_entry(form_id: str, entry_id: str) -> Form | None:
    """The form with the version that this entry of it answered."""
    return await db.one(
        Form,
        f"{_FORM} JOIN form_entries e ON e.version_id = v.id WHERE f.public_id = :form_id AND e.public_id = :entry_id",
        form_id=form_id,
        entry_id=entry_id,
    )


async def version_by_id(version_id: int) -> Form | None:
    """The form with this version."""
    return await db.one(Form, f"{_FORM} WHERE v.id = :id", id=version_id)


async def asked_now(form_id: int) -> Form | None:
    """The form with what visitors answer now, or what is being built when nobody does."""
    return await db.one(Form, f"{_FORM} AND v.id = coalesce(f.live_id, f.head_id) WHERE f.id = :id", id=form_id)
