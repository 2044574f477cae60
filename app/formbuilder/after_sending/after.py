"""What is known of an entry when something follows from it: its answers, what they were worth, and its tags."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from app.commerce import orders
from app.core import clock
from app.core.ids import public_id
from app.core.money import format_money
from app.core.settings import School, school
from app.formbuilder.after_sending import merge_tags
from app.formbuilder.after_sending.merge_tags import Facts
from app.formbuilder.answering import contests
from app.formbuilder.definition import readings
from app.formbuilder.delivery import rehearsal
from app.formbuilder.logic import scoring, whens
from app.formbuilder.logic.scoring import Result
from app.formbuilder.models import Answer, Definition, Entry, Form
from app.formbuilder.queries import entries as entry_queries
from app.formbuilder.queries import forms as form_queries
from app.formbuilder.queries import payments as payment_queries

SAMPLE_EMAIL = "ines@learner.example"
_site = ""


def configure(app_url: str) -> None:
    """Say where the school is, for links in mails; called once by create_app()."""
    global _site
    _site = app_url.rstrip("/")


@dataclass(frozen=True)
class Situation:
    """An entry with its form: `definition` is what was answered, `live` what the form is now."""

    form: Form
    definition: Definition
    live: Definition
    entry: Entry
    school: School
    amount: str = ""

    @property
    def today(self) -> str:
        return clock.now().astimezone(self.school.zone).date().isoformat()

    @cached_property
    def result(self) -> Result | None:
        return scoring.result_of(self.definition, self.entry.answers)

    @cached_property
    def facts(self) -> Facts:
        results = self.result.words() if self.result is not None else {}
        return merge_tags.facts_of(
            self.definition,
            self.entry.answers,
            school=self.school.name,
            site=_site,
            slug=self.form.slug,
            form_id=self.form.public_id,
            entry_id=self.entry.public_id,
            at=self.entry.created_at.astimezone(self.school.zone),
            email=self.entry.email,
            results={**results, "amount": self.amount},
        )

    def holds(self, when: Any) -> bool:
        """Whether a condition holds for this entry; none always does."""
        results = self.result.values() if self.result is not None else {}
        return whens.holds(self.definition, when, self.entry.answers, self.today, results)


async def of_entry_id(entry_id: int) -> Situation | None:
    """The situation of an entry, or None when it is gone."""
    entry = await entry_queries.entry_by_id(entry_id)
    return await of_entry(entry) if entry is not None else None


async def of_entry(entry: Entry) -> Situation:
    """The situation of an entry."""
    form = await form_queries.version_by_id(entry.version_id)
    assert form is not None  # a version with entries stays
    answered = readings.of(form)
    live = answered
    if form.live_id not in (None, form.version_id) and not await contests.is_tried(form):
        newest = await form_queries.version_by_id(form.live_id or 0)
        live = readings.of(newest) if newest is not None else answered
    order_id = await payment_queries.order_id_of(entry.id)
    order = await orders.find(order_id) if order_id is not None else None
    amount = format_money(order.total_minor, order.currency) if order is not None and order.total_minor else ""
    return Situation(form, answered, live, entry, await school(), amount)


async def sample(form: Form, definition: Definition) -> Situation:
    """A situation with invented answers, for previews and tests."""
    answers = rehearsal.sample(definition, SAMPLE_EMAIL)
    for field in definition.fields:
        if field.kind == "short_text":
            answers[field.id] = "Ines Kovač"
    made = await trial(form, definition, answers)
    return replace(made, entry=replace(made.entry, email=SAMPLE_EMAIL))


async def trial(form: Form, definition: Definition, answers: Mapping[str, Answer]) -> Situation:
    """A situation with answers that nobody keeps."""
    entry = Entry(
        id=0, public_id=public_id(), form_id=form.id, version_id=form.version_id, state="received", answers=dict(answers),
        email="", user_id=None, created_at=clock.now(), is_read=True, is_starred=False,
    )  # fmt: skip
    return Situation(form, definition, definition, entry, await school())
