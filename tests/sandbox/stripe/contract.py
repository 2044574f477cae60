"""Checks requests to Stripe, and answers and events from it, against the published description.

The description is not part of the repository. It is looked for in `shared/specs/stripe` beside the
checkout; `available()` says whether it is there, and tests skip with `REASON` when it is not.

    contract.check_request("POST", "/v1/products", "name=Course")
    contract.check_response("POST", "/v1/products", 200, {"id": "prod_1", …})
    contract.check_event({"id": "evt_1", "type": "product.created", …})

Each raises AssertionError with all that is wrong. `watch(app)` checks everything that passes through a
local Stripe that runs in the same process.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from jsonschema import Draft202012Validator
from quart import Quart, Response, request
from quart.wrappers.response import DataBody

ROOT = Path(__file__).resolve().parents[3]
PLACE = Path("shared/specs/stripe")
REASON = "Stripe's published description (shared/specs/stripe) is not beside this checkout"


@cache
def description_file() -> Path | None:
    """The description, when it is beside the checkout or beside a folder that holds the checkout."""
    for parent in ROOT.parents:
        found = sorted((parent / PLACE).glob("*.openapi.json"))
        if found:
            return found[0]
    return None


def available() -> bool:
    """Whether the description is here."""
    return description_file() is not None


@cache
def description() -> dict[str, Any]:
    """The whole description."""
    path = description_file()
    assert path is not None, REASON
    return json.loads(path.read_text("utf-8"))


def find_operation(method: str, path: str) -> dict[str, Any] | None:
    """The described operation for a method and a path with ids in it."""
    path = path.split("?")[0].rstrip("/")
    matches = [
        template
        for template, operations in description()["paths"].items()
        if method.lower() in operations and _pattern(template).fullmatch(path)
    ]
    if not matches:
        return None
    return description()["paths"][min(matches, key=lambda item: item.count("{"))][method.lower()]


@cache
def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{\w+\}", "[^/]+", template))


def request_schema(operation: dict[str, Any]) -> dict[str, Any]:
    """What may be sent: the body's schema, or one made from the query's parameters."""
    if "requestBody" in operation:
        (content,) = operation["requestBody"]["content"].values()
        return content["schema"]
    sent = [item for item in operation.get("parameters", []) if item["in"] == "query"]
    return {
        "type": "object",
        "properties": {item["name"]: item["schema"] for item in sent},
        "required": [item["name"] for item in sent if item.get("required")],
    }


def response_schema(operation: dict[str, Any], status: int) -> dict[str, Any]:
    """What is answered with a status."""
    answers = operation["responses"]
    answer = answers["200"] if status == 200 else answers["default"]
    return answer["content"]["application/json"]["schema"]


def resolve(schema: dict[str, Any]) -> dict[str, Any]:
    """Follow a reference."""
    while "$ref" in schema:
        schema = description()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


# --- From the description's dialect (OpenAPI 3.0) to JSON Schema -------------------------------------


def _json_schema(node: dict[str, Any], *, asked: bool) -> dict[str, Any]:
    """`asked` is true for requests: there, lists of known values are closed."""
    if "$ref" in node:
        schema: dict[str, Any] = {"$ref": f"#/$defs/{node['$ref'].rpartition('/')[2]}"}
        return {"anyOf": [schema, {"type": "null"}]} if node.get("nullable") else schema
    schema = {}
    if "type" in node:
        schema["type"] = node["type"]
    values = node.get("enum") or (node.get("x-known-values") if asked else None)
    if values:
        schema["enum"] = values
    if "items" in node:
        schema["items"] = _json_schema(node["items"], asked=asked)
    if "anyOf" in node:
        schema["anyOf"] = [_json_schema(option, asked=asked) for option in node["anyOf"]]
    _add_properties(schema, node, asked=asked)
    return {"anyOf": [schema, {"type": "null"}]} if node.get("nullable") and not asked else schema


def _add_properties(schema: dict[str, Any], node: dict[str, Any], *, asked: bool) -> None:
    if "properties" in node:
        schema["properties"] = {name: _json_schema(inner, asked=asked) for name, inner in node["properties"].items()}
        schema["required"] = node.get("required", [])
        # A stub names only some of its fields.
        schema["additionalProperties"] = bool(node.get("x-stub"))
    if isinstance(node.get("additionalProperties"), dict):
        schema["additionalProperties"] = _json_schema(node["additionalProperties"], asked=asked)


@cache
def _definitions(asked: bool) -> dict[str, Any]:
    schemas = description()["components"]["schemas"]
    return {name: _json_schema(node, asked=asked) for name, node in schemas.items()}


@cache
def _validator(text: str, asked: bool) -> Draft202012Validator:
    schema = _json_schema(json.loads(text), asked=asked)
    return Draft202012Validator({**schema, "$defs": _definitions(asked)})


def _problems(schema: dict[str, Any], value: Any, *, asked: bool) -> list[str]:
    errors = _validator(json.dumps(schema), asked).iter_errors(value)
    return [f"{_where(error)}: {_deepest(error)}" for error in errors]


def _where(error: Any) -> str:
    return ".".join(str(part) for part in error.absolute_path) or "(top)"


def _deepest(error: Any) -> str:
    """Of the options that did not fit, the complaint that came furthest into the value."""
    while error.context:
        error = max(error.context, key=lambda inner: (len(inner.absolute_path), inner.validator != "type"))
    return f"{'.'.join(str(part) for part in error.absolute_path)} {error.message[:300]}"


# --- Forms -------------------------------------------------------------------------------------------


def nested(form: str | list[tuple[str, str]] | dict[str, Any]) -> dict[str, Any]:
    """An urlencoded text or its pairs as nested dicts; lists have their indexes as keys."""
    if isinstance(form, dict):
        return form
    pairs = parse_qsl(form, keep_blank_values=True) if isinstance(form, str) else form
    root: dict[str, Any] = {}
    for name, value in pairs:
        first, *rest = re.findall(r"[^\[\]]+|\[\]", name)
        node, key = root, first
        for step in rest:
            node = node.setdefault(key, {})
            key = str(len(node)) if step == "[]" else step
        node[key] = value
    return root


def typed(schema: dict[str, Any], value: Any) -> Any:
    """A sent value with the type that the description gives it, where it can have it."""
    schema = resolve(schema)
    if "anyOf" in schema:
        return _typed_option([resolve(option) for option in schema["anyOf"]], value)
    kind = schema.get("type")
    if kind == "array" and isinstance(value, dict):
        return [typed(schema["items"], value[key]) for key in sorted(value, key=_place)]
    if kind == "object" and isinstance(value, dict):
        known, free = schema.get("properties", {}), schema.get("additionalProperties")
        return {
            key: typed(known.get(key) or (free if isinstance(free, dict) else {}), inner)
            for key, inner in value.items()
        }
    if kind == "integer" and isinstance(value, str) and re.fullmatch(r"-?\d+", value):
        return int(value)
    if kind == "number" and isinstance(value, str) and re.fullmatch(r"-?\d+(\.\d+)?", value):
        return float(value)
    if kind == "boolean" and value in ("true", "false"):
        return value == "true"
    return value


def _place(key: str) -> int:
    return int(key) if key.isdigit() else 0


def _typed_option(options: list[dict[str, Any]], value: Any) -> Any:
    for option in options:
        changed = typed(option, value)
        if not _problems(option, changed, asked=True):
            return changed
    return value


# --- The checks --------------------------------------------------------------------------------------


def request_problems(method: str, path: str, form: str | list[tuple[str, str]] | dict[str, Any]) -> list[str]:
    """What is wrong with a request; unknown parameters are wrong."""
    operation = find_operation(method, path)
    if operation is None:
        return [f"{method} {path} is not described"]
    schema = request_schema(operation)
    return _problems(schema, typed(schema, nested(form)), asked=True)


def response_problems(method: str, path: str, status: int, body: Any) -> list[str]:
    """What is wrong with an answer; fields that are not described are wrong."""
    operation = find_operation(method, path)
    if operation is None:
        error = description()["components"]["schemas"]["error"]
        return [] if status == 404 and not _problems(error, body, asked=False) else [f"{path} is not described"]
    return _problems(response_schema(operation, status), body, asked=False)


def event_problems(event: dict[str, Any]) -> list[str]:
    """What is wrong with an event and the object inside it."""
    schema = description()["components"]["schemas"]["event"]
    problems = _problems(schema, event, asked=False)
    refs = schema["x-event-types"].get(event.get("type"))
    if refs is None:
        return [*problems, f"{event.get('type')} is not a type of event"]
    options = {"anyOf": [{"$ref": ref} for ref in ([refs] if isinstance(refs, str) else refs)]}
    return problems + _problems(options, event["data"]["object"], asked=False)


def check_request(method: str, path: str, form: str | list[tuple[str, str]] | dict[str, Any]) -> None:
    """Raise AssertionError when Stripe's description does not allow the request."""
    problems = request_problems(method, path, form)
    assert not problems, f"{method} {path} {form}: " + "; ".join(problems)


def check_response(method: str, path: str, status: int, body: Any) -> None:
    """Raise AssertionError when the answer is not as Stripe's description says."""
    problems = response_problems(method, path, status, body)
    assert not problems, f"{method} {path} → {status}: " + "; ".join(problems)


def check_event(event: dict[str, Any]) -> None:
    """Raise AssertionError when the event is not as Stripe's description says."""
    problems = event_problems(event)
    assert not problems, f"{event.get('type')}: " + "; ".join(problems)


def watch(app: Quart) -> list[str]:
    """Check whatever passes through the local Stripe in `app`. Gives the list that fills with problems.

    Requests that were refused are not checked themselves: tests send wrong ones on purpose.
    """
    found: list[str] = []

    @app.after_request
    async def check(response: Response) -> Response:
        whole = isinstance(response.response, DataBody)
        if not whole or not request.path.startswith("/v1") or not available():
            return response
        body = json.loads(await response.get_data())
        found.extend(
            f"{request.method} {request.path} → {response.status_code}: {problem}"
            for problem in response_problems(request.method, request.path, response.status_code, body)
        )
        if response.status_code == 200 and "multipart" not in (request.content_type or ""):
            form = (request.query_string or b"").decode() + "&" + (await request.get_data()).decode()
            found.extend(
                f"{request.method} {request.path} was sent: {problem}"
                for problem in request_problems(request.method, request.path, form.strip("&"))
            )
        return response

    return found
