"""Links of the office to a form: they carry values that nobody can change, and may be good for one entry only."""

from collections.abc import Mapping, Sequence

from app.core import clock, db, tokens
from app.core.errors import Conflict, Invalid, NotFound
from app.core.i18n import _
from app.core.ids import public_id
from app.formbuilder.models import Definition, Form, Link, field_of
from app.formbuilder.queries import forms as form_queries
from app.formbuilder.queries import links as queries
from app.web.request import Visitor

MOST = 500
MOST_OF_FORM = 5_000
_PURPOSE = "form-link"


async def make(
    form: Form, definition: Definition, count: int, posted: Mapping[str, Sequence[str]], *, by: Visitor
) -> None:  # fmt: skip
    """Make this many links for one entry each; 0 makes a single one that may be used by anybody, again and again.

    Raises Invalid for too many, or for values of fields that the form does not have.
    """
    if not 0 <= count <= MOST:
        raise Invalid(_("From %(low)s to %(high)s.", low=0, high=MOST), field="count")
    known = {field.id for field in definition.fields}
    strange = next((name for name in posted if field_of(name) not in known), None)
    if strange is not None:
        raise Invalid(_("There is no field “%(name)s”.", name=strange), field="values")
    async with db.transaction():
        await form_queries.lock_form(form.id)
        if await queries.count(form.id) + max(count, 1) > MOST_OF_FORM:
            raise Invalid(_("That would be too many links. Remove some first."), field="count")
        ids = [public_id() for _number in range(max(count, 1))]
        await queries.insert(form.id, ids, posted, count > 0, by.id, clock.now())


def path(form: Form, link: Link) -> str:
    """The address that somebody is given."""
    return f"/forms/{form.slug}?link={tokens.sign(link.public_id, _PURPOSE)}"


async def find(form: Form, token: str) -> Link:
    """The link behind a token. Raises NotFound for one that is none of ours, or that the office took back."""
    told = tokens.unsign(token, _PURPOSE)
    link = await queries.find(form.id, told) if isinstance(told, str) else None
    if link is None:
        raise NotFound(_("This link is not good any more. Ask whoever gave it to you for another one."))
    return link


async def use(link_id: int, entry_id: int) -> None:
    """Use a link up in the entry's own transaction. Raises Conflict when that happened before."""
    if not await queries.use(link_id, entry_id, clock.now()):
        raise Conflict(used_words())


def used_words() -> str:
    return _("This link was used already; it is good for one answer.")


def values_of(text: str) -> dict[str, list[str]]:
    """Lines of `q1 = Ann` as a browser would have posted them. Raises Invalid for a line that is not one."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if not line.strip():
            continue
        if not equals or len(value) > 1000 or len(found) >= 100:
            raise Invalid(_("A line is the id of a field, “=”, and its value."), field="values")
        found.setdefault(name.strip(), []).append(value.strip())
    return found
