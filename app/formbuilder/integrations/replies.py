"""Answers of services, read."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.core.i18n import _
from app.formbuilder.integrations import Passing
from app.gateways.outgoing import Answer

# Characters of a request or answer that are kept.
LONGEST_KEPT = 4000


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, read. `data` is its JSON, or None."""

    status: int
    headers: Mapping[str, str]
    data: Any
    text: str

    def __getitem__(self, name: str) -> Any:
        """A member of the JSON object that was promised. Raises Passing when the answer is something else."""
        if not isinstance(self.data, dict) or name not in self.data:
            raise Passing(_("The answer lacks what was asked for (%(name)s).") % {"name": name})
        return self.data[name]

    def at(self, path: str) -> Any:
        """What stands at a dotted path; None when there is no such."""
        found = self.data
        for part in filter(None, path.split(".")):
            found = found.get(part) if isinstance(found, dict) else None
        return found

    def rows(self, path: str = "") -> list[dict[str, Any]]:
        """The objects of a list, or of the list at a dotted path; none when there is no such list."""
        found = self.at(path)
        return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def read(answer: Answer) -> Reply:
    """An answer with its JSON, if it is any."""
    body = answer.body.decode("utf-8", "replace")
    try:
        data = json.loads(body) if body.strip() else None
    except (ValueError, RecursionError):
        data = None
    return Reply(answer.status, answer.headers, data, body)


def clean(text: str) -> str:
    """Text as the database takes it: what others answer may hold anything."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()


def shortened(text: str) -> str:
    """Text as long as is kept."""
    return text if len(text) <= LONGEST_KEPT else text[: LONGEST_KEPT - 1] + "…"
