"""What the pages of one form share: its tabs, and what is wrong with it."""

from collections.abc import Mapping
from typing import Any

from app.core.errors import NotFound
from app.formbuilder.definition import definitions, readings, versions
from app.formbuilder.models import Definition, Form
from app.formbuilder.queries import forms as queries


async def framed(form: Form, tab: str) -> Mapping[str, Any]:
    """The context of templates/formbuilder/admin/head.html."""
    definition = readings.of(form)
    around = await queries.around(form.head_id)
    if around is None:
        raise NotFound
    problems = definitions.problems(definition)
    return {
        "form": form,
        "definition": definition,
        "around": around,
        "state": versions.state_of(form),
        "tab": tab,
        "problems": problems,
        "errors": sum(problem.level == "error" for problem in problems),
    }


def labels_of(definition: Definition) -> dict[str, str]:
    """How people know each field and page."""
    return {field.id: field.label or field.id for field in definition.fields}
