"""Plain data of forms: a definition and its fields, what was posted, an entry."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from app.formbuilder.logic.conditions import trimmed

# JSON: text, number, list or object; None is no answer.
Answer = Any
FIRST_STEP = "start"


@dataclass(frozen=True, slots=True)
class Field:
    """One field as the owner made it. `settings` holds a sound value for every setting of its kind."""

    id: str
    kind: str
    label: str
    help: str = ""
    required: bool = False
    # In sixths of the line.
    width: int = 6
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        """A setting of it."""
        return self.settings[name]


@dataclass(frozen=True, slots=True)
class Step:
    """A page of a form: the fields between two page breaks."""

    id: str
    title: str
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Definition:
    """A whole form. Rules, notifications and the like are JSON that their own modules read."""

    title: str
    intro: str = ""
    button: str = ""
    fields: tuple[Field, ...] = ()
    rules: tuple[Mapping[str, Any], ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    notifications: tuple[Mapping[str, Any], ...] = ()
    confirmations: tuple[Mapping[str, Any], ...] = ()
    integrations: tuple[Mapping[str, Any], ...] = ()
    payment: Mapping[str, Any] = field(default_factory=dict)
    # The highest number that a field's id has had: ids of removed fields are not used again.
    last: int = 0

    def find(self, field_id: str) -> Field | None:
        """The field of this id."""
        return next((each for each in self.fields if each.id == field_id), None)

    @property
    def steps(self) -> tuple[Step, ...]:
        """Its pages, in order; a form without page breaks has one."""
        pages: list[tuple[str, str, list[Field]]] = [(FIRST_STEP, "", [])]
        for each in self.fields:
            if each.kind == "page_break":
                pages.append((each.id, each.label, []))
            else:
                pages[-1][2].append(each)
        return tuple(Step(name, title, tuple(fields)) for name, title, fields in pages)


_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}(?:\.[a-z0-9_]{1,40})?")


def field_of(name: str) -> str:
    """The id of the field that a name of what was posted speaks of (`q1`, `q1.first`); empty for what no page of ours sends."""
    return name.partition(".")[0] if _NAME.fullmatch(name) else ""


def _readable(text: str) -> str:
    """Without NUL and lone surrogates."""
    return (
        text.replace("\x00", "").encode("utf-8", "ignore").decode()
        if (text and not text.isascii()) or "\x00" in text
        else text
    )


@dataclass(frozen=True, slots=True)
class Posted:
    """What a browser sent for a form: texts and files by name."""

    texts: Mapping[str, Sequence[str]]
    files: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Nobody types these, and PostgreSQL keeps none of them: nothing that anyone wrote is lost.
        object.__setattr__(
            self, "texts", {name: [_readable(text) for text in sent] for name, sent in self.texts.items()}
        )

    # Space is what the logic takes for it: `strip` takes away more, and "\x1f3" would be an answer that rules and sums miss.

    def one(self, name: str) -> str:
        """The text under this name, without surrounding space; empty when there is none."""
        sent = self.texts.get(name) or ("",)
        return trimmed(sent[0])

    def all(self, name: str) -> list[str]:
        """Every text under this name that is not empty."""
        return [found for text in self.texts.get(name, ()) if (found := trimmed(text))]


@dataclass(frozen=True, slots=True)
class Form:
    """A form of the school. `definition` is that of the version asked for, as it is stored."""

    id: int
    public_id: str
    slug: str
    title: str
    state: str  # draft | open | closed
    head_id: int
    live_id: int | None
    version_id: int
    number: int
    definition: Any
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Entry:
    """What somebody answered."""

    id: int
    public_id: str
    form_id: int
    version_id: int
    state: str
    answers: Mapping[str, Answer]
    email: str
    user_id: int | None
    created_at: datetime
    is_read: bool
    is_starred: bool


@dataclass(frozen=True, slots=True)
class Version:
    """One state of a form, without its definition."""

    id: int
    number: int
    parent_id: int | None
    words: str
    made_at: datetime
    published_at: datetime | None
    made_by: str | None
    child_id: int | None


@dataclass(frozen=True, slots=True)
class Connection:
    """An account of an outside service that forms may hand entries to. `sealed` holds its settings."""

    id: int
    public_id: str
    provider: str
    name: str
    account: str
    sealed: bytes = field(repr=False)
    state: str  # good | refused
    paused_until: datetime | None
    checked_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Delivery:
    """An entry's way to one integration of its form."""

    id: int
    entry_id: int
    integration_id: str
    connection_id: int | None
    state: str  # waiting | sent | skipped | held
    outcome: str
    remote_id: str
    attempts: int
    exchanges: Sequence[Mapping[str, Any]]
    error: str
    next_at: datetime
    claimed_until: datetime | None
    created_at: datetime
    sent_at: datetime | None


@dataclass(frozen=True, slots=True)
class Draft:
    """A form that was begun. `step` is the id of the screen to go on at."""

    id: int
    form_id: int
    version_id: int
    posted: Mapping[str, Sequence[str]]
    step: str
    email: str
    user_id: int | None
    entry_id: int | None
    mails: int
    created_at: datetime
    entry_public_id: str | None


@dataclass(frozen=True, slots=True)
class Link:
    """A link of the office to a form: values that it carries, and whether it is good for one entry only."""

    id: int
    public_id: str
    form_id: int
    posted: Mapping[str, Sequence[str]]
    is_single: bool
    made_at: datetime
    used_at: datetime | None


@dataclass(frozen=True, slots=True)
class EntryFile:
    """A file that came with an answer. `entry_id` is None until its form is sent, and once its entry is gone."""

    id: int
    public_id: str
    field_id: str
    entry_id: int | None
    storage_key: str
    file_name: str
    content_type: str
    size_bytes: int
    checksum: str
