import asyncio

import pytest
from itsdangerous import TimestampSigner
from quart.typing import TestClientProtocol

from app.core import audit, clock, db, mail, queue
from app.ops import backlog
from tests.cast import Cast
from tests.office import a_failed_job, seen

PAGES = (
    "/admin/jobs",
    "/admin/jobs/log",
    "/admin/jobs/schedules",
    "/admin/mails",
    "/admin/mails/templates",
    "/admin/mails/templates/accounts/welcome",
    "/admin/mails/templates/accounts/welcome/body.html",
    "/admin/webhooks",
    "/admin/audit",
)
runs: list[int] = []


@queue.job(attempts=1)
async def test_only_job(number: int) -> None:
    """Fails for 13."""
    runs.append(number)
    if number == 13:
        raise ValueError("thirteen brings no luck")


test_only_job.__test__ = False  # type: ignore[attr-defined]


async def status(job_id: int) -> str | None:
    found: str | None = await db.value("SELECT CAST(status AS text) FROM pgqueuer WHERE id = :id", id=job_id)
    return found


async def audited(action: str) -> int:
    found: int = await db.value("SELECT count(*) FROM audit_log WHERE action = :action", action=action)
    return found


async def test_a_stranger_is_asked_to_sign_in(client: TestClientProtocol) -> None:
    for path in PAGES:
        answer = await client.get(path)
        assert answer.status_code == 303
        assert answer.headers["Location"].startswith("/login")


async def test_members_and_teachers_are_refused(cast: Cast) -> None:
    for person in (await cast.ann(), await cast.ines()):
        for path in PAGES:
            await seen(person, path, 403)


async def test_support_reads_but_does_not_act(cast: Cast) -> None:
    sam, job_id = await cast.sam(), await a_failed_job()
    for path in PAGES[:-1]:
        await seen(sam, path)
    await seen(sam, "/admin/audit", 403)
    assert "Try again" not in await seen(sam, "/admin/jobs")
    for path in (f"/admin/jobs/{job_id}/retries", f"/admin/jobs/{job_id}/removal", "/admin/jobs/restorations/x"):
        assert (await sam.browser.post(path)).status_code == 403
    assert await status(job_id) == "failed"


async def test_a_job_that_gave_up_shows_why(cast: Cast) -> None:
    olga = await cast.olga()
    await queue.enqueue(test_only_job, number=13)
    await queue.drain()
    job_id = await db.value("SELECT id FROM pgqueuer WHERE status = 'failed'")
    listed = await seen(olga, "/admin/jobs?state=failed")
    assert "ValueError: thirteen brings no luck" in listed
    page = await seen(olga, f"/admin/jobs/{job_id}")
    assert "&#34;number&#34;: 13" in page
    assert "Traceback (most recent call last)" in page
    assert "ValueError: thirteen brings no luck" in await seen(olga, "/admin/jobs/log?state=failed")


async def test_the_list_of_mails_calls_them_by_words(cast: Cast) -> None:
    olga = await cast.olga()
    async with db.transaction():
        await mail.send("ann@example.org", "accounts/email_changed", {"name": "Ann"}, fact="said once")
    page = await seen(olga, "/admin/mails")
    assert ">Email change old</option>" in page
    assert ">Email changed</small>" in page
    assert "accounts/email_changed</small>" not in page


async def test_what_an_error_says_is_only_text(cast: Cast) -> None:
    olga, job_id = await cast.olga(), await a_failed_job()
    page = await seen(olga, f"/admin/jobs/{job_id}")
    assert "no such &lt;template&gt;" in page
    assert "<template>\n" not in page


async def test_retrying_twice_runs_it_once_more(cast: Cast) -> None:
    olga = await cast.olga()
    runs.clear()
    job_id = await a_failed_job("ops.test_only_job".replace("ops", "tests"), b'{"number": 5}')
    queue.registry["tests.test_only_job"] = queue.registry[queue.job_name(test_only_job)]
    first = await olga.browser.post(f"/admin/jobs/{job_id}/retries", form={"next": "/admin/jobs?state=failed"})
    assert first.status_code == 303
    assert first.headers["Location"] == "/admin/jobs?state=failed"
    second = await olga.browser.post(f"/admin/jobs/{job_id}/retries", form={"next": "//evil.example/"})
    assert second.headers["Location"] == "/admin/jobs"
    assert "not failed any more" in await seen(olga, "/admin/jobs")
    await queue.drain()
    assert runs == [5]
    assert await status(job_id) is None
    assert await audited("job.retry") == 1
    assert "It has left the queue" in await seen(olga, f"/admin/jobs/{job_id}")


async def test_a_job_is_not_retried_beside_the_same_work(cast: Cast) -> None:
    olga, job_id = await cast.olga(), await a_failed_job()
    await db.run("UPDATE pgqueuer SET dedupe_key = 'the same' WHERE id = :id", id=job_id)
    await db.run(
        "INSERT INTO pgqueuer (priority, status, entrypoint, dedupe_key) VALUES (0, 'queued', 'other', 'the same')"
    )
    answer = await olga.browser.post(f"/admin/jobs/{job_id}/retries")
    assert answer.status_code == 303
    assert await status(job_id) == "failed"


async def test_the_same_work_that_is_enqueued_at_this_very_moment_is_no_fault(cast: Cast) -> None:
    olga, job_id = await cast.olga(), await a_failed_job()
    await db.run("UPDATE pgqueuer SET dedupe_key = 'the same' WHERE id = :id", id=job_id)
    is_there, may_end = asyncio.Event(), asyncio.Event()

    async def enqueue() -> None:
        async with db.transaction():
            await db.run(
                "INSERT INTO pgqueuer (priority, status, entrypoint, dedupe_key) VALUES (0, 'queued', 'other', 'the same')"
            )
            is_there.set()
            await may_end.wait()

    async def retry() -> int:
        return int((await olga.browser.post(f"/admin/jobs/{job_id}/retries")).status_code)

    enqueueing = asyncio.create_task(enqueue())
    await is_there.wait()
    retrying = asyncio.create_task(retry())
    waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    async with asyncio.timeout(10):
        while not await db.value(waits):  # noqa: ASYNC110 (nobody tells)
            await asyncio.sleep(0.01)
    may_end.set()
    await enqueueing
    assert await retrying == 303
    assert await status(job_id) == "failed"
    assert await audited("job.retry") == 0


async def test_a_discarded_job_can_be_taken_back_once(cast: Cast) -> None:
    olga, job_id = await cast.olga(), await a_failed_job()
    await olga.browser.post(f"/admin/jobs/{job_id}/removal")
    assert await status(job_id) is None
    page = await seen(olga, "/admin/jobs")
    undo = page.split('action="/admin/jobs/restorations/')[1].split('"')[0]
    for _again in range(2):
        assert (await olga.browser.post(f"/admin/jobs/restorations/{undo}")).status_code == 303
    assert await status(job_id) == "failed"
    assert await db.value("SELECT convert_from(payload, 'UTF8') FROM pgqueuer") == '{"mail_id": 7}'
    assert (await audited("job.discard"), await audited("job.restore")) == (1, 1)


async def test_a_job_that_was_taken_back_is_not_retried_beside_the_same_work_either(cast: Cast) -> None:
    olga, job_id = await cast.olga(), await a_failed_job()
    await db.run("UPDATE pgqueuer SET dedupe_key = 'the same' WHERE id = :id", id=job_id)
    token = await backlog.discard_job(job_id)
    assert token is not None and await backlog.restore_job(token)
    await db.run(
        "INSERT INTO pgqueuer (priority, status, entrypoint, dedupe_key) VALUES (0, 'queued', 'other', 'the same')"
    )
    await olga.browser.post(f"/admin/jobs/{job_id}/retries")
    assert await status(job_id) == "failed"


async def test_nobody_invents_a_job_to_take_back(cast: Cast) -> None:
    olga = await cast.olga()
    await olga.browser.post("/admin/jobs/restorations/WzEsImNvcmUuZGVsaXZlcl9tYWlsIl0.invented")
    assert await db.value("SELECT count(*) FROM pgqueuer") == 0


async def test_a_running_job_cannot_be_discarded(cast: Cast) -> None:
    olga, job_id = await cast.olga(), await a_failed_job()
    await db.run("UPDATE pgqueuer SET status = 'picked' WHERE id = :id", id=job_id)
    assert await backlog.discard_job(job_id) is None
    await olga.browser.post(f"/admin/jobs/{job_id}/removal")
    assert await status(job_id) == "picked"


async def test_a_job_that_never_was_is_not_found(cast: Cast) -> None:
    olga = await cast.olga()
    for job_id in (1, 2**63, 10**30):
        await seen(olga, f"/admin/jobs/{job_id}", 404)
        assert (await olga.browser.post(f"/admin/jobs/{job_id}/retries")).status_code == 404
        assert (await olga.browser.post(f"/admin/jobs/{job_id}/removal")).status_code == 303, "it is out of the queue"


async def test_each_page_costs_at_most_five_queries(cast: Cast) -> None:
    olga, job_id = await cast.olga(), await a_failed_job()
    for path in (*PAGES, f"/admin/jobs/{job_id}"):
        await seen(olga, path)
        with db.count_queries() as count:
            await seen(olga, path)
        assert count.total <= 5, (path, count.statements)


async def test_filtering_exchanges_only_the_list(cast: Cast) -> None:
    olga = await cast.olga()
    await a_failed_job()
    headers = {"HX-Request": "true", "HX-Target": "div#list"}
    part = await seen(olga, "/admin/jobs?state=queued", headers=headers)
    assert part.lstrip().startswith('<div class="list" id="list">')
    assert "Nothing matches these filters" in part


async def test_a_discarded_job_is_taken_back_within_a_day(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    token = await backlog.discard_job(await a_failed_job())
    assert token is not None
    late = int(clock.now().timestamp()) + 24 * 3600 + 60
    with monkeypatch.context() as patch:
        patch.setattr(TimestampSigner, "get_timestamp", lambda _self: late)
        assert not await backlog.restore_job(token)
    assert await db.value("SELECT count(*) FROM pgqueuer") == 0
    assert await backlog.restore_job(token)


async def test_what_cannot_be_written_down_is_not_done(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = await a_failed_job()

    async def full(*_args: object, **_more: object) -> None:
        raise RuntimeError("no room for the log")

    monkeypatch.setattr(audit, "record", full)
    for act in (backlog.discard_job, backlog.retry_job):
        with pytest.raises(RuntimeError, match="no room"):
            await act(job_id)
        assert await status(job_id) == "failed"


async def test_a_job_that_was_done_since_it_was_taken_back_does_not_come_back_once_more(cast: Cast) -> None:
    """The page with the way back was left open."""
    await queue.enqueue(test_only_job, number=13)
    await queue.drain()
    job_id = await db.value("SELECT id FROM pgqueuer WHERE status = 'failed'")
    token = await backlog.discard_job(job_id)
    assert token is not None and await backlog.restore_job(token)
    await db.run("UPDATE pgqueuer SET payload = convert_to('{\"number\": 12}', 'UTF8')")
    assert await backlog.retry_job(job_id)
    await queue.drain()
    assert await status(job_id) is None
    assert not await backlog.restore_job(token)
    assert await status(job_id) is None
