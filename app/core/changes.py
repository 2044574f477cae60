"""Which tables changed, heard from the database itself.

Triggers (migration 0011) announce a change at its commit, whoever made it; every process that keeps something drawn
from those tables listens on a connection of its own. What a statement reads is found from its words: each that is the
name of a relation counts, so more is named than is read at times, and never less.
"""

import asyncio
import contextlib
import itertools
import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import asyncpg
import structlog

log = structlog.get_logger()

CHANNEL = "changes"
# Where a listener asks all listeners whether they have heard what it has.
ASKING = "changes_asked"
# How the connections of listeners are called in pg_stat_activity.
_NAME = "lectern changes"
_BEAT = 1.0
_PATIENCE = 2.0
_PAUSES = (0.2, 0.5, 1.0, 2.0, 5.0)
# The last: an idle connection says so whose server has said farewell.
_GONE = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)

_WORD = re.compile(r"[a-z_][a-z0-9_]*", re.IGNORECASE)
_WRITTEN = re.compile(
    r"\b(?:INSERT\s+INTO|UPDATE|DELETE\s+FROM|TRUNCATE|MERGE\s+INTO)\s+(?:TABLE\s+)?(?:ONLY\s+)?\"?(\w+)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Relations:
    """What a database holds: every table, view and function of ours, and which tables announce their changes."""

    names: frozenset[str]
    announced: frozenset[str]
    _known: dict[str, frozenset[str]] = field(default_factory=dict)

    def read_by(self, statement: str) -> frozenset[str]:
        """The relations that a statement names. A function of ours counts as one: it may read anything."""
        found = self._known.get(statement)
        if found is None:
            found = frozenset(word.lower() for word in _WORD.findall(statement)) & self.names
            if len(self._known) < 2000:  # statements are constants of the code, so there are few
                self._known[statement] = found
        return found

    def written_by(self, statements: Iterable[str]) -> set[str]:
        """The announcing tables that these statements may have changed themselves."""
        return {name.lower() for text in statements for name in _WRITTEN.findall(text)} & self.announced


NOTHING = Relations(frozenset(), frozenset())

_RELATIONS = """
    SELECT c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = ANY (current_schemas(false)) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
    UNION SELECT p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname = ANY (current_schemas(false))
"""
_ANNOUNCED = """
    SELECT DISTINCT c.relname AS name
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid
    WHERE p.proname = 'announce_change' AND t.tgenabled IN ('O', 'A')
"""

_ASK = """
    SELECT (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = $3)
    FROM (SELECT pg_notify($1, $2)) asked
"""


class Listener:
    """Hears changes on a connection of its own and makes a new one when it breaks.

    `changed(table)` is called for each; `up(relations)` when it begins to hear, and `down()` at once when it no longer
    does: what happened in between is lost, so whoever keeps things forgets them.
    """

    def __init__(
        self,
        url: str,
        *,
        changed: Callable[[str], None],
        up: Callable[[Relations], None],
        down: Callable[[], None],
    ) -> None:
        self._url = url
        self._changed, self._up, self._down = changed, up, down
        self._connection: asyncpg.Connection | None = None
        self._task: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()
        # Announcements come in the order of commits, on all channels: who hears himself has heard all before.
        self._echo_channel = f"changes_{secrets.token_hex(6)}"
        self._echoes: dict[str, asyncio.Event] = {}
        self._answers: dict[str, asyncio.Queue[None]] = {}
        self._answering: set[asyncio.Task[None]] = set()
        self._numbers = itertools.count()
        self.is_live = False

    def start(self) -> None:
        """Begin, in the background; the database need not be there yet."""
        if self._task is None:
            self._task = asyncio.create_task(self._listen_for_ever())

    async def stop(self) -> None:
        """End, and close the connection."""
        if self._task is not None:
            task, self._task = self._task, None
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def heard_all(self, within: float) -> bool:
        """Wait until everything committed before now was heard; False when it took more than `within` seconds."""
        connection = self._connection
        if connection is None:
            return False
        number = str(next(self._numbers))
        echo = self._echoes[number] = asyncio.Event()
        try:
            async with asyncio.timeout(within):
                async with self._turn:
                    await connection.execute("SELECT pg_notify($1, $2)", self._echo_channel, number)
                await echo.wait()
        except _GONE:
            return False
        finally:
            del self._echoes[number]
        return True

    async def heard_everywhere(self, within: float) -> None:
        """Wait until every process has heard what was committed before now, for `within` seconds at most.

        Each listener answers a question that it hears after the changes; how many there are, the server knows.
        """
        connection = self._connection
        if connection is None:
            return
        number = next(self._numbers)
        answers = self._answers[str(number)] = asyncio.Queue()
        try:
            async with asyncio.timeout(within):
                async with self._turn:
                    listeners = await connection.fetchval(_ASK, ASKING, f"{self._echo_channel} {number}", _NAME)
                for _listener in range(listeners):
                    await answers.get()
        except _GONE:
            log.info("a process did not say that it heard of a change")
        finally:
            del self._answers[str(number)]

    async def _listen_for_ever(self) -> None:
        failures = 0
        while True:
            try:
                await self._listen()
                failures = 0
            except Exception as error:  # whatever it is: a process that hears nothing keeps nothing
                log.warning("changes are not heard", error=type(error).__name__, exc_info=not isinstance(error, _GONE))
                failures += 1
            await asyncio.sleep(_PAUSES[min(failures, len(_PAUSES) - 1)])

    async def _listen(self) -> None:
        """Hear until the connection breaks."""
        connection = await asyncpg.connect(self._url, timeout=5, command_timeout=_PATIENCE)
        gone = asyncio.Event()

        def lose(_connection: object) -> None:
            gone.set()
            self._deafen()

        try:
            connection.add_termination_listener(lose)
            await connection.add_listener(CHANNEL, self._hear)
            await connection.add_listener(self._echo_channel, self._hear_echo)
            await connection.add_listener(ASKING, self._hear_question)
            names = frozenset(row["name"] for row in await connection.fetch(_RELATIONS))
            announced = frozenset(row["name"] for row in await connection.fetch(_ANNOUNCED))
            self._connection = connection
            await connection.execute("SELECT set_config('application_name', $1, false)", _NAME)
            if not await self.heard_all(_PATIENCE):
                raise TimeoutError("a pooler stands between: set DATABASE_URL_UNPOOLED")
            if gone.is_set():
                return
            self.is_live = True
            self._up(Relations(names, announced))
            while not gone.is_set():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(gone.wait(), _BEAT)
                # A line that was cut without a word shows only when something is asked.
                if not gone.is_set() and not await self.heard_all(_PATIENCE):
                    log.warning("changes are not heard", error="silence")
                    return
        finally:
            self._deafen()
            connection.remove_termination_listener(lose)
            connection.terminate()

    def _deafen(self) -> None:
        self._connection = None
        if self.is_live:
            self.is_live = False
            self._down()

    def _hear(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        if self.is_live:
            self._changed(str(payload))

    def _hear_echo(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        echo, answers = self._echoes.get(str(payload)), self._answers.get(str(payload))
        if echo is not None:
            echo.set()
        elif answers is not None:
            answers.put_nowait(None)

    def _hear_question(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        task = asyncio.create_task(self._answer(*str(payload).split(" ", 1)))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _answer(self, channel: str, number: str) -> None:
        connection = self._connection
        with contextlib.suppress(*_GONE):
            if connection is not None:
                async with self._turn:
                    await connection.execute("SELECT pg_notify($1, $2)", channel, number)
