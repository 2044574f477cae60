"""Public and member pages of accounts, one module a noun: each adds its routes when it is imported."""

import importlib
import pkgutil

from quart import Blueprint

routes = Blueprint("accounts", __name__)

from app.accounts.routes import (  # noqa: E402, F401 (they add their routes)
    access_tokens,
    account,
    email_changes,
    lock,
    passwords,
    registration,
    second_step,
    security,
    signing_in,
    well_known,
)

for module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{module.name}")
from app.accounts.routes import (  # noqa: E402, F401 (they add their routes)
    google,
    magic_links,
)

for module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{module.name}")
