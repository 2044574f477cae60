"""Which jobs there are, and when some of them come by themselves."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

JobFunction = Callable[..., Awaitable[None]]


@dataclass(frozen=True, slots=True)
class JobKind:
    """A registered job: its name in the queue, its function and how often it is tried (None: as the settings say)."""

    name: str
    function: JobFunction
    own_attempts: int | None
    first_delay: timedelta
    concurrency: int

    @property
    def attempts(self) -> int:
        """How often it is tried before it is held."""
        return self.own_attempts or _usual_attempts


@dataclass(frozen=True, slots=True)
class Schedule:
    """A job that the worker enqueues at the times of a cron expression (UTC)."""

    job: str
    cron: str


registry: dict[str, JobKind] = {}
schedules: list[Schedule] = []


_usual_attempts = 5


def configure(attempts: int) -> None:
    """Say how often a job is tried that does not say so itself; called once by create_app()."""
    global _usual_attempts
    _usual_attempts = attempts


def job(
    *, attempts: int | None = None, first_delay: timedelta = timedelta(seconds=10), concurrency: int = 0
) -> Callable[[JobFunction], JobFunction]:
    """Register a coroutine function as a job.

    It is tried `attempts` times (else as WORKER_MAX_RETRIES says), waiting `first_delay`, then twice as long each time, a quarter of an hour at most.
    `concurrency` limits how many run at once over all workers (0: no limit).
    """

    def register(function: JobFunction) -> JobFunction:
        name = job_name(function)
        if name in registry and registry[name].function is not function:
            raise RuntimeError(f"two jobs are called {name}")
        registry[name] = JobKind(name, function, attempts, first_delay, concurrency)
        return function

    return register


def every(cron: str) -> Callable[[JobFunction], JobFunction]:
    """Run a job (registered with `@job` below this line) at the times of a cron expression, once over all workers."""

    def register(function: JobFunction) -> JobFunction:
        schedules.append(Schedule(job_name(function), cron))
        return function

    return register


def job_name(function: JobFunction) -> str:
    """`app.learning.jobs.enrol_buyer` is `learning.enrol_buyer` in the queue."""
    parts = function.__module__.removeprefix("app.").split(".")
    return f"{parts[0]}.{function.__name__}"
