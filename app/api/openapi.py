"""GET /api/openapi.json: the OpenAPI document, made from the declarations of the calls."""

from __future__ import annotations

import re
from typing import Any

from flask import Blueprint, Flask, Response, current_app, jsonify
from flask.blueprints import BlueprintSetupState
from pydantic.json_schema import models_json_schema
from werkzeug.routing import Rule

from app.api.envelopes import FLAT, NESTED
from app.api.json_shapes import Shape
from app.api.pipeline import Call, declared_call

bp = Blueprint("openapi", __name__)

_ERROR_DESCRIPTIONS = {
    401: "The key or token is missing, unknown or revoked.",
    403: "The key does not have the scope of this call.",
    404: "Not found in your catalog.",
    400: "A field breaks a rule. The message names the field.",
    409: "Not possible in the current state. The message explains why.",
    413: "Too large. The message names the limit.",
    415: "Wrong content type of the body.",
    429: "Too many calls. Wait for the seconds in `Retry-After`.",
    502: "Storage is unavailable, or something failed on our side.",
    503: "Storage is unavailable, or too many uploads are running.",
}


@bp.get("/api/openapi.json")
def document() -> Response:
    response = jsonify(describe(current_app._get_current_object()))  # type: ignore[attr-defined]  # the proxy's own method
    response.headers["Cache-Control"] = "public, max-age=300"
    return response


def describe(app: Flask) -> dict[str, Any]:
    """The OpenAPI 3.1 document of all declared calls except the dashboard's."""
    paths: dict[str, dict[str, Any]] = {}
    shapes: set[type[Shape]] = {FLAT.problem, NESTED.problem}
    for rule in sorted(app.url_map.iter_rules(), key=lambda r: (r.rule, sorted(r.methods or ()))):
        call = declared_call(app.view_functions[rule.endpoint])
        if call is None or not call.security:
            continue
        shapes.update(shape for shape in [call.body, *call.responses.values()] if shape)
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            paths.setdefault(path, {})[method.lower()] = _operation(rule, call)
    _, schemas = models_json_schema(
        [(shape, "validation") for shape in sorted(shapes, key=lambda s: s.__name__)],
        ref_template="#/components/schemas/{model}",
    )
    return {
        "openapi": "3.1.0",
        "info": {"title": "Slipway", "version": "1", "description": "Games, builds, and the servers that cache them."},
        "paths": paths,
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {
                "partnerKey": {"type": "http", "scheme": "bearer", "description": "An API key, `pp_…`."},
                "serverToken": {"type": "http", "scheme": "bearer", "description": "A server's token, `srv_…`."},
            },
        },
    }


@bp.record_once
def _register_describe(state: BlueprintSetupState) -> None:
    # Pages must not import the API (architecture tests), so the reference page finds this function on the app.
    state.app.extensions["slipway_describe_api"] = describe


def _operation(rule: Rule, call: Call) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": rule.endpoint.replace(".", "_"),
        "summary": call.summary,
        "security": [{call.security: [call.scope] if call.scope else []}],
        "responses": _responses(rule, call),
    }
    if call.scope:
        operation["description"] = f"Needs a key with the scope `{call.scope}`."
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in sorted(rule.arguments)
    ]
    if call.query:
        described = call.query.model_json_schema()
        parameters += [
            {"name": name, "in": "query", "required": name in described.get("required", []), "schema": schema}
            for name, schema in described["properties"].items()
        ]
    if parameters:
        operation["parameters"] = parameters
    if call.body:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": _ref(call.body)}}}
    elif call.raw_body:
        binary = {"schema": {"type": "string", "format": "binary"}}
        operation["requestBody"] = {"required": True, "content": {call.raw_body: binary}}
    return operation


def _responses(rule: Rule, call: Call) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for status, shape in call.responses.items():
        responses[str(status)] = {"description": "Done."}
        if shape:
            responses[str(status)]["content"] = {"application/json": {"schema": _ref(shape)}}
    statuses = {401, *call.errors} | ({403, 429} if call.scope else set()) | ({404} if rule.arguments else set())
    for status in sorted(statuses):
        responses[str(status)] = {
            "description": _ERROR_DESCRIPTIONS[status],
            "content": {"application/json": {"schema": _ref(call.api.envelope.problem)}},
        }
    return responses


def _ref(shape: type[Shape]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{shape.__name__}"}
