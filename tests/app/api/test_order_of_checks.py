"""In which order a call is looked at: 401, 429, 403, 404, 415, 413, 400, 409 (partner-api.md 5 and 7)."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from tests.app.api.calling import GAMES, Script, refused
from tests.conftest import Cast

# Nothing here depends on the kind of database.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

BROKEN = {"Content-Type": "text/plain", "Idempotency-Key": ""}
CALLS = [
    ("GET", GAMES),
    ("POST", GAMES),
    ("GET", f"{GAMES}/nowhere"),
    ("PATCH", f"{GAMES}/nowhere"),
    ("PUT", f"{GAMES}/nowhere/upload"),
    ("GET", f"{GAMES}/nowhere/sync"),
    ("DELETE", f"{GAMES}/nowhere"),
]
WRITING = [call for call in CALLS if call[0] != "GET"]


@pytest.mark.settings(SLIPWAY_API_RATE="2 per hour", SLIPWAY_UPLOAD_RATE="1 per hour")
def test_each_check_comes_before_the_ones_after_it(client: FlaskClient, cast: Cast, subtests: pytest.Subtests) -> None:
    nobody = Script(client, "pp_unknown")
    reader = Script(client, cast.starlight.reader_key)
    for method, path in CALLS:
        with subtests.test("401 before all else", call=f"{method} {path}"):
            refused(nobody.ask(method, f"{path}?limit=x", BROKEN, data=b"{"), 401, "unauthorized")

    refused(reader.ask("POST", GAMES, BROKEN, data=b"{"), 403, "forbidden")
    refused(reader.ask("PUT", f"{GAMES}/nowhere/upload", BROKEN, data=b"{"), 403, "forbidden")

    for method, path in CALLS:
        with subtests.test("429 before 403, 404 and 400", call=f"{method} {path}"):
            refused(reader.ask(method, f"{path}?limit=x", BROKEN, data=b"{"), 429, "rate_limited")


def test_a_missing_scope_is_told_before_whether_there_is_such_a_game(
    client: FlaskClient, cast: Cast, subtests: pytest.Subtests
) -> None:
    reader = Script(client, cast.starlight.reader_key)
    Script(client, cast.starlight.key).register()
    for method, path in WRITING:
        for slug in ("nowhere", "paper-lanterns"):
            with subtests.test(call=f"{method} {path}", slug=slug):
                message = refused(reader.ask(method, path.replace("nowhere", slug), json={}), 403, "forbidden")
                assert "pp_" in message
                assert cast.starlight.reader_key not in message


def test_an_unknown_game_is_told_before_anything_about_the_body(script: Script, subtests: pytest.Subtests) -> None:
    for body in (b"", b"{", b"[]", b'{"title": 5}', b"x" * (1024**2 + 1)):
        for method, path in (("PATCH", f"{GAMES}/nowhere"), ("PUT", f"{GAMES}/nowhere/upload")):
            with subtests.test(method=method, body=body[:20]):
                refused(script.ask(method, path, {"Content-Type": "text/plain"}, data=body), 404, "not_found")


def test_the_content_type_is_told_before_the_content(script: Script) -> None:
    script.register()

    refused(script.ask("POST", GAMES, BROKEN, data=b"x" * (1024**2 + 1)), 415, "unsupported_media_type")
    refused(script.ask("PATCH", f"{GAMES}/paper-lanterns", BROKEN, data=b"{"), 415, "unsupported_media_type")
    upload = script.ask("PUT", f"{GAMES}/paper-lanterns/upload", BROKEN | {"X-Checksum-Sha256": "x"}, data=b"x")
    refused(upload, 415, "unsupported_media_type")


def test_the_size_is_told_before_the_content(script: Script) -> None:
    refused(
        script.ask("POST", GAMES, {"Content-Type": "application/json"}, data=b"{" * (1024**2 + 1)),
        413,
        "payload_too_large",
    )
