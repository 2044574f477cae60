"""The owner's accent as a style sheet of one number: everything else follows from the tokens."""

from quart import Blueprint, Quart, Response, request

from app.core.numbers import whole_number
from app.core.settings import school
from app.web.guards import public
from app.web.page_cache import cached

routes = Blueprint("theme", __name__)


@routes.get("/theme.css")
@public()
@cached(query=("hue",))
async def show_theme() -> Response:
    """`:root { --hue: 155 }`; `?hue=` makes the address change with the setting, so it may be kept for long."""
    asked = whole_number(request.args.get("hue"), 3)
    hue = (await school()).hue if asked is None else asked
    response = Response(
        f"@layer tokens {{ :root {{ --hue: {min(hue, 360)}; }} }}\n", content_type="text/css; charset=utf-8"
    )
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if asked else "public, max-age=60"
    return response


def install(app: Quart) -> None:
    """Put the route into the application."""
    app.register_blueprint(routes)
