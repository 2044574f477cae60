"""Quizzes: points of chosen options and right answers, percent, grade, passed or not, and which outcome somebody is.

Worked out on the server from the answers alone, kept with the entry.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.core.i18n import _, lazy
from app.formbuilder.fields.choosing import chosen_of, has_points, most_points
from app.formbuilder.fields.kinds import kind_of
from app.formbuilder.models import Answer, Definition, Field
from app.formbuilder.settings import Choice, Lines, Number, Setting, Switch

SETTINGS: tuple[Setting, ...] = (
    Choice(
        name="scoring",
        label=lazy("Quiz"),
        default="off",
        choices=(
            ("off", lazy("No quiz")),
            ("points", lazy("Points: how much was right")),
            ("outcome", lazy("Outcomes: which of several fits best")),
        ),
    ),
    Number(name="pass_mark", label=lazy("Passed from (percent)"), default=None, high=100, is_whole=False),
    Lines(name="grades", label=lazy("Grades"), hint=lazy("A line each, percent and word: 90 | Very good")),
    Lines(
        name="right_answers",
        label=lazy("Right answers that are typed"),
        hint=lazy("A line each, field, answer and points: q3 | Paris | 5"),
    ),
    Lines(
        name="outcomes",
        label=lazy("Outcomes"),
        hint=lazy(
            "A line each, key and words: explorer | You are an explorer. An option names the key behind its points."
        ),
    ),
    Switch(name="answer_key", label=lazy("Show what was right after sending")),
)


@dataclass(frozen=True, slots=True)
class Result:
    """What somebody reached. `outcome` is the words of a personality; `passed` None without a mark to pass."""

    score: float
    most: float
    percent: float
    grade: str = ""
    passed: bool | None = None
    outcome: str = ""

    def values(self) -> dict[str, Any]:
        """As conditions ask for it."""
        passed = "" if self.passed is None else "yes" if self.passed else "no"
        return {
            "score": self.score,
            "percent": self.percent,
            "grade": self.grade,
            "passed": passed,
            "outcome": self.outcome,
        }

    def words(self) -> dict[str, str]:
        """As tags and people read it."""
        passed = "" if self.passed is None else _("passed") if self.passed else _("not passed")
        return {
            "score": f"{_plain(self.score)} / {_plain(self.most)}" if self.most else _plain(self.score),
            "percent": f"{_plain(self.percent)} %",
            "grade": self.grade,
            "passed": passed,
            "outcome": self.outcome,
        }


@dataclass(frozen=True, slots=True)
class Marked:
    """A question of the answer key: what was said, what is right, and the points that it brought."""

    question: str
    said: str
    right: str
    points: float
    most: float


def result_of(definition: Definition, answers: Mapping[str, Answer]) -> Result | None:
    """What was reached; None for a form that is no quiz."""
    if definition.settings.get("scoring", "off") == "off":
        return None
    score = round(sum(points_of(definition, each, answers.get(each.id)) for each in definition.fields), 3)
    most = round(sum(_most(definition, each) for each in definition.fields), 3)
    percent = round(max(0.0, min(100.0, score / most * 100)), 1) if most > 0 else 0.0
    mark = definition.settings["pass_mark"]
    return Result(
        score=score,
        most=most,
        percent=percent,
        grade=_grade(definition, percent),
        passed=None if mark is None else percent >= mark,
        outcome=_outcome(definition, answers),
    )


def points_of(definition: Definition, field: Field, answer: Answer) -> float:
    """The points that an answer brings."""
    if answer is None:
        return 0.0
    if has_points(kind_of(field), field):
        options, chosen = kind_of(field).options(field), set(chosen_of(answer))
        return float(sum(option.points for option in options if option.value in chosen))
    right, points = _typed(definition).get(field.id, ("", 0.0))
    return points if right and _same(kind_of(field).text(field, answer), right) else 0.0


def answer_key(definition: Definition, answers: Mapping[str, Answer]) -> list[Marked]:
    """Each question that brings points, with what was right; empty unless the form shows it."""
    if definition.settings.get("scoring") != "points" or not definition.settings["answer_key"]:
        return []
    found = []
    for field in definition.fields:
        most, kind = _most(definition, field), kind_of(field)
        if not most:
            continue
        options = [option.label for option in kind.options(field) if option.points > 0]
        best = max((option.points for option in kind.options(field)), default=0)
        if kind.value_class == "choice":
            options = [option.label for option in kind.options(field) if option.points == best]
        right = ", ".join(options) if options else _typed(definition)[field.id][0]
        answer = answers.get(field.id)
        points = points_of(definition, field, answer)
        found.append(Marked(field.label or field.id, kind.text(field, answer), right, points, most))
    return found


def _most(definition: Definition, field: Field) -> float:
    if has_points(kind_of(field), field):
        return most_points(kind_of(field), field)
    return _typed(definition).get(field.id, ("", 0.0))[1]


def _typed(definition: Definition) -> dict[str, tuple[str, float]]:
    found = {}
    for line in definition.settings.get("right_answers", ()):
        name, _bar, rest = line.partition("|")
        right, _bar, points = rest.rpartition("|") if rest.count("|") else (rest, "", "1")
        if name.strip() and right.strip() and _number(points) is not None:
            found[name.strip()] = (right.strip(), _number(points) or 0.0)
    return found


def _grade(definition: Definition, percent: float) -> str:
    reached = []
    for line in definition.settings["grades"]:
        low, _bar, word = line.partition("|")
        bound = _number(low)
        if bound is not None and word.strip() and percent >= bound:
            reached.append((bound, word.strip()))
    return max(reached)[1] if reached else ""


def _outcome(definition: Definition, answers: Mapping[str, Answer]) -> str:
    if definition.settings["scoring"] != "outcome":
        return ""
    words = {
        key.strip(): said.strip() for key, _bar, said in (x.partition("|") for x in definition.settings["outcomes"])
    }
    counted: Counter[str] = Counter()
    for field in definition.fields:
        chosen = set(chosen_of(answers.get(field.id)))
        for option in kind_of(field).options(field):
            if option.value in chosen and option.outcome in words:
                counted[option.outcome] += option.points or 1  # type: ignore[assignment]  # points may be halves
    # Of two that are equal the one that the owner named first.
    best = max(words, key=lambda key: counted[key], default="")
    return (words[best] or best) if best and counted[best] > 0 else ""


def wrong(definition: Definition) -> list[str]:
    """What is wrong with a quiz, a sentence each."""
    if definition.settings.get("scoring", "off") == "off":
        return []
    found = []
    if definition.settings["scoring"] == "points" and not any(_most(definition, each) for each in definition.fields):
        found.append(_("The quiz has no points: give some to options, or name right answers."))
    if definition.settings["scoring"] == "outcome" and not definition.settings["outcomes"]:
        found.append(_("The quiz has no outcomes."))
    ids = {field.id for field in definition.fields}
    found += [
        _("A right answer is for a field that is gone, “%(id)s”.", id=name)
        for name in _typed(definition)
        if name not in ids
    ]
    return found


def _same(said: str, right: str) -> bool:
    return " ".join(said.split()).casefold() == " ".join(right.split()).casefold()


def _number(text: str) -> float | None:
    text = text.strip().replace(",", ".")
    return float(text) if re.fullmatch(r"-?\d{1,9}(\.\d{1,3})?", text) else None


def _plain(number: float) -> str:
    return f"{number:.3f}".rstrip("0").rstrip(".")
