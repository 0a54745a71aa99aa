"""The order of checks, envelopes, rates, idempotency and games of /api/v1."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.accounts.keys import create_key
from app.data.extensions import db
from app.data.models.partner import Partner
from tests.app.api.v1.calling import GAMES, Studio, announced, answered, refused
from tests.app.api.v1.test_components import CARD
from tests.app.images.images import picture
from tests.conftest import CAST, Cast

# Nothing here depends on the kind of database.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

# Every call below a game: method, path, a body that is fine.
CALLS: list[tuple[str, str, dict[str, Any] | None]] = [
    ("POST", "/assets/presign", announced(picture())),
    (
        "POST",
        "/assets/upload-complete",
        {"key": "uploads/sh/x", "publicUrl": "http://x/x", "byteSize": 1, "contentType": "image/png"},
    ),
    ("GET", "/assets", None),
    ("DELETE", "/assets/a1b2", None),
    ("POST", "/components", CARD),
    ("POST", "/components/batch", {"components": [CARD]}),
    ("GET", "/components", None),
    ("GET", "/components/j57a", None),
    ("DELETE", "/components/j57a", None),
    ("GET", "/revisions", None),
    ("POST", "/revisions/1/finalize", None),
]
BROKEN: dict[str, Any] = {"json": {"nothing": "that is asked for"}}


def test_first_the_token(client: FlaskClient, cast: Cast, subtests: pytest.Subtests) -> None:
    for method, path, _ in CALLS:
        for headers in ({}, {"Authorization": "Bearer pp_unknown"}, {"Authorization": "Basic eDp5"}):
            with subtests.test(method=method, path=path, headers=headers):
                answer = client.open(f"{GAMES}/game_nowhere{path}", method=method, headers=headers, **BROKEN)
                refused(answer, 401, "UNAUTHORIZED")
                assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.settings(
    SLIPWAY_PRESIGN_RATE="1 per minute",
    SLIPWAY_CONFIRM_RATE="1 per minute",
    SLIPWAY_COMPONENT_RATE="1 per minute",
    SLIPWAY_COMPONENT_BATCH_RATE="1 per minute",
    SLIPWAY_LIST_RATE="1 per minute",
)
def test_then_the_rate(client: FlaskClient, cast: Cast, subtests: pytest.Subtests) -> None:
    partner = db.session.get_one(Partner, cast.starlight.partner_id)
    for method, path, _ in CALLS:
        _, secret = create_key(partner, "CI", ["read", "write", "upload"], CAST)
        with subtests.test(method=method, path=path):
            stranger = Studio(client, secret, "game_nowhere")
            answer = stranger.at(method, path, **BROKEN)
            assert answer.headers["X-RateLimit-Limit"] == "1"
            assert "Retry-After" not in answer.headers
            answer = stranger.at(method, path, **BROKEN)
            refused(answer, 429, "RATE_LIMITED")
            assert 1 <= int(answer.headers["Retry-After"]) <= 60
            assert answer.headers["X-RateLimit-Remaining"] == "0"
            assert int(answer.headers["X-RateLimit-Reset"]) > 0


def test_then_whether_the_game_is_there(client: FlaskClient, cast: Cast, subtests: pytest.Subtests) -> None:
    nowhere = Studio(client, cast.starlight.key, "game_nowhere")
    for method, path, _ in CALLS:
        with subtests.test(method=method, path=path):
            refused(nowhere.at(method, path, **BROKEN), 404, "GAME_NOT_FOUND")


def test_then_whose_it_is(client: FlaskClient, cast: Cast, studio: Studio, subtests: pytest.Subtests) -> None:
    stranger = Studio(client, cast.moonbase.key, studio.game_id)
    for method, path, body in CALLS:
        with subtests.test(method=method, path=path):
            refused(stranger.at(method, path, **BROKEN), 403, "PERMISSION_DENIED")
            if body is not None:
                refused(stranger.at(method, path, json=body), 403, "PERMISSION_DENIED")


def test_and_whether_the_key_may(client: FlaskClient, cast: Cast, studio: Studio, subtests: pytest.Subtests) -> None:
    reader = Studio(client, cast.starlight.reader_key, studio.game_id)
    for method, path, _ in CALLS:
        with subtests.test(method=method, path=path):
            if method != "GET":
                assert "scope" in refused(reader.at(method, path, **BROKEN), 403, "PERMISSION_DENIED")


def test_then_the_body(studio: Studio, subtests: pytest.Subtests) -> None:
    for method, path, body in CALLS:
        for data in (b"", b"not json", b"[]", b'"text"', b"null", b"\xff\xfe", b"{}") if body else ():
            with subtests.test(path=path, data=data):
                refused(studio.at(method, path, data=data, content_type="application/json"), 400, "VALIDATION_ERROR")


def test_a_body_without_its_type_is_read_all_the_same(studio: Studio) -> None:
    """As `fetch` sends a string when nobody names the type."""
    answered(studio.at("POST", "/components", data='{"kind":"die","name":"d","externalKey":"d"}'), 201)


def test_unknown_fields_are_ignored(studio: Studio) -> None:
    answered(studio.at("POST", "/components", json=CARD | {"colour": "green"}), 201)


def test_a_body_over_1_mib_is_too_large(studio: Studio) -> None:
    answer = studio.at("POST", "/components", json=CARD | {"padding": "x" * 1024**2})
    assert "1 MiB" in refused(answer, 413, "PAYLOAD_TOO_LARGE")


def test_unknown_paths_answer_the_nested_envelope(client: FlaskClient) -> None:
    for path in ("/api/v1", "/api/v1/", "/api/v1/nothing", "/api/v1/games/x/y", "/api/v1/token"):
        refused(client.get(path), 404, "NOT_FOUND")


def test_a_wrong_method_answers_the_nested_envelope(client: FlaskClient, cast: Cast, studio: Studio) -> None:
    answer = studio.at("PUT", "/assets")
    refused(answer, 405, "METHOD_NOT_ALLOWED")
    assert "GET" in answer.headers["Allow"]


def test_a_fault_of_ours_is_502(app: Flask, studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("the roof fell in")

    monkeypatch.setattr("app.api.v1.assets.list_assets", broken)
    assert "roof" not in refused(studio.at("GET", "/assets"), 502, "INTERNAL_ERROR")


def test_a_repeated_post_with_an_idempotency_key_gets_the_first_answer(studio: Studio) -> None:
    headers = {"Idempotency-Key": "once"}
    first = studio.ask("POST", GAMES, headers, json={"name": "Once"})
    again = studio.ask("POST", GAMES, headers, json={"name": "Once"})
    assert again.status_code == 201
    assert again.json == first.json
    assert again.headers["Idempotent-Replayed"] == "true"
    refused(studio.ask("POST", GAMES, headers, json={"name": "Twice"}), 400, "VALIDATION_ERROR")
    assert len(answered(studio.ask("GET", GAMES))["games"]) == 2


def test_a_request_id_comes_back(studio: Studio) -> None:
    assert studio.ask("GET", GAMES, {"X-Request-Id": "abc-1"}).headers["X-Request-Id"] == "abc-1"


def test_games_are_made_and_listed(studio: Studio) -> None:
    made = answered(studio.ask("POST", GAMES, json={"name": "  My Game "}), 201)
    assert set(made) == {"id", "name", "createdAt"}
    assert made["name"] == "My Game"
    listed = answered(studio.ask("GET", GAMES))
    assert list(listed) == ["games"]
    assert [game["name"] for game in listed["games"]] == ["Paper Lanterns", "My Game"]
    assert listed["games"][1] == made
    detail = answered(studio.ask("GET", "/api/partners/games/my-game"))
    assert detail["id"] == made["id"]
    assert detail["developer"] == "Starlight Studio"
    assert (detail["description"], detail["tags"], detail["launcher"], detail["status"]) == (
        "",
        [],
        "",
        "pending_upload",
    )


def test_the_slug_is_made_of_the_name(studio: Studio) -> None:
    for name, slug in {
        "Étoile du Nord!": "etoile-du-nord",
        "Paper Lanterns": "paper-lanterns-2",
        "x" * 256: "x" * 100,
        "--- 7 ---": "7",
        "New": "new-game",
    }.items():
        game_id = studio.new_game(name)
        assert answered(studio.ask("GET", f"/api/partners/games/{slug}"))["id"] == game_id


def test_a_name_without_latin_letters_gets_a_slug_all_the_same(studio: Studio) -> None:
    studio.new_game("紙灯籠")
    listed = answered(studio.ask("GET", "/api/partners/games"))["games"]
    assert len(listed[1]["slug"]) == len("game-123456")
    assert listed[1]["slug"].startswith("game-")


def test_the_same_name_many_times(studio: Studio) -> None:
    for _ in range(3):
        studio.new_game("Paper Lanterns")
    slugs = [game["slug"] for game in answered(studio.ask("GET", "/api/partners/games"))["games"]]
    assert slugs == ["paper-lanterns", "paper-lanterns-2", "paper-lanterns-3", "paper-lanterns-4"]


def test_a_game_needs_a_name_of_256_characters_at_most(studio: Studio) -> None:
    for body in ({}, {"name": ""}, {"name": "   "}, {"name": "x" * 257}, {"name": 7}, {"name": None}):
        assert "name" in refused(studio.ask("POST", GAMES, json=body), 400, "VALIDATION_ERROR")


def test_the_documented_rates_are_the_defaults(client: FlaskClient, cast: Cast, studio: Studio) -> None:
    limits = {
        ("POST", "/assets/presign"): "60",
        ("POST", "/assets/upload-complete"): "60",
        ("POST", "/components"): "60",
        ("POST", "/components/batch"): "10",
        ("GET", "/assets"): "120",
        ("DELETE", "/assets/x"): "120",
        ("GET", "/components"): "120",
    }
    for (method, path), limit in limits.items():
        assert studio.at(method, path, **BROKEN).headers["X-RateLimit-Limit"] == limit, path
    assert studio.ask("POST", GAMES, json={"name": "Paper Lanterns"}).headers["X-RateLimit-Limit"] == "10"


def test_the_limit_counts_each_key_by_itself(client: FlaskClient, cast: Cast) -> None:
    partner = db.session.get_one(Partner, cast.starlight.partner_id)
    _, second = create_key(partner, "CI", ["write"], CAST)
    for _ in range(10):
        answered(Studio(client, cast.starlight.key).ask("POST", GAMES, json={"name": "x"}), 201)
    refused(Studio(client, cast.starlight.key).ask("POST", GAMES, json={"name": "x"}), 429, "RATE_LIMITED")
    answered(Studio(client, second).ask("POST", GAMES, json={"name": "x"}), 201)


def test_strangers_see_no_games_of_others(client: FlaskClient, cast: Cast, studio: Studio) -> None:
    assert answered(Studio(client, cast.moonbase.key).ask("GET", GAMES)) == {"games": []}


def test_every_call_is_in_the_openapi_document(client: FlaskClient) -> None:
    document = answered(client.get("/api/openapi.json"))
    below = "/api/v1/games/{game_id}"
    for method, path, _ in CALLS:
        named = path.replace("a1b2", "{asset_id}").replace("j57a", "{component_id}").replace("/1/", "/{number}/")
        operation = document["paths"][f"{below}{named}"][method.lower()]
        schema = operation["responses"]["401"]["content"]["application/json"]["schema"]
        assert schema == {"$ref": "#/components/schemas/NestedProblem"}
    assert set(document["paths"]["/api/v1/games"]) == {"get", "post"}
