"""Forms with entries, for tests of what the office does with them."""

from typing import Any

from app.core import db
from app.formbuilder.answering import submissions
from app.formbuilder.answering.submissions import Sender
from app.formbuilder.definition import definitions, versions
from app.formbuilder.models import Definition, Entry, Form, Posted

FIELDS = [
    {"id": "q1", "kind": "short_text", "label": "Your name", "required": True},
    {"id": "q2", "kind": "email", "label": "Email"},
    {"id": "q3", "kind": "radio", "label": "How did you find us?",
     "settings": {"options": [{"value": "friend", "label": "A friend"}, {"value": "search", "label": "The search"}], "other": True}},
    {"id": "q4", "kind": "number", "label": "Age"},
]  # fmt: skip


async def a_form(fields: list[dict[str, Any]] | None = None, **settings: Any) -> tuple[Form, Definition]:
    """An open form with these settings."""
    definition = definitions.read({"title": "Apply", "fields": fields or FIELDS, "settings": settings, "last": 9})
    form = await versions.publish((await versions.create(definition, by=None)).id)
    return form, definition


async def sent(form: Form, definition: Definition, sender: Sender | None = None, **texts: str | list[str]) -> Entry:
    """An entry with these answers by field id; `q3_other` is the text beside "Something else"."""
    given = {"q1": "Ann Hart", "q2": "ann@example.org", "q3": "friend", **texts}
    posted = {
        name.replace("_other", ".other"): [text] if isinstance(text, str) else text for name, text in given.items()
    }
    return await submissions.submit(form, definition, Posted(posted), sender or Sender())


async def told(entry_id: int) -> int:
    """How many jobs wait that were told of this entry."""
    return int(
        await db.value(
            "SELECT count(*) FROM pgqueuer WHERE entrypoint = 'formbuilder.plan_deliveries' AND payload = :payload",
            payload=b'{"entry_id":%d}' % entry_id,
        )
    )


async def state_of(entry_id: int) -> str:
    return str(await db.value("SELECT state FROM form_entries WHERE id = :id", id=entry_id))
