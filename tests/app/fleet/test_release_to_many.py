"""A release to many servers: rows in bulk, and plans that cost little, whatever the number of servers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, insert, select

from app.catalog.releasing import release
from app.data.database import writing
from app.data.extensions import db
from app.data.models.base import new_id
from app.data.models.game import Build, Game
from app.data.models.pack import BuildPack, PackUpdate
from app.data.models.server import Replica, Server
from app.fleet.active_servers import active_servers
from app.fleet.rollout_summaries import summaries
from app.fleet.server_plan import URL_LIFETIME
from app.fleet.servers import add_server
from app.storage.bucket import bucket
from app.topics.names import plan_topic
from app.topics.versions import stored_version
from tests.app.fleet.acting import STUDIO, FleetAgent, held, last_heard, new_build, new_game
from tests.conftest import Cast

pytestmark = pytest.mark.both_databases


@contextmanager
def round_trips() -> Iterator[list[str]]:
    """What is sent to the database; a statement for many rows counts once."""
    sent: list[str] = []

    def note(_: Any, __: Any, text: str, *___: Any) -> None:
        sent.append(text)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(db.engine, "before_cursor_execute", note)


def add_servers(count: int) -> list[str]:
    names = [f"bulk-{number:03}" for number in range(count)]
    with writing() as session:
        session.execute(insert(Server), [{"id": name, "token_hash": new_id("hash")} for name in names])
    return names


def staged(partner_id: str) -> tuple[Game, Build]:
    game = new_game(partner_id, auto_release=False)
    return game, new_build(game)


def test_a_release_to_fifty_servers_takes_as_many_statements_as_to_three(cast: Cast) -> None:
    def statements() -> list[str]:
        game, build = staged(cast.starlight.partner_id)
        with round_trips() as sent:
            release(game, build.number, STUDIO)
        return list(sent)

    few = statements()
    names = add_servers(47)
    many = statements()

    assert len(many) == len(few)
    assert sum(text.startswith("INSERT INTO replicas") for text in many) == 1
    assert not any("FROM replicas" in text and "builds.sha256" in text for text in many), "each build is loaded once"
    rows = db.session.scalars(select(Replica).where(Replica.server_id.in_(names))).all()
    assert {(row.phase, row.wanted, row.bytes_done) for row in rows} == {("pending", True, 0)}
    assert len(rows) == len(names)
    assert all(stored_version(plan_topic(name)) for name in names), "each server's plan has changed"


def test_a_new_server_gets_fifty_builds_in_as_many_statements_as_three(cast: Cast) -> None:
    def statements(server_id: str) -> int:
        with round_trips() as sent:
            add_server(server_id, "fra", STUDIO)
        return len(sent)

    for _ in range(3):
        new_build(new_game(cast.starlight.partner_id))
    few = statements("srv-04")
    for _ in range(27):
        new_build(new_game(cast.starlight.partner_id))

    assert statements("srv-05") == few
    rows = db.session.scalars(select(Replica.wanted).where(Replica.server_id == "srv-05")).all()
    assert rows == [True] * 30


def test_a_plan_of_many_builds_takes_one_statement_and_another_for_updates(agent: FleetAgent, cast: Cast) -> None:
    def statements() -> int:
        agent.plan()  # the statements are compiled
        with round_trips() as sent:
            agent.plan()
        return len(sent)

    with_pack(new_build(new_game(cast.starlight.partner_id)))
    few = statements()
    for _ in range(12):
        with_pack(new_build(new_game(cast.starlight.partner_id)))

    assert statements() == few == 2, "the server by its token, and its plan"
    assert len(agent.plan()["builds"]) == 13

    game = new_game(cast.starlight.partner_id)
    first = new_build(game)
    with_pack(first)
    agent.report(held(first, "cached"))
    with_pack(new_build(game), first)
    assert statements() == 3


def with_pack(build: Build, source: Build | None = None) -> None:
    """The pack of a build is ready, and so is the update from `source`."""
    sizes = {"pack_bytes": 100, "index_bytes": 10, "index_size": 20, "index_sha256": "ab" * 32}
    update = {"delta_bytes": 3, "patch_bytes": 5, "patch_sha256": "cd" * 32, "fetched_bytes": 7}
    folder = f"packs/{build.id}"
    with writing() as session:
        session.merge(BuildPack(build_id=build.id, state="ready", folder=folder, **sizes))
        if source is not None:
            session.flush()
            session.add(PackUpdate(build_id=build.id, from_build_id=source.id, folder=folder, **update))


def test_each_server_is_offered_updates_from_the_builds_that_it_holds(
    client: FlaskClient, agent: FleetAgent, game: Game, cast: Cast
) -> None:
    other = FleetAgent(client, cast.servers["srv-02"])
    first = new_build(game)
    with_pack(first)
    agent.report(held(first, "cached"))
    second = new_build(game)
    with_pack(second, first)

    def updates(of: FleetAgent) -> list[tuple[int, int]]:
        (pack,) = [build["pack"] for build in of.plan()["builds"] if build["build"] == second.number]
        return [(update["build"], update["bytes"]) for update in pack["updates"]]

    assert updates(agent) == [(first.number, 3 + 5 + 7)]
    assert updates(other) == []


def test_servers_that_ask_within_a_minute_get_the_same_address(
    client: FlaskClient, agent: FleetAgent, game: Game, cast: Cast
) -> None:
    new_build(game)

    def address(of: FleetAgent) -> str:
        url: str = of.plan()["builds"][0]["archiveUrl"]
        return url

    first = address(agent)
    assert address(FleetAgent(client, cast.servers["srv-02"])) == first
    lifetime = timedelta(seconds=int(parse_qs(urlsplit(first).query)["X-Amz-Expires"][0]))
    assert lifetime >= URL_LIFETIME + timedelta(minutes=1), "the last server that gets it has all of the lifetime too"

    kept = bucket()._agent_urls
    for key, shared in kept.items():
        kept[key] = replace(shared, until=0.0)
    address(agent)
    assert all(shared.until > 0 for shared in kept.values()), "after the minute it is signed again"


@pytest.mark.parametrize("max_states", [40, 1])
def test_the_database_counts_the_states_that_the_rows_have(
    app: Flask, client: FlaskClient, agent: FleetAgent, game: Game, cast: Cast, max_states: int
) -> None:
    """Every state, on servers in contact, without contact, and without a row."""
    build = new_build(game)
    other = FleetAgent(client, cast.servers["srv-02"])
    for number, (phase, attempt) in enumerate(
        [("cached", 0), ("failed", 2), ("failed", 9), ("evicting", 0), ("downloading", 0), ("verifying", 0)]
    ):
        name = f"bulk-{number}"
        token = add_server(name, "fra", STUDIO)[1]
        FleetAgent(client, token).report(held(build, phase, attempt=attempt, reason="x" if attempt else None))
    add_server("bulk-new", "fra", STUDIO)
    agent.report(held(build, "cached"))
    last_heard("srv-01", 3600)
    other.report()
    with writing() as session:
        session.delete(session.scalars(select(Replica).where(Replica.server_id == "srv-02")).one())
        session.scalars(select(Replica).where(Replica.server_id == "srv-03")).one().phase = "removed"

    waiting = new_game(cast.starlight.partner_id)
    found = summaries([game, waiting], active_servers(), max_states)
    assert found[game.id].counts == {
        "cached": 1,
        "retrying": 1,
        "failed": 1,
        "removing": 1,
        "downloading": 1,
        "verifying": 1,
        "no_contact": 1,
        "not_sent": 1,
        "not_started": 1,
        "removed": 1,
    }
    assert bool(found[game.id].states) == (max_states == 40)
    assert found[waiting.id].counts == {}
