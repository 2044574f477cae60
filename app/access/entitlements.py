"""The verbs of the ledger: grant, close, ask, explain."""

from datetime import datetime

from app.access import queries
from app.access.events import AccessClosed, AccessGranted
from app.access.models import Cause, Explanation, as_cause, explained
from app.accounts import people
from app.accounts.models import User
from app.core import audit, clock, db, events
from app.core.errors import Conflict, NotFound
from app.core.i18n import _
from app.core.ids import public_id


async def grant(
    user_id: int,
    product_id: int,
    *,
    source: str,
    source_ref: str,
    note: str = "",
    granted_by: int | None = None,
    ends_at: datetime | None = None,
    quietly: bool = False,
) -> bool:
    """Let a person use a product for one cause, in the caller's transaction. False: this cause was granted before.

    `source` is order, free, manual or import; `source_ref` names the cause and makes it happen once. Closing stays
    closed: the same cause is not granted a second time. Publishes AccessGranted; `quietly`: nobody is mailed about it.
    """
    if not db.in_transaction():
        raise RuntimeError("access was granted outside the transaction of its cause")
    row = await queries.insert(
        public_id=public_id(),
        user_id=user_id,
        product_id=product_id,
        source=source,
        source_ref=source_ref,
        note=note,
        granted_by=granted_by,
        ends_at=ends_at,
        now=clock.now(),
    )
    if row is None:
        return False
    await events.publish(AccessGranted(row.id, user_id, product_id, row.course_id, quietly))
    return True


def free_ref(user_id: int, product_id: int) -> str:
    """The cause of having something for nothing: one for each person and product, by whatever way it was begun."""
    return f"free:{user_id}:{product_id}"


async def is_closed(source_ref: str) -> bool:
    """Whether this very cause was closed; such a one never opens anything again by itself."""
    cause = (await made_by(source_ref)).get(source_ref)
    return cause is not None and cause.closed_at is not None


async def reopen(source_ref: str, *, reason: str) -> int:
    """Open again what `close` closed for just this reason, because the reason has gone; how many rows opened.

    Publishes AccessGranted for each.
    """
    async with db.transaction():
        rows = await queries.reopen(source_ref, reason=reason)
        for row in rows:
            await events.publish(AccessGranted(row.id, row.user_id, row.product_id, row.course_id, again=True))
        return len(rows)


async def close(source_ref: str, *, reason: str) -> int:
    """Close what this cause opened, or all causes below it (`order:abc` closes its lines); how many rows closed.

    `reason` is read by the person it concerns. Publishes AccessClosed for each.
    """
    async with db.transaction():
        rows = await queries.close(source_ref, reason=reason, now=clock.now())
        for row in rows:
            await events.publish(AccessClosed(row.user_id, row.course_id))
        return len(rows)


async def allows(user_id: int, course_id: int) -> bool:
    """Whether this person may use this course now. One query."""
    return await queries.allows(user_id, course_id, clock.now())


async def admits(user_id: int, course_id: int, upload_id: int) -> bool:
    """Whether this person may fetch this file of the course now: allowed, and neither course nor lesson taken back."""
    return await queries.admits(user_id, course_id, upload_id, clock.now())


async def explain(user_id: int, course_id: int) -> Explanation:
    """Why this person may use this course, or which rule says no."""
    return explained(await queries.of_course(user_id, course_id), clock.now())


async def open_courses(user_id: int) -> list[int]:
    """The courses that this person may use now."""
    return await queries.open_courses(user_id, clock.now())


async def owned(user_id: int, product_ids: list[int]) -> set[int]:
    """Those of these products that this person may use now and for good; what ends some day can still be bought."""
    return await queries.owned(user_id, product_ids, clock.now()) if product_ids else set()


async def holders(product_id: int, user_ids: list[int]) -> set[int]:
    """Those of these people who may use this product now and for good."""
    return await queries.holders(product_id, user_ids, clock.now()) if user_ids else set()


async def grantable() -> list[db.Row]:
    """Everything that can be given to a person: id, public_id, title, is_active."""
    return await queries.products()


async def causes_of(user_id: int) -> list[Cause]:
    """Everything that was ever granted to this person, judged now, newest first."""
    now = clock.now()
    return [as_cause(row, now) for row in await queries.of_person(user_id)]


async def made_by(source_ref: str) -> dict[str, Cause]:
    """What a cause, or the causes below it, granted (`order:abc`: its lines), judged now, by source_ref."""
    now = clock.now()
    return {row.source_ref: as_cause(row, now) for row in await queries.of_ref(source_ref)}


async def grant_by_hand(
    person: User,
    product_public_id: str,
    *,
    ref: str,
    reason: str,
    ends_at: datetime | None,
    granted_by: int,
) -> str:
    """A person of the team lets somebody use a product; its title. `ref` makes a form that is sent twice count once.

    Audited. Raises NotFound for an unknown product and Conflict when the form was sent before, or the account is closed.
    """
    known = {row.public_id: row for row in await queries.products()}
    product = known.get(product_public_id)
    if product is None:
        raise NotFound(_("There is no such product."))
    async with db.transaction():
        await people.open_one(person)  # merged into another or erased meanwhile, they would have it in vain
        granted = await grant(
            person.id,
            product.id,
            source="manual",
            source_ref=f"manual:{ref}",
            note=reason,
            granted_by=granted_by,
            ends_at=ends_at,
        )
        if not granted:
            raise Conflict(_("This was granted already."))
        after = {"product": product.title, "until": ends_at.isoformat() if ends_at else None, "reason": reason}
        await audit.record("access.grant", "user", person.public_id, after=after, summary=product.title)
    return str(product.title)


async def close_by_hand(user_id: int, user_public_id: str, entitlement_public_id: str, *, reason: str) -> str:
    """A person of the team closes one cause; the product's title. Audited.

    Raises NotFound when the person has no such entitlement and Conflict when it is closed already.
    """
    row = await queries.of_person_by_public_id(user_id, entitlement_public_id)
    if row is None:
        raise NotFound(_("There is no such entitlement."))
    async with db.transaction():
        if not await close(row.source_ref, reason=reason):
            raise Conflict(_("This access is closed already."))
        await audit.record(
            "access.close",
            "user",
            user_public_id,
            before={"product": row.product_title, "cause": row.source_ref},
            after={"product": row.product_title, "cause": row.source_ref, "closed": reason},
            summary=row.product_title,
        )
    return row.product_title
