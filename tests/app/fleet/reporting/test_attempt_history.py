"""The attempts of a server to fetch a build, as its reports leave them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from app.data.database import writing
from app.data.extensions import db
from app.data.models.game import Build, Game
from app.data.models.server import ReplicaAttempt
from app.fleet.replica_history import Attempt, attempts_of_build
from app.fleet.reporting.attempt_history import MAX_ATTEMPTS
from tests.app.fleet.acting import FleetAgent, held, last_heard, new_build, new_game
from tests.app.fleet.counting import statements
from tests.conftest import Cast

REASON = "storage answered 500"


@pytest.fixture
def build(game: Game) -> Build:
    return new_build(game, size=10_000)


def attempts(build: Build) -> list[Attempt]:
    """Newest first."""
    db.session.rollback()
    return attempts_of_build(build.game_id, build.number, "srv-01")


def outcomes(build: Build) -> list[tuple[int, str, str | None]]:
    """(number, outcome, reason) of each attempt, oldest first."""
    return [(each.number, each.outcome, each.reason) for each in reversed(attempts(build))]


def downloading(build: Build, number: int = 1, **more: Any) -> dict[str, Any]:
    return held(build, "downloading", attempt=number, **more)


def failed(build: Build, number: int = 1, reason: str = REASON, **more: Any) -> dict[str, Any]:
    return held(build, "failed", attempt=number, reason=reason, retryInSeconds=40, **more)


def let_pass(seconds: int) -> None:
    """Let the attempts have begun that much earlier."""
    with writing() as session:
        for row in session.scalars(select(ReplicaAttempt).where(ReplicaAttempt.fetched_at.is_(None))):
            row.began_at -= timedelta(seconds=seconds)


def test_each_attempt_is_kept_with_its_outcome_and_reason(agent: FleetAgent, build: Build) -> None:
    agent.report(downloading(build))
    assert outcomes(build) == [(1, "running", None)]
    agent.report(failed(build))
    agent.report(downloading(build, 2))
    agent.report(failed(build, 2, "disk full"))
    agent.report(downloading(build, 3))
    agent.report(held(build, "verifying", attempt=3))
    assert outcomes(build) == [(1, "failed", REASON), (2, "failed", "disk full"), (3, "running", None)]
    agent.report(held(build, "cached"))
    assert outcomes(build)[-1] == (3, "cached", None)
    assert all(each.ended_at for each in attempts(build))


def test_an_agent_that_leaves_the_number_out_makes_one_attempt(agent: FleetAgent, build: Build) -> None:
    agent.report(held(build, "downloading"))
    agent.report(held(build, "verifying"))
    agent.report(held(build, "cached"))
    assert outcomes(build) == [(1, "cached", None)]


def test_the_rate_is_the_average_of_the_transfer_without_what_an_earlier_attempt_left(
    agent: FleetAgent, build: Build
) -> None:
    agent.report(downloading(build, bytesDone=2_000))
    let_pass(100)
    last_heard("srv-01", 1)
    agent.report(downloading(build, bytesDone=4_000, bytesPerSecond=20))
    agent.report(failed(build, bytesDone=4_000))
    agent.report(downloading(build, 2, bytesDone=4_000))
    let_pass(60)
    agent.report(held(build, "verifying", attempt=2))
    agent.report(held(build, "cached"))
    second, first = attempts(build)
    assert (first.bytes_fetched, second.bytes_fetched) == (4_000, 10_000)
    assert first.bytes_per_second is not None
    assert 10 <= first.bytes_per_second <= 20  # 2,000 bytes in 100 s, or a little longer on a slow machine
    assert second.bytes_per_second is not None
    assert 50 <= second.bytes_per_second <= 100


def test_a_download_between_two_reports_is_one_attempt_without_a_rate(agent: FleetAgent, build: Build) -> None:
    agent.report()
    agent.report(held(build, "cached", attempt=1))
    (only,) = attempts(build)
    assert (only.outcome, only.bytes_fetched, only.bytes_per_second) == ("cached", 10_000, None)


def test_builds_that_a_server_already_has_when_it_first_reports_are_no_attempts(
    agent: FleetAgent, build: Build
) -> None:
    agent.report(held(build, "cached"))
    assert attempts(build) == []


def test_an_attempt_that_an_agents_restart_ended_is_stopped(
    agent: FleetAgent, build: Build, client: FlaskClient, cast: Cast
) -> None:
    agent.report(downloading(build))
    again = FleetAgent(client, cast.servers["srv-01"], agent)
    again.report()
    again.report(downloading(build))
    assert outcomes(build) == [(1, "stopped", None), (1, "running", None)]


def test_the_archive_instead_of_a_pack_is_an_attempt_of_its_own(agent: FleetAgent, build: Build) -> None:
    agent.report(downloading(build, source={"kind": "pack"}))
    why = "The pack does not fit its index"
    agent.report(downloading(build, source={"kind": "archive", "fallback": why}))
    archive, pack = attempts(build)
    assert (pack.outcome, pack.source, pack.reason) == ("stopped", "pack", why)
    assert (archive.outcome, archive.source) == ("running", "archive")


def test_the_same_failure_in_other_words_is_one_attempt(agent: FleetAgent, build: Build) -> None:
    agent.report(failed(build))
    agent.report(failed(build, reason="disk full: 3.0 GiB are missing"))
    assert outcomes(build) == [(1, "failed", "disk full: 3.0 GiB are missing")]


def test_checking_a_cached_copy_again_is_no_attempt(agent: FleetAgent, build: Build) -> None:
    agent.report(downloading(build))
    agent.report(held(build, "cached"))
    agent.report(held(build, "verifying"))
    agent.report(held(build, "cached"))
    assert outcomes(build) == [(1, "cached", None)]


def test_only_the_newest_attempts_of_a_replica_are_kept(agent: FleetAgent, build: Build, cast: Cast) -> None:
    other = new_build(new_game(cast.starlight.partner_id))
    agent.report(downloading(other))
    for number in range(1, MAX_ATTEMPTS + 4):
        agent.report(failed(build, number), downloading(other))
    kept = outcomes(build)
    assert (len(kept), kept[0][0], kept[-1][0]) == (MAX_ATTEMPTS, 4, MAX_ATTEMPTS + 3)
    assert len(outcomes(other)) == 1


def test_progress_writes_no_history(agent: FleetAgent, build: Build) -> None:
    moved = [downloading(build, bytesDone=done) for done in (1, 500, 700)]
    agent.report(moved[0])
    last_heard("srv-01", 1)
    with statements() as sent:
        agent.report(moved[1])
        agent.report(moved[2], stopping=True)  # not among those that are written in groups
    assert [text for text in sent if "replica_attempts" in text] == []
