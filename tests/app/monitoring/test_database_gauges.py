"""What the database holds, and a scrape while it is away or its pool is used up."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, select
from sqlalchemy.pool import QueuePool

from app.data import unpooled_connections
from app.data.claims import LEASE
from app.data.database import writing
from app.data.extensions import db
from app.data.models.base import now
from app.data.models.game import Build, Game
from app.data.models.pack import BuildPack, PackState
from app.data.models.server import PlaySession, Replica, Server
from app.data.models.upload import RESUMABLE, Upload
from app.fleet.servers import add_server, pause_server, retire_server
from tests.app.monitoring.scraping import Scrape, scrape
from tests.app.runtime.processes import free_port
from tests.conftest import CAST, GAME, Cast, bearer
from tests.game_archives import game_archive


@pytest.fixture
def build(client: FlaskClient, cast: Cast) -> Build:
    """A released build, which three servers should hold."""
    key = bearer(cast.starlight.key)
    client.post("/api/partners/games", json=GAME, headers=key)
    answer = client.put(
        "/api/partners/games/paper-lanterns/upload",
        data=game_archive(),
        headers=key | {"Content-Type": "application/gzip"},
    )
    assert answer.status_code == 200, answer.text
    return db.session.scalars(select(Build)).one()


def by_state(found: Scrape, name: str, label: str = "state") -> dict[str, float]:
    """The series of a gauge that are not 0, by their label."""
    counts = {value: found.value(name, **{label: value}) for value in found.labels(name, label)}
    return {value: count for value, count in counts.items() if count}


def test_servers_are_counted_by_their_contact(client: FlaskClient, cast: Cast) -> None:
    add_server("srv-04", "", CAST)
    with writing() as session:
        busy, silent = session.get_one(Server, "srv-01"), session.get_one(Server, "srv-02")
        busy.last_report_at, busy.bytes_per_second = now(), 5000
        silent.last_report_at, silent.bytes_per_second = now() - timedelta(minutes=5), 7000
        busy.conflict_at = now()
    pause_server("srv-02", True, CAST)
    retire_server("srv-04", CAST)

    found = scrape(client)

    assert by_state(found, "slipway_servers") == {"contact": 1, "no_contact": 1, "not_started": 1}
    assert found.value("slipway_servers_paused") == 1
    assert found.value("slipway_servers_in_conflict") == 1
    assert found.value("slipway_servers_bytes_per_second") == 5000


def test_replicas_and_sessions_are_counted(client: FlaskClient, cast: Cast, build: Build) -> None:
    assert by_state(scrape(client), "slipway_replicas", "phase") == {"pending": 3}
    with writing() as session:
        for server, phase in (("srv-01", "cached"), ("srv-02", "failed")):
            session.scalars(select(Replica).where(Replica.server_id == server)).one().phase = phase
        for ended in (None, now()):
            session.add(PlaySession(server_id="srv-01", game_id=build.game_id, build_id=build.id, ended_at=ended))
    retire_server("srv-03", CAST)

    found = scrape(client)

    assert by_state(found, "slipway_replicas", "phase") == {"cached": 1, "failed": 1}
    assert found.value("slipway_play_sessions") == 1


def test_checks_are_queued_until_a_worker_with_a_heartbeat_has_them(
    client: FlaskClient, cast: Cast, build: Build
) -> None:
    with writing() as session:
        for number, (state, checker, age) in enumerate(
            [("checking", None, 90), ("checking", "a", 0), ("checking", "dead", 60), ("uploading", None, 0)]
        ):
            session.add(
                Upload(
                    game_id=build.game_id,
                    kind=RESUMABLE,
                    object_key=f"archives/{number}.tar.gz",
                    sent_by="CI",
                    state=state,
                    checker=checker,
                    touched_at=now() - timedelta(seconds=age),
                )
            )

    found = scrape(client)

    assert by_state(found, "slipway_checks") == {"queued": 2, "running": 1}
    assert found.value("slipway_uploads_open") == 1
    assert found.value("slipway_oldest_queued_check_seconds") >= 90


def test_packs_are_counted_by_state(client: FlaskClient, cast: Cast, build: Build) -> None:
    dead = now() - 2 * LEASE
    states: list[tuple[PackState, str | None, datetime, str]] = [
        ("waiting", None, now(), "queued"),
        ("making", "a worker", now(), "running"),
        ("making", "a dead worker", dead, "queued"),
        ("ready", None, dead, "ready"),
        ("no_room", None, dead, "no_room"),
        ("failed", None, dead, "failed"),
    ]
    for state, maker, touched_at, expected in states:
        with writing() as session:
            pack = session.get_one(BuildPack, build.id)
            pack.state, pack.maker, pack.touched_at = state, maker, touched_at

        assert by_state(scrape(client), "slipway_packs") == {expected: 1}


def test_a_scrape_asks_the_same_few_questions_of_any_fleet(client: FlaskClient, cast: Cast, build: Build) -> None:
    scrape(client)  # makes the engine
    with counted_statements() as few:
        scrape(client)
    for number in range(10, 40):
        add_server(f"srv-{number}", "", CAST)
    with counted_statements() as many:
        scrape(client)

    assert len(few) == len(many)
    assert len([text for text in few if text.startswith("SELECT")]) <= 6


@contextmanager
def counted_statements() -> Iterator[list[str]]:
    sent: list[str] = []

    def note(_: object, __: object, text: str, *___: object) -> None:
        sent.append(text)

    engines = [db.engine, unpooled_connections._engine()]
    for engine in engines:
        event.listen(engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        for engine in engines:
            event.remove(engine, "before_cursor_execute", note)


def test_a_scrape_works_while_every_connection_of_the_pool_is_in_use(
    app: Flask, client: FlaskClient, cast: Cast
) -> None:
    pool = db.engine.pool
    assert isinstance(pool, QueuePool)
    db.session.remove()
    with ExitStack() as held:
        for _ in range(48):
            held.enter_context(db.engine.connect())
        found = scrape(client)
        assert found.value("slipway_database_connections_in_use") == 48
        assert found.value("slipway_database_connections") == 48
        assert found.value("slipway_database_up") == 1
        assert by_state(found, "slipway_servers") == {"not_started": 3}

    assert scrape(client).value("slipway_database_connections_in_use") == 0


def test_a_scrape_without_the_database_says_so_and_has_the_counters(
    app: Flask, client: FlaskClient, cast: Cast, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    away = (
        f"sqlite:///{tmp_path}/no-such-folder/slipway.db"
        if db.engine.dialect.name == "sqlite"
        else f"postgresql+psycopg://slipway@127.0.0.1:{free_port()}/slipway"
    )
    own = app.config["SLIPWAY"]
    app.config["SLIPWAY"] = own.model_copy(update={"database_url": away})
    client.get("/livez")

    began = time.monotonic()
    found = scrape(client)

    assert time.monotonic() - began < 20
    assert found.value("slipway_database_up") == 0
    assert found.value("slipway_requests_total", method="GET", route="/livez", status="200") >= 1
    assert found.labels("slipway_queue_jobs", "queue")
    assert not found.labels("slipway_servers", "state")
    assert "no-such-folder" not in found.text

    scrape(client)
    assert caplog.text.count("does not answer") == 1
    del app.extensions["slipway_unpooled_engine"]
    app.config["SLIPWAY"] = own
    with caplog.at_level(logging.INFO):
        assert scrape(client).value("slipway_database_up") == 1
    assert "answers again" in caplog.text


def test_a_database_that_was_never_migrated_is_away_too(app: Flask, client: FlaskClient, tmp_path: Path) -> None:
    app.config["SLIPWAY"] = app.config["SLIPWAY"].model_copy(update={"database_url": f"sqlite:///{tmp_path}/empty.db"})

    assert scrape(client).value("slipway_database_up") == 0


def test_a_game_that_is_deleted_is_no_series(client: FlaskClient, cast: Cast, build: Build) -> None:
    series = set(scrape(client).samples)
    with writing() as session:
        session.get_one(Game, build.game_id).deleted_at = now()

    changed = {name for name, _ in series ^ set(scrape(client).samples)}
    assert changed <= {
        "slipway_requests_total",
        "slipway_request_seconds_bucket",
        "slipway_request_seconds_count",
        "slipway_request_seconds_sum",
    }
