"""Liveness, readiness and the server's time."""

from typing import Any

from quart import Blueprint, Quart

from app.core import clock, health, limits
from app.web.guards import machine, public

routes = Blueprint("health", __name__)


@routes.get("/health/live")
@machine(limit=limits.WRITE)
async def show_live() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@routes.get("/health/ready")
@public()
async def show_ready() -> tuple[dict[str, Any], int]:
    """The process can serve people: its database answers and is up to date."""
    report = await health.readiness()
    ready = report["database"] == "ok"
    return {"status": "ok" if ready else "not ready", **report}, 200 if ready else 503


@routes.get("/time")
@public()
async def show_time() -> dict[str, str]:
    """The server's clock, for those who wonder about theirs."""
    return {"now": clock.now().isoformat()}


def install(app: Quart) -> None:
    """Put the routes into the application."""
    app.register_blueprint(routes)
