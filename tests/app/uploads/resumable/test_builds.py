"""/builds: listed, described, downloaded, deleted."""

from __future__ import annotations

import hashlib

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from app.catalog import retention
from app.data.database import writing
from app.data.extensions import db
from app.data.models.audit_record import AuditEntry
from app.data.models.game import Build, Game
from app.data.models.partner import Partner
from app.fleet.servers import pause_server, retire_server
from app.maintenance.build_sweep import check
from app.storage.bucket import bucket
from tests.app.api.calling import Script, body, counting, refused, shape
from tests.app.fleet.acting import FleetAgent, held, keep_previous, new_build
from tests.app.uploads.resumable.databases import one_database
from tests.app.uploads.resumable.rows import builds, is_clean
from tests.app.uploads.resumable.sending import Sender, http
from tests.conftest import CAST, Cast, bearer
from tests.game_archives import game_archive

GAME_URL = "/api/partners/games/paper-lanterns"


@pytest.fixture
def game(app: Flask, sender: Sender) -> Game:
    """Starlight's registered game."""
    return db.session.scalars(select(Game).join(Partner).where(Partner.name == "Starlight Studio")).one()


@pytest.fixture
def agent(client: FlaskClient, cast: Cast) -> FleetAgent:
    """The agent on srv-01."""
    return FleetAgent(client, cast.servers["srv-01"])


def listed(script: Script, **query: str | int) -> dict[str, object]:
    found: dict[str, object] = body(script.ask("GET", f"{GAME_URL}/builds", query_string=query))
    return found


def numbers(script: Script) -> list[int]:
    rows = listed(script)["builds"]
    assert isinstance(rows, list)
    return [row["number"] for row in rows]


def test_a_build_is_described_completely(app: Flask, sender: Sender) -> None:
    archive = game_archive()
    sender.published(archive, note="First light", versionLabel=" 1.4.2 ")
    build = body(sender.ask("GET", f"{GAME_URL}/builds/1"))
    assert shape(build) == {
        "number": "int",
        "size": "int",
        "checksum": "str",
        "unpackedBytes": "int",
        "launcher": "str",
        "fileName": "str",
        "note": "str",
        "versionLabel": "str",
        "sentBy": "str",
        "createdAt": "moment",
        "released": "bool",
        "releasedAt": "moment",
        "cachedOn": "int",
        "update": "null",
        "sentBytes": "int",
        "savedBytes": "int",
        "warnings": [],
        "pack": {"state": "str", "progress": "null", "bytes": "null", "reason": "null"},
    }
    assert (build["number"], build["size"], build["released"]) == (1, len(archive), True)
    assert build["checksum"] == f"sha256:{hashlib.sha256(archive).hexdigest()}"
    assert build["versionLabel"] == "1.4.2"
    assert (build["fileName"], build["note"], build["launcher"]) == (
        "lanterns.tar.gz",
        "First light",
        "paper-lanterns.sh",
    )
    assert listed(sender) == {"builds": [build], "total": 1}


def test_the_list_is_newest_first_and_can_be_paged(sender: Sender, game: Game) -> None:
    for _ in range(5):
        new_build(game)
    assert numbers(sender) == [5, 4, 3, 2, 1]
    seen: list[int] = []
    query: dict[str, str | int] = {"limit": 2}
    while True:
        page = listed(sender, **query)
        assert page["total"] == 5
        assert isinstance(page["builds"], list)
        seen += [row["number"] for row in page["builds"]]
        if "nextCursor" not in page:
            break
        query["cursor"] = str(page["nextCursor"])
    assert seen == [5, 4, 3, 2, 1]
    for wrong in ({"limit": 0}, {"limit": 201}, {"limit": "x"}, {"cursor": "x"}, {"cursor": "9" * 20}):
        refused(sender.ask("GET", f"{GAME_URL}/builds", query_string=wrong), 400, "invalid_request")


def test_the_list_is_searched_filtered_and_ordered(sender: Sender, game: Game) -> None:
    for _ in range(4):
        new_build(game)
    with writing() as session:
        for build in session.scalars(select(Build).where(Build.game_id == game.id)):
            build.size = 100 - build.number
            build.first_released_at = build.created_at if build.number == 2 else None
            build.note = "For the École demo" if build.number > 2 else None

    def found(**query: str | int) -> tuple[list[int], object]:
        page = listed(sender, **query)
        assert isinstance(page["builds"], list)
        return [row["number"] for row in page["builds"]], page["total"]

    assert found(sort="number") == ([1, 2, 3, 4], 4)
    assert found(sort="size") == ([4, 3, 2, 1], 4)
    assert found(sort="-size", limit=2)[0] == [1, 2]
    assert found(q="ecole") == ([4, 3], 2)
    assert found(status="released") == ([2], 1)
    assert found(status="unreleased", q="demo", sort="number") == ([3, 4], 2)
    assert found(status="warnings") == ([], 0)
    cursor = str(listed(sender, sort="size", limit=3)["nextCursor"])
    assert found(sort="size", cursor=cursor) == ([1], 4)
    for wrong in ({"sort": "sender", "cursor": cursor, "limit": 1}, {"sort": "x"}, {"status": "x"}, {"sort": "--size"}):
        refused(sender.ask("GET", f"{GAME_URL}/builds", query_string=wrong), 400, "invalid_request")


@one_database
def test_the_list_costs_the_same_however_many_builds(app: Flask, sender: Sender, game: Game) -> None:
    new_build(game)
    with counting(app) as few:
        listed(sender)
    for _ in range(4):
        new_build(game)
    with counting(app) as many:
        listed(sender)
    assert len(many) == len(few)


def test_it_says_on_how_many_servers_a_build_is_cached(sender: Sender, game: Game, agent: FleetAgent) -> None:
    build = new_build(game)
    assert body(sender.ask("GET", f"{GAME_URL}/builds/1"))["cachedOn"] == 0
    agent.report(held(build, "cached"))
    assert body(sender.ask("GET", f"{GAME_URL}/builds/1"))["cachedOn"] == 1
    retire_server("srv-01", CAST)
    assert body(sender.ask("GET", f"{GAME_URL}/builds/1"))["cachedOn"] == 0


@one_database
def test_a_build_that_is_not_there(sender: Sender, game: Game, stranger: Sender) -> None:
    new_build(game)
    for name in ("2", "0", "-1", "01", "x", "1.0", "9" * 30, "١"):
        refused(sender.ask("GET", f"{GAME_URL}/builds/{name}"), 404, "not_found")
    for method, path in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("GET", "/download")):
        refused(stranger.ask(method, f"{GAME_URL}/builds/1{path}", json={"note": 5}), 404, "not_found")


def test_a_note_can_be_changed_and_taken_away(sender: Sender, game: Game) -> None:
    new_build(game)
    change = f"{GAME_URL}/builds/1"
    assert body(sender.ask("PATCH", change, json={"note": "  Fixed the save bug "}))["note"] == "Fixed the save bug"
    assert body(sender.ask("PATCH", change, json={}))["note"] == "Fixed the save bug"
    assert body(sender.ask("PATCH", change, json={"note": "x" * 2000}))["note"] == "x" * 2000
    refused(sender.ask("PATCH", change, json={"note": "x" * 2001}), 400, "invalid_request")
    assert body(sender.ask("PATCH", change, json={"note": None}))["note"] is None
    db.session.rollback()
    query = select(AuditEntry).where(AuditEntry.action == "build.noted").order_by(AuditEntry.id)
    noted = db.session.scalars(query).all()
    assert [entry.details["note"] for entry in noted] == ["Fixed the save bug", "x" * 2000, None]


@one_database
def test_a_download_leads_to_the_bytes(app: Flask, sender: Sender) -> None:
    archive = game_archive()
    sender.published(archive)
    answer = sender.ask("GET", f"{GAME_URL}/builds/1/download")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "private, no-cache")
    assert answer.data == archive
    assert answer.headers["Content-Disposition"] == 'attachment; filename="paper-lanterns-1.tar.gz"'

    told = body(sender.ask("GET", f"{GAME_URL}/builds/1/download", {"Accept": "application/json"}))
    assert shape(told) == {"url": "str", "expiresAt": "moment"}
    assert http.request("GET", told["url"]).data == archive


@one_database
def test_a_download_of_lost_bytes_says_so(app: Flask, sender: Sender) -> None:
    sender.published(game_archive())
    bucket().delete([builds()[0].object_key])
    assert "flask check" in refused(sender.ask("GET", f"{GAME_URL}/builds/1/download"), 404, "not_found")


def test_a_build_that_nothing_uses_can_be_deleted(app: Flask, sender: Sender) -> None:
    sender.published(game_archive(seed=1))
    sender.published(game_archive(seed=2))
    assert sender.ask("DELETE", f"{GAME_URL}/builds/1").status_code == 204
    assert numbers(sender) == [2]
    assert is_clean()
    db.session.rollback()
    entry = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "build.deleted")).one()
    assert entry.subject == "Paper Lanterns, build 1"
    assert entry.actor.startswith("CI · pp_")
    refused(sender.ask("DELETE", f"{GAME_URL}/builds/1"), 404, "not_found")
    assert sender.published(game_archive(seed=3))["build"] == 3


@one_database
def test_the_numbers_of_deleted_builds_are_not_used_again(app: Flask, sender: Sender) -> None:
    sender.published(game_archive(seed=1))
    sender.published(game_archive(seed=2), release=False)
    assert sender.ask("DELETE", f"{GAME_URL}/builds/2").status_code == 204
    assert sender.published(game_archive(seed=2), release=False)["build"] == 3


@one_database
def test_the_live_build_is_not_deleted(sender: Sender, game: Game) -> None:
    new_build(game)
    assert "live" in refused(sender.ask("DELETE", f"{GAME_URL}/builds/1"), 409, "build_released")


def test_a_build_that_a_server_plays_meanwhile_is_not_deleted(sender: Sender, game: Game, agent: FleetAgent) -> None:
    keep_previous(0)
    old = new_build(game)
    agent.report(held(old, "cached"))
    new = new_build(game)  # released; until it is cached, srv-01 is to hold the old one
    message = refused(sender.ask("DELETE", f"{GAME_URL}/builds/1"), 409, "build_in_use")
    assert "srv-01" in message
    agent.report(held(old, "cached"), held(new, "cached"))
    assert agent.evictions() == [1]
    assert sender.ask("DELETE", f"{GAME_URL}/builds/1").status_code == 204
    assert agent.evictions() == []


def test_a_build_with_a_session_is_not_deleted(sender: Sender, game: Game, agent: FleetAgent) -> None:
    old = new_build(game)
    agent.report(held(old, "cached"))
    started = agent.start(game.id)
    assert started.status_code == 201
    new = new_build(game)
    session = {"id": body(started, 201)["id"], "gameId": old.game_id, "build": 1, "startedAt": "2025-01-01T00:00:00Z"}
    agent.report(held(old, "cached"), held(new, "cached"), sessions=[session])
    assert "1 session runs" in refused(sender.ask("DELETE", f"{GAME_URL}/builds/1"), 409, "build_in_use")
    assert agent.end(session["id"]).status_code == 204
    assert sender.ask("DELETE", f"{GAME_URL}/builds/1").status_code == 204


@one_database
def test_a_build_that_a_paused_server_holds_is_not_deleted(sender: Sender, game: Game, agent: FleetAgent) -> None:
    old = new_build(game)
    agent.report(held(old, "cached"))  # while it is in the plan
    new = new_build(game)
    agent.report(held(old, "cached"), held(new, "cached"))
    pause_server("srv-01", True, CAST)
    refused(sender.ask("DELETE", f"{GAME_URL}/builds/1"), 409, "build_in_use")
    pause_server("srv-01", False, CAST)
    assert sender.ask("DELETE", f"{GAME_URL}/builds/1").status_code == 204


@one_database
def test_a_staged_build_can_be_deleted(app: Flask, sender: Sender) -> None:
    sender.published(game_archive(seed=1))
    sender.published(game_archive(seed=2), release=False)
    assert sender.ask("DELETE", f"{GAME_URL}/builds/2").status_code == 204
    assert is_clean()


@one_database
def test_storage_that_does_not_answer_leaves_the_bytes_to_the_sweep(app: Flask, sender: Sender) -> None:
    sender.published(game_archive(seed=1))
    sender.published(game_archive(seed=2))
    store = app.extensions["slipway_bucket"]
    name, store.name = store.name, "no-such-bucket"
    assert sender.ask("DELETE", f"{GAME_URL}/builds/1").status_code == 204
    store.name = name
    assert numbers(sender) == [2]
    assert len(check().orphans) == 1


@one_database
def test_only_keys_that_may_write_change_builds(sender: Sender, game: Game, cast: Cast) -> None:
    new_build(game)
    for method in ("PATCH", "DELETE"):
        answer = sender.client.open(
            f"{GAME_URL}/builds/1", method=method, json={"note": "x"}, headers=bearer(cast.starlight.reader_key)
        )
        refused(answer, 403, "forbidden")
    assert sender.client.get(f"{GAME_URL}/builds/1", headers=bearer(cast.starlight.reader_key)).status_code == 200


def keep(game: Game, count: int | None) -> None:
    with writing() as session:
        session.execute(update(Game).where(Game.id == game.id).values(keep_builds=count))


def left(game: Game) -> list[int]:
    db.session.rollback()
    return list(db.session.scalars(select(Build.number).where(Build.game_id == game.id).order_by(Build.number)))


def test_a_game_keeps_its_newest_builds(app: Flask, sender: Sender) -> None:
    assert body(sender.change(keepBuilds=2))["keepBuilds"] == 2
    for seed in range(4):
        sender.published(game_archive(seed=seed))
    assert numbers(sender) == [4, 3]
    assert is_clean()
    db.session.rollback()
    entries = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "build.deleted")).all()
    assert [(entry.actor, entry.details["keep"]) for entry in entries] == [("retention", 2)] * 2


@one_database
def test_without_a_number_a_game_keeps_every_build(sender: Sender, game: Game) -> None:
    for _ in range(4):
        new_build(game)
    assert "keepBuilds" not in body(sender.read())
    assert body(sender.change(keepBuilds=3))["keepBuilds"] == 3
    assert "keepBuilds" not in body(sender.change(keepBuilds=None))
    for wrong in (0, -1, 1001, "3", 1.5):
        refused(sender.change(keepBuilds=wrong), 400, "invalid_request")
    new_build(game)
    assert left(game) == [1, 2, 3, 4, 5]


@one_database
def test_the_live_build_is_kept_however_old(app: Flask, sender: Sender) -> None:
    sender.published(game_archive(seed=1))
    body(sender.change(keepBuilds=1, autoRelease=False))
    sender.published(game_archive(seed=2))
    sender.published(game_archive(seed=3))
    assert numbers(sender) == [3, 1]
    assert is_clean()


def test_builds_in_use_are_kept_until_they_are_free(app: Flask, sender: Sender, game: Game, agent: FleetAgent) -> None:
    keep_previous(0)
    old = new_build(game)
    said = held(old, "cached")
    agent.report(said)
    keep(game, 1)
    newest = new_build(game)
    assert left(game) == [1, 2]
    agent.report(said, held(newest, "cached"))
    assert retention.apply_retention_to_all() == [1000]
    assert left(game) == [2]
    assert retention.apply_retention_to_all() == []


def test_many_builds_go_a_few_at_a_time(
    app: Flask, sender: Sender, game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH_SIZE", 2)
    for _ in range(6):
        new_build(game)
    keep(game, 1)
    assert retention.apply_retention_to_all() == [1000] * 5
    assert left(game) == [6]


def test_releasing_makes_room_too(app: Flask, sender: Sender, game: Game) -> None:
    for _ in range(3):
        new_build(game)
    keep(game, 1)
    body(sender.ask("POST", f"{GAME_URL}/releases", json={"build": 2}), 201)
    assert left(game) == [2, 3]
