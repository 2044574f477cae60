"""The back office's pages of forms: the list, the builder, the inbox, and the services that entries go to."""

import importlib
import pkgutil

from quart import Blueprint

admin = Blueprint("forms_admin", __name__, url_prefix="/admin/forms")
connected = Blueprint("connections_admin", __name__, url_prefix="/admin/connections")

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
