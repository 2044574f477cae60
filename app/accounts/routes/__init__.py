"""Public and member pages of accounts, one module a noun."""

from quart import Blueprint

routes = Blueprint("accounts", __name__)

from app.accounts.routes import (  # noqa: E402 (they add their routes)
    account,
    email_changes,
    lock,
    passkeys,
    passwords,
    registration,
    second_step,
    security,
    signing_in,
)

__all__ = [
    "account",
    "email_changes",
    "lock",
    "passkeys",
    "passwords",
    "registration",
    "routes",
    "second_step",
    "security",
    "signing_in",
]
