"""Read the demo school from `content/` into plain frozen objects. No database, no clock."""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CONTENT = Path(__file__).parent / "content"
MEDIA = CONTENT / "media"

_CUE_TIME = re.compile(r"(?:(\d+):)?(\d\d):(\d\d)\.(\d\d\d) --> (?:(\d+):)?(\d\d):(\d\d)\.(\d\d\d)")


@dataclass(frozen=True, slots=True)
class DemoTeacher:
    """A teacher. `biography` is Markdown; `line` and `teaches` are one or two plain sentences."""

    slug: str
    name: str
    initials: str
    email: str
    line: str
    teaches: str
    biography: str
    facts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DemoCue:
    """One caption: when it begins and ends, in seconds, and what is said."""

    start: float
    end: float
    text: str


@dataclass(frozen=True, slots=True)
class DemoVideo:
    """A film that ships with the school: a WebM, its WebVTT captions and a poster."""

    slug: str
    seconds: int
    file: Path
    captions: Path
    poster: Path
    transcript: tuple[DemoCue, ...]


@dataclass(frozen=True, slots=True)
class DemoLesson:
    """A lesson. `kind` is "text" or "video"; `seconds` is the film's length, or reading and exercise time."""

    slug: str
    title: str
    kind: str
    seconds: int
    free_preview: bool
    body: str
    video: DemoVideo | None


@dataclass(frozen=True, slots=True)
class DemoSection:
    """A part of a course, with its lessons in order."""

    title: str
    lessons: tuple[DemoLesson, ...]

    @property
    def seconds(self) -> int:
        return sum(lesson.seconds for lesson in self.lessons)


@dataclass(frozen=True, slots=True)
class DemoQuestion:
    """A question that visitors ask, with its answer."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class DemoCourse:
    """A course with all its words. `price` is in minor units of `currency`; 0 means free.

    `subtitle` is the line on cards, `promise` the sentence below the title of the course page.
    `age_days` is how long before seeding it was published, so that the school is as old on any day.
    `plate_ground` is the modifier of the `.plate` ("", "stone", "solid", "ink", "plain").
    """

    slug: str
    title: str
    subtitle: str
    promise: str
    level: str
    level_label: str
    topics: tuple[str, ...]
    language: str
    instructor: str
    price: int
    currency: str
    position: int
    age_days: int
    plate_ground: str
    outcomes: tuple[str, ...]
    for_you: tuple[str, ...]
    not_for_you: tuple[str, ...]
    included: tuple[str, ...]
    faq: tuple[DemoQuestion, ...]
    sections: tuple[DemoSection, ...]

    @property
    def lessons(self) -> tuple[DemoLesson, ...]:
        return tuple(lesson for section in self.sections for lesson in section.lessons)

    @property
    def seconds(self) -> int:
        return sum(section.seconds for section in self.sections)

    @property
    def is_free(self) -> bool:
        return self.price == 0


@dataclass(frozen=True, slots=True)
class DemoPointer:
    """A line of the home page that leads to a lesson."""

    text: str
    course: str
    lesson: str
    mark: str = ""


@dataclass(frozen=True, slots=True)
class DemoVoice:
    """What a student says, and about which course."""

    quote: str
    name: str
    place: str
    course: str


@dataclass(frozen=True, slots=True)
class DemoHome:
    """The words of the home page."""

    title: str
    lead: str
    plate: str
    plate_alternative: str
    plate_caption: str
    plate_key: tuple[DemoPointer, ...]
    first_lesson: DemoPointer
    courses_note: str
    extract: DemoPointer
    voices: tuple[DemoVoice, ...]


@dataclass(frozen=True, slots=True)
class DemoColophon:
    """The words at the foot of every page."""

    notice: str
    owner: str
    letter_title: str
    letter_text: str


@dataclass(frozen=True, slots=True)
class DemoSchool:
    """The whole school. `topics` maps a subject's slug to its label; courses are in suggested order."""

    name: str
    legal_name: str
    sentence: str
    description: str
    hue: int
    currency: str
    time_zone: str
    mail_from_name: str
    mail_from_address: str
    refund_days: int
    address: tuple[str, ...]
    vat_number: str
    home: DemoHome
    colophon: DemoColophon
    topics: dict[str, str]
    teachers: tuple[DemoTeacher, ...]
    courses: tuple[DemoCourse, ...]

    def course(self, slug: str) -> DemoCourse:
        """The course with this slug; KeyError if there is none."""
        for course in self.courses:
            if course.slug == slug:
                return course
        raise KeyError(slug)


def load_school(content: Path = CONTENT) -> DemoSchool:
    """Read the school. Raises KeyError or FileNotFoundError where a file lacks what it must have."""
    facts = _toml(content / "school.toml")
    people = _toml(content / "people.toml")
    folders = sorted(path.parent for path in content.glob("courses/*/course.toml"))
    courses = (_course(folder, content / "media") for folder in folders)
    home, colophon = facts.pop("home"), facts.pop("colophon")
    return DemoSchool(
        **{**facts, "address": tuple(facts["address"])},
        home=_home(home),
        colophon=DemoColophon(**colophon),
        teachers=tuple(_teacher(teacher) for teacher in people["teachers"]),
        courses=tuple(sorted(courses, key=lambda course: course.position)),
    )


def read_cues(text: str) -> tuple[DemoCue, ...]:
    """The captions of a WebVTT file (https://www.w3.org/TR/webvtt1/), without settings and notes."""
    cues = []
    for block in re.split(r"\n\s*\n", text.replace("\r\n", "\n")):
        lines = block.strip().split("\n")
        for index, line in enumerate(lines):
            if found := _CUE_TIME.match(line):
                start, end = _seconds(*found.groups()[:4]), _seconds(*found.groups()[4:])
                cues.append(DemoCue(start, end, " ".join(lines[index + 1 :])))
                break
    return tuple(cues)


def _toml(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text("utf-8"))


def _seconds(hours: str | None, minutes: str, seconds: str, thousandths: str) -> float:
    return int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds) + int(thousandths) / 1000


def _teacher(facts: dict[str, Any]) -> DemoTeacher:
    return DemoTeacher(
        **{**facts, "biography": facts["biography"].strip(), "facts": tuple(facts["facts"])},
    )


def _home(facts: dict[str, Any]) -> DemoHome:
    extract = facts.pop("extract")
    return DemoHome(
        plate_key=tuple(DemoPointer(**key) for key in facts.pop("plate_key")),
        first_lesson=DemoPointer(text="", **facts.pop("first_lesson")),
        extract=DemoPointer("\n\n".join(extract["paragraphs"]), extract["course"], extract["lesson"]),
        voices=tuple(DemoVoice(**voice) for voice in facts.pop("voices")),
        **facts,
    )


def _course(folder: Path, media: Path) -> DemoCourse:
    facts = _toml(folder / "course.toml")
    names = ("topics", "outcomes", "for_you", "not_for_you", "included")
    lists: dict[str, Any] = {name: tuple(facts.pop(name)) for name in names}
    faq = tuple(DemoQuestion(**question) for question in facts.pop("faq"))
    sections = tuple(
        DemoSection(section["title"], tuple(_lesson(lesson, folder, media) for lesson in section["lessons"]))
        for section in facts.pop("sections")
    )
    return DemoCourse(slug=folder.name, **facts, **lists, faq=faq, sections=sections)


def _lesson(facts: dict[str, Any], folder: Path, media: Path) -> DemoLesson:
    seconds = facts["seconds"] if "seconds" in facts else facts["minutes"] * 60
    return DemoLesson(
        slug=facts["slug"],
        title=facts["title"],
        kind=facts["kind"],
        seconds=seconds,
        free_preview=facts["free_preview"],
        body=(folder / facts["file"]).read_text("utf-8").strip(),
        video=_video(facts["video"], seconds, media) if "video" in facts else None,
    )


def _video(slug: str, seconds: int, media: Path) -> DemoVideo:
    captions = media / f"{slug}.vtt"
    return DemoVideo(
        slug=slug,
        seconds=seconds,
        file=media / f"{slug}.webm",
        captions=captions,
        poster=media / f"{slug}.webp",
        transcript=read_cues(captions.read_text("utf-8")),
    )
