"""How each mail looks, with invented facts: `templates/<domain>/mail/<name>.json` beside the template."""

import json
import re
from base64 import b64encode
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from html import unescape
from typing import Any

from app.core.errors import NotFound
from app.core.mail import Rendered
from app.web import render

# A mail may style itself and show pictures, and nothing else.
_POLICY = (
    "default-src 'none'; style-src {styles}; img-src 'self' https: data:; frame-ancestors 'self'; "
    "base-uri 'none'; form-action 'none'; sandbox allow-popups allow-popups-to-escape-sandbox"
)


def in_words(key: str) -> str:
    """`accounts/email_change_old` is called "Email change old"; one that is not made any more still has its name."""
    return key.rpartition("/")[2].replace("_", " ").capitalize()


@dataclass(frozen=True, slots=True)
class Template:
    """A mail that the school writes, as `domain/name`."""

    domain: str
    name: str

    @property
    def key(self) -> str:
        return f"{self.domain}/{self.name}"

    @property
    def words(self) -> str:
        """What it is called in lists."""
        return in_words(self.key)

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


def framed(html: str) -> tuple[str, str]:
    """The document for a frame of ours, and the policy that it is shown under.

    Mail programs read styles at the elements only; a policy without `unsafe-inline` reads none there. So each moves
    into a style sheet, which the policy names by its hash. Nothing else of the mail is changed.
    """
    rules: list[str] = []

    def moved(match: re.Match[str]) -> str:
        rules.append(f'[data-style="{len(rules)}"]{{{unescape(match[1]).replace("<", " ")}}}')
        return f' data-style="{len(rules) - 1}"'

    drawn = re.sub(r' style="([^"]*)"', moved, html)
    drawn = drawn.replace("</head>", f"<style>{''.join(rules)}</style></head>", 1)
    hashes = [
        b64encode(sha256(sheet.encode()).digest()).decode()
        for sheet in re.findall(r"<style>(.*?)</style>", drawn, re.S)
    ]
    styles = " ".join(f"'sha256-{one}'" for one in hashes)
    return drawn, _POLICY.format(styles=styles)


def sample(template: Template) -> dict[str, Any]:
    """The invented facts of a mail, the same kind that its domain sends it with."""
    path = render.TEMPLATES / template.domain / "mail" / f"{template.name}.json"
    found: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return found
