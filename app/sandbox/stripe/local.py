"""Putting the local Stripe together: as a blueprint beside other stand-ins, or as an app of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from quart import Blueprint, Quart, Response, redirect, request
from quart.typing import ResponseReturnValue

from app.sandbox.stripe import (  # noqa: F401
    accounts,
    balance_transactions,
    behaviour,
    charges,
    checkout_payments,
    checkout_sessions,
    coupons,
    customers,
    events,
    pages,
    panel,
    payment_intents,
    payment_methods,
    prices,
    products,
    promotion_codes,
    refunds,
    shipping_rates,
    switches,
    tax_rates,
    webhook_endpoints,
)
from app.sandbox.stripe.api import Api
from app.sandbox.stripe.background import Background
from app.sandbox.stripe.clock import Clock
from app.sandbox.stripe.store import Store
from app.sandbox.stripe.work import Account

METHODS = ["GET", "POST", "DELETE", "PUT", "PATCH"]


class LocalStripe:
    """One account with its store, its routes and its background task.

    `data_dir` keeps the state, `public_url` is where browsers and the client reach this server,
    `webhooks` are the endpoints (url, signing secret) that get every event.
    """

    def __init__(
        self, *, data_dir: Path, public_url: str, secret_key: str, webhooks: Sequence[tuple[str, str]] = ()
    ) -> None:
        data_dir.mkdir(parents=True, exist_ok=True)
        store = Store(data_dir / "stripe.sqlite3")
        clock = Clock(behaviour.current(store).clock_offset)
        self.account = Account(store, clock, public_url.rstrip("/"), secret_key)
        self.background = Background(self.account)
        with store.transaction():
            webhook_endpoints.configure(self.account.work(), webhooks)

    def blueprint(self) -> Blueprint:
        """The routes: `/v1/…`, `/pay/…`, `/stripe…` and `/_sandbox/…`."""
        blueprint = Blueprint(
            "stripe",
            __name__,
            static_folder=str(Path(__file__).parent / "static"),
            static_url_path="/stripe/static",
        )
        api = Api(self.account)

        @blueprint.route("/v1", defaults={"rest": ""}, methods=METHODS)
        @blueprint.route("/v1/<path:rest>", methods=METHODS)
        async def answer_api(rest: str) -> Response:
            return await api.answer(request._get_current_object())  # type: ignore[attr-defined]

        @blueprint.before_request
        async def refuse_other_sites() -> ResponseReturnValue | None:
            foreign = request.headers.get("Sec-Fetch-Site") == "cross-site"
            if foreign and request.method not in ("GET", "HEAD") and not request.path.startswith("/v1"):
                return Response("Another site's page may not do this.", 403)
            return None

        pages.add_pages(blueprint, self.account)
        panel.add_panel(blueprint, self.account)
        switches.add_switches(blueprint, self.account)
        return blueprint

    async def start(self) -> None:
        """Start delivering webhooks and ringing timers."""
        await self.background.start()

    async def stop(self) -> None:
        """Stop, and close the store."""
        await self.background.stop()
        self.account.store.close()


def create_stripe(
    *, data_dir: Path, public_url: str, secret_key: str, webhooks: Sequence[tuple[str, str]] = ()
) -> Quart:
    """An app that is only the local Stripe; see `LocalStripe` for the arguments."""
    app = Quart(__name__)
    stripe = LocalStripe(data_dir=data_dir, public_url=public_url, secret_key=secret_key, webhooks=webhooks)
    app.register_blueprint(stripe.blueprint())
    app.before_serving(stripe.start)
    app.after_serving(stripe.stop)
    app.extensions["stripe"] = stripe

    @app.get("/")
    async def show_start() -> ResponseReturnValue:
        return redirect("/stripe")

    return app
