"""Bytes a minute: what of a report counts as having come over the network, for whom, and for how long it is kept."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select

from app.data.database import writing
from app.data.extensions import db
from app.data.models.base import now
from app.data.models.game import Game
from app.data.models.server import Replica, Server, TransferMinute
from app.fleet import transfers
from app.fleet.transfers import OwnedGame, bytes_arrived, last_hour, record_arrived
from tests.app.fleet.acting import FleetAgent, held, last_heard, new_build, new_game
from tests.conftest import Cast

MB = 10**6


def row(phase: str, done: int = 0, rate: int = 0, *, reported: bool = True) -> Replica:
    return Replica(
        phase=phase,
        bytes_done=done,
        bytes_total=1000 * MB,
        bytes_per_second=rate,
        reported_at=now() if reported else None,
    )


def came(before: Replica, phase: str, done: int = 0, rate: int = 0, seconds: float = 1) -> int:
    return bytes_arrived(before, phase, done, 1000 * MB, rate, seconds)


def test_progress_of_a_download_came_over_the_network() -> None:
    assert came(row("downloading", 100 * MB, 20 * MB), "downloading", 118 * MB, 18 * MB) == 18 * MB
    assert came(row("pending"), "downloading", 30 * MB, 30 * MB) == 30 * MB


def test_the_rest_came_when_the_check_begins() -> None:
    assert came(row("downloading", 980 * MB, 20 * MB), "verifying", 300 * MB) == 20 * MB
    assert came(row("downloading", 980 * MB, 20 * MB), "cached", 1000 * MB) == 20 * MB


def test_a_build_so_small_that_only_its_end_is_heard_came_whole() -> None:
    assert came(row("pending", reported=False), "cached", 1000 * MB) == 1000 * MB
    assert came(row("downloading"), "verifying") == 1000 * MB


def test_the_part_that_was_kept_does_not_come_again_with_the_next_try() -> None:
    assert came(row("failed", 300 * MB), "downloading", 0) == 0
    assert came(row("downloading", 0), "downloading", 300 * MB, 0) == 0
    assert came(row("downloading", 0), "downloading", 304 * MB, 4 * MB) == 20 * MB, "at most what the rate allows"


def test_a_build_that_never_left_did_not_come() -> None:
    assert came(row("pending"), "cached", 1000 * MB) == 0, "wanted again after a rollback"
    assert came(row("failed"), "cached", 1000 * MB) == 0, "whole, but `current` could not be switched"


@pytest.mark.parametrize("before", ["verifying", "cached", "evicting", "removed"])
def test_what_is_there_does_not_come(before: str) -> None:
    assert came(row(before, 10 * MB), "cached", 1000 * MB) == 0


def test_after_a_long_silence_no_more_came_than_the_rate_allows() -> None:
    assert came(row("downloading", 0, 2 * MB), "downloading", 900 * MB, MB, seconds=100) == 200 * MB


# --- through the door


def minutes() -> dict[tuple[str, str], int]:
    """Bytes by server and partner."""
    db.session.rollback()
    query = select(TransferMinute.server_id, TransferMinute.partner_id, func.sum(TransferMinute.bytes))
    found = db.session.execute(query.group_by(TransferMinute.server_id, TransferMinute.partner_id))
    return {(server, partner): int(count) for server, partner, count in found}


def report_later(agent: FleetAgent, *builds: dict[str, object]) -> None:
    """A second after the one before, so that it is not taken for a repetition."""
    db.session.rollback()
    if db.session.get_one(Server, "srv-01", populate_existing=True).last_report_at:
        last_heard("srv-01", 1)
    agent.report(*builds)


def test_reported_progress_is_added_up_by_partner(agent: FleetAgent, cast: Cast, game: Game) -> None:
    other = new_game(cast.moonbase.partner_id)
    ours, theirs = new_build(game, 1000), new_build(other, 500)
    agent.report()
    report_later(agent, held(ours, "downloading", bytesDone=200, bytesPerSecond=200), held(theirs, "pending"))
    report_later(
        agent,
        held(ours, "downloading", bytesDone=700, bytesPerSecond=400),
        held(theirs, "downloading", bytesDone=60, bytesPerSecond=60),
    )
    report_later(agent, held(ours, "verifying"), held(theirs, "downloading", bytesDone=100, bytesPerSecond=50))
    assert minutes() == {("srv-01", cast.starlight.partner_id): 1000, ("srv-01", cast.moonbase.partner_id): 100}


def test_made_up_numbers_count_as_the_build_at_most(agent: FleetAgent, game: Game) -> None:
    build, most = new_build(game), 2**53 - 1
    made_up = {"bytesTotal": most, "bytesDone": most, "bytesPerSecond": most}
    agent.report(held(build, "pending"))
    agent.report(held(build, "downloading", **made_up))
    assert db.session.scalar(select(func.sum(TransferMinute.bytes))) == build.size + build.unpacked_bytes


def test_two_games_of_a_partner_count_together_and_each_alone(agent: FleetAgent, cast: Cast, game: Game) -> None:
    first, second = new_build(game, 300), new_build(new_game(cast.starlight.partner_id), 400)
    agent.report()
    report_later(agent, held(first, "cached"), held(second, "cached"))
    assert minutes() == {("srv-01", cast.starlight.partner_id): 700}
    by_game = db.session.execute(select(TransferMinute.game_id, TransferMinute.bytes)).all()
    assert {row.game_id: row.bytes for row in by_game} == {first.game_id: 300, second.game_id: 400}


def test_what_an_agent_finds_when_it_starts_did_not_come_now(
    client: FlaskClient, cast: Cast, agent: FleetAgent, game: Game
) -> None:
    build = new_build(game)
    agent.report(held(build, "cached"))
    after = FleetAgent(client, cast.servers["srv-01"], previous=agent)
    after.report(held(build, "cached"))
    assert minutes() == {}


def test_an_idle_server_writes_nothing(agent: FleetAgent, game: Game) -> None:
    build = new_build(game)
    agent.report(held(build, "cached"))
    for _ in range(3):
        report_later(agent, held(build, "cached"))
    assert minutes() == {}


def test_the_last_hour_is_sixty_minutes_oldest_first(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    at = now()
    monkeypatch.setattr(transfers, "now", lambda: at)
    ours, theirs = cast.starlight.partner_id, cast.moonbase.partner_id
    with writing() as session:
        for ago, partner_id, count in ((0, ours, 5), (0, ours, 2), (0, theirs, 1), (59, ours, 9), (60, ours, 100)):
            record_arrived(session, "srv-01", {OwnedGame(partner_id, "x"): count}, at - timedelta(minutes=ago))
        record_arrived(session, "srv-02", {OwnedGame(ours, "x"): 0}, at)
    servers = ["srv-01", "srv-02"]
    found = last_hour(servers, ours)
    assert list(found) == ["srv-01"]
    assert (sum(found["srv-01"]), len(found["srv-01"]), found["srv-01"][-1]) == (16, 60, 7)
    assert sum(last_hour(servers, theirs)["srv-01"]) == 1
    assert sum(last_hour(servers)["srv-01"]) == sum(found["srv-01"]) + 1
    assert last_hour(["srv-02"]) == {}
