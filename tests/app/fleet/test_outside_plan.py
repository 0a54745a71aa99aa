"""A server's token speaks of the builds in its plan; what it says of others counts nowhere."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from app.catalog.games import delete_game
from app.catalog.releasing import release
from app.catalog.retention import delete_build
from app.data.extensions import db
from app.data.models.base import new_id, now
from app.data.models.game import Build, Game
from app.data.models.server import PlaySession
from app.fleet.play_sessions import running_sessions
from app.fleet.servers import pause_server
from tests.app.fleet.acting import (
    STUDIO,
    FleetAgent,
    held,
    keep_previous,
    last_heard,
    new_build,
    new_game,
    phase,
    replica,
)
from tests.app.fleet.counting import statements
from tests.conftest import Cast


def live(session_id: str, build: Build, started_at: str = "2026-01-01T10:00:00Z") -> dict[str, Any]:
    """One entry of a report's `sessions`."""
    return {"id": session_id, "gameId": build.game_id, "build": build.number, "startedAt": started_at}


def known(session_id: str) -> PlaySession | None:
    db.session.rollback()
    return db.session.get(PlaySession, session_id, populate_existing=True)


@pytest.fixture
def staged(cast: Cast) -> Build:
    """A build of another studio that was never released, so in nobody's plan."""
    return new_build(new_game(cast.moonbase.partner_id, auto_release=False))


@pytest.fixture
def old_and_live(agent: FleetAgent, game: Game) -> tuple[Build, Build]:
    """The build before, which has left the plan of srv-01, and the released one; both are cached there."""
    keep_previous(0)
    old = new_build(game)
    agent.report(held(old, "cached"))
    new = new_build(game)
    agent.report(held(old, "cached"), held(new, "cached"))
    last_heard("srv-01", 1)
    return old, new


def left_plan(build: Build, seconds_ago: float) -> None:
    """Let the build have left the plan of srv-01 that long ago."""
    row = replica(build, "srv-01")
    assert row is not None
    assert row.left_plan_at is not None
    row.left_plan_at = now() - timedelta(seconds=seconds_ago)
    db.session.commit()


def test_a_session_on_a_build_that_was_never_released_is_ignored_and_named(agent: FleetAgent, staged: Build) -> None:
    receipt = agent.report(held(staged, "cached"), sessions=[live("s-forged", staged)])
    assert (receipt["accepted"], receipt["ignoredSessions"]) == (True, ["s-forged"])
    assert known("s-forged") is None
    assert running_sessions(staged.game_id) == 0


def test_a_build_that_was_never_released_is_not_shown_as_cached_because_a_report_says_so(
    agent: FleetAgent, staged: Build
) -> None:
    for _ in range(2):
        agent.report(held(staged, "cached"))
    assert phase(staged, "srv-01") is None
    assert agent.evictions() == []


def test_a_session_on_a_build_that_only_the_report_says_is_here_is_ignored_at_every_report(
    agent: FleetAgent, game: Game
) -> None:
    """The build was released before, and superseded before it reached any server."""
    never_here, new = new_build(game), new_build(game)
    assert phase(never_here, "srv-01") is None
    for _ in range(3):
        receipt = agent.report(
            held(never_here, "cached"),
            held(new, "cached"),
            sessions=[live("s-forged", never_here), live("s-real", new)],
        )
        assert receipt["ignoredSessions"] == ["s-forged"]
        last_heard("srv-01", 1)
    assert known("s-forged") is None
    assert known("s-real") is not None


def test_a_session_on_a_build_that_left_the_plan_long_ago_is_ignored(
    agent: FleetAgent, old_and_live: tuple[Build, Build]
) -> None:
    old, new = old_and_live
    left_plan(old, seconds_ago=3600)
    receipt = agent.report(held(old, "cached"), held(new, "cached"), sessions=[live("s-late", old)])
    assert receipt["ignoredSessions"] == ["s-late"]
    assert known("s-late") is None


def test_a_build_without_a_row_hides_no_other_change_of_the_report(agent: FleetAgent, game: Game, cast: Cast) -> None:
    known, unknown = new_build(game), new_build(new_game(cast.starlight.partner_id))
    agent.report(held(known, "downloading", bytesDone=1))
    before, without_row = replica(known, "srv-01"), replica(unknown, "srv-01")
    assert before is not None
    assert before.reported_at is not None
    reported_at = before.reported_at
    db.session.delete(without_row)
    db.session.commit()
    agent.report(held(known, "failed", attempt=1, reason="disk full"), held(unknown, "cached"))
    after = replica(known, "srv-01")
    assert after is not None
    assert after.reported_at is not None
    assert after.reported_at > reported_at, "its change is announced too"


def test_a_session_goes_on_when_its_build_leaves_the_plan(agent: FleetAgent, game: Game) -> None:
    keep_previous(0)
    old = new_build(game)
    agent.report(held(old, "cached"))
    session_id = agent.start(game.id).get_json()["id"]
    new = new_build(game)
    for _ in range(3):
        receipt = agent.report(held(old, "cached"), held(new, "cached"), sessions=[live(session_id, old)])
        assert receipt["ignoredSessions"] == []
        last_heard("srv-01", 1)
    left_plan(old, seconds_ago=3600)
    agent.report(held(old, "cached"), held(new, "cached"), sessions=[live(session_id, old)])
    found = known(session_id)
    assert found is not None
    assert found.ended_at is None
    assert agent.end(session_id).status_code == 204


def test_a_session_begun_offline_before_the_server_could_hear_that_its_build_left_the_plan_is_taken_in(
    agent: FleetAgent, game: Game
) -> None:
    old = new_build(game)
    agent.report(held(old, "cached"))
    delete_game(game, STUDIO)
    left_plan(old, seconds_ago=1800)
    last_heard("srv-01", 7200)  # without the platform for two hours; the game was deleted half an hour ago
    receipt = agent.report(held(old, "cached"), sessions=[live("s-offline", old)])
    assert receipt["ignoredSessions"] == []
    assert running_sessions(game.id) == 1


def test_a_session_that_began_as_its_build_left_the_plan_is_taken_in_a_report_later(
    agent: FleetAgent, game: Game
) -> None:
    keep_previous(0)
    old = new_build(game)
    agent.report(held(old, "cached"))
    new = new_build(game)
    agent.report(held(old, "cached"), held(new, "cached"))  # the old one leaves with this report
    assert agent.wanted() == [(2, True)]
    last_heard("srv-01", 1)
    agent.report(held(old, "cached"), held(new, "cached"), sessions=[live("s-begun", old)])
    assert known("s-begun") is not None


def test_no_session_starts_on_a_build_outside_the_plan(agent: FleetAgent, game: Game) -> None:
    """A report that lies about the old build gets no session on it while the released one is here."""
    never_here, new = new_build(game), new_build(game)
    agent.report(held(never_here, "cached"), held(new, "cached"))
    assert agent.start(game.id).get_json()["build"] == new.number
    row = replica(new, "srv-01")
    assert row is not None
    row.wanted = False  # as between a report and the planning that follows upon it
    db.session.commit()
    answer = agent.start(game.id)
    assert (answer.status_code, answer.get_json()["error"]) == (409, "not_cached")


def test_a_game_of_which_nothing_is_in_the_plan_has_no_sessions(agent: FleetAgent, staged: Build) -> None:
    agent.report(held(staged, "cached"))
    answer = agent.start(staged.game_id)
    assert (answer.status_code, answer.get_json()["error"]) == (409, "not_cached")


def test_a_paused_server_gets_no_address_of_a_build_by_saying_that_it_holds_it(
    agent: FleetAgent, game: Game, staged: Build
) -> None:
    never_here, new = new_build(game), new_build(game)
    pause_server("srv-01", True, STUDIO)
    agent.report(held(staged, "cached"), held(never_here, "cached"), held(new, "cached"))
    assert agent.wanted() == [(new.number, True)]
    agent.report(sessions=[live("s-forged", never_here)])
    assert known("s-forged") is None


def test_what_a_paused_server_was_to_hold_stays_in_its_plan_and_in_play(agent: FleetAgent, game: Game) -> None:
    old = new_build(game)
    agent.report(held(old, "cached"))
    new = new_build(game)
    agent.report(held(old, "cached"), held(new, "cached"))
    pause_server("srv-01", True, STUDIO)
    assert agent.wanted() == [(1, False), (2, True)]
    release(game, 1, STUDIO)
    assert agent.start(game.id).get_json()["build"] == 1


def test_a_made_up_report_keeps_no_build_from_being_deleted(agent: FleetAgent, game: Game) -> None:
    never_here, new = new_build(game), new_build(game)
    pause_server("srv-01", True, STUDIO)
    agent.report(held(never_here, "cached"), held(new, "cached"), sessions=[live("s-forged", never_here)])
    left = select(Build.number).where(Build.game_id == game.id)
    delete_build(game, 1, STUDIO)
    assert db.session.scalars(left).all() == [2]


def test_leaving_the_plan_is_noted_once_and_coming_back_counts(agent: FleetAgent, game: Game) -> None:
    keep_previous(0)
    old = new_build(game)
    agent.report(held(old, "cached"))
    row = replica(old, "srv-01")
    assert row is not None
    assert (row.wanted, row.left_plan_at) == (True, None)
    new = new_build(game)
    agent.report(held(old, "cached"), held(new, "cached"))
    row = replica(old, "srv-01")
    assert row is not None
    left_at = row.left_plan_at
    assert left_at is not None
    new_build(game)
    row = replica(old, "srv-01")
    assert row is not None
    assert row.left_plan_at == left_at
    release(game, 1, STUDIO)
    assert (1, True) in agent.wanted()


def test_another_servers_session_is_not_taken_over(client: FlaskClient, cast: Cast, game: Game) -> None:
    build = new_build(game)
    first, second = (FleetAgent(client, cast.servers[name]) for name in ("srv-01", "srv-02"))
    for each in (first, second):
        each.report(held(build, "cached"))
    session_id = first.start(game.id).get_json()["id"]
    second.report(held(build, "cached"), sessions=[live(session_id, build)])
    found = known(session_id)
    assert found is not None
    assert found.server_id == "srv-01"


@pytest.mark.parametrize("started_at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_session_begun_at_an_impossible_time_began_at_a_possible_one(
    agent: FleetAgent, game: Game, started_at: str
) -> None:
    build = new_build(game)
    agent.report(held(build, "cached"), sessions=[live("s1", build, started_at)])
    found = known("s1")
    assert found is not None
    assert now() - timedelta(days=3651) < found.started_at <= now()


def test_what_is_ignored_is_logged_once_and_not_at_every_report(
    agent: FleetAgent, staged: Build, caplog: pytest.LogCaptureFixture
) -> None:
    forged = new_id("s")
    for _ in range(3):
        agent.report(held(staged, "cached"), sessions=[live(forged, staged)])
        last_heard("srv-01", 1)
    said = [record.getMessage() for record in caplog.records if "not in its plan" in record.getMessage()]
    assert said == [f"srv-01 reports sessions of builds that are not in its plan; they are ignored: {forged}"]


def test_a_report_takes_as_many_queries_for_fifty_unknown_sessions_as_for_five(agent: FleetAgent, game: Game) -> None:
    build = new_build(game)
    said, session = held(build, "cached"), live("", build)
    agent.report(said)

    def queries(count: int) -> int:
        last_heard("srv-01", 1)
        with statements() as sent:
            agent.report(said, sessions=[session | {"id": f"s{count}-{number}"} for number in range(count)])
        return sent.queries

    # Every ten seconds a report also tells the pages of games in which nothing changed.
    assert queries(50) <= queries(5) + 5
