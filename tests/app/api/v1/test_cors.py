"""CORS on /api/v1, for named origins, on every answer; nowhere else and for nobody by default."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from tests.app.api.v1.calling import GAMES, Studio
from tests.conftest import bearer

ORIGIN = "https://studio.example"
NAMED = pytest.mark.settings(API_CORS_ORIGINS=f"{ORIGIN}, http://localhost:5173/")
PREFLIGHT = {
    "Origin": ORIGIN,
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-type",
}
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_nobody_is_allowed_by_default(client: FlaskClient, studio: Studio) -> None:
    answer = studio.ask("GET", GAMES, {"Origin": ORIGIN})
    assert answer.status_code == 200
    assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]
    preflight = client.options(GAMES, headers=PREFLIGHT)
    assert not [name for name, _ in preflight.headers if name.startswith("Access-Control")]


@NAMED
@pytest.mark.parametrize("path", ["", "/game_1/assets/presign", "/game_1/components/x", "/no/such/path"])
def test_a_preflight_is_answered_without_a_token(client: FlaskClient, path: str) -> None:
    answer = client.options(f"{GAMES}{path}", headers=PREFLIGHT)
    assert answer.status_code == 204
    assert answer.data == b""
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert {"GET", "POST", "DELETE"} <= set(answer.headers["Access-Control-Allow-Methods"].split(", "))
    allowed = answer.headers["Access-Control-Allow-Headers"].lower().split(", ")
    assert {"authorization", "content-type", "idempotency-key"} <= set(allowed)
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert "Origin" in answer.headers["Vary"]


@NAMED
@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "https://studio.example.evil", "http://studio.example"]
)
def test_other_origins_are_not_allowed(client: FlaskClient, studio: Studio, origin: str) -> None:
    for answer in (
        client.options(GAMES, headers=PREFLIGHT | {"Origin": origin}),
        studio.ask("GET", GAMES, {"Origin": origin}),
    ):
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert "Origin" in answer.headers["Vary"]


@NAMED
@pytest.mark.parametrize("origin", [ORIGIN, "http://localhost:5173"])
def test_answers_and_refusals_can_be_read(client: FlaskClient, studio: Studio, origin: str) -> None:
    asked = [
        studio.ask("GET", GAMES, {"Origin": origin}),
        studio.ask("POST", GAMES, {"Origin": origin}, json={}),
        client.get(GAMES, headers={"Origin": origin}),
        client.get(f"{GAMES}/game_1/nothing", headers={"Origin": origin}),
        client.put(GAMES, headers={"Origin": origin}),
    ]
    assert [answer.status_code for answer in asked] == [200, 400, 401, 404, 405]
    for answer in asked:
        assert answer.headers["Access-Control-Allow-Origin"] == origin
        exposed = answer.headers["Access-Control-Expose-Headers"]
        assert "Retry-After" in exposed
        assert "X-RateLimit-Remaining" in exposed


@pytest.mark.settings(API_CORS_ORIGINS=ORIGIN, SLIPWAY_LIST_RATE="1 per minute")
def test_a_429_can_be_read(studio: Studio) -> None:
    studio.ask("GET", GAMES)
    answer = studio.ask("GET", GAMES, {"Origin": ORIGIN})
    assert answer.status_code == 429
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN


@NAMED
@pytest.mark.parametrize("path", ["/api/partners/games", "/api/openapi.json", "/healthz", "/sign-in", "/api/v10"])
def test_nothing_else_has_cors(client: FlaskClient, studio: Studio, path: str) -> None:
    for answer in (
        client.get(path, headers={"Origin": ORIGIN, **bearer(studio.key)}),
        client.options(path, headers=PREFLIGHT),
    ):
        assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]


@NAMED
def test_options_without_a_preflight_is_the_ordinary_answer(client: FlaskClient) -> None:
    answer = client.options(GAMES)
    assert "POST" in answer.headers["Allow"]
