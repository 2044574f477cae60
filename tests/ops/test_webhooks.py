from app import Lectern
from app.core import db, queue, webhooks
from app.ops.models import HIDDEN, without_secrets
from tests.cast import Cast
from tests.office import a_delivery, seen

handled: list[int] = []


@webhooks.handles("bank")
@queue.job(attempts=1)
async def handle_bank_event(webhook_id: int) -> None:
    """Counts what it is asked to handle."""
    delivery = await webhooks.load(webhook_id)
    if delivery.state == "received":
        handled.append(webhook_id)
        await webhooks.mark(webhook_id, "handled")


async def test_a_delivery_is_shown_as_it_came(cast: Cast) -> None:
    olga = await cast.olga()
    await a_delivery()
    listed = await seen(olga, "/admin/webhooks?state=failed")
    assert "charge.refunded" in listed
    assert "/admin/webhooks/stripe/evt_1" in listed
    page = await seen(olga, "/admin/webhooks/stripe/evt_1")
    assert "&#34;amount&#34;: 24900" in page
    assert "&lt;b&gt;" in page
    assert "KeyError" in page


async def test_deliveries_are_found_by_their_kind_or_a_part_of_it(cast: Cast) -> None:
    olga = await cast.olga()
    await a_delivery()
    for words in ("charge.refunded", "refunded", "charge"):
        assert "/admin/webhooks/stripe/evt_1" in await seen(olga, f"/admin/webhooks?q={words}"), words
    assert "/admin/webhooks/stripe/evt_1" not in await seen(olga, "/admin/webhooks?q=checkout")


async def test_replaying_twice_handles_it_once(cast: Cast, unhurried: None) -> None:
    olga = await cast.olga()
    handled.clear()
    webhook_id = await a_delivery(provider="bank")
    for _again in range(2):
        answer = await olga.browser.post("/admin/webhooks/bank/evt_1/replays")
        assert answer.status_code == 303
        assert answer.headers["Location"] == "/admin/webhooks/bank/evt_1"
    await queue.drain()
    assert handled == [webhook_id]
    page = await seen(olga, "/admin/webhooks/bank/evt_1")
    assert "Handled" in page
    assert await db.value("SELECT count(*) FROM audit_log WHERE action = 'webhook.replay'") == 2


async def test_a_delivery_that_nobody_handles_is_left_as_it_is(cast: Cast) -> None:
    olga = await cast.olga()
    await a_delivery(provider="unknown")
    await olga.browser.post("/admin/webhooks/unknown/evt_1/replays")
    assert "Nothing in the school handles deliveries of unknown." in await seen(olga, "/admin/webhooks/unknown/evt_1")
    assert await db.value("SELECT state FROM webhook_events") == "failed"


async def test_support_cannot_replay(cast: Cast) -> None:
    sam = await cast.sam()
    await a_delivery(provider="bank")
    assert "Replay" not in await seen(sam, "/admin/webhooks/bank/evt_1")
    assert (await sam.browser.post("/admin/webhooks/bank/evt_1/replays")).status_code == 403


async def test_an_unknown_delivery_is_not_found(cast: Cast) -> None:
    olga = await cast.olga()
    await seen(olga, "/admin/webhooks/stripe/evt_none", 404)
    assert (await olga.browser.post("/admin/webhooks/stripe/evt_none/replays")).status_code == 404


async def test_the_page_costs_at_most_five_queries(cast: Cast) -> None:
    olga = await cast.olga()
    await a_delivery()
    with db.count_queries() as count:
        await seen(olga, "/admin/webhooks/stripe/evt_1")
    assert count.total <= 5, count.statements


def test_secrets_are_hidden_however_deep() -> None:
    given = {"a": [{"client_secret": "pi_secret", "amount": 1}], "token": None, "Authorization": "Bearer x"}
    assert without_secrets(given) == {
        "a": [{"client_secret": HIDDEN, "amount": 1}],
        "token": None,
        "Authorization": HIDDEN,
    }


async def test_what_is_replayed_forgets_how_it_failed_and_its_own_failed_job(cast: Cast, unhurried: None) -> None:
    olga = await cast.olga()
    one, other = await a_delivery(provider="bank"), await a_delivery(provider="bank", event_id="evt_2")
    for webhook_id in (one, other):
        await queue.enqueue(handle_bank_event, webhook_id=webhook_id)
    await db.run("UPDATE pgqueuer SET status = 'failed'")
    for _again in range(2):
        await olga.browser.post("/admin/webhooks/bank/evt_1/replays")
    rows = await db.many(db.Row, "SELECT state, error IS NULL AS is_clear FROM webhook_events ORDER BY id")
    assert [(row.state, row.is_clear) for row in rows] == [("received", True), ("failed", False)]
    jobs = await db.many(
        db.Row,
        """
        SELECT CAST(status AS text) AS status, CAST(convert_from(payload, 'UTF8') AS jsonb) -> 'webhook_id' AS webhook
        FROM pgqueuer ORDER BY id
        """,
    )
    assert [(job.status, job.webhook) for job in jobs] == [("failed", other), ("queued", one)]


async def test_a_delivery_that_comes_twice_is_kept_and_handled_once(app: Lectern) -> None:
    handled.clear()
    assert await webhooks.store("bank", "evt_1", "paid", {"n": 1})
    assert not await webhooks.store("bank", "evt_1", "paid", {"n": 2})
    await queue.drain()
    assert len(handled) == 1
    assert await db.value("SELECT payload FROM webhook_events") == {"n": 1}
    assert await db.value("SELECT state FROM webhook_events") == "handled"
