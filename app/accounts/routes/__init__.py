"""Public and member pages of accounts, one module a noun."""

from quart import Blueprint

routes = Blueprint("accounts", __name__)

from app.accounts.routes import (  # noqa: E402 (they add their routes)
    account,
    passkeys,
    passwords,
    registration,
    second_step,
    security,
    signing_in,
)

__all__ = ["account", "passkeys", "passwords", "registration", "routes", "second_step", "security", "signing_in"]
