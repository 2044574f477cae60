"""The words and films of the demo school are complete and agree with one another."""

import re
import struct
from collections import Counter
from pathlib import Path

import pytest

from app.demo.school import CONTENT, DemoCourse, DemoSchool, DemoVideo, load_school, read_cues

ART = Path(__file__).parents[2] / "static" / "art"
FILM_LIMIT = 900_000
SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@pytest.fixture(scope="module")
def school() -> DemoSchool:
    return load_school()


def films(school: DemoSchool) -> list[DemoVideo]:
    return [lesson.video for course in school.courses for lesson in course.lessons if lesson.video]


def words(body: str) -> int:
    return len(re.findall(r"\b\w[\w’'.,]*", body))


def test_the_school_has_courses_to_sell_and_one_to_give(school: DemoSchool) -> None:
    assert len(school.courses) >= 4
    assert any(course.is_free for course in school.courses)
    assert sum(course.price > 0 for course in school.courses) >= 3
    assert {course.currency for course in school.courses} == {school.currency}
    assert [course.position for course in school.courses] == list(range(1, len(school.courses) + 1))


def test_every_text_lesson_is_long_enough_to_be_a_lesson(school: DemoSchool) -> None:
    lengths = {
        f"{course.slug}/{lesson.slug}": words(lesson.body)
        for course in school.courses
        for lesson in course.lessons
        if lesson.kind == "text"
    }
    assert len(lengths) >= 20
    assert {where: length for where, length in lengths.items() if not 300 <= length <= 800} == {}


def test_slugs_are_addresses_and_unique(school: DemoSchool) -> None:
    slugs = [course.slug for course in school.courses] + [teacher.slug for teacher in school.teachers]
    for course in school.courses:
        lessons = [lesson.slug for lesson in course.lessons]
        assert len(set(lessons)) == len(lessons), course.slug
        slugs += lessons
    assert [slug for slug in slugs if not SLUG.fullmatch(slug)] == []


def test_no_two_lessons_share_a_title_or_an_opening(school: DemoSchool) -> None:
    lessons = [lesson for course in school.courses for lesson in course.lessons]
    titles = Counter(lesson.title for lesson in lessons)
    openings = Counter(lesson.body.splitlines()[0] for lesson in lessons)
    assert titles.most_common(1)[0][1] == 1
    assert openings.most_common(1)[0][1] == 1


def test_every_lesson_file_belongs_to_a_lesson(school: DemoSchool) -> None:
    bodies = {lesson.body for course in school.courses for lesson in course.lessons}
    files = list(CONTENT.glob("courses/*/*.md"))
    assert len(files) == len(bodies)
    assert [str(path) for path in files if path.read_text("utf-8").strip() not in bodies] == []


def test_every_course_can_fill_its_page(school: DemoSchool) -> None:
    teachers = {teacher.slug for teacher in school.teachers}
    for course in school.courses:
        assert course.instructor in teachers, course.slug
        assert course.level in ("beginner", "intermediate", "advanced"), course.slug
        assert set(course.topics) <= set(school.topics), course.slug
        assert course.topics, course.slug
        assert min(len(course.outcomes), len(course.faq), len(course.included)) >= 3, course.slug
        assert course.for_you, course.slug
        assert course.not_for_you, course.slug
        assert course.lessons[0].free_preview, course.slug
        assert not all(lesson.free_preview for lesson in course.lessons), course.slug
        assert (ART / f"{course.slug}.svg").exists(), course.slug


def test_every_teacher_teaches_and_has_a_page_worth_opening(school: DemoSchool) -> None:
    assert {course.instructor for course in school.courses} == {teacher.slug for teacher in school.teachers}
    for teacher in school.teachers:
        assert words(teacher.biography) >= 120, teacher.slug
        assert teacher.initials == "".join(word[0] for word in teacher.name.split())


def test_durations_add_up(school: DemoSchool) -> None:
    for course in school.courses:
        assert course.seconds == sum(lesson.seconds for lesson in course.lessons)
        assert course.seconds == sum(section.seconds for section in course.sections)
        assert all(lesson.seconds > 0 for lesson in course.lessons)


def test_only_video_lessons_have_a_film(school: DemoSchool) -> None:
    lessons = [lesson for course in school.courses for lesson in course.lessons]
    assert [lesson.slug for lesson in lessons if (lesson.kind == "video") != (lesson.video is not None)] == []
    assert len(films(school)) == 2


def test_films_are_small_and_as_long_as_their_lesson_says(school: DemoSchool) -> None:
    for film in films(school):
        assert film.poster.stat().st_size < 60_000, film.slug
        content = film.file.read_bytes()
        assert content.startswith(b"\x1aE\xdf\xa3"), film.slug
        assert b"V_VP9" in content[:2000], film.slug
        assert b"A_OPUS" in content[:2000], film.slug
        assert len(content) <= FILM_LIMIT, film.slug
        # The Duration element of Matroska: id 4489, size 8, a float in milliseconds.
        at = content.index(b"\x44\x89\x88") + 3
        (milliseconds,) = struct.unpack(">d", content[at : at + 8])
        assert abs(milliseconds / 1000 - film.seconds) < 1, film.slug


def test_captions_follow_one_another_to_the_end_of_the_film(school: DemoSchool) -> None:
    for film in films(school):
        assert film.captions.read_text("utf-8").startswith("WEBVTT")
        assert len(film.transcript) >= 8
        now = 0.0
        for cue in film.transcript:
            assert now <= cue.start < cue.end, (film.slug, cue)
            assert cue.text
            now = cue.end
        assert film.seconds - 5 < now <= film.seconds


def test_the_home_page_points_at_lessons_that_can_be_read(school: DemoSchool) -> None:
    home = school.home
    for pointer in (home.first_lesson, home.extract, *home.plate_key):
        lesson = {lesson.slug: lesson for lesson in school.course(pointer.course).lessons}[pointer.lesson]
        if pointer in (home.first_lesson, home.extract):
            assert lesson.free_preview, pointer
    for paragraph in home.extract.text.split("\n\n"):
        said = lesson_body(school.course(home.extract.course), home.extract.lesson)
        assert plain(paragraph) in plain(said)
    assert (ART / f"{home.plate}.svg").exists()


def test_the_house_style_is_kept(school: DemoSchool) -> None:
    for course in school.courses:
        for lesson in course.lessons:
            assert "!" not in lesson.body, lesson.slug
            assert "—" not in lesson.body, lesson.slug
            assert not lesson.body.startswith("#"), lesson.slug
            assert "\n# " not in lesson.body, lesson.slug


def test_captions_with_hours_settings_and_names_are_read() -> None:
    text = "WEBVTT\n\nNOTE none\n\nfirst\n01:00:01.500 --> 01:00:02.000 line:0\nOne\ntwo\n\n00:03.000 --> 00:04.250\nThree\n"
    assert [(cue.start, cue.end, cue.text) for cue in read_cues(text)] == [
        (3601.5, 3602.0, "One two"),
        (3.0, 4.25, "Three"),
    ]


def test_an_unknown_course_is_refused(school: DemoSchool) -> None:
    with pytest.raises(KeyError):
        school.course("get-rich")


def lesson_body(course: DemoCourse, slug: str) -> str:
    return next(lesson.body for lesson in course.lessons if lesson.slug == slug)


def plain(text: str) -> str:
    return re.sub(r"[“”]", "", text)
