"""Settings of a form about its entries: what stands before they count, words for them, and how little of them is kept."""

from app.core.i18n import lazy
from app.formbuilder.settings import Lines, Number, Setting, Switch, Text

SETTINGS: tuple[Setting, ...] = (
    Switch(
        name="opt_in",
        label=lazy("Whoever sends it confirms it by a link in a mail"),
        hint=lazy("Needs a question for the email address. Nothing leaves before the click."),
    ),
    Switch(name="approval", label=lazy("Somebody approves each entry first"), hint=lazy("Nothing leaves before that.")),
    Text(
        name="refusal",
        label=lazy("Mail to whoever is refused"),
        hint=lazy("Left empty, nothing is mailed."),
        longest=2000,
        rows=3,
    ),
    Lines(
        name="statuses",
        label=lazy("Your words for where an entry stands"),
        hint=lazy("A line each."),
        default=("New", "In work", "Done"),
        most=20,
    ),
    Switch(
        name="no_store",
        label=lazy("Keep no answers"),
        hint=lazy("They are removed when everything has been sent out. That there was an entry, and when, stays."),
    ),
    Switch(name="no_address", label=lazy("Keep neither network address nor browser")),
    Number(
        name="keep_days", label=lazy("Delete entries after so many days"), default=None, low=1, high=3650,
    ),
)  # fmt: skip
