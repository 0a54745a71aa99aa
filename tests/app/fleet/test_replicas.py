"""Replicas follow from releases and reports: what is sent, what stays, what goes."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from app.catalog.releasing import release
from app.data.database import writing
from app.data.extensions import db
from app.data.models.audit_record import AuditEntry
from app.data.models.game import Game
from app.data.models.server import PlaySession, Replica, Server
from app.fleet.cache_states import cache_states
from app.fleet.replicas import retry_now
from app.fleet.servers import add_server, retire_server
from app.refusals import NotFound
from tests.app.fleet.acting import STUDIO, FleetAgent, held, keep_previous, new_build, new_game, phase, replica
from tests.conftest import Cast


def test_a_release_is_to_be_sent_to_every_server(game: Game, cast: Cast) -> None:
    build = new_build(game, size=777)
    rows = db.session.scalars(select(Replica)).all()
    assert sorted((row.server_id, row.phase, row.wanted, row.bytes_total) for row in rows) == [
        (server, "pending", True, 777) for server in cast.servers
    ]
    assert {row.build_id for row in rows} == {build.id}


def test_a_staged_build_is_sent_nowhere_before_its_release(agent: FleetAgent, cast: Cast) -> None:
    game = new_game(cast.starlight.partner_id, auto_release=False)
    build = new_build(game)
    assert agent.wanted() == []
    release(game, build.number, STUDIO)
    assert agent.wanted() == [(1, True)]


def test_each_phase_of_a_download_is_seen_as_it_was_reported(agent: FleetAgent, game: Game) -> None:
    build = new_build(game)

    agent.report(held(build, "downloading", bytesDone=400, bytesPerSecond=50, attempt=1))
    row = replica(build, "srv-01")
    assert row is not None
    assert (row.phase, row.bytes_done, row.bytes_per_second, row.attempt) == ("downloading", 400, 50, 1)
    began = row.since

    agent.report(held(build, "downloading", bytesDone=900, bytesPerSecond=60, attempt=1), sessions=[])
    agent.report(held(build, "verifying", attempt=1))
    row = replica(build, "srv-01")
    assert row is not None
    assert row.phase == "verifying"
    assert row.since > began
    assert row.cached_at is None

    agent.report(held(build, "cached"))
    row = replica(build, "srv-01")
    assert row is not None
    assert row.phase == "cached"
    assert row.cached_at == row.since

    agent.report(held(build, "cached"), bytesPerSecond=1)
    again = replica(build, "srv-01")
    assert again is not None
    assert again.cached_at == row.cached_at, "still cached is not cached anew"


def test_a_failure_carries_its_reason_and_when_it_is_tried_again(agent: FleetAgent, game: Game) -> None:
    build = new_build(game)
    agent.report(held(build, "failed", attempt=2, reason="disk full: 3.0 GiB needed", retryInSeconds=40))
    row = replica(build, "srv-01")
    assert row is not None
    assert (row.phase, row.attempt, row.reason) == ("failed", 2, "disk full: 3.0 GiB needed")
    assert row.retry_at is not None
    assert 39.9 < (row.retry_at - row.since).total_seconds() < 40.1

    agent.report(held(build, "downloading", attempt=3))
    row = replica(build, "srv-01")
    assert row is not None
    assert (row.reason, row.retry_at) == (None, None)


def test_a_very_long_reason_is_kept_in_part(agent: FleetAgent, game: Game) -> None:
    build = new_build(game)
    agent.report(held(build, "failed", attempt=1, reason="é" * 2000))
    row = replica(build, "srv-01")
    assert row is not None
    assert row.reason == "é" * 500


def test_what_a_report_does_not_name_is_not_there(agent: FleetAgent, game: Game) -> None:
    build = new_build(game)
    agent.report(held(build, "cached"))
    agent.report()
    row = replica(build, "srv-01")
    assert row is not None
    assert (row.phase, row.wanted, row.bytes_done, row.cached_at) == ("pending", True, 0, None)
    assert agent.wanted() == [(1, True)]


def test_the_previous_build_stays_until_the_new_one_is_cached_on_that_server(
    client: FlaskClient, agent: FleetAgent, game: Game, cast: Cast
) -> None:
    keep_previous(0)
    first = new_build(game)
    other = FleetAgent(client, cast.servers["srv-02"])
    for each in (agent, other):
        each.report(held(first, "cached"))
    second = new_build(game)
    assert agent.wanted() == other.wanted() == [(1, False), (2, True)]
    assert agent.evictions() == []

    agent.report(held(first, "cached"), held(second, "downloading"))
    assert agent.wanted() == [(1, False), (2, True)]
    version = agent.plan()["version"]
    receipt = agent.report(held(first, "cached"), held(second, "cached"))

    assert receipt["planVersion"] > version, "the agent hears in the receipt that its plan changed"
    assert agent.wanted() == [(2, True)]
    assert agent.evictions() == [1]
    assert other.wanted() == [(1, False), (2, True)], "this server has not said that it holds the new build"
    assert other.evictions() == []


def test_an_evicted_build_is_gone_once_the_agent_says_so(agent: FleetAgent, game: Game) -> None:
    first, second = new_build(game), new_build(game)
    agent.report(held(first, "cached"), held(second, "cached"))
    agent.report(held(first, "evicting"), held(second, "cached"))
    assert phase(first, "srv-01") == "evicting"
    agent.report(held(first, "removed"), held(second, "cached"))
    assert phase(first, "srv-01") == "removed"
    assert agent.evictions() == []
    agent.report(held(second, "cached"))
    assert phase(first, "srv-01") == "removed"


def test_a_release_during_a_download_replaces_it(agent: FleetAgent, game: Game) -> None:
    first = new_build(game)
    agent.report(held(first, "downloading", bytesDone=500))
    second = new_build(game)
    assert agent.wanted() == [(2, True)]
    assert agent.evictions() == [1], "half of a build is of no use to anybody"
    agent.report(held(second, "downloading"))
    assert agent.evictions() == []
    assert phase(first, "srv-01") == "removed"


def test_a_build_that_no_server_ever_began_to_fetch_leaves_no_trace(agent: FleetAgent, game: Game) -> None:
    first, second = new_build(game), new_build(game)
    assert phase(first, "srv-01") is None
    assert phase(second, "srv-01") == "pending"


def test_rolling_back_to_a_build_that_is_still_here_makes_it_active_at_once(agent: FleetAgent, game: Game) -> None:
    first = new_build(game)
    agent.report(held(first, "cached"))
    second = new_build(game)
    agent.report(held(first, "cached"), held(second, "downloading", bytesDone=10))
    release(game, 1, STUDIO)
    assert agent.wanted() == [(1, True)]
    assert agent.evictions() == [2]


def test_rolling_back_to_a_build_that_is_gone_fetches_it_and_keeps_the_present_one(
    agent: FleetAgent, game: Game
) -> None:
    keep_previous(0)
    first, second = new_build(game), new_build(game)
    agent.report(held(second, "cached"), held(first, "removed"))
    release(game, 1, STUDIO)
    assert agent.wanted() == [(1, True), (2, False)]
    assert phase(first, "srv-01") == "pending"
    agent.report(held(first, "cached"), held(second, "cached"))
    assert agent.wanted() == [(1, True)]
    assert agent.evictions() == [2]


def test_a_build_that_is_wanted_again_while_its_eviction_is_reported_is_sent_again(
    agent: FleetAgent, game: Game
) -> None:
    """The agent obeys the plan of a moment ago; its last word on it must not take the build from the plan for good."""
    keep_previous(0)
    first = new_build(game)
    agent.report(held(first, "cached"))
    second = new_build(game)
    agent.report(held(first, "cached"), held(second, "cached"))
    assert agent.evictions() == [1]

    release(game, 1, STUDIO)
    agent.report(held(first, "evicting"), held(second, "cached"))
    assert agent.wanted() == [(1, True), (2, False)]
    agent.report(held(first, "removed"), held(second, "cached"))
    assert phase(first, "srv-01") == "pending"
    assert agent.wanted() == [(1, True), (2, False)]


def test_when_the_released_build_is_lost_an_older_one_that_is_still_here_stays(agent: FleetAgent, game: Game) -> None:
    keep_previous(0)
    first = new_build(game)
    agent.report(held(first, "cached"))
    second = new_build(game)
    agent.report(held(first, "cached"), held(second, "cached"))
    assert agent.evictions() == [1]
    agent.report(held(first, "cached"), held(second, "failed", attempt=1, reason="a file is damaged"))
    assert agent.wanted() == [(1, False), (2, True)]
    assert agent.evictions() == []


def test_flags_that_went_wrong_are_put_right_by_the_next_report(agent: FleetAgent, game: Game) -> None:
    first = new_build(game)
    agent.report(held(first, "cached"))
    second = new_build(game)
    with writing() as session:
        for row in session.scalars(select(Replica).where(Replica.server_id == "srv-01")):
            row.wanted = False
    agent.report(held(first, "cached"), held(second, "downloading", bytesDone=1))
    assert agent.wanted() == [(1, False), (2, True)]


def test_a_build_that_no_row_knows_of_is_named_for_eviction(agent: FleetAgent, game: Game) -> None:
    first, second = new_build(game), new_build(game)
    assert phase(first, "srv-01") is None
    agent.report(held(first, "cached"), held(second, "cached"))
    assert (agent.wanted(), agent.evictions()) == ([(2, True)], [1])


def test_a_build_that_is_none_of_ours_is_no_row(agent: FleetAgent, game: Game) -> None:
    build = new_build(game)
    strange = held(build, "cached") | {"build": 99}
    unknown = held(build, "cached") | {"gameId": "game_unknown"}
    agent.report(strange, unknown, held(build, "pending"))
    assert [row.build_id for row in db.session.scalars(select(Replica).where(Replica.server_id == "srv-01"))] == [
        build.id
    ]


def test_a_new_server_is_to_hold_every_released_build(client: FlaskClient, game: Game, cast: Cast) -> None:
    other = new_game(cast.moonbase.partner_id, "moon")
    staged = new_game(cast.starlight.partner_id, auto_release=False)
    new_build(game), new_build(game), new_build(other), new_build(staged)
    _, token = add_server("srv-04", "sin", STUDIO)
    planned = FleetAgent(client, token).plan()["builds"]
    assert sorted((build["slug"], build["build"], build["active"]) for build in planned) == [
        ("moon", 1, True),
        ("paper-lanterns", 2, True),
    ]


def test_a_retired_server_leaves(client: FlaskClient, agent: FleetAgent, game: Game, cast: Cast) -> None:
    build = new_build(game)
    agent.report(held(build, "cached"))
    assert agent.start(game.id).status_code == 201
    retire_server("srv-01", STUDIO)

    assert [state.server_id for state in cache_states(game.released_build_id)] == ["srv-02", "srv-03"]
    assert db.session.scalars(select(PlaySession.ended_at)).one() is not None, "nobody will report its end"
    second = new_build(game)
    assert phase(second, "srv-01") is None
    retire_server("srv-01", STUDIO)  # again is fine, and no second deed
    deeds = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "server.retired")).all()
    assert len(deeds) == 1


def test_retry_by_hand_counts_and_forgets_the_wait(agent: FleetAgent, game: Game) -> None:
    build = new_build(game)
    agent.report(held(build, "failed", attempt=3, reason="disk full", retryInSeconds=600))
    retry_now(game.id, 1, "srv-01", STUDIO)
    retry_now(game.id, 1, "srv-01", STUDIO)
    row = replica(build, "srv-01")
    assert row is not None
    assert (row.retries_asked, row.retry_at) == (2, None)
    entries = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "build.retried")).all()
    assert [(entry.actor, entry.game_id) for entry in entries] == [(STUDIO.name, game.id)] * 2
    assert entries[0].subject.endswith(", build 1 on srv-01")
    assert agent.plan()["builds"][0]["retry"] == 2


def test_there_is_no_retry_where_nothing_is_sent(agent: FleetAgent, game: Game) -> None:
    first, second = new_build(game), new_build(game)
    agent.report(held(first, "cached"), held(second, "cached"))
    for number, server in ((1, "srv-01"), (9, "srv-01"), (2, "srv-99")):
        with pytest.raises(NotFound, match="nothing to retry"):
            retry_now(game.id, number, server, STUDIO)


def test_a_server_that_never_spoke_is_part_of_the_fleet(game: Game) -> None:
    new_build(game)
    assert [(state.server_id, state.cached, state.phase) for state in cache_states(game.released_build_id)] == [
        ("srv-01", False, "pending"),
        ("srv-02", False, "pending"),
        ("srv-03", False, "pending"),
    ]
    assert db.session.scalars(select(Server.last_report_at)).all() == [None] * 3
