"""Static files: fingerprinted, compressed once, served before the framework is entered.

`asset("css/school.css")` is `/static/css/school.<hash>.css`. The sheets `css/school.css`, `css/office.css` and `css/form.css`
only list others; they are joined here, so a world costs one request.
"""

import gzip
import hashlib
import mimetypes
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import brotli

FOLDER = Path(__file__).resolve().parents[2] / "static"
BUNDLES = ("css/school.css", "css/office.css", "css/form.css", "css/form-fields.css", "css/form-acting.css")
_TEXT = {".css", ".js", ".svg", ".json", ".txt", ".vtt", ".html"}
_TYPES = {
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
    ".webp": "image/webp",
    ".vtt": "text/vtt",
}

_PACKED: dict[str, Callable[[bytes], bytes]] = {
    "br": lambda content: brotli.compress(content, quality=9),
    "gzip": lambda content: gzip.compress(content, 9, mtime=0),
}

ASGIApp = Callable[[dict[str, Any], Any, Any], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is sent; `bodies` holds the encodings that were asked for, `identity` always."""

    address: str
    content_type: str
    etag: str
    is_packed: bool
    bodies: dict[str, bytes]

    def body(self, encoding: str) -> bytes:
        """The content as `identity`, `br` or `gzip`: packed when first asked for, since a start waits for all of them."""
        found = self.bodies.get(encoding)
        if found is None:
            found = self.bodies[encoding] = _PACKED[encoding](self.bodies["identity"])
        return found


class Assets:
    """All static files, by their path under `static/` and by their fingerprinted address."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = folder
        self._by_path: dict[str, Asset] = {}
        self.by_address: dict[str, Asset] = {}
        paths = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
        # Style sheets point at fonts and pictures, so those come first.
        for path in [p for p in paths if not p.endswith(".css")]:
            self._add(path, (folder / path).read_bytes())
        for path in [p for p in paths if p in BUNDLES]:
            self._add(path, self._joined(path).encode())

    def address(self, path: str) -> str:
        """The address of a file. Raises KeyError when there is none: a wrong name must not reach a page."""
        return self._by_path[path].address

    def has(self, path: str) -> bool:
        """True when there is such a file."""
        return path in self._by_path

    def _add(self, path: str, content: bytes) -> None:
        digest = hashlib.sha256(content).hexdigest()[:10]
        stem, dot, suffix = path.rpartition(".")
        address = f"/static/{stem}.{digest}.{suffix}" if dot else f"/static/{path}.{digest}"
        extension = f".{suffix}"
        content_type = _TYPES.get(extension) or mimetypes.guess_type(path)[0] or "application/octet-stream"
        if extension in _TEXT:
            content_type += "; charset=utf-8"
        is_packed = extension in _TEXT and len(content) > 512
        made = Asset(address, content_type, f'"{digest}"', is_packed, {"identity": content})
        self._by_path[path] = made
        self.by_address[address] = made
        # The unfingerprinted address works too (mail, hand-written links), without the long cache.
        self.by_address[f"/static/{path}"] = made

    def _joined(self, path: str) -> str:
        source = (self._folder / path).read_text("utf-8")
        parts = [line for line in source.splitlines() if line.startswith("@layer")]
        for name in re.findall(r'@import url\("([^"]+)"\)', source):
            sheet = self._folder / "css" / name
            if sheet.exists():
                parts.append(self._with_addresses(sheet.read_text("utf-8"), Path("css") / name))
        return _squeezed("\n".join(parts))

    def _with_addresses(self, css: str, path: Path) -> str:
        def replace(match: re.Match[str]) -> str:
            target = (self._folder / path.parent / match[1]).resolve()
            return f'url("{self.address(target.relative_to(self._folder.resolve()).as_posix())}")'

        return re.sub(r'url\("?((?!data:|#)[^")]+)"?\)', replace, css)


def _squeezed(css: str) -> str:
    css = re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)
    return "\n".join(line.strip() for line in css.splitlines() if line.strip())


class AssetServer:
    """ASGI middleware that answers `/static/…` itself."""

    def __init__(self, inner: ASGIApp, assets: Assets, headers: Mapping[str, str] | None = None) -> None:
        self._inner = inner
        self._assets = assets
        self._headers = [(name.lower().encode(), text.encode()) for name, text in (headers or {}).items()]

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http" or not scope["path"].startswith("/static/"):
            await self._inner(scope, receive, send)
            return
        found = self._assets.by_address.get(scope["path"])
        if found is None or scope["method"] not in ("GET", "HEAD"):
            await self._inner(scope, receive, send)
            return
        headers = dict(scope["headers"])
        status, body, extra = _answer(found, headers, fingerprinted=scope["path"] == found.address)
        await send({"type": "http.response.start", "status": status, "headers": [*self._headers, *extra]})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


def _answer(
    asset: Asset, headers: dict[bytes, bytes], *, fingerprinted: bool
) -> tuple[int, bytes, list[tuple[bytes, bytes]]]:
    accepted = headers.get(b"accept-encoding", b"")
    encoding = next((name for name in _PACKED if asset.is_packed and name.encode() in accepted), "identity")
    cache = b"public, max-age=31536000, immutable" if fingerprinted else b"public, max-age=300"
    out = [
        (b"content-type", asset.content_type.encode()),
        (b"cache-control", cache),
        (b"etag", asset.etag.encode()),
        (b"vary", b"Accept-Encoding"),
    ]
    if headers.get(b"if-none-match") == asset.etag.encode():
        return 304, b"", out
    if encoding != "identity":
        out.append((b"content-encoding", encoding.encode()))
    body = asset.body(encoding)
    out.append((b"content-length", str(len(body)).encode()))
    return 200, body, out
