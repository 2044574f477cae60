"""The roles that a school makes for itself: sets of capabilities with a name. Every change is in the audit log.

Nobody makes, changes, gives or removes a role that holds more than they do. Locks are taken on roles first, then people.
"""

import re
from collections.abc import Sequence
from typing import Any

from asyncpg import UniqueViolationError

from app.accounts import queries
from app.accounts.models import Role, SignedIn, User
from app.accounts.queries import roles as role_queries
from app.accounts.roles import CAPABILITIES, LABELS, ROLES, Held, Holder, may_give, outranks, with_needed
from app.core import audit, clock, db
from app.core.errors import Conflict, Forbidden, Invalid, NotFound
from app.core.i18n import _
from app.core.ids import public_id


async def every() -> list[Role]:
    """The roles of the school, by name."""
    return await role_queries.roles()


async def holders() -> dict[str, int]:
    """How many people hold each role, but for members: those are the rest."""
    return await role_queries.holders()


async def find(key: str) -> Role:
    """The role with this key. Raises NotFound, also for the built-in ones: those are code."""
    found = await role_queries.role(key)
    if found is None:
        raise NotFound(_("There is no such role."))
    return found


async def labels() -> dict[str, Any]:
    """What each role is called, the built-in ones first."""
    return {**LABELS, **{role.key: role.name for role in await every()}}


def to_give(by: Holder, roles: Sequence[Role]) -> list[tuple[str, str]]:
    """The roles that this person may give to somebody: key and name."""
    found = [(key, str(label)) for key, label in LABELS.items() if may_give(by, key, ROLES[key])]
    return found + [(role.key, role.name) for role in roles if may_give(by, role.key, role.capabilities)]


async def held_by(key: str) -> int:
    """How many people hold this role."""
    return await role_queries.held_by(key)


async def create(*, name: str, description: str, capabilities: Sequence[str], by: SignedIn) -> Role:
    """Make a role. Raises Invalid for a taken name and Forbidden for capabilities that `by` does not hold."""
    wanted = _ordered(capabilities)
    async with db.transaction():
        actor = await locked_actor(by)
        _check_may_give(actor, "", wanted)
        await _check_name(name, but="")
        key = _key_from(name)
        made = await role_queries.insert_role(
            key=key, name=name, description=description, capabilities=wanted, now=clock.now()
        )
        if not made:
            raise _name_is_taken()
        role = await find(key)
        await audit.record("role.create", "role", key, after=_facts(role), summary=name)
    return role


async def change(
    key: str, *, name: str, description: str, capabilities: Sequence[str], revision: int, by: SignedIn
) -> int:
    """Change a role; how many people were signed out by it, since what they may do has changed.

    Raises Invalid, NotFound, Forbidden, and Conflict when somebody else changed it since `revision`.
    """
    wanted = _ordered(capabilities)
    async with db.transaction():
        role = await _locked(key)
        actor = await locked_actor(by)
        await _check_may_change(actor, role)
        _check_may_give(actor, key, wanted)
        await _check_name(name, but=key)
        if (role.name, role.description, _ordered(role.capabilities)) == (name, description, wanted):
            return 0
        try:
            async with db.transaction():  # a savepoint: another role may be called so by now
                is_changed = await role_queries.update_role(
                    key, revision, name=name, description=description, capabilities=wanted, now=clock.now()
                )
        except UniqueViolationError:
            raise _name_is_taken() from None
        if not is_changed:
            raise Conflict(_("Somebody else has changed this role meanwhile. Open it again and look."))
        after = await find(key)
        await audit.record("role.change", "role", key, before=_facts(role), after=_facts(after), summary=name)
        if set(wanted) == set(role.capabilities):
            return 0
        return await role_queries.delete_sessions_of_holders(key)


async def delete(key: str, *, move_to: str = "", by: SignedIn) -> int:
    """Remove a role; how many people got the role `move_to` instead (they are signed out).

    Raises Invalid when somebody holds it and `move_to` names no role that `by` may give.
    """
    async with db.transaction():
        locked = {role.key: role for role in await role_queries.lock_roles([key, move_to])}
        role = locked.get(key)
        if role is None:
            raise NotFound(_("There is no such role."))
        await role_queries.lock_holders(key, by.id)
        actor = await locked_actor(by)
        await _check_may_change(actor, role)
        moved: list[str] = []
        if await role_queries.held_by(key):
            choices = dict(to_give(actor, list(locked.values())))
            if move_to == key or move_to not in choices:
                raise Invalid(_("Choose the role that its people get instead."), field="move_to")
            await role_queries.delete_sessions_of_holders(key)
            moved = await role_queries.move_holders(key, move_to)
            for person_id in moved:
                await audit.record(
                    "people.role", "person", person_id, before={"role": key}, after={"role": move_to}, summary=role.name
                )
        await role_queries.delete_role(key)
        await audit.record("role.delete", "role", key, before=_facts(role), summary=role.name)
    return len(moved)


async def shared(key: str) -> frozenset[str]:
    """What a role holds, built-in or not, kept as it is for the rest of the transaction. Raises Invalid."""
    if key in ROLES:
        return ROLES[key]
    role = await role_queries.share_role(key)
    if role is None:
        raise Invalid(_("Choose one of the list."), field="role")
    return frozenset(role.capabilities)


async def held(key: str) -> frozenset[str] | None:
    """The same, or None for a role that is gone."""
    if key in ROLES:
        return ROLES[key]
    role = await role_queries.share_role(key)
    return None if role is None else frozenset(role.capabilities)


async def locked_actor(by: SignedIn) -> User:
    """Who acts, locked, as they stand now. Raises Forbidden when they may not act any more."""
    found = await queries.lock_users([by.id])
    if not found or found[0].state != "active" or found[0].role != by.role:
        raise Forbidden(_("Your role does not allow this."))
    return found[0]


async def _locked(key: str) -> Role:
    found = await role_queries.lock_roles([key])
    if not found:
        raise NotFound(_("There is no such role."))
    return found[0]


def may_change(actor: Holder, role: Role, *, is_held: bool) -> bool:
    """Whether this person may change or remove the role: not their own, none that holds more than they do, and none of
    fellows, who keep each other's rights (`roles.outranks`).
    """
    held = Held(role.key, frozenset(role.capabilities))
    may = outranks(actor, held) if is_held else may_give(actor, role.key, role.capabilities)
    return actor.role != role.key and may


async def _check_may_change(actor: User, role: Role) -> None:
    if actor.role == role.key:
        raise Forbidden(_("You cannot change your own role. Ask somebody else of the team."))
    _check_may_give(actor, role.key, role.capabilities)
    if not may_change(actor, role, is_held=bool(await role_queries.held_by(role.key))):
        raise Forbidden(_("Somebody who may do as much as you holds this role. Ask an owner to change it."))


def _check_may_give(actor: User, key: str, capabilities: Sequence[str]) -> None:
    if not may_give(actor, key, capabilities):
        raise Forbidden(_("You cannot give more than you may do yourself."))


async def _check_name(name: str, *, but: str) -> None:
    taken = name.lower() in {str(label).lower() for label in LABELS.values()}
    if taken or await role_queries.is_name_taken(name, but=but):
        raise _name_is_taken()


def _name_is_taken() -> Invalid:
    return Invalid(_("There is a role of this name already."), field="name")


def _ordered(capabilities: Sequence[str]) -> list[str]:
    """With those that they need, in the order of the page; what the product does not know is left out."""
    wanted = with_needed(capabilities)
    return [name for name in CAPABILITIES if name in wanted]


def _key_from(name: str) -> str:
    words = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40].strip("-")
    tail = re.sub(r"[^a-z0-9]", "", public_id().lower())[:4]
    return f"{words or 'role'}-{tail or '0'}"


def _facts(role: Role) -> dict[str, Any]:
    return {"name": role.name, "description": role.description, "capabilities": role.capabilities}
