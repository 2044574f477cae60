"""Tags: words that the office marks people with, made on the fly. Giving and taking one is in the audit log."""

from asyncpg import UniqueViolationError

from app.accounts import people
from app.accounts.models import Tag, User
from app.accounts.queries import people as queries
from app.core import audit, clock, db
from app.core.errors import Invalid, NotFound
from app.core.i18n import _
from app.core.ids import public_id

LONGEST = 40
# A list of tags counts no further than this.
MOST_COUNTED = 1000


async def every() -> list[Tag]:
    """All tags, by name, with how many people have each, up to MOST_COUNTED and one."""
    return await queries.all_tags(MOST_COUNTED + 1)


async def find(tag_id: str) -> Tag:
    """The tag with this public id. Raises NotFound."""
    found = await queries.tag_by_public_id(tag_id)
    if found is None:
        raise NotFound(_("There is no such tag."))
    return found


async def named(name: str) -> Tag | None:
    """The tag of this name, upper and lower case alike."""
    return await queries.tag_by_name(" ".join(name.split()))


def checked(name: str) -> str:
    """The name as it is kept. Raises Invalid for one that is empty, too long or holds a comma."""
    name = " ".join(name.split())
    if not name or len(name) > LONGEST or "," in name:
        raise Invalid(_("A tag has 1 to %(most)s characters, and no comma.", most=LONGEST), field="tag")
    return name


async def ensure(name: str) -> Tag:
    """The tag of this name, made when there is none, kept from going for the rest of the current transaction."""
    name, found, is_new = checked(name), None, False
    while found is None:  # again, when the one there is goes meanwhile
        is_new = await queries.insert_tag(public_id(), name, clock.now())
        named = await queries.tag_by_name(name)
        found = named if named is not None and await queries.share_tag(named.id) else None
    if is_new:
        await audit.record("tag.create", "tag", found.public_id, after={"name": name}, summary=name)
    return found


async def create(name: str) -> Tag:
    """Make a tag, or find the one of this name."""
    async with db.transaction():
        return await ensure(name)


async def add(person: User, name: str) -> bool:
    """Mark a person; False when they are marked so. Raises Conflict for a closed account."""
    async with db.transaction():
        tag = await ensure(name)
        return await give(await people.open_one(person), tag)


async def give(person: User, tag: Tag) -> bool:
    """Mark a person with a tag that the caller keeps from going, in the current transaction; False when they have it."""
    if not await queries.add_tag(person.id, tag.id):
        return False
    await audit.record("people.tag", "person", person.public_id, after={"tag": tag.name})
    return True


async def remove(person: User, tag_id: str) -> Tag | None:
    """Take a tag from a person; None when they did not have it. Raises NotFound."""
    async with db.transaction():
        tag = await find(tag_id)
        return tag if await take(person, tag) else None


async def take(person: User, tag: Tag) -> bool:
    """Take a tag from a person, in the current transaction; False when they did not have it."""
    if not await queries.remove_tag(person.id, tag.id):
        return False
    await audit.record("people.untag", "person", person.public_id, before={"tag": tag.name})
    return True


async def rename(tag_id: str, name: str) -> None:
    """Give a tag another name. Raises NotFound, Invalid for a name that another one has."""
    name = checked(name)
    async with db.transaction():
        tag = await _locked(tag_id)
        if tag.name != name:
            try:
                async with db.transaction():  # a savepoint
                    await queries.rename_tag(tag.id, name)
            except UniqueViolationError:
                words = _("There is a tag of this name already. Merge the two instead.")
                raise Invalid(words, field="tag") from None
            await audit.record(
                "tag.rename", "tag", tag_id, before={"name": tag.name}, after={"name": name}, summary=name
            )


async def merge(tag_id: str, into_id: str) -> Tag:
    """Give everybody with one tag the other, and remove the first. Raises NotFound, Invalid for the same."""
    if tag_id == into_id:
        raise Invalid(_("Choose another tag to merge it into."))
    async with db.transaction():
        locked = {tag.public_id: tag for tag in await queries.lock_tags([tag_id, into_id])}
        tag, into = locked.get(tag_id), locked.get(into_id)
        if tag is None or into is None:
            raise NotFound(_("There is no such tag."))
        moved = await queries.move_tagged(tag.id, into.id)
        await queries.delete_tag(tag.id)
        await audit.record(
            "tag.merge",
            "tag",
            into_id,
            before={"name": tag.name},
            after={"name": into.name, "people": moved},
            summary=tag.name,
        )
    return into


async def delete(tag_id: str) -> Tag:
    """Remove a tag from everybody, for good. Raises NotFound."""
    async with db.transaction():
        await _locked(tag_id)
        tag = await find(tag_id)
        await queries.delete_tag(tag.id)
        await audit.record(
            "tag.delete", "tag", tag_id, before={"name": tag.name, "people": tag.people}, summary=tag.name
        )
    return tag


async def _locked(tag_id: str) -> Tag:
    found = await queries.lock_tags([tag_id])
    if not found:
        raise NotFound(_("There is no such tag."))
    return found[0]
