"""A flood of reports costs little and loses nothing; what did not change is not written."""

from __future__ import annotations

import time

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.data.extensions import db
from app.data.models.game import Build, Game
from app.data.models.server import Server
from app.fleet import contact
from app.fleet.reporting import report_coalescing
from app.topics.names import game_topic, partner_topic
from app.topics.versions import stored_version
from tests.app.fleet.acting import FleetAgent, held, last_heard, new_build, new_game, phase, replica
from tests.app.fleet.counting import statements
from tests.conftest import Cast


@pytest.fixture
def build(game: Game) -> Build:
    return new_build(game, size=10_000)


def test_a_flood_of_progress_is_written_a_few_times_and_all_of_it_is_acknowledged(
    agent: FleetAgent, build: Build
) -> None:
    said = held(build, "downloading")
    begun = time.monotonic()
    with statements() as sent:
        receipts = [agent.report(said | {"bytesDone": done}) for done in range(60)]
    seconds = time.monotonic() - begun
    assert all(receipt["accepted"] for receipt in receipts)
    most = 2 + seconds / report_coalescing.COALESCE.total_seconds()
    assert sent.writes("servers") <= most
    assert sent.writes("replicas") <= most
    assert sent.writes("topics") <= 3 * most  # of the fleet, the game and the partner


def test_progress_is_written_again_when_a_moment_has_passed(agent: FleetAgent, build: Build) -> None:
    agent.report(held(build, "downloading", bytesDone=1))
    last_heard("srv-01", 0.5)
    agent.report(held(build, "downloading", bytesDone=2))
    row = replica(build, "srv-01")
    assert row is not None
    assert row.bytes_done == 2


@pytest.mark.parametrize("change", [{"phase": "verifying"}, {"attempt": 2}, {"reason": "disk full"}])
def test_a_change_in_the_midst_of_a_flood_is_never_lost(
    agent: FleetAgent, build: Build, change: dict[str, object]
) -> None:
    said = held(build, "downloading", attempt=1)
    for done in range(5):
        agent.report(said | {"bytesDone": done})
    agent.report(said | change)
    row = replica(build, "srv-01")
    assert row is not None
    assert {name: getattr(row, name) for name in change} == change


def test_a_goodbye_in_the_midst_of_a_flood_is_heard(agent: FleetAgent, build: Build) -> None:
    agent.report(held(build, "downloading"))
    agent.report(held(build, "downloading"), stopping=True)
    assert db.session.scalars(select(Server.stopping).where(Server.id == "srv-01")).one() is True


def test_going_back_to_what_this_process_wrote_before_another_one_did_is_written(
    agent: FleetAgent, build: Build
) -> None:
    """Two web processes: this one knows of a `downloading`, the other wrote a `failed` after it."""
    agent.report(held(build, "downloading"))
    known_here = dict(report_coalescing._written)
    agent.report(held(build, "failed", attempt=1, reason="storage answered 500"))
    report_coalescing._written.clear()
    report_coalescing._written.update(known_here)
    agent.report(held(build, "downloading"))
    assert phase(build, "srv-01") == "downloading"


def test_a_report_writes_only_the_replicas_that_changed(agent: FleetAgent, game: Game, build: Build) -> None:
    others = [held(new_build(new_game(game.partner_id)), "cached") for _ in range(12)]
    moving = held(build, "downloading")
    agent.report(moving, *others)
    last_heard("srv-01", 1)
    with statements() as sent:
        agent.report(moving | {"bytesDone": 5}, *others)
    assert sent.writes("replicas") == 1
    assert sent.writes("servers") == 1


@pytest.mark.slow
def test_a_report_takes_as_many_queries_for_fifty_builds_as_for_five(agent: FleetAgent, game: Game) -> None:
    def report_of(count: int) -> int:
        said = [held(new_build(new_game(partner_id)), "downloading") for _ in range(count)]
        agent.report(*said)
        last_heard("srv-01", 1)
        with statements() as sent:
            agent.report(*(build | {"bytesDone": 7} for build in said))
        assert sent.writes("replicas") == count
        return sent.queries

    partner_id = game.partner_id
    assert report_of(5) == report_of(50)


def test_builds_that_went_long_ago_cost_nothing(agent: FleetAgent, game: Game) -> None:
    for _ in range(8):
        agent.report(held(new_build(game), "cached"))
    said = held(new_build(game), "cached")
    agent.report(said)
    agent.report(said, stopping=True)
    with statements() as sent:
        agent.report(said, stopping=True)
    assert sent.writes("replicas") == 0


def test_a_repeated_wait_of_the_same_length_is_the_same_moment(agent: FleetAgent, build: Build) -> None:
    begun = time.monotonic()
    agent.report(held(build, "failed", attempt=1, reason="x", retryInSeconds=90))
    first = replica(build, "srv-01")
    assert first is not None
    due = first.retry_at
    last_heard("srv-01", 1)
    left = 90 - (time.monotonic() - begun)
    agent.report(held(build, "failed", attempt=1, reason="x", retryInSeconds=left))
    row = replica(build, "srv-01")
    assert row is not None
    assert row.retry_at == due
    agent.report(held(build, "failed", attempt=2, reason="x", retryInSeconds=300))
    row = replica(build, "srv-01")
    assert row is not None
    assert row.retry_at is not None
    assert due is not None
    assert row.retry_at > due


def test_pages_of_a_game_hear_of_every_change_and_only_now_and_then_that_nothing_changed(
    agent: FleetAgent, game: Game, build: Build
) -> None:
    def versions() -> tuple[int, int]:
        db.session.rollback()
        return stored_version(game_topic(game.id)), stored_version(partner_topic(game.partner_id))

    agent.report(held(build, "downloading", bytesDone=1))
    before = versions()
    last_heard("srv-01", 1)
    agent.report(held(build, "downloading", bytesDone=2))
    moved = versions()
    assert moved > before

    last_heard("srv-01", 40)  # "No contact" until now: every page is told that it is back
    agent.report(held(build, "downloading", bytesDone=2))
    back = versions()
    assert back > moved

    begun, told = time.monotonic(), 0
    for _ in range(20):
        agent.report(held(build, "downloading", bytesDone=2), stopping=True)  # such a report is never left out
        told += versions() != back
        back = versions()
    assert told <= 2 + (time.monotonic() - begun) / contact.IDLE_SECONDS, "nothing changed"


def test_two_servers_speak_for_themselves(client: FlaskClient, app: Flask, cast: Cast, build: Build) -> None:
    first, second = (FleetAgent(client, cast.servers[name]) for name in ("srv-01", "srv-02"))
    first.report(held(build, "cached"))
    second.report(held(build, "failed", attempt=1, reason="no route to storage"))
    assert (phase(build, "srv-01"), phase(build, "srv-02"), phase(build, "srv-03")) == ("cached", "failed", "pending")
