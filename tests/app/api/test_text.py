"""Text: what people cannot read is refused in words of ours, and search finds what looks alike."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any, get_args

import pytest
from flask import Flask
from pydantic_core.core_schema import ErrorType

from app.api.json_shapes import Shape, parse_json
from app.api.openapi import describe
from app.data.text_search import contains, fold
from app.refusals import InvalidRequest
from app.validation import sentence
from tests.app.api.calling import GAMES, Script, body, refused
from tests.app.api.json_calls import UNLIMITED, fill_partner, json_calls
from tests.test_hostile_values import changed, example, leaves

RAW = re.compile(
    r"input should|should be|should have|should match|valid (string|integer|list|dictionary)|pattern|\^|EOF",
    re.IGNORECASE,
)
SHAPES: list[Any] = [None, 5, 1.5, -1, 2**70, True, [], {}, [[]]]
WRONG: list[Any] = [*SHAPES, "", " ", "x" * 10_000, "\u202e", "\x00", "\x1b", "\u200b"]


@pytest.mark.parametrize(
    ("title", "why"),
    [
        ("a\u202eb", "U+202E"),
        ("a\u2066b", "direction"),
        ("a\x07b", "control characters"),
        ("a\nb", "one line"),
        ("\u200b\u200d", "can be seen"),
        ("\u3164", "can be seen"),
    ],
)
def test_a_title_that_people_cannot_read_is_refused(script: Script, title: str, why: str) -> None:
    message = refused(script.register(title=title), 400, "invalid_request")
    assert message.startswith("title ")
    assert why in message
    assert title not in message


def test_joiners_within_words_and_emoji_stay(script: Script) -> None:
    for number, title in enumerate(("می‌خواهم", "👩‍👩‍👧", "שלום", "مرحبا", "❤️")):
        body(script.register(title=title, slug=f"game-{number}"), 201)
        assert body(script.read(f"game-{number}"))["title"] == title


def test_a_description_has_lines(script: Script) -> None:
    body(script.register(description="One.\r\n\tTwo.\n\nThree."), 201)
    refused(script.register(slug="b", description="a\u202eb"), 400, "invalid_request")


@pytest.mark.parametrize(
    ("title", "wanted"),
    [
        ("Café Lanterns", unicodedata.normalize("NFD", "café")),
        (unicodedata.normalize("NFD", "Café Lanterns"), "CAFÉ"),
        ("École", "ecole"),
        ("Straße", "STRASSE"),
        ("ΟΔΥΣΣΕΥΣ", "οδυσσευς"),
        ("İstanbul", "istanbul"),
        ("Ｗｉｄｅ", "wide"),
        ("Zero\u200bwidth", "zerowidth"),
        ("100% Orange_Juice", "100% orange_"),
    ],
)
@pytest.mark.both_databases
def test_search_finds_what_looks_alike(script: Script, title: str, wanted: str) -> None:
    body(script.register(title=title, tags=[title]), 201)
    body(script.register(title="Other", slug="other", tags=["other"]), 201)
    queries: list[dict[str, Any]] = [{"q": wanted}, {"tag": fold(title).upper()}]
    for query in queries:
        found = body(script.list(**query))
        assert [game["title"] for game in found["games"]] == [title]
        assert found["total"] == 1


def test_search_pages_through_what_it_finds(script: Script) -> None:
    for number in range(5):
        body(script.register(slug=f"game-{number}", title=f"École {number}"), 201)
    first = body(script.list(q="ecole", limit=3))
    rest = body(script.list(q="ecole", limit=3, cursor=first["nextCursor"]))
    assert [len(first["games"]), len(rest["games"]), first["total"]] == [3, 2, 5]


@pytest.mark.parametrize("nothing", ["\u0301", "\u200b", "\x00"])
def test_a_search_for_nothing_finds_nothing(script: Script, nothing: str) -> None:
    script.register()
    assert not contains(nothing, ["Paper Lanterns"]) or nothing == "\x00"
    if nothing != "\x00":
        assert body(script.list(q=nothing))["games"] == []


def test_the_slug_of_the_registration_page_is_refused_and_documented(app: Flask, script: Script) -> None:
    assert "page that registers games" in refused(script.register(slug="new"), 400, "invalid_request")
    pattern = describe(app)["components"]["schemas"]["GameRegistration"]["properties"]["slug"]["pattern"]
    assert not re.search(pattern, "new")
    assert re.search(pattern, "new-game")


def test_no_error_of_the_validator_reaches_people_in_its_own_words() -> None:
    limits = ("gt", "ge", "lt", "le", "max_length", "min_length", "actual_length")
    for kind in set(get_args(ErrorType)) - {"value_error"}:
        context = dict.fromkeys(limits, 3) | {"expected": "'a' or 'b'", "error": "Input should be", "pattern": "^x$"}
        said = sentence({"type": kind, "ctx": context, "input": 5, "msg": "Input should be x"})
        assert not RAW.search(said), said
        assert re.match(r"(is|must|does) ", said), said


def refusal_of(shape: type[Shape], value: Any) -> str:
    """Why a body is refused, or "" if it is not."""
    try:
        parse_json(shape, json.dumps(value).encode())
    except InvalidRequest as refusal:
        return refusal.message
    return ""


@pytest.mark.settings(**UNLIMITED)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_every_field_of_every_body_is_refused_in_words(app: Flask, subtests: pytest.Subtests) -> None:
    """Read from the declared calls and the document: a new field is tried without being named here."""
    document = describe(app)
    shapes = {found.call.body for found in json_calls(app, fill_partner("s"), "s") if found.call.body}
    tried = 0
    for shape in shapes:
        good = example(document, {"$ref": f"#/components/schemas/{shape.__name__}"})
        with subtests.test(shape=shape.__name__):
            for path in leaves(good):
                for value in WRONG:
                    message = refusal_of(shape, changed(good, path, value))
                    tried += bool(message)
                    assert not RAW.search(message), message
    assert tried > 500


@pytest.mark.parametrize("sent", [b"{", b'{"title": tru}', b"[1,]", b"\xff", b'{"a" 1}'])
def test_broken_json_is_refused_with_its_place(script: Script, sent: bytes) -> None:
    answer = script.ask("POST", GAMES, {"Content-Type": "application/json"}, data=sent)
    message = refused(answer, 400, "invalid_request")
    assert not RAW.search(message), message
    assert "line 1, column" in message
