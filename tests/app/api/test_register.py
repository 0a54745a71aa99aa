"""POST /api/partners/games: partner-api.md 3 and 5.3, DECISIONS 5."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from app.data.extensions import db
from app.data.models.audit_record import AuditEntry
from app.data.models.game import Game
from tests.app.api.calling import GAMES, Script, body, refused, shape
from tests.conftest import GAME

LONGEST_LAUNCHER = "a" * 252 + ".sh"

TAKEN: dict[str, list[Any]] = {
    "title": ["T", "x" * 200, "é" * 200, "\U0001f3ee" * 200, "  " + "x" * 200 + "  ", "\u0645\u06cc\u200c\u062e"],
    "slug": ["a", "7", "a-b", "a1-2b-c3", "x" * 100, "0-0"],
    "developer": ["d", "x" * 150],
    "description": ["d", "x" * 5000, "Several\n\nlines, <b>not</b> markup"],
    "tags": [["a"], [str(n) for n in range(10)], ["x" * 100], ["a", "a"]],
    "launcher": ["a.sh", LONGEST_LAUNCHER, "start game.sh", "été.sh"],
    "renpyDir": ["R", "x" * 255, "Paper Lanterns-1698234567", "...", ".hidden"],
    "thumbnail": [
        None,
        "https://cdn.example/cover.jpg",
        "http://cdn.example:8080/a?b=c#d",
        "/covers/a.webp",
        "cover.png",
        "https://cdn.example/" + "x" * 1980,
    ],
    "screenshots": [None, [], ["https://cdn.example/1.jpg", "/2.jpg"], ["/x.jpg"] * 50],
    "releaseDate": [None, "2025-01-15", "2024-02-29", "0001-01-01"],
    "contentRating": [None, "Teen", "x" * 50],
    "languages": [None, [], ["en", "日本語"], ["en"] * 100],
    "autoRelease": [True, False],
}

REFUSED: dict[str, list[Any]] = {
    "title": [
        *[..., None, "", "   ", "\t\n", "x" * 201, 5, True, ["a"], {}, "a\0b", "Line\nbreak", "a\u2028b", "a\x85b"],
        *["\u202eevil", "a\u2066b", "\u200f", "\u200b", "\u200d\ufe0f", "\u3164", "\u2800"],
    ],
    "slug": [
        *[..., None, "", " ", "x" * 101, 5, "Paper", "paper lanterns", "paper_lanterns", "-paper", "paper-", "a--b"],
        *["paper/lanterns", "..", "é", "a.b", "a\n", " a", "\u0430", "a\0"],
    ],
    "developer": [..., None, "", " ", "x" * 151, 5, "a\0", "a\nb", "\u202d", "\u200b"],
    "description": [..., None, "", " ", "x" * 5001, 5, [], "\0", "a\x1bb", "a\u202eb", "\u200b\n"],
    "tags": [..., None, [], ["a"] * 11, "a", {"a": 1}, [""], ["a", " "], [5], [None], ["x" * 101], ["a\0"]],
    "launcher": [
        *[..., None, "", " ", "a", "a.sh.txt", "a.SH", ".sh", 5, "a" * 253 + ".sh", "a\0.sh", "a\x1b.sh"],
        *["bin/a.sh", "../a.sh", "/a.sh", "a\\b.sh", ["a.sh"]],
    ],
    "renpyDir": [..., None, "", " ", ".", "..", "a/b", "a\\b", "/", "x" * 256, 5, "a\0b", "a\nb"],
    "thumbnail": [
        *["", " ", 5, True, [], "x" * 2001, "a\0", "two words", "javascript:alert(1)", "ftp://cdn.example/a.jpg"],
        *["data:image/png;base64,AAAA", "https://", "//evil.example/a.jpg", "http://[::1/a.jpg"],
    ],
    "screenshots": ["/a.jpg", [""], [5], ["/x.jpg"] * 51, ["x" * 2001], ["javascript:alert(1)"]],
    "releaseDate": [
        *["", "2025", "2025-1-5", "2025-02-29", "2025-13-01", "15.01.2025", "2025-01-15T00:00:00Z", 20250115],
        *["２０２５-01-15", "20250115", "2025-W03-3"],
    ],
    "contentRating": ["", " ", "x" * 51, 5, "a\0"],
    "languages": ["en", [""], [5], ["en"] * 101, ["x" * 51]],
    "autoRelease": [None, "true", 1, "on"],
}


def test_a_new_game_waits_for_its_first_upload(script: Script) -> None:
    answer = script.register()

    assert shape(body(answer, 201)) == {"id": "str", "slug": "str", "status": "str"}
    assert answer.json is not None
    assert answer.json["slug"] == "paper-lanterns"
    assert answer.json["status"] == "pending_upload"
    assert answer.json["id"] == body(script.read())["id"]


def test_what_was_registered_can_be_read_back(script: Script) -> None:
    optional = {
        "thumbnail": "https://cdn.example/cover.jpg",
        "screenshots": ["https://cdn.example/1.jpg"],
        "releaseDate": "2025-01-15",
        "contentRating": "Teen",
        "languages": ["en", "日本語"],
        "autoRelease": False,
    }
    script.register(**optional)

    game = body(script.read())

    sent = GAME | optional
    assert {name: game[name] for name in sent} == sent


def test_values_within_the_limits_are_taken(script: Script, subtests: pytest.Subtests) -> None:
    for field, values in TAKEN.items():
        for number, value in enumerate(values):
            slug = f"{field.lower()}-{number}"
            with subtests.test(field=field, value=repr(value)[:40]):
                fields = {"slug": slug} | {field: value}
                body(script.register(**fields), 201)
                stored = body(script.read(fields["slug"])).get(field)
                assert stored == (value.strip() if isinstance(value, str) else value)


def test_values_beyond_the_limits_are_refused_naming_the_field(
    app: Flask, script: Script, subtests: pytest.Subtests
) -> None:
    for field, values in REFUSED.items():
        for value in values:
            with subtests.test(field=field, value=repr(value)[:40]):
                message = refused(script.register(**{field: value}), 400, "invalid_request")
                assert field in message

    assert db.session.scalar(select(func.count()).select_from(Game)) == 0


def test_a_refusal_names_the_limit(script: Script, subtests: pytest.Subtests) -> None:
    for field, value, limit in [
        ("title", "x" * 201, "200 characters"),
        ("developer", "x" * 151, "150 characters"),
        ("description", "x" * 5001, "5000 characters"),
        ("tags", ["a"] * 11, "10 entries"),
        ("tags", [], "1 entry"),
        ("title", "", "1 character"),
    ]:
        with subtests.test(field=field, limit=limit):
            assert limit in refused(script.register(**{field: value}), 400, "invalid_request")


def test_every_broken_field_is_named_at_once(script: Script) -> None:
    message = refused(script.register(title=..., tags=[], launcher="a"), 400, "invalid_request")

    assert all(field in message for field in ("title", "tags", "launcher"))


def test_unknown_fields_are_ignored(script: Script) -> None:
    body(script.register(status="active", id="mine", partnerId="other", unknown={"deep": []}, title_="x"), 201)

    game = body(script.read())
    assert game["status"] == "pending_upload"
    assert game["id"] != "mine"


def test_fields_are_camel_case_only(script: Script) -> None:
    assert "renpyDir" in refused(script.register(renpyDir=..., renpy_dir="R"), 400, "invalid_request")


def test_a_slug_is_taken_within_one_catalog_only(script: Script, stranger: Script) -> None:
    body(script.register(), 201)

    assert "paper-lanterns" in refused(script.register(title="Another"), 409, "slug_taken")
    body(stranger.register(), 201)


def test_a_broken_body_is_refused_before_a_taken_slug(script: Script) -> None:
    script.register()

    refused(script.register(title=""), 400, "invalid_request")


def test_of_two_registrations_at_once_one_wins(app: Flask, script: Script) -> None:
    barrier = threading.Barrier(6)
    answers: list[TestResponse] = []

    def register() -> None:
        own = Script(app.test_client(), script.key)
        barrier.wait()
        answers.append(own.register())

    threads = [threading.Thread(target=register) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409, 409]
    assert {answer.json["error"] for answer in answers if answer.json and answer.status_code == 409} == {"slug_taken"}
    assert db.session.scalar(select(func.count()).select_from(Game)) == 1


def test_registering_is_written_into_the_audit_log(script: Script) -> None:
    script.register()

    (entry,) = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "game.created"))
    assert entry.subject == "Paper Lanterns"
    assert entry.actor.startswith("CI · pp_")
    assert entry.address == "127.0.0.1"


def test_a_registration_can_be_made_with_any_json_content_type_parameter(script: Script) -> None:
    answer = script.ask("POST", GAMES, {"Content-Type": "application/json; charset=utf-8"}, data=_json())

    body(answer, 201)


def test_a_body_of_another_type_is_refused(script: Script, subtests: pytest.Subtests) -> None:
    for kind in (
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
    ):
        with subtests.test(kind=kind):
            message = refused(
                script.ask("POST", GAMES, {"Content-Type": kind}, data=_json()), 415, "unsupported_media_type"
            )
            assert "application/json" in message


def _json() -> bytes:
    return json.dumps(GAME).encode()
