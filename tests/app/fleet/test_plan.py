"""GET /api/servers/self/plan: what to hold, what to evict, and waiting for news of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import QueuePool, update
from sqlalchemy.orm import Session

from app.catalog.releasing import release
from app.data.extensions import db
from app.data.models.audit_record import Topic
from app.data.models.base import now
from app.data.models.game import Game
from app.fleet import server_plan
from app.fleet.replicas import retry_now
from app.fleet.servers import pause_server, retire_server, roll_token
from app.limits import thread_budgets
from app.topics import event_hub
from app.topics.event_hub import hub
from app.topics.names import plan_topic
from tests.app.fleet.acting import SELF, STUDIO, FleetAgent, held, new_build, new_game
from tests.app.runtime.processes import wait_until
from tests.conftest import Cast, bearer

WAIT = 20.0  # seconds; what is answered sooner was not waited for, however busy the machine


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(64) as pool:
        yield pool
        hub.stop()


@pytest.fixture
def no_reread(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub does not look into the database by itself: news that arrives was told."""
    monkeypatch.setattr(event_hub, "REREAD_SECONDS", 600.0)


def poll(app: Flask, token: str, since: int, wait: float = WAIT) -> tuple[dict[str, Any], float]:
    """A waiting poll from a thread of its own: the plan, and the seconds it took."""
    begun = time.monotonic()
    plan = FleetAgent(app.test_client(), token).plan(since=since, wait=wait)
    return plan, time.monotonic() - begun


def waiting(app: Flask, threads: ThreadPoolExecutor, token: str, since: int) -> Future[tuple[dict[str, Any], float]]:
    """A poll that has begun to wait."""
    before = thread_budgets.waiting_polls.in_use
    future = threads.submit(poll, app, token, since)
    wait_until(lambda: thread_budgets.waiting_polls.in_use > before, 30, "the poll is waiting")
    return future


def test_a_server_without_builds_has_an_empty_plan(agent: FleetAgent) -> None:
    plan = agent.plan()
    assert plan == {
        "version": plan["version"],
        "server": {"id": "srv-01"},
        "pollAfterSeconds": 0,
        "builds": [],
        "evict": [],
    }


def test_a_released_build_is_in_the_plan_with_all_that_is_needed_to_fetch_it(agent: FleetAgent, game: Game) -> None:
    build = new_build(game, size=5000)

    (planned,) = agent.plan()["builds"]

    url = urlsplit(planned.pop("archiveUrl"))
    expires = datetime.strptime(planned.pop("urlExpiresAt"), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert url.path.endswith(build.object_key)
    assert "X-Amz-Signature" in parse_qs(url.query)
    assert timedelta(hours=11) < expires - now() <= timedelta(hours=12)
    assert planned == {
        "gameId": game.id,
        "slug": "paper-lanterns",
        "build": 1,
        "size": 5000,
        "checksum": f"sha256:{build.sha256}",
        "unpackedBytes": 15000,
        "topDirectory": "PaperLanterns-1.0",
        "launcher": "paper-lanterns.sh",
        "active": True,
        "retry": 0,
        "keep": False,
        "pack": None,
    }


def test_a_plan_is_for_nobodys_cache(client: FlaskClient, cast: Cast) -> None:
    answer = client.get(f"{SELF}/plan", headers=bearer(cast.servers["srv-01"]))
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("secret", [None, "srv_wrong", ""])
def test_strangers_get_no_plan(client: FlaskClient, cast: Cast, secret: str | None) -> None:
    answer = client.get(f"{SELF}/plan", headers=bearer(secret) if secret is not None else {})
    assert (answer.status_code, answer.get_json()["error"]) == (401, "unauthorized")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_partners_key_is_no_servers_token(client: FlaskClient, cast: Cast) -> None:
    assert client.get(f"{SELF}/plan", headers=bearer(cast.starlight.key)).status_code == 401


def test_a_rolled_token_and_a_retired_server_are_strangers(client: FlaskClient, cast: Cast) -> None:
    new_token = roll_token("srv-01", STUDIO)
    assert client.get(f"{SELF}/plan", headers=bearer(cast.servers["srv-01"])).status_code == 401
    assert client.get(f"{SELF}/plan", headers=bearer(new_token)).status_code == 200
    retire_server("srv-02", STUDIO)
    assert client.get(f"{SELF}/plan", headers=bearer(cast.servers["srv-02"])).status_code == 401


@pytest.mark.parametrize(
    ("query", "named"),
    [("since=x", "since"), ("since=-1", "since"), ("wait=26", "wait"), ("wait=-1", "wait"), ("wait=soon", "wait")],
)
def test_what_cannot_be_waited_for_is_refused(client: FlaskClient, cast: Cast, query: str, named: str) -> None:
    answer = client.get(f"{SELF}/plan?{query}", headers=bearer(cast.servers["srv-01"]))
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_request")
    assert answer.get_json()["message"].startswith(named)


def test_every_release_changes_the_version(agent: FleetAgent, game: Game) -> None:
    versions = [agent.plan()["version"]]
    for _ in range(3):
        new_build(game)
        versions.append(agent.plan()["version"])
    assert len(set(versions)) == 4
    assert agent.plan()["version"] == versions[-1]


def test_an_older_version_is_answered_at_once(app: Flask, agent: FleetAgent, game: Game) -> None:
    before = agent.plan()["version"]
    new_build(game)
    plan, seconds = poll(app, agent.token, before)
    assert [build["build"] for build in plan["builds"]] == [1]
    assert seconds < WAIT


def test_nothing_new_is_answered_when_the_wait_is_over(app: Flask, agent: FleetAgent) -> None:
    version = agent.plan()["version"]
    plan, seconds = poll(app, agent.token, version, wait=0.3)
    assert (plan["version"], plan["pollAfterSeconds"]) == (version, 0)
    assert 0.3 <= seconds < WAIT


def test_without_a_wait_the_same_version_is_answered_at_once(app: Flask, agent: FleetAgent) -> None:
    version = agent.plan()["version"]
    _, seconds = poll(app, agent.token, version, wait=0)
    assert seconds < WAIT


def test_a_release_wakes_a_waiting_poll_at_once(
    app: Flask, threads: ThreadPoolExecutor, agent: FleetAgent, game: Game, no_reread: None
) -> None:
    future = waiting(app, threads, agent.token, agent.plan()["version"])
    new_build(game)
    plan, seconds = future.result(15)
    assert seconds < WAIT, "woken, and not because the wait was over"
    assert [build["build"] for build in plan["builds"]] == [1]


@pytest.mark.slow
def test_a_change_that_another_process_wrote_wakes_a_waiting_poll_within_moments(
    app: Flask, threads: ThreadPoolExecutor, agent: FleetAgent
) -> None:
    future = waiting(app, threads, agent.token, agent.plan()["version"])
    with Session(db.engine) as session:  # as another process would: nothing tells this one's hub
        session.execute(
            update(Topic).where(Topic.name == plan_topic("srv-01")).values(version=Topic.version + 1, changed_at=now())
        )
        session.commit()
    plan, seconds = future.result(15)
    assert seconds < WAIT
    assert plan["version"] > 0


def test_a_poll_of_another_server_sleeps_on(
    app: Flask, threads: ThreadPoolExecutor, agent: FleetAgent, cast: Cast, game: Game
) -> None:
    build = new_build(game)
    other = FleetAgent(app.test_client(), cast.servers["srv-02"])
    future = waiting(app, threads, other.token, other.plan()["version"])
    retry_now(game.id, build.number, "srv-01", STUDIO)
    assert agent.plan()["builds"][0]["retry"] == 1
    assert not future.done()


@pytest.mark.settings(SLIPWAY_WAITING_POLLS="2")
def test_a_poll_without_a_place_is_told_when_to_come_again(
    app: Flask, threads: ThreadPoolExecutor, agent: FleetAgent, game: Game
) -> None:
    version = agent.plan()["version"]
    held_polls = [waiting(app, threads, agent.token, version) for _ in range(2)]
    plan, seconds = poll(app, agent.token, version)
    assert plan["pollAfterSeconds"] > 0
    assert seconds < WAIT
    new_build(game)  # and those that wait are not disturbed
    assert all(future.result(15)[0]["pollAfterSeconds"] == 0 for future in held_polls)
    assert thread_budgets.waiting_polls.in_use == 0


def test_one_token_cannot_take_the_places_of_all_servers(
    app: Flask, threads: ThreadPoolExecutor, agent: FleetAgent, cast: Cast, game: Game
) -> None:
    other, version = FleetAgent(app.test_client(), cast.servers["srv-02"]), agent.plan()["version"]
    futures = [waiting(app, threads, agent.token, version) for _ in range(4)]
    plan, seconds = poll(app, agent.token, version)
    assert plan["pollAfterSeconds"] > 0
    assert seconds < WAIT
    futures.append(waiting(app, threads, other.token, other.plan()["version"]))
    new_build(game)
    assert all(future.result(15)[0]["pollAfterSeconds"] == 0 for future in futures)
    plan, _ = poll(app, agent.token, version)
    assert plan["pollAfterSeconds"] == 0, "all places were given back"


@pytest.mark.settings(SLIPWAY_WAITING_POLLS="64")
def test_waiting_polls_hold_no_database_connection(
    app: Flask, threads: ThreadPoolExecutor, agent: FleetAgent, game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_plan, "MAX_POLLS", 64)
    version = agent.plan()["version"]
    db.session.rollback()
    pool = db.engine.pool
    assert isinstance(pool, QueuePool)
    futures = [threads.submit(poll, app, agent.token, version) for _ in range(60)]  # more than the pool's 48
    wait_until(lambda: thread_budgets.waiting_polls.in_use == 60, 20, "60 polls are waiting")
    wait_until(lambda: pool.checkedout() == 0, 30, "no connection is held")
    new_build(game)
    assert {future.result(20)[0]["builds"][0]["build"] for future in futures} == {1}


def test_polls_end_at_once_when_the_process_stops(app: Flask, threads: ThreadPoolExecutor, agent: FleetAgent) -> None:
    future = waiting(app, threads, agent.token, agent.plan()["version"])
    hub.stop()
    plan, seconds = future.result(15)
    assert seconds < WAIT
    assert plan["pollAfterSeconds"] > 0, "an agent that asked again at once would ask in a circle"


def test_retry_by_hand_reaches_the_waiting_agent(
    app: Flask, threads: ThreadPoolExecutor, agent: FleetAgent, game: Game
) -> None:
    build = new_build(game)
    agent.report(held(build, "failed", attempt=4, reason="disk full", retryInSeconds=300))
    future = waiting(app, threads, agent.token, agent.plan()["version"])
    retry_now(game.id, build.number, "srv-01", STUDIO)
    plan, _ = future.result(15)
    assert [(planned["build"], planned["retry"]) for planned in plan["builds"]] == [(1, 1)]


def test_a_paused_server_keeps_what_it_has_and_fetches_nothing(agent: FleetAgent, game: Game) -> None:
    first, other = new_build(game), new_game(game.partner_id)
    agent.report(held(first, "cached"))
    new_build(other)
    pause_server("srv-01", True, STUDIO)
    second = new_build(game)
    assert [(b["gameId"], b["build"]) for b in agent.plan()["builds"]] == [(game.id, 1)]
    assert agent.plan()["evict"] == []

    pause_server("srv-01", False, STUDIO)
    planned = {(b["gameId"], b["build"]) for b in agent.plan()["builds"]}
    assert planned == {(game.id, 1), (game.id, 2), (other.id, 1)}
    agent.report(held(first, "cached"), held(second, "cached"))
    pause_server("srv-01", True, STUDIO)
    assert agent.plan()["evict"] == [], "what a paused server holds is not evicted"
    assert {b["build"] for b in agent.plan()["builds"]} == {1, 2}


def test_the_plan_names_the_release_of_each_game_as_active(agent: FleetAgent, game: Game, cast: Cast) -> None:
    first = new_build(game)
    agent.report(held(first, "cached"))
    second = new_build(game)
    assert agent.wanted() == [(1, False), (2, True)]
    release(game, 1, STUDIO)
    assert agent.wanted() == [(1, True)]
    assert agent.evictions() == []  # nothing of build 2 ever reached the server
    assert second.number == 2
