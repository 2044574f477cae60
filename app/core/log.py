"""The structured log: one JSON object a line in production, readable lines on a terminal. No personal data.

What our own lines say is chosen with care; the words of an exception are not ours. PostgreSQL repeats the row that it
refuses, a mail server the addresses: `scrubbed` takes such values out, whoever writes the line.
"""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from contextvars import ContextVar
from typing import Any, TextIO, cast

import structlog

# Anybody may have a line written about a path of 60,000 letters, so no pattern may begin at each of them and read on to
# the end: what stands before a sign is bounded, and words are looked at from their beginning.
_EMAIL = re.compile(r"[^\s@'\"<>(),;:=/]{1,64}@[\w-]+(?:\.[\w-]+)+")
# Tokens, keys and signatures: long, with letters of both cases and digits. Names in code are not.
_TOKEN = re.compile(r"(?<![\w-])(?=[\w-]*[a-z])(?=[\w-]*[A-Z])(?=[\w-]*[0-9])[\w-]{28,}")
_KEY = re.compile(r"\b(?:sk|pk|rk|whsec|cs|seti|pi)_[A-Za-z0-9_]{6,}")
_CARD = re.compile(r"\b[0-9](?:[ -]?[0-9]){12,18}\b")
_ADDRESS = re.compile(r"\b([a-z][a-z0-9+.-]{0,30}://)[^/\s@]*@")
# Names of attributes, types and columns stay readable.
_QUOTED = re.compile(r"""(['"])(?![A-Za-z_.]{1,40}\1)(?:(?!\1).)*\1""")
_ROW = re.compile(r"^(?:DETAIL|CONTEXT|HINT|WHERE):.*$")


# One variable for all of a request's facts: structlog's own are one each, and cost a small page 2 % of its time.
_about: ContextVar[Mapping[str, Any]] = ContextVar("about", default={})  # noqa: B039 (never changed in place)


def about(**facts: Any) -> None:
    """Name what the lines of this request are about from here on."""
    _about.set(facts)


def _tell_about(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    return {**_about.get(), **event}


class _Forgiving:
    """A stream that loses what cannot be written: a full disk under the log must not fail a request."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError):
            return self._stream.write(text)
        return 0

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()


def configure(level: str, *, as_json: bool) -> None:
    """Set the level and the form of the log for this process."""
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            _tell_about,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _scrub,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, _Forgiving(sys.stderr))),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter("%(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)


def scrubbed(text: str) -> str:
    """The text of a log line or traceback without values: addresses, tokens, keys, cards, what stands in quotes."""
    # Lines of a traceback that begin with space are our code; the others are the words of the exception.
    lines = [line if line[:1].isspace() else _unquoted(line) for line in text.split("\n")]
    text = "\n".join(lines)
    for pattern, instead in ((_ADDRESS, r"\1…@"), (_EMAIL, "…@…"), (_KEY, "…"), (_TOKEN, "…"), (_CARD, "…")):
        text = pattern.sub(instead, text)
    return text


def _unquoted(line: str) -> str:
    return _ROW.sub("", _QUOTED.sub(r"\1…\1", line))


def _scrub(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    for name, value in event.items():
        if isinstance(value, str) and name not in ("timestamp", "level", "event"):
            event[name] = scrubbed(value)
    return event


class _Formatter(logging.Formatter):
    """The lines of libraries, scrubbed too."""

    def format(self, record: logging.LogRecord) -> str:
        return scrubbed(super().format(record))
