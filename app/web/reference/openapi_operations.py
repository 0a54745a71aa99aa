"""The operations of an OpenAPI document, as plain values for the reference page: parameters, fields, responses and
errors of each call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from app.web.frame.formats import counted

Schema = dict[str, Any]

MAX_DEPTH = 5  # of nested fields

# Example values by field name. Other fields get one from their type.
EXAMPLES: dict[str, Any] = {
    "slug": "paper-lanterns",
    "title": "Paper Lanterns",
    "developer": "Kite Works",
    "description": "A quiet story about a festival.",
    "tags": ["Visual Novel"],
    "launcher": "paper-lanterns.sh",
    "renpyDir": "PaperLanterns-1698234567",
    "name": "Paper Lanterns",
}
_FORMATS = {"date-time": "time", "date": "date", "binary": "bytes", "uri": "address"}
_TYPES = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "object": "object",
    "null": "null",
}


@dataclass(frozen=True)
class Field:
    """A parameter, or a field of a body or response: `servers[].cachedAt`, `time or null`, `at least 1 entry`."""

    name: str
    type: str
    required: bool
    rule: str = ""


@dataclass(frozen=True)
class ResponseDescription:
    """A response. `fields` is empty without a body."""

    status: int
    words: str
    fields: Sequence[Field] = ()

    @property
    def names(self) -> list[str]:
        """Names of the top-level fields."""
        return [field.name for field in self.fields if "." not in field.name]


@dataclass(frozen=True)
class Operation:
    """One call. `body_type`: content type of its body, or "". `example`: a body to send, or None."""

    id: str
    method: str
    path: str
    summary: str
    scope: str | None
    for_servers: bool
    path_parameters: Sequence[str]
    query: Sequence[Field]
    body_type: str
    body: Sequence[Field]
    example: Any
    responses: Sequence[ResponseDescription]
    errors: Sequence[ResponseDescription]


def operations(document: Schema) -> list[Operation]:
    """All calls, in the document's order of paths. Within a path: GET, POST, PATCH, PUT, DELETE."""
    order = ("get", "post", "patch", "put", "delete")
    return [
        _operation(document, path, method, methods[method])
        for path, methods in document["paths"].items()
        for method in sorted(methods, key=order.index)
    ]


def _operation(document: Schema, path: str, method: str, call: Schema) -> Operation:
    security = next(iter(call.get("security", [{}])))
    scopes = [scope for needed in security.values() for scope in needed]
    content = call.get("requestBody", {}).get("content", {})
    body_type = next(iter(content), "")
    body = content.get(body_type, {}).get("schema", {})
    json_body = body_type == "application/json"
    parameters = call.get("parameters", [])
    responses = [_response(document, int(status), response) for status, response in call["responses"].items()]
    return Operation(
        id=call["operationId"].replace("_", "-"),
        method=method.upper(),
        path=path,
        summary=call["summary"],
        scope=scopes[0] if scopes else None,
        for_servers="serverToken" in security,
        path_parameters=[p["name"] for p in parameters if p["in"] == "path"],
        query=[_parameter(document, p) for p in parameters if p["in"] == "query"],
        body_type=body_type,
        body=list(_fields(document, body)) if json_body else [],
        example=example(document, body, complete=method != "patch") if json_body else None,
        responses=[response for response in responses if response.status < 300],  # every GET may answer 304
        errors=[response for response in responses if response.status >= 400],
    )


def _parameter(document: Schema, parameter: Schema) -> Field:
    schema = parameter["schema"]
    # Parameters can be left out, but not sent as null.
    return Field(parameter["name"], _type(document, schema, null=False), parameter["required"], _rule(document, schema))


def _response(document: Schema, status: int, response: Schema) -> ResponseDescription:
    schema = response.get("content", {}).get("application/json", {}).get("schema")
    return ResponseDescription(
        status, response["description"], list(_fields(document, schema)) if schema and status < 400 else []
    )


def _fields(document: Schema, schema: Schema, prefix: str = "", depth: int = 0) -> Iterator[Field]:
    """The fields of an object. Nested fields follow their parent."""
    schema = _resolved(document, schema)
    for name, inner in schema.get("properties", {}).items():
        path, required = f"{prefix}{name}", name in schema.get("required", ())
        yield Field(path, _type(document, inner), required, _rule(document, inner))
        if depth < MAX_DEPTH:
            step, inside = _inside(document, inner)
            yield from _fields(document, inside, f"{path}{step}.", depth + 1)


def _inside(document: Schema, schema: Schema) -> tuple[str, Schema]:
    """Path suffix and schema of the objects in a value: "" for an object, "[]" for the entries of a list."""
    value = _value(document, schema)
    step = ""
    while value.get("type") == "array":
        step += "[]"
        value = _value(document, value.get("items", {}))
    return step, value


def _resolved(document: Schema, schema: Schema) -> Schema:
    """The schema, with references resolved."""
    while "$ref" in schema:
        found: Any = document
        for step in schema["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        schema = {**found, **{name: value for name, value in schema.items() if name != "$ref"}}
    return schema


def _choices(document: Schema, schema: Schema) -> list[Schema]:
    schema = _resolved(document, schema)
    choices = schema.get("anyOf") or schema.get("oneOf")
    return [_resolved(document, choice) for choice in choices] if choices else [schema]


def _value(document: Schema, schema: Schema) -> Schema:
    """The first choice that is not null."""
    choices = _choices(document, schema)
    return next((choice for choice in choices if choice.get("type") != "null"), choices[0])


def _type(document: Schema, schema: Schema, null: bool = True) -> str:
    names = [_type_of(document, choice) for choice in _choices(document, schema)]
    return " or ".join(name for name in dict.fromkeys(names) if null or name != "null")


def _type_of(document: Schema, schema: Schema) -> str:
    if "const" in schema:
        return f"always {schema['const']}"
    if "enum" in schema:
        return " or ".join(str(value) for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_plural(_type(document, schema.get('items', {})))}"
    return _FORMATS.get(schema.get("format", "")) or _TYPES.get(schema.get("type", ""), "anything")


def _plural(name: str) -> str:
    return {"text": "texts", "object": "objects", "whole number": "whole numbers", "number": "numbers"}.get(name, name)


def _rule(document: Schema, schema: Schema) -> str:
    """The limits of a value: `1 to 100 characters`, `at most 200`, `default: true`."""
    value, resolved = _value(document, schema), _resolved(document, schema)
    rules = [
        _range(value.get("minLength"), value.get("maxLength"), "character"),
        _range(value.get("minItems"), value.get("maxItems"), "entry"),
        _range(value.get("minimum"), value.get("maximum"), ""),
    ]
    if resolved.get("default") not in (None, [], ""):
        default = resolved["default"]
        rules.append(f"default: {str(default).lower() if isinstance(default, bool) else default}")
    if resolved.get("description"):
        rules.append(" ".join(str(resolved["description"]).split()))
    return ", ".join(rule for rule in rules if rule)


def _range(minimum: int | None, maximum: int | None, noun: str) -> str:
    def amount(number: int) -> str:
        words = counted(number, noun) if noun else f"{number:,}"
        return words.replace("entrys", "entries")

    if minimum and maximum:
        return f"{minimum:,} to {amount(maximum)}"
    if maximum is not None:
        return f"at most {amount(maximum)}"
    return f"at least {amount(minimum)}" if minimum else ""


def example(document: Schema, schema: Schema, *, complete: bool = True, name: str = "", depth: int = 0) -> Any:
    """A value to send. Of an object: its required fields, or only the first field if not `complete`."""
    value = _value(document, schema)
    if value.get("examples"):
        return value["examples"][0]
    if "const" in value or "enum" in value:
        return value.get("const", next(iter(value.get("enum", [])), None))
    properties = value.get("properties")
    if properties and depth <= MAX_DEPTH:
        names = value.get("required", []) if complete else list(properties)[:1]
        return {each: example(document, properties[each], name=each, depth=depth + 1) for each in names}
    if name in EXAMPLES:
        return EXAMPLES[name]
    if value.get("type") == "array":
        return [example(document, value.get("items", {}), name=name, depth=depth + 1)]
    number = value.get("minimum", 1)
    return {"integer": number, "number": number, "boolean": True, "object": {}, "null": None}.get(
        value.get("type", ""), "…"
    )
