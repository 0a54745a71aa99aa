"""If-Match: a change that was made from an old state is refused, whatever call makes it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.catalog import games
from tests.app.api.calling import GAMES, Script, body, refused
from tests.app.api.json_calls import UNLIMITED, JsonCall, fill_partner, json_calls
from tests.game_archives import game_archive

GAME = f"{GAMES}/paper-lanterns"
STALE = {"If-Match": '"0123456789abcdef"'}


def etag(script: Script, path: str = GAME) -> str:
    return script.ask("GET", path).headers["ETag"]


def test_a_change_with_the_current_etag_is_made_and_answers_the_new_one(script: Script) -> None:
    script.register()
    old = etag(script)
    changed = script.ask("PATCH", GAME, {"If-Match": old}, json={"title": "Second"})
    assert body(changed)["title"] == "Second"
    assert changed.headers["ETag"] == etag(script) != old
    again = script.ask("PATCH", GAME, {"If-Match": changed.headers["ETag"]}, json={"title": "Third"})
    assert body(again)["title"] == "Third"


def test_a_change_with_an_old_etag_changes_nothing(script: Script) -> None:
    script.register()
    old = etag(script)
    body(script.change(title="Second"))
    message = refused(script.ask("PATCH", GAME, {"If-Match": old}, json={"title": "Lost"}), 412, "precondition_failed")
    assert old in message
    assert etag(script) in message
    refused(script.ask("DELETE", GAME, {"If-Match": old}), 412, "precondition_failed")
    assert body(script.read())["title"] == "Second"
    assert script.ask("DELETE", GAME, {"If-Match": etag(script)}).status_code == 204


@pytest.mark.parametrize(
    ("wanted", "status"),
    [("*", 200), ('"none", {}', 200), ("W/{}", 412), ("", 412), ('"none"', 412), ("{}, junk", 200)],
)
def test_the_forms_of_the_header(script: Script, wanted: str, status: int) -> None:
    script.register()
    header = wanted.format(etag(script))
    assert script.ask("PATCH", GAME, {"If-Match": header}, json={"title": "x"}).status_code == status


def test_the_refusal_says_why_weak_etags_never_match(script: Script) -> None:
    script.register()
    answer = script.ask("PATCH", GAME, {"If-Match": f"W/{etag(script)}"}, json={"title": "x"})
    assert "proxy that compresses" in refused(answer, 412, "precondition_failed")


def test_other_checks_come_first(script: Script, stranger: Script) -> None:
    script.register()
    refused(stranger.ask("PATCH", GAME, STALE, json={"title": "x"}), 404, "not_found")
    refused(script.ask("PATCH", GAME, STALE, json={"title": ""}), 400, "invalid_request")


def test_a_get_that_does_not_match_is_refused_too(script: Script) -> None:
    script.register()
    refused(script.read(headers=STALE), 412, "precondition_failed")
    assert script.read(headers={"If-Match": etag(script)}).status_code == 200


@pytest.mark.parametrize("path", [GAMES, f"{GAMES}?q=paper", "/api/v1/games", f"{GAME}/sync"])
def test_a_list_that_does_not_match_is_refused_too(script: Script, path: str) -> None:
    script.register()
    current = etag(script, path)
    assert current.startswith('"')
    answer = script.ask("GET", path, STALE | {"If-None-Match": current})
    assert answer.status_code == 412, answer.text
    assert script.ask("GET", path, {"If-Match": current}).status_code == 200
    assert script.ask("GET", path, {"If-None-Match": current}).status_code == 304


def test_a_game_is_registered_only_in_the_list_that_was_read(script: Script) -> None:
    old = etag(script, GAMES)
    assert script.register({"If-Match": old}, slug="first").status_code == 201
    refused(script.register({"If-Match": old}, slug="second"), 412, "precondition_failed")
    assert script.register({"If-Match": etag(script, GAMES)}, slug="second").status_code == 201


@pytest.mark.both_databases
def test_a_key_that_is_looked_up_again_inside_the_transaction_keeps_its_locks(
    app: Flask, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another key was revoked at that moment, so this process has forgotten all keys."""
    script.register()
    old = etag(script)
    update_game = games.update_game

    def forgotten(*arguments: Any) -> Any:
        app.extensions["slipway_key_memory"].clear()
        return update_game(*arguments)

    monkeypatch.setattr(games, "update_game", forgotten)
    assert body(script.ask("PATCH", GAME, {"If-Match": old}, json={"title": "Second"}))["title"] == "Second"
    refused(script.ask("PATCH", GAME, {"If-Match": old}, json={"title": "Lost"}), 412, "precondition_failed")
    assert body(script.read())["title"] == "Second"


def test_a_release_from_an_old_list_is_refused(script: Script) -> None:
    script.register()
    releases = f"{GAME}/releases"
    old = etag(script, releases)
    body(script.send(game_archive()))
    refused(script.ask("POST", releases, {"If-Match": old}, json={"build": 1}), 412, "precondition_failed")
    body(script.ask("POST", releases, {"If-Match": etag(script, releases)}, json={"build": 1}))


def test_a_path_without_an_etag_says_so(script: Script) -> None:
    script.register()
    answer = script.ask("PUT", f"{GAME}/upload", {"Content-Type": "application/gzip"} | STALE, data=game_archive())
    assert "has no ETag" in refused(answer, 412, "precondition_failed")
    assert body(script.read())["releasedBuild"] is None


@pytest.mark.both_databases
def test_of_two_changes_at_once_with_one_etag_one_is_made(app: Flask, script: Script) -> None:
    script.register()
    old = etag(script)
    start = threading.Barrier(4)

    def change(title: str) -> int:
        start.wait(30)
        mine = Script(app.test_client(), script.key)
        return mine.ask("PATCH", GAME, {"If-Match": old}, json={"title": title}).status_code

    with ThreadPoolExecutor(4) as threads:
        statuses = sorted(threads.map(change, ["a", "b", "c", "d"]))
    assert statuses == [200, 412, 412, 412]


@pytest.mark.both_databases
def test_a_change_that_is_made_between_check_and_write_is_noticed(
    app: Flask, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first check passes; then another request changes the game; the check in the transaction refuses."""
    script.register()
    old = etag(script)
    update_game = games.update_game

    def interrupted(*arguments: Any) -> Any:
        monkeypatch.setattr(games, "update_game", update_game)
        with ThreadPoolExecutor(1) as thread:
            other = Script(app.test_client(), script.key)
            assert thread.submit(lambda: other.change(title="First").status_code).result(30) == 200
        return update_game(*arguments)

    monkeypatch.setattr(games, "update_game", interrupted)
    refused(script.ask("PATCH", GAME, {"If-Match": old}, json={"title": "Lost"}), 412, "precondition_failed")
    assert body(script.read())["title"] == "First"


def changing_calls(app: Flask) -> Iterator[JsonCall]:
    """Every call that changes something at a path with an ETag, with rows of its own."""
    for number, found in enumerate(json_calls(app, fill_partner("first"), "first")):
        if found.method in {"PATCH", "DELETE", "PUT", "POST"} and found.call.security == "partnerKey":
            marker = f"studio{number}"
            yield json_calls(app, fill_partner(marker), marker)[number]


@pytest.mark.settings(**UNLIMITED)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_every_changing_call_honours_it(app: Flask, client: FlaskClient, subtests: pytest.Subtests) -> None:
    """Read from the app's map: a new call is tried without being named here."""
    tried = 0
    for call in changing_calls(app):
        with subtests.test(call=str(call)):
            json: dict[str, Any] | None = {} if call.call.body and call.method == "PATCH" else None
            answer = client.open(call.path, method=call.method, headers=dict(call.headers) | STALE, json=json)
            if call.call.body and json is None:
                assert answer.status_code == 400  # its body is checked first
                continue
            tried += 1
            assert answer.status_code == 412, answer.text
    assert tried >= 8


@pytest.mark.settings(**UNLIMITED)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_every_patch_answers_the_etag_of_the_next_get(
    app: Flask, client: FlaskClient, subtests: pytest.Subtests
) -> None:
    with app.app_context():
        calls = json_calls(app, fill_partner("studio"), "studio")
    for call in calls:
        if call.method == "PATCH":
            with subtests.test(call=str(call)):
                headers = dict(call.headers)
                changed = client.patch(call.path, headers=headers, json={})
                assert changed.status_code == 200, changed.text
                assert changed.headers["ETag"] == client.get(call.path, headers=headers).headers["ETag"]
