"""Jobs, mails, webhook deliveries and the audit log of the back office."""

import json
from typing import Any

from quart import Blueprint, Response, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from app.accounts.devices import device_of
from app.core import clock, queue
from app.core.errors import NotFound
from app.core.i18n import _
from app.ops import backlog, previews, queries, words
from app.ops.models import changes, without_secrets
from app.web import tables
from app.web.flash import flash
from app.web.forms import unreadable
from app.web.guards import requires
from app.web.render import page
from app.web.request import safe_next, signed_in_user
from app.web.tables import Choice

admin = Blueprint("ops_admin", __name__, url_prefix="/admin")


@admin.get("/jobs")
@requires("jobs.view")
async def list_jobs() -> Response:
    """What waits, runs or gave up."""
    return await tables.show(queries.JOBS, "ops/jobs.html", now=clock.now(), may_retry=_may_retry())


@admin.get("/jobs/log")
@requires("jobs.view")
async def list_job_log() -> Response:
    """What was done, and what failed."""
    jobs = [Choice(name, name) for name in sorted(queue.registry)]
    return await tables.show(queries.JOB_LOG, "ops/job_log.html", choices={"job": jobs})


@admin.get("/jobs/schedules")
@requires("jobs.view")
async def list_schedules() -> Response:
    """What the workers do by the clock."""
    return await page("ops/schedules.html", schedules=await queries.schedules())


@admin.get("/jobs/<int:job_id>")
@requires("jobs.view")
async def show_job(job_id: int) -> Response:
    """One job: its arguments and what happened to it."""
    job = await backlog.find_job(job_id)
    arguments = json.loads(job.arguments) if job.arguments else None
    return await page(
        "ops/job.html",
        job=job,
        arguments=_pretty(arguments) if arguments else "",
        history=await queries.job_history(job_id),
        trail=[(_("Jobs"), url_for(".list_jobs"))],
        may_retry=_may_retry(),
    )


@admin.post("/jobs/<int:job_id>/retries")
@requires("jobs.retry")
async def retry_job(job_id: int) -> BaseResponse:
    """Give a failed job its tries again."""
    if await backlog.retry_job(job_id):
        flash(_("The job waits for a worker again."))
    else:
        flash(_("This job is not failed any more, or the same work waits already."), "care")
    return await _back(url_for(".list_jobs"))


@admin.post("/jobs/<int:job_id>/removal")
@requires("jobs.retry")
async def delete_job(job_id: int) -> BaseResponse:
    """Discard a failed job."""
    token = await backlog.discard_job(job_id)
    if token:
        flash(_("The job is discarded."), undo_url=url_for(".restore_job", token=token))
    else:
        flash(_("This job is not failed any more."), "care")
    return redirect(url_for(".list_jobs"), 303)


@admin.post("/jobs/restorations/<token>")
@requires("jobs.retry")
async def restore_job(token: str) -> BaseResponse:
    """Take a discarded job back."""
    if await backlog.restore_job(token):
        flash(_("The job is back, failed as it was."))
    else:
        flash(_("The job is back already, or it was discarded too long ago."), "care")
    return redirect(url_for(".list_jobs"), 303)


@admin.get("/mails")
@requires("jobs.view")
async def list_mails() -> Response:
    """Every mail that the school wrote, without its text: links in it are secrets."""
    choices = [Choice(template.key, template.words) for template in previews.templates()]
    return await tables.show(
        queries.MAILS,
        "ops/mails.html",
        choices={"template": sorted(choices, key=lambda choice: choice.label)},
        may_retry=_may_retry(),
        template_words=previews.in_words,
    )


@admin.post("/mails/<public_id>/retries")
@requires("jobs.retry")
async def retry_mail(public_id: str) -> BaseResponse:
    """Send a failed mail again."""
    if await backlog.retry_mail(public_id):
        flash(_("The mail will be sent again."))
    else:
        flash(_("This mail is not failed any more."), "care")
    return await _back(url_for(".list_mails"))


@admin.get("/mails/templates")
@requires("jobs.view")
async def list_mail_templates() -> Response:
    """Every mail that the school can write."""
    return await page("ops/mail_templates.html", templates=previews.templates())


@admin.get("/mails/templates/<domain>/<name>")
@requires("jobs.view")
async def preview_mail(domain: str, name: str) -> Response:
    """A mail with invented facts, as HTML and as text."""
    preview = await previews.preview(domain, name)
    return await page(
        "ops/mail_preview.html",
        preview=preview,
        trail=[(_("Mails"), url_for(".list_mails")), (_("Templates"), url_for(".list_mail_templates"))],
    )


@admin.get("/mails/templates/<domain>/<name>/body.html")
@requires("jobs.view")
async def preview_mail_body(domain: str, name: str) -> Response:
    """The HTML of the preview alone, for its frame."""
    preview = await previews.preview(domain, name)
    body, policy = previews.framed(preview.rendered.html)
    response = Response(body, content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = policy
    response.headers["X-Frame-Options"] = "SAMEORIGIN"
    return response


@admin.get("/webhooks")
@requires("jobs.view")
async def list_webhooks() -> Response:
    """What outside services told the school."""
    return await tables.show(queries.WEBHOOKS, "ops/webhooks.html", may_retry=_may_retry())


@admin.get("/webhooks/<provider>/<event_id>")
@requires("jobs.view")
async def show_webhook(provider: str, event_id: str) -> Response:
    """One delivery as it came, without its secrets."""
    delivery = await backlog.find_delivery(provider, event_id)
    return await page(
        "ops/webhook.html",
        delivery=delivery,
        payload=_pretty(delivery.payload),
        trail=[(_("Webhooks"), url_for(".list_webhooks"))],
        may_retry=_may_retry(),
    )


@admin.post("/webhooks/<provider>/<event_id>/replays")
@requires("jobs.retry", once=True)
async def replay_webhook(provider: str, event_id: str) -> BaseResponse:
    """Handle a delivery again."""
    if await backlog.replay(provider, event_id):
        flash(_("The delivery is handled again. What it did before is not done twice."))
    else:
        flash(_("Nothing in the school handles deliveries of %(provider)s.", provider=provider), "care")
    return await _back(url_for(".show_webhook", provider=provider, event_id=event_id))


@admin.get("/audit")
@requires("audit.view")
async def list_audit() -> Response:
    """Who did what to which thing, before and after, from where."""
    asked = request.args.get("actor", "")[:40]
    terms = await queries.audit_terms("" if unreadable(asked) else asked)
    choices = {
        "actor": [
            *queries.actor_choices(terms.people or []),
            Choice("members", _("Members"), "u.role = 'member'"),
            Choice("system", _("The school itself"), "l.actor_id IS NULL"),
        ],
        "action": [Choice(action, words.act_label(action)) for action in terms.actions or []],
        "subject": [Choice(kind, words.kind_label(kind)) for kind in terms.kinds or []],
    }
    return await tables.show(queries.AUDIT, "ops/audit.html", choices=choices, **_READING)


@admin.get("/audit/<int:act_id>")
@requires("audit.view")
async def show_act(act_id: int) -> Response:
    """One act, with all that is known of it."""
    act = await queries.act(act_id) if act_id < 2**63 else None
    if act is None:
        raise NotFound(_("There is no such act."))
    return await page("ops/act.html", act=act, trail=[(_("Audit log"), url_for(".list_audit"))], **_READING)


@admin.get("/audit/<kind>/<subject_id>")
@requires("audit.view")
async def list_history(kind: str, subject_id: str) -> Response:
    """What was done to one thing; a page, or the block `history` of the thing's own page."""
    if unreadable(kind + subject_id):
        raise NotFound()
    binds = {"kinds": list(words.kinds_of(kind)), "subject_id": subject_id}
    table = await tables.load(queries.HISTORY, request.path, request.args, binds=binds)
    return await page(
        "ops/history.html",
        table=table,
        kind=kind,
        subject_id=subject_id,
        trail=[(_("Audit log"), url_for(".list_audit"))],
        **_READING,
    )


# How templates read a row of the log.
_READING: dict[str, Any] = {
    "changes": changes,
    "act_label": words.act_label,
    "kind_label": words.kind_label,
    "thing_url": words.thing_url,
    "device": lambda user_agent: device_of(user_agent).name,
}


def _may_retry() -> bool:
    return signed_in_user().can("jobs.retry")


def _pretty(value: object) -> str:
    return json.dumps(without_secrets(value), indent=2, ensure_ascii=False, sort_keys=True)


async def _back(default: str) -> BaseResponse:
    """To the list as it was filtered, when the form says where that is."""
    return redirect(safe_next((await request.form).get("next"), default), 303)
