"""A form on pages of other sites: which may frame it, and what the office copies to put it there."""

from io import BytesIO
from urllib.parse import urlsplit

import segno
from markupsafe import escape
from quart import current_app

from app.core.i18n import _, lazy
from app.formbuilder.models import Definition
from app.formbuilder.settings import Lines, Setting, Unfit


class Sites(Lines):
    """Sites by their origin, a line each: `https://example.org`."""

    __slots__ = ()

    def read(self, value: object) -> tuple[str, ...]:
        return tuple(dict.fromkeys(_origin(line) for line in Lines.read(self, value)))


SETTINGS: tuple[Setting, ...] = (
    Sites(
        name="sites",
        label=lazy("Sites that may show this form within a page of theirs"),
        hint=lazy("A line each: https://example.org. A star alone lets every site do it."),
        most=50,
    ),
)


def headers(definition: Definition, policy: str = "") -> dict[str, str]:
    """What lets the sites of this form frame it, and no other; `policy` is the page's own, if it has one."""
    sites = definition.settings.get("sites") or ()
    ancestors = "*" if "*" in sites else " ".join(["'self'", *sites])
    usual: str = policy or current_app.config["CONTENT_SECURITY_POLICY"]
    parts = [part for part in usual.split("; ") if not part.startswith("frame-ancestors")]
    # Browsers that know frame-ancestors do not look at X-Frame-Options; it cannot name sites.
    return {"Content-Security-Policy": "; ".join([*parts, f"frame-ancestors {ancestors}"])}


def code(address: str) -> str:
    """The address as a QR code, an SVG."""
    out = BytesIO()
    # Dark on light whatever the scheme of the page: cameras need that. No inline style (our policy forbids it).
    segno.make(address, error="m", micro=False).save(
        out, kind="svg", xmldecl=False, svgclass="qr__code", lineclass=None, omitsize=True, dark="#000", light="#fff"
    )
    return out.getvalue().decode()


def code_file(address: str) -> bytes:
    """The same as a file, large enough to be printed."""
    out = BytesIO()
    segno.make(address, error="m", micro=False).save(out, kind="svg", scale=10, dark="#000", light="#fff")
    return out.getvalue()


def _origin(line: str) -> str:
    if line.strip() == "*":
        return "*"
    text = line.strip().rstrip("/").lower()
    unfit = Unfit(_("Write the beginning of the site’s address: https://example.org"))
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        raise unfit from None
    host = parts.hostname or ""
    plain = host and all(each.isalnum() or each in "-." for each in host) and host.isascii()
    if parts.scheme not in ("http", "https") or not plain or parts.path or parts.query:
        raise unfit
    return f"{parts.scheme}://{host}{port}"


def snippets(address: str, slug: str, title: str) -> list[tuple[str, str, str]]:
    """What is copied into pages of other sites: (id, what it does, the code)."""
    script = f"{address.rpartition('/')[0]}/embed.js"
    words = escape(title)
    # Whoever has scripts off would see nothing at all.
    link = f'<noscript><a href="{address}">{words}</a></noscript>'

    def tag(way: str) -> str:
        return f'<script src="{script}" data-form="{slug}" data-as="{way}" data-words="{words}" async></script>{link}'

    frame = f'<iframe src="{address}/embed" title="{words}" width="100%" height="800" style="border:0"></iframe>'
    return [
        ("inline", _("Within a page: as high as it needs to be"), tag("inline")),
        ("popup", _("A button that opens it over the page"), tag("popup")),
        ("slide", _("A button in the corner that lets it slide in"), tag("slide")),
        ("frame", _("A plain frame, where scripts are not allowed"), frame),
    ]
