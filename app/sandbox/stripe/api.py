"""The API over HTTP: who asks, which version, which operation, which key; then the answer as JSON."""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import hmac
import json
import logging
import os
import socket
import stat

from quart import Request, Response

from app.sandbox.stripe import behaviour, expansion, forms, ids, operations, parameters, timers
from app.sandbox.stripe.errors import (
    Broken,
    CardRefused,
    InvalidRequest,
    NotFound,
    StripeRefusal,
    TooManyRequests,
    Unauthorized,
)
from app.sandbox.stripe.forms import Raw
from app.sandbox.stripe.idempotency import Answer, Keys
from app.sandbox.stripe.operations import Operation
from app.sandbox.stripe.store import Doc
from app.sandbox.stripe.work import API_VERSION, Account, Call

log = logging.getLogger(__name__)

FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
# Real requests take a while, so two with one key can meet. Seconds that a keyed request waits.
LATENCY = 0.005


class Api:
    """Answers requests below /v1 for one account."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.keys = Keys(account)

    async def answer(self, request: Request) -> Response:
        """One request, from headers to answer."""
        request_id = ids.new("req")
        fault = behaviour.take_fault(self.account.store, request.path)
        try:
            self._identify(request)
            _check_version(request)
            if fault is not None:
                _suffer(fault)
            answer = await self._act(request, request_id, fault)
        except StripeRefusal as refusal:
            answer = Answer(refusal.status, _text(refusal.body()), request_id)
        except Exception:
            log.exception("The local Stripe could not answer %s %s.", request.method, request.path)
            broken = Broken("The local Stripe met a fault of its own; its log says more.")
            answer = Answer(500, _text(broken.body()), request_id)
        if fault is not None and fault.api_fault == "cut":
            _cut(request.scope.get("client"))
        return _response(answer, request)

    def _identify(self, request: Request) -> None:
        key = _key_of(request)
        if key is None:
            raise Unauthorized(
                "You did not provide an API key. Send it in the Authorization header, as in "
                "'Authorization: Bearer YOUR_SECRET_KEY'."
            )
        if key.startswith("pk_"):
            raise Unauthorized("This call cannot be made with a publishable API key. Use the secret key.")
        if not hmac.compare_digest(key.encode(), self.account.secret_key.encode()):
            raise Unauthorized(f"Invalid API Key provided: {_masked(key)}")

    async def _act(self, request: Request, request_id: str, fault: behaviour.Behaviour | None) -> Answer:
        raw = await _parameters(request)
        # Whatever is due by now has happened, even if the background task has not come to it yet.
        timers.ring(self.account)
        found = operations.find(request.method, request.path.rstrip("/"))
        if found is None:
            raise NotFound(
                f"Unrecognized request URL ({request.method}: {request.path}). "
                "The local Stripe does not offer it; see https://docs.stripe.com/api for what Stripe does."
            )
        item, path_ids = found
        call = Call(self.account, request_id, None, path=request.path, ids=path_ids)
        key = request.headers.get("Idempotency-Key") if request.method == "POST" else None
        if not key:
            await asyncio.sleep(_delay(fault))
            return self._perform(call, item, raw)
        kept = self.keys.begin(key, request.path, raw)
        if kept is not None:
            return kept
        call.idempotency_key = key
        try:
            await asyncio.sleep(LATENCY + _delay(fault))
            if fault is not None and fault.api_fault == "error_kept":
                return self._keep_fault(call, raw)
            return self._perform(call, item, raw)
        finally:
            self.keys.end(key)

    def _perform(self, call: Call, item: Operation, raw: dict[str, Raw]) -> Answer:
        """Check, act and keep the answer for its key, in one transaction."""
        try:
            with self.account.store.transaction():
                answer = self._attempt(call, item, raw)
                self._keep(call, raw, answer)
        except StripeRefusal as refusal:
            answer = Answer(refusal.status, _text(refusal.body()), str(call.request_id))
            if refusal.kept:
                with self.account.store.transaction():
                    self._keep(call, raw, answer)
        return answer

    def _attempt(self, call: Call, item: Operation, raw: dict[str, Raw]) -> Answer:
        """A declined card is an answer like others: the failed charge and its events stay."""
        try:
            call.params = parameters.read(item.schema, raw, item.unsettable)
            paths = call.params.pop("expand", [])
            doc = expansion.expand(call, item.handler(call), paths)
        except CardRefused as refusal:
            return Answer(refusal.status, _text(refusal.body()), str(call.request_id))
        return Answer(200, _text(doc), str(call.request_id))

    def _keep(self, call: Call, raw: dict[str, Raw], answer: Answer) -> None:
        if call.idempotency_key is not None:
            self.keys.keep(call.idempotency_key, call.path, raw, answer)

    def _keep_fault(self, call: Call, raw: dict[str, Raw]) -> Answer:
        broken = Broken("An error was asked for by the test switches, and this key keeps it.")
        answer = Answer(500, _text(broken.body()), str(call.request_id))
        with self.account.store.transaction():
            self._keep(call, raw, answer)
        return answer


def _suffer(fault: behaviour.Behaviour) -> None:
    if fault.api_fault == "error":
        raise Broken("An error was asked for by the test switches.")
    if fault.api_fault == "limit":
        raise TooManyRequests(
            "Too many requests were made too quickly (asked for by the test switches).", code="rate_limit"
        )


def _delay(fault: behaviour.Behaviour | None) -> float:
    return fault.api_fault_seconds if fault is not None and fault.api_fault == "slow" else 0.0


def _key_of(request: Request) -> str | None:
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and value.strip():
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[0] or None
        except (binascii.Error, UnicodeDecodeError):
            return None
    return None


def _masked(key: str) -> str:
    return key if len(key) < 12 else f"{key[:8]}{'*' * (len(key) - 12)}{key[-4:]}"


def _check_version(request: Request) -> None:
    version = request.headers.get("Stripe-Version", API_VERSION)
    if version != API_VERSION:
        raise InvalidRequest(f"Invalid Stripe API version: {version}. The local Stripe speaks {API_VERSION} only.")


async def _parameters(request: Request) -> dict[str, Raw]:
    """The query's parameters and the body's."""
    raw = forms.decode(request.query_string.decode("latin-1"))
    if request.method not in ("POST", "DELETE"):
        return raw
    kind = request.headers.get("Content-Type", FORM).partition(";")[0].strip().lower()
    if kind == MULTIPART:
        form = await request.form
        return {**raw, **forms.nest(form.items(multi=True))}
    body = bytes(await request.get_data(as_text=False))  # type: ignore[arg-type]
    if body and kind != FORM:
        raise InvalidRequest(f"The request's content type is {kind or 'missing'}; send {FORM}.")
    try:
        return {**raw, **forms.decode(body.decode())}
    except UnicodeDecodeError as error:
        raise InvalidRequest("The request's body is not UTF-8.") from error


def _text(doc: Doc) -> str:
    return json.dumps(doc, indent=2)


def _response(answer: Answer, request: Request) -> Response:
    response = Response(answer.body, answer.status, content_type="application/json")
    response.headers["Request-Id"] = answer.request_id
    response.headers["Stripe-Version"] = API_VERSION
    response.headers["Cache-Control"] = "no-cache, no-store"
    if "Idempotency-Key" in request.headers:
        response.headers["Idempotency-Key"] = request.headers["Idempotency-Key"]
    if answer.status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="Stripe"'
    response.headers.update(answer.headers)
    return response


def _cut(client: tuple[str, int] | None) -> None:
    """Break the connection with a client before the answer: the effect stays, and the client cannot know.

    No server offers this to its application, so the socket is looked for among the process's own.
    """
    for name in os.listdir("/dev/fd"):
        with contextlib.suppress(OSError):
            if stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                with socket.socket(fileno=os.dup(int(name))) as found:
                    if client is not None and found.getpeername()[:2] == tuple(client[:2]):
                        found.shutdown(socket.SHUT_RDWR)
