"""A mail address, written twice so that a slip shows."""

from collections.abc import Sequence

from app.core.i18n import _, lazy
from app.formbuilder.fields.email import Email
from app.formbuilder.fields.kinds import Wrong
from app.formbuilder.models import Answer, Field, Posted


class ConfirmEmail(Email):
    name = "confirm_email"
    label = lazy("Email, twice")
    icon = "at-sign"
    is_group = True
    has_sheet = True

    def parts(self, field: Field) -> Sequence[tuple[str, str]]:
        return (("again", "text"),)

    def read(self, field: Field, posted: Posted) -> Answer:
        first, again = posted.one(field.id), posted.one(f"{field.id}.again")
        if not first and not again:
            return None
        if first.casefold() != again.casefold():
            raise Wrong(_("The two addresses differ. Please look at both."), "again")
        return first

    def posted(self, field: Field, answer: Answer) -> dict[str, list[str]]:
        return {field.id: [answer], f"{field.id}.again": [answer]} if answer else {}


KIND = ConfirmEmail()
