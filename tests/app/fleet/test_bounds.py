"""Reports with values at the ends of what can be, and beyond: bounded, refused, or counted in few statements."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from app.data.extensions import db
from app.data.models.base import now
from app.data.models.game import Build, Game
from app.data.models.server import PlaySession, Server
from tests.app.fleet.acting import DISK, HEALTH, FleetAgent, held, last_heard, new_build, replica
from tests.app.fleet.counting import statements

ENDS = [
    "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59",
    "9999-12-31T23:59:59.999999Z",
    "1969-12-31T23:59:59Z",
]


@pytest.fixture
def build(game: Game) -> Build:
    return new_build(game)


def session(build: Build, number: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "id": f"s-{number}",
        "gameId": build.game_id,
        "build": build.number,
        "startedAt": "2026-03-01T12:00:00Z",
    } | more


def unknown(number: int) -> dict[str, Any]:
    """A session of a game that does not exist."""
    return {"id": f"s-{number}", "gameId": f"g{number}", "build": 1, "startedAt": "2026-03-01T12:00:00Z"}


@pytest.mark.parametrize("at", ENDS)
def test_a_session_may_claim_any_time(agent: FleetAgent, build: Build, at: str) -> None:
    agent.report(held(build, "cached"), sessions=[session(build, startedAt=at)])
    row = db.session.get_one(PlaySession, "s-1")
    assert datetime(2010, 1, 1, tzinfo=UTC) < row.started_at <= now()


@pytest.mark.parametrize("at", ["2026-03-01T12:00:00", "yesterday", "", 5.5, "2026-02-30T00:00:00Z"])
def test_what_is_no_time_is_refused_in_words(agent: FleetAgent, build: Build, at: object) -> None:
    answer = agent.send(agent.document(sessions=[session(build, startedAt=at)]))
    assert answer.status_code == 400
    assert answer.get_json()["message"].startswith("sessions[0].startedAt must be a time with its zone")


def test_thousands_of_unknown_sessions_take_few_statements(agent: FleetAgent, build: Build) -> None:
    agent.report(held(build, "cached"))
    few = [unknown(number) for number in range(10)]
    many = [unknown(number) for number in range(9000)]
    with statements() as for_few:
        agent.report(held(build, "cached"), sessions=few)
    with statements() as for_many:
        ignored = agent.report(held(build, "cached"), sessions=many)["ignoredSessions"]
    assert len(ignored) == 9000
    assert len(for_many) <= len(for_few) + 2


def test_thousands_of_sessions_that_began_without_the_platform_are_added_together(
    agent: FleetAgent, build: Build
) -> None:
    agent.report(held(build, "cached"))
    with statements() as sent:
        agent.report(held(build, "cached"), sessions=[session(build, number) for number in range(7000)])
    assert sent.queries < 30
    with statements() as sent:
        agent.report(held(build, "cached"), sessions=[session(build, number) for number in range(7000)])
    assert sent.queries < 30


def test_more_than_everything_counts_as_everything(agent: FleetAgent, build: Build) -> None:
    agent.report(held(build, "downloading", bytesDone=build.size * 10))
    row = replica(build, "srv-01")
    assert row is not None
    assert (row.bytes_done, row.bytes_total) == (build.size, build.size)
    last_heard("srv-01", 5)
    agent.report(held(build, "downloading", bytesDone=build.size * 10, bytesTotal=0))
    row = replica(build, "srv-01")
    assert row is not None
    assert row.bytes_done == build.size


def test_a_disk_is_not_fuller_than_it_is(agent: FleetAgent) -> None:
    agent.report(disk=DISK | {"totalBytes": 100, "freeBytes": 200, "floorBytes": 300})
    row = db.session.get_one(Server, "srv-01")
    assert (row.disk_total_bytes, row.disk_free_bytes, row.disk_floor_bytes) == (100, 100, 100)


@pytest.mark.parametrize("value", [-1, 100.5, "50", None, True, "NaN"])
def test_a_percentage_is_one(agent: FleetAgent, value: object) -> None:
    assert agent.send(agent.document(health=HEALTH | {"cpu_percent": value})).status_code == 400


def test_an_ended_session_is_not_started_again(agent: FleetAgent, build: Build) -> None:
    agent.report(held(build, "cached"))
    assert agent.start(build.game_id, "s-1").status_code == 201
    assert agent.start(build.game_id, "s-1").status_code == 200
    assert agent.end("s-1").status_code == 204
    again = agent.start(build.game_id, "s-1")
    assert (again.status_code, again.get_json()["error"]) == (409, "session_ended")


def test_an_older_report_is_never_accepted(agent: FleetAgent, build: Build) -> None:
    """Not even after a newer one that was only acknowledged, because it came quickly and changed nothing."""
    document = agent.document(held(build, "downloading"))
    for sequence, accepted in ((3, True), (5, True), (4, False), (5, False), (6, True)):
        answer = agent.send(document | {"sequence": sequence})
        assert answer.get_json()["accepted"] is accepted, sequence
    last_heard("srv-01", 5)
    changed = document | {"builds": [held(build, "cached")], "sequence": 5}
    assert agent.send(changed).get_json()["accepted"] is False
    row = replica(build, "srv-01")
    assert row is not None
    assert row.phase == "downloading"
