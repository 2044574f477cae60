"""Acts on what failed: try a job again, discard it, put it back, send a mail again, replay a delivery. All audited."""

from typing import Any

from app.core import audit, db, mail, queue, tokens, webhooks
from app.core.errors import NotFound
from app.ops import queries

# PostgreSQL's bigint; an address can hold any number.
_LARGEST = 2**63 - 1
_PURPOSE = "discarded job"


async def find_job(job_id: int) -> Any:
    """A job of the queue or its log. Raises NotFound."""
    found = await queries.job(job_id) if job_id <= _LARGEST else None
    if found is None:
        raise NotFound()
    return found


async def retry_job(job_id: int) -> bool:
    """Give a failed job its tries again; False when it is not failed, or the same work waits already."""
    job = await find_job(job_id)
    async with db.transaction():
        done = await queue.requeue(job_id)
        if done:
            await audit.record("job.retry", "job", job_id, summary=job.entrypoint)
    return done


async def discard_job(job_id: int) -> str | None:
    """Take a failed job out of the queue. A token for `restore_job`, or None when it is not failed."""
    async with db.transaction():
        gone = await queue.discard(job_id) if job_id <= _LARGEST else None
        if gone is None:
            return None
        await audit.record("job.discard", "job", job_id, before={"arguments": gone.arguments}, summary=gone.name)
    return tokens.sign([job_id, gone.name, gone.arguments, gone.dedupe_key], _PURPOSE)


async def restore_job(token: str) -> bool:
    """Put a discarded job back, failed as it was; False when that was done, or the token is not ours or a day old."""
    kept = tokens.unsign(token, _PURPOSE, max_age=24 * 3600)
    if kept is None:
        return False
    job_id, *rest = kept
    job = queue.Discarded(*rest)
    async with db.transaction():
        done = await queue.restore(job_id, job)
        if done:
            await audit.record("job.restore", "job", job_id, summary=job.name)
    return done


async def retry_mail(public_id: str) -> bool:
    """Send a failed mail again; False when it is not failed. Raises NotFound."""
    address = await queries.mail_address(public_id)
    if address is None:
        raise NotFound()
    async with db.transaction():
        done = await mail.retry(public_id)
        if done:
            await audit.record("mail.retry", "mail", public_id, summary=address)
    return done


async def find_delivery(provider: str, event_id: str) -> Any:
    """A stored webhook delivery. Raises NotFound."""
    found = await queries.webhook(provider, event_id)
    if found is None:
        raise NotFound()
    return found


async def replay(provider: str, event_id: str) -> bool:
    """Handle a delivery again; what it already did is not done twice. False when nothing handles this provider."""
    delivery = await find_delivery(provider, event_id)
    async with db.transaction():
        done = await webhooks.replay(delivery.id)
        if done:
            await audit.record("webhook.replay", "webhook", event_id, summary=delivery.type)
    return done
