"""Public and member pages of accounts, one module a noun: each adds its routes when it is imported."""

import importlib
import pkgutil

from quart import Blueprint

routes = Blueprint("accounts", __name__)

from app.accounts.routes import (  # noqa: E402, F401 (they add their routes)
    account,
    email_changes,
    google,
    lock,
    magic_links,
    passwords,
    registration,
    second_step,
    security,
    signing_in,
)

for module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{module.name}")
