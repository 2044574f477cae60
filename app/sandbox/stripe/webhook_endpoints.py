"""Webhook endpoints. https://docs.stripe.com/api/webhook_endpoints"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from stripe.params import (
    WebhookEndpointCreateParams,
    WebhookEndpointDeleteParams,
    WebhookEndpointListParams,
    WebhookEndpointRetrieveParams,
    WebhookEndpointUpdateParams,
)

from app.sandbox.stripe import ids, lists
from app.sandbox.stripe.errors import InvalidRequest
from app.sandbox.stripe.operations import operation
from app.sandbox.stripe.parameters import fresh_metadata, merged_metadata
from app.sandbox.stripe.store import Doc
from app.sandbox.stripe.work import API_VERSION, Call, Work, deleted

MOST = 16


@operation("POST", "/v1/webhook_endpoints", WebhookEndpointCreateParams)
def create_webhook_endpoint(call: Call) -> Doc:
    """Create an endpoint. Its signing secret is in this answer and in no other."""
    params = call.params
    _check_url(params["url"])
    _check_events(params["enabled_events"])
    if params.get("connect"):
        raise InvalidRequest("The local Stripe has no connected accounts.", param="connect")
    if params.get("api_version", API_VERSION) != API_VERSION:
        raise InvalidRequest(f"The local Stripe sends events of {API_VERSION} only.", param="api_version")
    if len(call.store.find("webhook_endpoint")) >= MOST:
        raise InvalidRequest(f"An account can have at most {MOST} webhook endpoints.")
    secret = ids.new("whsec")
    doc = _new(call, ids.new("we"), params)
    call.insert(doc, hidden={"secret": secret})
    return {**doc, "secret": secret}


def _new(work: Work, endpoint_id: str, params: Doc) -> Doc:
    return {
        "id": endpoint_id,
        "object": "webhook_endpoint",
        "api_version": params.get("api_version"),
        "application": None,
        "created": work.now,
        "description": params.get("description"),
        "enabled_events": params["enabled_events"],
        "livemode": False,
        "metadata": fresh_metadata(params.get("metadata", {})),
        "status": "enabled",
        "url": params["url"],
    }


def configure(work: Work, wanted: Sequence[tuple[str, str]]) -> None:
    """Have exactly these endpoints (url, secret) besides those made through the API."""
    kept: set[str] = set()
    for url, secret in wanted:
        endpoint_id = f"we_{hashlib.sha256(url.encode()).hexdigest()[:24]}"
        kept.add(endpoint_id)
        record = work.store.get(endpoint_id)
        if record is None:
            params = {"url": url, "enabled_events": ["*"], "description": "From the settings of the sandbox"}
            work.insert(_new(work, endpoint_id, params), hidden={"secret": secret, "configured": True})
        else:
            work.store.save({**record.doc, "status": "enabled"}, {**record.hidden, "secret": secret})
            work.store.unbury(endpoint_id)
    for doc in work.store.find("webhook_endpoint"):
        if work.hidden(doc["id"]).get("configured") and doc["id"] not in kept:
            work.change(doc, {"status": "disabled"})


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidRequest(
            "Invalid URL: it must be absolute and begin with http:// or https://.",
            code="url_invalid",
            param="url",
        )


def _check_events(events: list[str]) -> None:
    if not events:
        raise InvalidRequest("At least one event must be enabled.", param="enabled_events")
    if "*" in events and len(events) > 1:
        raise InvalidRequest("'*' stands for all events and must be the only one.", param="enabled_events")


@operation("GET", "/v1/webhook_endpoints/{id}", WebhookEndpointRetrieveParams)
def retrieve_webhook_endpoint(call: Call) -> Doc:
    """One endpoint, without its secret."""
    return call.named("webhook_endpoint")


@operation("POST", "/v1/webhook_endpoints/{id}", WebhookEndpointUpdateParams)
def update_webhook_endpoint(call: Call) -> Doc:
    """Change where and about what an endpoint is told, or switch it off."""
    doc, params = call.named("webhook_endpoint"), call.params
    changes: dict[str, Any] = {
        name: params[name] for name in ("description", "enabled_events", "url") if name in params
    }
    if "url" in params:
        _check_url(params["url"])
    if "enabled_events" in params:
        _check_events(params["enabled_events"])
    if "disabled" in params:
        changes["status"] = "disabled" if params["disabled"] else "enabled"
    if "metadata" in params:
        changes["metadata"] = merged_metadata(doc["metadata"], params["metadata"])
    return call.change(doc, changes)


@operation("DELETE", "/v1/webhook_endpoints/{id}", WebhookEndpointDeleteParams)
def delete_webhook_endpoint(call: Call) -> Doc:
    """Delete an endpoint; what was on its way to it is given up."""
    doc = call.named("webhook_endpoint")
    call.store.bury(doc["id"])
    return deleted(doc)


@operation("GET", "/v1/webhook_endpoints", WebhookEndpointListParams)
def list_webhook_endpoints(call: Call) -> Doc:
    """Endpoints, newest first."""
    return lists.page(call, "webhook_endpoint")
