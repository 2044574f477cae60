"""People in the back office, one module a noun: each adds its routes when it is imported."""

import importlib
import pkgutil

from quart import Blueprint

admin = Blueprint("accounts_admin", __name__, url_prefix="/admin")

for module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{module.name}")
