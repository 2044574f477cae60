import json

from app import Lectern
from app.config import Config
from app.core import db
from app.demo import seed


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
    people = json.loads((config.data_dir / "demo.json").read_text())
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
