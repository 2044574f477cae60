"""Public and member pages of accounts, one module a noun: each adds its routes when it is imported."""

import importlib
import pkgutil

from quart import Blueprint

routes = Blueprint("accounts", __name__)

for module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{module.name}")
