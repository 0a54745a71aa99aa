"""Bodies that are not what they should be: always a 4xx that says why, never a 500."""

from __future__ import annotations

import json

import pytest
from flask.testing import FlaskClient

from tests.app.api.calling import GAMES, Script, body, refused
from tests.conftest import GAME, Cast, bearer

# Nothing here depends on the kind of database.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

MIB = 1024**2
JSON = {"Content-Type": "application/json"}


def padded(size: int) -> bytes:
    """A good registration of exactly this many bytes."""
    text = json.dumps(GAME).encode()
    return text + b" " * (size - len(text))


def test_what_is_no_json_is_refused_and_told_so(script: Script, subtests: pytest.Subtests) -> None:
    script.register()
    for sent in [
        b"",
        b" ",
        b"{",
        b'{"title": "x"',
        b"{'title': 'x'}",
        b'{"title": "x",}',
        b"title=x",
        b"\xff\xfe",
        b'{"title": "\xff"}',
        json.dumps(GAME).encode("utf-16"),
        b'{"title": "a\nb"}',
        b"NaN and more",
        b'{"title": ' + b"9" * 5000 + b"}",
    ]:
        for method, path in (("POST", GAMES), ("PATCH", f"{GAMES}/paper-lanterns")):
            with subtests.test(sent=sent[:30], method=method):
                message = refused(script.ask(method, path, JSON, data=sent), 400, "invalid_request")
                assert "JSON" in message


def test_json_that_is_no_object_is_refused(script: Script, subtests: pytest.Subtests) -> None:
    for sent in (b"null", b"[]", b"5", b'"text"', b"true", b"[{}]"):
        with subtests.test(sent=sent):
            assert "object" in refused(script.ask("POST", GAMES, JSON, data=sent), 400, "invalid_request")


def test_lone_surrogates_are_refused(script: Script, subtests: pytest.Subtests) -> None:
    for escape in ("\\ud800", "\\udc00", "a\\udfffb", "\\ud83c", "\\udfee\\ud83c"):
        with subtests.test(escape=escape):
            sent = json.dumps(GAME | {"title": "@"}).replace("@", escape).encode()
            refused(script.ask("POST", GAMES, JSON, data=sent), 400, "invalid_request")


def test_a_surrogate_pair_is_one_character(script: Script) -> None:
    sent = json.dumps(GAME | {"title": "@"}).replace("@", "\\ud83c\\udfee").encode()

    body(script.ask("POST", GAMES, JSON, data=sent), 201)

    assert body(script.read())["title"] == "\U0001f3ee"


def test_a_nul_character_anywhere_is_refused(script: Script, subtests: pytest.Subtests) -> None:
    for field in GAME:
        with subtests.test(field=field):
            value = ["a\0b"] if field == "tags" else "a\0b"
            assert field in refused(script.register(**{field: value}), 400, "invalid_request")


def test_very_deep_json_is_refused(script: Script, subtests: pytest.Subtests) -> None:
    for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
        for depth in (1_000, 100_000):
            with subtests.test(opening=opening, depth=depth):
                sent = b'{"title": ' + opening * depth + b"1" + closing * depth + b"}"
                refused(script.ask("POST", GAMES, JSON, data=sent), 400, "invalid_request")


def test_a_body_of_one_mebibyte_is_taken_and_one_byte_more_is_not(script: Script) -> None:
    body(script.ask("POST", GAMES, JSON, data=padded(MIB)), 201)

    message = refused(script.ask("POST", GAMES, JSON, data=padded(MIB + 1)), 413, "payload_too_large")
    assert "1 MiB" in message


def test_a_refused_body_closes_the_connection(script: Script) -> None:
    """What was not read of it would be taken for the next request."""
    answer = script.ask("POST", GAMES, JSON, data=padded(MIB + 1))

    assert answer.headers["Connection"] == "close"


def test_of_a_field_sent_twice_the_last_one_counts(script: Script) -> None:
    sent = json.dumps(GAME)[:-1].encode() + b', "title": "Second"}'

    body(script.ask("POST", GAMES, JSON, data=sent), 201)

    assert body(script.read())["title"] == "Second"


def test_agents_bodies_are_read_by_the_same_rules(client: FlaskClient, cast: Cast, subtests: pytest.Subtests) -> None:
    agent = Script(client, cast.servers["srv-01"])
    for sent in (b"", b"{", b"[]", b"\xff", b"[" * 100_000, b'{"bootId": "a\\u0000b"}'):
        with subtests.test(sent=sent[:20]):
            refused(agent.ask("POST", "/api/servers/self/reports", JSON, data=sent), 400, "invalid_request")
            refused(agent.ask("POST", "/api/servers/self/sessions", JSON, data=sent), 400, "invalid_request")


def test_agents_reports_may_not_smuggle_nul_or_other_control_characters_into_ids(
    client: FlaskClient, cast: Cast
) -> None:
    answer = client.post(
        "/api/servers/self/sessions", json={"gameId": "game\n1"}, headers=bearer(cast.servers["srv-01"])
    )

    assert "gameId" in refused(answer, 400, "invalid_request")
