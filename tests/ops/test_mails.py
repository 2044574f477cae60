import json

import pytest

from app.core import db, mail, queue
from app.ops import previews
from app.web.render import TEMPLATES
from tests.cast import Cast
from tests.office import a_failed_mail, seen


async def state(mail_id: str) -> str:
    found: str = await db.value("SELECT state FROM mails WHERE public_id = :id", id=mail_id)
    return found


async def test_the_list_shows_errors_and_no_secrets(cast: Cast) -> None:
    olga = await cast.olga()
    await a_failed_mail()
    for path in ("/admin/mails", "/admin/mails?format=csv"):
        page = await seen(olga, path)
        assert "ConnectionRefusedError: mail server away" in page
        assert "ann@example.org" in page.replace("<wbr>", "")
        assert "a-secret-link" not in page


async def test_the_file_with_everybodys_address_is_for_those_who_may_export_people(cast: Cast) -> None:
    await a_failed_mail()
    sam = await cast.sam()
    assert "format=csv" not in await seen(sam, "/admin/mails")
    assert (await sam.browser.get("/admin/mails?format=csv")).status_code == 403


async def test_mails_are_found_by_state_template_and_address(cast: Cast) -> None:
    olga = await cast.olga()
    await a_failed_mail()
    for query, found in (
        ("state=failed", True),
        ("state=sent", False),
        ("state=waiting", False),
        ("template=accounts/verify_email", True),
        ("template=accounts/welcome", False),
        ("q=ANN%40", True),
        ("q=bob", False),
        ("from=2020-01-01", True),
        ("to=2020-01-01", False),
    ):
        assert ("mail server away" in await seen(olga, f"/admin/mails?{query}")) is found, query


async def test_sending_again_twice_sends_once(cast: Cast) -> None:
    olga, mail_id = await cast.olga(), await a_failed_mail()
    for _again in range(2):
        answer = await olga.browser.post(f"/admin/mails/{mail_id}/retries", form={"next": "/admin/mails?state=failed"})
        assert answer.status_code == 303
    assert await db.value("SELECT count(*) FROM pgqueuer WHERE status = 'queued'") == 1
    await queue.drain()
    assert await state(mail_id) == "sent"
    assert await db.value("SELECT count(*) FROM audit_log WHERE action = 'mail.retry'") == 1


async def test_sending_again_takes_the_failed_job_away(cast: Cast) -> None:
    olga, mail_id = await cast.olga(), await a_failed_mail()
    number = await db.value("SELECT id FROM mails")
    await db.run(
        "INSERT INTO pgqueuer (priority, status, entrypoint, payload) VALUES (0, 'failed', 'core.deliver_mail', :args)",
        args=json.dumps({"mail_id": number}).encode(),
    )
    await olga.browser.post(f"/admin/mails/{mail_id}/retries")
    assert await db.value("SELECT count(*) FROM pgqueuer WHERE status = 'failed'") == 0


async def test_a_mail_that_another_worker_has_sent_meanwhile_does_not_wait_again(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    olga, mail_id = await cast.olga(), await a_failed_mail()

    class Slow:
        async def send(self, message: mail.Message) -> str:
            await db.run("UPDATE mails SET state = 'sent'")
            raise ConnectionResetError

    assert mail._wiring is not None
    monkeypatch.setattr(mail._wiring, "mailer", Slow())
    await olga.browser.post(f"/admin/mails/{mail_id}/retries")
    await queue.drain(ignore_delays=True)
    assert await state(mail_id) == "sent"


async def test_support_cannot_send_again(cast: Cast) -> None:
    sam, mail_id = await cast.sam(), await a_failed_mail()
    assert "Send again" not in await seen(sam, "/admin/mails")
    assert (await sam.browser.post(f"/admin/mails/{mail_id}/retries")).status_code == 403
    assert await state(mail_id) == "failed"


async def test_a_mail_that_never_was_is_not_found(cast: Cast) -> None:
    olga = await cast.olga()
    assert (await olga.browser.post("/admin/mails/nothing/retries")).status_code == 404
    for path in ("accounts/nothing", "nothing/welcome", "../welcome", "layouts/mail"):
        await seen(olga, f"/admin/mails/templates/{path}", 404)


async def test_every_mail_has_a_sample_and_draws_with_it(cast: Cast) -> None:
    olga = await cast.olga()
    assert previews.templates()
    listed = await seen(olga, "/admin/mails/templates")
    for template in previews.templates():
        folder = TEMPLATES / template.domain / "mail"
        assert (folder / f"{template.name}.json").exists(), f"{template.key} has no sample beside it"
        assert (folder / f"{template.name}.html").exists(), f"{template.key} has no HTML"
        assert template.url in listed
        assert (await seen(olga, template.url)).count("<iframe") == 1
        preview = await previews.preview(template.domain, template.name)
        assert preview.rendered.subject
        assert "\n" not in preview.rendered.subject
        assert len(preview.rendered.text) > 80


async def test_the_preview_may_be_framed_by_the_office_and_runs_nothing(cast: Cast) -> None:
    olga = await cast.olga()
    answer = await olga.browser.get("/admin/mails/templates/accounts/welcome/body.html")
    policy = answer.headers["Content-Security-Policy"]
    assert "frame-ancestors 'self'" in policy
    assert "script-src" not in policy
    assert "default-src 'none'" in policy
    assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"
