"""WebVTT captions: checked line by line, and read as a transcript (https://www.w3.org/TR/webvtt1/)."""

import html
import re
from contextlib import suppress
from dataclasses import dataclass

from app.core.i18n import _


class BrokenCaptions(Exception):
    """The file is no WebVTT; the message says which line and why."""


@dataclass(frozen=True, slots=True)
class Cue:
    """What is said from `start` to `end` (seconds), as plain text."""

    start: float
    end: float
    text: str


_TIME = r"(?:([0-9]{2,4}):)?([0-5][0-9]):([0-5][0-9])\.([0-9]{3})"
_TIMING = re.compile(rf"\s*{_TIME}[ \t]*-->[ \t]*{_TIME}(?:[ \t]+\S.*)?\s*")
# No further than the next bracket: each of very many would else look through all the rest for its end.
_TAG = re.compile(r"<[^<>]*>")
_SPACE = re.compile(r"\s+")


def read(text: str) -> list[Cue]:
    """The cues of a WebVTT file in order. Raises BrokenCaptions."""
    # As the standard says of NUL, which PostgreSQL does not store.
    text = text.removeprefix("\ufeff").replace("\x00", "\ufffd")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if not re.fullmatch(r"WEBVTT(?:[ \t].*)?", lines[0]):
        raise BrokenCaptions(_("The first line must be WEBVTT."))
    cues: list[Cue] = []
    for number, block in _blocks(lines):
        cue = _cue(number, block)
        if cue is not None:
            if cues and cue.start < cues[-1].start:
                raise BrokenCaptions(_("Line %(n)s begins before the line above it.", n=number))
            cues.append(cue)
    if not cues:
        raise BrokenCaptions(_("There is no line to show in this file."))
    return cues


def _blocks(lines: list[str]) -> list[tuple[int, list[str]]]:
    """Stretches between empty lines, after the head, with the number of their first line."""
    blocks: list[tuple[int, list[str]]] = []
    head, inside = True, False
    for number, line in enumerate(lines, 1):
        if not line.strip():
            head, inside = False, False
        elif not head:
            if inside:
                blocks[-1][1].append(line)
            else:
                blocks.append((number, [line]))
                inside = True
    return blocks


def _cue(number: int, block: list[str]) -> Cue | None:
    first = block[0]
    if first.split(maxsplit=1)[0] in ("NOTE", "STYLE", "REGION") and "-->" not in first:
        return None
    at = 0 if "-->" in first else 1  # a name may stand above the times
    timing = _TIMING.fullmatch(block[at]) if at < len(block) else None
    if timing is None:
        raise BrokenCaptions(
            _(
                "Line %(n)s should say when it is shown, such as 00:01.000 --> 00:04.000.",
                n=number + min(at, len(block)),
            )
        )
    numbers = timing.groups()
    start, end = _seconds(*numbers[:4]), _seconds(*numbers[4:])
    if end <= start:
        raise BrokenCaptions(_("Line %(n)s ends before it begins.", n=number + at))
    return Cue(start, end, _plain(" ".join(block[at + 1 :])))


def _seconds(hours: str | None, minutes: str, seconds: str, thousandths: str) -> float:
    return int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds) + int(thousandths) / 1000


def _plain(text: str) -> str:
    text = _TAG.sub("", text)
    with suppress(ValueError):  # Python reads no number of thousands of digits, and no character has one
        text = html.unescape(text)
    return _SPACE.sub(" ", text).strip()


_LONG, _PAUSE = 18.0, 2.5


def paragraphs(cues: list[Cue]) -> list[dict[str, float | str]]:
    """The cues as paragraphs to read, each with its first second: broken at a long pause, or at the end of a sentence
    once a paragraph is long."""
    found: list[dict[str, float | str]] = []
    last: Cue | None = None
    for cue in cues:
        if not cue.text:
            continue
        if (
            last is None
            or cue.start - last.end > _PAUSE
            or (cue.start - float(found[-1]["start"]) > _LONG and last.text[-1] in '.?!…”"')
        ):
            found.append({"start": cue.start, "text": cue.text})
        else:
            found[-1]["text"] = f"{found[-1]['text']} {cue.text}"
        last = cue
    return found
