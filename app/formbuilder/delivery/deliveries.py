"""What leaves the house of each entry: planned in a transaction, sent by a job of its own, tried again, held, sent again.

A delivery is a row; the job only carries its key. A claim keeps two workers from sending it together, and ends by itself
when its worker dies. The key that a service gets is the same at each attempt, so what may have arrived arrives once.
"""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import structlog

from app.core import audit, clock, db, queue
from app.core.errors import Conflict, NotFound
from app.core.i18n import _
from app.formbuilder.definition import definitions, mapping
from app.formbuilder.delivery import connections
from app.formbuilder.integrations import IntegrationError, Passing, Permanent, RefusedCredentials, Sent
from app.formbuilder.integrations.replies import clean
from app.formbuilder.logic.days import today
from app.formbuilder.models import Connection, Definition, Delivery, Entry, Form
from app.formbuilder.queries import connections as connection_queries
from app.formbuilder.queries import deliveries as queries
from app.formbuilder.queries import entries as entry_queries
from app.web.render import site_url

log = structlog.get_logger()

# So often a delivery is tried; the waits between (30 s, doubled, six hours at most) come to a day and a half.
ATTEMPTS = 16
_FIRST_WAIT, _LONGEST_WAIT = timedelta(seconds=30), timedelta(hours=6)
# A provider makes a handful of calls of at most 20 s each.
CLAIM = timedelta(minutes=4)
# Beyond this, the job of a delivery that is due is lost.
_FORGOTTEN = timedelta(minutes=15)
_AT_ONCE = 500
# Requests and answers that are kept of one delivery, the newest.
_MOST_EXCHANGES = 30
# What was asked and answered is personal, and of no use for long.
KEPT = timedelta(days=90)


async def plan(entry_id: int) -> int:
    """Plan what leaves of an entry that counts, and enqueue it with the transaction; how much. Twice plans nothing twice.

    One that was thrown away, or called spam, since it was told of is planned all the same, and waits until it is back.
    """
    entry = await entry_queries.entry_by_id(entry_id)
    if entry is None:
        return 0
    _title, definition, live = await _asked(entry)
    day, planned = await today(), 0
    async with db.transaction():
        for integration in live.integrations:
            name = str(integration.get("id") or "")[:60]
            if not name:
                continue
            connection = await connection_queries.connection(str(integration.get("connection") or ""))
            wanted = mapping.is_wanted(definition, integration, entry.answers, day)
            state, outcome, error = ("waiting", "", "") if wanted else ("skipped", "condition", "")
            if wanted and connection is None:
                state, error = "held", _("The connection is gone; choose another.")
            key = connection.id if connection is not None else None
            made = await queries.insert_delivery(entry.id, name, key, state, outcome, error, clock.now())
            if made is not None and state == "waiting":
                await queue.enqueue(deliver, delivery_id=made)
                planned += 1
    return planned


async def wake(entry_id: int) -> int:
    """Go on with what waited while an entry did not count; how much. Part of the transaction that brought it back."""
    waiting = [each.id for each in await queries.of_entry(entry_id) if each.state == "waiting"]
    for delivery_id in waiting:
        await queue.enqueue(deliver, delivery_id=delivery_id)
    return len(waiting)


@queue.job(attempts=10)
async def deliver(delivery_id: int) -> None:
    """Send one delivery, if it is due and nobody else does; else look again when it is."""
    now = clock.now()
    delivery = await queries.claim(delivery_id, now, now + CLAIM)
    if delivery is None:
        due = await queries.due_at(delivery_id)
        if due is not None:
            await queue.enqueue(deliver, after=max(due - now, timedelta(seconds=1)), delivery_id=delivery_id)
        return
    exchanges = list(delivery.exchanges)
    try:
        sent = await _send(delivery, exchanges)
    except IntegrationError as error:
        await _failed(delivery, error, exchanges)
    else:
        await queries.finish(
            delivery,
            "skipped" if sent.outcome == "no_consent" else "sent",
            sent.outcome,
            clean(sent.id),
            clock.now(),
            exchanges,
            "",
        )


async def _send(delivery: Delivery, exchanges: list[Any]) -> Sent:
    """Hand the entry over as its form says now: a mapping that was put right counts for what is sent again, and an account
    that was chosen in another's place gets it."""
    entry = await entry_queries.entry_by_id(delivery.entry_id)
    if entry is None:
        raise Permanent(_("The form does not send there any more."))
    if await queries.is_emptied(entry.id):  # since it was planned, or said to be sent again
        raise Permanent(_("The answers of this entry are gone."))
    try:
        title, definition, live = await _asked(entry)
    except definitions.Malformed as error:
        # A person has to look: tried again by itself it would be as unreadable each time.
        raise Permanent(_("The form cannot be read: %(why)s", why=error)) from error
    integration = _integration(live, delivery.integration_id)
    if integration is None:
        raise Permanent(_("The form does not send there any more."))
    connection = await connection_queries.connection(str(integration.get("connection") or ""))
    if connection is None:
        raise RefusedCredentials(_("The connection is gone; choose another."))
    if connection.id != delivery.connection_id:
        await queries.lead_to(delivery.id, connection.id)
    about = await about_of(entry)
    contact = mapping.contact_of(definition, title, integration, entry.answers, entry.email, about)
    provider = connections.open_provider(connection, str(integration.get("list") or ""))
    try:
        return await provider.upsert(contact, key_of(delivery, entry))
    except RefusedCredentials as error:
        if await connections.as_used(connection, provider) is None:
            # Another worker, or the owner, renewed them in the meantime: a refresh token may be good only once.
            raise Passing(error.reason) from error
        raise
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        # What a service answers is not ours to trust.
        log.warning(
            "an answer was not understood", provider=connection.provider, error=type(error).__name__, exc_info=True
        )
        raise Passing(_("The answer of the service was not understood.")) from error
    finally:
        stamp = {"attempt": delivery.attempts, "at": clock.now().isoformat()}
        exchanges += [asdict(each) | stamp for each in provider.exchanges]
        del exchanges[:-_MOST_EXCHANGES]
        await connections.keep_renewed(connection, provider.renewed)


async def about_of(entry: Entry) -> dict[str, str]:
    """What can be told of an entry besides its answers: where the office shows it, to those who may see it."""
    form = await queries.form_of(entry.form_id)
    link = f"{site_url()}/admin/forms/{form}/entries/{entry.public_id}"
    return {"@link": link, "@id": entry.public_id, "@at": entry.created_at.isoformat(timespec="seconds")}


def key_of(delivery: Delivery, entry: Entry) -> str:
    """What tells a service that this is the same thing again; the same at each attempt."""
    return f"{entry.public_id}:{delivery.integration_id}"


async def _failed(delivery: Delivery, error: IntegrationError, exchanges: list[Any]) -> None:
    now, found = clock.now(), await queries.delivery(delivery.id)
    # It may have been led to another account than the one it was taken up for.
    account = found.connection_id if found is not None else None
    if isinstance(error, Passing) and delivery.attempts < ATTEMPTS:
        wait = max(timedelta(seconds=error.retry_after), wait_after(delivery.attempts))
        async with db.transaction():
            if not await queries.put_off(delivery, now + wait, exchanges, error.reason):
                return
            if error.retry_after and account:
                # It speaks of the account: the others of it wait too.
                await connection_queries.pause(account, now + timedelta(seconds=error.retry_after))
            await queue.enqueue(deliver, after=wait, delivery_id=delivery.id)
        return
    async with db.transaction():
        await queries.finish(delivery, "held", "", "", now, exchanges, error.reason)
        if isinstance(error, RefusedCredentials) and exchanges and account:
            await connection_queries.set_state(account, "refused", now)
    log.warning("delivery held", delivery_id=delivery.id, error=type(error).__name__)


def wait_after(attempts: int) -> timedelta:
    """How long to wait after so many attempts."""
    doubled: int = 2 ** min(max(attempts - 1, 0), 20)
    return min(_FIRST_WAIT * doubled, _LONGEST_WAIT)


async def replay(delivery_id: int) -> None:
    """Send a held or sent delivery again. Raises NotFound, or Conflict for one that waits or was skipped."""
    async with db.transaction():
        delivery = await queries.delivery(delivery_id)
        if delivery is None:
            raise NotFound
        await _wait_again(delivery, clock.now())
        await audit.record("form_delivery.replay", "form_delivery", delivery_id, summary=delivery.integration_id)


async def hurry(delivery_id: int) -> None:
    """Try a delivery now that waits for its next try. Raises Conflict for one that is being sent, or does not wait."""
    async with db.transaction():
        if not await queries.hurry(delivery_id, clock.now()):
            raise Conflict(
                _("It is being sent, does not wait any more, or the service asked us to wait. Look at it again.")
            )
        await queue.enqueue(deliver, delivery_id=delivery_id)


async def replay_held(connection: Connection) -> int:
    """Send everything again that is held at an account, as after its credentials were renewed; how much."""
    done = 0
    async with db.transaction():
        for delivery_id in await queries.held_of(connection.id, _AT_ONCE):
            if await queries.wait_again(delivery_id, clock.now()):
                await queue.enqueue(deliver, delivery_id=delivery_id)
                done += 1
        if done:
            await audit.record(
                "form_connection.replay",
                "form_connection",
                connection.public_id,
                after={"deliveries": done},
                summary=connection.name,
            )
    return done


async def replay_held_of_form(form: Form) -> int:
    """Send everything again that is held of a form's entries; how much."""
    done = 0
    async with db.transaction():
        for delivery_id in await queries.held_of_form(form.id, _AT_ONCE):
            if await queries.wait_again(delivery_id, clock.now()):
                await queue.enqueue(deliver, delivery_id=delivery_id)
                done += 1
        if done:
            await audit.record("form.replay", "form", form.public_id, after={"deliveries": done}, summary=form.title)
    return done


async def look_for_forgotten() -> int:
    """Enqueue what is due since long and has no job any more; how much."""
    found = await queries.forgotten(clock.now() - _FORGOTTEN, _AT_ONCE)
    for delivery_id in found:
        await queue.enqueue(deliver, once=str(delivery_id), delivery_id=delivery_id)
    return len(found)


async def forget_old_exchanges() -> int:
    """Forget what was said on deliveries that were done long ago; the rows stay. How many."""
    return await queries.forget_exchanges(clock.now() - KEPT)


async def of_entry(entry_id: int) -> list[Delivery]:
    """Everything that was handed on, or waits, of an entry."""
    return await queries.of_entry(entry_id)


async def of_connection(
    connection: Connection, *, state: str | None = None, before: int | None = None, limit: int = 50
) -> list[Delivery]:
    """The newest deliveries of an account; `before` is the id that the last page ended with."""
    return await queries.of_connection(connection.id, state, before, limit)


async def _wait_again(delivery: Delivery, now: datetime) -> None:
    if not await queries.wait_again(delivery.id, now):
        raise Conflict(_("It waits to be sent already, or was not to be sent."))
    await queue.enqueue(deliver, delivery_id=delivery.id)


async def _asked(entry: Entry) -> tuple[str, Definition, Definition]:
    """The form's title, what was answered, and what is asked now: integrations are those of now."""
    found = await queries.asked(entry.id)
    if found is None:  # it went a moment ago
        return "", Definition(""), Definition("")
    return found.title, definitions.read(found.answered), definitions.read(found.live)


def _integration(definition: Definition, integration_id: str) -> Mapping[str, Any] | None:
    return next((each for each in definition.integrations if str(each.get("id")) == integration_id), None)
