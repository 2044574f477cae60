"""Every address of the application, with things behind it that are there."""

import re
from io import BytesIO
from urllib.parse import quote

import orjson
from werkzeug.routing import Rule

from app import Lectern
from app.core import audit, db, tokens
from app.core.ids import public_id
from app.media import shelf
from tests.cast import Cast
from tests.office import a_failed_job, a_failed_mail, an_order
from tests.school import a_course


def routes(app: Lectern, method: str) -> list[Rule]:
    """The rules that take this method."""
    return [rule for rule in app.url_map.iter_rules() if method in (rule.methods or set())]


async def one_of_everything(app: Lectern, *, instructor_id: int | None = None) -> dict[str, str]:
    """Makes a course, Pat with an order, a mail, a failed job and so on; what to put into the places of addresses."""
    course = await a_course(instructor_id=instructor_id)
    pat = await Cast(app).person("Pat Pohl", "pat@example.org")
    job = await a_failed_job()
    await a_failed_mail()
    await db.run(
        """
        INSERT INTO webhook_events (provider, event_id, type, payload, state, received_at)
        VALUES ('stripe', 'evt_1', 'charge.refunded', '{"id": "evt_1"}', 'failed', now())
        """
    )
    look = await db.value(
        """
        INSERT INTO impersonations (public_id, actor_id, subject_id, reason, started_at, ends_at, ended_at, visits)
        VALUES ('a-look', :id, :id, 'To see what is wrong', now(), now(), now(), 1) RETURNING id
        """,
        id=pat.id,
    )
    await db.run(
        """
        INSERT INTO impersonation_visits (impersonation_id, method, path, query, created_at)
        VALUES (:look, 'GET', '/learn', 'q=x', now())
        """,
        look=look,
    )
    await db.run(
        """
        INSERT INTO personal_exports (public_id, user_id, state, storage_key, size_bytes, created_at, ready_at, expires_at)
        VALUES ('an-export', :id, 'ready', 'exports/none.zip', 1, now() - interval '2 days', now(), now() + interval '1 day')
        """,
        id=pat.id,
    )
    imported = await an_import(app)
    async with db.transaction():
        await audit.record("course.test", "course", course.public_id)
    tag, note = await _a_tag_and_a_note(pat.id)
    return {
        "public_id": course.public_id,
        "slug": course.slug,
        "course_slug": course.slug,
        "lesson_slug": "lesson-1",
        "lesson_id": await db.value("SELECT public_id FROM lessons ORDER BY id LIMIT 1"),
        "section_id": await db.value("SELECT public_id FROM sections ORDER BY id LIMIT 1"),
        "/orders": await an_order(user_id=pat.id),
        "/people": pat.public_id,
        "/impersonations": "a-look",
        "/exports": "an-export",
        "import_id": imported,
        "/forms": await a_form(pat.id, course.slug),
        "/connections": await a_connection(),
        "integration_id": "i1",
        "delivery_id": await a_delivery(),
        "field_id": "q1",
        "row_id": "n1",
        "rule_id": "r1",
        "number": "1",
        "file_id": "a-file",
        "entry_id": "an-entry",
        "link_id": "a-link",
        "/views": await _a_view(pat.id),
        "/bulk": await _a_run(pat.id),
        "list_name": "people",
        "tag_id": tag,
        "note_id": note,
        "/mails": await db.value("SELECT public_id FROM mails LIMIT 1"),
        "/passkeys": "none",  # whoever has one is asked for a second step
        "job_id": str(job),
        "provider": "stripe",
        "event_id": "evt_1",
        "role": "video",
        "domain": "accounts",
        "name": "welcome",
        "file_name": "a.png",
        "token": "token",
        "token_id": "none",
        "entitlement_id": "none",
        "act_id": str(await db.value("SELECT max(id) FROM audit_log")),
        "kind": "course",
        "subject_id": course.public_id,
        "key": await Cast(app).role("assistant", ["admin.enter", "courses.view"]),
    }


async def an_import(app: Lectern) -> str:
    """A list of people that was tried; its public id. Its file is as it would lie in the storage."""
    content, import_id = b"Email,Name\nnia@example.org,Nia\n", public_id()
    key = f"import/{import_id}.csv"
    await shelf.storage().put(key, BytesIO(content), content_type="text/csv")
    await db.run(
        """
        INSERT INTO imports (public_id, kind, state, file_name, storage_key, size_bytes, encoding, delimiter, header,
                             samples, row_count, mapping, options, attempt, counts, created_by, created_at, moved_at)
        VALUES (:id, 'people', 'checked', 'list.csv', :key, :size, 'utf-8', ',', '{Email,Name}',
                '[["nia@example.org", "Nia"]]', 1, '{email,name}', '{"existing": "skip"}', 1, '{"new": 1}',
                (SELECT min(id) FROM users WHERE role = 'owner'), now(), now())
        """,
        id=import_id,
        key=key,
        size=len(content),
    )
    return import_id


async def _a_tag_and_a_note(person_id: int) -> tuple[str, str]:
    tag, note = public_id(), public_id()
    tag_id = await db.value(
        "INSERT INTO tags (public_id, name, created_at) VALUES (:id, 'Press', now()) RETURNING id", id=tag
    )
    await db.run("INSERT INTO user_tags (user_id, tag_id) VALUES (:user, :tag)", user=person_id, tag=tag_id)
    await db.run(
        """
        INSERT INTO person_notes (public_id, user_id, author_id, body, created_at)
        SELECT :id, :user, id, 'Wrote to us', now() FROM users WHERE role = 'owner' LIMIT 1
        """,
        id=note,
        user=person_id,
    )
    return tag, note


async def a_form(person_id: int, slug: str) -> str:
    """An open form with one question, edited since, which this person has answered; its public id."""
    definition = {"title": "Ask us", "fields": [{"id": "q1", "kind": "short_text", "label": "Your name"}], "last": 1}
    rule = {"id": "r1", "do": "require", "targets": ["q1"], "when": {"field": "q2", "is": "not_empty"}}
    definition["fields"].append({"id": "q2", "kind": "short_text", "label": "Your school"})
    definition |= {"rules": [rule]}
    definition |= {"notifications": [{"id": f"n{n}", "name": "Mail", "to": "owner", "body": "{all}"} for n in (1, 2)]}
    found = public_id()
    await db.run(
        """
        WITH form AS (
            INSERT INTO forms (public_id, slug, title, created_by, created_at, updated_at)
            SELECT :id, :slug, 'Ask us', min(id), now(), now() FROM users WHERE role = 'owner' RETURNING id)
        INSERT INTO form_versions (form_id, number, definition, made_at, published_at)
        SELECT id, 1, CAST(:definition AS jsonb), now(), now() FROM form
        """,
        id=found,
        slug=slug,
        definition=definition,
    )
    await db.run(
        """
        WITH first AS (SELECT max(id) AS id, max(form_id) AS form_id FROM form_versions),
             second AS (INSERT INTO form_versions (form_id, number, parent_id, definition, words, made_at)
                        SELECT form_id, 2, id, CAST(:definition AS jsonb), 'Changed', now() FROM first RETURNING id, form_id),
             entry AS (INSERT INTO form_entries (public_id, form_id, version_id, state, answers, said, user_id, created_at)
                       SELECT 'an-entry', form_id, id, 'received', '{"q1": "Pat"}', 'Pat', :user, now() FROM first)
        UPDATE forms SET head_id = second.id, live_id = first.id, state = 'open' FROM first, second
        WHERE forms.id = second.form_id
        """,
        definition={**definition, "intro": "Write to us", "integrations": [SENDING]},
        user=person_id,
    )
    await db.run(
        "INSERT INTO form_links (public_id, form_id, is_single, made_at) SELECT 'a-link', max(id), true, now() FROM forms"
    )
    await db.run(
        """
        INSERT INTO form_entry_files (public_id, form_id, field_id, entry_id, storage_key, file_name, content_type,
                                      size_bytes, checksum, created_at)
        SELECT 'a-file', form_id, 'q1', id, 'form/a-file.txt', 'a.txt', 'text/plain', 5, '', now() FROM form_entries
        """
    )
    return found


SENDING = {"id": "i1", "connection": "a-connection", "list": "", "map": {}, "tags": []}


async def a_connection() -> str:
    """A webhook whose address nobody may call: what asks it is refused before anything leaves."""
    settings = orjson.dumps({"url": "https://hooks.internal/in", "secret": "whs_0123456789abcdef"})
    await db.run(
        """
        INSERT INTO form_connections (public_id, provider, name, account, sealed, checked_at, created_at, updated_at)
        VALUES ('a-connection', 'webhook', 'Our hook', '', :sealed, now(), now(), now())
        """,
        sealed=tokens.seal(settings, "form connection a-connection"),
    )
    return "a-connection"


async def a_delivery() -> str:
    """What was held of the entry that there is; its id."""
    return str(
        await db.value(
            """
            INSERT INTO form_deliveries (entry_id, integration_id, connection_id, state, error, attempts, next_at, created_at)
            SELECT e.id, 'i1', c.id, 'held', 'No', 1, now(), now() FROM form_entries e, form_connections c RETURNING id
            """
        )
    )


async def _a_view(person_id: int) -> str:
    """A view that the team shares; the owner's, where there is one."""
    found = public_id()
    await db.run(
        """
        INSERT INTO saved_views (public_id, list, path, query, name, owner_id, is_shared, created_at)
        SELECT :id, 'people', '/admin/people', 'role=member', 'Members',
               coalesce((SELECT id FROM users WHERE role = 'owner' LIMIT 1), :user), true, now()
        """,
        id=found,
        user=person_id,
    )
    return found


async def _a_run(person_id: int) -> str:
    """An act on one person that the owner has chosen and not begun."""
    found = public_id()
    await db.run(
        """
        WITH run AS (
            INSERT INTO bulk_runs (public_id, list, act, actor_id, came_from, total, created_at)
            SELECT :id, 'people', 'suspend', coalesce((SELECT id FROM users WHERE role = 'owner' LIMIT 1), 0),
                   '/admin/people', 1, now() RETURNING id)
        INSERT INTO bulk_items (run_id, subject_id) SELECT id, :user FROM run
        """,
        id=found,
        user=person_id,
    )
    return found


# Below these an address is filled with the id of one of theirs; all other `public_id`s are the course's.
KINDS = (
    "/orders",
    "/people",
    "/mails",
    "/views",
    "/bulk",
    "/passkeys",
    "/impersonations",
    "/exports",
    "/forms",
    "/connections",
)


def address(rule: str, places: dict[str, str], **instead: str) -> str:
    """The address of a rule with things that are there, or with `instead` at a place."""
    kind = next((kind for kind in KINDS if f"{kind}/<public_id>" in rule), "public_id")
    values = {**places, "public_id": places[kind], **instead}

    def fill(match: re.Match[str]) -> str:
        return quoted(values[match[1].rpartition(":")[2]])

    return re.sub(r"<([^>]+)>", fill, rule)


def quoted(text: str) -> str:
    """The text for an address, lone surrogates too."""
    return quote(text.encode("utf-8", "surrogatepass"), safe="")
