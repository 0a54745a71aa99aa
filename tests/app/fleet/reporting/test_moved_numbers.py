"""Reports in which only numbers moved: written in groups, durable when they are answered, and nothing else is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, update

from app.data.database import writing
from app.data.extensions import db
from app.data.models.audit_record import Topic
from app.data.models.game import Build, Game
from app.data.models.server import PlaySession, Replica, Server, TransferMinute
from app.fleet import reports
from app.fleet.replicas import retry_now
from app.fleet.reporting import moved_numbers, reported_builds
from app.fleet.reporting.moved_numbers import ReportGroup
from app.fleet.servers import add_server, retire_server
from app.topics.names import FLEET_TOPIC, game_topic, partner_topic
from tests.app.fleet.acting import DISK, STUDIO, FleetAgent, held, last_heard, new_build, replica
from tests.app.fleet.counting import statements
from tests.conftest import Cast


@pytest.fixture
def build(game: Game) -> Build:
    return new_build(game, size=10_000)


@pytest.fixture
def said(agent: FleetAgent, build: Build) -> dict[str, Any]:
    """A download that was reported a second ago: the next report with other numbers may join a group."""
    found = held(build, "downloading", bytesDone=100, bytesPerSecond=50)
    agent.report(found)
    last_heard("srv-01", 1)
    return found


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sequence numbers of the reports that took the long way."""
    seen: list[int] = []
    update_replicas = reported_builds.update_replicas

    def noted(session: Any, server: Server, report: Any, *more: Any) -> set[str]:
        seen.append(report.sequence)
        return update_replicas(session, server, report, *more)

    monkeypatch.setattr(reports, "update_replicas", noted)
    return seen


def versions(*names: str) -> list[int]:
    db.session.rollback()
    return [db.session.scalar(select(Topic.version).where(Topic.name == name)) or 0 for name in names]


def test_numbers_are_stored_when_the_report_is_answered(
    agent: FleetAgent, build: Build, game: Game, said: dict[str, Any]
) -> None:
    topics = (FLEET_TOPIC, game_topic(game.id), partner_topic(game.partner_id))
    before = versions(*topics)
    build_id = build.id

    with statements() as sent:
        receipt = agent.report(said | {"bytesDone": 250}, bytesPerSecond=150)

    row = db.session.scalar(select(Replica).where(Replica.build_id == build_id, Replica.server_id == "srv-01"))
    server = db.session.get_one(Server, "srv-01")
    assert receipt["accepted"] is True
    assert row is not None
    assert (row.bytes_done, row.phase, row.bytes_per_second) == (250, "downloading", 50)
    assert (server.sequence, server.bytes_per_second) == (agent.sequence, 150)
    assert versions(*topics) == [number + 1 for number in before]
    assert sent.queries < 10, "it took the long way"


def test_bytes_that_arrived_are_counted_for_the_partner(agent: FleetAgent, game: Game, said: dict[str, Any]) -> None:
    before = db.session.scalar(select(func.sum(TransferMinute.bytes))) or 0

    agent.report(said | {"bytesDone": 250})

    db.session.rollback()
    assert (db.session.scalar(select(func.sum(TransferMinute.bytes))) or 0) - before == 150
    owners = db.session.execute(select(TransferMinute.partner_id, TransferMinute.game_id)).all()
    assert owners == [(game.partner_id, game.id)]


def test_made_up_numbers_count_as_the_build_at_most(
    agent: FleetAgent, build: Build, said: dict[str, Any], alone: list[int]
) -> None:
    before, most = db.session.scalar(select(func.sum(TransferMinute.bytes))) or 0, 2**53 - 1
    largest = build.size + build.unpacked_bytes

    agent.report(said | {"bytesTotal": most, "bytesDone": most, "bytesPerSecond": most})

    db.session.rollback()
    assert alone == []
    assert (db.session.scalar(select(func.sum(TransferMinute.bytes))) or 0) - before == largest


def pauses(agent: FleetAgent, build: Build) -> None:
    with writing() as session:
        session.execute(update(Replica).where(Replica.build_id == build.id).values(phase="failed", attempt=3))


def starts_a_session(agent: FleetAgent, build: Build) -> None:
    with writing() as session:
        session.add(PlaySession(id="new", server_id="srv-01", game_id=build.game_id, build_id=build.id))


def is_reported_by_another_process(agent: FleetAgent, build: Build) -> None:
    with writing() as session:
        session.execute(update(Server).where(Server.id == "srv-01").values(sequence=agent.sequence + 1))


def changes_the_source(agent: FleetAgent, build: Build) -> None:
    with writing() as session:
        changed = {"source": "update", "source_build": 7}
        session.execute(update(Replica).where(Replica.build_id == build.id).values(changed))


def loses_the_row(agent: FleetAgent, build: Build) -> None:
    with writing() as session:
        session.delete(session.scalars(select(Replica).where(Replica.server_id == "srv-01")).one())


@pytest.mark.parametrize("change", [pauses, starts_a_session, changes_the_source, loses_the_row])
def test_what_the_platform_changed_meanwhile_is_left_to_the_long_way(
    agent: FleetAgent, build: Build, said: dict[str, Any], change: Callable[[FleetAgent, Build], None]
) -> None:
    change(agent, build)

    agent.report(said | {"bytesDone": 250})

    row = replica(build, "srv-01")
    assert row is not None
    assert (row.phase, row.attempt, row.bytes_done, row.source) == ("downloading", 0, 250, None)
    missed = db.session.scalars(select(PlaySession.missed_reports)).all()
    assert missed == ([1] if change is starts_a_session else [])


def test_a_row_that_lost_its_flag_is_left_to_the_long_way(agent: FleetAgent, game: Game, said: dict[str, Any]) -> None:
    """The live build, which the server has not begun: the long way sees that it is not wanted, and plans again."""
    other = new_build(game)
    agent.report(said)
    last_heard("srv-01", 1)
    with writing() as session:
        session.execute(update(Replica).where(Replica.build_id == other.id).values(wanted=False))

    agent.report(said | {"bytesDone": 250})

    row = replica(other, "srv-01")
    assert row is not None
    assert (row.wanted, row.phase) == (True, "pending")


@pytest.mark.parametrize(
    "source",
    [
        {"kind": "update", "from": 1},
        {"kind": "archive"},
        {"kind": "archive", "fallback": "the pack failed its check"},
        None,
    ],
)
@pytest.mark.parametrize("seconds", [0, 1])
def test_another_source_is_more_than_a_number(
    agent: FleetAgent, build: Build, alone: list[int], source: dict[str, Any] | None, seconds: int
) -> None:
    """Neither skipped, right after the last report, nor written in a group, a second later."""
    said = held(build, "downloading", bytesDone=100, source={"kind": "pack"})
    agent.report(said)
    last_heard("srv-01", seconds)
    alone.clear()

    agent.report(said | {"bytesDone": 200, "source": source})

    row = replica(build, "srv-01")
    assert row is not None
    found = source or {"kind": None}
    assert (row.source, row.source_build, row.fallback) == (
        found["kind"],
        found.get("from"),
        found.get("fallback"),
    )
    assert (row.bytes_done, alone) == (200, [agent.sequence])


@pytest.mark.parametrize("kind", ["archive", "pack", "update"])
def test_the_numbers_of_any_source_are_written_in_a_group(
    agent: FleetAgent, build: Build, alone: list[int], kind: str
) -> None:
    source = {"kind": kind, "fallback": "x" * 500} if kind == "archive" else {"kind": kind}
    said = held(build, "downloading", bytesDone=100, source=source | ({"from": 1} if kind == "update" else {}))
    agent.report(said)
    last_heard("srv-01", 1)
    alone.clear()

    agent.report(said | {"bytesDone": 200})

    row = replica(build, "srv-01")
    assert row is not None
    assert (row.bytes_done, row.source, alone) == (200, kind, [])


def test_a_group_keeps_the_bounds(agent: FleetAgent, build: Build, said: dict[str, Any], alone: list[int]) -> None:
    alone.clear()
    disk = DISK | {"totalBytes": 100, "freeBytes": 200, "floorBytes": 300}
    for number, total in enumerate((build.size, 0)):
        agent.report(said | {"bytesDone": build.size * 10 + number, "bytesTotal": total}, disk=disk)
        row, server = replica(build, "srv-01"), db.session.get_one(Server, "srv-01")
        assert row is not None
        assert (row.bytes_done, row.bytes_total) == (build.size, build.size)
        assert (server.disk_total_bytes, server.disk_free_bytes, server.disk_floor_bytes) == (100, 100, 100)
        last_heard("srv-01", 1)
    assert alone == []


def test_a_report_that_is_older_than_a_skipped_one_is_ignored(
    agent: FleetAgent, build: Build, said: dict[str, Any]
) -> None:
    older, newer = (agent.document(said | {"bytesDone": done}) for done in (150, 250))
    last_heard("srv-01", 0)
    assert agent.send(newer).get_json()["accepted"] is True  # and not written
    last_heard("srv-01", 1)

    assert agent.send(older).get_json()["accepted"] is False
    row = replica(build, "srv-01")
    assert row is not None
    assert row.bytes_done == 100


def test_a_report_that_another_process_overtook_is_ignored(
    agent: FleetAgent, build: Build, said: dict[str, Any]
) -> None:
    is_reported_by_another_process(agent, build)

    assert agent.report(said | {"bytesDone": 250})["accepted"] is False
    row = replica(build, "srv-01")
    assert row is not None
    assert row.bytes_done == 100


def test_a_retry_by_hand_is_not_undone(agent: FleetAgent, build: Build, game: Game) -> None:
    failed = held(build, "failed", attempt=2, reason="disk full", retryInSeconds=600)
    agent.report(failed)
    last_heard("srv-01", 1)
    retry_now(game.id, 1, "srv-01", STUDIO)

    agent.report(failed | {"bytesDone": 5})

    row = replica(build, "srv-01")
    assert row is not None
    assert (row.retries_asked, row.bytes_done) == (1, 5)


def test_a_retired_server_is_not_written(agent: FleetAgent, build: Build, said: dict[str, Any]) -> None:
    group, document = moved_numbers.group, agent.document(said | {"bytesDone": 250})
    retire_server("srv-01", STUDIO)

    assert agent.send(document).status_code == 401
    assert group._waiting == []


def test_reports_that_wait_together_are_one_transaction(
    app: Flask, client: FlaskClient, cast: Cast, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one group is being written, five more servers report."""
    tokens = [add_server(f"more-{number}", "fra", STUDIO)[1] for number in range(6)]
    agents = [FleetAgent(client, token) for token in tokens]
    for agent in agents:
        agent.report(held(build, "downloading", bytesDone=1))
    for number in range(6):
        last_heard(f"more-{number}", 1)
    group = ReportGroup()
    monkeypatch.setattr(moved_numbers, "group", group)
    documents = [agent.document(held(build, "downloading", bytesDone=2)) for agent in agents]
    answers: list[int] = []

    def report(agent: FleetAgent, document: dict[str, Any]) -> None:
        with app.app_context():
            agent.client = app.test_client()
            answers.append(agent.send(document).status_code)

    with statements() as sent:
        group._has_leader = True
        threads = [threading.Thread(target=report, args=each) for each in zip(agents, documents, strict=True)]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + 60
        while len(group._waiting) < 6:
            assert time.monotonic() < deadline, "not every report came to the group"
        group._waiting[0].turn.release()
        for thread in threads:
            thread.join(60)

    assert answers == [200] * 6
    assert sum(text.startswith("UPDATE servers ") for text in sent) == 6
    assert sum("topics" in text and text.startswith("INSERT") for text in sent) == 1
    rows = db.session.scalars(select(Replica.bytes_done).where(Replica.server_id.like("more-%"))).all()
    assert rows == [2] * 6


def test_a_group_that_fails_is_tried_one_by_one(
    agent: FleetAgent, build: Build, said: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("one of them")

    monkeypatch.setattr(moved_numbers, "_write", fails)

    assert agent.report(said | {"bytesDone": 250})["accepted"] is True
    row = replica(build, "srv-01")
    assert row is not None
    assert row.bytes_done == 250
