"""Two versions of a form tried against each other: who sees which, how many send it, and whether that tells anything.

Who sees which is worked out from a keyed hash of where a request comes from: no cookie, and the same visitor meets the same version as
long as nothing about the connection changes. Another such hash, kept while the trial runs, counts everybody once. How many
visitors of each it takes is said before it begins, and the verdict is told then and not before: whoever looks again and
again finds a difference sooner or later by chance alone.
"""

import math
import os
from dataclasses import dataclass
from datetime import datetime
from statistics import NormalDist

from app.core import audit, clock, db, tokens
from app.core.errors import Conflict, Invalid, NotFound
from app.core.i18n import _, format_number
from app.formbuilder.definition import definitions, readings, versions
from app.formbuilder.models import Form
from app.formbuilder.queries import contests as queries
from app.formbuilder.queries import forms as form_queries
from app.formbuilder.queries.contests import Trial
from app.web.request import Visitor

ARMS = ("a", "b")
LEAST_PLANNED, MOST_PLANNED = 50, 1_000_000
# A verdict needs so many sent and so many not sent in each: below that the arithmetic does not hold.
_LEAST_OF_EACH = 5
_CERTAINTY = 0.95


@dataclass(frozen=True, slots=True)
class Arm:
    """One of the two: how often it was shown, and sent."""

    arm: str
    number: int
    seen: int
    sent: int

    @property
    def share(self) -> float:
        """What of it was sent, from 0 to 1."""
        return self.sent / self.seen if self.seen else 0.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What can be said: `better` is an arm, or "" for neither; the difference is that of B to A, with its bounds."""

    is_due: bool
    better: str
    difference: float
    low: float
    high: float
    chance: float


def arm_of(trial_id: int, who: str) -> str:
    """Which of the two somebody sees."""
    return ARMS[tokens.keyed(f"form-trial:{trial_id}:{who}")[0] & 1]


def _mark_of(trial_id: int, who: str) -> bytes:
    """What tells that somebody looked before, and nothing else of them."""
    return tokens.keyed(f"form-trial-seen:{trial_id}:{who}")[:12]


async def seen_by(form: Form, who: str, *, counts: bool, knows_again: bool = True) -> Form | None:
    """The version that this visitor is to see while a trial runs; None when none does. `counts`: as somebody more who looked,
    if they did not before; that they did is not known of a form that keeps nothing of an address (`knows_again`)."""
    trial = await queries.running(form.id)
    if trial is None:
        return None
    arm = arm_of(trial.id, who)
    if counts:
        await queries.count_view(trial.id, arm, _mark_of(trial.id, who) if knows_again else os.urandom(12))
    return await form_queries.version_by_id(trial.a_version_id if arm == "a" else trial.b_version_id)


async def is_tried(form: Form) -> bool:
    """Whether this version is one of the two that visitors answer now."""
    trial = await queries.running(form.id)
    return trial is not None and form.version_id in (trial.a_version_id, trial.b_version_id)


async def begin(form_id: int, planned: int, *, seen: str = "", by: Visitor | None = None) -> Trial:
    """Try what the builder shows against what visitors answer. Raises Invalid for what cannot be tried, Conflict while
    another trial runs, or where somebody else changed the form since the page that shows `seen`."""
    if not LEAST_PLANNED <= planned <= MOST_PLANNED:
        low, high = map(format_number, (LEAST_PLANNED, MOST_PLANNED))
        raise Invalid(_("From %(low)s to %(high)s visitors of each.", low=low, high=high), field="planned")
    async with db.transaction():
        form = await form_queries.lock_form(form_id)
        if form is None:
            raise NotFound
        if form.state != "open" or form.live_id is None:
            raise Invalid(_("Publish the form first: what is live is tried against what the builder shows."))
        await versions.check_seen(form, seen, by)
        if form.head_id == form.live_id:
            raise Invalid(_("The builder shows what is live. Change something there first."))
        wrong = [each for each in definitions.problems(readings.of(form)) if each.level == "error"]
        if wrong:
            raise Invalid(wrong[0].sentence)
        if await queries.running(form_id) is not None:
            raise Conflict(_("A trial is running already."))
        now = clock.now()
        trial_id = await queries.insert(form_id, form.live_id, form.head_id, planned, now)
        await audit.record(
            "form.trial", "form", form.public_id, after={"version": form.number, "planned": planned}, summary=form.title
        )
        begun = await queries.by_id(trial_id)
        assert begun is not None
    return begun


async def end(form_id: int, winner: str, *, trial_id: int | None = None) -> None:
    """End it: `winner` is an arm, whose version is live from then on, or "" for what was live before.

    Raises Conflict when none runs any more, or another than `trial_id`, Invalid for no such arm.
    """
    if winner not in (*ARMS, ""):
        raise Invalid(_("Choose one of the two."))
    async with db.transaction():
        form = await form_queries.lock_form(form_id)
        trial = await queries.running(form_id)
        if form is None or trial is None or trial_id not in (None, trial.id):
            raise Conflict(_("This trial is not running any more. Somebody was quicker."))
        await queries.finish(trial.id, winner or None, clock.now())
        if winner == "b":
            await queries.make_live(form_id, trial.b_version_id, clock.now())
        await audit.record("form.trial_end", "form", form.public_id, after={"winner": winner}, summary=form.title)


async def arms_of(trial: Trial) -> tuple[Arm, Arm]:
    """How both did, so far or until it ended."""
    rows = {row.arm: row for row in await queries.figures(trial.id)}
    a, b = (Arm(name, rows[name].number, rows[name].seen, min(rows[name].sent, rows[name].seen)) for name in ARMS)
    return a, b


def verdict(a: Arm, b: Arm, planned: int) -> Verdict:
    """What the figures tell. The chance is that of a difference like this, or a larger one, between two that are alike
    (two-sided test of two shares with a pooled variance); the bounds hold the true difference 95 times of 100 (Newcombe's
    method 10, Statistics in Medicine 17, 1998)."""
    difference = b.share - a.share
    low, high = _bounds(a, b)
    is_due = min(a.seen, b.seen) >= planned and all(
        min(each.sent, each.seen - each.sent) >= _LEAST_OF_EACH for each in (a, b)
    )
    chance = _chance(a, b)
    is_clear = is_due and chance < 1 - _CERTAINTY
    return Verdict(is_due, ("b" if difference > 0 else "a") if is_clear else "", difference, low, high, chance)


def _chance(a: Arm, b: Arm) -> float:
    seen, sent = a.seen + b.seen, a.sent + b.sent
    if not a.seen or not b.seen or sent in (0, seen):
        return 1.0
    pooled = sent / seen
    error = math.sqrt(pooled * (1 - pooled) * (1 / a.seen + 1 / b.seen))
    return 2 * (1 - NormalDist().cdf(abs(b.share - a.share) / error))


def _bounds(a: Arm, b: Arm) -> tuple[float, float]:
    (low_a, high_a), (low_b, high_b) = _wilson(a), _wilson(b)
    difference = b.share - a.share
    return (
        difference - math.hypot(b.share - low_b, high_a - a.share),
        difference + math.hypot(high_b - b.share, a.share - low_a),
    )


def _wilson(arm: Arm) -> tuple[float, float]:
    """The bounds of a share (Wilson, 1927)."""
    if not arm.seen:
        return 0.0, 1.0
    z, n = NormalDist().inv_cdf((1 + _CERTAINTY) / 2), arm.seen
    middle = (arm.share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(arm.share * (1 - arm.share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return max(0.0, middle - half), min(1.0, middle + half)


async def of_form(form_id: int) -> tuple[Trial | None, list[Trial]]:
    """The trial that runs, and those that ended, newest first."""
    every = await queries.of_form(form_id)
    return next((each for each in every if each.ended_at is None), None), [each for each in every if each.ended_at]


def days(trial: Trial, now: datetime) -> int:
    """For how many days it ran, or has been running."""
    return ((trial.ended_at or now) - trial.started_at).days
