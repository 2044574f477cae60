"""The list of learners has words, names and addresses of its own, which are always those of the people."""

import asyncio
from dataclasses import replace

from app import Lectern
from app.admin.queries import LEARNERS
from app.core import clock, db, migrations
from app.web import tables
from tests.cast import Cast
from tests.meeting import until_it_waits


async def learns(user_id: int, days_ago: int = 0) -> None:
    day = "INSERT INTO learner_days SELECT CAST(:day AS date) - CAST(:days AS int), :id"
    await db.run(day, day=clock.now().date(), days=days_ago, id=user_id)


async def found_by(text: str) -> list[str]:
    table = await tables.load(LEARNERS, "/admin/learners", {"q": text})
    return [row.email for row in table.rows]


async def strays() -> int:
    """Learners whose words, name or address are not those of the person."""
    return await db.value(
        """
        SELECT count(*) FROM learners l JOIN users u ON u.id = l.user_id
        WHERE (l.words, l.name, l.email) IS DISTINCT FROM (u.words, u.name, u.email)
        """
    )


async def test_who_begins_to_learn_and_who_changes_name_or_address_is_found(cast: Cast) -> None:
    ann, bob = await cast.ann(), await cast.bob()
    await learns(ann.id)
    await learns(bob.id)
    first = (await db.value("SELECT name FROM users WHERE id = :id", id=ann.id)).split()[0]
    assert await found_by(first) == [ann.email]
    await db.run("UPDATE users SET name = 'Zora Quist' WHERE id = :id", id=ann.id)
    assert (await found_by("quist"), await found_by("zo"), await found_by("zora qui")) == ([ann.email],) * 3
    await db.run("UPDATE users SET email = 'other@example.net' WHERE id = :id", id=ann.id)
    assert await found_by("other") == ["other@example.net"]
    assert await found_by(first) == []
    # The same words, differently written.
    await db.run("UPDATE users SET name = 'ZORA Quist' WHERE id = :id", id=ann.id)
    assert (await tables.load(LEARNERS, "/admin/learners", {"q": "zora"})).rows[0].name == "ZORA Quist"
    # Another day changes the days alone.
    await learns(ann.id, 3)
    assert await found_by("quist") == ["other@example.net"]
    assert await db.value("SELECT days FROM learners WHERE user_id = :id", id=ann.id) == 2
    assert await strays() == 0


async def begins_during_a_change_of_name(user_id: int) -> bool:
    """Somebody begins to learn while a change of name is under way; whether the one waited for the other."""
    changed, may_end = asyncio.Event(), asyncio.Event()

    async def rename() -> None:
        async with db.hold(), db.transaction():
            await db.run("UPDATE users SET name = 'Zora Quist' WHERE id = :id", id=user_id)
            changed.set()
            await may_end.wait()

    async def begin() -> None:
        async with db.hold():
            await learns(user_id)

    renaming = asyncio.create_task(rename())
    await changed.wait()
    beginning = asyncio.create_task(begin())
    waits = await until_it_waits(beginning)
    may_end.set()
    await asyncio.gather(renaming, beginning)
    return waits


async def test_a_name_that_changes_while_somebody_begins_to_learn_is_known(cast: Cast) -> None:
    ann = await cast.ann()
    assert await begins_during_a_change_of_name(ann.id)
    assert await found_by("quist") == [ann.email]
    assert await strays() == 0


async def test_without_the_lock_the_old_name_would_stay(cast: Cast) -> None:
    ann = await cast.ann()
    guarded = await db.value("SELECT pg_get_functiondef(CAST('learner_begins' AS regproc))")
    assert " FOR SHARE" in guarded
    await db.script(guarded.replace(" FOR SHARE", ""))
    try:
        assert not await begins_during_a_change_of_name(ann.id)
    finally:
        await db.script(guarded)
    assert await strays() == 1


async def test_who_learned_before_there_were_words_gets_them(cast: Cast) -> None:
    for person in (await cast.ann(), await cast.bob(), await cast.ines()):
        await learns(person.id)
    await db.run("UPDATE learners SET words = '', name = '', email = ''")
    assert await strays() == 3
    for migration in migrations.load():
        if migration.name.startswith(("0065", "0069")):
            for statement in migrations.statements(migration.sql):
                if statement.startswith("UPDATE"):
                    await db.script(statement)
    assert await strays() == 0


async def test_learners_are_sorted_by_the_names_and_addresses_of_the_people(cast: Cast) -> None:
    for name, address in (("bea", "z@example.org"), ("Abel", "y@example.org"), ("Cleo", "X@example.org")):
        await learns((await cast.person(name, address)).id)
    for column, sorted_names in (("name", ["Abel", "bea", "Cleo"]), ("email", ["Cleo", "Abel", "bea"])):
        up = await tables.load(LEARNERS, "/admin/learners", {"sort": column})
        down = await tables.load(LEARNERS, "/admin/learners", {"sort": f"-{column}", "q": "example"})
        assert [row.name for row in up.rows] == sorted_names
        assert [row.name for row in down.rows] == sorted_names[::-1]


async def test_without_the_triggers_the_words_would_be_old(cast: Cast) -> None:
    ann = await cast.ann()
    await learns(ann.id)
    async with db.transaction():
        await db.script("ALTER TABLE users DISABLE TRIGGER users_words_of_learner")
        await db.run("UPDATE users SET name = 'Zora Quist' WHERE id = :id", id=ann.id)
        await db.script("ALTER TABLE users ENABLE TRIGGER users_words_of_learner")
    assert await strays() == 1
    assert await found_by("quist") == []


async def a_busy_month() -> None:
    """1,300 people learned on five days in a row, a few months ago; some again later, two of these on the day before."""
    await db.script("""
        INSERT INTO users (public_id, email, name, role, state, created_at)
        SELECT 'u' || n, 'p' || n || '@example.org', 'Person ' || n, 'member', 'active', now() FROM generate_series(1, 1400) n;
        INSERT INTO learner_days SELECT DATE '2026-03-10' + day, u.id FROM users u, generate_series(1, 5) day
        WHERE CAST(substr(u.public_id, 2) AS int) <= 1300;
        INSERT INTO learner_days SELECT DATE '2026-06-01', id FROM users WHERE public_id IN ('u7', 'u70', 'u1390', 'u1400');
        INSERT INTO learner_days SELECT DATE '2026-03-10', id FROM users WHERE public_id IN ('u7', 'u1390');
    """)


RANGES = [
    ("2026-03-10", "2026-03-10"), ("2026-03-11", "2026-03-11"), ("2026-03-10", "2026-03-15"), ("2026-03-01", "2026-05-31"),
    ("2026-03-16", "2026-06-30"), ("2026-06-01", ""), ("", "2026-03-10"), ("2026-07-01", "2026-07-31"), ("", "2026-03-09"),
]  # fmt: skip


async def test_who_learned_within_some_days_is_listed_however_many_days_these_are(app: Lectern) -> None:
    await a_busy_month()
    sql = """SELECT DISTINCT u.email FROM learner_days d JOIN users u ON u.id = d.user_id
             WHERE d.on_date BETWEEN CAST(CAST(:first AS text) AS date) AND CAST(CAST(:last AS text) AS date)"""
    for first, last in RANGES:
        found = await db.many(db.Row, sql, first=first or "1970-01-01", last=last or "2200-12-31")
        for sort in ("", "name", "-days"):
            asked = {"from": first, "to": last, "sort": sort}
            listed = (await tables.load(replace(LEARNERS, page_size=2_000), "/admin/learners", asked)).rows
            assert sorted(row.email for row in listed) == sorted(row.email for row in found), asked
            if sort == "":
                assert [row.last_on for row in listed] == sorted((row.last_on for row in listed), reverse=True)
            page = await tables.load(LEARNERS, "/admin/learners", asked)
            assert len(page.rows) == min(len(found), 40), asked
            # Where all that fit stand here, the list says so, however many it looked at.
            assert page.sentence.startswith(f"{len(found)} in all") == (0 < len(found) <= 40), asked


async def test_who_needs_no_look_at_the_days_is_counted_before_the_others(app: Lectern) -> None:
    await a_busy_month()
    await db.script("""
        INSERT INTO users (public_id, email, name, role, state, created_at)
        SELECT 'v' || n, 'v' || n || '@example.org', 'Later ' || n, 'member', 'active', now() FROM generate_series(1, 1100) n;
        INSERT INTO learner_days SELECT DATE '2026-06-02', id FROM users WHERE public_id LIKE 'v%';
        INSERT INTO learner_days SELECT DATE '2026-02-01' + n % 2, id FROM users, generate_series(1, 2) n
        WHERE public_id LIKE 'v%' AND CAST(substr(public_id, 2) AS int) <= 70;
    """)
    for asked, sentence in (
        # Of 1,300, all but two last learned then; newer than they are 1,104, who are not looked at.
        ({"from": "2026-03-11", "to": "2026-03-20"}, "40 of more than 1,000"),
        # Nobody last learned then: the newest are asked, and may go on.
        ({"from": "2026-02-01", "to": "2026-02-02"}, "40 of more than"),
        # Four of June and 1,100 a day later, of whom none needs a look.
        ({"from": "2026-06-01", "to": "2026-06-02"}, "40 of more than 1,000"),
        ({"from": "2026-06-01", "to": "2026-06-01"}, "4 in all"),
    ):
        page = await tables.load(LEARNERS, "/admin/learners", asked)
        assert page.sentence.startswith(sentence), (asked, page.sentence)


async def test_those_who_need_a_look_are_counted_with_those_who_do_not(app: Lectern) -> None:
    """Seventy learned on that day: twenty for the last time, fifty once more later, with ninety who did not then."""
    await db.script("""
        INSERT INTO users (public_id, email, name, role, state, created_at)
        SELECT 'w' || n, 'w' || n || '@example.org', 'Person ' || n, 'member', 'active', now() FROM generate_series(1, 160) n;
        INSERT INTO learner_days SELECT DATE '2026-03-10', id FROM users WHERE CAST(substr(public_id, 2) AS int) <= 70;
        INSERT INTO learner_days SELECT DATE '2026-04-10', id FROM users WHERE CAST(substr(public_id, 2) AS int) > 20;
    """)
    for sort in ("", "name", "-days"):
        asked = {"from": "2026-03-10", "to": "2026-03-10", "sort": sort}
        page = await tables.load(LEARNERS, "/admin/learners", asked)
        assert page.sentence.startswith("40 of 70"), page.sentence
