"""The public and member pages of buying, one blueprint over several files by noun."""

from quart import Blueprint

routes = Blueprint("commerce", __name__)

from app.commerce.routes import account, cart, checkout, visitor, webhooks  # noqa: E402, F401 (they fill the blueprint)
