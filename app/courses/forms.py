"""The shapes of what authors send."""

from pathlib import Path
from typing import Any

from babel import Locale
from wtforms import (
    BooleanField,
    FieldList,
    FileField,
    FormField,
    HiddenField,
    IntegerField,
    SelectField,
    StringField,
    TextAreaField,
)
from wtforms.validators import DataRequired, InputRequired, Length, NumberRange, Optional
from wtforms.widgets import HiddenInput

from app.core import i18n
from app.core.i18n import lazy
from app.courses import prose
from app.courses.listing import LEVEL_LABELS
from app.courses.models import SLUG_LENGTH, Course, Lesson
from app.web.assets import FOLDER
from app.web.forms import BaseForm, options

LANGUAGES = ("en", "de", "fr", "es", "it", "pt", "nl", "pl", "sv", "da", "nb", "fi", "et", "cs", "el", "tr", "uk", "ja")
GROUND_LABELS = {
    "": lazy("Tint of the accent"),
    "stone": lazy("Stone"),
    "solid": lazy("Accent"),
    "ink": lazy("Ink"),
    "plain": lazy("Paper"),
}
_PAGE_TEXT = 200_000


def plates() -> list[str]:
    """The names of the drawn plates."""
    return sorted(path.stem for path in Path(FOLDER / "art").glob("*.svg"))


class NewCourseForm(BaseForm):
    """What a course begins with."""

    title = StringField(lazy("Title"), [DataRequired(lazy("Give the course a title.")), Length(max=120)])
    promise = TextAreaField(
        lazy("Promise"),
        [Length(max=400)],
        description=lazy("What one can do after it, in one sentence. It leads the course's page."),
    )


class QuestionForm(BaseForm):
    """A question that people ask before they buy."""

    question = StringField(lazy("Question"), [Length(max=200)])
    answer = TextAreaField(lazy("Answer"), [Length(max=2000)])


class DetailsForm(BaseForm):
    """Everything about a course but its outline and its price. Lists are typed one to a line."""

    title = StringField(lazy("Title"), [DataRequired(lazy("Give the course a title.")), Length(max=120)])
    slug = StringField(lazy("Address"), [DataRequired(lazy("Give the course an address.")), Length(max=SLUG_LENGTH)])
    promise = TextAreaField(lazy("Promise"), [Length(max=400)])
    summary = TextAreaField(lazy("Summary"), [Length(max=300)])
    level = SelectField(lazy("Level"), choices=options(LEVEL_LABELS.items()), default="beginner")
    topic = SelectField(lazy("Topic"), validators=[Optional()], default="")
    new_topic = StringField(lazy("Or a new topic"), [Length(max=60)])
    language = SelectField(lazy("Language"), default="en")
    instructor = SelectField(lazy("Instructor"), validators=[Optional()], default="")
    outcomes = TextAreaField(lazy("What one learns"), [Length(max=4000)])
    audience = TextAreaField(lazy("Who it is for"), [Length(max=4000)])
    not_for = TextAreaField(lazy("Who it is not for"), [Length(max=4000)])
    included = TextAreaField(lazy("What is included"), [Length(max=4000)])
    faq = FieldList(FormField(QuestionForm), lazy("Questions people ask"), max_entries=30)
    plate = SelectField(lazy("Drawing"), validators=[Optional()], default="")
    plate_ground = SelectField(
        lazy("Ground of the drawing"), choices=options(GROUND_LABELS.items()), validators=[Optional()], default=""
    )
    revision = IntegerField(validators=[InputRequired()], widget=HiddenInput())

    def offer(self, course: Course, topics: list[Any], teachers: list[Any]) -> None:
        """Fill the lists that are known only now."""
        self.topic.choices = options([("", lazy("None")), *((str(topic.id), topic.name) for topic in topics)])
        instructors = {str(each.id): each.name for each in teachers}
        if course.instructor_id:
            instructors.setdefault(str(course.instructor_id), course.instructor_name or "")
        self.instructor.choices = options([("", lazy("Nobody yet")), *instructors.items()])
        languages = ((code, _language(code)) for code in {*LANGUAGES, course.language})
        self.language.choices = options(sorted(languages, key=lambda pair: pair[1]))
        picture = [(course.picture_url, lazy("The uploaded picture"))] if course.picture_url else []
        drawn = [("", lazy("Drawn from the address"))] + [(name, name.replace("-", " ")) for name in plates()]
        self.plate.choices = options(picture + drawn)


def _language(code: str) -> str:
    return str(Locale.parse(i18n.locale()).languages.get(code, code))


def details_data(course: Course) -> dict[str, Any]:
    """What the form shows of a course."""
    names = ("title", "slug", "promise", "summary", "level", "language", "plate", "plate_ground", "revision", "faq")
    data = {name: getattr(course, name) for name in names}
    for name in ("outcomes", "audience", "not_for", "included"):
        data[name] = "\n".join(getattr(course, name))
    return {**data, "topic": str(course.topic_id or ""), "instructor": str(course.instructor_id or "")}


def lines(text: str | None) -> list[str]:
    """The lines of a text that hold something."""
    return [line.strip() for line in (text or "").splitlines() if line.strip()]


class TitleForm(BaseForm):
    """A title alone: a section's, or a new lesson's with its kind."""

    title = StringField(lazy("Title"), [DataRequired(lazy("Give it a title.")), Length(max=150)])
    kind = HiddenField(default="text")


class LessonForm(BaseForm):
    """What is written in a lesson."""

    title = StringField(lazy("Title"), [DataRequired(lazy("Give the lesson a title.")), Length(max=150)])
    slug = StringField(lazy("Address"), [Length(max=SLUG_LENGTH)])
    summary = TextAreaField(lazy("Summary"), [Length(max=300)])
    body_markdown = TextAreaField(lazy("Text"), [Length(max=_PAGE_TEXT)])
    minutes = IntegerField(lazy("Minutes it takes"), [Optional(), NumberRange(1, 1200)])
    is_preview = BooleanField(lazy("Free preview"))
    published = BooleanField(lazy("Published"))
    revision = IntegerField(validators=[InputRequired()], widget=HiddenInput())


def lesson_data(lesson: Lesson) -> dict[str, Any]:
    """What the form shows of a lesson."""
    names = ("title", "slug", "summary", "body_markdown", "is_preview", "revision")
    data = {name: getattr(lesson, name) for name in names}
    own_time = lesson.kind == "text" and lesson.duration_seconds != prose.reading_seconds(lesson.body_markdown)
    minutes = lesson.duration_seconds // 60 if own_time else None
    return {**data, "minutes": minutes or None, "published": lesson.state == "published"}


class FileForm(BaseForm):
    """A file."""

    file = FileField(lazy("File"))


class PictureForm(BaseForm):
    """A picture for a text, and what it shows."""

    file = FileField(lazy("Picture"))
    alt = StringField(lazy("What it shows"), [Length(max=200)])


class LengthForm(BaseForm):
    """How long a film is."""

    length = StringField(lazy("Length"), description=lazy("Minutes and seconds, such as 18:10."))

    def seconds(self) -> int:
        """What was typed in seconds; 0 when it makes no sense."""
        parts = (self.length.data or "").split(":")
        if not 1 <= len(parts) <= 3 or not all(part.isascii() and part.isdigit() and len(part) < 5 for part in parts):
            return 0
        total = 0
        for part in parts:
            total = total * 60 + int(part)
        return total if len(parts) > 1 else total * 60


class RemovalForm(BaseForm):
    """The title of what is to go, typed."""

    confirmation = StringField(lazy("Title"))
