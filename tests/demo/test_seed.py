import json
from typing import Any

import pytest

from app import Lectern
from app.admin import figures
from app.config import Config
from app.core import db, settings
from app.demo import seed, year


async def test_the_demo_school_is_written_once_and_adds_up(app: Lectern, config: Config) -> None:
    assert await seed.run(config, members=60)
    assert not await seed.run(config, members=60)
    counts = await db.one(
        db.Row,
        """
        SELECT (SELECT count(*) FROM users WHERE role = 'member') AS members,
               (SELECT count(*) FROM orders) AS orders,
               (SELECT count(*) FROM courses WHERE state = 'published') AS courses,
               (SELECT count(*) FROM lessons) AS lessons,
               (SELECT count(*) FROM uploads WHERE kind = 'video') AS films
        """,
    )
    assert counts is not None
    assert (counts.members, counts.orders, counts.films) == (60, 120, 2)
    assert counts.courses >= 4
    assert counts.lessons >= 20
    margins = await db.one(
        db.Row,
        """
        SELECT (SELECT count(*) FROM tags) AS tags, (SELECT count(*) FROM user_tags) AS tagged,
               (SELECT count(*) FROM person_notes WHERE author_id IS NOT NULL) AS notes,
               (SELECT count(*) FROM saved_views WHERE is_shared) AS views
        """,
    )
    assert margins is not None
    assert (margins.tags, margins.notes, margins.views) == (3, 4, 1)
    assert margins.tagged >= 12
    people = json.loads((config.data_dir / "demo.json").read_text("utf-8"))
    assert {"owner", "instructor", "member"} <= set(people)


async def test_every_paid_line_is_in_the_ledger_and_every_refund_closed_it(app: Lectern, config: Config) -> None:
    await seed.run(config, members=60)
    paid_without_access = await db.value(
        """
        SELECT count(*) FROM orders o JOIN order_items i ON i.order_id = o.id
        WHERE o.state = 'paid' AND NOT EXISTS (
            SELECT 1 FROM entitlements e WHERE e.user_id = o.user_id AND e.product_id = i.product_id
              AND e.source_ref LIKE 'order:' || o.public_id || ':%' AND e.closed_at IS NULL)
        """
    )
    assert paid_without_access == 0
    open_after_refund = await db.value(
        """
        SELECT count(*) FROM orders o JOIN entitlements e ON e.source_ref LIKE 'order:' || o.public_id || ':%'
        WHERE o.state = 'refunded' AND e.closed_at IS NULL
        """
    )
    assert open_after_refund == 0
    wrong_sums = await db.value(
        """
        SELECT count(*) FROM orders o WHERE o.total_minor <> (SELECT sum(amount_minor) FROM order_items WHERE order_id = o.id)
           OR o.tax_minor <> (SELECT sum(tax_minor) FROM order_items WHERE order_id = o.id)
        """
    )
    assert wrong_sums == 0


async def test_a_seed_that_was_killed_half_way_begins_again(app: Lectern, config: Config) -> None:
    await db.run("INSERT INTO topics (slug, name) VALUES ('risk', 'Risk')")
    assert await seed.run(config, members=5)
    assert await db.value("SELECT count(*) FROM topics WHERE slug = 'risk'") == 1


async def _indexes() -> set[str]:
    rows = await db.many(db.Row, "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'")
    return {row.indexdef for row in rows}


async def test_a_large_school_comes_in_parts_and_leaves_every_index_and_sum(
    app: Lectern, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, said = await _indexes(), []
    monkeypatch.setattr(seed, "_SMALL", 0)
    monkeypatch.setattr(seed, "_PART", 25)
    assert await seed.run(config, members=60, say=said.append)
    assert said == ["25 of 60 members", "50 of 60 members", "60 of 60 members", "making indexes"]
    assert await _indexes() == before
    wrong = await db.value(
        """
        SELECT count(*) FROM (SELECT user_id, max(on_date) AS last_on, count(*) AS days FROM learner_days GROUP BY 1) d
        FULL JOIN learners l USING (user_id) WHERE (l.last_on, l.days) IS DISTINCT FROM (d.last_on, d.days)
        """
    )
    assert wrong == 0
    resting = await db.value("SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal AND tgenabled = 'D'")
    assert resting == 0
    unmailed = await db.value(
        """
        SELECT count(*) FROM orders o WHERE paid_at IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM mails m WHERE m.fact = 'order:' || o.id || ':confirmation' AND m.state = 'sent')
        """
    )
    assert unmailed == 0
    unwritten = await db.value(
        """
        SELECT count(*) FROM enrolments n WHERE NOT EXISTS (
            SELECT 1 FROM entitlements e JOIN products p ON p.id = e.product_id
            WHERE e.user_id = n.user_id AND p.course_id = n.course_id)
           OR n.completed_count <> (SELECT count(*) FROM lesson_progress l WHERE l.user_id = n.user_id
                                    AND l.course_id = n.course_id AND l.completed_at IS NOT NULL)
        """
    )
    assert unwritten == 0


async def test_a_seed_that_is_cut_off_between_parts_leaves_no_member_and_every_index(
    app: Lectern, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, write, parts = await _indexes(), year.write, 0

    async def cut_off(*arguments: Any) -> None:
        nonlocal parts
        parts += 1
        if parts == 2:
            raise KeyboardInterrupt
        await write(*arguments)

    monkeypatch.setattr(seed, "_SMALL", 0)
    monkeypatch.setattr(seed, "_PART", 25)
    monkeypatch.setattr(year, "write", cut_off)
    with pytest.raises(KeyboardInterrupt):
        await seed.run(config, members=60)
    assert await db.value("SELECT count(*) FROM users WHERE role = 'member'") == 0
    assert await _indexes() == before
    monkeypatch.setattr(year, "write", write)
    assert await seed.run(config, members=60)


async def test_figures_of_the_empty_school_do_not_outlive_the_seed(app: Lectern, config: Config) -> None:
    await settings.save_school(time_zone="Europe/Tallinn")  # as the demo school has it
    await figures.write_down()
    assert await db.value("SELECT count(*) FROM day_figures") > 0
    assert await seed.run(config, members=30)
    written = await db.value("SELECT sum(orders) FROM day_figures")
    paid = await db.value("SELECT count(*) FROM orders WHERE paid_at < date_trunc('day', now())")
    assert written >= paid * 0.9 > 0  # all but those that came today in the school's own time
