"""A word that the visitor must know. It is compared and thrown away: no entry, draft or page ever has it.

Passwords that visitors make up are not asked for in forms: accounts have their own pages, where they are hashed, and a
form would only teach people to hand them over.
"""

import hmac

from app.core.i18n import _, lazy
from app.formbuilder.fields.kinds import Kind, Wrong
from app.formbuilder.models import Answer, Field, Posted
from app.formbuilder.settings import Text


class Password(Kind):
    name = "password"
    label = lazy("Password to know")
    group = "input"
    icon = "lock"
    # Rules and calculations do not see it: a calculation could write it into an entry.
    value_class = "none"
    is_secret = True
    settings = (
        Text(name="word", label=lazy("The password"), hint=lazy("Everybody who may send knows it"), longest=200),
    )

    def read(self, field: Field, posted: Posted) -> Answer:
        written = posted.one(field.id)
        if not written:
            return None
        if not hmac.compare_digest(written.encode(), str(field["word"]).encode()):
            raise Wrong(_("This is not the password."))
        return {"known": True}

    def text(self, field: Field, answer: Answer) -> str:
        return _("Known") if answer else ""

    def posted(self, field: Field, answer: Answer) -> dict[str, list[str]]:
        return {field.id: [field["word"]]} if answer else {}


KIND = Password()
