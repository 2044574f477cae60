"""Forms and their versions: made, edited, undone and done again, published, closed.

Each edit is a version with its parent; `head` is what the builder shows, `live` what visitors answer.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from app.core import audit, clock, db
from app.core.errors import Conflict, Invalid, NotFound
from app.core.i18n import _
from app.core.ids import public_id
from app.core.numbers import whole_number
from app.courses.models import free_slug, is_slug, slug_of
from app.formbuilder.definition import definitions, readings
from app.formbuilder.models import Definition, Form
from app.formbuilder.queries import contests, history
from app.formbuilder.queries import forms as queries
from app.web.request import Visitor

# Edits of one person to one field within this time are one version.
TOGETHER = timedelta(minutes=1)
# Versions that were never published or answered are kept for this long, and the newest of each form for ever.
KEPT_FOR, KEPT_NEWEST = timedelta(days=90), 200
_SWEPT_AT_ONCE = 500


async def find(public_id: str) -> Form:
    """The form with what the builder shows. Raises NotFound."""
    form = await queries.form_by_public_id(public_id)
    if form is None:
        raise NotFound
    return form


async def create(definition: Definition, *, by: Visitor | None) -> Form:
    """A new draft with this definition."""
    now, who = clock.now(), by.id if by is not None else None
    async with db.transaction():
        slug = free_slug(slug_of(definition.title), await queries.slugs_like(slug_of(definition.title)))
        form_id = await queries.insert_form(public_id(), slug, definition.title, who, now)
        version_id = await queries.insert_version(
            form_id, None, definitions.write_definition(definition), _("Made"), "", who, now
        )
        await queries.set_head(form_id, version_id, definition.title, now)
        form = await _locked(form_id)
        await audit.record("form.create", "form", form.public_id, after={"title": form.title}, summary=form.title)
    return form


async def edit(
    form_id: int, change: Callable[[Definition], Definition], *, words: str, subject: str = "", by: Visitor
) -> Form:
    """Make the next version of what the builder shows. `words` say what changed, `subject` to which field.

    `change` gets what is there now, which may be newer than what the editor saw: it names fields by id, and raises
    Conflict for one that is gone.
    """
    now = clock.now()
    async with db.transaction():
        form = await _locked(form_id)
        before = readings.of(form)
        after = change(before)
        if after == before:
            return form
        stored = definitions.write_definition(after)
        if await queries.amend_version(form.head_id, stored, subject=subject, by=by.id, since=now - TOGETHER, now=now):
            await queries.set_head(form_id, form.head_id, after.title, now)
            return await _locked(form_id)
        return await _next(form, after, words, subject, by)


async def _next(form: Form, definition: Definition, words: str, subject: str, by: Visitor) -> Form:
    """Put a new version behind what the builder shows, which is locked."""
    now, stored = clock.now(), definitions.write_definition(definition)
    head = await queries.insert_version(form.id, form.head_id, stored, words, subject, by.id, now)
    await queries.set_head(form.id, head, definition.title, now)
    return await _locked(form.id)


async def undo(form_id: int, *, at: int | None = None, of: int | None = None) -> Form:
    """Go back to what the version was made from. Raises Conflict when it is the first.

    `at` is the version that a page showed: where the builder shows another by now (a double click), nothing happens. `of` is the
    only one that is meant: nothing happens where it is taken back already; Conflict, where something was changed since.
    """
    return await _step(form_id, "parent_id", at, of)


async def redo(form_id: int, *, at: int | None = None) -> Form:
    """Go on to what was made from the version last; `at` as in `undo`. Raises Conflict when nothing was."""
    return await _step(form_id, "child_id", at)


async def restore(form_id: int, number: int, *, by: Visitor) -> Form:
    """Make an older version's definition the newest, whether what is there now can be read or not. Raises NotFound, and
    Unreadable when the older one cannot."""
    old = await queries.version(form_id, number) if number < 2**31 else None
    if old is None:
        raise NotFound
    definition = readings.of(old)
    async with db.transaction():
        form = await _locked(form_id)
        if form.definition == definitions.write_definition(definition):
            return form
        return await _next(form, definition, _("Restored version %(n)s", n=number), "", by)


async def publish(form_id: int, *, seen: str = "", by: Visitor | None = None) -> Form:
    """Let visitors answer what the builder shows. Raises Invalid while something is wrong with it, Conflict where somebody else
    changed it since the page that shows `seen` (`state_of`).
    """
    async with db.transaction():
        form = await _locked(form_id)
        if form.state == "open" and form.live_id == form.head_id:
            return form
        await check_seen(form, seen, by)
        wrong = [each for each in definitions.problems(readings.of(form)) if each.level == "error"]
        if wrong:
            raise Invalid(wrong[0].sentence, field=wrong[0].field or None)
        if await contests.running(form_id) is not None:
            raise Invalid(_("Two versions are being tried against each other. End the trial first."))
        await queries.publish_head(form_id, clock.now())
        await audit.record(
            "form.publish", "form", form.public_id, before={"state": form.state},
            after={"state": "open", "version": form.number}, summary=form.title,
        )  # fmt: skip
        return await _locked(form_id)


def state_of(form: Form) -> str:
    """A short text that differs once the form was changed; pages carry it."""
    return f"{form.number}-{form.updated_at.timestamp():.6f}"


async def check_seen(form: Form, seen: str, by: Visitor | None) -> None:
    """Raise Conflict where somebody else than `by` changed the form, which is locked, since it was `seen`. Edits of one's own may
    still be under way when a button is pressed."""
    if not seen or seen == state_of(form):
        return
    number, _dash, moment = seen.partition("-")
    try:
        at = datetime.fromtimestamp(float(moment), UTC)
    except (ValueError, OverflowError, OSError):
        at = form.created_at
    if await history.was_changed(form.id, whole_number(number) or 0, at, by.id if by is not None else None):
        raise Conflict(
            _("Somebody else changed this form since you opened it. Look at what is there now, and do it then.")
        )


async def close(form_id: int) -> Form:
    """Take no more entries. What was answered stays."""
    return await _move(form_id, "closed", ["open"])


async def reopen(form_id: int) -> Form:
    """Take entries again, for the version that was live. Raises Conflict for a form that is not closed."""
    return await _move(form_id, "open", ["closed"])


async def archive(form_id: int) -> Form:
    """Out of the way; nobody finds it any more, and nothing is lost."""
    return await _move(form_id, "archived", ["draft", "open", "closed"])


async def unarchive(form_id: int) -> Form:
    """Back among the others; closed, or a draft if it never was published."""
    form = await queries.lock_form(form_id)
    return await _move(form_id, "closed" if form is not None and form.live_id else "draft", ["archived"])


async def move_to(form_id: int, slug: str) -> Form:
    """Give the form another address. Raises Invalid for one that cannot be or that somebody has."""
    if not is_slug(slug):
        raise Invalid(_("Small letters, digits and hyphens only."), field="slug")
    async with db.transaction():
        form = await _locked(form_id)
        if slug == form.slug:
            return form
        if slug in await queries.slugs_like(slug):
            raise Invalid(_("Another form has this address."), field="slug")
        await queries.set_slug(form_id, slug, clock.now())
        await audit.record("form.move", "form", form.public_id, before={"slug": form.slug}, after={"slug": slug})
        return await _locked(form_id)


async def _locked(form_id: int) -> Form:
    form = await queries.lock_form(form_id)
    if form is None:
        raise NotFound
    return form


async def _step(form_id: int, towards: str, at: int | None, of: int | None = None) -> Form:
    async with db.transaction():
        form = await _locked(form_id)
        if of is not None and form.number != of:
            if await queries.parent_of(form_id, of) == form.head_id:  # taken back already: a button is pressed twice
                return form
            raise Conflict(_("Something was changed after it. Take that back first."))
        if at is not None and form.number != at:
            return form
        around = await queries.around(form.head_id)
        target = getattr(around, towards) if around is not None else None
        if target is None:
            raise Conflict(_("There is nothing to undo.") if towards == "parent_id" else _("There is nothing to redo."))
        await queries.set_head(form_id, target, form.title, clock.now())
        moved = await _locked(form_id)
        await queries.set_head(form_id, target, readings.of(moved).title, clock.now())
        return await _locked(form_id)


async def _move(form_id: int, state: str, before: list[str]) -> Form:
    async with db.transaction():
        form = await _locked(form_id)
        if not await queries.set_state(form_id, state, before, clock.now()):
            raise Conflict(_("Somebody else changed this form. Look at it again."))
        await audit.record(
            f"form.{state}", "form", form.public_id, before={"state": form.state}, after={"state": state},
            summary=form.title,
        )  # fmt: skip
        return await _locked(form_id)


async def of_entry(form_id: str, entry_id: str) -> Form:
    """The form with the version that one of its entries answered. Raises NotFound."""
    form = await queries.form_of_entry(form_id, entry_id)
    if form is None:
        raise NotFound
    return form


async def sweep() -> int:
    """Delete old versions that nobody needs any more; how many."""
    gone = 0
    while swept := await history.delete_old_versions(clock.now() - KEPT_FOR, KEPT_NEWEST, _SWEPT_AT_ONCE):
        gone += swept
    return gone
