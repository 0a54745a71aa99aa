"""Waits that an answer asks for: bounded, and told in words and in JSON that others can read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings

from slipway.cli.command_error import CommandError
from slipway.cli.exit_codes import ExitCode
from slipway.cli.platform_client import MAX_RETRY_AFTER_SECONDS, PlatformClient
from tests.conftest import ROOT
from tests.slipway.agent.hostile_answers import BODIES, RETRY_AFTER
from tests.slipway.agent.raw_server import RawServer

ASKED = b'{"error": "rate_limited", "message": "Too many calls."}'


@pytest.fixture
def raw() -> Iterator[RawServer]:
    with RawServer() as server:
        yield server


def limited(retry_after: str, status: int = 429) -> bytes:
    header = retry_after.encode(errors="replace").replace(b"\n", b" ").replace(b"\r", b" ")
    return b"HTTP/1.1 %d No\r\nRetry-After: %s\r\nConnection: close\r\n\r\n" % (status, header) + ASKED


@pytest.fixture
def platform(raw: RawServer) -> PlatformClient:
    return PlatformClient(raw.url, "pp_key")


def problem_of(platform: PlatformClient) -> CommandError:
    """What a call comes to that is not repeated."""
    platform.set_retry_budget(0.0)
    with pytest.raises(CommandError) as raised:
        platform.call("GET", "/games")
    return raised.value


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("3600", 3600.0),
        ("9" * 400, MAX_RETRY_AFTER_SECONDS),
        ("Wed, 21 Oct 2099 07:28:00 GMT", MAX_RETRY_AFTER_SECONDS),
        ("1e308", 0.0),
        ("nan", 0.0),
        ("-1", 0.0),
        ("²", 0.0),
    ],
)
def test_a_wait_is_told_within_bounds(raw: RawServer, platform: PlatformClient, header: str, seconds: float) -> None:
    raw.answer = limited(header)
    problem = problem_of(platform)
    assert (problem.code, problem.facts["retryAfter"]) == (ExitCode.REFUSED, seconds)
    assert str(problem).startswith("Too many calls.")


@pytest.mark.slow
@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(header=RETRY_AFTER)
def test_whatever_the_header_it_is_a_problem_in_words(raw: RawServer, platform: PlatformClient, header: str) -> None:
    for status in (429, 503):
        raw.answer = limited(header, status)
        problem = problem_of(platform)
        assert 0 <= problem.facts.get("retryAfter", 0.0) <= MAX_RETRY_AFTER_SECONDS


@pytest.mark.slow
@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=BODIES)
def test_an_answer_that_is_no_json_is_a_problem_in_words(raw: RawServer, platform: PlatformClient, body: bytes) -> None:
    raw.answer = b"HTTP/1.1 500 No\r\nConnection: close\r\n\r\n" + body
    assert problem_of(platform).code in {ExitCode.UNREACHABLE, ExitCode.REFUSED}


@pytest.mark.slow
def test_the_command_ends_in_words_and_its_json_can_be_read(raw: RawServer) -> None:
    """`Retry-After` of 400 digits once ended it with a traceback."""
    raw.answer = limited("9" * 400)
    done = subprocess.run(
        [sys.executable, "-m", "slipway.cli", "games", "--json"],
        cwd=ROOT,
        env=os.environ | {"SLIPWAY_URL": raw.url, "SLIPWAY_KEY": "pp_key"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == ExitCode.REFUSED
    assert "Traceback" not in done.stderr
    last = json.loads(done.stdout.splitlines()[-1], parse_constant=pytest.fail)
    assert last["retryAfter"] == MAX_RETRY_AFTER_SECONDS
