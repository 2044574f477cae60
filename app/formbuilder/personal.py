"""What a person answered in forms: handed out, and forgotten."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from app.core import personal
from app.core.personal import Subject
from app.formbuilder.definition import readings
from app.formbuilder.fields.kinds import kind_of
from app.formbuilder.queries import personal as queries


@personal.exports("forms")
async def answers_of(subject: Subject) -> AsyncIterator[Mapping[str, Any]]:
    """What you answered in forms, signed in or under an address of yours: questions, answers, when and from where."""
    async for row in queries.entries_of(subject.id, [subject.email]):
        definition = readings.soundly(row.definition)
        fields = definition.fields if definition is not None else ()
        asked = {field.id for field in fields}
        yield {
            "form": row.title,
            "at": row.created_at,
            "state": row.state,
            "email": row.email,
            "answers": [
                {"question": field.label, "answer": kind_of(field).text(field, row.answers[field.id])}
                for field in fields
                if field.id in row.answers
            ]
            # What was asked cannot be told any more; what was answered is theirs all the same.
            + [{"question": name, "answer": answer} for name, answer in row.answers.items() if name not in asked],
            "address": row.address or None,
            "browser": row.user_agent,
        }


@personal.shares("forms")
async def in_titles(_subject: Subject, names: Sequence[str]) -> list[str]:
    """Names that stand in the title of a form."""
    return await queries.names_in_titles(names)


@personal.erases("forms")
async def forget_answers(subject: Subject) -> None:
    """Every entry and draft of theirs, whole. Forms that they built stay, made by nobody who is named."""
    addresses = [word for word in subject.words if "@" in word]
    await queries.delete_drafts(subject.id, addresses)
    await queries.forget_acts(subject.id)
    await queries.delete_entries(subject.id, addresses)
