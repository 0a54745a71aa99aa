"""Reads of the API: lists of 1,000 and of 100 games, one game, and an unchanged list, beside Directus and beside a
Flask app of one view in the same web server. All three run at once and are measured in turns, so that a busy machine
slows each of them."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path

from sqlalchemy import select

from app import create_app
from app.config.settings import load_settings
from app.data.database import announce, writing
from app.data.extensions import db
from app.data.models.base import now
from app.data.models.game import Game
from app.data.models.partner import Partner
from app.topics.names import catalog_topic
from bench.harness.bench_server import ROOT, BenchServer, percentile, running_server, verdict
from bench.harness.wrk import Load, load, require_wrk
from bench.peers.directus import Directus, running_directus
from bench.peers.peer_missing import PeerMissing
from tests.app.runtime.processes import free_port

GAMES = 1000
ROUNDS = 5
SECONDS = 2.0
MANY = 8  # connections
COLD_READS = 30
GAMES_PATH = "/api/partners/games"


@dataclass
class Case:
    """One call, and the same of the peer. `peer_target`: at least so many times the peer's rate; `bare_target`: at
    least this share of the bare app's."""

    what: str
    path: str
    peer_path: str = ""
    peer_target: float = 0
    bare_target: float = 0
    headers: dict[str, str] = field(default_factory=dict)
    loads: dict[str, list[Load]] = field(default_factory=dict)

    def rate(self, name: str) -> float:
        return statistics.median(found.rate for found in self.loads[name])

    def best_ratio(self, name: str, other: str) -> float:
        """The median of the ratios of the rounds: what is measured side by side shares the machine's load."""
        pairs = zip(self.loads[name], self.loads[other], strict=True)
        return statistics.median(found.rate / against.rate for found, against in pairs)


def run(directory: Path) -> bool:
    """Whether every target was met. Without the peer, its targets are skipped with the reason."""
    require_wrk()
    with ExitStack() as running:
        stage = running.enter_context(running_server(directory))
        bare = running.enter_context(_bare_flask(directory))
        games = _seed(stage)
        peer: Directus | None = None
        try:
            peer = running.enter_context(running_directus(directory, games))
        except PeerMissing as missing:
            print(f"  skipped: everything beside Directus, because {missing}")
        cases = [
            Case("list of 1,000", GAMES_PATH, "/items/games?limit=1000", peer_target=3),
            Case("list of 100", f"{GAMES_PATH}?limit=100", "/items/games?limit=100", peer_target=2),
            Case("one game", f"{GAMES_PATH}/game-5", "/items/games/5", peer_target=1.5),
            Case("unchanged list (304)", GAMES_PATH, bare_target=0.4, headers={"If-None-Match": _etag(stage)}),
        ]
        print(f"  load average before: {os.getloadavg()[0]:.1f}")
        for _ in range(ROUNDS):
            for case in cases:
                _measure(case, stage, bare, peer)
        print(f"  load average after: {os.getloadavg()[0]:.1f}")
        met = min([_judge(case, peer) for case in cases])  # each is to print its figures
        _cold(stage)
    return met


def _measure(case: Case, stage: BenchServer, bare: str, peer: Directus | None) -> None:
    ours = {"Authorization": f"Bearer {stage.key}", **case.headers}
    found = {
        "8": load(stage.url + case.path, MANY, SECONDS, ours),
        "1": load(stage.url + case.path, 1, SECONDS, ours),
    }
    if peer and case.peer_path:
        found["peer"] = load(peer.url + case.peer_path, MANY, SECONDS, peer.headers)
    if case.bare_target:
        found["bare"] = load(bare, MANY, SECONDS, {})
    for name, one in found.items():
        case.loads.setdefault(name, []).append(one)


def _judge(case: Case, peer: Directus | None) -> bool:
    p99 = statistics.median(found.p99 for found in case.loads["8"])
    print(
        f"  {case.what}: {case.rate('8'):.0f}/s on {MANY} connections (p99 {p99:.0f} ms), {case.rate('1'):.0f}/s on 1"
    )
    met = verdict(f"{case.what}: 8 connections over 1", case.best_ratio("8", "1"), 1, least=True)
    if peer and case.peer_target:
        print(f"  {case.what}: Directus {case.rate('peer'):.0f}/s")
        met &= verdict(f"{case.what} over Directus", case.best_ratio("8", "peer"), case.peer_target, least=True)
    if case.bare_target:
        print(f"  bare Flask: {case.rate('bare'):.0f}/s")
        met &= verdict(f"{case.what} over bare Flask", case.best_ratio("8", "bare"), case.bare_target, least=True)
    return met


def _cold(stage: BenchServer) -> None:
    """The complete list just after a change, which no memory has."""
    connection = HTTPConnection("127.0.0.1", stage.port)
    app, times = create_app(load_settings(stage.environment)), []
    with app.app_context():
        partner = db.session.scalars(select(Partner.id)).one()
        for _ in range(COLD_READS):
            with writing():
                announce(catalog_topic(partner))
            begun = time.monotonic()
            connection.request("GET", GAMES_PATH, headers={"Authorization": f"Bearer {stage.key}"})
            connection.getresponse().read()
            times.append(time.monotonic() - begun)
    print(f"  list of 1,000 after a change: median {percentile(times, 0.5) * 1000:.1f} ms")


def _seed(stage: BenchServer) -> list[dict[str, object]]:
    """1,000 games; returns them as the peer stores them."""
    at = now()
    games: list[dict[str, object]] = [
        {
            "slug": f"game-{number}",
            "title": f"Game {number}",
            "developer": "Bench",
            "tags": ["Visual Novel", "Mystery"],
            "status": "pending_upload",
            "created_at": at.isoformat(),
            "updated_at": at.isoformat(),
        }
        for number in range(GAMES)
    ]
    app = create_app(load_settings(stage.environment))
    with app.app_context():
        partner = db.session.scalars(select(Partner.id)).one()
        db.session.rollback()
        with writing() as session:
            for game in games:
                named = {name: game[name] for name in ("slug", "title", "developer", "tags")}
                times = {"created_at": at, "updated_at": at}
                more = {"description": "Measured. " * 20, "launcher": "game.sh", "renpy_dir": "Bench-1"}
                session.add(Game(partner_id=partner, **named, **more, **times))
            announce(catalog_topic(partner))
    return games


def _etag(stage: BenchServer) -> str:
    connection = HTTPConnection("127.0.0.1", stage.port)
    connection.request("GET", GAMES_PATH, headers={"Authorization": f"Bearer {stage.key}"})
    answer = connection.getresponse()
    answer.read()
    return answer.headers["ETag"]


@contextmanager
def _bare_flask(directory: Path) -> Iterator[str]:
    port = free_port()
    environment = {"SLIPWAY_INSTANCE": str(directory / "bare"), "PORT": str(port), "SLIPWAY_WORK_IN_WEB": "0"}
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "gunicorn",
            "-c",
            "python:app.runtime.web_server.gunicorn_settings",
            "bench.web.bare_flask:app",
        ],
        cwd=ROOT,
        env=os.environ | environment | {"SLIPWAY_DRAIN_SECONDS": "1"},
        stderr=(directory / "bare.log").open("wb"),
    )
    try:
        connection = HTTPConnection("127.0.0.1", port)
        deadline = time.monotonic() + 60
        while True:
            try:
                connection.request("GET", "/")
                connection.getresponse().read()
                break
            except OSError:
                connection.close()
                if time.monotonic() > deadline or process.poll() is not None:
                    raise SystemExit("the bare app did not start") from None
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
