"""The history of a build on a server, as partners and operators see it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from app.data.database import announce, writing
from app.data.models.game import Build
from app.data.models.server import Replica, ReplicaAttempt
from app.fleet.servers import pause_server, retire_server
from app.topics.names import FLEET_TOPIC
from tests.app.fleet.acting import FleetAgent, held, new_build, new_game
from tests.app.web.conftest import HTMX, ONE_DATABASE, Visitor
from tests.app.web.reading import plain, rows
from tests.conftest import CAST, Cast

pytestmark = ONE_DATABASE
SIZE = 30_000_000
PAGE = "/games/paper-lanterns/builds/1/servers/srv-01"


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
    page = owner.get(PAGE).text
    second, first = rows(page)
    assert second.startswith("2 ")
    assert "Cached The pack 28.6 MiB 977 KiB/s 30 s" in second
    assert first.startswith("1 ")
    assert "Failed: Disk full: <7.4 GiB> needed The archive 0 B —" in first
    assert "<7.9" not in page


def test_state_and_attempts_are_live(
    cast: Cast, signed_in: Callable[[str], Visitor], owner: Visitor, agent: FleetAgent, build: Build
) -> None:
    operator, address = signed_in(cast.operator), PAGE
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
    theirs = operator.get(f"/operator/servers/srv-01/builds/{build.id}/parts", headers=HTMX).text
    parts_of = re.compile(r'hx-swap-oob="morph" id="([^"]+)"')
    assert parts_of.findall(theirs) == parts_of.findall(parts)
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


def test_operators_see_the_state_and_all_facts_that_the_partner_sees_and_can_retry(
    cast: Cast, signed_in: Callable[[str], Visitor], owner: Visitor, agent: FleetAgent, build: Build
) -> None:
    operator, address = signed_in(cast.operator), f"/operator/servers/srv-01/builds/{build.id}"
    agent.report(held(build, "failed", attempt=2, reason="disk full: 7.4 GiB needed", retryInSeconds=3000))
    page = operator.get(address).text
    assert "Retrying 2 of 5: paper-lanterns, build 1 on srv-01" in page
    theirs, own = (plain(each.get(place).text) for each, place in ((owner, PAGE), (operator, address)))
    facts = re.search(r"State since.*Attempts", theirs)
    assert facts
    assert facts[0] in own
    for words in ("Disk full: 7.4 GiB needed", "“Retry now” starts a retry at once.", "Next try", "Attempt 2"):
        assert words in own
    assert f'formaction="{address}/retries"' in page

    answer = operator.post(f"{address}/retries")
    assert (answer.status_code, answer.location) == (303, address)
    page = operator.get(address).text
    assert "srv-01 retries build 1 of paper-lanterns now" in plain(page)
    assert "Next try" not in plain(page)
    (line,) = [line for line in rows(operator.get("/operator/audit").text) if "Retried" in line]
    assert "paper-lanterns, build 1 on srv-01" in line
    assert owner.post(f"{address}/retries").status_code in {403, 404}


def test_operators_see_which_build_of_others_a_queued_one_waits_for(
    cast: Cast, signed_in: Callable[[str], Visitor], owner: Visitor, agent: FleetAgent, build: Build
) -> None:
    others = new_build(new_game(cast.moonbase.partner_id, "sea-of-rain"), size=SIZE)
    agent.report(held(others, "downloading"), held(build, "pending"))
    operator = signed_in(cast.operator)
    assert "Next after sea-of-rain 1" in plain(operator.get(f"/operator/servers/srv-01/builds/{build.id}").text)
    assert "Next after another game" in plain(owner.get(PAGE).text)


def test_operators_also_open_builds_that_a_server_removed_long_ago(
    cast: Cast, signed_in: Callable[[str], Visitor], owner: Visitor, agent: FleetAgent, build: Build
) -> None:
    agent.report(held(build, "cached"))
    with writing() as session:
        chosen = (Replica.build_id == build.id, Replica.server_id == "srv-01")
        session.scalars(select(Replica).where(*chosen)).one().phase = "removed"
        announce(FLEET_TOPIC)
    page = plain(signed_in(cast.operator).get(f"/operator/servers/srv-01/builds/{build.id}").text)
    assert "Copy removed" in page
    assert "Removed by srv-01, which keeps the live build" in page


def test_a_paused_server_says_so_instead_of_a_retry_that_does_not_come(
    cast: Cast, signed_in: Callable[[str], Visitor], owner: Visitor, agent: FleetAgent, build: Build
) -> None:
    agent.report(held(build, "failed", attempt=2, reason="disk full: 7.4 GiB needed", retryInSeconds=3000))
    pause_server("srv-01", True, CAST)
    operator, address = signed_in(cast.operator), f"/operator/servers/srv-01/builds/{build.id}"
    for visitor, place in ((owner, PAGE), (operator, address)):
        page = visitor.get(place).text
        assert "The downloads of the server are paused. It retries when an operator resumes them." in plain(page)
        assert "retries automatically" not in plain(page)
        assert "Next try" not in plain(page)
        assert "/retries" not in page
        refused = visitor.post(f"{place}/retries")
        assert refused.status_code == 409
        assert (
            "The downloads of 'srv-01' are paused. Failed builds are retried at once when they are resumed."
            in plain(refused.text)
        )
    cell = plain(owner.get("/games/paper-lanterns").text)
    assert "Retrying 2 of 5 downloads paused" in cell
    assert "Retry, " not in cell
