"""The API reference: every call, with commands that are the reader's own."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.accounts.keys import create_key, revoke_key
from app.data.extensions import db
from app.data.models.partner import ApiKey, Partner
from app.web.reference.openapi_operations import Operation, operations
from app.web.reference.reference_page import Reader, command
from tests.app.web import scenes
from tests.app.web.conftest import BOOSTED, HTMX, ONE_DATABASE, Visitor
from tests.app.web.reading import curl, plain
from tests.conftest import CAST, Cast, bearer

pytestmark = ONE_DATABASE

PAGE = "/reference"


@pytest.fixture
def calls(app: Flask) -> list[Operation]:
    return operations(app.extensions["slipway_describe_api"](app))


def call_named(calls: list[Operation], summary: str) -> Operation:
    return next(call for call in calls if call.summary == summary)


def test_everybody_can_read_it_and_sees_every_call(
    app: Flask, visitor: Visitor, cast: Cast, calls: list[Operation]
) -> None:
    page = visitor.get(PAGE)
    assert page.status_code == 200
    assert len(calls) >= 10
    for call in calls:
        assert page.text.count(f'id="{call.id}"') == 1, call
        assert f"#{call.id}" in page.text
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith(("/api/partners", "/api/v1")) and rule.endpoint.split(".")[0] != "static":
            assert re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule) in page.text, rule


def test_without_an_account_the_examples_are_examples(visitor: Visitor, cast: Cast) -> None:
    words = plain(visitor.get(PAGE).text)
    assert "curl http://localhost/api/partners/games/paper-lanterns " in words
    assert "Sign in to see them with your own slug and key." in words
    assert "Needs a key with the scope read." in words


def test_a_member_sees_their_own_slug_and_the_key_that_can(owner: Visitor, cast: Cast) -> None:
    scenes.add_game(cast.starlight.partner_id, "Night Ferry", "night-ferry")
    partner = db.session.get_one(Partner, cast.starlight.partner_id)
    hint = create_key(partner, "CI", ["read", "write", "upload"], CAST)[0].hint
    page = owner.get(PAGE)
    words = plain(page.text)
    assert "http://localhost/api/partners/games/night-ferry/upload" in words
    assert f"Needs a key with the scope upload. Your key {hint} for CI has it." in words
    assert '"Authorization: Bearer $SLIPWAY_KEY"' in words
    assert cast.starlight.key not in page.text


def test_nobody_elses_slug_or_key_is_shown(stranger: Visitor, cast: Cast) -> None:
    scenes.add_game(cast.starlight.partner_id, "Night Ferry", "night-ferry")
    with db.session.no_autoflush:
        hints = [key.hint for key in db.session.query(ApiKey) if key.app.partner_id == cast.starlight.partner_id]
    page = stranger.get(PAGE).text
    assert "night-ferry" not in page
    assert all(hint not in page for hint in hints)


def test_who_has_no_key_with_a_scope_is_told(owner: Visitor, cast: Cast) -> None:
    partner = db.session.get_one(Partner, cast.starlight.partner_id)
    for key in db.session.query(ApiKey).all():
        if key.app.partner_id == partner.id and "upload" in key.scopes:
            revoke_key(key, CAST)
    words = plain(owner.get(PAGE).text)
    assert "Needs a key with the scope upload. None of your keys has it." in words
    assert re.search(r"Needs a key with the scope read\. Your key \S+ for Dashboard wall has it\.", words)


def test_an_operator_reads_it_like_everybody(cast: Cast, signed_in: Callable[[str], Visitor]) -> None:
    assert "paper-lanterns" in signed_in(cast.operator).get(PAGE).text


@pytest.mark.parametrize("headers", [HTMX, BOOSTED])
def test_a_fragment_request_gets_the_same_page(visitor: Visitor, headers: dict[str, str]) -> None:
    assert "<h1>API reference</h1>" in visitor.get(PAGE, headers=headers).text


def test_fields_say_their_type_and_their_rule(calls: list[Operation]) -> None:
    fields = {field.name: field for field in call_named(calls, "Register a game").body}
    assert (fields["slug"].type, fields["slug"].required) == ("text", True)
    assert fields["slug"].rule.startswith("1 to 100 characters")
    assert fields["tags"].type == "list of texts"
    assert fields["tags"].rule.startswith("1 to 10 entries")
    assert fields["autoRelease"].rule.startswith("default: true")
    assert not fields["thumbnail"].required


def test_fields_inside_fields_are_named_by_their_path(calls: list[Operation]) -> None:
    (answer,) = call_named(calls, "Read which servers have cached the released build").responses
    fields = {field.name: field.type for field in answer.fields}
    assert fields["servers"] == "list of objects"
    assert fields["servers[].status"] == "cached or pending"
    assert fields["servers[].cachedAt"] == "time or null"


def test_errors_and_parameters_are_those_of_the_document(calls: list[Operation]) -> None:
    listing = call_named(calls, "List your games")
    assert [field.name for field in listing.query] == ["status", "tag", "q", "sort", "limit", "cursor"]
    assert next(field for field in listing.query if field.name == "limit").rule == "1 to 200"
    assert {400, 401, 403, 429} <= {error.status for error in listing.errors}
    assert listing.scope == "read"


def test_the_commands_do_what_they_say(client: FlaskClient, cast: Cast, calls: list[Operation]) -> None:
    """Registering, changing, reading and deleting, with the very lines of the page."""

    def run(summary: str) -> Any:
        call = call_named(calls, summary)
        lines = command(call, "http://localhost", Reader())
        method, path, headers, body, _ = curl(lines, cast.starlight.key)
        assert method == call.method
        return client.open(path, method=method, headers=headers, data=body)

    assert run("Register a game").status_code == 201
    assert run("Change a game").status_code == 200
    assert run("Read a game").get_json()["slug"] == "paper-lanterns"
    assert run("List your games").get_json()["total"] == 1
    assert run("Delete a game").status_code == 204
    assert client.get("/api/partners/games/paper-lanterns", headers=bearer(cast.starlight.key)).status_code == 404


def test_a_file_is_sent_as_it_is(calls: list[Operation]) -> None:
    method, path, headers, body, file = curl(
        command(call_named(calls, "Send a build"), "http://localhost", Reader()), "k"
    )
    assert (method, path) == ("PUT", "/api/partners/games/paper-lanterns/upload")
    assert (body, file) == (None, "paper-lanterns.tar.gz")
    assert headers["Content-Type"] == "application/gzip"


def test_every_command_is_one_a_shell_can_read(calls: list[Operation]) -> None:
    for call in calls:
        method, path, headers, _, _ = curl(command(call, "http://localhost", Reader()), "k")
        assert method == call.method, call.summary
        assert "{" not in path, call.summary
        assert headers["Authorization"].startswith("Bearer "), call.summary


def test_the_page_of_a_member_is_kept_nowhere(owner: Visitor) -> None:
    assert owner.get(PAGE).headers["Cache-Control"] == "private, no-store"
