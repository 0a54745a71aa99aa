"""The time from a release until every active server has cached its build."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from app.catalog.releasing import make_release
from app.data.database import writing
from app.data.extensions import db
from app.data.models.game import Build, Game, Release
from app.fleet.history.rollout_times import RolloutTime, rollout_times
from app.fleet.servers import add_server, retire_server
from tests.app.fleet.acting import STUDIO, FleetAgent, held, keep_previous, new_build
from tests.app.fleet.counting import statements
from tests.conftest import Cast

SERVERS = ("srv-01", "srv-02", "srv-03")


@pytest.fixture
def agents(client: FlaskClient, cast: Cast) -> dict[str, FleetAgent]:
    return {server_id: FleetAgent(client, cast.servers[server_id]) for server_id in SERVERS}


def times(game: Game) -> list[RolloutTime]:
    """Newest first."""
    db.session.rollback()
    return rollout_times(db.session.get_one(Game, game.id, populate_existing=True))


def is_recorded(game: Game) -> list[bool]:
    return [time.seconds is not None for time in times(game)]


def let_pass(seconds: int) -> None:
    """Let every release be that much older."""
    with writing() as session:
        for row in session.scalars(select(Release)):
            row.released_at -= timedelta(seconds=seconds)


def cached(agents: dict[str, FleetAgent], *builds: Build) -> None:
    for agent in agents.values():
        agent.report(*(held(build, "cached") for build in builds))


def test_the_last_server_ends_the_rollout(agents: dict[str, FleetAgent], game: Game) -> None:
    build = new_build(game)
    for server_id in ("srv-01", "srv-02"):
        agents[server_id].report(held(build, "cached"))
    agents["srv-03"].report(held(build, "verifying"))
    (time,) = times(game)
    assert (time.build, time.seconds, time.is_live) == (1, None, True)
    let_pass(90)
    agents["srv-03"].report(held(build, "cached"))
    (time,) = times(game)
    assert time.seconds is not None
    assert time.seconds >= 90


def test_the_first_time_counts(client: FlaskClient, agents: dict[str, FleetAgent], game: Game) -> None:
    build = new_build(game)
    cached(agents, build)
    before = times(game)
    _, token = add_server("srv-04", "", STUDIO)
    agents["srv-01"].report(held(build, "pending"))
    agents["srv-01"].report(held(build, "cached"))
    FleetAgent(client, token).report(held(build, "cached"))
    assert times(game) == before
    assert is_recorded(game) == [True]


def test_a_release_that_is_replaced_before_has_no_time(agents: dict[str, FleetAgent], game: Game) -> None:
    first = new_build(game)
    agents["srv-01"].report(held(first, "cached"))
    second = new_build(game)
    cached(agents, first, second)
    assert [(time.build, time.seconds is not None, time.is_live) for time in times(game)] == [
        (2, True, True),
        (1, False, False),
    ]


def test_a_rollback_to_copies_that_all_servers_kept_takes_no_time(agents: dict[str, FleetAgent], game: Game) -> None:
    keep_previous(1)
    first = new_build(game)
    cached(agents, first)
    second = new_build(game)
    cached(agents, first, second)
    made = make_release(game, first.number, STUDIO)
    newest = times(game)[0]
    assert (newest.build, newest.seconds) == (1, 0.0)
    assert made.release.cached_everywhere_at == made.release.released_at


def test_retiring_the_last_server_without_a_copy_ends_the_rollout(agents: dict[str, FleetAgent], game: Game) -> None:
    build = new_build(game)
    for server_id in ("srv-01", "srv-02"):
        agents[server_id].report(held(build, "cached"))
    assert is_recorded(game) == [False]
    retire_server("srv-03", STUDIO)
    assert is_recorded(game) == [True]


def test_without_a_server_nothing_is_cached_everywhere(cast: Cast, game: Game) -> None:
    for server_id in SERVERS:
        retire_server(server_id, STUDIO)
    new_build(game)
    assert is_recorded(game) == [False]


def test_servers_that_finish_at_once_end_the_rollout(app: Flask, cast: Cast, game: Game) -> None:
    """Each in its own transaction: neither may overlook the other's copy."""
    agents = [FleetAgent(app.test_client(), cast.servers[server_id]) for server_id in SERVERS]
    builds: list[Build] = []
    for _ in range(4):
        builds.append(new_build(game))
        db.session.remove()
        together = threading.Barrier(len(agents))

        def finish(agent: FleetAgent, together: threading.Barrier = together) -> None:
            together.wait(60)
            agent.report(*(held(build, "cached") for build in builds))

        threads = [threading.Thread(target=finish, args=(agent,)) for agent in agents]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert is_recorded(game) == [True] * len(builds)


def test_a_time_outlives_its_build_and_the_copies(agents: dict[str, FleetAgent], game: Game) -> None:
    build = new_build(game)
    cached(agents, build)
    new_build(game)
    with writing() as session:
        session.execute(update(Release).where(Release.build_id == build.id).values(build_id=None))
    for agent in agents.values():
        agent.report(held(build, "removed"))
    assert is_recorded(game) == [False, True]


def test_all_times_take_one_query(agents: dict[str, FleetAgent], game: Game) -> None:
    for _ in range(15):
        new_build(game)
    with statements() as sent:
        found = rollout_times(game)
    assert [time.build for time in found] == list(range(15, 3, -1))
    assert sent.queries == 1
