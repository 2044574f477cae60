"""One sentence that survives a redirect, in a signed cookie that the next page takes and clears."""

from dataclasses import asdict, dataclass

from quart import Quart, Response

from app.core import tokens
from app.web import cookies
from app.web.current import g

COOKIE = "flash"


@dataclass(frozen=True, slots=True)
class Flash:
    """What happened. `kind` is "", done, care or bad; `undo_url` is an address that a POST takes it back with."""

    text: str
    kind: str = "done"
    undo_url: str = ""


def flash(text: str, kind: str = "done", *, undo_url: str = "") -> None:
    """Tell the person on the next page that is drawn."""
    g.setdefault("flashes", []).append(Flash(text, kind, undo_url))


def take_flashes() -> list[Flash]:
    """The sentences for the page being drawn now: those of this request and those that were carried over."""
    carried = tokens.unsign(cookies.read(COOKIE), "flash", max_age=300) or []
    found = [Flash(**item) for item in carried] + list(g.pop("flashes", []))
    g.flashes_taken = bool(carried)
    return found


def install(app: Quart) -> None:
    """Carry untaken sentences over in the cookie, and clear it once they were shown."""

    @app.after_request
    async def carry(response: Response) -> Response:
        waiting = g.get("flashes")
        if waiting:
            signed = tokens.sign([asdict(item) for item in waiting], "flash")
            cookies.put(response, COOKIE, signed, max_age=300)
        elif g.get("flashes_taken"):
            cookies.clear(response, COOKIE)
        return response
