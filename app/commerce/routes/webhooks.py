"""Where Stripe tells its news: checked, stored, answered; acted on by a job."""

import structlog
from quart import Response, current_app, request

from app.commerce.routes import routes
from app.core import webhooks
from app.gateways import payments
from app.web.bodies import brings
from app.web.guards import machine

log = structlog.get_logger()

# Stripe's own limit for an event is 256 KB.
LARGEST = 512 * 1024


@routes.post("/webhooks/stripe")
@machine()
@brings(LARGEST)
async def create_stripe_event() -> Response:
    """Keep one delivery. 400 tells Stripe (or whoever it is) that the signature is not good."""
    raw: bytes = await request.get_data(as_text=False)  # type: ignore[assignment]
    secrets = [secret.reveal() for secret in current_app.config["LECTERN"].stripe_webhook_secret]
    try:
        event = payments.read_event(raw, request.headers.get("Stripe-Signature"), secrets)
    except payments.BadSignature as error:
        log.warning("webhook refused", provider="stripe", reason=str(error).split("\n")[0])
        return Response("The signature does not fit.\n", 400, content_type="text/plain; charset=utf-8")
    await webhooks.store("stripe", event.id, event.kind, event.payload)
    return Response("", 200, content_type="text/plain; charset=utf-8")
