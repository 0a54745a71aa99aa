"""One client asks for an ordinary page over 200 connections, as fast as it can. Another person asks for a page every
100 ms: how many of their requests are refused, and how long the others take."""

from __future__ import annotations

import subprocess
import time
from http.client import HTTPConnection
from pathlib import Path

from sqlalchemy import select

from app import create_app
from app.accounts.actors import Actor
from app.accounts.partners import create_member, create_partner
from app.config.settings import load_settings
from app.data.extensions import db
from app.data.models.partner import Partner
from bench.harness.bench_server import EMAIL, PASSWORD, BenchServer, percentile, running_server, verdict
from bench.harness.games import measured_game
from bench.harness.wrk import require_wrk
from bench.web.live_page_clients import signed_in

GAMES = 200
CONNECTIONS = 200
SECONDS = 10
PAUSE = 0.1
COLLEAGUE, OTHER = "colleague@bench.example", "other@bench.example"
PAGE = "/games"  # 50 of the games, with the state of each: the dearest of the ordinary pages


def run(directory: Path) -> bool:
    """Whether every target was met."""
    require_wrk()
    with running_server(directory) as stage:
        _seed(stage)
        flooding, colleague, other = (signed_in(stage.port, email) for email in (EMAIL, COLLEAGUE, OTHER))
        _asked(stage, other, 2)  # what is made on first use is made
        quiet = percentile([took for _, took in _asked(stage, other, 3)], 0.95) * 1000
        print(f"  nobody else: p95 {quiet:.0f} ms")
        met = _judge(stage, "a member floods, another partner's", (PAGE, flooding), other)
        met &= _judge(stage, "a member floods, a colleague's", (PAGE, flooding), colleague)
        met &= _judge(stage, "a visitor floods, a member's", ("/sign-in", ""), other)
    return met


def _judge(stage: BenchServer, what: str, flood: tuple[str, str], person: str) -> bool:
    path, cookie = flood
    crowd = subprocess.Popen(
        ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS + 2}s", "-H", f"Cookie: {cookie}", f"{stage.url}{path}"],
        stdout=subprocess.PIPE,
        text=True,
    )
    time.sleep(1)  # its connections are open
    found = _asked(stage, person, SECONDS)
    for line in crowd.communicate()[0].splitlines():
        if "Requests/sec" in line or "Non-2xx" in line:
            print(f"    the flood: {line.strip()}")
    refused = sum(status == 503 for status, _ in found) / len(found)
    slow = percentile([took for _, took in found], 0.95) * 1000
    met = verdict(f"{what} requests that are refused", refused, 0, least=False)
    return verdict(f"{what} page p95", slow, 500, least=False, unit=" ms") and met


def _asked(stage: BenchServer, cookie: str, seconds: float) -> list[tuple[int, float]]:
    """The status and the seconds of each request."""
    found = []
    ends = time.monotonic() + seconds
    while (begun := time.monotonic()) < ends:
        connection = HTTPConnection("127.0.0.1", stage.port, timeout=60)
        try:
            connection.request("GET", PAGE, headers={"Cookie": cookie})
            answer = connection.getresponse()
            answer.read()
            found.append((answer.status, time.monotonic() - begun))
        finally:
            connection.close()
        time.sleep(max(0.0, begun + PAUSE - time.monotonic()))
    return found


def _seed(stage: BenchServer) -> None:
    app, actor = create_app(load_settings(stage.environment)), Actor("bench")
    with app.app_context():
        partner, other = db.session.scalars(select(Partner)).one(), create_partner("Other", actor)
        create_member(partner, COLLEAGUE, "Colleague", "developer", PASSWORD, actor)
        create_member(other, OTHER, "Other", "owner", PASSWORD, actor)
        for owner in (partner, other):
            for number in range(GAMES):
                db.session.add(measured_game(owner.id, number))
        db.session.commit()
