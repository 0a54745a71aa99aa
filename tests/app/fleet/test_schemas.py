"""What agents may not say: every refusal names the field and the rule, and changes nothing."""

from __future__ import annotations

from typing import Any

import pytest

from app.data.extensions import db
from app.data.models.game import Build, Game
from app.data.models.server import Server
from tests.app.fleet.acting import DISK, HEALTH, SELF, FleetAgent, held, new_build
from tests.conftest import bearer

# Nothing here touches what differs between the databases.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def build(game: Game) -> Build:
    return new_build(game)


def refused(agent: FleetAgent, document: Any, field: str) -> str:
    """Send it, insist on the refusal and that nothing was taken; returns the message."""
    answer = agent.send(document)
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_request"), answer.text
    message: str = answer.get_json()["message"]
    assert field in message
    db.session.rollback()
    assert db.session.get_one(Server, "srv-01", populate_existing=True).last_report_at is None
    return message


@pytest.mark.parametrize("missing", ["bootId", "sequence", "health", "disk"])
def test_what_every_report_must_hold(agent: FleetAgent, missing: str) -> None:
    document = agent.document()
    del document[missing]
    assert refused(agent, document, missing) == f"{missing} is required"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("bootId", ""),
        ("bootId", "a b"),
        ("bootId", "x" * 65),
        ("bootId", 7),
        ("previousBootId", "a/b"),
        ("sequence", -1),
        ("sequence", "1"),
        ("sequence", 1.5),
        ("sequence", 2**63),
        ("agentVersion", "9" * 41),
        ("agentVersion", "a\x00b"),
        ("stopping", "yes"),
        ("bytesPerSecond", -1),
        ("builds", {}),
        ("sessions", "none"),
        ("health", None),
    ],
)
def test_values_that_make_no_sense(agent: FleetAgent, field: str, value: object) -> None:
    refused(agent, agent.document() | {field: value}, field)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("status", "fine"),
        ("containers", -1),
        ("containers", "2"),
        ("cpu_percent", -0.1),
        ("memory_percent", 100.5),
        ("disk_percent", None),
    ],
)
def test_health_that_cannot_be(agent: FleetAgent, field: str, value: object) -> None:
    refused(agent, agent.document() | {"health": HEALTH | {field: value}}, f"health.{field}")


@pytest.mark.parametrize("field", ["totalBytes", "freeBytes", "floorBytes"])
def test_a_disk_without_a_size(agent: FleetAgent, field: str) -> None:
    refused(agent, agent.document() | {"disk": DISK | {field: -1}}, f"disk.{field}")
    refused(agent, agent.document() | {"disk": {name: 1 for name in DISK if name != field}}, f"disk.{field}")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("phase", "lost"),
        ("build", 0),
        ("build", "1"),
        ("gameId", "a/b"),
        ("bytesDone", -1),
        ("bytesTotal", 2**70),
        ("bytesPerSecond", "fast"),
        ("attempt", -1),
        ("reason", "x" * 2001),
        ("retryInSeconds", -1),
        ("retryInSeconds", "soon"),
    ],
)
def test_a_build_that_cannot_be(agent: FleetAgent, build: Build, field: str, value: object) -> None:
    fine = held(build, "cached")
    refused(agent, agent.document(fine, fine | {field: value}), f"builds[1].{field}")


@pytest.mark.parametrize(
    ("field", "value"), [("id", "a b"), ("gameId", None), ("build", 0), ("startedAt", "yesterday"), ("startedAt", 5)]
)
def test_a_session_that_cannot_be(agent: FleetAgent, build: Build, field: str, value: object) -> None:
    session = {"id": "s1", "gameId": build.game_id, "build": 1, "startedAt": "2026-01-01T00:00:00Z", field: value}
    refused(agent, agent.document(sessions=[session]), f"sessions[0].{field}")


def test_a_time_without_a_zone_is_refused_and_not_a_fault_of_ours(agent: FleetAgent, build: Build) -> None:
    session = {"id": "s1", "gameId": build.game_id, "build": 1, "startedAt": "2026-01-01T00:00:00"}
    refused(agent, agent.document(sessions=[session]), "sessions[0].startedAt")


def test_fields_of_a_later_protocol_are_ignored(agent: FleetAgent, build: Build) -> None:
    answer = agent.send(agent.document(held(build, "cached", colour="red"), weather="fine"))
    assert answer.status_code == 200


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"text"', b"\xff\xfe"])
def test_a_body_that_is_no_object(agent: FleetAgent, body: bytes) -> None:
    headers = bearer(agent.token) | {"Content-Type": "application/json"}
    answer = agent.client.post(f"{SELF}/reports", data=body, headers=headers)
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_request")


def test_a_report_over_one_mebibyte_is_refused(agent: FleetAgent) -> None:
    headers = bearer(agent.token) | {"Content-Type": "application/json"}
    answer = agent.client.post(f"{SELF}/reports", data=b" " * (1024**2 + 1), headers=headers)
    assert (answer.status_code, answer.get_json()["error"]) == (413, "payload_too_large")


def test_a_form_is_no_report(agent: FleetAgent) -> None:
    answer = agent.client.post(f"{SELF}/reports", data={"bootId": "b"}, headers=bearer(agent.token))
    assert (answer.status_code, answer.get_json()["error"]) == (415, "unsupported_media_type")


def test_a_session_request_without_a_game(agent: FleetAgent) -> None:
    answer = agent.client.post(f"{SELF}/sessions", json={}, headers=bearer(agent.token))
    assert (answer.status_code, answer.get_json()["message"]) == (400, "gameId is required")


@pytest.mark.parametrize(("method", "path"), [("POST", "reports"), ("POST", "sessions"), ("DELETE", "sessions/s1")])
def test_strangers_may_say_nothing(agent: FleetAgent, method: str, path: str) -> None:
    for headers in ({}, bearer("srv_wrong"), {"Authorization": f"Basic {agent.token}"}):
        answer = agent.client.open(f"{SELF}/{path}", method=method, json={}, headers=headers)
        assert (answer.status_code, answer.get_json()["error"]) == (401, "unauthorized")
