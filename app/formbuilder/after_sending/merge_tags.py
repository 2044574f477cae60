"""Tags in the texts of a form, such as {q1} or {form}: filled in with what an entry says, escaped for where they stand.

What visitors wrote is never Markdown, never HTML and never a new line of a header: it is put in after the owner's text
was turned into what it becomes.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote

from markupsafe import Markup, escape

from app.core.i18n import _, format_day, lazy
from app.courses import prose
from app.formbuilder.fields.kinds import kind_of
from app.formbuilder.models import Answer, Definition

# {q1}, {q1.first}, {entry.id}, and what is said instead when there is nothing: {q1|friend}.
TAG = re.compile(r"\{([a-z][a-z0-9_]{0,39}(?:\.[a-z0-9_]{1,40})?)(?:\|([^{}|\n]{0,100}))?\}")
LONGEST_LINE = 200
# A tag of the finished page: `<`, a name, attributes with quotes around whatever they hold.
_HTML_TAG = re.compile(r"<[a-zA-Z/](?:[^\"'>]|\"[^\"]*\"|'[^']*')*>")

OWN = (
    ("all", lazy("Everything that was answered")),
    ("form", lazy("Name of the form")),
    ("form.url", lazy("Address of the form")),
    ("entry.id", lazy("Number of the entry")),
    ("entry.url", lazy("Where the office sees the entry")),
    ("date", lazy("Day on which it came")),
    ("email", lazy("Address of whoever answered")),
    ("score", lazy("Points")),
    ("percent", lazy("Points in percent")),
    ("grade", lazy("Grade")),
    ("passed", lazy("Passed or not")),
    ("outcome", lazy("Outcome")),
    ("amount", lazy("Amount that was paid")),
    ("school", lazy("Name of the school")),
    ("school.url", lazy("Address of the school")),
)
# These are ours, and may stand as the whole address of a link.
_ADDRESSES = frozenset({"form.url", "entry.url", "school.url"})


@dataclass(frozen=True, slots=True)
class Facts:
    """What an entry says: a text for each tag, and question and answer in turn for {all}."""

    values: Mapping[str, str]
    rows: Sequence[tuple[str, str]] = field(default_factory=tuple)


def facts_of(
    definition: Definition,
    answers: Mapping[str, Answer],
    *,
    school: str,
    site: str,
    slug: str,
    form_id: str,
    entry_id: str,
    at: datetime,
    email: str = "",
    results: Mapping[str, str] | None = None,
) -> Facts:
    """What tags say of an entry that came `at` (a moment in the school's own time). `site` has no slash at its end."""
    values = {
        "form": definition.title,
        "form.url": f"{site}/forms/{slug}",
        "entry.id": entry_id,
        "entry.url": f"{site}/admin/forms/{form_id}/entries/{entry_id}",
        "date": format_day(at.date(), "long"),
        "email": email,
        "school": school,
        "school.url": site,
        **(results or {}),
    }
    rows = []
    for each in definition.fields:
        answer, kind = answers.get(each.id), kind_of(each)
        if answer is None or not kind.has_answer:
            continue
        said = kind.text(each, answer)
        values[each.id] = said
        rows.append((each.label or each.id, said))
        texts = kind.posted(each, answer)
        for part, _class in kind.parts(each):
            values[f"{each.id}.{part}"] = ", ".join(texts.get(f"{each.id}.{part}", ()))
    return Facts(values, tuple(rows))


def names_of(definition: Definition) -> dict[str, str]:
    """Every tag that this form has, with what the picker calls it."""
    found = {}
    for each in definition.fields:
        kind = kind_of(each)
        if kind.has_answer:
            label = each.label or each.id
            found[each.id] = label
            found |= {f"{each.id}.{part}": f"{label}: {part}" for part, _class in kind.parts(each)}
    return found | {name: str(label) for name, label in OWN}


def unknown(definition: Definition, text: str) -> list[str]:
    """Tags in a text that this form does not have; they stay empty."""
    known = names_of(definition)
    return list(dict.fromkeys(name for name, _instead in TAG.findall(text) if name not in known))


def plain(text: str, facts: Facts) -> str:
    """For a mail in plain text: as it is, {all} as a question and its answer to a paragraph."""
    return TAG.sub(lambda found: _said(found, facts), text)


def line(text: str, facts: Facts) -> str:
    """For a subject: one line without anything that steers, at most LONGEST_LINE characters."""
    filled = TAG.sub(lambda found: _said(found, facts) if found[1] != "all" else "", text)
    return one_line(filled)[:LONGEST_LINE]


def one_line(text: str) -> str:
    """A text without line breaks, control characters and what turns the direction of writing."""
    spaced = " ".join(text.split())
    return "".join(each for each in spaced if unicodedata.category(each) not in ("Cc", "Cf", "Cs", "Zl", "Zp"))


def html(text: str, facts: Facts) -> Markup:
    """Markdown of the owner with tags as clean HTML. Answers are text in it, wherever they stand."""
    mark = "qtag"
    while mark in text:
        mark += "x"
    found: list[re.Match[str]] = []

    def keep(tag: re.Match[str]) -> str:
        found.append(tag)
        return f"{mark}{len(found) - 1}z"

    drawn = prose.render(TAG.sub(keep, text))
    kept = re.compile(rf"{mark}(\d+)z")
    # A line that is {all} alone becomes a block of its own, which a paragraph cannot hold.
    drawn = re.sub(
        rf"<p>{mark}(\d+)z</p>",
        lambda one: str(_table(facts)) if found[int(one[1])][1] == "all" else one[0],
        drawn,
    )
    parts, last = [], 0
    for tag in _HTML_TAG.finditer(drawn):
        parts += [_put(drawn[last : tag.start()], kept, found, facts, _as_text)]
        parts += [_put(tag[0], kept, found, facts, _as_address)]
        last = tag.end()
    parts.append(_put(drawn[last:], kept, found, facts, _as_text))
    return Markup("".join(parts))  # noqa: S704 (cleaned, then filled with escaped text)


def address(url: str, facts: Facts) -> str:
    """For a link: tags in the part after the question mark only, each percent-encoded whole; elsewhere they stay empty."""
    before, asked, query = url.partition("?")
    query, hashed, fragment = query.partition("#")
    filled = TAG.sub(lambda found: quote(_said(found, facts), safe=""), query)
    return TAG.sub("", before) + asked + filled + hashed + TAG.sub("", fragment)


def _put(
    text: str,
    kept: re.Pattern[str],
    found: Sequence[re.Match[str]],
    facts: Facts,
    escaped: Callable[[re.Match[str], Facts], str],
) -> str:
    def one(at: re.Match[str]) -> str:
        number = int(at[1])
        return escaped(found[number], facts) if number < len(found) else at[0]

    return kept.sub(one, text)


def _as_text(tag: re.Match[str], facts: Facts) -> str:
    return str(escape(_said(tag, facts))).replace("\n", "<br>")


def _as_address(tag: re.Match[str], facts: Facts) -> str:
    said = _said(tag, facts)
    return str(escape(said)) if tag[1] in _ADDRESSES else quote(said, safe="")


def _said(tag: re.Match[str], facts: Facts) -> str:
    if tag[1] == "all":
        return "\n\n".join(f"{question}\n{answer}" for question, answer in facts.rows)
    return facts.values.get(tag[1]) or tag[2] or ""


def _table(facts: Facts) -> Markup:
    if not facts.rows:
        return Markup("<p>{}</p>").format(_("Nothing was answered."))
    row = Markup("<p><strong>{}</strong><br>{}</p>")
    return Markup("").join(
        row.format(question, Markup("<br>").join(answer.split("\n"))) for question, answer in facts.rows
    )
