"""Edit → the next anonymous request shows it: in this process, in another one, whoever made the edit."""

import asyncio
import contextlib
import io
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import urlencode

import asyncpg
import pytest
from quart.typing import TestClientProtocol
from werkzeug.datastructures import FileStorage

from app import Lectern, create_app
from app.config import Config
from app.core import db, settings
from app.courses import outlines
from app.web.page_cache import PageCache
from app.web.page_cache.marks import mark_of
from tests import google
from tests.cast import Cast, Person
from tests.courses.making import a_filled_course
from tests.courses.test_admin import details_of
from tests.everywhere import a_form
from tests.media import files as samples
from tests.school import a_course
from tests.web.kept import Entries, how, keeping, text, until

PAGES = (
    "/",
    "/courses",
    "/courses?sort=title",
    "/courses/reading-price",
    "/courses/reading-price/preview/four-numbers",
    "/courses/reading-price/preview/ranges",
    "/teachers/ines-ito",
    "/forms/ask-us",
    "/theme.css",
)


@pytest.fixture
async def other(app: Lectern, config: Config) -> AsyncIterator[PageCache]:
    """The cache of a second web process, with a listener of its own."""
    made = create_app(config)
    google.connect(config)  # which the application that was made now has taken over
    async with keeping(made) as cache:
        yield cache


async def drawn(cache: PageCache, path: str) -> tuple[int, str]:
    """What the framework answers now, past the cache."""
    path, _mark, query = path.partition("?")
    answer = await cache._ask(("http", "en", path, query.encode()))
    return answer.status, comparable(answer.status, answer.body.decode())


async def shown(app: Any, path: str) -> tuple[int, str]:
    """What a visitor gets."""
    answer = await app.test_client().get(path)
    return answer.status_code, comparable(answer.status_code, await answer.get_data(as_text=True))


def comparable(status: int, body: str) -> str:
    """Without what two drawings of one page differ in: signatures that hold the time, and the number of an error."""
    return re.sub(r"token=[^\"&]+", "", body) if status == 200 else ""


async def all_drawn(cache: PageCache) -> list[tuple[int, str]]:
    return [await drawn(cache, path) for path in PAGES]


async def all_shown(app: Any) -> list[tuple[int, str]]:
    return [await shown(app, path) for path in PAGES]


class Office:
    """Olga and Ines at work on a course, one verb after the other."""

    def __init__(self, olga: Person, ines: Person, course: Any) -> None:
        self.olga, self.ines, self.course = olga, ines, course
        self.home = f"/admin/courses/{course.public_id}"
        self.posted: list[str] = []

    async def post(self, address: str, *, by: Person | None = None, **sent: Any) -> None:
        self.posted.append(address)
        answer = await (by or self.olga).browser.post(address, **sent)
        assert answer.status_code == 303, (address, answer.status_code, await answer.get_data(as_text=True))

    async def change(self, address: str, *, by: Person | None = None, to: str = "", **fields: str) -> None:
        """Send a form back as it was shown, with some fields changed."""
        form = await details_of((by or self.olga).browser, address)
        await self.post(to or address, by=by, form={**form, **fields})

    async def lesson(self, title: str) -> str:
        found: str = await db.value("SELECT public_id FROM lessons WHERE title = :title", title=title)
        return f"{self.home}/lessons/{found}"

    async def section(self, title: str) -> str:
        found: str = await db.value("SELECT public_id FROM sections WHERE title = :title", title=title)
        return f"{self.home}/sections/{found}"

    async def upload(self, address: str, content: bytes, name: str, field: str = "file") -> None:
        await self.post(address, files={field: FileStorage(io.BytesIO(content), filename=name)})


# A course begins as a draft, an empty section and a draft of a lesson are not shown, and a restored file or section
# is written by the statements that wrote it before.
CHANGE_NO_PAGE = {
    *("create_course", "create_section", "create_lesson", "show_draft", "create_picture", "create_section_removal"),
    *("create_section_restoration", "create_file_restoration", "create_course_picture_restoration"),
}

Step = tuple[str, Callable[[Office], Awaitable[None]]]


async def publish_lesson_free(office: Office, title: str) -> None:
    await office.change(await office.lesson(title), is_preview="y", published="y", slug=title.lower().replace(" ", "-"))


async def rename_section(office: Office) -> None:
    await office.post(await office.section("Levels"), form={"title": "Lines and levels"})


async def write_a_lesson(office: Office) -> None:
    await office.change(
        await office.lesson("Four numbers"), body_markdown="Other **words**.", is_preview="y", published="y"
    )


def rows_of(order: list[str]) -> dict[str, Any]:
    """A dragged order as a browser sends it."""
    form = urlencode([("row", each) for each in order])
    return {"data": form, "headers": {"Content-Type": "application/x-www-form-urlencoded"}}


async def move_to_front(office: Office) -> None:
    outline = await outlines.of(office.course.id, published_only=False)
    rows = [lesson.public_id for lesson in outline.sections[0].lessons][::-1]
    await office.post(f"{office.home}/sections/{outline.sections[0].public_id}/lesson-order", **rows_of(rows))


async def order_sections(office: Office) -> None:
    outline = await outlines.of(office.course.id, published_only=False)
    rows = [section.public_id for section in outline.sections][::-1]
    await office.post(f"{office.home}/section-order", **rows_of(rows))


STEPS: tuple[Step, ...] = (
    ("price", lambda o: o.post(f"{o.home}/price", form={"price": "249", "currency": "EUR"})),
    ("publication", lambda o: o.post(f"{o.home}/publication")),
    ("free lesson", lambda o: publish_lesson_free(o, "Four numbers")),
    ("free film", lambda o: publish_lesson_free(o, "Ranges")),
    ("title", lambda o: o.change(f"{o.home}/details", title="Reading Prices")),
    ("topic", lambda o: o.change(f"{o.home}/details", new_topic="Charts")),
    ("level", lambda o: o.change(f"{o.home}/details", level="advanced", promise="Another promise.")),
    ("plate", lambda o: o.change(f"{o.home}/details", plate="", plate_ground="ink")),
    ("new price", lambda o: o.post(f"{o.home}/price", form={"price": "99", "currency": "EUR"})),
    ("free of charge", lambda o: o.post(f"{o.home}/price", form={"price": "0", "currency": "EUR"})),
    ("sale ends", lambda o: o.post(f"{o.home}/sale/end")),
    ("sale begins", lambda o: o.post(f"{o.home}/sale")),
    ("section title", rename_section),
    ("section place", lambda o: _at_section(o, "Lines and levels", "/place", direction="up")),
    ("section order", order_sections),
    ("lesson order", move_to_front),
    ("lesson place", lambda o: _at_lesson(o, "Four numbers", "/place", direction="up")),
    ("lesson text", write_a_lesson),
    ("new poster", lambda o: _upload_to(o, "Ranges", "poster", samples.picture(), "a.png")),
    ("new captions", lambda o: _upload_to(o, "Ranges", "captions", samples.CAPTIONS.encode(), "a.vtt")),
    ("new film", lambda o: _upload_to(o, "Ranges", "video", samples.webm(None), "b.webm")),
    ("length of a film", lambda o: _at_lesson(o, "Ranges", "/length", length="18:10")),
    ("captions away", lambda o: _at_lesson(o, "Ranges", "/files/captions/removal")),
    ("course picture", lambda o: o.upload(f"{o.home}/picture", samples.picture(), "c.png")),
    ("picture away", lambda o: o.post(f"{o.home}/picture/removal")),
    ("lesson withdrawn", lambda o: _at_lesson(o, "Where stops gather", "/withdrawal")),
    ("lesson published", lambda o: _at_lesson(o, "Where stops gather", "/publication")),
    ("lesson removed", lambda o: _at_lesson(o, "Where stops gather", "/removal", confirmation="Where stops gather")),
    ("teacher", lambda o: o.change("/account", to="/account/profile", by=o.ines, name="Ines Ito", headline="Draws.")),
    ("biography", lambda o: o.change("/account", to="/account/profile", by=o.ines, biography="She waits.")),
    ("school", lambda o: o.change("/admin/settings", name="Parallel", home_title="Look again", hue="200")),
    ("tax", lambda o: o.change("/admin/settings", tax_percent="7", legal_line="Parallel Ltd")),
    ("logo", lambda o: o.upload("/admin/settings/logo", samples.picture(), "logo.png", "logo")),
    ("logo away", lambda o: o.post("/admin/settings/logo/removal")),
    ("withdrawal", lambda o: o.post(f"{o.home}/withdrawal")),
    ("publication again", lambda o: o.post(f"{o.home}/publication")),
    ("form published", lambda o: _at_form(o, "publication")),
    ("form closed", lambda o: _at_form(o, "state", state="closed")),
    ("archival", lambda o: o.post(f"{o.home}/archival")),
    ("restoration", lambda o: o.post(f"{o.home}/restoration")),
)


async def _upload_to(office: Office, lesson: str, role: str, content: bytes, name: str) -> None:
    await office.upload(f"{await office.lesson(lesson)}/{role}", content, name)


async def _at_lesson(office: Office, lesson: str, what: str, **fields: str) -> None:
    await office.post((await office.lesson(lesson)) + what, form=fields)


async def _at_section(office: Office, section: str, what: str, **fields: str) -> None:
    await office.post((await office.section(section)) + what, form=fields)


async def _at_form(office: Office, what: str, **fields: str) -> None:
    await office.post(f"/admin/forms/{await db.value('SELECT public_id FROM forms')}/{what}", form=fields)


async def an_office(cast: Cast) -> Office:
    olga, ines = await cast.olga(), await cast.ines()
    await a_form(ines.id, "ask-us")
    # What is sold out stands on the page as well.
    options = [{"value": "first", "label": "First", "stock": 5}]
    evening = {"id": "q3", "kind": "radio", "label": "Which evening?", "settings": {"options": options}}
    await db.run(
        "UPDATE form_versions SET definition = jsonb_set(definition, '{fields}', (definition -> 'fields') || CAST(:field AS jsonb))",
        field=evening,
    )
    return Office(olga, ines, await a_filled_course(ines.id))


async def test_what_the_office_changes_is_shown_at_once_in_every_process(
    app: Lectern, cast: Cast, kept: PageCache, other: PageCache
) -> None:
    office = await an_office(cast)
    idle: list[str] = []
    for name, step in STEPS:
        # Kept in both processes, then changed through the first.
        before = await all_shown(app)
        await all_shown(other._app)
        await step(office)
        now = await all_shown(app)
        assert now == await all_drawn(kept), name
        if now == before:
            idle.append(name)
        assert await all_shown(other._app) == now, name
    # The first price is of a draft; any other verb that changes no page would prove nothing here.
    assert idle == ["price"]
    # And no verb that could change one was forgotten.
    match = app.url_map.bind("localhost").match
    walked = {match(address, "POST")[0] for address in office.posted}
    verbs = {
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if "POST" in (rule.methods or set())
        and re.match(
            r"/admin/(courses|settings)|/account/profile|/admin/forms/<public_id>/(publication|state)", rule.rule
        )
        and rule.endpoint.rpartition(".")[2] not in CHANGE_NO_PAGE
    }
    assert walked == verbs


async def test_without_the_announcements_old_pages_would_be_shown(
    app: Lectern, cast: Cast, kept: PageCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = await an_office(cast)
    for _name, step in STEPS[:3]:
        await step(office)
    await all_shown(app)
    assert await kept.listener.heard_all(2)
    await all_shown(app)
    monkeypatch.setattr(kept, "changed", lambda table: None)
    monkeypatch.setattr(kept.listener, "_changed", lambda table: None)
    await STEPS[4][1](office)
    assert await all_shown(app) != await all_drawn(kept)


@pytest.mark.parametrize("waits", [True, False], ids=["", "negative control"])
async def test_an_editor_gets_the_answer_when_every_process_has_heard(
    cast: Cast, kept: PageCache, other: PageCache, monkeypatch: pytest.MonkeyPatch, waits: bool
) -> None:
    office = await an_office(cast)
    for _name, step in STEPS[:4]:
        await step(office)
    heard: list[str] = []
    answer = other.listener._answer

    async def answer_late(channel: str, number: str) -> None:
        await asyncio.sleep(0.1)
        heard.append(number)
        await answer(channel, number)

    async def at_once(within: float) -> None:
        return None

    monkeypatch.setattr(other.listener, "_answer", answer_late)
    if not waits:
        monkeypatch.setattr(kept.listener, "heard_everywhere", at_once)
    await STEPS[4][1](office)
    assert bool(heard) == waits


async def test_an_edit_by_hand_is_shown_too(client: TestClientProtocol, config: Config, kept: PageCache) -> None:
    await a_course()
    await kept.listener.heard_all(2)
    await text(client, "/courses/reading-price")
    psql = await asyncpg.connect(config.database_url.reveal())
    await psql.execute("UPDATE courses SET title = 'By hand'")
    await psql.execute("""UPDATE settings SET value = value || '{"name": "By hand too"}' WHERE name = 'school'""")
    await psql.close()
    await kept.listener.heard_all(2)
    assert "By hand" in (body := await text(client, "/courses/reading-price"))
    assert "By hand too" in body


async def test_what_is_not_committed_changes_nothing(client: TestClientProtocol, kept: PageCache) -> None:
    await a_course()
    await kept.listener.heard_all(2)
    await text(client, "/courses/reading-price")
    with contextlib.suppress(ZeroDivisionError):
        async with db.transaction():
            await db.run("UPDATE courses SET title = 'Never'")
            raise ZeroDivisionError
    await kept.listener.heard_all(2)
    assert await how(client, "/courses/reading-price") == "hit"


async def test_every_table_behind_a_kept_page_announces_each_kind_of_change(
    app: Lectern, client: TestClientProtocol, cast: Cast, kept: PageCache
) -> None:
    office = await an_office(cast)
    for _name, step in STEPS[:4]:
        await step(office)
    read: set[str] = set()
    for path in PAGES:
        with db.count_queries() as count:
            await client.get(path, headers={"Authorization": "drawn each time"})
        read |= count.tables | {table for text in count.statements for table in kept._relations.read_by(text)}
    assert read == {
        "forms",
        "form_versions",
        "form_trials",
        "form_stock",
        "settings",
        "uploads",
        "topics",
        "courses",
        "sections",
        "lessons",
        "products",
        "prices",
        "users",
    }
    events = await db.many(
        db.Row,
        """
        SELECT event_object_table AS name, string_agg(DISTINCT event_manipulation, ' ' ORDER BY event_manipulation) AS kinds
        FROM information_schema.triggers WHERE action_statement LIKE '%announce_change%' GROUP BY event_object_table
        """,
    )
    assert {row.name: row.kinds for row in events if row.name != "users"} == dict.fromkeys(
        read - {"users"}, "DELETE INSERT UPDATE"
    )
    emptied = await db.many(
        db.Row,
        """
        SELECT DISTINCT c.relname AS name FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
        JOIN pg_proc p ON p.oid = t.tgfoid WHERE p.proname = 'announce_change' AND t.tgtype & 32 <> 0
        """,
    )
    assert {row.name for row in emptied} == read
    # Nobody is shown before a course names them; a course that loses its teacher says so itself.
    assert {row.kinds for row in events if row.name == "users"} == {"UPDATE"}


async def test_a_page_that_reads_a_silent_table_is_not_kept(
    app: Lectern, client: TestClientProtocol, kept: PageCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = app.view_functions["catalogue.list_courses"]

    async def curious() -> Any:
        await db.value("SELECT count(*) FROM orders")
        return await view()

    curious.guard, curious.cached = view.guard, mark_of(view)  # type: ignore[attr-defined]
    monkeypatch.setitem(app.view_functions, "catalogue.list_courses", curious)
    await text(client, "/courses")
    assert not kept.is_kept("/courses")


async def test_ordinary_traffic_leaves_pages_alone(client: TestClientProtocol, cast: Cast, kept: PageCache) -> None:
    ines = await cast.ines()
    course = await a_course(instructor_id=ines.id, price=0)
    await kept.listener.heard_all(2)
    for path in ("/", "/courses/reading-price", "/teachers/ines-ito"):
        await text(client, path)
    ann = await cast.ann()
    await ann.browser.post("/cart/items", form={"product": course.slug})
    assert (await ann.browser.get(f"/learn/{course.slug}/lesson-1")).status_code == 200
    await ann.browser.post(f"/learn/{course.slug}/lesson-1/completion")
    await db.run("UPDATE users SET last_seen_at = now(), password_hash = 'x', email_verified_at = now()")
    await ann.browser.post("/logout")
    assert await kept.listener.heard_all(2)
    for path in ("/", "/courses/reading-price", "/teachers/ines-ito"):
        assert await how(client, path) == "hit", path


@pytest.mark.parametrize("guarded", [True, False])
async def test_a_page_that_was_being_drawn_during_an_edit_is_not_kept(
    app: Lectern, client: TestClientProtocol, kept: PageCache, monkeypatch: pytest.MonkeyPatch, guarded: bool
) -> None:
    await a_course()
    await kept.listener.heard_all(2)
    inner, drawn_already, go_on = kept._inner, asyncio.Event(), asyncio.Event()

    async def dawdle(*request: Any) -> None:
        await inner(*request)
        drawn_already.set()
        await go_on.wait()

    monkeypatch.setattr(kept, "_inner", dawdle)
    slow = asyncio.create_task(text(client, "/courses/reading-price"))
    await drawn_already.wait()
    await db.run("UPDATE courses SET title = 'Edited meanwhile'")
    await kept.listener.heard_all(2)
    if not guarded:
        kept._changed_at.clear()
    # Who asks after the edit does not wait for what was begun before it.
    monkeypatch.setattr(kept, "_inner", inner)
    if guarded:
        assert "Edited meanwhile" in await text(app.test_client(), "/courses/reading-price")
    go_on.set()
    assert "Edited meanwhile" not in await slow
    assert ("Edited meanwhile" in await text(client, "/courses/reading-price")) is guarded


async def test_with_a_broken_listener_nothing_old_is_shown(
    client: TestClientProtocol, config: Config, kept: PageCache, entries: Entries
) -> None:
    await a_course()
    await kept.listener.heard_all(2)
    await text(client, "/courses/reading-price")
    assert kept.is_kept("/courses/reading-price")
    psql = await asyncpg.connect(config.database_url.reveal())
    await psql.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_notify($1%' AND pid <> pg_backend_pid()"
    )
    await until(lambda: not kept.listener.is_live)
    assert not kept.is_kept("/courses/reading-price")
    await psql.execute("UPDATE courses SET title = 'While it was deaf'")
    await psql.close()
    assert "While it was deaf" in await text(client, "/courses/reading-price")
    await until(lambda: kept.listener.is_live)
    assert "While it was deaf" in await text(client, "/courses/reading-price")
    assert await how(client, "/courses/reading-price") == "hit"


async def test_a_listener_that_gets_no_answer_is_given_up(kept: PageCache, client: TestClientProtocol) -> None:
    await text(client, "/courses")
    # The line is cut without a word: nothing that is said arrives any more.
    kept.listener._hear_echo = lambda *heard: None  # type: ignore[method-assign]
    try:
        connection = kept.listener._connection
        assert connection is not None
        await connection.reset_query_listeners() if hasattr(connection, "reset_query_listeners") else None
        connection._listeners.clear()
        await until(lambda: not kept.is_kept("/courses"), seconds=6)
    finally:
        del kept.listener._hear_echo  # type: ignore[attr-defined]
    await until(lambda: kept.listener.is_live, seconds=6)


async def test_settings_read_before_a_change_are_not_kept_after_it(
    client: TestClientProtocol, kept: PageCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    await settings.forget_copy()
    value, seen = db.value, asyncio.Event()
    go_on = asyncio.Event()

    async def slow(sql: str, **binds: Any) -> Any:
        found = await value(sql, **binds)
        seen.set()
        await go_on.wait()
        return found

    monkeypatch.setattr(db, "value", slow)
    reading = asyncio.create_task(settings.school())
    await seen.wait()
    monkeypatch.setattr(db, "value", value)
    await db.run("""UPDATE settings SET value = value || '{"name": "Newer"}' WHERE name = 'school'""")
    await kept.listener.heard_all(2)
    go_on.set()
    assert (await reading).name == "Meridian"
    assert (await settings.school()).name == "Newer"
