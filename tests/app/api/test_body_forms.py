"""JSON bodies as clients send them: with a byte order mark, compressed, as a merge patch, with whole floats."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.api.json_bodies import MAX_JSON_BYTES
from app.api.json_shapes import Shape, parse_json
from app.api.openapi import describe
from tests.app.api.calling import GAMES, Script, body, refused
from tests.app.api.json_calls import UNLIMITED, fill_partner, json_calls
from tests.conftest import GAME

JSON = {"Content-Type": "application/json"}
GZIP = JSON | {"Content-Encoding": "gzip"}
BOM = b"\xef\xbb\xbf"
PATH = f"{GAMES}/paper-lanterns"
text = json.dumps(GAME).encode()


def test_a_byte_order_mark_is_skipped(script: Script) -> None:
    body(script.ask("POST", GAMES, JSON, data=BOM + text), 201)
    assert body(script.read())["title"] == GAME["title"]
    message = refused(script.ask("PATCH", PATH, JSON, data=json.dumps(GAME).encode("utf-16")), 400, "invalid_request")
    assert "UTF-8" in message


def test_a_repetition_with_a_byte_order_mark_is_the_same_request(script: Script) -> None:
    once = JSON | {"Idempotency-Key": "once"}
    first = script.ask("POST", GAMES, once, data=text)
    again = script.ask("POST", GAMES, once | {"Content-Encoding": "gzip"}, data=gzip.compress(BOM + text))
    assert body(again, 201) == body(first, 201)


@pytest.mark.parametrize("name", ["gzip", "x-gzip", "GZip"])
def test_a_compressed_body_is_read(script: Script, name: str) -> None:
    body(script.ask("POST", GAMES, JSON | {"Content-Encoding": name}, data=gzip.compress(text)), 201)


def test_the_limit_holds_for_what_a_compressed_body_expands_to(script: Script) -> None:
    exact = text + b" " * (MAX_JSON_BYTES - len(text))
    body(script.ask("POST", GAMES, GZIP, data=gzip.compress(exact)), 201)
    bomb = gzip.compress(b" " * (64 * MAX_JSON_BYTES))
    message = refused(script.ask("POST", GAMES, GZIP, data=bomb), 413, "payload_too_large")
    assert "1 MiB" in message


@pytest.mark.parametrize(
    ("sent", "what"),
    [
        (text, "not gzip"),
        (gzip.compress(text)[:-5], "ends too early"),
        (gzip.compress(text) + b"more", "after the end"),
        (gzip.compress(text) * 2, "after the end"),
    ],
)
def test_what_is_no_gzip_is_refused(script: Script, sent: bytes, what: str) -> None:
    assert what in refused(script.ask("POST", GAMES, GZIP, data=sent), 400, "invalid_request")


@pytest.mark.parametrize("encoding", ["br", "zstd", "deflate", "gzip, gzip"])
def test_other_encodings_are_refused_naming_those_that_work(script: Script, encoding: str) -> None:
    answer = script.ask("POST", GAMES, JSON | {"Content-Encoding": encoding}, data=text)
    assert "gzip" in refused(answer, 415, "unsupported_media_type")
    assert answer.headers["Accept-Encoding"] == "gzip, identity"


def test_an_archive_with_an_encoding_is_refused(script: Script) -> None:
    """An archive is gzip already: whether it is compressed twice cannot be known."""
    script.register()
    for name in ("gzip", "br"):
        answer = script.send(b"x", **{"Content-Encoding": name})
        assert "Content-Encoding" in refused(answer, 415, "unsupported_media_type")


def test_a_merge_patch_is_a_patch(script: Script) -> None:
    script.register(thumbnail="https://kite.example/a.png")
    merge = {"Content-Type": "application/merge-patch+json"}
    changed = script.ask("PATCH", PATH, merge, data=json.dumps({"title": "Second", "thumbnail": None}))
    assert (body(changed)["title"], body(changed)["thumbnail"]) == ("Second", None)
    refused(script.ask("POST", GAMES, merge, data=text), 415, "unsupported_media_type")
    wrong = script.ask("PATCH", PATH, {"Content-Type": "application/json-patch+json"}, data="[]")
    refused(wrong, 415, "unsupported_media_type")
    assert wrong.headers["Accept-Patch"] == "application/json, application/merge-patch+json"


class Numbers(Shape):
    """A shape with numbers in all places."""

    whole: int
    inside: list[int] = []
    broken: float = 0


@pytest.mark.parametrize("number", ["197.0", "1.97e2", "19700E-2", "-0.0", "1e3"])
def test_a_float_without_a_fraction_is_a_whole_number(number: str) -> None:
    found = parse_json(Numbers, f'{{"whole": {number}, "inside": [1, {number}], "broken": 2.0}}'.encode())
    assert found.whole == float(number)
    assert found.inside == [1, found.whole]
    assert isinstance(found.whole, int)
    assert found.broken == 2


@pytest.mark.parametrize("number", ["197.5", "1e-3", "1e999", '"197"', "true"])
def test_another_number_is_not(script: Script, number: str) -> None:
    sent = json.dumps(GAME | {"keepBuilds": "@"}).replace('"@"', number)
    assert (
        "keepBuilds must be a whole number"
        in refused(script.ask("POST", GAMES, JSON, data=sent), 400, "invalid_request")
        or number == "1e999"
    )


def floats(value: Any) -> Any:
    """The same JSON value with each whole number as a float."""
    if isinstance(value, dict):
        return {name: floats(item) for name, item in value.items()}
    if isinstance(value, list):
        return [floats(item) for item in value]
    return float(value) if type(value) is int else value


@pytest.mark.settings(**UNLIMITED)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_example_of_every_body_is_read_with_floats_too(
    app: Flask, client: FlaskClient, subtests: pytest.Subtests
) -> None:
    """Read from the declared calls and the document: a new call is tried without being named here."""
    tried = 0
    for path, methods in describe(app)["paths"].items():
        for method, operation in methods.items():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json")
            if content:
                shape = next(
                    found.call.body
                    for found in json_calls(app, fill_partner(f"s{tried}"), f"s{tried}")
                    if found.call.body and found.call.body.__name__ == content["schema"]["$ref"].rpartition("/")[2]
                )
                with subtests.test(call=f"{method} {path}"):
                    example = json.dumps(content["example"])
                    with_floats = json.dumps(floats(content["example"]))
                    assert parse_json(shape, with_floats.encode()) == parse_json(shape, example.encode())
                tried += 1
    assert tried > 10
