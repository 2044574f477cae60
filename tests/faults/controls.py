"""Promises are proved, each on a school of its own; and the proofs are: without its protection each of them must fail.

bin/faults --prove all                    every promise, then every control
bin/faults --prove controls               the controls alone
bin/faults --prove jobs,jobs-without-lock
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.faults import forms, proofs, run
from tests.faults.proofs import DIRECT, Figures, Proof
from tests.faults.stack import Stack, a_folder

PROOFS: dict[str, Proof] = {**proofs.PROOFS, "forms": forms.forms}


@dataclass(frozen=True, slots=True)
class Control:
    """A promise that must be broken, in these words, when its protection is away.

    `without` names a protection of the product (unguarded.py); a control that takes none away does things another way.
    """

    promise: str
    breaks: str
    without: str = ""
    otherwise: Proof | None = None

    @property
    def proof(self) -> Proof:
        return self.otherwise or PROOFS[self.promise]


def by_force(stack: Stack) -> None:
    """What a restart is without asking."""
    stack.web.kill()
    stack.web.start()


async def reload_by_force(stack: Stack, figures: Figures, full: bool) -> None:
    """All web processes are killed and started anew, where SIGHUP replaces one by one."""
    await proofs.replaced(stack, figures, lambda: by_force(stack), times=1)


async def stop_by_force(stack: Stack, figures: Figures, full: bool) -> None:
    """The school is killed, where SIGTERM lets it finish."""
    await proofs.stopped(stack, figures, stack.web.kill)


CONTROLS: dict[str, Control] = {
    "webhooks-without-inbox": Control("webhooks", "Stripe answers after", without="inbox"),
    "jobs-without-lock": Control("jobs", "were done twice", without="lock"),
    "postgres-without-repeats": Control("postgres", "pages failed", without="repeats"),
    "redis-without-fallback": Control("redis", "stopped: ", without="life-without-redis"),
    "redis-without-memory": Control("redis", "silent: half of the forms", without="memory-of-redis"),
    "reload-by-force": Control("reload", "requests failed", otherwise=reload_by_force),
    "reload-without-time-to-start": Control("reload", "requests failed", without="time-to-start"),
    "kill-web-without-new-processes": Control("kill-web", "another process stood after", without="new-processes"),
    "stop-by-force": Control("stop", "were broken", otherwise=stop_by_force),
    "forms-without-stamps": Control("forms", "were kept twice", without="stamps"),
    "forms-without-outbox": Control("forms", "were never sent", without="outbox"),
}

# Promises that are proved on a school that is started in an unkind way (unguarded.py).
STARTED_AS = {"reload": "slow-start"}

# Chance may spare a school without protection once.
TIMES = 3


def named(words: str) -> list[str]:
    """The names that `--prove` was given."""
    choices = {"all": [*PROOFS, *CONTROLS], "controls": list(CONTROLS)}
    return choices.get(words) or words.split(",")


async def prove(names: list[str], *, full: bool, keep: bool) -> int:
    """Prove these promises and controls (these always in the short measure); the exit status."""
    broken = []
    for name in names:
        work = _control if name in CONTROLS else _promise
        try:
            broken += await work(name, full, keep)
        except Exception as error:  # the others are worth knowing all the same
            broken.append(f"{name}: the proof itself failed ({type(error).__name__}: {error})")
            run.say(f"  {broken[-1]}")
    run.say("\nevery promise is kept" if not broken else f"\n{len(broken)} promises are broken")
    for text in broken:
        run.say(f"  {text}")
    return 1 if broken else 0


async def _promise(name: str, full: bool, keep: bool) -> list[str]:
    run.say(f"\n{name}: {(PROOFS[name].__doc__ or '').strip()}")
    figures = await _measured(name, PROOFS[name], STARTED_AS.get(name, ""), full=full, keep=keep)
    for line in figures.lines:
        run.say(f"  {line}")
    return [f"{name}: {text}" for text in figures.wrong]


async def _control(name: str, full: bool, keep: bool) -> list[str]:
    control = CONTROLS[name]
    run.say(f"\n{name}: the promise of {control.promise} must be broken")
    for _time in range(TIMES):
        figures = await _measured(control.promise, control.proof, control.without, full=False, keep=keep)
        seen = [text for text in figures.wrong if control.breaks in text]
        if seen:
            run.say(f"  as it must be: {seen[0]}")
            return []
    for line in figures.lines:
        run.say(f"  {line}")
    return [f"{name}: without its protection the promise holds all the same"]


async def _measured(promise: str, proof: Proof, without: str, *, full: bool, keep: bool) -> Figures:
    stack, figures = Stack(a_folder(), direct=promise in (*DIRECT, "forms"), without=without), Figures()
    try:
        await stack.start()
        await proof(stack, figures, full)
    finally:
        await stack.stop()
        run.say(f"  logs: {stack.folder}") if keep else stack.forget()
    return figures
