"""The school's own settings: one row, edited in the back office, read on every request from a hot copy."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from app.core import audit, cache, db, reach
from app.core.errors import Stale
from app.core.i18n import _


@dataclass(frozen=True, slots=True)
class School:
    """What the owner decides about the school. `tax_percent` is part of the shown price."""

    name: str = "Lectern"
    strapline: str = ""
    description: str = ""
    hue: int = 155
    logo_url: str = ""
    currency: str = "EUR"
    time_zone: str = "UTC"
    mail_sender: str = ""
    tax_percent: str = "0"
    tax_label: str = "VAT"
    legal_line: str = ""
    # Roles whose rights sleep until the session has seen a second factor.
    second_factor_roles: list[str] = field(default_factory=list)
    # People see on their devices' page that somebody of the school looked as them.
    show_impersonations: bool = True
    # Days between asking for an erasure and its being done; years that the tax office may ask for an order.
    erasure_days: int = 14
    kept_years: int = 10
    disclaimer: str = ""
    # The front page, in the owner's words. A drawing of static/art may open it.
    home_title: str = ""
    home_lead: str = ""
    home_art: str = ""
    home_art_label: str = ""
    home_art_caption: str = ""
    # [{"mark", "text", "path"}]: what the drawing points at.
    home_key: list[dict[str, str]] = field(default_factory=list)
    home_excerpt: str = ""
    # "course-slug/lesson-slug" of the free lesson that the excerpt is from.
    home_excerpt_from: str = ""
    # [{"quote", "by"}]: what students say.
    home_voices: list[dict[str, str]] = field(default_factory=list)

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    @property
    def tax_rate(self) -> Decimal:
        return Decimal(self.tax_percent)


# Seconds. A process that is not told reads the row again after so long, whatever Redis says: its word may be lost.
LONGEST = 30.0
clock = time.monotonic

_copy: School | None = None
_copy_version: int | None = None
_read_at = 0.0
# Rises whenever the copy is dropped, so that what was read before is not kept after.
_drops = 0
# A process that hears of changes as they are committed (app.core.changes) need not ask Redis at each request.
_is_told = False


async def school() -> School:
    """The current settings, from a copy that this process is told to drop.

    A process that is not told asks Redis for their version once a request; a query follows after a change, while
    Redis is away, and at the latest after `LONGEST`. While the database is away too, the last known ones serve.
    """
    db.note_table("settings")
    known = db.known()
    if "school" in known:
        return known["school"]  # type: ignore[no-any-return]
    if _is_told and _copy is not None and _copy_version is not None:
        found = _copy
    else:
        version = await cache.version("school")
        is_good = version is not None and version == _copy_version and clock() < _read_at + LONGEST
        found = _copy if _copy is not None and is_good else await _read(version)
    known["school"] = found
    return found


async def _read(version: int | None) -> School:
    global _copy, _copy_version, _read_at
    drops, now = _drops, clock()
    try:
        stored = await db.value("SELECT value FROM settings WHERE name = 'school'") or {}
    except Exception as error:
        if _copy is None or not reach.is_lost(error):
            raise
        db.note_table("?")  # it may be of before a change: good enough to go on, not to keep
        return _copy
    found = _school_of(stored)
    if drops == _drops:
        # Redis did not answer. A process that hears of changes need not ask it: any mark that is not None will do.
        _copy, _copy_version, _read_at = found, 0 if version is None and _is_told else version, now
    return found


def drop_copy() -> None:
    """Read the row again before this process uses it: it has changed. Until then the copy is the last known one."""
    global _copy_version, _drops
    _copy_version = None
    _drops += 1


def _school_of(stored: Mapping[str, Any]) -> School:
    """The settings that this version knows, of a row that a newer one may have written."""
    names = {one.name for one in fields(School)}
    return School(**{name: value for name, value in stored.items() if name in names})


def follow(*, is_told: bool) -> None:
    """Say whether this process hears of changes from now on; either way the row is read again."""
    global _is_told
    _is_told = is_told
    drop_copy()


async def save_school(*, since: School | None = None, **changes: Any) -> School:
    """Change some settings, audited; the next request anywhere sees them.

    `since` is what was looked at before. Raises Stale when one of these settings is another by now.
    """
    async with db.transaction():
        after = await change_school(since=since, **changes)
    await forget_copy()
    return after


async def change_school(*, since: School | None = None, **changes: Any) -> School:
    """Change some settings, audited, as part of the current transaction; whoever ends it calls `forget_copy`. `since` as
    that of `save_school`.
    """
    stored = await db.value("SELECT value FROM settings WHERE name = 'school' FOR UPDATE") or {}
    before = _school_of(stored)
    after = replace(before, **changes)
    if stored and after == before:
        return after
    if since is not None and any(getattr(before, name) != getattr(since, name) for name in changes):
        drop_copy()  # which is where it was looked at
        db.known().pop("school", None)
        raise Stale(_("Something of this has changed meanwhile. Open it again and look."))
    await db.run(
        """
        INSERT INTO settings (name, value) VALUES ('school', CAST(:value AS jsonb))
        ON CONFLICT (name) DO UPDATE SET value = excluded.value
        """,
        # What a newer version left there is not this one's to drop.
        value=stored | asdict(after),
    )
    await audit.record("settings.change", "settings", "school", before=asdict(before), after=asdict(after))
    return after


async def forget_copy() -> None:
    """Drop the hot copies, here and (through Redis) elsewhere."""
    drop_copy()
    db.known().pop("school", None)
    await cache.bump("school")
