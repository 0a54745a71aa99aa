"""GET /api/partners/games with 1,000 games: queries and requests per second, also for an unchanged list (304)."""

from __future__ import annotations

import time
from http.client import HTTPConnection
from pathlib import Path

from sqlalchemy import event, select

from app import create_app
from app.config.settings import load_settings
from app.data.extensions import db
from app.data.models.game import Game
from app.data.models.partner import Partner
from bench.harness.bench_server import BenchServer, percentile, running_server, verdict
from bench.harness.games import measured_game

GAMES = 1000
SECONDS = 5.0


def run(directory: Path) -> bool:
    """Whether the number of queries is constant."""
    with running_server(directory) as stage:
        few, many = _queries(stage, 10), _queries(stage, GAMES)
        met = verdict(f"queries at {GAMES} games over queries at 10", many / few, 1, least=False)
        print(f"  {many} queries, whatever the number of games (authentication included)")
        _rate(stage, "complete list", {})
        etag = _get(HTTPConnection("127.0.0.1", stage.port), stage, {})[1]
        _rate(stage, "unchanged list (304)", {"If-None-Match": etag})
    return met


def _queries(stage: BenchServer, games: int) -> int:
    app = create_app(load_settings(stage.environment))
    seen: list[str] = []
    with app.app_context():
        partner = db.session.scalars(select(Partner)).one()
        have = len(db.session.scalars(select(Game.id)).all())
        for number in range(have, games):
            db.session.add(measured_game(partner.id, number))
        db.session.commit()
        event.listen(db.engine, "before_cursor_execute", lambda *a: seen.append(a[2]))
        client = app.test_client()
        headers = {"Authorization": f"Bearer {stage.key}"}
        client.get("/api/partners/games", headers=headers)
        seen.clear()
        answer = client.get("/api/partners/games", headers=headers)
        if answer.json is None or answer.json["total"] != games:
            raise SystemExit("the list does not hold every game")
    return len(seen)


def _rate(stage: BenchServer, what: str, headers: dict[str, str]) -> None:
    connection = HTTPConnection("127.0.0.1", stage.port)
    _get(connection, stage, headers)
    times = []
    ends = time.monotonic() + SECONDS
    while time.monotonic() < ends:
        begun = time.monotonic()
        _get(connection, stage, headers)
        times.append(time.monotonic() - begun)
    rate, slow = len(times) / SECONDS, percentile(times, 0.95) * 1000
    print(f"  {what}: {rate:.0f} requests/s on one connection, p95 {slow:.1f} ms")


def _get(connection: HTTPConnection, stage: BenchServer, headers: dict[str, str]) -> tuple[int, str]:
    connection.request("GET", "/api/partners/games", headers={"Authorization": f"Bearer {stage.key}", **headers})
    answer = connection.getresponse()
    answer.read()
    return answer.status, answer.headers.get("ETag", "")
