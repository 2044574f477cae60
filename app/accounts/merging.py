"""Two accounts of one person become one: what the closed account had moves to the kept one, in one transaction.

Each domain moves what it owns, in a step that it registers in its room `merging.py`:

    merging.register(merging.Step("learning", preview=..., move=...))

A step runs inside the transaction of the merge, on two accounts that are locked, in the order of the domains; when one
raises, nothing has happened. `preview` says in sentences what `move` would do.

How somebody signs in does not move: passwords, passkeys, authenticator apps and accounts elsewhere of the closed account
end with it, so that nobody who could enter only that one enters the kept one.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from app.accounts import bulk, claims, erasures, people, queries
from app.accounts.models import SignedIn, User
from app.accounts.queries import merging as merges
from app.accounts.queries import people as people_queries
from app.accounts.roles import covers, outranks
from app.core import audit, db, mail, personal
from app.core.errors import Conflict, Forbidden, NotFound
from app.core.i18n import _, ngettext
from app.core.personal import Subject


@dataclass(frozen=True, slots=True)
class Step:
    """What one domain moves. Both take the ids of the closed account and of the kept one.

    `preview` answers with sentences; `move` with how many of what it moved, for the audit log.
    """

    name: str
    preview: Callable[[int, int], Awaitable[list[str]]]
    move: Callable[[int, int], Awaitable[Mapping[str, int]]]


@dataclass(frozen=True, slots=True)
class Duplicate:
    """An account that may be of the same person. `why` is address or name."""

    user: User
    why: str


_steps: dict[str, Step] = {}


def register(step: Step) -> None:
    """Add a domain's step; once a process."""
    if step.name in _steps and _steps[step.name] is not step:
        raise RuntimeError(f"two steps of merging are called {step.name}")
    _steps[step.name] = step


# Who may be the same person


async def likely(person: User) -> list[Duplicate]:
    """Accounts that look like the same person's: the same address but for dots and tags, or the same name with an
    address that is alike. The likeliest come first.
    """
    found = [Duplicate(other, likeness(person, other)) for other in await merges.alike(person.id)]
    return sorted((one for one in found if one.why), key=lambda one: (one.why != "address", one.user.id))


def likeness(one: User, other: User) -> str:
    """Why two accounts may be one person's: address, name, or "" for no reason."""
    if plain_address(one.email) == plain_address(other.email):
        return "address"
    if one.name.casefold() != other.name.casefold():
        return ""
    first, second = _letters(one.email), _letters(other.email)
    shorter, longer = sorted((first, second), key=len)
    is_alike = (len(shorter) >= 3 and shorter in longer) or SequenceMatcher(None, first, second).ratio() >= 0.6
    return "name" if is_alike else ""


def plain_address(email: str) -> str:
    """An address without what many providers overlook, as the function of that name in migration 0031."""
    local, _at, domain = email.lower().partition("@")
    return f"{local.partition('+')[0].replace('.', '')}@{domain.replace('googlemail.com', 'gmail.com')}"


def _letters(email: str) -> str:
    local = email.lower().partition("@")[0].partition("+")[0]
    return "".join(character for character in local if character.isalpha())


# Merging


def hindrance(gone: User, kept: User, by: SignedIn | User) -> str:
    """Why these two cannot be merged by this person; "" when they can."""
    if gone.id == kept.id:
        return _("These are the same account.")
    if by.id in (gone.id, kept.id):
        return _("You cannot do this to yourself. Ask somebody else of the team.")
    if not outranks(by, gone) or not covers(by, kept):
        return _("Your role does not allow this.")
    if "merged" in (gone.state, kept.state):
        return _("One of them was merged before.")
    if gone.state != "active" or kept.state != "active":
        return _("One of them is suspended. Let the person in again first, if that is right.")
    if gone.email_verified_at is not None and kept.email_verified_at is None:
        return _("Keep the account whose address is confirmed: anybody could have made the other one.")
    return ""


async def hindrance_now(gone: User, kept: User, by: SignedIn | User) -> str:
    """The same, with what only the database knows."""
    why_not = hindrance(gone, kept, by)
    if not why_not and (await erasures.of(gone.id) or await erasures.of(kept.id)):
        return _("One of them asked to be forgotten. Take that back first, or leave it to go on.")
    return why_not


async def preview(gone: User, kept: User) -> list[str]:
    """What would move, in sentences, domain by domain."""
    said = [sentence for step in _steps.values() for sentence in await step.preview(gone.id, kept.id)]
    found = await merges.noted(gone.id)
    if found.notes:
        said.append(ngettext("%(num)s note of the team moves.", "%(num)s notes of the team move.", found.notes))
    if found.tags:
        said.append(ngettext("%(num)s tag moves.", "%(num)s tags move.", found.tags))
    return said


async def merge(gone_id: str, kept_id: str, *, by: SignedIn) -> User:
    """Close one account for good and give what it had to the other; the kept one.

    An owner is only closed by another owner, who acts and is neither of the two, so one always stays. Raises NotFound,
    Forbidden for who may not decide about both, and Conflict for accounts that cannot be merged (any more).
    """
    async with db.transaction():
        gone, kept = await _locked(gone_id, kept_id, by)
        moved = {"notes": await merges.move_notes(gone.id, kept.id), "tags": await merges.move_tags(gone.id, kept.id)}
        for step in _steps.values():
            moved |= await step.move(gone.id, kept.id)
        # A password that proved nothing must not open what comes now (see users.ensure).
        await bulk.claim([kept.id], invite=True)
        await claims.keep_address(gone.id)  # the mails that ask for another one may be on their way
        await merges.end_ways_in(gone.id)
        await merges.complete_profile(gone.id, kept.id)
        await merges.close(gone.id, kept.id)
        told = {name: count for name, count in moved.items() if count}
        await audit.record(
            "people.merge",
            "person",
            gone.public_id,
            before={"state": gone.state, "role": gone.role},
            after={"state": "merged", "role": "member", "into": kept.public_id},
            summary=kept.email,
        )
        await audit.record(
            "people.merge", "person", kept.public_id, after={"from": gone.public_id, **told}, summary=gone.email
        )
        for person in (gone, kept):
            await _tell(person, gone, kept, fact=f"merged:{gone.id}:{person.id}")
    return kept


async def _locked(gone_id: str, kept_id: str, by: SignedIn) -> tuple[User, User]:
    ids = [(await people.find(gone_id)).id, (await people.find(kept_id)).id]
    await people_queries.hold_tags_of(ids)
    locked = {one.id: one for one in await queries.lock_users([*ids, by.id])}
    actor, gone, kept = locked.get(by.id), locked.get(ids[0]), locked.get(ids[1])
    if gone is None or kept is None:
        raise NotFound(_("There is no such person."))
    if actor is None or actor.state != "active" or actor.role != by.role:
        raise Forbidden(_("Your role does not allow this."))
    why_not = await hindrance_now(gone, kept, actor)
    if why_not:
        may = actor.id not in ids and outranks(actor, gone) and covers(actor, kept)
        raise Conflict(why_not) if may else Forbidden(why_not)
    return gone, kept


async def kept_for(user_id: int) -> User | None:
    """The account into which this one was merged."""
    return await queries.kept_for(user_id)


async def remind(gone: User, *, ask: str) -> None:
    """Somebody wants to enter by an address whose account was merged: its mailbox hears which address counts."""
    kept = await kept_for(gone.id)
    if kept is not None:
        await _tell(gone, gone, kept, fact=f"merged_asked:{ask}")


async def _tell(person: User, gone: User, kept: User, *, fact: str) -> None:
    context = {"name": person.name, "gone": gone.email, "kept": kept.email, "is_kept": person.id == kept.id}
    await mail.send(person.email, "accounts/merged", context, fact=fact)


# What the kept account stands for: whoever asks what the school knows of them, or to be forgotten, means both.


@personal.knows("merged")
async def former_accounts(subject: Subject) -> list[str]:
    """What the accounts were called that were merged into this one. An address that nobody proved may be anybody's."""
    merged = await merges.merged_in(subject.id)
    return [one.name for one in merged] + [one.email for one in merged if one.email_verified_at is not None]


@personal.exports("merged")
async def merged_accounts(subject: Subject) -> AsyncIterator[Mapping[str, Any]]:
    """Accounts of yours that were merged into this one."""
    for one in await merges.merged_in(subject.id):
        yield {"id": one.public_id, "email": one.email, "name": one.name, "made": one.created_at}


@personal.erases("merged")
async def forget_merged(subject: Subject) -> None:
    """All that is done for the account is done for those that were merged into it."""
    steps = [name for name in personal.ERASURES if name not in ("merged", erasures.LAST)]
    for one in await merges.merged_in(subject.id):
        former = Subject(one.id, one.public_id, one.email, one.name, subject.words)
        for name in (*steps, erasures.LAST):
            await personal.ERASURES[name](former)
