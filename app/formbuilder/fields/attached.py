"""What the kinds have in common that take files. A file is kept before its form is read (app/formbuilder/answering/files.py); from
then on it travels as a signed token, so that a page with a mistake, a later step and a draft need not send it again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from app.core import tokens
from app.core.i18n import _, lazy
from app.formbuilder.fields.kinds import Kind, Wrong
from app.formbuilder.models import Answer, Field, Posted
from app.formbuilder.settings import Number, Setting, Several

PURPOSE = "form-file"
# A little longer than what was begun is kept.
TOKEN_SECONDS = 31 * 24 * 3600
MEGABYTE = 1024 * 1024
TYPES = (
    ("image", lazy("Pictures")),
    ("pdf", lazy("PDF")),
    ("document", lazy("Texts and presentations")),
    ("sheet", lazy("Spreadsheets")),
    ("audio", lazy("Sound")),
    ("video", lazy("Films")),
    ("archive", lazy("Archives (ZIP)")),
)
ACCEPT = {
    "image": "image/png,image/jpeg,image/webp,image/gif",
    "pdf": "application/pdf",
    "document": ".docx,.odt,.rtf,.txt,.md,.pptx,.odp",
    "sheet": ".xlsx,.ods,.csv,.tsv",
    "audio": "audio/*",
    "video": "video/mp4,video/webm",
    "archive": ".zip",
}


@dataclass(frozen=True, slots=True)
class Rejected:
    """A file that came and was not kept, and why."""

    sentence: str


class Attached(Kind):
    """Files. An answer is a list of {"id", "name", "size" in bytes, "type"}."""

    group: ClassVar[str] = "file"
    icon: ClassVar[str] = "upload"
    value_class: ClassVar[str] = "none"
    takes_files: ClassVar[bool] = True
    has_sheet: ClassVar[bool] = True
    settings: ClassVar[Sequence[Setting]] = (
        Number(name="most", label=lazy("Files at most"), default=1, low=1, high=10),
        Number(name="megabytes", label=lazy("Megabytes a file"), default=10, low=1, high=25),
        Several(name="types", label=lazy("What may be sent"), default=("image", "pdf", "document"), choices=TYPES),
    )

    def types(self, field: Field) -> Sequence[str]:
        """The groups of types that are taken; all of them when none was ticked."""
        return field["types"] or [name for name, _label in TYPES]

    def most(self, field: Field) -> int:
        """How many files are taken."""
        return int(field["most"])

    def most_bytes(self, field: Field) -> int:
        """How large each may be."""
        return int(field["megabytes"]) * MEGABYTE

    def accept(self, field: Field) -> str:
        """What the browser's own dialog offers; what counts is the content."""
        return ",".join(ACCEPT[name] for name in self.types(field))

    def kept(self, field: Field, posted: Posted) -> list[dict[str, Any]]:
        """The files that were kept for this field, as its tokens tell."""
        found = (read_token(field.id, token) for token in posted.all(f"{field.id}.kept"))
        files = [file for file in found if file is not None]
        return list({file["id"]: file for file in files}.values())

    def tokens(self, field: Field, posted: Posted) -> list[tuple[str, dict[str, Any]]]:
        """The tokens as the page sends them again, each with its file."""
        return [(token_of(field.id, file), file) for file in self.kept(field, posted)]

    def read(self, field: Field, posted: Posted) -> Answer:
        for rejected in posted.files.get(field.id, ()):
            if isinstance(rejected, Rejected):
                raise Wrong(rejected.sentence)
        return self.kept(field, posted) or None

    def check(self, field: Field, answer: Answer) -> None:
        if len(answer) > self.most(field):
            raise Wrong(_("At most %(n)s files.", n=self.most(field)))

    def missing(self, field: Field) -> str:
        return _("Please attach a file.")

    def files(self, answer: Answer) -> list[dict[str, Any]]:
        """The files in an answer."""
        return list(answer or ())

    def text(self, field: Field, answer: Answer) -> str:
        return ", ".join(file["name"] for file in self.files(answer))

    def posted(self, field: Field, answer: Answer) -> dict[str, list[str]]:
        files = self.files(answer)
        return {f"{field.id}.kept": [token_of(field.id, file) for file in files]} if files else {}


def token_of(field_id: str, file: dict[str, Any]) -> str:
    """A kept file as its page sends it again. It begins with the file's id, which drafts are searched for."""
    return f"{file['id']}.{tokens.sign([field_id, file['id'], file['name'], file['size'], file['type']], PURPOSE)}"


def read_token(field_id: str, token: str) -> dict[str, Any] | None:
    """The file of a token that was made for this field; None for anything else."""
    name, _dot, signed = token.partition(".")
    told = tokens.unsign(signed, PURPOSE, TOKEN_SECONDS)
    if not isinstance(told, list) or len(told) != 5 or told[:2] != [field_id, name]:
        return None
    return {"id": told[1], "name": told[2], "size": told[3], "type": told[4]}
