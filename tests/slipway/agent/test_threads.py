"""Threads that end: noticed, logged with their traceback, started again, shown, and given up when they keep ending."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread

import pytest

from slipway.agent.cache.fetch_task import FetchTask
from slipway.agent.cache.fetch_threads import FetchThreads
from slipway.agent.command import main
from slipway.agent.crash_points import FAULT_NAMES
from slipway.agent.exit_codes import ExitCode
from slipway.agent.path_names import BuildKey
from slipway.agent.plan import WantedBuild
from slipway.agent.thread_supervisor import MAX_THREAD_FAILURES, STABLE_SECONDS, ThreadSupervisor
from slipway.client.backoff import Backoff
from tests.slipway.agent.agent_process import IMPATIENT, AgentProcess
from tests.slipway.agent.platform_server import Platform
from tests.slipway.agent.sample_games import Game, make_game
from tests.slipway.agent.wait_for import wait_for

StartProcess = Callable[..., AgentProcess]

SUPERVISED = ("reconciler", "plan-poller", "reporter", "session-watch", "index-prefetch")


@pytest.fixture(scope="module")
def game() -> Game:
    return make_game(1, size=1 << 16)


def test_there_is_a_fault_for_each_thread_that_is_supervised() -> None:
    assert set(SUPERVISED) < set(FAULT_NAMES)


@pytest.mark.slow
@pytest.mark.parametrize("name", SUPERVISED)
def test_a_thread_that_dies_is_logged_and_started_again(
    name: str, platform: Platform, start_process: StartProcess, game: Game
) -> None:
    process = start_process(fault_at=f"{name}*2", program=IMPATIENT)
    wait_for(lambda: process.log.count("a thread failed; restarting it") == 2, "two failures logged", seconds=60)
    deaths = [line for line in process.log.splitlines() if "a thread failed" in line]
    assert all(f" ERROR a thread failed; restarting it thread={name} failures=" in line for line in deaths)
    assert all("InjectedFault" in line and "fault_point" in line for line in deaths), "with its traceback"
    platform.release("g1", 1, game)
    wait_for(lambda: platform.phase("g1", 1) == "cached", "a build cached after that", seconds=60)
    health = [report["health"]["status"] for report in platform.reports]
    assert health[-1] == "error", "shown for a while"
    process.signal(signal.SIGTERM)
    assert process.wait() == 0


@pytest.mark.slow
def test_sessions_are_still_watched_after_the_watch_has_died(
    platform: Platform, start_process: StartProcess, game: Game, cache: Path
) -> None:
    platform.release("g1", 1, game)
    process = start_process(fault_at="session-watch*1")
    wait_for(lambda: platform.phase("g1", 1) == "cached", "build 1 cached")
    player = subprocess.Popen(["sleep", "120"])
    try:
        _begin_session(player.pid, cache)
        wait_for(lambda: platform.sessions, "registered")
        wait_for(lambda: "a thread failed" in process.log, "the watch failed", seconds=60)
    finally:
        player.kill()
    wait_for(lambda: platform.ended, "ended with its process", seconds=60)


def _begin_session(pid: int, cache: Path) -> None:
    assert main(["session", "start", "g1", "--pid", str(pid), "--cache", str(cache)]) == ExitCode.OK


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fetch", "fsync"])
def test_a_fetch_that_dies_is_a_failed_attempt_like_any_other(
    name: str, platform: Platform, start_process: StartProcess, game: Game
) -> None:
    platform.release("g1", 1, game)
    process = start_process(fault_at=f"{name}*1")
    wait_for(lambda: platform.phase("g1", 1) == "cached", "fetched at the second attempt", seconds=60)
    assert "failed" in platform.phases_seen("g1", 1)
    assert "a fetch failed with an unexpected error game=g1 build=1 traceback=" in process.log
    assert "InjectedFault" in process.log
    assert "a thread failed" not in process.log


@pytest.mark.slow
def test_a_last_report_that_dies_does_not_keep_the_agent_from_ending(
    platform: Platform, start_process: StartProcess
) -> None:
    process = start_process(fault_at="last-report")
    wait_for(lambda: platform.reports, "a report")
    process.signal(signal.SIGTERM)
    assert process.wait() == 0
    died = next(line for line in process.log.splitlines() if "a thread ended with an error" in line)
    assert " ERROR a thread ended with an error thread=last-report traceback=" in died
    assert "Exception in thread" not in process.log, "Python's own words"


@pytest.mark.slow
@pytest.mark.parametrize("name", SUPERVISED)
def test_a_thread_that_keeps_dying_ends_the_agent_with_an_exit_code_of_its_own(
    name: str, platform: Platform, start_process: StartProcess
) -> None:
    process = start_process(fault_at=f"{name}*1000", program=IMPATIENT)
    assert process.wait(120) == ExitCode.THREAD_KEEPS_ENDING
    assert process.log.count("a thread failed") == MAX_THREAD_FAILURES
    assert f"the agent exits because a thread keeps failing; start it again thread={name}" in process.log
    assert platform.reports[-1]["stopping"] is True, "the next process is taken at once"


class Clock:
    """Stands until it is told to go on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Threads:
    """One supervised thread that ends when it is told to, as it is told to."""

    def __init__(self) -> None:
        self.clock, self.stopping = Clock(), Event()
        self.end = Event()
        self.error: BaseException | None = None
        self.changes = 0
        self.supervisor = ThreadSupervisor(
            {"plan-poller": self._run}, self.stopping, self._changed, Backoff(2.0, 60.0, lambda: 0.0), self.clock
        )

    def _run(self) -> None:
        self.end.wait(60)
        self.end.clear()
        if self.error is not None:
            raise self.error

    def _changed(self) -> None:
        self.changes += 1

    def die(self) -> None:
        """The thread ends, and that is noticed."""
        thread = self.supervisor.threads[0]
        self.end.set()
        thread.join(30)
        self.supervisor.check_threads()

    @property
    def exhausted_thread(self) -> str:
        return self.supervisor.exhausted_thread or ""

    @property
    def failing(self) -> list[str]:
        return list(self.supervisor.failing)

    def after(self, seconds: float) -> bool:
        """Whether the thread runs that much later."""
        self.clock.now += seconds
        self.supervisor.check_threads()
        return self.supervisor.threads[0].is_alive()


@pytest.fixture
def threads() -> Threads:
    threads = Threads()
    threads.supervisor.start()
    return threads


def test_waits_before_a_restart_grow(threads: Threads) -> None:
    for wait in (2.0, 4.0, 8.0):
        threads.die()
        assert not threads.after(wait - 0.1)
        assert threads.after(0.1)


def test_a_thread_that_just_returns_is_started_again_too(threads: Threads) -> None:
    threads.die()
    assert threads.failing == ["plan-poller"]
    assert threads.after(2.0)


def test_it_counts_as_failing_until_it_has_run_for_a_while(threads: Threads) -> None:
    assert threads.failing == []
    threads.error = SystemExit("even so")
    threads.die()
    assert (threads.failing, threads.changes) == (["plan-poller"], 1)
    assert threads.after(2.0)
    assert threads.failing == ["plan-poller"]
    assert threads.after(STABLE_SECONDS)
    assert (threads.failing, threads.changes) == ([], 2)


def test_deaths_far_apart_do_not_add_up(threads: Threads) -> None:
    for _ in range(2 * MAX_THREAD_FAILURES):
        threads.die()
        assert threads.after(2.0)
        assert threads.after(STABLE_SECONDS)
    assert threads.exhausted_thread == ""


def test_it_is_given_up_when_it_keeps_dying(threads: Threads) -> None:
    for _ in range(MAX_THREAD_FAILURES - 1):
        threads.die()
        assert threads.after(60.0)
    assert threads.exhausted_thread == ""
    threads.die()
    assert threads.exhausted_thread == "plan-poller"
    assert not threads.after(600.0)


def test_what_was_told_to_stop_is_not_started_again(threads: Threads) -> None:
    threads.stopping.set()
    threads.die()
    assert not threads.after(600.0)
    assert threads.failing == []


def test_a_machine_without_another_thread_is_a_death_to_be_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = Threads()
    with monkeypatch.context() as full:
        full.setattr(Thread, "start", _no_more)
        threads.supervisor.start()
        assert not threads.after(0.0)
        assert threads.failing == ["plan-poller"]
    assert threads.after(2.0)


def test_a_fetch_that_gets_no_thread_is_an_outcome_and_leaves_the_place_free(monkeypatch: pytest.MonkeyPatch) -> None:
    done = Event()
    workers = FetchThreads(lambda task: None, 1, done.set)
    wanted = WantedBuild(BuildKey("g1", 1), 1, "0" * 64, 1, "top", "a.sh", "http://127.0.0.1:1/", True, 0)
    with monkeypatch.context() as full:
        full.setattr(Thread, "start", _no_more)
        workers.start(FetchTask(wanted, 1, lambda: wanted, lambda key: wanted))
    assert done.is_set()
    assert [type(outcome.error) for outcome in workers.collect_outcomes()] == [RuntimeError]
    assert workers.has_free_thread


def _no_more(thread: Thread) -> None:
    raise RuntimeError("can't start new thread")
