"""`/_sandbox/…`: how tests make the local Stripe misbehave, and look inside it.

| address | does |
|---|---|
| `GET /_sandbox/behaviour` | the switches as they stand (their meaning: `behaviour.py`) |
| `POST /_sandbox/behaviour` | set those that are sent, as JSON or form; answers with all |
| `DELETE /_sandbox/behaviour` | all back to normal |
| `POST /_sandbox/clock` | `advance=<seconds>`: move the clock, so that sessions expire and timers ring |
| `POST /_sandbox/events/<id>/resend` | deliver an event again, to every endpoint that wants it |
| `GET /_sandbox/deliveries` | deliveries with their attempts, newest first (`?event=<id>`, `?state=pending`) |
| `POST /_sandbox/deliveries/release` | deliver at once everything that waits for its time |
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from quart import Blueprint, Response, jsonify, request
from quart.typing import ResponseReturnValue

from app.sandbox.stripe import behaviour, deliveries, timers
from app.sandbox.stripe.work import Account


def add_switches(blueprint: Blueprint, account: Account) -> None:
    """Put the switches on a blueprint."""
    store = account.store

    @blueprint.get("/_sandbox/behaviour")
    async def show_behaviour() -> Response:
        return jsonify(asdict(behaviour.current(store)))

    @blueprint.post("/_sandbox/behaviour")
    async def change_behaviour() -> ResponseReturnValue:
        try:
            changed = behaviour.change(store, await sent_values())
        except ValueError as error:
            return jsonify({"error": str(error)}), 400
        account.clock.offset = changed.clock_offset
        account.wake()
        return jsonify(asdict(changed))

    @blueprint.delete("/_sandbox/behaviour")
    async def reset_behaviour() -> Response:
        normal = behaviour.reset(store)
        account.clock.offset = normal.clock_offset
        account.wake()
        return jsonify(asdict(normal))

    @blueprint.post("/_sandbox/clock")
    async def advance_clock() -> ResponseReturnValue:
        try:
            seconds = float((await sent_values()).get("advance", ""))
        except ValueError:
            return jsonify({"error": "Send advance=<seconds>."}), 400
        account.clock.advance(seconds)
        behaviour.change(store, {"clock_offset": account.clock.offset})
        timers.ring(account)
        account.wake()
        return jsonify({"now": account.clock.now()})

    @blueprint.post("/_sandbox/events/<event_id>/resend")
    async def resend_event(event_id: str) -> ResponseReturnValue:
        with store.transaction():
            work = account.work()
            event = work.find(event_id, "event")
            if event is None:
                return jsonify({"error": f"There is no event {event_id}."}), 404
            return jsonify({"endpoints": deliveries.queue(work, event)})

    @blueprint.get("/_sandbox/deliveries")
    async def list_deliveries() -> Response:
        wanted = {name: request.args.get(name) for name in ("event", "state")}
        return jsonify(deliveries.shown(store, limit=500, **wanted))

    @blueprint.post("/_sandbox/deliveries/release")
    async def release_deliveries() -> Response:
        deliveries.release(store, account.clock.precise())
        account.wake()
        return jsonify({"released": True})


async def sent_values() -> dict[str, Any]:
    """What was sent, as JSON or as a form."""
    if request.is_json:
        values = await request.get_json()
        return values if isinstance(values, dict) else {}
    return dict((await request.form).items())
