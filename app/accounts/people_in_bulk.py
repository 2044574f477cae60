"""What the office does to many people at once (app/web/tables/bulk.py): each act judges all, then acts on locked rows.

Nobody is touched who can do more than whoever acts, nor that person themselves, but for tags, which give no rights.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.accounts import custom_roles, people, queries, tags
from app.accounts.forms import BulkReasonForm, BulkRoleForm, BulkTagForm
from app.accounts.models import Role, SignedIn, User
from app.accounts.queries import lists
from app.accounts.queries import people as people_queries
from app.accounts.roles import (
    LABELS,
    ROLES,
    Held,
    Holder,
    Rule,
    capabilities_of,
    covers,
    may_give,
    may_help_in,
    outranks,
)
from app.core import clock
from app.core.errors import Forbidden
from app.core.i18n import _, lazy, ngettext
from app.web.tables import Choice, bulk
from app.web.tables.acts import Act, Bulk, Outcome, Plan
from app.web.tables.declaration import Choices, Text

_CHANGED = lazy("has changed since")
_WHOM: dict[str, Text] = {
    "self": lazy("is yourself"),
    "above": lazy("may do more than you"),
    "closed": lazy("is a closed account"),
}


_CLOSED = "(u.state NOT IN ('active', 'suspended') OR u.erased_at IS NOT NULL)"


async def choices() -> Choices:
    """The choices of the list's filters that only the database knows."""
    own, every_tag = await lists.roles_and_tags()
    return filters(own, every_tag)


def filters(own_roles: Mapping[str, str], every_tag: Sequence[Any]) -> Choices:
    """The same, of roles and tags that were read."""
    labels: dict[str, Any] = {**LABELS, **own_roles}
    return {
        "role": [*(Choice(key, label) for key, label in labels.items()), lists.TEAM],
        "tag": lists.tag_choices(list(every_tag)),
    }


def _judged(person: Holder, roles: Sequence[Role], own: str, rule: Rule) -> tuple[str, dict[str, Any]]:
    """SQL that says of whom the act keeps its hands off; `own` adds the act's cases."""
    every = [Held(key, ROLES[key]) for key in ROLES]
    every += [Held(role.key, capabilities_of(role.key, role.capabilities)) for role in roles]
    covered = [held.role for held in every if rule(person, held)]
    sql = f"""CASE WHEN {_CLOSED} THEN 'closed' WHEN u.id = :me THEN 'self' WHEN NOT u.role = ANY(CAST(:covered AS text[])) THEN 'above'
              {own} ELSE '' END"""
    return sql, {"covered": covered}


Deed = Callable[[User, User], Awaitable[Outcome]]


async def _each(
    ids: Sequence[int], actor_id: int, capability: str, deed: Deed, *, about: bool = True, rule: Rule = covers
) -> dict[int, Outcome]:
    """Do something to each of these, locked together with who acts, as all of them stand now. `about`: it touches what
    they may do, so that it has to be somebody else whom `rule` lets who acts decide about.
    """
    locked = {one.id: one for one in await queries.lock_users([*ids, actor_id])}
    actor = locked.get(actor_id)
    if actor is None or actor.state != "active" or not actor.can(capability):
        return dict.fromkeys(ids, Outcome("right"))
    found = {}
    for each in ids:
        subject = locked.get(each)
        if subject is None:
            continue
        if subject.is_closed:
            found[each] = Outcome("closed")
        elif about and subject.id == actor.id:
            found[each] = Outcome("self")
        elif about and not rule(actor, subject):
            found[each] = Outcome("above")
        else:
            found[each] = await deed(subject, actor)
    return found


@dataclass(frozen=True)
class _PeopleAct:
    """An act with nothing to choose but, sometimes, a reason to write."""

    key: str
    label: Text
    capability: str
    reasons: Mapping[str, Text]
    returns: bool
    # The act's own cases, after those of `_judged`.
    cases: str
    sentence: Callable[[int], str]
    deed: Callable[[User, dict[str, Any]], Awaitable[Outcome]]
    undeed: Callable[[User, Any], Awaitable[Outcome]] | None = None
    asks_why: bool = False
    rule: Rule = covers

    async def plan(self, person: SignedIn, sent: Any) -> Plan:
        reason, binds = _judged(person, await custom_roles.every(), self.cases, self.rule)
        form = BulkReasonForm(sent) if self.asks_why else None
        options = {"reason": form.reason.data or ""} if form is not None else {}
        return Plan(self.sentence, reason, {**binds, "me": person.id}, form, options)

    async def begin(self, options: dict[str, Any], person: SignedIn) -> dict[str, Any]:
        return options

    async def carry_out(self, ids: Sequence[int], options: dict[str, Any], actor_id: int) -> Mapping[int, Outcome]:
        async def deed(subject: User, _actor: User) -> Outcome:
            return await self.deed(subject, options)

        return await _each(ids, actor_id, self.capability, deed, rule=self.rule)

    async def take_back(
        self, before: Mapping[int, Any], options: dict[str, Any], actor_id: int
    ) -> Mapping[int, Outcome]:
        undeed = self.undeed
        assert undeed is not None

        async def deed(subject: User, _actor: User) -> Outcome:
            return await undeed(subject, before[subject.id])

        return await _each(list(before), actor_id, self.capability, deed, rule=self.rule)


@dataclass(frozen=True)
class _TagAct:
    """Giving everybody a tag, or taking it."""

    key: str
    label: Text
    gives: bool
    capability: str = "people.notes"
    returns: bool = True

    @property
    def reasons(self) -> Mapping[str, Text]:
        return {
            "closed": _WHOM["closed"],
            "already": lazy("has it already") if self.gives else lazy("does not have it"),
            "tag": lazy("the tag is gone"),
        }

    async def plan(self, person: SignedIn, sent: Any) -> Plan:
        form = BulkTagForm(sent)
        form.known = [tag.name for tag in await tags.every()]
        form.must_exist = not self.gives
        if not sent or not form.validate():
            return Plan(self._sentence(""), form=form, suggestions=form.known)
        tag = await tags.named(form.tag.data)
        name = tag.name if tag is not None else form.tag.data
        has = "EXISTS (SELECT 1 FROM user_tags x WHERE x.user_id = u.id AND x.tag_id = :tag)"
        reason = (
            f"CASE WHEN {_CLOSED} THEN 'closed' WHEN {has if self.gives else 'NOT ' + has} THEN 'already' ELSE '' END"
        )
        return Plan(self._sentence(name), reason, {"tag": tag.id if tag is not None else 0}, form, {"tag": name}, True)

    def _sentence(self, name: str) -> Callable[[int], str]:
        def said(number: int) -> str:
            if self.gives:
                return ngettext("Tag %(num)s person “%(tag)s”", "Tag %(num)s people “%(tag)s”", number, tag=name)
            return ngettext(
                "Take “%(tag)s” from %(num)s person", "Take “%(tag)s” from %(num)s people", number, tag=name
            )

        return said

    async def begin(self, options: dict[str, Any], person: SignedIn) -> dict[str, Any]:
        tag = await tags.ensure(options["tag"])
        return {"tag": tag.name, "tag_id": tag.public_id}

    async def carry_out(self, ids: Sequence[int], options: dict[str, Any], actor_id: int) -> Mapping[int, Outcome]:
        return await self._mark(ids, options, actor_id, gives=self.gives)

    async def take_back(
        self, before: Mapping[int, Any], options: dict[str, Any], actor_id: int
    ) -> Mapping[int, Outcome]:
        return await self._mark(list(before), options, actor_id, gives=not self.gives)

    async def _mark(
        self, ids: Sequence[int], options: dict[str, Any], actor_id: int, *, gives: bool
    ) -> Mapping[int, Outcome]:
        tag = await people_queries.tag_by_public_id(options["tag_id"])
        if tag is not None and not await people_queries.share_tag(tag.id):
            tag = None

        async def deed(subject: User, _actor: User) -> Outcome:
            if tag is None:
                return Outcome("tag")
            done = await tags.give(subject, tag) if gives else await tags.take(subject, tag)
            return Outcome("" if done else "already")

        return await _each(ids, actor_id, self.capability, deed, about=False)


@dataclass(frozen=True)
class _RoleAct:
    """Giving everybody a role. The role is locked before the people, as everywhere."""

    label: Text
    key: str = "role"
    capability: str = "people.roles"
    returns: bool = True

    @property
    def reasons(self) -> Mapping[str, Text]:
        return {
            **_WHOM,
            "above": lazy("may do as much as you, or more"),
            "already": lazy("has it already"),
            "give": lazy("you may not give this role"),
            "changed": _CHANGED,
        }

    async def plan(self, person: SignedIn, sent: Any) -> Plan:
        roles = await custom_roles.every()
        form = BulkRoleForm(sent)
        form.role.choices = custom_roles.to_give(person, roles)
        if not sent or not form.validate():
            return Plan(lambda number: "", form=form)
        chosen = form.role.data
        name = dict(form.role.choices)[chosen]
        reason, binds = _judged(person, roles, "WHEN u.role = :role THEN 'already'", outranks)

        def said(number: int) -> str:
            return ngettext(
                "Give %(num)s person the role %(role)s", "Give %(num)s people the role %(role)s", number, role=name
            )

        return Plan(said, reason, {**binds, "me": person.id, "role": chosen}, form, {"role": chosen}, True)

    async def begin(self, options: dict[str, Any], person: SignedIn) -> dict[str, Any]:
        capabilities = await custom_roles.shared(options["role"])
        if not may_give(await custom_roles.locked_actor(person), options["role"], capabilities):
            raise Forbidden(_("You cannot give more than you may do yourself."))
        return options

    async def carry_out(self, ids: Sequence[int], options: dict[str, Any], actor_id: int) -> Mapping[int, Outcome]:
        capabilities = await custom_roles.held(options["role"])

        async def deed(subject: User, actor: User) -> Outcome:
            if capabilities is None or not may_give(actor, options["role"], capabilities):
                return Outcome("give")
            before = {"role": subject.role}
            return Outcome("", before) if await people.give_role(subject, options["role"]) else Outcome("already")

        return await _each(ids, actor_id, self.capability, deed, rule=outranks)

    async def take_back(
        self, before: Mapping[int, Any], options: dict[str, Any], actor_id: int
    ) -> Mapping[int, Outcome]:
        roles = {key: await custom_roles.held(key) for key in sorted({one["role"] for one in before.values()})}

        async def deed(subject: User, actor: User) -> Outcome:
            old = before[subject.id]["role"]
            capabilities = roles[old]
            if subject.role != options["role"]:
                return Outcome("changed")
            if capabilities is None or not may_give(actor, old, capabilities):
                return Outcome("give")
            return Outcome("" if await people.give_role(subject, old) else "changed")

        return await _each(list(before), actor_id, self.capability, deed, rule=outranks)


async def _suspend(person: User, options: dict[str, Any]) -> Outcome:
    reason = options["reason"]
    return Outcome("" if await people.shut_out(person, reason) else "already", {"reason": reason})


async def _end_suspension(person: User, before: Any) -> Outcome:
    # Let in and suspended for something else since, they stay so.
    return Outcome("" if await people.let_in(person, only_for=before.get("reason")) is not None else "changed")


async def _unsuspend(person: User, _options: dict[str, Any]) -> Outcome:
    reason = await people.let_in(person)
    return Outcome("already") if reason is None else Outcome("", {"reason": reason})


async def _suspend_again(person: User, before: Any) -> Outcome:
    return Outcome("" if await people.shut_out(person, before["reason"]) else "changed")


async def _sign_out(person: User, _options: dict[str, Any]) -> Outcome:
    ended = await people.send_away(person)
    return Outcome("" if ended.sessions or ended.tokens else "already")


async def _require_password(person: User, _options: dict[str, Any]) -> Outcome:
    done = await people.ask_for_new_password(person)
    return Outcome("" if done else "already", {"asked_by": clock.now().isoformat()})


async def _waive_password(person: User, before: Any) -> Outcome:
    # Asked again since, they have to choose one all the same.
    asked_by = datetime.fromisoformat(before["asked_by"]) if before else None
    return Outcome("" if await people.waive_new_password(person, asked_by=asked_by) else "changed")


async def _send_link(person: User, _options: dict[str, Any]) -> Outcome:
    return Outcome("" if await people.send_link(person) else "suspended")


ACTS: list[Act] = [
    _TagAct("tag", lazy("Add a tag"), gives=True),
    _TagAct("untag", lazy("Take a tag away"), gives=False),
    _PeopleAct(
        key="link",
        label=lazy("Send the link to enter"),
        capability="people.edit",
        reasons={**_WHOM, "suspended": lazy("is suspended")},
        returns=False,
        cases="WHEN u.state <> 'active' THEN 'suspended'",
        sentence=lambda number: ngettext("Mail a link to %(num)s person", "Mail a link to %(num)s people", number),
        deed=_send_link,
    ),
    _PeopleAct(
        key="suspend",
        label=lazy("Suspend"),
        capability="people.suspend",
        reasons={**_WHOM, "already": lazy("is suspended already"), "changed": _CHANGED},
        returns=True,
        cases="WHEN u.state = 'suspended' THEN 'already'",
        sentence=lambda number: ngettext("Suspend %(num)s person", "Suspend %(num)s people", number),
        deed=_suspend,
        undeed=_end_suspension,
        asks_why=True,
    ),
    _PeopleAct(
        key="unsuspend",
        label=lazy("Let in again"),
        capability="people.suspend",
        reasons={**_WHOM, "already": lazy("is not suspended"), "changed": _CHANGED},
        returns=True,
        cases="WHEN u.state <> 'suspended' THEN 'already'",
        sentence=lambda number: ngettext("Let %(num)s person in again", "Let %(num)s people in again", number),
        deed=_unsuspend,
        undeed=_suspend_again,
    ),
    _PeopleAct(
        key="sign-out",
        label=lazy("Sign out everywhere"),
        capability="people.suspend",
        reasons={**_WHOM, "already": lazy("is signed in nowhere")},
        returns=False,
        cases="""WHEN NOT EXISTS (SELECT 1 FROM sessions s WHERE s.user_id = u.id)
                  AND NOT EXISTS (SELECT 1 FROM access_tokens t WHERE t.user_id = u.id) THEN 'already'""",
        sentence=lambda number: ngettext(
            "Sign %(num)s person out everywhere", "Sign %(num)s people out everywhere", number
        ),
        deed=_sign_out,
    ),
    _PeopleAct(
        key="password",
        label=lazy("Ask for a new password"),
        capability="people.suspend",
        reasons={
            **_WHOM,
            "above": lazy("is of the team, whom only an owner helps in"),
            "already": lazy("is asked for one already, or has none"),
            "changed": _CHANGED,
        },
        returns=True,
        cases="WHEN u.password_hash IS NULL OR u.password_change_required_at IS NOT NULL THEN 'already'",
        sentence=lambda number: ngettext(
            "Ask %(num)s person for a new password", "Ask %(num)s people for a new password", number
        ),
        deed=_require_password,
        undeed=_waive_password,
        rule=may_help_in,
    ),
    _RoleAct(lazy("Change the role")),
]

PEOPLE = bulk.register(
    Bulk(
        listing=queries.PEOPLE,
        label=lazy("People"),
        needs="people.view",
        acts=ACTS,
        source="users u",
        key="u.id",
        name="u.name",
        facts=[(lazy("Name"), "u.name", ""), (lazy("Email"), "u.email", "people.export")],
        choices=choices,
    )
)
