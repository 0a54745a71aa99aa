"""OpenAPI documents in words, and commands made of them."""

from __future__ import annotations

from typing import Any

import pytest

from app.web.reference.openapi_operations import Operation, example, operations
from app.web.reference.reference_page import Reader, command
from tests.app.web.reading import curl


def described(schema: dict[str, Any], **schemas: dict[str, Any]) -> Operation:
    """A call whose body is of this schema."""
    body = {"content": {"application/json": {"schema": schema}}}
    call = {"operationId": "x", "summary": "X", "requestBody": body, "responses": {"204": {"description": "Done."}}}
    return operations({"components": {"schemas": schemas}, "paths": {"/x": {"post": call}}})[0]


def test_a_value_with_a_quote_stays_one_word() -> None:
    schema = {"type": "object", "required": ["a"], "properties": {"a": {"type": "string", "examples": ["it's"]}}}
    call = Operation(
        id="x", method="POST", path="/x", summary="X", scope="write", for_servers=False, path_parameters=[], query=[],
        body_type="application/json", body=[], example=example({}, schema), responses=[], errors=[],
    )  # fmt: skip
    assert curl(command(call, "http://localhost", Reader()), "k")[3] == b'{"a": "it\'s"}'


def test_a_shape_that_holds_itself_comes_to_an_end() -> None:
    node = {"$ref": "#/components/schemas/Node"}
    answer = {"description": "Done.", "content": {"application/json": {"schema": node}}}
    document = {
        "components": {"schemas": {"Node": {"type": "object", "properties": {"next": node}}}},
        "paths": {"/x": {"get": {"operationId": "x", "summary": "X", "responses": {"200": answer}}}},
    }
    (call,) = operations(document)
    assert [field.name for field in call.responses[0].fields][:2] == ["next", "next.next"]


@pytest.mark.parametrize(
    ("schema", "type_", "rule"),
    [
        ({"type": "string", "minLength": 1, "maxLength": 100}, "text", "1 to 100 characters"),
        ({"type": "string", "minLength": 1}, "text", "at least 1 character"),
        (
            {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 10},
            "list of texts",
            "1 to 10 entries",
        ),
        ({"type": "array", "items": {"type": "integer"}, "maxItems": 1}, "list of whole numbers", "at most 1 entry"),
        ({"type": "integer", "minimum": 1, "maximum": 200}, "whole number", "1 to 200"),
        ({"type": "integer", "minimum": 0, "maximum": 5}, "whole number", "at most 5"),
        ({"type": "boolean", "default": True}, "true or false", "default: true"),
        ({"type": "string", "format": "date-time"}, "time", ""),
        ({"enum": ["a", "b"], "type": "string"}, "a or b", ""),
        ({"const": "ok", "type": "string"}, "always ok", ""),
        (
            {"anyOf": [{"type": "integer", "maximum": 9}, {"type": "null"}], "default": None},
            "whole number or null",
            "at most 9",
        ),
        ({"type": "string", "description": "In\n  words."}, "text", "In words."),
        ({}, "anything", ""),
    ],
)
def test_a_field_in_words(schema: dict[str, Any], type_: str, rule: str) -> None:
    (field,) = described({"type": "object", "properties": {"a": schema}}).body
    assert (field.type, field.rule) == (type_, rule)


def test_references_are_followed() -> None:
    inner = {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}}
    call = described(
        {"type": "object", "properties": {"list": {"type": "array", "items": {"$ref": "#/components/schemas/Inner"}}}},
        Inner=inner,
    )
    assert [(field.name, field.required) for field in call.body] == [("list", False), ("list[].id", True)]


def test_an_example_holds_what_is_required() -> None:
    call = described(
        {
            "type": "object",
            "required": ["slug", "count", "kind", "parts"],
            "properties": {
                "slug": {"type": "string"},
                "count": {"type": "integer", "minimum": 3},
                "kind": {"enum": ["front", "back"]},
                "parts": {"type": "array", "items": {"type": "string"}},
                "note": {"type": "string"},
            },
        }
    )
    assert call.example == {"slug": "paper-lanterns", "count": 3, "kind": "front", "parts": ["…"]}
