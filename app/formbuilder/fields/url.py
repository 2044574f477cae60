"""The address of a web page."""

import re
from urllib.parse import urlsplit

from app.core.i18n import _, lazy
from app.formbuilder.fields.kinds import Kind, Wrong
from app.formbuilder.models import Answer, Field, Posted
from app.formbuilder.settings import Switch, Text

LONGEST = 2000
_HOST = re.compile(r"(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+[^\W\d_]{2,63}")


class Url(Kind):
    name = "url"
    label = lazy("Web address")
    group = "input"
    icon = "link"
    settings = (
        Text(name="placeholder", label=lazy("Example in the empty field"), longest=120),
        Switch(name="unique", label=lazy("No two entries with the same answer")),
    )

    def read(self, field: Field, posted: Posted) -> Answer:
        text = posted.one(field.id)
        if text and "://" not in text and not text.lower().startswith(("javascript:", "data:", "mailto:")):
            text = f"https://{text}"
        return text or None

    def check(self, field: Field, answer: Answer) -> None:
        if len(answer) > LONGEST:
            raise Wrong(_("Please write at most %(n)s characters; this is %(m)s.", n=LONGEST, m=len(answer)))
        if not is_web_address(answer):
            raise Wrong(_("This does not look like the address of a web page, as in https://example.org/page."))


def is_web_address(text: str) -> bool:
    """Whether a browser can be led there: http or https, a host with a dot, no space."""
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
        _port = parts.port
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and _HOST.fullmatch(host) is not None and not re.search(r"[\s<>\"]", text)


KIND = Url()
