"""Errors that are made before a view is called have the envelope of the API that the path belongs to."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.conftest import Cast, bearer

# Nothing here depends on the kind of database.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

FLAT, NESTED = "/api/partners/games", "/api/v1/games"


def code(answer: TestResponse, path: str, status: int) -> str:
    """Of an error, which must have exactly the fields of its API's envelope."""
    assert answer.status_code == status, answer.text
    assert answer.mimetype == "application/json"
    problem: Any = answer.json
    if path.startswith("/api/v1"):
        assert list(problem) == ["error"]
        problem = problem["error"]
        assert set(problem) == {"code", "message"}
        return str(problem["code"])
    assert set(problem) == {"error", "message"}
    return str(problem["error"])


@pytest.mark.settings(TRUSTED_HOSTS="slipway.example")
def test_a_host_that_is_not_ours(client: FlaskClient, cast: Cast) -> None:
    for path, word in ((FLAT, "invalid_request"), (NESTED, "VALIDATION_ERROR")):
        assert code(client.get(path, headers={"Host": "evil.example"}), path, 400) == word


def test_a_method_a_path_and_a_body_that_are_not_taken(client: FlaskClient, cast: Cast) -> None:
    headers = bearer(cast.starlight.key) | {"Content-Type": "application/json"}
    for path, words in (
        (FLAT, ("method_not_allowed", "not_found", "payload_too_large")),
        (NESTED, ("METHOD_NOT_ALLOWED", "NOT_FOUND", "PAYLOAD_TOO_LARGE")),
    ):
        large = b"x" * (1024**2 + 1)
        answers = [
            code(client.open(path, method="PUT"), path, 405),
            code(client.get(f"{path}/x\x00y"), path, 404),
            code(client.post(path, data=large, headers=headers), path, 413),
        ]
        assert tuple(answers) == words
