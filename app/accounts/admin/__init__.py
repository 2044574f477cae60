"""The back office of accounts: people, and the roles that they may hold."""

from quart import Blueprint

admin = Blueprint("accounts_admin", __name__, url_prefix="/admin")

from app.accounts.admin import notes, people, profiles, roles, tags  # noqa: E402, F401 (they put their routes into it)
