"""Many accounts at once, for imports: found, made and renamed with one statement each, in the caller's transaction."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from app.accounts import claims, tags
from app.accounts.events import AccountMade
from app.accounts.models import User
from app.accounts.queries import bulk as queries
from app.accounts.queries import people as people_queries
from app.accounts.users import name_from
from app.core import audit, clock, db, events
from app.core.ids import public_id


@dataclass(frozen=True, slots=True)
class NewPerson:
    """Somebody to make an account for; without a name the address gives one."""

    email: str
    name: str


async def find(emails: Sequence[str], *, lock: bool = False) -> dict[str, User]:
    """The accounts of these addresses by the address in lower case, locked in the order of their ids if so asked."""
    found = await (queries.lock_by_emails if lock else queries.by_emails)([email.lower() for email in emails])
    return {user.email.lower(): user for user in found}


async def add(people: Sequence[NewPerson], *, invite: bool, note: str) -> dict[str, int]:
    """Make accounts; the ids by address in lower case of those that were not there. No role but member can be made.

    `invite`: the welcome mail with the link to set a password follows. `note` goes into the audit log. In the order of
    the addresses, so that two who add the same people at once wait for each other and not in a circle.
    """
    if not db.in_transaction():
        raise RuntimeError("accounts were made outside a transaction")
    ordered = sorted(people, key=lambda person: person.email.lower())
    made = await queries.insert_many(
        [public_id() for _ in ordered],
        [person.email for person in ordered],
        [person.name or name_from(person.email) for person in ordered],
        clock.now(),
    )
    after = {"role": "member", "import": note}
    await audit.record_many("people.add", "person", [(row.public_id, None, after) for row in made])
    if invite:
        for row in made:
            await events.publish(AccountMade(row.id))
    return {row.email.lower(): row.id for row in made}


async def rename(names: Mapping[int, str], people: Mapping[int, User]) -> None:
    """Give these people other names; `people` are they as they stand, locked."""
    await queries.rename_many(list(names), list(names.values()))
    await audit.record_many(
        "people.edit",
        "person",
        [(people[id].public_id, {"name": people[id].name}, {"name": name}) for id, name in names.items()],
    )


async def claim(user_ids: Sequence[int], *, invite: bool) -> None:
    """These accounts are about to be given something: what stood in them before anybody proved the address ends, as when
    something is bought (`users.ensure`).
    """
    for user_id in await claims.claim(user_ids):
        if invite:
            await events.publish(AccountMade(user_id))


async def tags_of(user_ids: Sequence[int]) -> dict[int, set[str]]:
    """The tags of these people, in lower case."""
    found: dict[int, set[str]] = {}
    for row in await queries.tags_of(list(user_ids)) if user_ids else []:
        found.setdefault(row.user_id, set()).add(row.name.lower())
    return found


async def hold_tags(names: Iterable[str]) -> None:
    """Keep the tags of these names from going for the rest of the current transaction; before people are locked who get them."""
    await people_queries.hold_tags_named(sorted({name.lower() for name in names}))


async def tag(names: Mapping[int, Sequence[str]]) -> None:
    """Mark people with tags, which are made when there are none of these names."""
    wanted = sorted({name.lower(): name for given in names.values() for name in given}.items())
    ids = {lowered: (await tags.ensure(name)).id for lowered, name in wanted}
    pairs = [(user_id, ids[name.lower()]) for user_id, given in names.items() for name in given]
    made = await queries.insert_user_tags([user_id for user_id, _tag in pairs], [tag_id for _user, tag_id in pairs])
    await audit.record_many("people.tag", "person", [(row.public_id, None, {"tag": row.name}) for row in made])


async def public_ids(user_ids: Sequence[int]) -> list[str]:
    """The public ids of these people, in the order of their ids."""
    return await queries.public_ids(list(user_ids)) if user_ids else []
