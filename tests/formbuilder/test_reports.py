"""What came of a form: results of questions, days, times, and where people leave."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.core import clock, db
from app.formbuilder.answering.submissions import Sender
from app.formbuilder.inbox import reports, table
from tests.cast import Cast
from tests.formbuilder.entering import a_form, sent
from tests.office import seen


@pytest.mark.usefixtures("app")
async def test_choices_numbers_and_texts_are_told_each_in_its_way(cast: Cast) -> None:
    olga = await cast.olga()
    form, definition = await a_form()
    for number, (choice, age) in enumerate([("friend", "20"), ("friend", "30"), ("search", "40"), ("__other__", "")]):
        began = clock.now() - timedelta(seconds=10 * (number + 1))
        sender = Sender(stamp=f"s{number}", began_at=began)
        await sent(form, definition, sender, q1=f"Person {number}", q3=choice, q3_other="A poster", q4=age)
    report = await reports.of_form(await table.asked(form.public_id), 30)
    by_id = {result.id: result for result in report.results}
    assert [(bar.label, bar.count, bar.share) for bar in by_id["q3"].bars] == [
        ("A friend", 2, 50.0), ("The search", 1, 25.0), ("Something else", 1, 25.0),
    ]  # fmt: skip
    assert by_id["q3"].texts == ["A poster"]
    assert by_id["q4"].figures == [("Mean", "30"), ("Median", "30")]
    assert by_id["q1"].texts[0] == "Person 3"
    assert report.entries == 4
    assert report.seconds is not None and 24 <= report.seconds <= 27
    assert report.per_day.rows[-1][1] == "4"
    page = await seen(olga, f"/admin/forms/{form.public_id}/report")
    assert "A poster" in page and "2 · 50 %" in page


@pytest.mark.usefixtures("app")
async def test_only_entries_that_count_and_of_the_period_are_in_it() -> None:
    form, definition = await a_form()
    old, spam, _counted = [await sent(form, definition) for _ in range(3)]
    await db.run(
        "UPDATE form_entries SET created_at = :at WHERE id = :id", at=clock.now() - timedelta(days=40), id=old.id
    )
    await db.run("UPDATE form_entries SET state = 'spam' WHERE id = :id", id=spam.id)
    found = await table.asked(form.public_id)
    assert (await reports.of_form(found, 30)).entries == 1
    assert (await reports.of_form(found, 90)).entries == 2


@pytest.mark.usefixtures("app")
async def test_where_people_leave_is_told_by_page_and_by_question() -> None:
    fields = [
        {"id": "q1", "kind": "short_text", "label": "Name"},
        {"id": "q2", "kind": "short_text", "label": "Town"},
        {"id": "p1", "kind": "page_break", "label": "More"},
        {"id": "q3", "kind": "short_text", "label": "Why"},
    ]
    form, _definition = await a_form(fields)
    for number, (step, posted) in enumerate([
        ("start", {}), ("start", {"q1": ["A"]}), ("start", {"q1": ["A"], "q2": [""]}), ("p1", {"q1": ["A"], "q2": ["B"]}),
    ]):  # fmt: skip
        await db.run(
            """
            INSERT INTO form_drafts (form_id, version_id, token_hash, posted, step, created_at, updated_at, expires_at)
            VALUES (:form, :version, :hash, CAST(:posted AS jsonb), :step, now(), now(), now())
            """,
            form=form.id, version=form.version_id, hash=bytes([number]), posted=posted, step=step,
        )  # fmt: skip
    report = await reports.of_form(await table.asked(form.public_id), 30)
    assert (report.begun, report.unfinished) == (4, 4)
    assert [(row.label, row.reached, row.left) for row in report.steps] == [("First page", 4, 3), ("More", 1, 1)]
    assert [(row.label, row.reached, row.left) for row in report.questions] == [
        ("Name", 4, 1), ("Town", 3, 2), ("Why", 1, 1),
    ]  # fmt: skip


@pytest.mark.usefixtures("app")
async def test_a_report_reads_a_bounded_number_of_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "MOST", 3)
    form, definition = await a_form()
    for _each in range(5):
        await sent(form, definition)
    report = await reports.of_form(await table.asked(form.public_id), 30)
    assert (report.entries, report.is_more) == (3, True)
    assert max(result.answered for result in report.results) == 3


@pytest.mark.parametrize(("values", "score"), [([10, 9, 8, 0], 25), ([0], -100), ([10], 100), ([7, 8], 0)])
def test_the_promoter_score_is_promoters_less_detractors(values: list[float], score: int) -> None:
    assert reports.nps(values) == score


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.floats(-1e9, 1e9) | st.integers(-50, 50).map(float), min_size=1, max_size=60))
def test_every_number_is_in_one_bucket(values: list[float]) -> None:
    labels, counts = reports.buckets(values)
    assert sum(counts) == len(values)
    assert len(labels) == len(counts) <= 11
