"""Public and member pages of accounts, one module a noun."""

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
