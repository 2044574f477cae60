"""Saved views: filters and order of a list under a name, one's own or shared with the team, and one that opens first.

A view is an address. Who may not see a list sees none of its views, since they are drawn on the list alone.
"""

from dataclasses import dataclass
from urllib.parse import urlencode

from asyncpg import UniqueViolationError

from app.core import audit, clock, db, tokens
from app.core.errors import Forbidden, Invalid, NotFound
from app.core.i18n import _
from app.core.ids import public_id
from app.web.request import Visitor

MOST = 100
LONGEST_NAME = 60
# Beside it no other parameter stands: the list without filters, although another view opens first.
ALL = "view=all"
_PURPOSE = "list-view"


@dataclass(frozen=True, slots=True)
class View:
    """A saved view, as the person who asks for it has it."""

    id: int
    public_id: str
    list: str
    path: str
    query: str
    name: str
    owner_id: int
    is_shared: bool
    is_default: bool

    @property
    def url(self) -> str:
        """The list as it was saved."""
        return f"{self.path}?{self.query or ALL}"

    def may_change(self, person: Visitor) -> bool:
        """Whether this person may rename or remove it: one's own, and shared ones with the right to the settings."""
        return self.owner_id == person.id or (self.is_shared and person.can("settings.edit"))


@dataclass(slots=True)
class Views:
    """What `ui.views` draws: the tabs, which of them is open, and what may be saved or changed here."""

    items: list[View]
    current: View | None
    all_url: str
    is_plain: bool
    # What is on the page, signed, when it is no view yet.
    offer: str
    may_change: bool


def query_of(values: dict[str, str], sort: str) -> str:
    """The state of a list as the query of its address; the same state always as the same text."""
    return urlencode(sorted({**values, **({"sort": sort} if sort else {})}.items()))


async def of(list_name: str, person: Visitor) -> list[View]:
    """The views of a list that this person sees, by name."""
    return await db.many(
        View,
        """
        SELECT v.id, v.public_id, v.list, v.path, v.query, v.name, v.owner_id, v.is_shared,
               d.user_id IS NOT NULL AS is_default
        FROM saved_views v LEFT JOIN default_views d ON d.view_id = v.id AND d.user_id = :me
        WHERE v.list = :list AND (v.owner_id = :me OR v.is_shared)
        ORDER BY lower(v.name), v.id LIMIT :most
        """,
        list=list_name,
        me=person.id,
        most=MOST,
    )


def drawn(items: list[View], person: Visitor, list_name: str, path: str, query: str) -> Views:
    """The tabs for a list that shows `query`."""
    current = next((view for view in items if view.query == query and view.path == path), None)
    has_default = any(view.is_default for view in items)
    return Views(
        items=items,
        current=current,
        all_url=f"{path}?{ALL}" if has_default else path,
        is_plain=not query,
        offer=tokens.sign([list_name, path, query, person.id], _PURPOSE) if query and current is None else "",
        may_change=current is not None and current.may_change(person),
    )


async def save(offer: str, *, name: str, is_shared: bool, is_default: bool, by: Visitor) -> str:
    """Save what a list showed to this person (`offer` is from its page); one's own view of that name is replaced.

    Returns its address. Raises Invalid without a name, or when the page is not this person's.
    """
    found = tokens.unsign(offer, _PURPOSE, max_age=24 * 3600)
    if found is None or found[3] != by.id:
        raise Invalid(_("This page is too old. Open the list again and save the view from there."))
    list_name, path, query, _person = found
    async with db.transaction():
        await _insert(list_name, path, query, _named(name), is_shared=is_shared, is_default=is_default, by=by)
    return f"{path}?{query}"


async def _insert(
    list_name: str, path: str, query: str, name: str, *, is_shared: bool, is_default: bool, by: Visitor
) -> None:
    if (
        await db.value(
            """
            SELECT count(*) FROM saved_views
            WHERE list = :list AND owner_id = :me AND lower(name) <> lower(CAST(:name AS text))
            """,
            list=list_name,
            me=by.id,
            name=name,
        )
        >= MOST
    ):
        raise Invalid(_("You have a hundred views of this list. Remove one that you do not need."))
    view_id = await db.value(
        """
        INSERT INTO saved_views (public_id, list, path, query, name, owner_id, is_shared, created_at)
        VALUES (:public_id, :list, :path, :query, :name, :me, :is_shared, :now)
        ON CONFLICT (owner_id, list, lower(name)) DO UPDATE
            SET query = excluded.query, path = excluded.path, name = excluded.name, is_shared = excluded.is_shared
            WHERE (saved_views.query, saved_views.path, saved_views.name, saved_views.is_shared)
                  IS DISTINCT FROM (excluded.query, excluded.path, excluded.name, excluded.is_shared)
        RETURNING id
        """,
        public_id=public_id(),
        list=list_name,
        path=path,
        query=query,
        name=name,
        me=by.id,
        is_shared=is_shared,
        now=clock.now(),
    )
    if view_id is not None:
        await audit.record("view.save", "list", list_name, after={"query": query, "shared": is_shared}, summary=name)
    else:  # it is so already
        view_id = await db.value(
            "SELECT id FROM saved_views WHERE owner_id = :me AND list = :list AND lower(name) = lower(:name)",
            me=by.id,
            list=list_name,
            name=name,
        )
    await _open_first(view_id, list_name, by, is_default=is_default)


async def change(view_id: str, *, name: str, is_shared: bool, is_default: bool, by: Visitor) -> str:
    """Rename a view, share it or not, and say whether the list opens with it. Of a view that belongs to somebody else
    only the last. Returns its address. Raises NotFound and Invalid.
    """
    try:
        async with db.transaction():
            view = await _locked(view_id, by)
            if view.may_change(by):
                await _rename(view, _named(name), is_shared=is_shared)
            await _open_first(view.id, view.list, by, is_default=is_default)
    except UniqueViolationError:
        raise Invalid(_("There is a view of this name already."), field="name") from None
    return view.url


async def _rename(view: View, name: str, *, is_shared: bool) -> None:
    if (view.name, view.is_shared) == (name, is_shared):
        return
    await db.run(
        "UPDATE saved_views SET name = :name, is_shared = :is_shared WHERE id = :id",
        id=view.id,
        name=name,
        is_shared=is_shared,
    )
    await audit.record(
        "view.change",
        "list",
        view.list,
        before={"name": view.name, "shared": view.is_shared},
        after={"name": name, "shared": is_shared},
        summary=name,
    )


async def delete(view_id: str, *, by: Visitor) -> tuple[str, str]:
    """Remove a view: the list's address, and a token for `restore`. Raises NotFound and Forbidden."""
    async with db.transaction():
        view = await _locked(view_id, by)
        if not view.may_change(by):
            raise Forbidden(_("This view belongs to somebody else."))
        await db.run("DELETE FROM saved_views WHERE id = :id", id=view.id)
        await audit.record("view.remove", "list", view.list, before={"query": view.query}, summary=view.name)
    kept = [view.list, view.path, view.query, view.name, view.is_shared, view.is_default, by.id]
    return view.path, tokens.sign(kept, "removed-view")


async def restore(token: str, *, by: Visitor) -> str:
    """Take a removal back, for whoever removed it; it is theirs from then on. Returns its address.

    Raises NotFound, and Invalid when another view of theirs has the name by now.
    """
    found = tokens.unsign(token, "removed-view", max_age=24 * 3600)
    if found is None or found[6] != by.id:
        raise NotFound(_("There is nothing to take back here any more."))
    list_name, path, query, name, is_shared, is_default, _person = found
    async with db.transaction():
        taken = await db.value(
            """
            SELECT EXISTS (SELECT 1 FROM saved_views WHERE owner_id = :me AND list = :list AND lower(name) = lower(:name)
                           AND (path, query) <> (:path, :query))
            """,
            me=by.id,
            list=list_name,
            name=name,
            path=path,
            query=query,
        )
        if taken:
            raise Invalid(_("There is a view of this name already."))
        await _insert(list_name, path, query, name, is_shared=is_shared, is_default=is_default, by=by)
    return f"{path}?{query or ALL}"


async def _locked(view_id: str, by: Visitor) -> View:
    found = await db.one(
        View,
        """
        SELECT v.id, v.public_id, v.list, v.path, v.query, v.name, v.owner_id, v.is_shared,
               EXISTS (SELECT 1 FROM default_views d WHERE d.view_id = v.id AND d.user_id = :me) AS is_default
        FROM saved_views v WHERE v.public_id = :id AND (v.owner_id = :me OR v.is_shared) FOR UPDATE
        """,
        id=view_id,
        me=by.id,
    )
    if found is None:
        raise NotFound(_("There is no such view."))
    return found


async def _open_first(view_id: int, list_name: str, by: Visitor, *, is_default: bool) -> None:
    if is_default:
        await db.run(
            """
            INSERT INTO default_views (user_id, list, view_id) VALUES (:me, :list, :view)
            ON CONFLICT (user_id, list) DO UPDATE SET view_id = excluded.view_id
            """,
            me=by.id,
            list=list_name,
            view=view_id,
        )
    else:
        await db.run("DELETE FROM default_views WHERE user_id = :me AND view_id = :view", me=by.id, view=view_id)


def _named(name: str) -> str:
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_NAME:
        raise Invalid(_("Give the view a name of at most %(most)s characters.", most=LONGEST_NAME), field="name")
    return name
