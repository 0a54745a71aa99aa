"""Deleting a game: no new sessions, running ones go on, then replicas and objects go; the slug is free at once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import delete as sql_delete
from sqlalchemy import func, select, update

from app.data.database import writing
from app.data.extensions import db
from app.data.models.audit_record import Topic
from app.data.models.base import now
from app.data.models.game import Build, Game, Release
from app.data.models.server import PlaySession, Replica
from app.data.models.upload import Upload
from app.fleet.servers import pause_server, retire_server
from app.maintenance.build_sweep import check, sweep
from app.storage.bucket import bucket
from tests.app.fleet.acting import STUDIO, FleetAgent, held, last_heard
from tests.conftest import GAME, Cast, bearer
from tests.game_archives import game_archive

GAMES = "/api/partners/games"
SLUG = GAME["slug"]


@pytest.fixture
def build(client: FlaskClient, cast: Cast) -> Build:
    """A build with its object in the bucket, released."""
    headers = bearer(cast.starlight.key)
    assert client.post(GAMES, json=GAME, headers=headers).status_code == 201
    answer = client.put(
        f"{GAMES}/{SLUG}/upload", data=game_archive(), headers=headers | {"Content-Type": "application/gzip"}
    )
    assert answer.status_code == 200, answer.text
    return db.session.scalars(select(Build)).one()


@pytest.fixture
def cached(agent: FleetAgent, build: Build) -> dict[str, Any]:
    """The build as srv-01 reported it: cached. Plain JSON, which outlives the row."""
    said = held(build, "cached")
    agent.report(said)
    return said


def delete(client: FlaskClient, cast: Cast) -> None:
    answer = client.delete(f"{GAMES}/{SLUG}", headers=bearer(cast.starlight.key))
    assert (answer.status_code, answer.data) == (204, b"")


def rows(model: type[Build] | type[Game] | type[Replica] | type[PlaySession] | type[Release] | type[Upload]) -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(model)) or 0


def stored() -> list[str]:
    """Keys of all archives in the bucket."""
    return [found.key for found in bucket().objects("archives/")]


def test_a_game_that_nobody_plays_goes_once_every_server_has_let_go(
    client: FlaskClient, cast: Cast, agent: FleetAgent, cached: dict[str, Any]
) -> None:
    delete(client, cast)
    assert (agent.wanted(), agent.evictions()) == ([], [1])

    assert sweep().games == 0
    assert len(stored()) == 1, "srv-01 still holds it"
    agent.report(cached | {"phase": "evicting"})
    assert sweep().games == 0
    agent.report(cached | {"phase": "removed"})
    swept = sweep()

    assert (swept.games, swept.objects, swept.bytes_freed) == (1, 1, len(game_archive()))
    assert stored() == []
    assert [rows(model) for model in (Game, Build, Replica, Release, Upload)] == [0] * 5
    assert db.session.scalars(select(Topic.name).where(Topic.name.startswith("game:"))).all() == []
    found = check()
    assert (found.missing, found.orphans, found.transfers) == ([], [], [])


def test_running_sessions_go_on_and_hold_the_build(
    client: FlaskClient, cast: Cast, agent: FleetAgent, cached: dict[str, Any]
) -> None:
    session_id = agent.start(cached["gameId"]).get_json()["id"]
    delete(client, cast)

    assert agent.start(cached["gameId"]).status_code == 404
    assert agent.start(cached["gameId"], session_id).status_code == 200, "the one that runs is still known by its id"
    live = {"id": session_id, "gameId": cached["gameId"], "build": 1, "startedAt": "2026-01-01T00:00:00Z"}
    agent.report(cached | {"phase": "removed"}, sessions=[live])
    assert sweep().games == 0, "its session runs, whatever else is said"
    assert len(stored()) == 1

    assert agent.end(session_id).status_code == 204
    assert sweep().games == 1
    assert rows(PlaySession) == 0


def test_a_session_begun_offline_on_a_deleted_game_holds_it_too(
    client: FlaskClient, cast: Cast, agent: FleetAgent, cached: dict[str, Any]
) -> None:
    delete(client, cast)
    live = {"id": "s-offline", "gameId": cached["gameId"], "build": 1, "startedAt": "2026-01-01T00:00:00Z"}
    agent.report(cached | {"phase": "removed"}, sessions=[live])
    assert sweep().games == 0


def test_the_slug_is_free_at_once_for_another_game(
    client: FlaskClient, cast: Cast, agent: FleetAgent, cached: dict[str, Any]
) -> None:
    agent.start(cached["gameId"])
    delete(client, cast)
    headers = bearer(cast.starlight.key)
    for method in ("GET", "PATCH", "DELETE"):
        answer = client.open(f"{GAMES}/{SLUG}", method=method, json={}, headers=headers)
        assert (answer.status_code, answer.get_json()["error"]) == (404, "not_found")

    again = client.post(GAMES, json=GAME, headers=headers)
    assert again.status_code == 201
    assert again.get_json()["id"] != cached["gameId"]
    assert again.get_json()["status"] == "pending_upload"
    assert rows(Game) == 2
    assert agent.start(again.get_json()["id"]).status_code == 409, "the new game has no build of the old one"


def test_servers_that_cannot_be_asked_are_not_waited_for(
    client: FlaskClient, cast: Cast, agent: FleetAgent, cached: dict[str, Any]
) -> None:
    agent.start(cached["gameId"])
    lost = FleetAgent(client, cast.servers["srv-02"])
    lost.report(cached)
    lost.start(cached["gameId"])
    delete(client, cast)

    retire_server("srv-01", STUDIO)
    assert sweep().games == 0, "srv-02 may come back"
    last_heard("srv-02", 23 * 3600)
    assert sweep().games == 0
    last_heard("srv-02", 25 * 3600)
    assert sweep().games == 1, "after a day neither its copy nor its session is waited for"


def test_a_paused_server_keeps_a_deleted_game_until_it_is_resumed(
    client: FlaskClient, cast: Cast, agent: FleetAgent, cached: dict[str, Any]
) -> None:
    pause_server("srv-01", True, STUDIO)
    delete(client, cast)
    assert agent.evictions() == []
    assert sweep().games == 0
    pause_server("srv-01", False, STUDIO)
    assert agent.evictions() == [1]


def test_a_deletion_waits_for_an_upload_that_is_under_way(client: FlaskClient, cast: Cast, build: Build) -> None:
    with writing() as session:
        session.add(Upload(id="upload_1", game_id=build.game_id, object_key="archives/upload_1.tar.gz", sent_by="CI"))
    delete(client, cast)
    assert sweep().games == 0
    with writing() as session:
        session.get_one(Upload, "upload_1").touched_at = now() - timedelta(hours=1)
    swept = sweep()
    assert (swept.uploads, swept.games) == (1, 1), "the dead upload first, then the game that waited for it"
    assert rows(Game) == 0


def test_what_a_sweep_left_when_it_died_the_next_one_takes(client: FlaskClient, cast: Cast, build: Build) -> None:
    """As if killed between the rows and the objects."""
    delete(client, cast)
    with writing() as session:
        session.execute(update(Game).values(released_build_id=None))
        session.execute(sql_delete(Game))
    (key,) = stored()
    assert [orphan.key for orphan in check().orphans] == [key]
    assert sweep().objects == 0, "younger than an hour: it might be on its way"
    assert sweep(young=timedelta(0)).objects == 1
    assert stored() == []
