"""The history of a build on a server, as partners and operators see it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from app.data.database import writing
from app.data.models.game import Build
from app.data.models.server import ReplicaAttempt
from app.fleet.servers import retire_server
from tests.app.fleet.acting import FleetAgent, held, new_build, new_game
from tests.app.web.conftest import HTMX, ONE_DATABASE, Visitor
from tests.app.web.reading import plain, rows
from tests.conftest import CAST, Cast

pytestmark = ONE_DATABASE
SIZE = 30_000_000


@pytest.fixture
def build(cast: Cast) -> Build:
    return new_build(new_game(cast.starlight.partner_id, "paper-lanterns"), size=SIZE)


@pytest.fixture
def agent(client: FlaskClient, cast: Cast) -> FleetAgent:
    return FleetAgent(client, cast.servers["srv-01"])


@pytest.fixture
def tried_twice(agent: FleetAgent, build: Build) -> Build:
    """A build that was cached by the second attempt, at 1 MB/s."""
    agent.report(held(build, "downloading", attempt=1, source={"kind": "archive"}))
    reason = "disk full: <7.4 GiB> needed"
    agent.report(held(build, "failed", attempt=1, reason=reason, retryInSeconds=40))
    agent.report(held(build, "downloading", attempt=2, source={"kind": "pack"}))
    agent.report(held(build, "cached", source={"kind": "pack"}))
    with writing() as session:
        row = session.scalars(select(ReplicaAttempt).where(ReplicaAttempt.outcome == "cached")).one()
        assert row.ended_at is not None
        row.began_at = row.ended_at - timedelta(seconds=30)
    return build


def test_attempts_are_listed_newest_first_with_results_and_rates(owner: Visitor, tried_twice: Build) -> None:
    page = owner.get("/games/paper-lanterns/builds/1/servers/srv-01").text
    second, first = rows(page)
    assert second.startswith("2 ")
    assert "Cached The pack 28.6 MiB 977 KiB/s 30 s" in second
    assert first.startswith("1 ")
    assert "Failed: Disk full: <7.4 GiB> needed The archive 0 B —" in first
    assert "<7.9" not in page


def test_state_and_attempts_are_live(
    cast: Cast, signed_in: Callable[[str], Visitor], owner: Visitor, agent: FleetAgent, build: Build
) -> None:
    operator, address = signed_in(cast.operator), "/games/paper-lanterns/builds/1/servers/srv-01"
    pages = ((owner, address), (operator, f"/operator/servers/srv-01/builds/{build.id}"))
    assert owner.get(address).status_code == 200
    reason = "disk full: 7.4 GiB needed"
    agent.report(held(build, "downloading", attempt=1, source={"kind": "archive"}))
    agent.report(held(build, "failed", attempt=1, reason=reason, retryInSeconds=40))
    for visitor, place in pages:
        (poll,) = re.findall(r'data-poll="([^"]+)"', visitor.get(place).text)
        assert poll.startswith(f"{place}/parts?as_role=")
        shown = visitor.get(poll, headers=HTMX).text
        assert "Failed: Disk full: 7.4 GiB needed" in plain(shown)
        assert "csrf_token" not in shown, "all readers get the same bytes"
    parts = owner.get(f"{address}/parts", headers=HTMX).text
    assert set(re.findall(r'hx-swap-oob="morph" id="([^"]+)"', parts)) == {
        "replica-state",
        "replica-action",
        "replica-reason",
        "replica-facts",
        "attempts",
    }
    assert f'formaction="{address}/retries"' in parts
    assert "/retries" not in signed_in(cast.starlight.viewer).get(f"{address}/parts", headers=HTMX).text
    for visitor, place in pages:
        assert visitor.get(f"{place}/live".replace("srv-01", "srv-99")).status_code == 404


def test_a_build_that_was_not_tried_yet_says_so(owner: Visitor, build: Build) -> None:
    text = plain(owner.get("/games/paper-lanterns/builds/1/servers/srv-02").text)
    assert "No attempts yet. Each attempt of the server to fetch this build will be listed here" in text


def test_operators_reach_the_attempts_from_the_servers_page(
    cast: Cast, signed_in: Callable[[str], Visitor], owner: Visitor, tried_twice: Build
) -> None:
    operator = signed_in(cast.operator)
    address = f"/operator/servers/srv-01/builds/{tried_twice.id}"
    assert f'href="{address}"' in operator.get("/operator/servers/srv-01").text
    page = operator.get(address).text
    assert "paper-lanterns, build 1 on srv-01 A build of Starlight Studio" in plain(page)
    assert [line.partition(" ")[0] for line in rows(page)] == ["2", "1"]
    assert operator.get("/operator/servers/srv-01/builds/build_of_nobody").status_code == 404
    assert owner.get(address).status_code in {403, 404}
    retire_server("srv-01", CAST)
    assert operator.get(address).status_code == 404
