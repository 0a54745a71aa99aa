"""Which run of an agent may speak for a server: boots, sequences, and two agents on one token."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask.testing import FlaskClient

from app.database import writing
from app.extensions import db
from app.fleet.reports import CONTACT_SECONDS
from app.models import Game, Server
from tests.conftest import Cast
from tests.fleet.acting import FleetAgent, held, last_heard, new_build, phase


def server() -> Server:
    db.session.rollback()
    found = db.session.get_one(Server, "srv-01", populate_existing=True)
    assert isinstance(found, Server)
    return found


@pytest.fixture
def token(cast: Cast) -> str:
    return cast.servers["srv-01"]


def test_a_report_says_how_the_server_is(agent: FleetAgent) -> None:
    receipt = agent.report(
        health={"status": "ok", "containers": 2, "cpu_percent": 42.5, "memory_percent": 58.3, "disk_percent": 35.2},
        disk={"totalBytes": 10**13, "freeBytes": 5 * 10**12, "floorBytes": 2**31},
        bytesPerSecond=10**9,
        agentVersion="1.2.3",
    )
    assert receipt == {
        "accepted": True,
        "planVersion": agent.plan()["version"],
        "reportAfterSeconds": 10,
        "ignoredSessions": [],
    }
    found = server()
    assert (found.boot_id, found.sequence, found.agent_version) == (agent.boot_id, 1, "1.2.3")
    assert (found.health_status, found.containers, found.cpu_percent) == ("ok", 2, 42.5)
    assert (found.memory_percent, found.disk_percent) == (58.3, 35.2)
    assert (found.disk_total_bytes, found.disk_free_bytes, found.disk_floor_bytes) == (10**13, 5 * 10**12, 2**31)
    assert found.bytes_per_second == 10**9


@pytest.mark.parametrize("moving", ["downloading", "verifying", "evicting"])
def test_a_server_on_which_something_moves_is_asked_to_report_every_second(
    agent: FleetAgent, game: Game, moving: str
) -> None:
    build = new_build(game)
    assert agent.report(held(build, moving))["reportAfterSeconds"] == 1
    assert agent.report(held(build, "cached"))["reportAfterSeconds"] == 10


def test_an_older_report_of_the_same_boot_changes_nothing(agent: FleetAgent, game: Game) -> None:
    build = new_build(game)
    late = agent.document(held(build, "downloading"))
    agent.report(held(build, "cached"))
    for document in (late, late | {"sequence": agent.sequence}):
        answer = agent.send(document)
        assert (answer.status_code, answer.get_json()["accepted"]) == (200, False)
    assert phase(build, "srv-01") == "cached"
    assert server().sequence == agent.sequence


def test_a_restarted_agent_that_names_the_boot_before_is_taken_at_once(
    client: FlaskClient, agent: FleetAgent, token: str
) -> None:
    for _ in range(5):
        agent.report()
    after = FleetAgent(client, token, previous=agent)
    assert after.report()["accepted"] is True
    assert (server().boot_id, server().sequence) == (after.boot_id, 1)


def test_two_live_agents_on_one_token_are_refused_and_noted(
    client: FlaskClient, agent: FleetAgent, token: str, game: Game
) -> None:
    build = new_build(game)
    agent.report(held(build, "cached"))
    second = FleetAgent(client, token)

    answer = second.send(second.document())

    assert (answer.status_code, answer.get_json()["error"]) == (409, "two_agents")
    assert "srv-01" in answer.get_json()["message"]
    found = server()
    assert (found.boot_id, found.conflict_boot_id) == (agent.boot_id, second.boot_id)
    assert found.conflict_at is not None
    assert phase(build, "srv-01") == "cached", "what the second one says is not taken"
    assert agent.report(held(build, "cached"))["accepted"] is True, "the first one is not disturbed"


def test_an_agent_that_names_a_boot_from_long_ago_is_a_second_one(
    client: FlaskClient, agent: FleetAgent, token: str
) -> None:
    agent.report()
    successor = FleetAgent(client, token, previous=agent)
    successor.report()
    clone = FleetAgent(client, token, previous=agent)
    assert clone.send(clone.document()).status_code == 409
    assert agent.send(agent.document()).status_code == 409, "nor may the one that was replaced come back"


def test_an_agent_that_said_goodbye_is_followed_by_anybody(client: FlaskClient, agent: FleetAgent, token: str) -> None:
    agent.report(stopping=True)
    assert server().stopping is True
    fresh = FleetAgent(client, token)
    assert fresh.report()["accepted"] is True
    assert server().stopping is False


def test_a_reinstalled_agent_is_let_in_after_thirty_seconds_of_silence(
    client: FlaskClient, agent: FleetAgent, token: str
) -> None:
    agent.report()
    reinstalled = FleetAgent(client, token)
    assert reinstalled.send(reinstalled.document()).status_code == 409
    last_heard("srv-01", CONTACT_SECONDS / 2)
    assert reinstalled.send(reinstalled.document()).status_code == 409
    last_heard("srv-01", CONTACT_SECONDS + 1)
    assert reinstalled.report()["accepted"] is True
    assert server().boot_id == reinstalled.boot_id


def test_a_refused_agent_does_not_keep_the_first_one_alive(client: FlaskClient, agent: FleetAgent, token: str) -> None:
    agent.report()
    last_heard("srv-01", CONTACT_SECONDS / 2)
    spoken = server().last_report_at
    second = FleetAgent(client, token)
    assert second.send(second.document()).status_code == 409
    assert server().last_report_at == spoken


def test_the_note_of_a_second_agent_is_forgotten_when_it_stayed_away(
    client: FlaskClient, agent: FleetAgent, token: str
) -> None:
    agent.report()
    second = FleetAgent(client, token)
    second.send(second.document())
    agent.report(stopping=False, bytesPerSecond=1)
    assert server().conflict_at is not None
    with writing():
        found = server()
        assert found.conflict_at is not None
        found.conflict_at -= timedelta(minutes=6)
    last_heard("srv-01", 5)
    agent.report()
    assert (server().conflict_at, server().conflict_boot_id) == (None, None)
