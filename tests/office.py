"""What tests of the back office need: orders, failures, and pages as text."""

from datetime import datetime
from typing import Any

from app.core import clock, db
from app.core.ids import public_id
from tests.cast import Person


async def seen(person: Person, path: str, status: int = 200, **kwargs: Any) -> str:
    """The page as this person sees it."""
    answer = await person.browser.get(path, **kwargs)
    text: str = await answer.get_data(as_text=True)
    assert answer.status_code == status, f"{answer.status_code} {answer.headers.get('Location')}: {text[:600]}"
    return text


async def an_order(
    email: str = "ann@example.org",
    *,
    total: int = 24900,
    refunded: int = 0,
    currency: str = "EUR",
    state: str = "paid",
    user_id: int | None = None,
    at: datetime | None = None,
) -> str:
    """An order, paid at `at` unless it is pending; its public id."""
    order_id, at = public_id(), at or clock.now()
    await db.run(
        """
        INSERT INTO orders (public_id, user_id, email, state, currency, subtotal_minor, tax_minor, total_minor,
                            refunded_minor, quote_key, created_at, paid_at)
        VALUES (:public_id, :user_id, :email, :state, :currency, :total, 0, :total, :refunded, :public_id, :at, :paid_at)
        """,
        public_id=order_id,
        user_id=user_id,
        email=email,
        state=state,
        currency=currency,
        total=total,
        refunded=refunded,
        at=at,
        paid_at=None if state == "pending" else at,
    )
    return order_id


async def a_failed_job(entrypoint: str = "core.deliver_mail", payload: bytes = b'{"mail_id": 7}') -> int:
    """A job that gave up, with its log; its id."""
    found: int = await db.value(
        """
        WITH job AS (
            INSERT INTO pgqueuer (priority, status, entrypoint, payload, attempts)
            VALUES (0, 'failed', :entrypoint, :payload, 3) RETURNING id
        ), logged AS (
            INSERT INTO pgqueuer_log (job_id, status, priority, entrypoint, traceback)
            SELECT id, 'failed', 0, :entrypoint, CAST(:traceback AS jsonb) FROM job
        )
        SELECT id FROM job
        """,
        entrypoint=entrypoint,
        payload=payload,
        traceback={
            "exception_type": "ValueError",
            "exception_message": "no such <template>",
            "traceback": 'Traceback (most recent call last):\n  File "app/core/mail.py", line 1\nValueError: no such <template>',
        },
    )
    return found


async def a_failed_mail(template: str = "accounts/verify_email") -> str:
    """A mail that could not be sent; its public id. Its context holds a secret link."""
    mail_id = public_id()
    await db.run(
        """
        INSERT INTO mails (public_id, fact, recipient, template, context, state, attempts, error, created_at)
        VALUES (:id, :id, 'ann@example.org', :template, CAST(:context AS jsonb), 'failed', 3,
                'ConnectionRefusedError: mail server away', :now)
        """,
        id=mail_id,
        template=template,
        context={"name": "Ann", "path": "/verify/a-secret-link"},
        now=clock.now(),
    )
    return mail_id


async def a_delivery(state: str = "failed", event_id: str = "evt_1", provider: str = "stripe") -> int:
    """A stored webhook delivery; its id."""
    found: int = await db.value(
        """
        INSERT INTO webhook_events (provider, event_id, type, payload, state, error, attempts, received_at)
        VALUES (:provider, :event_id, 'charge.refunded', CAST(:payload AS jsonb), :state, :error, 1, :now)
        RETURNING id
        """,
        provider=provider,
        event_id=event_id,
        payload={"id": event_id, "data": {"object": {"amount": 24900, "note": "<b>"}}},
        state=state,
        error="KeyError: 'amount'" if state == "failed" else None,
        now=clock.now(),
    )
    return found
