"""What looks like a program's work, or like advertising, waits in quarantine with the reason; nothing is lost silently."""

import re
from datetime import timedelta

from app.core import clock
from app.core.i18n import _, lazy
from app.formbuilder.models import Definition, Form
from app.formbuilder.queries import limits as queries
from app.formbuilder.settings import Choice, Lines, Number, Setting, Switch, Text, Unfit

KEPT = timedelta(days=30)
_SAME_WITHIN = timedelta(days=1)
_LINK = re.compile(r"https?://|www\.", re.IGNORECASE)


class Countries(Text):
    """Countries by their two letters: `US, DE`."""

    __slots__ = ()

    def read(self, value: object) -> str:
        found = re.split(r"[\s,;]+", Text.read(self, value).upper().strip())
        if any(not re.fullmatch(r"[A-Z]{2}", each) for each in found if each):
            raise Unfit(_("Write two letters for each country: US, DE"))
        return ", ".join(dict.fromkeys(each for each in found if each))


SETTINGS: tuple[Setting, ...] = (
    Switch(
        name="captcha",
        label=lazy("Ask visitors to prove that they are people"),
        hint=lazy("Cloudflare Turnstile, where the school has its keys."),
    ),
    Number(
        name="spam_rate",
        label=lazy("Entries from one network address in an hour"),
        hint=lazy("More are held as spam."),
        default=20,
        low=1,
        high=10_000,
    ),
    Number(
        name="spam_links",
        label=lazy("Links in one entry"),
        hint=lazy("More are held as spam."),
        default=5,
        high=100,
    ),
    Lines(name="spam_words", label=lazy("Words that make an entry spam"), hint=lazy("A line each.")),
    Switch(name="spam_same", label=lazy("The same answers again within a day are spam")),
    Choice(
        name="spam_from",
        label=lazy("Countries"),
        default="all",
        choices=(
            ("all", lazy("From everywhere")),
            ("only", lazy("Only from these; others are held as spam")),
            ("but", lazy("Entries from these are held as spam")),
        ),
    ),
    Countries(name="spam_countries", label=lazy("Which countries"), hint=lazy("US, DE"), longest=700),
)

# What the office reads beside an entry in quarantine.
REASONS = {
    "trap": lazy("It filled in, or left out, the field that people do not see."),
    "rate": lazy("Very many came from the same address within an hour."),
    "links": lazy("It holds more links than the form allows."),
    "word": lazy("It holds a word of the form’s list."),
    "same": lazy("The very same answers came within a day."),
    "country": lazy("It came from a country that the form does not take entries from."),
}


def wants_captcha(definition: Definition) -> bool:
    """Whether visitors prove that they are people: as a setting says, or a field that stands for it."""
    return bool(definition.settings["captcha"]) or any(each.kind == "captcha" for each in definition.fields)


async def suspicion(form: Form, definition: Definition, *, said: str, address: str, country: str) -> str:
    """Why these answers belong into quarantine, as a key of REASONS; empty when they do not. The form must be locked."""
    settings, now = definition.settings, clock.now()
    if country and _is_barred(definition, country):
        return "country"
    if len(_LINK.findall(said)) > settings["spam_links"]:
        return "links"
    folded = said.casefold()
    if any(re.search(rf"(?<!\w){re.escape(word.casefold())}(?!\w)", folded) for word in settings["spam_words"]):
        return "word"
    rate = settings["spam_rate"]
    hour = now - timedelta(hours=1)
    if address and await queries.of_address(form.id, address, hour, rate, with_spam=True) >= rate:
        return "rate"
    if settings["spam_same"] and said and await queries.was_said(form.id, said, now - _SAME_WITHIN):
        return "same"
    return ""


async def sweep() -> None:
    """Forget what nobody let out of quarantine for a month."""
    await queries.delete_old_spam(clock.now() - KEPT)


def _is_barred(definition: Definition, country: str) -> bool:
    listed = country.upper() in definition.settings["spam_countries"].split(", ")
    return {"only": not listed, "but": listed}.get(definition.settings["spam_from"], False)
