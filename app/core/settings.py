"""The school's own settings: one row, edited in the back office, read on every request from a hot copy."""

from dataclasses import asdict, dataclass, field, fields, replace
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from app.core import audit, cache, db, reach


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


_copy: School | None = None
_copy_version: int | None = None


async def school() -> School:
    """The current settings. Costs a request one Redis read, or one query while Redis is away or after a change.

    While the database is away too, the last known ones serve.
    """
    global _copy, _copy_version
    known = db.known()
    if "school" in known:
        return known["school"]  # type: ignore[no-any-return]
    version = await cache.version("school")
    if _copy is None or version is None or version != _copy_version:
        try:
            stored = await db.value("SELECT value FROM settings WHERE name = 'school'") or {}
        except Exception as error:
            if _copy is None or not reach.is_lost(error):
                raise
            return _copy
        names = {one.name for one in fields(School)}
        _copy = School(**{name: value for name, value in stored.items() if name in names})
        _copy_version = version
    known["school"] = _copy
    return _copy


async def save_school(**changes: Any) -> School:
    """Change some settings, audited; the next request anywhere sees them."""
    async with db.transaction():
        stored = await db.value("SELECT value FROM settings WHERE name = 'school' FOR UPDATE") or {}
        before = School(**stored)
        after = replace(before, **changes)
        await db.run(
            """
            INSERT INTO settings (name, value) VALUES ('school', CAST(:value AS jsonb))
            ON CONFLICT (name) DO UPDATE SET value = excluded.value
            """,
            value=asdict(after),
        )
        await audit.record("settings.change", "settings", "school", before=asdict(before), after=asdict(after))
    await forget_copy()
    return after


async def forget_copy() -> None:
    """Drop the hot copies, here and (through Redis) elsewhere."""
    global _copy
    _copy = None
    db.known().pop("school", None)
    await cache.bump("school")
