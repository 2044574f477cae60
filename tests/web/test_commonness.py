"""What is known of how common a word is, before it is searched for."""

import pytest

from app import Lectern
from app.accounts.queries import PEOPLE
from app.commerce.queries.lists import ORDERS
from app.core import db
from app.ops.queries import MAILS
from app.web.tables import Choice, commonness, state

KNOWN = commonness.Statistics(10_000, ["ann", "anna", "anne", "kern"], [0.1, 0.2, 0.3, 0.6])


READ = commonness._read


@pytest.fixture(autouse=True)
def asked_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commonness, "_read", READ)
    monkeypatch.setattr(commonness, "_known", {})


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("anna", 0.2), ("ANNA", 0.2), ("ann", 0.6), ("anne", 0.3), ("k", 0.6), ("kern anna", 0.12), ("anna kern", 0.12),
        ("annabel", 0), ("kerner", 0), ("zoe", 0), ("zoe anna", 0), ("aaa", 0),
    ],
)  # fmt: skip
def test_of_a_word_those_are_counted_that_it_begins(text: str, share: float) -> None:
    assert KNOWN.share(text) == pytest.approx(share)


def test_no_more_than_all_rows_have_a_word() -> None:
    assert commonness.Statistics(10, ["anna", "annb"], [0.7, 0.8]).share("ann") == 1


async def people(number: int) -> None:
    """Every tenth is an Anna."""
    await db.script(f"""
        INSERT INTO users (public_id, email, name, role, state, created_at)
        SELECT 'u' || n, 'p' || n || '@example.org', CASE WHEN n % 10 = 0 THEN 'Anna ' ELSE 'Person ' END || n, 'member',
               'active', now() FROM generate_series(1, {number}) n;
        ANALYZE users;
    """)


async def about(text: str) -> int:
    return await commonness.about(PEOPLE, state.read(PEOPLE, {"q": text}), None)


async def test_what_analyze_noted_is_known(app: Lectern) -> None:
    await people(12_000)
    assert 1_100 < await about("anna") < 1_300
    assert 10_000 < await about("Person EXAMPLE") < 11_500
    # One person has it; and so few that the index of words finds them as soon.
    assert await about("p77@example.org") == await about("zoe") == await about("") == 0


async def test_of_addresses_the_digits_at_the_end_of_words_do_not_count(app: Lectern) -> None:
    await db.script("""
        INSERT INTO mails (public_id, fact, recipient, template, context, state, attempts, created_at)
        SELECT 'm' || n, 'f' || n, CASE WHEN n % 10 = 0 THEN 'ann.bowen' ELSE 'p.' || n || '.' END || n || '@example.org',
               'accounts/verify_email', '{}', 'sent', 1, now() FROM generate_series(1, 12000) n;
        ANALYZE mails;
    """)
    asked = {
        text: await commonness.about(MAILS, state.read(MAILS, {"q": text}), None)
        for text in ("bowen", "bowen10", "zoe")
    }
    assert 1_100 < asked["bowen"] < 1_300
    assert asked["bowen10"] == asked["zoe"] == 0


async def test_what_not_many_have_is_not_common_however_small_the_school(app: Lectern) -> None:
    await people(1_000)
    assert await about("person") == await about("example") == 0


async def test_where_nothing_was_noted_nothing_is_common(app: Lectern) -> None:
    assert (await commonness.statistics("erasures", "words")).share("a") == 0
    assert (await commonness.statistics("no_such_table", "words")).share("a") == 0


async def test_it_is_read_once_in_ten_minutes(app: Lectern, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 5_000.0
    monkeypatch.setattr(commonness.time, "monotonic", lambda: now)
    with db.count_queries() as count:
        for _ in range(3):
            await about("anna")
        assert count.total == 1
        now += 599
        await about("anna")
        assert count.total == 1
        now += 2
        await about("anna")
        assert count.total == 2


async def test_what_else_is_chosen_decides_how_a_common_word_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    async def known(table: str, column: str) -> commonness.Statistics:
        return commonness.Statistics(200_000, ["bowen", "mulder"], [0.012, 0.007])

    monkeypatch.setattr(commonness, "statistics", known)
    course = Choice("c", "Course", "true", "SELECT o.* FROM orders o", indexed=False)

    async def orders(**asked: str) -> int:
        choices = {"product": [course]}
        return await commonness.about(ORDERS, state.read(ORDERS, asked, choices), choices)

    assert await orders(q="bowen") == await orders(q="bowen", state="paid") == 2_400
    # Failed orders have an index of their own words.
    assert await orders(q="bowen", state="failed") == 0
    # To walk to a page of so few would be longer; but those of a course are fewer still.
    assert await orders(q="mulder") == await orders(q="mulder", state="paid") == 0
    assert await orders(q="mulder", product="c") == 1_400
    # In the order of names none is walked to, and some of so many are sorted.
    assert await orders(q="mulder", sort="customer") == await orders(q="mulder", sort="-customer") == 1_400
    assert await orders(q="mulder", sort="total") == 0
