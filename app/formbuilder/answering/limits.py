"""Who may answer a form, when, and how often. Everything that counts is counted under the form's lock."""

import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from app.access import entitlements
from app.core import clock, i18n, tokens
from app.core.errors import Conflict
from app.core.i18n import _, lazy
from app.core.settings import school
from app.courses import courses
from app.formbuilder.models import Definition, Form
from app.formbuilder.queries import limits as queries
from app.formbuilder.settings import Choice, Number, Setting, Several, Switch, Text, Unfit
from app.web.request import Visitor

PASS_SECONDS = 24 * 3600
_DAYS = (
    *(("mon", lazy("Monday")), ("tue", lazy("Tuesday")), ("wed", lazy("Wednesday")), ("thu", lazy("Thursday"))),
    *(("fri", lazy("Friday")), ("sat", lazy("Saturday")), ("sun", lazy("Sunday"))),
)
_PERIODS = {
    "ever": None,
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
    "month": timedelta(days=30),
}
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d))?")


class Moment(Text):
    """A day, or a day and a time, on the school's clocks: `2026-09-01 08:00`."""

    __slots__ = ()
    input_type = "datetime-local"

    def as_typed(self, value: str) -> str:
        """As its control takes it, which knows no day without a time: a day opens when it begins and closes when it ends."""
        day, _space, time = value.partition(" ")
        return (
            f"{day}T{time or ('23:59' if self.name == 'closes_at' else '00:00')}" if _MOMENT.fullmatch(value) else value
        )

    def read(self, value: Any) -> str:
        text = Text.read(self, value)
        if not text:
            return ""
        found = _MOMENT.fullmatch(text)
        try:
            datetime.fromisoformat(f"{found[1]} {found[2] or '00:00'}" if found else "")
        except ValueError:
            raise Unfit(_("Write a day, or a day and a time: 2026-09-01 08:00")) from None
        assert found is not None
        return f"{found[1]} {found[2]}" if found[2] else found[1]


SETTINGS: tuple[Setting, ...] = (
    Number(name="most_entries", label=lazy("Entries in all, at most"), default=None, low=1, high=10_000_000),
    Choice(
        name="period",
        label=lazy("The limits below count"),
        default="ever",
        choices=(
            ("ever", lazy("Everything there ever was")),
            ("hour", lazy("The last hour")),
            ("day", lazy("The last 24 hours")),
            ("week", lazy("The last 7 days")),
            ("month", lazy("The last 30 days")),
        ),
    ),
    Number(name="most_in_period", label=lazy("Entries in that time, at most"), default=None, low=1, high=10_000_000),
    Number(
        name="most_per_person",
        label=lazy("Of one person in that time, at most"),
        hint=lazy("Counted by the account or by the mail address that was given."),
        default=None,
        low=1,
        high=10_000,
    ),
    Number(
        name="most_per_address",
        label=lazy("From one network address in that time, at most"),
        default=None,
        low=1,
        high=10_000,
    ),
    Moment(name="opens_at", label=lazy("Opens"), hint=lazy("On the school’s clocks."), longest=16),
    Moment(name="closes_at", label=lazy("Closes"), hint=lazy("On the school’s clocks."), longest=16),
    Several(name="weekdays", label=lazy("Only on these days"), hint=lazy("None means every day."), choices=_DAYS),
    Text(name="closed_words", label=lazy("Words when nothing can be sent any more"), longest=500, rows=2),
    Switch(name="sign_in", label=lazy("Only for people who are signed in")),
    Text(
        name="course",
        label=lazy("Only for people who may open this course"),
        hint=lazy("They have to sign in."),
        longest=120,
    ),
    Text(name="pin", label=lazy("Only with this PIN or password"), longest=60),
    Switch(name="by_link", label=lazy("Only by a link that the office made")),
)


def doubts(definition: Definition) -> list[str]:
    """What the owner may not have meant, a sentence each."""
    opens, closes = definition.settings.get("opens_at", ""), definition.settings.get("closes_at", "")
    # A day without a time is its whole length.
    found = []
    if opens and closes and opens >= (closes if " " in closes else f"{closes} 24:00"):
        found.append(_("The form closes before it opens, so nobody can ever send it."))
    if definition.settings.get("most_per_address") and definition.settings.get("no_address"):
        found.append(_("The limit for one network address counts nothing: the form does not keep addresses."))
    is_once = any(each.settings.get("unique") for each in definition.fields)
    if definition.settings.get("no_store") and (is_once or definition.settings.get("most_per_person")):
        found.append(
            _("Whoever answers again is soon not known any more: the form keeps no answers, and no addresses.")
        )
    return found


@dataclass(frozen=True, slots=True)
class Gate:
    """What stands between a visitor and the form: `closed`, `sign_in`, `course`, `pin` or `link`, and what is said."""

    kind: str
    sentence: str


def is_changeable(definition: Definition) -> bool:
    """Whether the same address shows something else as time goes by, as entries come in, or to who is signed in."""
    names = (
        "opens_at",
        "closes_at",
        "weekdays",
        "most_entries",
        "most_in_period",
        "sign_in",
        "course",
        "prefill_member",
    )
    return any(definition.settings.get(name) for name in names)


async def gate(
    form: Form, definition: Definition, person: Visitor | None, *, entry_pass: str = "", has_link: bool = False,
    holds: int = 0,
) -> Gate | None:  # fmt: skip
    """What keeps this visitor from the form now; None when nothing does. Totals are looked at, not reserved; `holds` is
    how many of the entries that count are this visitor's own, and given up for the next."""
    settings = definition.settings
    closed = await _closed(form, definition, holds)
    if closed:
        return Gate("closed", closed)
    if person is None and (settings.get("sign_in") or settings.get("course")):
        return Gate("sign_in", _("This form is for members. Please sign in."))
    if settings.get("course") and person is not None and not await _may_open(person, settings["course"]):
        return Gate("course", _("This form is for people who take part in the course."))
    if settings.get("by_link") and not has_link:
        return Gate("link", _("This form can be opened by a personal link only."))
    if settings.get("pin") and not is_passed(form, definition, entry_pass):
        return Gate("pin", _("This form is open to who knows its PIN."))
    return None


async def check(form: Form | None, definition: Definition, *, user_id: int | None, email: str, address: str) -> None:
    """Raise Conflict when the form takes no entry from here any more. The form must be locked: this counts."""
    if form is None:
        raise Conflict(closed_words(definition))
    closed = await _closed(form, definition)
    if closed:
        raise Conflict(closed)
    settings, since = definition.settings, _since(definition)
    most = settings.get("most_per_person")
    if most and (user_id or email) and await queries.of_person(form.id, user_id, email, since, most) >= most:
        raise Conflict(_("You have answered this already. Thank you."))
    most = settings.get("most_per_address")
    if most and address and await queries.of_address(form.id, address, since, most) >= most:
        raise Conflict(_("There were enough answers from where you are. Please try again later."))


def closed_words(definition: Definition) -> str:
    return definition.settings.get("closed_words") or _("This form takes no more answers.")


def wrong_pin() -> str:
    return _("That is not the PIN of this form. Please look again.")


def is_pin(definition: Definition, said: str) -> bool:
    """Whether this is the form's PIN."""
    return hmac.compare_digest(definition.settings["pin"].encode(), said.strip().encode())


def new_pass(form: Form, definition: Definition) -> str:
    """For who knew the PIN: good for a day, and until the PIN is another one."""
    return tokens.sign([form.id, tokens.keyed(definition.settings["pin"]).hex()[:16]], "form-pass")


def is_passed(form: Form, definition: Definition, entry_pass: str) -> bool:
    told = tokens.unsign(entry_pass, "form-pass", PASS_SECONDS)
    return bool(told == [form.id, tokens.keyed(definition.settings["pin"]).hex()[:16]])


async def _closed(form: Form, definition: Definition, holds: int = 0) -> str:
    """Why nobody can answer now; empty when the form is open."""
    if form.state != "open":
        return closed_words(definition)
    settings = definition.settings
    sentence = closed_at(definition, clock.now(), (await school()).zone)
    if sentence:
        return sentence
    for name, since in (("most_entries", _LONG_AGO), ("most_in_period", _since(definition))):
        most = settings.get(name)
        if most and await queries.of_form(form.id, since, most + holds) >= most + holds:
            return closed_words(definition)
    return ""


def closed_at(definition: Definition, now: datetime, zone: ZoneInfo) -> str:
    """What is said outside the times of the form; empty while it is open."""
    settings = definition.settings
    opens, closes = settings.get("opens_at"), settings.get("closes_at")
    if opens and now < _moment(opens, zone):
        return _("This form opens on %(when)s.", when=i18n.format_moment(_moment(opens, zone)))
    if closes and (now >= _moment(closes, zone) if " " in closes else str(now.astimezone(zone).date()) > closes):
        return closed_words(definition)
    days = settings.get("weekdays")
    if days and _DAYS[now.astimezone(zone).weekday()][0] not in days:
        named = ", ".join(str(label) for key, label in _DAYS if key in days)
        return _("This form can be answered on these days: %(days)s.", days=named)
    return ""


def _moment(text: str, zone: ZoneInfo) -> datetime:
    day, _space, time = text.partition(" ")
    return datetime.fromisoformat(f"{day} {time or '00:00'}").replace(tzinfo=zone)


def _since(definition: Definition) -> datetime:
    length = _PERIODS[definition.settings.get("period") or "ever"]
    return clock.now() - length if length else _LONG_AGO


async def _may_open(person: Visitor, slug: str) -> bool:
    course = await courses.find_by_slug(slug)
    return course is not None and await entitlements.allows(person.id, course.id)
