"""Forms as visitors meet them: the page, what was begun, what is sent, the thanks; and forms on other sites."""

import importlib
import pkgutil

from quart import Blueprint, Response, request

from app.formbuilder.answering.stamps import stamp_of

__all__ = ["routes", "stamp_of"]

routes = Blueprint("forms", __name__)


@routes.after_request
async def tell_where_to(response: Response) -> Response:
    """A script that sent a form is told where it leads: it could not see that of a redirect to another site."""
    if response.status_code == 303 and request.headers.get("Lectern-Fetch"):
        told = Response(status=200)
        told.headers["Lectern-To"] = response.headers["Location"]
        told.headers["Cache-Control"] = "no-store"
        return told
    return response


for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
