"""A word that the visitor must know. It is compared and thrown away: no entry, draft or page ever has it.

Passwords that visitors make up are not asked for in forms: accounts have their own pages, where they are hashed, and a
form would only teach people to hand them over.
"""

import hmac
from collections.abc import Mapping, Sequence

from app.core import tokens
from app.core.i18n import _, lazy
from app.formbuilder.fields.kinds import Kind, Wrong
from app.formbuilder.models import Answer, Field, Posted
from app.formbuilder.settings import Text

PURPOSE = "form-known"
# A little longer than what was begun is kept.
KNOWN_SECONDS = 31 * 24 * 3600


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
            return {"known": True} if self.is_known(field, posted) else None
        if not _is_word(field, written):
            raise Wrong(_("This is not the password."))
        return {"known": True}

    def is_known(self, field: Field, posted: Posted) -> bool:
        """Whether it was given before, as the token says that stands for it since."""
        return tokens.unsign(posted.one(f"{field.id}.known"), PURPOSE, KNOWN_SECONDS) == _known(field)

    def sealed(self, field: Field, texts: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
        written = Posted(texts).one(field.id)
        found = {name: list(values) for name, values in texts.items() if name != field.id}
        return (
            found | {f"{field.id}.known": [tokens.sign(_known(field), PURPOSE)]} if _is_word(field, written) else found
        )

    def text(self, field: Field, answer: Answer) -> str:
        return _("Known") if answer else ""

    def posted(self, field: Field, answer: Answer) -> dict[str, list[str]]:
        return {field.id: [field["word"]]} if answer else {}


def _is_word(field: Field, written: str) -> bool:
    return bool(field["word"]) and hmac.compare_digest(written.encode(), str(field["word"]).encode())


def _known(field: Field) -> list[str]:
    """Good for this field, until its password is another one."""
    return [field.id, tokens.keyed(str(field["word"])).hex()[:16]]


KIND = Password()
