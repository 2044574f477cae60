"""A signature, drawn with the finger or the mouse; a typed name where nothing can be drawn."""

from collections.abc import Sequence
from typing import Any

from app.core.i18n import _, lazy
from app.formbuilder.fields.attached import MEGABYTE, Attached
from app.formbuilder.fields.kinds import Wrong
from app.formbuilder.models import Answer, Field, Posted


class Signature(Attached):
    """An answer is {"file": …} or {"typed": name}, or both."""

    name = "signature"
    label = lazy("Signature")
    icon = "pencil"
    is_group = True
    scripts = ("js/field-signature.js",)
    settings = ()

    def types(self, field: Field) -> Sequence[str]:
        return ["image"]

    def most(self, field: Field) -> int:
        return 1

    def most_bytes(self, field: Field) -> int:
        return MEGABYTE // 2

    def parts(self, field: Field) -> Sequence[tuple[str, str]]:
        return (("typed", "text"),)

    def read(self, field: Field, posted: Posted) -> Answer:
        files, typed = Attached.read(self, field, posted), posted.one(f"{field.id}.typed")
        found: dict[str, Any] = {"file": files[-1]} if files else {}
        return found | ({"typed": typed} if typed else {}) or None

    def check(self, field: Field, answer: Answer) -> None:
        if len(answer.get("typed", "")) > 200:
            raise Wrong(_("At most %(n)s characters.", n=200), "typed")

    def missing(self, field: Field) -> str:
        return _("Please sign here.")

    def files(self, answer: Answer) -> list[dict[str, Any]]:
        return [answer["file"]] if answer and "file" in answer else []

    def text(self, field: Field, answer: Answer) -> str:
        if not answer:
            return ""
        return _("Signed as %(name)s", name=answer["typed"]) if "typed" in answer else _("Signed by hand")

    def posted(self, field: Field, answer: Answer) -> dict[str, list[str]]:
        typed = (answer or {}).get("typed")
        return Attached.posted(self, field, answer) | ({f"{field.id}.typed": [typed]} if typed else {})


KIND = Signature()
