"""However often a service fails, the log has one line for the failure and one for its end."""

from __future__ import annotations

import logging

import pytest

from app.process.state_log import StateLog


def test_one_line_per_change(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    state = StateLog(logging.getLogger("app.test"), "the cache does not answer (%s)", "the cache answers again")
    state.worked()
    for _ in range(2):
        for _ in range(50):
            state.failed("TimeoutError")
        for _ in range(50):
            state.worked()
    lines = ["the cache does not answer (TimeoutError)", "the cache answers again"]
    assert [record.getMessage() for record in caplog.records] == lines * 2
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"] * 2
