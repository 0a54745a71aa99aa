"""GET /api/openapi.json: a sound document that says what the calls do, and calls that do what it says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.api.envelopes import Problem
from app.api.openapi import describe
from app.api.pipeline import Call, declared_call
from tests.app.api.calling import GAMES, Script, body, report
from tests.conftest import Cast
from tests.game_archives import game_archive

# Nothing here depends on the kind of database.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

METHODS = {"get", "put", "post", "patch", "delete"}
OPERATION_KEYS = {
    *("operationId", "summary", "description", "tags", "parameters", "requestBody", "responses", "security"),
    *("deprecated", "externalDocs", "servers"),
}
SCHEMA_TYPES = {"string", "integer", "number", "boolean", "array", "object", "null"}


@pytest.fixture
def document(client: FlaskClient) -> dict[str, Any]:
    found: dict[str, Any] = body(client.get("/api/openapi.json"))
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def inside(value: Any, where: str = "#") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object of the document with the way to it."""
    if isinstance(value, dict):
        yield where, value
        for name, item in value.items():
            yield from inside(item, f"{where}/{name}")
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from inside(item, f"{where}/{number}")


def test_the_document_has_the_form_of_openapi_3_1(document: dict[str, Any]) -> None:
    assert re.fullmatch(r"3\.1\.\d+", document["openapi"])
    assert document["info"]["title"]
    assert document["info"]["version"]
    assert set(document) <= {"openapi", "info", "servers", "paths", "components", "security", "tags", "externalDocs"}
    schemes = document["components"]["securitySchemes"]
    for path, method, operation in operations(document):
        where = f"{method} {path}"
        assert path.startswith("/"), where
        assert method in METHODS, where
        assert operation.keys() <= OPERATION_KEYS, where
        assert operation["responses"], where
        assert all(re.fullmatch(r"[1-5]\d\d", status) for status in operation["responses"]), where
        assert all(response["description"] for response in operation["responses"].values()), where
        assert all(name in schemes for need in operation["security"] for name in need), where
        named = [(parameter["in"], parameter["name"]) for parameter in operation.get("parameters", [])]
        assert len(set(named)) == len(named), where
        assert {name for place, name in named if place == "path"} == set(re.findall(r"{(\w+)}", path)), where
        assert all(p["required"] for p in operation.get("parameters", []) if p["in"] == "path"), where
        assert all("schema" in parameter for parameter in operation.get("parameters", [])), where
        if "requestBody" in operation:
            assert method in {"put", "post", "patch"}, where
            assert operation["requestBody"]["content"], where
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(ids)) == len(ids)


def test_every_schema_is_sound_and_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    there = {f"#/components/{kind}/{name}" for kind in ("schemas", "headers") for name in document["components"][kind]}
    used: set[str] = set()
    for where, found in inside(document):
        if "$ref" in found:
            assert found["$ref"] in there, where
            used.add(found["$ref"])
        if "/schemas/" in where and isinstance(found.get("type"), str):
            assert found["type"] in SCHEMA_TYPES, where
        if found.get("type") == "object" and "properties" in found:
            assert set(found.get("required", [])) <= set(found["properties"]), where
    assert used == there


def test_every_call_of_the_apis_is_in_the_document_and_nothing_else(app: Flask, document: dict[str, Any]) -> None:
    there = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/api/") and rule.rule != "/api/openapi.json"
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }

    assert {(path, method) for path, method, _ in operations(document)} == there


def test_names_on_the_wire_are_camel_case(document: dict[str, Any]) -> None:
    health = {"cpu_percent", "memory_percent", "disk_percent"}  # documented so (game-servers.md 2.2)
    for where, found in inside(document["components"]["schemas"]):
        for name in found.get("properties", {}):
            assert re.fullmatch(r"[a-z][A-Za-z0-9]*", name) or name in health, f"{where}: {name}"


def test_the_limits_of_the_contract_are_in_the_document(document: dict[str, Any]) -> None:
    fields = document["components"]["schemas"]["GameRegistration"]
    limits = {name: schema.get("maxLength", schema.get("maxItems")) for name, schema in fields["properties"].items()}

    assert limits["title"] == 200
    assert limits["slug"] == 100
    assert limits["developer"] == 150
    assert limits["description"] == 5000
    assert limits["tags"] == 10
    assert limits["launcher"] == limits["renpyDir"] == 255
    required = {"title", "slug", "developer", "description", "tags", "launcher", "renpyDir"}
    assert set(fields["required"]) == required


def test_each_call_says_which_refusals_to_expect(document: dict[str, Any]) -> None:
    expected = {
        ("get", GAMES): {"200", "400", "401", "403", "429"},
        ("post", GAMES): {"201", "400", "401", "403", "409", "413", "415", "429"},
        ("get", f"{GAMES}/{{slug}}"): {"200", "401", "403", "404", "429"},
        ("patch", f"{GAMES}/{{slug}}"): {"200", "400", "401", "403", "404", "413", "415", "429"},
        ("delete", f"{GAMES}/{{slug}}"): {"204", "401", "403", "404", "429"},
        ("put", f"{GAMES}/{{slug}}/upload"): {"200", "400", "401", "403", "404", "413", "415", "429", "503"},
        ("get", f"{GAMES}/{{slug}}/sync"): {"200", "401", "403", "404", "429"},
    }
    for (method, path), statuses in expected.items():
        assert statuses <= set(document["paths"][path][method]["responses"]), f"{method} {path}"


def test_the_document_is_open_and_the_same_for_everybody(client: FlaskClient, script: Script) -> None:
    assert script.ask("GET", "/api/openapi.json").json == client.get("/api/openapi.json").json


def test_the_document_holds_nothing_of_this_installation(app: Flask, cast: Cast) -> None:
    settings = app.config["SLIPWAY"]
    text = str(describe(app))

    for secret in (settings.secret_key, settings.storage.secret_key, settings.storage.endpoint, cast.starlight.name):
        assert secret not in text


def test_real_answers_are_what_the_document_says(
    app: Flask, client: FlaskClient, script: Script, cast: Cast, subtests: pytest.Subtests
) -> None:
    """Every answer is read by the shape its schema is made of and written again: nothing may be missing or over."""
    agent = Script(client, cast.servers["srv-01"])
    game_id = body(script.register(), 201)["id"]
    sessions, wanted = "/api/servers/self/sessions", {"gameId": game_id}
    answers: list[TestResponse] = [
        script.register(slug="other"),
        script.register(),
        script.register(title=""),
        script.list(limit=1),
        script.read(),
        script.change(title="Other", languages=["en"]),
        script.send(game_archive()),
        script.send(b"no archive"),
        script.sync(),
        script.read("nowhere"),
        Script(client, "pp_unknown").list(),
        Script(client, cast.starlight.reader_key).register(),
        agent.ask("GET", "/api/servers/self/plan"),
        agent.ask("POST", sessions, json=wanted),
    ]
    report(client, agent.key, 1, [wanted | {"build": 1, "phase": "cached"}])
    started = agent.ask("POST", sessions, json=wanted)
    answers += [started, script.read(), script.sync(), agent.ask("GET", "/api/servers/self/plan")]
    answers += [agent.ask("DELETE", f"{sessions}/{started.json and started.json['id']}"), script.delete()]
    paths = describe(app)["paths"]
    for answer in answers:
        with subtests.test(call=f"{answer.request.method} {answer.request.path}", status=answer.status_code):
            check_answer(app, paths, answer)


def check_answer(app: Flask, paths: dict[str, Any], answer: TestResponse) -> None:
    rule, _ = app.url_map.bind("localhost").match(answer.request.path, answer.request.method, return_rule=True)
    call: Call | None = declared_call(app.view_functions[rule.endpoint])
    assert call is not None
    path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
    said = paths[path][answer.request.method.lower()]["responses"][str(answer.status_code)]
    shape = call.responses.get(answer.status_code, Problem)
    if shape is None:
        assert "content" not in said
        assert answer.data == b""
        return
    assert said["content"]["application/json"]["schema"] == {"$ref": f"#/components/schemas/{shape.__name__}"}
    read = shape.model_validate_json(answer.data, by_alias=True, by_name=False, extra="forbid")
    assert read.model_dump(mode="json", by_alias=True, exclude_unset=True) == answer.json
