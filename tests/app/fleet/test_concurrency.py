"""Reports, releases, sessions and new servers all at once: no deadlock, nothing locked out, one consistent end."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from app.accounts.secrets import fingerprint
from app.catalog.releasing import release
from app.data.extensions import db
from app.data.models.game import Build, Game
from app.data.models.server import PlaySession, Replica, Server
from app.fleet.replicas import is_plan_current, retry_now
from app.fleet.servers import add_server
from app.refusals import Conflict, NotFound
from tests.app.fleet.acting import STUDIO, FleetAgent, new_build, new_game
from tests.conftest import Cast

pytestmark = pytest.mark.slow

ROUNDS = 12


def lives(agent: FleetAgent, game_ids: list[str], seed: int) -> None:
    """An agent that fetches what the plan names, plays on it, and evicts what is no longer named."""
    chance = random.Random(seed)
    has: dict[tuple[str, int], str] = {}
    for number in range(ROUNDS):
        plan = agent.plan()
        wanted = {(build["gameId"], build["build"]) for build in plan["builds"]}
        for key in wanted:
            before = has.get(key, "pending")
            has[key] = {"pending": "downloading", "downloading": "cached"}.get(before, before)
        for key in set(has) - wanted:
            has[key] = "evicting" if has[key] not in {"evicting", "removed"} else "removed"
        agent.report(*({"gameId": game, "build": build, "phase": phase} for (game, build), phase in has.items()))
        has = {key: phase for key, phase in has.items() if phase != "removed"}
        session_id = f"s-{agent.boot_id}-{number}"
        started = agent.start(chance.choice(game_ids), session_id)
        assert started.status_code in {201, 409}, started.text
        if started.status_code == 201:
            assert agent.end(session_id).status_code == 204


def releases(game_id: str, seed: int) -> None:
    """A studio that sends builds, and rolls back now and then."""
    chance = random.Random(seed)
    for _ in range(ROUNDS):
        game = db.session.get_one(Game, game_id)
        newest = new_build(game)
        if chance.random() < 0.5:
            release(db.session.get_one(Game, game_id), chance.randint(1, newest.number), STUDIO)
        db.session.remove()


def presses_retry(game_ids: list[str]) -> None:
    for number, game_id in zip(range(1, ROUNDS), itertools.cycle(game_ids), strict=False):
        try:
            retry_now(game_id, number, "srv-01", STUDIO)
        except NotFound:
            continue


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


def test_everybody_at_once(app: Flask, cast: Cast, threads: ThreadPoolExecutor) -> None:
    games = [new_game(cast.starlight.partner_id) for _ in range(2)]
    game_ids = [game.id for game in games]

    def in_context(work: Callable[..., None], *arguments: object) -> None:
        with app.app_context():
            work(*arguments)

    def agent(server_id: str, token: str) -> None:
        lives(FleetAgent(app.test_client(), token), game_ids, seed=len(server_id))

    jobs = [threads.submit(agent, *server) for server in cast.servers.items()]
    jobs += [threads.submit(in_context, releases, game_id, seed) for seed, game_id in enumerate(game_ids)]
    jobs += [threads.submit(in_context, presses_retry, game_ids)]
    new_tokens = [threads.submit(added, app, name) for name in ("srv-04", "srv-05")]
    for job in jobs:
        job.result(120)
    for number, token in enumerate(new_tokens):
        lives(FleetAgent(app.test_client(), token.result(60)), game_ids, seed=number)
    for server in cast.servers.values():  # a last word after the last release
        lives(FleetAgent(app.test_client(), server, previous=booted(server)), game_ids, seed=99)

    db.session.remove()
    assert db.session.scalars(select(PlaySession).where(PlaySession.ended_at.is_(None))).all() == []
    for game in db.session.scalars(select(Game)):
        builds = db.session.scalars(select(Build.number).where(Build.game_id == game.id)).all()
        assert sorted(builds) == list(range(1, ROUNDS + 1)), "numbers without gaps or doubles"
        for server_id in ("srv-01", "srv-02", "srv-03", "srv-04", "srv-05"):
            rows = db.session.scalars(
                select(Replica)
                .where(Replica.game_id == game.id, Replica.server_id == server_id)
                .options(joinedload(Replica.build))
            ).all()
            assert is_plan_current(game.released_build_id, rows, keep_previous=1)
            wanted = [(row.build_id, row.phase) for row in rows if row.wanted]
            assert wanted == [(game.released_build_id, "cached")], f"{server_id} ends with the live build and no other"


def added(app: Flask, server_id: str) -> str:
    with app.app_context():
        return add_server(server_id, "sin", STUDIO)[1]


def booted(token: str) -> FleetAgent:
    """The agent whose boot the platform knows for the server with this token."""
    db.session.rollback()
    found = db.session.scalars(select(Server.boot_id).where(Server.token_hash == fingerprint(token))).one()
    known = FleetAgent(None, token)  # type: ignore[arg-type]  # only its boot id is of use
    known.boot_id = str(found)
    return known


def test_one_session_asked_for_by_many_threads_begins_once(app: Flask, cast: Cast, threads: ThreadPoolExecutor) -> None:
    game = new_game(cast.starlight.partner_id)
    build = new_build(game)
    token = cast.servers["srv-01"]
    FleetAgent(app.test_client(), token).report(
        {"gameId": game.id, "build": build.number, "phase": "cached", "bytesDone": 1}
    )
    game_id = game.id
    db.session.remove()
    answers = list(
        threads.map(lambda _: FleetAgent(app.test_client(), token).start(game_id, "s-one").status_code, range(16))
    )
    assert sorted(answers) == [200] * 15 + [201]


def test_one_server_name_given_twice_at_once_is_given_once(app: Flask, cast: Cast, threads: ThreadPoolExecutor) -> None:
    def add(_: int) -> str:
        with app.app_context():
            try:
                add_server("srv-77", "fra", STUDIO)
            except Conflict:
                return "taken"
            return "added"

    assert sorted(threads.map(add, range(6))) == ["added"] + ["taken"] * 5
