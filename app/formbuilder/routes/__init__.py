"""Forms as visitors meet them: the page, what is sent, the thanks, and the link that confirms."""

import importlib
import pkgutil

from quart import Blueprint

routes: Blueprint = Blueprint("forms", __name__)

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

from app.formbuilder.routes.entries import stamp_of  # noqa: E402 (it needs the blueprint)

__all__ = ["routes", "stamp_of"]
