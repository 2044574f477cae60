"""The local services as one small server beside the school: `python -m app.sandbox.server`."""

from __future__ import annotations

import argparse
import asyncio
import signal
from dataclasses import dataclass
from pathlib import Path

from hypercorn.asyncio import serve
from hypercorn.config import Config as ServerConfig
from quart import Quart, Response, render_template

from app.config import GOOGLE as REAL_GOOGLE
from app.config import Config
from app.sandbox.google import LocalGoogle
from app.sandbox.mailbox import create_mailbox
from app.sandbox.providers import Outside
from app.sandbox.stripe import LocalStripe
from app.sandbox.turnstile import LocalTurnstile


@dataclass(frozen=True, slots=True)
class Service:
    """A line of the index page."""

    name: str
    path: str
    meaning: str


MAILBOX = Service("Mailbox", "/mailbox", "Every message that the school sends, newest first.")
STRIPE = Service(
    "Local Stripe",
    "/stripe",
    "Takes payments with test cards, tells the school of them by signed webhooks, and can be told to be slow, "
    "to repeat itself or to fail.",
)
GOOGLE = Service("Local Google", "/google", "Says who somebody is: one of a few people, or whoever you type.")
OUTSIDE = Service(
    "Local accounts",
    "/outside",
    "The thirty services that forms hand their entries to: the keys they take, what they got, and a switch that turns "
    "each one off.",
)


def create_sandbox(config: Config) -> Quart:
    """Make the application that serves every local stand-in from one port.

    The local Stripe is part of it when STRIPE_API_BASE leads the school's client away from the real one, the local
    Google when GOOGLE_ISSUER does, and the services of forms when OUTSIDE_BASE does.
    """
    folder = Path(__file__).parent
    app = Quart(__name__, static_folder=str(folder / "static"), template_folder=str(folder / "templates"))
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    services = [STRIPE, MAILBOX] if config.stripe_api_base else [MAILBOX]
    has_google = bool(config.google_client_id) and config.google_issuer != REAL_GOOGLE
    services += [GOOGLE] if has_google else []
    services += [OUTSIDE] if config.outside_base else []
    app.jinja_env.globals.update(services=services, school_url=config.app_url)
    app.register_blueprint(create_mailbox(config.data_dir / "mail"))
    if config.turnstile_secret_key and "challenges.cloudflare.com" not in config.turnstile_api_base:
        app.register_blueprint(LocalTurnstile(config.turnstile_secret_key.reveal()).blueprint())
    if config.stripe_api_base:
        _mount_stripe(app, config)
    if config.outside_base:
        app.register_blueprint(Outside().blueprint())
    if has_google:
        app.register_blueprint(_google(config).blueprint())

    @app.get("/")
    async def show_index() -> Response:
        page = Response(await render_template("index.html"))
        page.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'self'; img-src 'self' data:"
        return page

    @app.get("/health")
    async def show_health() -> str:
        return "ok"

    return app


def _mount_stripe(app: Quart, config: Config) -> None:
    secret = config.stripe_webhook_secret[0].reveal() if config.stripe_webhook_secret else ""
    stripe = LocalStripe(
        data_dir=config.data_dir / "stripe",
        public_url=config.stripe_api_base,
        secret_key=config.stripe_secret.reveal(),
        webhooks=[(f"{config.app_url.rstrip('/')}/webhooks/stripe", secret)] if secret else [],
    )
    app.register_blueprint(stripe.blueprint())
    app.before_serving(stripe.start)
    app.after_serving(stripe.stop)


def _google(config: Config) -> LocalGoogle:
    return LocalGoogle(
        issuer=config.google_issuer,
        client_id=config.google_client_id,
        client_secret=config.google_client_secret.reveal(),
        redirect_uri=f"{config.app_url.rstrip('/')}/login/google/callback",
    )


async def run(app: Quart, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT."""
    stopping = asyncio.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(sign, stopping.set)
    server = ServerConfig()
    server.bind = [f"[{host}]:{port}" if ":" in host else f"{host}:{port}"]
    server.graceful_timeout = 2
    server.errorlog = "-"
    server.loglevel = "WARNING"
    await serve(app, server, shutdown_trigger=stopping.wait)


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve the local stand-ins for outside services.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8001)
    options = parser.parse_args()
    asyncio.run(run(create_sandbox(Config.from_env()), options.host, options.port))


if __name__ == "__main__":
    main()
