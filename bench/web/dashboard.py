"""The dashboard: the weight of a first paint, the cost of a large game's page, the delay of a changed pixel.

Weights are of gzip; the app itself sends what a proxy in front of it compresses. The tabs are a real Chromium's.
"""

from __future__ import annotations

import contextvars
import gzip
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, select

from app import create_app
from app.accounts.actors import Actor
from app.config.settings import load_settings
from app.data.database import announce, writing
from app.data.extensions import db
from app.data.models.game import Build
from app.data.models.pack import BuildPack
from app.data.models.partner import Partner
from app.data.models.server import Server
from app.fleet.servers import add_server
from app.topics.names import game_topic
from bench.harness.agent_reports import Agent
from bench.harness.bench_server import EMAIL, PASSWORD, BenchServer, percentile, running_server, verdict
from bench.web.browser_tabs import delays
from bench.web.live_page_clients import signed_in
from tests.app.web.scenes import On, Sent, add_game

BUILDS, SERVERS = 50, 20
FEW_BUILDS, FEW_SERVERS = 5, 3
LISTED = 50  # games on the page whose first paint is weighed
REQUESTS = 200
TABS, EVENTS = 20, 30
SIZE = 10**9  # bytes of each build: a hundredth is a whole percent


def run(directory: Path) -> bool:
    """Whether every target was met."""
    with running_server(directory) as stage:
        app = create_app(load_settings(stage.environment))
        with app.app_context():
            small = _game("small", FEW_BUILDS, FEW_SERVERS)
            few = _queries(app, small, "small")
            big = _game("big", BUILDS, SERVERS)
            many = _queries(app, big, "big")
            for number in range(LISTED - 2):
                add_game(_partner(), f"Game {number}", f"game-{number}", [Sent(on=[On("srv-01")])])
            _give_up_packs()
            db.session.remove()
        cookie = signed_in(stage.port)
        met = _weight(stage, cookie)
        print(f"  {many} queries for {BUILDS} builds on {SERVERS} servers, {few} for {FEW_BUILDS} on {FEW_SERVERS}")
        met &= verdict("queries of the big game's page over the small one's", many / few, 1, least=False)
        agent = Agent(stage, big, BUILDS, SIZE)
        met &= _times(stage, cookie, agent)
        late = delays(stage, cookie, agent, TABS, EVENTS)
    print(f"  {len(late):,} changes painted of {TABS * EVENTS:,}; median {percentile(late, 0.5) * 1000:.0f} ms")
    met &= verdict("changes painted", len(late) / (TABS * EVENTS), 0.99, least=True)
    return verdict("report to pixel p95", percentile(late, 0.95) * 1000, 500, least=False, unit=" ms") and met


def _partner() -> str:
    return db.session.scalars(select(Partner.id)).one()


def _game(slug: str, builds: int, servers: int) -> str:
    """Create a game with many builds, each with a state on each of many servers. Returns its id."""
    names = [f"srv-{number:02}" for number in range(1, servers + 1)]
    for name in names:
        if db.session.get(Server, name) is None:
            add_server(name, "", Actor("bench"))
    phases = ("cached", "downloading", "verifying", "pending", "failed")
    sent = [
        Sent(SIZE, on=[On(name, phases[(build + place) % len(phases)], 50) for place, name in enumerate(names)])
        for build in range(builds)
    ]
    return add_game(_partner(), slug, slug, sent)


def _give_up_packs() -> None:
    """No archive is behind these builds. A worker that looked for each would change the page that is measured."""
    with writing() as session:
        for build_id in session.scalars(select(Build.id)):
            session.merge(BuildPack(build_id=build_id, state="failed", reason="no archive"))


def _queries(app: Flask, game_id: str, slug: str) -> int:
    """The number of reading SQL statements for one full page, signed in, with empty caches."""
    client = app.test_client()
    # In contexts of their own, as a server's requests: this one would lend them its session.
    contextvars.Context().run(_enter, client)
    contextvars.Context().run(client.get, f"/games/{slug}")
    with writing():
        announce(game_topic(game_id))
    with _statements() as seen:
        if contextvars.Context().run(client.get, f"/games/{slug}").status_code != 200:
            raise SystemExit(f"no page of {slug}")
    return sum(text.startswith("SELECT") for text in seen)


def _enter(client: FlaskClient) -> None:
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', client.get("/sign-in").text)
    if found is None:
        raise SystemExit("the sign-in page has no CSRF token")
    form = {"email": EMAIL, "password": PASSWORD, "csrf_token": found[1]}
    if client.post("/sign-in", data=form).status_code != 303:
        raise SystemExit("could not sign in")


@contextmanager
def _statements() -> Iterator[list[str]]:
    seen: list[str] = []

    def note(_: object, __: object, text: str, *more: object) -> None:
        seen.append(text)

    event.listen(db.engine, "before_cursor_execute", note)
    yield seen
    event.remove(db.engine, "before_cursor_execute", note)


def _weight(stage: BenchServer, cookie: str) -> bool:
    """Bytes of HTML, CSS and JS that the list of games needs for its first paint."""
    connection = HTTPConnection("127.0.0.1", stage.port)
    html = _get(connection, "/games", cookie)
    listed = len(re.findall(rb'<tbody[^>]* id="game-', html))
    if listed != LISTED:
        raise SystemExit(f"the list shows {listed} games instead of {LISTED}")
    text = html.decode()
    links = re.findall(r'<link rel="stylesheet" href="([^"]+)"', text) + re.findall(r'<script[^>]* src="([^"]+)"', text)
    parts = {"HTML": html} | {link.rpartition("/")[2]: _get(connection, link, cookie) for link in links}
    weights = {name: len(gzip.compress(data, 6)) / 1000 for name, data in parts.items()}
    print("  " + ", ".join(f"{name} {weight:.1f} kB" for name, weight in weights.items()) + f" ({LISTED} games)")
    return verdict("first paint, gzip", sum(weights.values()), 120, least=False, unit=" kB")


def _times(stage: BenchServer, cookie: str, agent: Agent) -> bool:
    """The large game's page on one connection: after each report that changes it, and without changes."""
    connection = HTTPConnection("127.0.0.1", stage.port)
    changed, unchanged = [], []
    for number in range(REQUESTS):
        agent.report(number % 100)
        changed.append(_timed(connection, cookie))
        unchanged.append(_timed(connection, cookie))
    print(f"  nothing new: median {percentile(unchanged, 0.5) * 1000:.1f} ms")
    met = verdict("page after a report p95", percentile(changed, 0.95) * 1000, 150, least=False, unit=" ms")
    return verdict("page with nothing new p95", percentile(unchanged, 0.95) * 1000, 75, least=False, unit=" ms") and met


def _timed(connection: HTTPConnection, cookie: str) -> float:
    begun = time.monotonic()
    _get(connection, "/games/big", cookie)
    return time.monotonic() - begun


def _get(connection: HTTPConnection, path: str, cookie: str) -> bytes:
    connection.request("GET", path, headers={"Cookie": cookie})
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200:
        raise SystemExit(f"{path}: {answer.status}")
    return body
