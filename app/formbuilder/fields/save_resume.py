"""Where a form offers to be gone on with later. The form's own page draws the button, when it keeps drafts."""

from app.core.i18n import lazy
from app.formbuilder.fields.kinds import Kind
from app.formbuilder.settings import Text


class SaveResume(Kind):
    name = "save_resume"
    label = lazy("Save and go on later")
    group = "layout"
    icon = "bookmark"
    value_class = "none"
    has_answer = False
    can_be_required = False
    settings = (
        Text(
            name="words", label=lazy("Words beside the button"), longest=300,
            default=lazy("No time now? Keep what you wrote and go on later."),
        ),
        Text(name="button", label=lazy("Word on the button"), longest=60),
    )  # fmt: skip


KIND = SaveResume()
