"""The OpenAPI document says all that a client needs: examples that are valid, headers, tags, statuses, true times."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.api.openapi import describe
from tests.app.api.calling import GAMES, Script, body
from tests.app.api.json_calls import UNLIMITED, fill_partner, json_calls

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def document(app: Flask) -> dict[str, Any]:
    return describe(app)


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def check(document: dict[str, Any], schema: dict[str, Any], value: Any) -> None:
    """Raises if the value is not one of the schema."""
    jsonschema.validate(value, schema | {"components": document["components"]}, jsonschema.Draft202012Validator)


def test_every_example_is_valid(document: dict[str, Any], subtests: pytest.Subtests) -> None:
    tried = 0
    for method, path, operation in operations(document):
        contents = [operation.get("requestBody", {}), *operation["responses"].values()]
        with subtests.test(call=f"{method} {path}"):
            for content in [found for one in contents for found in one.get("content", {}).values()]:
                if "$ref" in content["schema"]:
                    tried += 1
                    check(document, content["schema"], content["example"])
            for parameter in operation.get("parameters", []):
                for example in parameter["schema"].get("examples", []):
                    check(document, parameter["schema"], example)
                if "example" in parameter:
                    check(document, parameter["schema"], parameter["example"])
    assert tried > 300


def test_every_call_has_a_tag_and_every_tag_is_explained(document: dict[str, Any]) -> None:
    explained = {tag["name"]: tag["description"] for tag in document["tags"]}
    used = {tag for _, _, operation in operations(document) for tag in operation["tags"]}
    assert set(explained) == used
    assert all(description != name for name, description in explained.items()), "tags of new calls are explained"


def test_the_server_is_the_address_that_was_asked(client: FlaskClient) -> None:
    found = body(client.get("/api/openapi.json", base_url="http://slipway.example:8000"))
    assert found["servers"][0]["url"] == "http://slipway.example:8000"


def test_every_call_names_its_headers(document: dict[str, Any], subtests: pytest.Subtests) -> None:
    for method, path, operation in operations(document):
        with subtests.test(call=f"{method} {path}"):
            sent = {parameter["name"] for parameter in operation.get("parameters", []) if parameter["in"] == "header"}
            if method == "get":
                assert "If-None-Match" in sent
            if method == "post" and "/servers/" not in path:
                assert "Idempotency-Key" in sent
            for status, response in operation["responses"].items():
                assert "X-Request-Id" in response["headers"]
                assert ("Retry-After" in response["headers"]) == (status in {"429", "502", "503"})
                if status == "401":
                    assert "WWW-Authenticate" in response["headers"]


def test_changes_of_objects_with_an_etag_take_if_match(document: dict[str, Any]) -> None:
    taking = {
        (method, path)
        for method, path, operation in operations(document)
        if any(parameter["name"] == "If-Match" for parameter in operation.get("parameters", []))
    }
    assert {("patch", f"{GAMES}/{{slug}}"), ("delete", f"{GAMES}/{{slug}}")} <= taking
    assert {("patch", f"{GAMES}/{{slug}}/builds/{{number}}"), ("post", f"{GAMES}/{{slug}}/releases")} <= taking


@pytest.mark.settings(**UNLIMITED)
def test_headers_that_are_named_are_there(app: Flask, client: FlaskClient, subtests: pytest.Subtests) -> None:
    document = describe(app)
    for call in json_calls(app, fill_partner("studio"), "studio"):
        if call.method == "GET" and call.call.security:
            answer = client.get(call.path, headers=dict(call.headers))
            rule, _ = app.url_map.bind("localhost").match(call.path, return_rule=True)
            path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
            with subtests.test(call=str(call), status=answer.status_code):
                said = document["paths"][path]["get"]["responses"][str(answer.status_code)]
                missing = {name for name in said["headers"] if name not in answer.headers} - {"Retry-After"}
                assert missing == set()


def test_times_are_what_the_document_says(document: dict[str, Any], script: Script) -> None:
    schemas = document["components"]["schemas"]
    for name in ("AssetShape", "ComponentShape", "RevisionShape"):
        assert schemas[name]["properties"]["createdAt"]["type"] == "integer"
    for name in ("GameShape", "BuildRow", "ReleaseRow", "UploadRow"):
        field = schemas[name]["properties"].get("createdAt") or schemas[name]["properties"]["releasedAt"]
        assert (field["type"], field["format"]) == ("string", "date-time")


def test_every_text_of_a_request_has_a_limit_or_a_form(document: dict[str, Any]) -> None:
    """Free text of a query is the exception: it is compared and never stored."""
    for name in ("GameRegistration", "GameChanges", "UploadRequest", "PresignRequest", "ComponentRequest", "NewGame"):
        for field, schema in document["components"]["schemas"][name]["properties"].items():
            for choice in schema.get("anyOf", [schema]):
                if choice.get("type") == "string":
                    assert {"pattern", "enum", "maxLength"} & choice.keys(), f"{name}.{field}"


def test_the_raw_upload_is_described(document: dict[str, Any]) -> None:
    upload = document["paths"][f"{GAMES}/{{slug}}/upload"]["put"]
    assert upload["requestBody"]["content"]["application/gzip"]["schema"] == {"type": "string", "format": "binary"}
    assert "X-Checksum-Sha256" in {parameter["name"] for parameter in upload["parameters"]}
    download = document["paths"][f"{GAMES}/{{slug}}/builds/{{number}}/download"]["get"]
    assert {"200", "206", "304", "416"} <= set(download["responses"])
    assert set(download["responses"]["200"]["content"]) == {"application/json", "application/gzip"}


def test_patterns_have_one_meaning_in_python_and_javascript(document: dict[str, Any]) -> None:
    found: set[str] = set()

    def collect(value: Any) -> None:
        if isinstance(value, dict):
            found.update([value["pattern"]] if isinstance(value.get("pattern"), str) else [])
            for item in value.values():
                collect(item)
        elif isinstance(value, list):
            for item in value:
                collect(item)

    collect(document)
    assert len(found) > 10
    for pattern in found:
        re.compile(pattern)
        assert not re.search(r"\\[AZdDwWxU]|\(\?[P#imsx<]", pattern.replace(r"\d", "")), pattern
