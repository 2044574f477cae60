"""How each mail looks, with invented facts: `templates/<domain>/mail/<name>.json` beside the template."""

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

from app.core.errors import NotFound
from app.core.mail import Rendered
from app.web import render


@dataclass(frozen=True, slots=True)
class Template:
    """A mail that the school writes, as `domain/name`."""

    domain: str
    name: str

    @property
    def key(self) -> str:
        return f"{self.domain}/{self.name}"

    @property
    def url(self) -> str:
        return f"/admin/mails/templates/{self.domain}/{self.name}"


@cache
def templates() -> list[Template]:
    """All mails, found by their text templates."""
    paths = sorted(render.TEMPLATES.glob("*/mail/*.txt"))
    return [Template(path.parts[-3], path.stem) for path in paths]


@dataclass(frozen=True, slots=True)
class Preview:
    """A mail drawn with invented facts."""

    template: Template
    rendered: Rendered


async def preview(domain: str, name: str) -> Preview:
    """Draw one mail. Raises NotFound."""
    template = Template(domain, name)
    if template not in templates():
        raise NotFound()
    return Preview(template, await render.mail(template.key, sample(template)))


def sample(template: Template) -> dict[str, Any]:
    """The invented facts of a mail, the same kind that its domain sends it with."""
    path = render.TEMPLATES / template.domain / "mail" / f"{template.name}.json"
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return found
