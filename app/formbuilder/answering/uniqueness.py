"""Answers that may be there once only. The form is locked by whoever asks."""

from collections.abc import Mapping

from app.core.i18n import _
from app.formbuilder.fields.kinds import kind_of
from app.formbuilder.models import Answer, Definition, Field
from app.formbuilder.queries import entries as queries


async def taken(
    form_id: int, definition: Definition, answers: Mapping[str, Answer], *, but: int | None = None
) -> dict[str, str]:
    """A sentence for each field that wants an answer nobody gave before, and got one of another entry than `but`."""
    wanted = [each for each in definition.fields if each.settings.get("unique") and answers.get(each.id) is not None]
    return {
        each.id: _("Somebody has given this answer already; it may be there once only.")
        for each in wanted
        if await _was_given(form_id, each, answers[each.id], but)
    }


async def _was_given(form_id: int, each: Field, answer: Answer, but: int | None) -> bool:
    # Capital letters make no other mailbox.
    if isinstance(answer, str) and kind_of(each).address(each, answer):
        return await queries.has_address(form_id, each.id, answer, but)
    return await queries.has_answer(form_id, {each.id: answer}, but)
