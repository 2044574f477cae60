"""Entries from a file: what this school or another system exported comes back as entries, all of it or nothing.

CSV and Excel are understood by their first row: the headings of the export, the words of a question, or its id. JSON is that of the
export, with answers as they are kept. Each answer is read and checked as a visitor's is. Nothing leaves of an entry that was
brought: it counts from the moment it came, and nobody is told.
"""

import asyncio
import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import IO, Any, BinaryIO, cast
from zoneinfo import ZoneInfo

import orjson

from app.core import audit, clock, db, tokens
from app.core.errors import Invalid, TooLarge
from app.core.i18n import _
from app.core.settings import school
from app.formbuilder.answering import submissions
from app.formbuilder.definition import readings
from app.formbuilder.fields.choosing import OTHER
from app.formbuilder.fields.kinds import Wrong, kind_of
from app.formbuilder.fields.parts import Compound
from app.formbuilder.inbox.table import Asked
from app.formbuilder.models import Answer, Definition, Field, Posted
from app.formbuilder.queries import entry_import as queries
from app.formbuilder.queries import forms as form_queries
from app.imports import reading, workbook
from app.imports.reading import plain
from app.web.tables.export import cell

LARGEST = 10 * 1024 * 1024
MOST_ROWS = 20_000
_BATCH = 500
_SHOWN = 20
_NO_IMPORT = ("file", "money")
_FARTHEST = timedelta(hours=15)
_NO_ZONE = ZoneInfo("UTC")  # a text has none


@dataclass(frozen=True, slots=True)
class Refusal:
    """A line that cannot be taken, counted as a spreadsheet counts."""

    number: int
    sentence: str


@dataclass(slots=True)
class Result:
    """What came, or would come, of a file."""

    new: int = 0
    known: int = 0
    refused: int = 0
    refusals: list[Refusal] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    is_done: bool = False


@dataclass(frozen=True, slots=True)
class _Line:
    """An entry as the file has it."""

    answers: dict[str, Answer]
    came: datetime | None
    status: str
    entry: str


# What of a line is no answer: its key, by the headings that mean it.
_ABOUT = {"came": ("came", "date", "created"), "status": ("status",), "entry": ("entry",)}


async def bring(found: Asked, source: IO[bytes], *, is_trial: bool, skips_refused: bool = False) -> Result:
    """Read the file and, unless it is a trial, keep what can be kept: all, or nothing while a line is refused and
    `skips_refused` is not said. An entry that is there already stays as it is.

    Raises Invalid or TooLarge, for `file`, when it is no such file.
    """
    _check_kept(found.definition)
    zone = (await school()).zone
    await db.release()
    lines, result = await asyncio.to_thread(_read, found, cast(BinaryIO, source), zone)
    async with db.transaction():
        version_id = await queries.lock_version(found.form.id)
        now = await form_queries.version_by_id(version_id)
        _check_kept(readings.soundly(now.definition) if now is not None else None)
        named = _named(found.form.id, lines)
        known = await queries.known(found.form.id, [*named, *(line.entry for line in lines if line.entry)])
        fresh = [(name, line) for name, line in named.items() if not {name, line.entry} & known]
        result.new, result.known = len(fresh), len(lines) - len(fresh)
        if is_trial or (result.refused and not skips_refused) or not fresh:
            return result
        for start in range(0, len(fresh), _BATCH):
            rows = [_row(found, name, line) for name, line in fresh[start : start + _BATCH]]
            await queries.insert(found.form.id, version_id, rows, clock.now())
        await audit.record(
            "form_entries.import", "form", found.form.public_id,
            after={"entries": result.new, "refused": result.refused}, summary=found.form.title,
        )  # fmt: skip
    result.is_done = True
    return result


def _check_kept(definition: Definition | None) -> None:
    if definition is not None and definition.settings["no_store"]:
        raise Invalid(_("This form keeps no answers, so none can be brought."), field="file")


def _named(form_id: int, lines: Sequence[_Line]) -> dict[str, _Line]:
    """The lines by the ids that their entries get: the same file brought twice gives the same, also when it has no ids."""
    found: dict[str, _Line] = {}
    for line in lines:
        said = line.entry or orjson.dumps([line.answers, line.came], option=orjson.OPT_SORT_KEYS).decode()
        again = 0
        while (name := tokens.keyed(f"form-entry:{form_id}:{again}:{said}").hex()[:20]) in found and not line.entry:
            again += 1
        found[name] = line
    return found


def _row(found: Asked, name: str, line: _Line) -> dict[str, Any]:
    definition = found.definition
    return {
        "public_id": name,
        "answers": line.answers,
        "said": submissions.said(definition, line.answers),
        "email": submissions.email_of(definition, line.answers),
        "status": line.status if line.status in definition.settings["statuses"] else "",
        "created_at": (line.came or clock.now()).isoformat(),
    }


# --- the file --------------------------------------------------------------------------------------------------------


def _read(found: Asked, source: BinaryIO, zone: ZoneInfo) -> tuple[list[_Line], Result]:
    source.seek(0, 2)
    if source.tell() > LARGEST:
        raise TooLarge(_("The file has more than %(limit)s MB.", limit=LARGEST // 1024 // 1024), field="file")
    with workbook.readable(source) as file:
        return _lines(found, file, zone)


def _lines(found: Asked, source: BinaryIO, zone: ZoneInfo) -> tuple[list[_Line], Result]:
    head = source.read(1024).lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    source.seek(0)
    result = Result()
    rows = _of_json(found, source, zone, result) if head in (b"{", b"[") else _of_table(found, source, zone, result)
    lines: list[_Line] = []
    for number, make in rows:
        if len(lines) + result.refused >= MOST_ROWS:
            raise Invalid(_("The file has more than 20,000 rows. Split it into several."), field="file")
        try:
            lines.append(make())
        except Wrong as wrong:
            result.refused += 1
            if len(result.refusals) < _SHOWN:
                result.refusals.append(Refusal(number, str(wrong)))
    if not lines and not result.refused:
        raise Invalid(_("There is no entry in this file."), field="file")
    return lines, result


def _of_json(
    found: Asked, source: BinaryIO, zone: ZoneInfo, result: Result
) -> Iterator[tuple[int, Callable[[], _Line]]]:
    try:
        told = orjson.loads(source.read().removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        raise Invalid(
            _("This is not JSON: line %(line)s, column %(n)s.", line=error.lineno, n=error.colno), field="file"
        ) from None
    entries = told.get("entries") if isinstance(told, dict) else told
    if not isinstance(entries, list) or not all(isinstance(each, dict) for each in entries):
        raise Invalid(_("This JSON has no list of entries."), field="file")
    names = dict.fromkeys(name for each in entries for name in _object(each.get("answers")))
    for name in names:
        known = found.definition.find(name)
        (result.taken if known and _is_taken(known) else result.left_out).append(known.label or name if known else name)

    def made(each: Mapping[str, Any]) -> _Line:
        given = _object(each.get("answers"))
        answers = {}
        for asked in found.definition.fields:
            if asked.id in given and _is_taken(asked):
                answer = _as_kept(asked, given[asked.id])
                if answer is not None:
                    answers[asked.id] = answer
        return _line(
            answers, str(each.get("came") or ""), str(each.get("status") or ""), str(each.get("entry") or ""), zone
        )

    for number, each in enumerate(entries, start=1):
        yield number, lambda each=each: made(each)  # type: ignore[misc]  # a default binds the row


def _object(told: Any) -> Mapping[str, Any]:
    return told if isinstance(told, dict) else {}


def _of_table(
    found: Asked, source: BinaryIO, zone: ZoneInfo, result: Result
) -> Iterator[tuple[int, Callable[[], _Line]]]:
    sheet = reading.inspect(source)
    places, about = _meanings(found, sheet.header, result)
    if not places:
        raise Invalid(
            _("No column is a question of this form. The first row has to name them as the form does."), field="file"
        )

    def made(cells: Sequence[str]) -> _Line:
        answers = {}
        for asked in found.definition.fields:
            columns = places.get(asked.id, ())
            texts = [_unquoted(cells[place]) if place is not None else "" for place in columns]
            answer = _of_cells(asked, texts)
            if answer is not None:
                answers[asked.id] = answer
        told = {name: _unquoted(cells[place]) for name, place in about.items()}
        return _line(answers, told.get("came", ""), told.get("status", ""), told.get("entry", ""), zone)

    rows = reading.records(source, sheet.encoding, sheet.delimiter)
    next(rows, None)
    try:
        for record in rows:
            cells = reading.padded(record.cells, len(sheet.header))
            yield record.number, lambda cells=cells: made(cells)  # type: ignore[misc]  # a default binds the row
    except csv.Error:
        raise Invalid(_("This file cannot be read as a table."), field="file") from None


def _meanings(
    found: Asked, header: Sequence[str], result: Result
) -> tuple[dict[str, list[int | None]], dict[str, int]]:
    """Which columns are which question's, and which tell about the entry. What is neither is left out, and said."""
    heads = {plain(head): place for place, head in reversed(list(enumerate(header)))}
    used: set[int] = set()
    places: dict[str, list[int | None]] = {}
    for asked in found.definition.fields:
        if not _is_taken(asked):
            continue
        names = list(kind_of(asked).columns(asked))
        columns = [heads.get(plain(name)) for name in names]
        if len(names) == 1 and columns == [None]:
            columns = [heads.get(plain(asked.id))]
        columns = [None if place in used else place for place in columns]
        if any(place is not None for place in columns):
            places[asked.id] = columns
            used |= {place for place in columns if place is not None}
            result.taken.append(asked.label or asked.id)
    about: dict[str, int] = {}
    words = {"came": _("Came"), "status": _("Status"), "entry": _("Entry")}
    for name, others in _ABOUT.items():
        place = next((heads[w] for w in (plain(words[name]), *others) if w in heads and heads[w] not in used), None)
        if place is not None:
            about[name] = place
            used.add(place)
    result.left_out += [title for place, title in enumerate(header) if place not in used]
    return places, about


def _is_taken(asked: Field) -> bool:
    """Whether answers to it can be brought: no files and money, nothing that is worked out or agreed to by a click."""
    kind = kind_of(asked)
    return (
        kind.has_answer
        and kind.group not in _NO_IMPORT
        and kind.value_class != "calculation"
        and not kind.is_secret
        and kind.name not in ("consent", "terms")
    )


def _line(answers: dict[str, Answer], came: str, status: str, entry: str, zone: ZoneInfo) -> _Line:
    if not answers:
        raise Wrong(_("There is no answer in it."))
    return _Line(answers, _moment(came, zone), status, entry[:40])


def _moment(text: str, zone: ZoneInfo) -> datetime | None:
    if not text.strip():
        return None
    try:
        found = datetime.fromisoformat(text.strip())
        # A distance from Greenwich that no clock has, and no database takes.
        away = found.utcoffset()
        if away is not None and (away.seconds % 60 or abs(away) > _FARTHEST):
            raise ValueError(text)
    except ValueError:
        raise Wrong(_("“%(text)s” is no day and time as in 2026-09-01 08:00.", text=text[:40])) from None
    moment = found if found.tzinfo is not None else found.replace(tzinfo=zone)
    if moment > clock.now() or moment.year < 1990:
        raise Wrong(_("“%(text)s” lies in the future, or too long ago.", text=text[:40]))
    return moment


# --- an answer -------------------------------------------------------------------------------------------------------


def _as_kept(asked: Field, answer: Answer) -> Answer:
    """An answer as the export has it, read again as if it were typed. Raises Wrong."""
    if answer is None:
        return None
    try:
        return _checked(asked, kind_of(asked).posted(asked, answer))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, ArithmeticError) as error:
        if isinstance(error, Wrong):
            raise
        raise Wrong(_("%(question)s: this is no answer to it.", question=asked.label or asked.id)) from None


def _of_cells(asked: Field, texts: Sequence[str]) -> Answer:
    """The answer that stands in these cells. Raises Wrong."""
    texts = [text.strip() for text in texts]
    if not any(texts):
        return None
    kind = kind_of(asked)
    if kind.options(asked) and len(texts) == 1 and kind.value_class in ("choice", "choices"):
        return _checked(asked, _chosen(asked, texts[0], is_several=kind.value_class == "choices"))
    return _checked(asked, dict(_typed(asked, texts)))


def _typed(asked: Field, texts: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    kind = kind_of(asked)
    if isinstance(kind, Compound):
        yield from (
            (f"{asked.id}.{part.name}", [text]) for part, text in zip(kind.shown(asked), texts, strict=True) if text
        )
    elif kind.name == "date_range":
        yield from ((f"{asked.id}.{part}", [text]) for part, text in zip(("from", "to"), texts, strict=True))
    elif kind.name == "chained_select":
        yield from ((f"{asked.id}.l{depth}", [text]) for depth, text in enumerate(texts, start=1) if text)
    elif kind.name == "confirm_email":
        yield from ((f"{asked.id}{part}", [texts[0]]) for part in ("", ".again"))
    elif kind.name == "date_time":
        yield asked.id, [texts[0].replace(" ", "T", 1)]
    elif len(texts) == 1:
        yield asked.id, [texts[0]]
    else:
        raise Wrong(_("%(question)s: this can be brought as JSON only.", question=asked.label or asked.id))


def _chosen(asked: Field, text: str, *, is_several: bool) -> dict[str, list[str]]:
    """Options by their words or values. Several stand one after the other with commas between; the longest words are
    found first, so an option with a comma in it is one."""
    known: dict[str, str] = {}
    for option in kind_of(asked).options(asked):
        known.setdefault(str(option.value).casefold(), option.value)
    for option in kind_of(asked).options(asked):
        known[str(option.label).casefold()] = option.value
    rest, values = text, []
    while rest and is_several:
        name = max((n for n in known if _begins(rest, n)), key=len, default=None)
        if name is None:
            break
        values.append(known[name])
        rest = rest[len(name) :].removeprefix(",").strip()
    if not is_several and text.casefold() in known:
        return {asked.id: [known[text.casefold()]]}
    if not rest:
        return {asked.id: values}
    if not asked.settings.get("other"):
        raise Wrong(
            _("%(question)s: “%(text)s” is none of its options.", question=asked.label or asked.id, text=rest[:60])
        )
    return {asked.id: [*values, OTHER], f"{asked.id}.other": [rest]}


def _begins(text: str, name: str) -> bool:
    return bool(name) and text.casefold().startswith(name) and text[len(name) : len(name) + 1] in ("", ",")


def _checked(asked: Field, texts: dict[str, list[str]]) -> Answer:
    kind = kind_of(asked)
    try:
        answer = kind.read(asked, Posted(texts))
        if answer is not None:
            kind.check(asked, answer)
    except Wrong as wrong:
        raise Wrong(f"{asked.label or asked.id}: {wrong}") from None
    return answer


def _unquoted(text: str) -> str:
    """A cell without the apostrophe that keeps a spreadsheet from running it."""
    return text[1:] if text[:1] == "'" and cell(text[1:], _NO_ZONE) == text else text
