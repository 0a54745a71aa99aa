"""GET /api/openapi.json: the OpenAPI document, made from the declarations of the calls."""

from __future__ import annotations

import re
from typing import Any

from flask import Blueprint, Flask, Response, current_app, jsonify, request
from flask.blueprints import BlueprintSetupState
from pydantic.json_schema import GenerateJsonSchema, models_json_schema
from pydantic_core import CoreSchema
from werkzeug.routing import Rule

from app.api.envelopes import FLAT, NESTED
from app.api.json_bodies import accepted_types
from app.api.json_shapes import Shape
from app.api.openapi_examples import add_examples, example_of
from app.api.openapi_headers import HEADERS, header_parameters, response_headers
from app.api.pipeline import Call, declared_call
from app.validation import HIDDEN_IN_LINE

bp = Blueprint("openapi", __name__)
Schema = dict[str, Any]

_DESCRIPTIONS = {
    200: "Done.",
    201: "Created.",
    204: "Done. There is no body.",
    206: "The requested bytes.",
    304: "Not changed since the ETag in If-None-Match. There is no body.",
    400: "A field, a header or the body breaks a rule. The message names it.",
    401: "The key or token is missing, unknown or revoked.",
    403: "The key does not have the scope of this call.",
    404: "Not found in your catalog.",
    409: "Not possible in the current state. The message explains why.",
    412: "The object does not have the ETag in If-Match any more. Nothing was changed.",
    413: "Too large. The message names the limit.",
    415: "Wrong content type or encoding of the body.",
    416: "The requested range is outside the file.",
    429: "Too many calls. Wait for the seconds in `Retry-After`.",
    500: "Something failed on our side.",
    502: "Storage is unavailable, or something failed on our side.",
    503: "Storage is unavailable, or too many requests of this kind are running.",
}
_TAGS = {
    "games": "Games of your catalog, by slug.",
    "builds": "Checked archives of a game.",
    "releases": "Which build is live.",
    "uploads": "Archives that are sent in parts, straight to storage.",
    "v1-games": "Assets API: games by id.",
    "v1-assets": "Assets API: images.",
    "v1-components": "Assets API: pieces of a game, with images on their sides.",
    "v1-revisions": "Assets API: drafts and finalized sets of components.",
    "key": "The key that makes the call.",
    "servers": "Calls of the agent on a game server.",
}
_PATH_SCHEMAS: dict[str, Schema] = {
    "slug": {"type": "string", "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$", "maxLength": 100, "examples": ["paper-lanterns"]},
    "number": {"type": "integer", "minimum": 1, "maximum": 999_999_999, "examples": [8]},
    "side_key": {
        "type": "string",
        "minLength": 1,
        "maxLength": 64,
        "pattern": rf"^[^/\s{HIDDEN_IN_LINE}]+$",
        "examples": ["front"],
    },
}
_ID = {"type": "string", "pattern": "^[A-Za-z0-9_.-]+$", "maxLength": 64}


class _Generator(GenerateJsonSchema):
    """Without a title for each field: generators of clients make names of types from titles, and those would clash."""

    def field_title_should_be_set(self, schema: CoreSchema) -> bool:
        return False


@bp.get("/api/openapi.json")
def document() -> Response:
    response = jsonify(describe(current_app._get_current_object(), request.root_url.rstrip("/")))  # type: ignore[attr-defined]  # the proxy's own method
    response.headers["Cache-Control"] = "public, max-age=300"
    return response


def describe(app: Flask, server: str = "/") -> dict[str, Any]:
    """The OpenAPI 3.1 document of all declared calls except the dashboard's. `server`: the address of the APIs."""
    calls = _declared_calls(app)
    schemas = _schemas([call for _, _, call in calls])
    readable = {rule.rule for rule, method, _ in calls if method == "GET"}
    paths: dict[str, Schema] = {}
    for rule, method, call in calls:
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
        operation = _operation(rule, method, call, schemas, has_etag=rule.rule in readable)
        paths.setdefault(path, {})[method.lower()] = operation
    used = {tag for item in paths.values() for operation in item.values() for tag in operation["tags"]}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Slipway", "version": "1", "description": "Games, builds, and the servers that cache them."},
        "servers": [{"url": server, "description": "This platform."}],
        "tags": [{"name": tag, "description": _TAGS.get(tag, tag)} for tag in sorted(used)],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "headers": HEADERS,
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


def _declared_calls(app: Flask) -> list[tuple[Rule, str, Call]]:
    rules = sorted(app.url_map.iter_rules(), key=lambda rule: (rule.rule, sorted(rule.methods or ())))
    return [
        (rule, method, call)
        for rule in rules
        if (call := declared_call(app.view_functions[rule.endpoint])) and call.security
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
    ]


def _schemas(calls: list[Call]) -> dict[str, Schema]:
    """The schemas of all bodies as they are read, and of all responses as they are written."""
    bodies = {call.body for call in calls if call.body}
    answers = {FLAT.problem, NESTED.problem, *(shape for call in calls for shape in call.responses.values() if shape)}

    def by_name(shape: type[Shape]) -> str:
        return shape.__name__

    _, found = models_json_schema(
        [(shape, "validation") for shape in sorted(bodies, key=by_name)]
        + [(shape, "serialization") for shape in sorted(answers, key=by_name)],
        ref_template="#/components/schemas/{model}",
        schema_generator=_Generator,
    )
    schemas: dict[str, Schema] = found["$defs"]
    for schema in schemas.values():
        for field in schema.get("properties", {}).values():
            # Generators take a field with a default for one that is always there, in requests too.
            if not field.get("default", True):
                del field["default"]
    add_examples(schemas)
    return schemas


def _operation(rule: Rule, method: str, call: Call, schemas: dict[str, Schema], *, has_etag: bool) -> Schema:
    operation: Schema = {
        "operationId": rule.endpoint.replace(".", "_"),
        "summary": call.summary,
        "tags": [_tag(rule)],
        "security": [{call.security: [call.scope] if call.scope else []}],
        "parameters": [*_parameters(rule, call), *header_parameters(call, method, has_etag=has_etag)],
        "responses": _responses(rule, method, call, schemas, has_etag=has_etag),
    }
    if call.scope:
        operation["description"] = f"Needs a key with the scope `{call.scope}`."
    if call.body:
        example = example_of(_ref(call.body), schemas)
        if method == "PATCH":  # only what changes is sent
            example = dict(list(example.items())[:1])
        content = {"schema": _ref(call.body), "example": example}
        kinds = accepted_types(method) if call.api.checks_content_type else ("application/json",)
        operation["requestBody"] = {
            "description": "JSON as UTF-8, at most 1 MiB. It may be compressed, with `Content-Encoding: gzip`.",
            "required": True,
            "content": dict.fromkeys(kinds, content),
        }
    elif call.raw_body:
        operation["requestBody"] = {"required": True, "content": {call.raw_body: {"schema": _BYTES}}}
    if not operation["parameters"]:
        del operation["parameters"]
    return operation


_BYTES = {"type": "string", "format": "binary"}


def _tag(rule: Rule) -> str:
    """`builds` for /api/partners/games/{slug}/builds/…, `v1-assets` for /api/v1/games/{game_id}/assets/…"""
    parts = rule.rule.strip("/").split("/")
    if parts[1] == "servers":
        return "servers"
    if parts[2] != "games":
        return parts[2]
    inner = parts[4] if len(parts) > 4 and (parts[1] == "v1" or parts[4] in _TAGS) else "games"
    return f"v1-{inner}" if parts[1] == "v1" else inner


def _parameters(rule: Rule, call: Call) -> list[Schema]:
    found = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": _PATH_SCHEMAS.get(name, _ID),
        }
        for name in sorted(rule.arguments)
    ]
    if call.query:
        described = call.query.model_json_schema(schema_generator=_Generator)
        add_examples({call.query.__name__: described})
        required = described.get("required", [])
        found += [
            {"name": name, "in": "query", "required": name in required, "schema": _without_null(schema)}
            for name, schema in described["properties"].items()
        ]
    return found


def _without_null(schema: Schema) -> Schema:
    """A parameter can be left out, but a query has no null."""
    choices = [choice for choice in schema.get("anyOf", []) if choice != {"type": "null"}]
    if len(choices) != 1:
        return schema
    kept = {name: value for name, value in schema.items() if name not in {"anyOf", "default"}}
    return {**choices[0], **kept}


def _responses(rule: Rule, method: str, call: Call, schemas: dict[str, Schema], *, has_etag: bool) -> dict[str, Schema]:
    responses: dict[str, Schema] = {}
    for status, shape in call.responses.items():
        content = {}
        if shape:
            content["application/json"] = {"schema": _ref(shape), "example": example_of(_ref(shape), schemas)}
        if call.raw_response:
            content[call.raw_response] = {"schema": _BYTES}
        responses[str(status)] = _response(call, method, status, content)
    if method == "GET":
        responses["304"] = _response(call, method, 304, {})
    if call.raw_response:
        responses["206"] = _response(call, method, 206, {call.raw_response: {"schema": _BYTES}})
    problem = _ref(call.api.envelope.problem)
    content = {"application/json": {"schema": problem, "example": example_of(problem, schemas)}}
    for status in sorted(_error_statuses(rule, method, call, has_etag=has_etag)):
        responses[str(status)] = _response(call, method, status, content)
    return dict(sorted(responses.items()))


def _error_statuses(rule: Rule, method: str, call: Call, *, has_etag: bool) -> set[int]:
    found: set[int] = {400, 401, call.api.envelope.status(500), *call.errors}
    if call.scope:
        found |= {403, 429}
    if rule.arguments:
        found.add(404)
    if call.api.idempotent and method == "POST":
        found.add(409)  # a request with the same Idempotency-Key still runs
    if call.body:
        found |= {413, 415}
    if call.api.lock and (method != "GET" or has_etag):
        found.add(412)
    if call.raw_response:
        found.add(416)
    return found


def _response(call: Call, method: str, status: int, content: Schema) -> Schema:
    found: Schema = {
        "description": _DESCRIPTIONS[status],
        "headers": response_headers(call, method, status),
    }
    return found | ({"content": content} if content else {})


def _ref(shape: type[Shape]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{shape.__name__}"}
