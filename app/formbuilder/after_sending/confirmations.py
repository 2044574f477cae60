"""What somebody sees after sending: of several confirmations the first whose condition holds.

`{"id", "name", "when", "kind": "message|page|url", "title", "text", "path", "url", "show_score"}`. Where a link leads is the
owner's to say: tags count only behind its question mark, so no answer can choose the place.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from markupsafe import Markup

from app.core.i18n import _
from app.formbuilder.after_sending import merge_tags
from app.formbuilder.after_sending.after import Situation
from app.formbuilder.answering import pages
from app.formbuilder.definition import definitions
from app.formbuilder.fields.kinds import kind_of
from app.formbuilder.logic import plans, scoring, whens
from app.formbuilder.logic.scoring import Marked
from app.formbuilder.models import Definition, Field

KINDS = ("message", "page", "url")


@dataclass(frozen=True, slots=True)
class Shown:
    """A page of thanks, or where to go instead. `is_elsewhere` for a place that is not the school's."""

    title: str = ""
    words: str | Markup = ""
    score: str = ""
    outcome: str = ""
    marked: Sequence[Marked] = ()
    to: str = ""
    is_elsewhere: bool = False


def of(situation: Situation) -> Shown:
    """What this entry's sender is shown."""
    for row in situation.live.confirmations:
        if situation.holds(row.get("when")):
            return _shown(situation, row)
    return default(situation)


def of_row(situation: Situation, row: Mapping[str, Any]) -> Shown:
    """What this confirmation shows, whether or not its condition holds: for a preview."""
    return _shown(situation, row)


def default(situation: Situation) -> Shown:
    """What is said when no confirmation fits: the words among the form's settings, else a screen among its fields."""
    settings, screen = situation.live.settings, _screen(situation)
    title = str(settings["thanks_title"] or (screen.label if screen is not None else ""))
    words = str(settings["thanks"] or (screen["text"] if screen is not None else ""))
    return _message(situation, title, words, show_score=True)


def _screen(situation: Situation) -> Field | None:
    """The last screen after sending among the fields that the rules leave to be seen."""
    if pages.thanks_of(situation.live) is None:
        return None
    texts = {name: values for each in situation.live.fields if (answer := situation.entry.answers.get(each.id)) is not None
             for name, values in kind_of(each).posted(each, answer).items()}  # fmt: skip
    visible = plans.evaluate(situation.live, texts, situation.today).visible
    seen = replace(situation.live, fields=tuple(each for each in situation.live.fields if each.id in visible))
    return pages.thanks_of(seen)


def _shown(situation: Situation, row: Mapping[str, Any]) -> Shown:
    kind = str(row.get("kind") or "message")
    place = str(row.get("path") if kind == "page" else row.get("url") or "")
    if kind == "page" and is_path(place):
        return Shown(to=merge_tags.address(place, situation.facts))
    if kind == "url" and is_url(place):
        return Shown(to=merge_tags.address(place, situation.facts), is_elsewhere=True)
    title, text = str(row.get("title") or ""), str(row.get("text") or "")
    return _message(situation, title, text, show_score=row.get("show_score") is True)


def _message(situation: Situation, title: str, text: str, *, show_score: bool) -> Shown:
    result = situation.result if show_score else None
    words = result.words() if result is not None else {}
    by_points = result is not None and situation.definition.settings["scoring"] == "points"
    said = ", ".join(
        each for each in (words.get("score"), words.get("percent"), words.get("grade"), words.get("passed")) if each
    )
    return Shown(
        title=merge_tags.line(title, situation.facts),
        words=merge_tags.html(text, situation.facts) if text else Markup(),
        score=said if by_points else "",
        outcome=words.get("outcome", ""),
        marked=scoring.answer_key(situation.definition, situation.entry.answers) if show_score else (),
    )


def is_path(place: str) -> bool:
    """Whether this is a page of the school."""
    return (
        place.startswith("/")
        and not place.startswith("//")
        and "\\" not in place
        and len(place) <= 500
        and place.isprintable()
        and " " not in place
        and not merge_tags.TAG.search(place.partition("?")[0])
    )


def is_url(place: str) -> bool:
    """Whether this is a place that a sender may be led to: https, a host that no answer changes, no password."""
    if merge_tags.TAG.search(place.partition("?")[0]) or len(place) > 1000 or " " in place or not place.isprintable():
        return False
    try:
        split = urlsplit(merge_tags.TAG.sub("", place))
    except ValueError:
        return False
    return split.scheme == "https" and bool(split.hostname) and "@" not in split.netloc and "\\" not in place


def wrong(definition: Definition) -> list[str]:
    """What is wrong with the confirmations of a form, a sentence each."""
    found, always = [], ""
    for row in definition.confirmations:
        name, kind = str(row.get("name") or row.get("id") or ""), str(row.get("kind") or "message")
        place = str(row.get("path") if kind == "page" else row.get("url") or "")
        texts = " ".join(str(row.get(part) or "") for part in ("title", "text", "path", "url"))
        told = [
            *(_("It has the tag {%(tag)s}, which this form does not have.", tag=each)
              for each in merge_tags.unknown(definition, texts)),
            whens.wrong(definition, row.get("when")),
            _("It is never reached: “%(name)s” before it always fits.", name=always) if always else "",
        ]  # fmt: skip
        if kind == "page" and not is_path(place):
            told.append(_("The page begins with a slash; tags stand behind its question mark only."))
        if kind == "url" and not is_url(place):
            told.append(_("The address begins with https:// and tags stand behind its question mark only."))
        if not row.get("when"):
            always = always or name
        found += [_("Confirmation “%(name)s”: %(what)s", name=name, what=each) for each in told if each]
    return found


definitions.checked_by("warning", wrong)
