"""GET /sync and DELETE of a game: partner-api.md 5.6 and 5.7, DECISIONS 7."""

from __future__ import annotations

from flask.testing import FlaskClient
from sqlalchemy import select

from app.data.extensions import db
from app.data.models.audit_record import AuditEntry
from app.data.models.game import Game
from app.fleet.servers import add_server, retire_server
from tests.app.api.calling import Script, body, refused, report, shape
from tests.conftest import CAST, Cast
from tests.game_archives import game_archive

SERVER = {
    "id": "str",
    "status": "str",
    "cachedAt": "null",
    # Ours beside the documented ones (DECISIONS 7):
    "state": "str",
    "phase": "str",
    "bytesDone": "int",
    "bytesTotal": "int",
    "bytesPerSecond": "int",
    "reportedAt": "null",
    "attempt": "int",
    "error": "null",
    "source": "null",
    "fromBuild": "null",
    "fallback": "null",
}


def test_a_game_without_a_build_is_pending_everywhere(script: Script) -> None:
    script.register()

    sync = body(script.sync())

    assert shape(sync) == {
        "slug": "str",
        "totalServers": "int",
        "cachedOn": "int",
        "pendingSync": "int",
        "servers": [SERVER],
    }
    assert [server["id"] for server in sync["servers"]] == ["srv-01", "srv-02", "srv-03"]
    assert {server["status"] for server in sync["servers"]} == {"pending"}
    assert (sync["totalServers"], sync["cachedOn"], sync["pendingSync"]) == (3, 0, 3)


def test_sync_shows_how_far_each_server_has_come(client: FlaskClient, script: Script, cast: Cast) -> None:
    game_id = body(script.register(), 201)["id"]
    size = body(script.send(game_archive()))["size"]
    at = {"gameId": game_id, "build": 1}
    report(client, cast.servers["srv-01"], 1, [at | {"phase": "cached", "bytesDone": size, "bytesTotal": size}])
    report(
        client,
        cast.servers["srv-02"],
        1,
        [at | {"phase": "downloading", "bytesDone": 100, "bytesTotal": size, "bytesPerSecond": 50, "attempt": 2}],
    )

    sync = body(script.sync())

    cached, loading, waiting = sync["servers"]
    assert shape(cached) == SERVER | {"cachedAt": "moment", "reportedAt": "moment"}
    assert (cached["status"], cached["phase"]) == ("cached", "cached")
    assert shape(loading) == SERVER | {"reportedAt": "moment"}
    assert (loading["status"], loading["phase"], loading["bytesDone"]) == ("pending", "downloading", 100)
    assert (loading["bytesTotal"], loading["bytesPerSecond"], loading["attempt"]) == (size, 50, 2)
    assert shape(waiting) == SERVER
    assert (waiting["status"], waiting["phase"], waiting["bytesTotal"]) == ("pending", "pending", size)
    assert (sync["totalServers"], sync["cachedOn"], sync["pendingSync"]) == (3, 1, 2)


def test_sync_names_the_source_of_each_copy(client: FlaskClient, script: Script, cast: Cast) -> None:
    game_id = body(script.register(), 201)["id"]
    body(script.send(game_archive()))
    at = {"gameId": game_id, "build": 1, "phase": "downloading", "bytesDone": 10, "bytesTotal": 54_000}
    update = {"kind": "update", "from": 7, "fallback": None}
    archive = {"kind": "archive", "from": None, "fallback": "the pack failed its check"}
    report(client, cast.servers["srv-01"], 1, [at | {"source": update}])
    report(client, cast.servers["srv-02"], 1, [at | {"source": archive}])

    first, second, third = body(script.sync())["servers"]

    assert (first["source"], first["fromBuild"], first["fallback"]) == ("update", 7, None)
    assert (first["bytesDone"], first["bytesTotal"]) == (10, 54_000)
    assert (second["source"], second["fallback"]) == ("archive", "the pack failed its check")
    assert (third["source"], third["fromBuild"], third["fallback"]) == (None, None, None)


def test_a_server_says_why_it_failed(client: FlaskClient, script: Script, cast: Cast) -> None:
    game_id = body(script.register(), 201)["id"]
    body(script.send(game_archive()))
    failed = {"gameId": game_id, "build": 1, "phase": "failed", "attempt": 3, "reason": "disk full"}
    report(client, cast.servers["srv-01"], 1, [failed])

    server = body(script.sync())["servers"][0]

    assert (server["status"], server["phase"], server["attempt"]) == ("pending", "failed", 3)
    assert server["error"] == "disk full"


def test_a_new_build_sets_every_server_back_to_pending(client: FlaskClient, script: Script, cast: Cast) -> None:
    game_id = body(script.register(), 201)["id"]
    body(script.send(game_archive(seed=1)))
    for token in cast.servers.values():
        report(client, token, 1, [{"gameId": game_id, "build": 1, "phase": "cached"}])
    assert body(script.sync())["cachedOn"] == 3

    body(script.send(game_archive(seed=2)))

    sync = body(script.sync())
    assert (sync["cachedOn"], sync["pendingSync"]) == (0, 3)
    assert {server["cachedAt"] for server in sync["servers"]} == {None}


def test_servers_that_joined_are_listed_and_retired_ones_are_not(script: Script) -> None:
    script.register()
    body(script.send(game_archive()))
    add_server("srv-04", "fra", CAST)
    retire_server("srv-02", CAST)

    assert [server["id"] for server in body(script.sync())["servers"]] == ["srv-01", "srv-03", "srv-04"]


def test_sync_is_304_until_something_moves(client: FlaskClient, script: Script, cast: Cast) -> None:
    game_id = body(script.register(), 201)["id"]
    body(script.send(game_archive()))
    etag = script.sync().headers["ETag"]

    assert script.sync(headers={"If-None-Match": etag}).status_code == 304

    report(client, cast.servers["srv-01"], 1, [{"gameId": game_id, "build": 1, "phase": "verifying"}])
    assert script.sync(headers={"If-None-Match": etag}).status_code == 200


def test_a_deleted_game_is_gone_for_every_call(script: Script) -> None:
    script.register()
    body(script.send(game_archive()))

    answer = script.delete()

    assert (answer.status_code, answer.data) == (204, b"")
    assert "Content-Type" not in answer.headers
    for call in (script.read, script.sync, script.delete, script.change):
        refused(call(), 404, "not_found")
    refused(script.send(game_archive()), 404, "not_found")
    assert body(script.list()) == {"games": [], "total": 0}


def test_the_slug_of_a_deleted_game_is_free_at_once_for_a_new_one(script: Script) -> None:
    first = body(script.register(), 201)
    body(script.send(game_archive()))
    script.delete()

    second = body(script.register(title="Again"), 201)

    assert second["id"] != first["id"]
    game = body(script.read())
    assert (game["id"], game["status"], game["releasedBuild"]) == (second["id"], "pending_upload", None)
    assert script.delete().status_code == 204
    body(script.register(), 201)


def test_no_session_starts_on_a_deleted_game_and_a_running_one_goes_on(
    client: FlaskClient, script: Script, cast: Cast
) -> None:
    game_id = body(script.register(), 201)["id"]
    body(script.send(game_archive()))
    token = cast.servers["srv-01"]
    report(client, token, 1, [{"gameId": game_id, "build": 1, "phase": "cached"}])
    agent = Script(client, token)
    session = agent.ask("POST", "/api/servers/self/sessions", json={"gameId": game_id})
    assert session.status_code == 201

    script.delete()

    refused(agent.ask("POST", "/api/servers/self/sessions", json={"gameId": game_id}), 404, "not_found")
    plan = body(agent.ask("GET", "/api/servers/self/plan"))
    assert plan["builds"] == []
    assert plan["evict"] == [{"gameId": game_id, "build": 1}]
    assert agent.ask("DELETE", f"/api/servers/self/sessions/{body(session, 201)['id']}").status_code == 204


def test_deleting_is_written_into_the_audit_log_once(script: Script) -> None:
    script.register()
    script.delete()
    script.delete()

    (entry,) = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "game.deleted"))
    assert entry.details == {"slug": "paper-lanterns"}
    assert db.session.scalars(select(Game)).one().deleted_at is not None
