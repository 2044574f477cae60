"""What accounts hold about a person, and how they are made nobody's."""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from app.accounts import erasures, merging, queries
from app.accounts.jobs import forget_export_bytes
from app.accounts.queries import consents, exports
from app.accounts.queries import erasures as rows
from app.accounts.queries import people as people_queries
from app.core import clock, db, personal, queue
from app.core.personal import Subject
from app.core.settings import school


@personal.exports("account")
async def account(subject: Subject) -> AsyncIterator[Mapping[str, Any]]:
    """Your account: name, address, what you say about yourself, what you turned on."""
    person = await queries.user_by_id(subject.id)
    if person is not None:
        yield {
            "id": person.public_id,
            "email": person.email,
            "name": person.name,
            "role": person.role,
            "state": person.state,
            "headline": person.headline,
            "biography": person.biography,
            "time_zone": person.time_zone,
            "has_password": person.has_password,
            "address_confirmed": person.email_verified_at,
            "made": person.created_at,
            "last_seen": person.last_seen_at,
        }


@personal.exports("devices")
async def devices(subject: Subject) -> AsyncIterator[Mapping[str, Any]]:
    """Where you are signed in, how and from which address."""
    async for row in db.stream(
        db.Row,
        """
        SELECT created_at, last_seen_at, expires_at, address, country, user_agent, method FROM sessions
        WHERE user_id = :id ORDER BY id
        """,
        id=subject.id,
    ):
        yield {
            "since": row.created_at,
            "last_seen": row.last_seen_at,
            "until": row.expires_at,
            "address": row.address,
            "country": row.country,
            "browser": row.user_agent,
            "by": row.method,
        }


@personal.exports("sign_in")
async def ways_in(subject: Subject) -> AsyncIterator[Mapping[str, Any]]:
    """How you can prove who you are: passkeys, accounts elsewhere, apps, tokens. Never the secrets themselves."""
    async for row in db.stream(
        db.Row,
        """
        SELECT 'passkey' AS kind, name, created_at, last_used_at FROM passkeys WHERE user_id = :id
        UNION ALL SELECT provider, email, created_at, last_used_at FROM identities WHERE user_id = :id
        UNION ALL SELECT 'authenticator app', '', created_at, NULL FROM mfa_secrets WHERE user_id = :id
        UNION ALL SELECT 'access token', name, created_at, last_used_at FROM access_tokens WHERE user_id = :id
        ORDER BY created_at
        """,
        id=subject.id,
    ):
        yield {"kind": row.kind, "name": row.name, "since": row.created_at, "last_used": row.last_used_at}


@personal.exports("addresses")
async def addresses(subject: Subject) -> AsyncIterator[Mapping[str, Any]]:
    """The addresses that you had before, and wished for."""
    async for row in db.stream(
        db.Row,
        "SELECT old_email, new_email, state, created_at FROM email_changes WHERE user_id = :id ORDER BY id",
        id=subject.id,
    ):
        yield {"old": row.old_email, "new": row.new_email, "state": row.state, "at": row.created_at}


@personal.knows("addresses")
async def former_addresses(subject: Subject) -> list[str]:
    """What the account was called before."""
    return await rows.former_addresses(subject.id)


@personal.shares("people")
async def namesakes(subject: Subject, names: Sequence[str]) -> list[str]:
    """Other people, roles and tags that are called so."""
    return await rows.shared_names(subject.id, names)


@personal.exports("consents")
async def agreed(subject: Subject) -> AsyncIterator[Mapping[str, Any]]:
    """What you agreed to and took back, when, and from which address."""
    async for row in db.stream(
        db.Row,
        "SELECT kind, wording, is_given, origin, address, created_at FROM consents WHERE user_id = :id ORDER BY id",
        id=subject.id,
    ):
        yield {
            "kind": row.kind,
            "wording": row.wording,
            "given": row.is_given,
            "where": row.origin,
            "address": row.address,
            "at": row.created_at,
        }


@personal.exports("notes")
async def notes(subject: Subject) -> AsyncIterator[Mapping[str, Any]]:
    """Notes of the office about you, and the tags that it gave you."""
    async for row in db.stream(
        db.Row,
        """
        SELECT 'note' AS kind, body AS text, created_at FROM person_notes WHERE user_id = :id
        UNION ALL SELECT 'tag', t.name, NULL FROM user_tags x JOIN tags t ON t.id = x.tag_id WHERE x.user_id = :id
        ORDER BY 3 NULLS LAST
        """,
        id=subject.id,
    ):
        yield {"kind": row.kind, "text": row.text, "at": row.created_at}


@personal.exports("looks")
async def looks(subject: Subject) -> AsyncIterator[Mapping[str, Any]]:
    """When somebody of the school looked at it as you, where the school tells that."""
    if not (await school()).show_impersonations:
        return
    async for row in db.stream(
        db.Row,
        "SELECT started_at, coalesce(ended_at, ends_at) AS over FROM impersonations WHERE subject_id = :id ORDER BY id",
        id=subject.id,
    ):
        yield {"from": row.started_at, "until": row.over}


@personal.erases(erasures.LAST)
async def forget(subject: Subject) -> None:
    """Every way in, every export, and what stands in the account. Its row stays, as nobody's."""
    await rows.forget_words(list(subject.words))
    for note in await rows.notes_with(list(subject.words)):
        await rows.rewrite_note(note.id, _without(note.body, subject.words))
    await people_queries.hold_tags_of([subject.id])
    # Held from here on: a note or a tag that is being written is there and goes, or finds the account closed.
    await queries.lock_users([subject.id])
    await _drop_exports(subject.id)
    await rows.forget_looks(subject.id)
    await rows.delete_proofs(subject.id)
    await rows.anonymise(
        subject.id, email=f"erased-{subject.public_id}@erased.invalid", name=str(erasures.NAME), now=clock.now()
    )


def _without(text: str, words: Sequence[str]) -> str:
    """A note about somebody else stays, but for the name."""
    for word in words:
        text = re.sub(re.escape(word), "[erased]", text, flags=re.IGNORECASE)
    return text


async def _drop_exports(user_id: int) -> None:
    for export in await exports.exports_of(user_id):
        await exports.delete_export(export.id)
        if export.storage_key:
            await queue.enqueue(forget_export_bytes, storage_key=export.storage_key)


async def _move(gone_id: int, kept_id: int) -> dict[str, int]:
    """What was agreed to goes along; files of exports go."""
    await _drop_exports(gone_id)
    return {"consents": await consents.move_consents(gone_id, kept_id)}


async def _preview(_gone_id: int, _kept_id: int) -> list[str]:
    return []


merging.register(merging.Step("privacy", preview=_preview, move=_move))
