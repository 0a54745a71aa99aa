"""Encoded lists in memory: the same bytes as a new encoding, never an old state, and bounded."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.accounts.partners import partner_named
from app.api import kept_answers
from app.api.kept_answers import KeptAnswers
from app.catalog.game_lookup import find_game
from app.catalog.games import delete_game, update_game
from tests.app.api.calling import GAMES, Script, body
from tests.app.fleet.acting import new_build
from tests.conftest import CAST, Cast

LISTS = (
    GAMES,
    f"{GAMES}?limit=1",
    f"{GAMES}?status=active",
    f"{GAMES}?q=paper",
    "/api/v1/games",
    "/api/v1/games?limit=1",
)


def memory(app: Flask) -> KeptAnswers:
    found: KeptAnswers = app.extensions["slipway_kept_answers"]
    return found


@pytest.mark.parametrize("path", LISTS)
def test_a_kept_answer_is_the_answer(app: Flask, script: Script, path: str) -> None:
    script.register()
    new = script.ask("GET", path)
    assert memory(app).bytes > 0

    kept = script.ask("GET", path)
    app.extensions["slipway_kept_answers"] = KeptAnswers()
    again = script.ask("GET", path)

    assert new.data == kept.data == again.data
    assert new.headers["ETag"] == kept.headers["ETag"] == again.headers["ETag"]
    assert kept.content_type == "application/json"
    assert kept.headers["Cache-Control"] == "private, no-cache"


@pytest.mark.parametrize("path", LISTS)
def test_every_list_has_its_own(app: Flask, script: Script, path: str) -> None:
    script.register()
    answers = {other: script.ask("GET", other).headers["ETag"] for other in LISTS}

    assert len(set(answers.values())) == len(LISTS)


def test_a_change_is_in_the_next_answer(script: Script, cast: Cast) -> None:
    script.register()
    assert body(script.list())["total"] == 1
    game = find_game(partner_named(cast.starlight.name), "paper-lanterns")

    update_game(game, {"title": "Stone Lanterns"}, CAST)
    assert body(script.list())["games"][0]["title"] == "Stone Lanterns"
    assert body(script.ask("GET", "/api/v1/games"))["games"][0]["name"] == "Stone Lanterns"

    new_build(game)
    assert body(script.list())["games"][0]["status"] == "active"

    delete_game(find_game(partner_named(cast.starlight.name), "paper-lanterns"), CAST)
    assert body(script.list()) == {"games": [], "total": 0}


def test_a_partner_never_gets_the_answer_of_another(client: FlaskClient, script: Script, cast: Cast) -> None:
    script.register()
    body(script.list())

    assert body(Script(client, cast.moonbase.key).list()) == {"games": [], "total": 0}


def test_the_memory_is_bounded_in_bytes_and_drops_what_was_unused_for_longest() -> None:
    memory = KeptAnswers(max_bytes=800)
    for number in range(8):
        memory.keep(str(number), bytes(100))
    memory.get("0")
    memory.keep("8", bytes(100))

    assert memory.bytes == 800
    assert memory.get("0") is not None
    assert memory.get("1") is None


def test_one_answer_is_at_most_an_eighth() -> None:
    memory = KeptAnswers(max_bytes=800)
    memory.keep("small", bytes(100))
    memory.keep("large", bytes(101))

    assert memory.get("small") is not None
    assert memory.get("large") is None


def test_an_answer_that_is_kept_again_counts_once() -> None:
    memory = KeptAnswers(max_bytes=800)
    for size in (10, 90):
        memory.keep("same", bytes(size))

    assert memory.bytes == 90


def test_the_bound_of_the_app_is_small_beside_a_process() -> None:
    assert kept_answers.MAX_BYTES <= 64 * 1024**2
