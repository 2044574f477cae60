"""Drawing the local Stripe's own pages, with headers that allow no script and nothing from elsewhere."""

from __future__ import annotations

import gettext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from quart import Response, url_for

from app.sandbox.stripe import money

TEMPLATES = Path(__file__).parent.parent / "templates" / "stripe"


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.install_gettext_translations(gettext.NullTranslations(), newstyle=True)  # type: ignore[attr-defined]
    environment.filters["money"] = money.shown
    environment.filters["moment"] = moment
    return environment


def moment(seconds: float) -> str:
    """A time for people, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%d %b %Y, %H:%M:%S UTC")


ENVIRONMENT = _environment()


def page(template: str, status: int = 200, *, goes_to: list[str | None] | None = None, **context: Any) -> Response:
    """A page. `goes_to` are the addresses that its forms may end at: redirects count, for browsers."""
    html = ENVIRONMENT.get_template(template).render(
        stylesheet=url_for("stripe.static", filename="stripe.css"), **context
    )
    response = Response(html, status, content_type="text/html; charset=utf-8")
    targets = " ".join(["'self'", *sorted({_origin(url) for url in goes_to or [] if url})])
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none';"
        f" form-action {targets}"
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-store"
    return response


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
