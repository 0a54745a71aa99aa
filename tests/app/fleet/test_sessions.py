"""Play sessions: begun, ended, and kept true by reports."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from app.catalog.games import delete_game
from app.catalog.releasing import release
from app.data.extensions import db
from app.data.models.base import new_id
from app.data.models.game import Build, Game
from app.data.models.server import PlaySession
from app.fleet.play_sessions import running_sessions
from tests.app.fleet.acting import STUDIO, FleetAgent, held, last_heard, new_build, new_game
from tests.conftest import Cast


@pytest.fixture
def build(agent: FleetAgent, game: Game) -> Build:
    """A released build, cached on srv-01."""
    build = new_build(game)
    agent.report(held(build, "cached"))
    return build


def live(session_id: str, build: Build, started_at: str = "2026-01-01T10:00:00Z") -> dict[str, Any]:
    """One entry of a report's `sessions`."""
    return {"id": session_id, "gameId": build.game_id, "build": build.number, "startedAt": started_at}


def session(session_id: str) -> PlaySession:
    db.session.rollback()
    found = db.session.get_one(PlaySession, session_id, populate_existing=True)
    assert isinstance(found, PlaySession)
    return found


def runs(session_id: str) -> bool:
    return session(session_id).ended_at is None


def test_a_session_starts_on_the_cached_release(agent: FleetAgent, build: Build) -> None:
    answer = agent.start(build.game_id)
    assert answer.status_code == 201, answer.text
    body = answer.get_json()
    assert body == {
        "id": body["id"],
        "gameId": build.game_id,
        "build": 1,
        "path": f"{build.game_id}/1/PaperLanterns-1.0",
        "launcher": "paper-lanterns.sh",
    }
    assert runs(body["id"])
    assert running_sessions(build.game_id) == 1


def test_the_same_id_again_gets_the_same_answer(agent: FleetAgent, build: Build, game: Game) -> None:
    first = agent.start(game.id, "s-made-by-the-agent")
    second = new_build(game)
    agent.report(held(build, "cached"), held(second, "cached"), sessions=[live("s-made-by-the-agent", build)])
    again = agent.start(game.id, "s-made-by-the-agent")
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.get_json() == first.get_json(), "also when another build is live by now"
    assert running_sessions(game.id) == 1


def test_until_the_new_release_is_here_sessions_start_on_the_one_before(
    agent: FleetAgent, build: Build, game: Game
) -> None:
    second = new_build(game)
    assert agent.start(game.id).get_json()["build"] == 1
    agent.report(held(build, "cached"), held(second, "downloading", bytesDone=1))
    assert agent.start(game.id).get_json()["build"] == 1
    agent.report(held(build, "cached"), held(second, "cached"))
    assert agent.start(game.id).get_json()["build"] == 2


def test_after_a_rollback_sessions_start_on_the_older_build(agent: FleetAgent, build: Build, game: Game) -> None:
    second = new_build(game)
    agent.report(held(build, "cached"), held(second, "cached"))
    release(game, 1, STUDIO)
    assert agent.start(game.id).get_json()["build"] == 1


def test_nothing_released_is_cached_here(agent: FleetAgent, game: Game) -> None:
    build = new_build(game)
    for said in (held(build, "pending"), held(build, "downloading", bytesDone=999), held(build, "verifying")):
        agent.report(said)
        answer = agent.start(game.id)
        assert (answer.status_code, answer.get_json()["error"]) == (409, "not_cached")
        assert "paper-lanterns" in answer.get_json()["message"]


def test_a_cached_build_that_was_never_released_is_not_played(agent: FleetAgent, cast: Cast) -> None:
    staged = new_game(cast.starlight.partner_id, auto_release=False)
    agent.report(held(new_build(staged), "cached"))
    assert agent.start(staged.id).status_code == 409


def test_cached_elsewhere_is_not_cached_here(client: FlaskClient, cast: Cast, build: Build) -> None:
    other = FleetAgent(client, cast.servers["srv-02"])
    assert other.start(build.game_id).status_code == 409


def test_an_unknown_game_and_a_deleted_one_have_no_sessions(agent: FleetAgent, build: Build, game: Game) -> None:
    assert (agent.start("game_unknown").status_code, agent.start("game_unknown").get_json()["error"]) == (
        404,
        "not_found",
    )
    delete_game(game, STUDIO)
    assert agent.start(game.id).status_code == 404


def test_an_ended_session_ends_once(agent: FleetAgent, build: Build) -> None:
    session_id = agent.start(build.game_id).get_json()["id"]
    assert agent.end(session_id).status_code == 204
    ended_at = session(session_id).ended_at
    assert ended_at is not None
    assert agent.end(session_id).status_code == 204
    assert session(session_id).ended_at == ended_at
    assert running_sessions(build.game_id) == 0


def test_a_session_of_another_server_is_unknown_here(
    client: FlaskClient, cast: Cast, agent: FleetAgent, build: Build
) -> None:
    session_id = agent.start(build.game_id).get_json()["id"]
    other = FleetAgent(client, cast.servers["srv-02"])
    other.report(held(build, "cached"))
    assert other.end(session_id).status_code == 404
    assert other.end("s-unknown").status_code == 404
    taken = other.start(build.game_id, session_id)
    assert (taken.status_code, taken.get_json()["error"]) == (409, "id_taken")
    other.report(held(build, "cached"), sessions=[live(session_id, build)])
    assert session(session_id).server_id == "srv-01"
    assert runs(session_id)


def test_a_session_missing_from_one_report_still_runs_and_from_two_has_ended(agent: FleetAgent, build: Build) -> None:
    session_id = agent.start(build.game_id).get_json()["id"]
    last_heard("srv-01", 1)
    agent.report(held(build, "cached"))  # made before the session began
    assert runs(session_id)
    agent.report(held(build, "cached"), sessions=[live(session_id, build)])
    agent.report(held(build, "cached"))
    assert runs(session_id), "it was named in between"
    last_heard("srv-01", 1)
    agent.report(held(build, "cached"))
    assert not runs(session_id)


def test_a_session_begun_while_the_platform_was_away_is_taken_in(agent: FleetAgent, build: Build) -> None:
    agent.report(held(build, "cached"), sessions=[live("s-offline", build, "2026-01-01T09:30:00Z")])
    found = session("s-offline")
    assert (found.server_id, found.build_id, found.ended_at) == ("srv-01", build.id, None)
    assert found.started_at.isoformat() == "2026-01-01T09:30:00+00:00"
    assert agent.end("s-offline").status_code == 204


def test_a_session_on_a_build_that_is_none_of_ours_is_not_taken_in(agent: FleetAgent, build: Build) -> None:
    strange = live("s-strange", build) | {"build": 99}
    assert agent.report(held(build, "cached"), sessions=[strange])["accepted"] is True
    assert db.session.get(PlaySession, "s-strange") is None


def test_a_session_that_two_reports_missed_runs_again_when_it_is_named(agent: FleetAgent, build: Build) -> None:
    session_id = agent.start(build.game_id).get_json()["id"]
    for _ in range(2):
        last_heard("srv-01", 1)
        agent.report(held(build, "cached"))
    assert not runs(session_id)
    agent.report(held(build, "cached"), sessions=[live(session_id, build)])
    assert runs(session_id)


def test_a_session_that_the_agent_ended_stays_ended_whatever_an_earlier_report_says(
    agent: FleetAgent, build: Build
) -> None:
    session_id = agent.start(build.game_id).get_json()["id"]
    late = agent.document(held(build, "cached"), sessions=[live(session_id, build)])
    agent.end(session_id)
    assert agent.send(late).get_json()["accepted"] is True
    assert not runs(session_id)


@pytest.mark.parametrize("session_id", ["", "a/b", "ü", "x" * 65, "a b"])
def test_an_id_that_would_not_fit_an_address_is_refused(agent: FleetAgent, build: Build, session_id: str) -> None:
    answer = agent.client.post(
        "/api/servers/self/sessions",
        json={"gameId": build.game_id, "id": session_id},
        headers={"Authorization": f"Bearer {agent.token}"},
    )
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_request")
    assert answer.get_json()["message"].startswith("id ")


def test_sessions_are_counted_by_server_and_build(client: FlaskClient, cast: Cast, build: Build, game: Game) -> None:
    other = FleetAgent(client, cast.servers["srv-02"])
    other.report(held(build, "cached"))
    ids = [new_id("s") for _ in range(3)]
    assert [other.start(game.id, session_id).status_code for session_id in ids] == [201] * 3
    other.end(ids[0])
    assert running_sessions(game.id) == 2
