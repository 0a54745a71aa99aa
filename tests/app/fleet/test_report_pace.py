"""Under load, servers report less often, but never so rarely that they seem to be away."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from app.fleet.contact import BUSY_SECONDS, CONTACT_SECONDS, IDLE_SECONDS, MAX_REPORT_SECONDS, report_after
from app.limits import thread_budgets
from tests.app.fleet.acting import FleetAgent
from tests.conftest import Cast


@pytest.mark.parametrize("seconds", [BUSY_SECONDS, IDLE_SECONDS])
def test_the_time_between_reports_grows_with_the_load(seconds: int) -> None:
    paces = [report_after(seconds, load / 20) for load in range(41)]
    assert paces[:11] == [seconds] * 11, "up to half load nothing changes"
    assert paces == sorted(paces)
    assert seconds < paces[15] < MAX_REPORT_SECONDS
    assert set(paces[20:]) == {MAX_REPORT_SECONDS}
    assert MAX_REPORT_SECONDS < CONTACT_SECONDS


def test_a_busy_process_tells_its_agents(client: FlaskClient, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = FleetAgent(client, cast.servers["srv-01"])
    assert agent.report()["reportAfterSeconds"] == IDLE_SECONDS
    monkeypatch.setattr(thread_budgets.calls, "in_use", thread_budgets.calls.limit)
    assert agent.report()["reportAfterSeconds"] == MAX_REPORT_SECONDS
