"""The script that puts a form on another site."""

from quart import Response

from app.formbuilder.routes import routes
from app.web.assets import FOLDER
from app.web.guards import public

_SCRIPT = (FOLDER / "js" / "form-embed.js").read_text("utf-8")


@routes.get("/forms/embed.js")
@public()
async def show_embed_script() -> Response:
    """The same for every form; other sites may load it, and ask once an hour whether it changed."""
    return Response(
        _SCRIPT,
        content_type="text/javascript; charset=utf-8",
        headers={"Cross-Origin-Resource-Policy": "cross-origin", "Cache-Control": "public, max-age=3600"},
    )
