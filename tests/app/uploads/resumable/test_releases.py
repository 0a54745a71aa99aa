"""/releases: releasing, rolling back, history, and what a release would cost."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.data.extensions import db
from app.data.models.audit_record import AuditEntry
from app.data.models.game import Game
from app.data.models.partner import Partner
from app.fleet.servers import pause_server, retire_server
from tests.app.api.calling import Script, body, counting, refused, shape
from tests.app.fleet.acting import FleetAgent, held, last_heard, new_build
from tests.app.uploads.resumable.databases import one_database
from tests.app.uploads.resumable.sending import Sender
from tests.conftest import CAST, Cast, bearer

GAME_URL = "/api/partners/games/paper-lanterns"
RELEASES = f"{GAME_URL}/releases"


@pytest.fixture
def game(app: Flask, sender: Sender) -> Game:
    """Starlight's game, which waits for releases."""
    body(sender.change(autoRelease=False))
    return db.session.scalars(select(Game).join(Partner).where(Partner.name == "Starlight Studio")).one()


@pytest.fixture
def agent(client: FlaskClient, cast: Cast) -> FleetAgent:
    """The agent on srv-01."""
    return FleetAgent(client, cast.servers["srv-01"])


def release(script: Script, build: object, status: int = 201) -> dict[str, object]:
    found: dict[str, object] = body(script.ask("POST", RELEASES, json={"build": build}), status)
    return found


def history(script: Script, **query: str | int) -> dict[str, object]:
    found: dict[str, object] = body(script.ask("GET", RELEASES, query_string=query))
    return found


def preview(script: Script, build: object) -> dict[str, object]:
    found: dict[str, object] = body(script.ask("GET", f"{RELEASES}/preview", query_string={"build": build}))
    return found


def live(script: Script) -> int | None:
    number: int | None = body(script.read())["releasedBuild"]
    return number


def test_releasing_and_rolling_back_are_the_same_deed(sender: Sender, game: Game) -> None:
    new_build(game), new_build(game)
    assert live(sender) is None
    made = release(sender, 2)
    assert shape(made) == {
        "id": "int",
        "build": "int",
        "releasedAt": "moment",
        "releasedBy": "str",
        "live": "bool",
        "buildKept": "bool",
        "cachedEverywhereAt": "null",
    }
    assert (made["build"], made["live"], live(sender)) == (2, True, 2)
    assert (release(sender, 1)["build"], live(sender)) == (1, 1)
    assert (release(sender, 2)["build"], live(sender)) == (2, 2)
    rows = history(sender)["releases"]
    assert isinstance(rows, list)
    assert [(row["build"], row["live"]) for row in rows] == [(2, True), (1, False), (2, False)]
    db.session.rollback()
    released = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "build.released")).all()
    assert len(released) == 3


@one_database
def test_releasing_what_is_live_changes_nothing(sender: Sender, game: Game) -> None:
    new_build(game)
    first = release(sender, 1)
    assert release(sender, 1, 200) == first
    assert history(sender)["total"] == 1


@one_database
def test_a_build_that_is_not_there_is_not_released(sender: Sender, game: Game, stranger: Sender) -> None:
    new_build(game)
    assert "no build 2" in refused(sender.ask("POST", RELEASES, json={"build": 2}), 404, "not_found")
    refused(sender.ask("GET", f"{RELEASES}/preview", query_string={"build": 2}), 404, "not_found")
    for wrong in ({}, {"build": 0}, {"build": "1"}, {"build": 10**12}, {"build": None}):
        refused(sender.ask("POST", RELEASES, json=wrong), 400, "invalid_request")
    refused(sender.ask("GET", f"{RELEASES}/preview"), 400, "invalid_request")
    refused(stranger.ask("POST", RELEASES, json={"build": 1}), 404, "not_found")
    assert live(sender) is None


@one_database
def test_releasing_takes_a_key_that_may_write(sender: Sender, game: Game, cast: Cast) -> None:
    new_build(game)
    reader = bearer(cast.starlight.reader_key)
    refused(sender.client.post(RELEASES, json={"build": 1}, headers=reader), 403, "forbidden")
    assert sender.client.get(RELEASES, headers=reader).status_code == 200
    assert sender.client.get(f"{RELEASES}/preview?build=1", headers=reader).status_code == 200


def test_the_history_can_be_paged(sender: Sender, game: Game) -> None:
    new_build(game), new_build(game)
    for build in (1, 2, 1, 2, 1):
        release(sender, build)
    first = history(sender, limit=2)
    rest = history(sender, limit=200, cursor=str(first["nextCursor"]))
    assert isinstance(first["releases"], list)
    assert isinstance(rest["releases"], list)
    assert [row["build"] for row in first["releases"] + rest["releases"]] == [1, 2, 1, 2, 1]
    assert [row["live"] for row in first["releases"] + rest["releases"]] == [True, False, False, False, False]
    assert "nextCursor" not in rest
    refused(sender.ask("GET", RELEASES, query_string={"cursor": "x"}), 400, "invalid_request")


def test_a_release_outlives_its_build(sender: Sender, game: Game) -> None:
    new_build(game), new_build(game)
    release(sender, 1)
    release(sender, 2)
    assert sender.ask("DELETE", f"{GAME_URL}/builds/1").status_code == 204
    rows = history(sender)["releases"]
    assert isinstance(rows, list)
    assert [(row["build"], row["buildKept"]) for row in rows] == [(2, True), (1, False)]


def test_the_preview_says_what_each_server_fetches(sender: Sender, game: Game, agent: FleetAgent) -> None:
    old, new = new_build(game, 3000), new_build(game, 5000)
    release(sender, 1)
    agent.report(held(old, "cached"))
    found = preview(sender, 2)
    assert (found["build"], found["live"], found["changes"]) == (2, 1, True)
    servers = found["servers"]
    assert isinstance(servers, list)
    assert [server["id"] for server in servers] == ["srv-01", "srv-02", "srv-03"]
    assert servers[0] | {"reportedAt": ""} == {
        "id": "srv-01",
        "region": "fra",
        "has": [1],
        "state": "not_sent",
        "bytesToFetch": 5000,
        "bytesOf": 5000,
        "way": "archive",
        "fromBuild": None,
        "preparing": True,
        "freeBytes": 10**11,
        "contact": True,
        "paused": False,
        "reportedAt": "",
    }
    assert (servers[1]["has"], servers[1]["contact"], servers[1]["state"]) == ([], False, "not_started")
    assert found["bytesToFetch"] == 15000

    release(sender, 2)
    agent.report(held(old, "cached"), held(new, "cached"))
    back = preview(sender, 1)
    assert isinstance(back["servers"], list)
    assert [server["bytesToFetch"] for server in back["servers"]] == [0, 3000, 3000]
    assert back["servers"][0]["has"] == [2, 1]


@one_database
def test_the_preview_of_the_live_build_changes_nothing(sender: Sender, game: Game) -> None:
    new_build(game)
    release(sender, 1)
    assert (preview(sender, 1)["changes"], preview(sender, 1)["live"]) == (False, 1)


@one_database
def test_what_is_there_already_is_not_fetched_again(sender: Sender, game: Game, agent: FleetAgent) -> None:
    build = new_build(game, 5000)
    release(sender, 1)
    for phase, done, left in (
        ("downloading", 2000, 3000),
        ("failed", 2000, 3000),
        ("verifying", 0, 0),
        ("cached", 5000, 0),
        ("evicting", 0, 5000),
    ):
        agent.report(held(build, phase) | {"bytesDone": done})
        servers = preview(sender, 1)["servers"]
        assert isinstance(servers, list)
        assert (phase, servers[0]["bytesToFetch"]) == (phase, left)


@one_database
def test_sessions_stay_on_the_build_they_were_started_on(sender: Sender, game: Game, agent: FleetAgent) -> None:
    build = new_build(game)
    new_build(game)
    release(sender, 1)
    agent.report(held(build, "cached"))
    assert agent.start(game.id).status_code == 201
    assert (preview(sender, 2)["sessions"], preview(sender, 1)["sessions"]) == (1, 0)


@one_database
def test_paused_and_silent_servers_are_told_apart_and_retired_ones_left_out(
    sender: Sender, game: Game, agent: FleetAgent
) -> None:
    build = new_build(game)
    release(sender, 1)
    agent.report(held(build, "downloading"))
    pause_server("srv-01", True, CAST)
    last_heard("srv-01", 60)
    retire_server("srv-03", CAST)
    servers = preview(sender, 1)["servers"]
    assert isinstance(servers, list)
    assert [(server["id"], server["paused"], server["contact"]) for server in servers] == [
        ("srv-01", True, False),
        ("srv-02", False, False),
    ]


@one_database
def test_the_preview_costs_the_same_however_many_builds(app: Flask, sender: Sender, game: Game) -> None:
    new_build(game)
    release(sender, 1)
    with counting(app) as few:
        preview(sender, 1)
    for number in range(2, 6):
        new_build(game)
        release(sender, number)
    with counting(app) as many:
        preview(sender, 1)
    assert len(many) == len(few)
