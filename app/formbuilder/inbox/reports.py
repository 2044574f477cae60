"""What came of a form: results of each question, entries a day, how long it takes, and where people leave it.

Everything is worked out from the newest entries and drafts of the period, at most MOST of each, so that a page costs the same however
many there are; the page says when there are more.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from statistics import mean, median

from app.core import clock, i18n
from app.core.i18n import _
from app.core.settings import school
from app.formbuilder.answering import screens
from app.formbuilder.fields.choosing import OTHER
from app.formbuilder.fields.kinds import kind_of
from app.formbuilder.inbox.table import Asked
from app.formbuilder.models import Answer, Definition, Field
from app.formbuilder.queries import reports as queries
from app.web import plots

MOST = 5_000
PERIODS = (7, 30, 90, 365)
_TEXTS, _BUCKETS = 5, 11


@dataclass(frozen=True, slots=True)
class Bar:
    """One answer: how often, and its share of those who answered, in percent."""

    label: str
    count: int
    share: float


@dataclass(slots=True)
class Result:
    """What was answered to one question."""

    id: str
    label: str
    answered: int = 0
    bars: list[Bar] = field(default_factory=list)
    figures: list[tuple[str, str]] = field(default_factory=list)
    plot: plots.BarPlot | None = None
    says: str = ""
    texts: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Left:
    """A step or question and how far people came: how many met it, and how many went no further."""

    label: str
    reached: int
    left: int
    share: float


@dataclass(frozen=True, slots=True)
class _Leaving:
    begun: int
    unfinished: int
    steps: list[Left]
    questions: list[Left]


@dataclass(frozen=True, slots=True)
class Report:
    """The whole report of a period."""

    days: int
    entries: int
    is_more: bool
    results: list[Result]
    per_day: plots.LinePlot
    per_day_says: str
    seconds: float | None
    begun: int
    unfinished: int
    steps: list[Left]
    questions: list[Left]


class _Tally:
    """Counts the answers of one question as they come."""

    def __init__(self, asked: Field) -> None:
        self.field, self.kind = asked, kind_of(asked)
        self.answered = 0
        self.values: Counter[str] = Counter()
        self.numbers: list[float] = []
        self.texts: list[str] = []
        self.has_options = bool(self.kind.options(asked))

    def add(self, answer: Answer) -> None:
        """One more answer; the newest come first."""
        if answer is None:
            return
        self.answered += 1
        if self.has_options and isinstance(answer, Mapping):
            chosen = answer.get("values") or ([answer["value"]] if "value" in answer else [])
            self.values.update(str(value) for value in chosen)
            if "other" in answer:
                self.values[OTHER] += 1
                self._say(str(answer["other"]))
        elif isinstance(answer, int | float) and not isinstance(answer, bool):
            self.numbers.append(float(answer))
        else:
            self._say(self.kind.text(self.field, answer))

    def _say(self, text: str) -> None:
        if text and len(self.texts) < _TEXTS:
            self.texts.append(text[:300])

    def result(self) -> Result:
        """What it comes to."""
        made = Result(self.field.id, self.field.label or self.field.id, self.answered, texts=self.texts)
        if self.has_options:
            labels = {option.value: option.label for option in self.kind.options(self.field)}
            if self.field.settings.get("other"):
                labels[OTHER] = _("Something else")
            counts = {
                value: self.values.get(value, 0) for value in [*labels, *sorted(self.values.keys() - labels.keys())]
            }
            made.bars = [
                Bar(labels.get(value, value), count, 100 * count / self.answered if self.answered else 0.0)
                for value, count in counts.items()
            ]
        if self.numbers:
            self._measure(made)
        return made

    def _measure(self, made: Result) -> None:
        values = self.numbers
        made.figures = [
            (_("Mean"), i18n.format_number(round(mean(values), 2))),
            (_("Median"), i18n.format_number(round(median(values), 2))),
        ]
        if self.field.kind == "nps":
            made.figures.insert(0, (_("NPS"), i18n.format_number(nps(values))))
        labels, counts = buckets(values)
        made.says = _("%(question)s: mean %(mean)s", question=made.label, mean=made.figures[-2][1])
        made.plot = plots.bars([float(count) for count in counts], labels, heads=(_("Answer"), _("How often")))


def nps(values: Sequence[float]) -> int:
    """The net promoter score: the share of 9 and 10 less the share of 0 to 6, in points from -100 to 100."""
    promoters, detractors = sum(value >= 9 for value in values), sum(value <= 6 for value in values)
    return round(100 * (promoters - detractors) / len(values))


def buckets(values: Sequence[float]) -> tuple[list[str], list[int]]:
    """How often each value was given; of many different ones, how often each of some ranges of the same width."""
    counts = Counter(values)
    low, high = min(values), max(values)
    if all(value == int(value) for value in counts) and high - low < _BUCKETS:
        whole = range(int(low), int(high) + 1)
        return [i18n.format_number(value) for value in whole], [counts.get(float(value), 0) for value in whole]
    width = (high - low) / _BUCKETS or 1.0
    found = [0] * _BUCKETS
    for value, count in counts.items():
        found[min(_BUCKETS - 1, int((value - low) / width))] += count
    edges = [i18n.format_number(round(low + width * number, 1)) for number in range(_BUCKETS + 1)]
    return [f"{edges[number]}–{edges[number + 1]}" for number in range(_BUCKETS)], found


async def of_form(found: Asked, days: int) -> Report:
    """The report of the last `days` days."""
    zone = (await school()).zone
    today = clock.now().astimezone(zone).date()
    first = today - timedelta(days=days - 1)
    since = clock.day_start(first, zone)
    tallies = {asked.id: _Tally(asked) for asked in found.questions}
    seconds: list[float] = []
    by_day: Counter[date] = Counter()
    count = 0
    async for row in queries.newest_entries(found.form.id, since, MOST + 1):
        count += 1
        if count > MOST:
            break
        by_day[row.created_at.astimezone(zone).date()] += 1
        for name, tally in tallies.items():
            tally.add(row.answers.get(name))
        if row.began_at is not None:
            seconds.append((row.created_at - row.began_at).total_seconds())
    results = [tally.result() for tally in tallies.values() if tally.field.kind != "hidden"]
    counted = await queries.per_day(found.form.id, since, str(zone)) if count > MOST else by_day
    left = await _left(found.definition, found.form.id, since, sum(counted.values()))
    return Report(
        days=days,
        entries=min(count, MOST),
        is_more=count > MOST,
        results=results,
        per_day=_per_day(counted, first, today),
        per_day_says=_("Entries a day in the last %(days)s days", days=days),
        seconds=median(seconds) if seconds else None,
        begun=left.begun,
        unfinished=left.unfinished,
        steps=left.steps,
        questions=left.questions,
    )


def _per_day(counted: Mapping[date, int], first: date, today: date) -> plots.LinePlot:
    all_days = [first + timedelta(days=number) for number in range((today - first).days + 1)]
    return plots.line(
        [float(counted.get(day, 0)) for day in all_days],
        [i18n.format_day(day, "d MMM") for day in all_days],
        heads=(_("Day"), _("Entries")),
        last_label=_("today"),
    )


async def _left(definition: Definition, form_id: int, since: datetime, sent: int) -> _Leaving:
    """Where people stopped: by the drafts of forms with several screens, and by what browsers tell of pages that were left."""
    at_step: Counter[str] = Counter()
    at_question: Counter[str] = Counter()
    begun = unfinished = 0
    questions = [asked for asked in definition.fields if kind_of(asked).has_answer and asked.kind != "hidden"]
    place = {asked.id: number for number, asked in enumerate(questions)}
    step_of = {asked.id: step.id for step in definition.steps for asked in step.fields}
    async for row in queries.newest_begun(form_id, since, MOST):
        begun += 1
        if row.is_done:
            continue
        unfinished += 1
        if row.field_id is not None:
            at_step[step_of.get(row.field_id, "")] += 1
            at_question[row.field_id] += 1
            continue
        at_step[step_of.get(row.step, row.step)] += 1
        answered = {name.partition(".")[0] for name, texts in row.posted.items() if any(texts)}
        # Whoever stopped after a question met the next one and left it; on a later page, its first one.
        met = max((place[name] + 1 for name in answered if name in place), default=0)
        at_question[_met(questions, max(met, _first_of(definition, place, row.step)))] += 1
    if len(screens.screens_of(definition)) == 1:
        # No draft is begun: everybody who sent it began it.
        begun = unfinished + sent
    steps = _falling([(step.id, step.title or _("First page")) for step in definition.steps], at_step, begun)
    return _Leaving(
        begun, unfinished, steps, _falling([(q.id, q.label or q.id) for q in questions], at_question, begun)
    )


def _first_of(definition: Definition, place: Mapping[str, int], screen_id: str) -> int:
    """The place of the first question that this screen asks, among all."""
    if screen_id in place:
        return place[screen_id]
    step = next((step for step in definition.steps if step.id == screen_id), None)
    return min((place[asked.id] for asked in (step.fields if step else ()) if asked.id in place), default=0)


def _met(questions: Sequence[Field], number: int) -> str:
    return questions[min(number, len(questions) - 1)].id if questions else ""


def _falling(rows: Sequence[tuple[str, str]], left: Mapping[str, int], begun: int) -> list[Left]:
    found, reached = [], begun
    for name, label in rows:
        gone = left.get(name, 0)
        found.append(Left(label, reached, gone, 100 * gone / reached if reached else 0.0))
        reached -= gone
    return found
