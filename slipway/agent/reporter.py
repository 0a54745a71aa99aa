"""Tells the platform what is here: every second while something moves, every ten when idle, at once on a change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock
from typing import Any

from slipway.agent import VERSION, logs
from slipway.agent.boot_ids import Boot
from slipway.agent.cache.disk_space import DiskSpace
from slipway.agent.crash_points import crash_point, fault_point
from slipway.agent.health import Health
from slipway.agent.path_names import BuildKey
from slipway.agent.plan_poller import Planner
from slipway.agent.platform_client import PlatformClient, PlatformRefused, PlatformUnreachable, ReportAnswer
from slipway.agent.sessions.session_files import SessionFiles
from slipway.agent.build_statuses import Board, Phase
from slipway.client.backoff import Backoff

# The first report waits this long for the first plan to be acted upon.
_FIRST_PLAN_SECONDS = 5.0
# Changes closer together than this travel in one report.
_SHORTEST_INTERVAL = 0.1
_MAX_REMEMBERED = 10_000  # ids of ignored sessions


@dataclass(frozen=True)
class Pace:
    """Seconds between reports, and between looks at the sessions."""

    busy: float = 1.0
    idle: float = 10.0
    sessions: float = 1.0


class LastWordSaid(Exception):
    """The report that says that this agent stops has its number: none may follow it."""


class Reporter:
    def __init__(
        self,
        client: PlatformClient,
        boot: Boot,
        cache: Path,
        sessions: SessionFiles,
        space: DiskSpace,
        planner: Planner,
        backoff: Backoff,
        pace: Pace,
        settled: Event,
        stopping: Event,
        failing: Callable[[], Sequence[str]],
    ) -> None:
        """`failing` names the threads of this agent that keep ending."""
        self.board = Board(on_change=self.report_at_once)
        self._client = client
        self._boot = boot
        self._sessions = sessions
        self._space = space
        self._planner = planner
        self._backoff = backoff
        self._pace = pace
        self._settled = settled
        self._stopping = stopping
        self._failing = failing
        self._health = Health(cache)
        self._ignored: frozenset[str] = frozenset()
        self._changed = Event()
        self._sequence = 0
        self._last_word_said = False
        self._sequence_lock = Lock()

    def report_at_once(self) -> None:
        self._changed.set()

    def run(self) -> None:
        # After a crash a released build may be whole but not yet `current`: it is reported as cached only when it is.
        self._settled.wait(_FIRST_PLAN_SECONDS)
        failures = 0
        while not self._stopping.is_set():
            fault_point("reporter")
            self._changed.clear()
            try:
                answer = self.send()
            except LastWordSaid:
                return
            except (PlatformUnreachable, PlatformRefused) as error:
                if self._stopping.is_set():
                    return
                if _is_two_agents(error) and self._boot.try_another():
                    continue
                failures += 1
                self._stopping.wait(self._after_failure(error, failures))
                continue
            except OSError as error:
                # Without its session files a report would end every session on the platform.
                logs.warning(
                    "no report: the cache directory cannot be read", reason=error.strerror, path=error.filename
                )
                self._stopping.wait(self._pace.idle)
                continue
            if failures:
                logs.info("reports are taken again", after_attempts=failures)
            failures = 0
            self._stopping.wait(_SHORTEST_INTERVAL)
            self._changed.wait(self._interval(answer))

    def send(self, *, stopping: bool = False, read_seconds: float | None = None) -> ReportAnswer:
        """Send one report. Raises PlatformUnreachable, PlatformRefused, or LastWordSaid."""
        document = self._compose(stopping)
        crash_point("before-report")
        answer = self._client.report(document, read_seconds)
        crash_point("after-report")
        self._boot.acknowledged()
        if answer.accepted:
            self.board.drop_removed(_removed(document))
        self._note_ignored(answer.ignored_sessions)
        current = self._planner.current
        if answer.plan_version is not None and (current is None or current.version != answer.plan_version):
            self._planner.ask_at_once()
        return answer

    def _compose(self, stopping: bool) -> dict[str, Any]:
        with self._sequence_lock:
            if self._last_word_said and not stopping:
                raise LastWordSaid
            self._last_word_said = stopping
            self._sequence += 1
            sequence = self._sequence
        sessions = [session for session in self._sessions.all() if session.build is not None and session.alive]
        total, free = self._space.total_and_free()
        builds = self.board.report()
        return {
            "bootId": self._boot.id,
            "previousBootId": self._boot.previous,
            "sequence": sequence,
            "agentVersion": VERSION,
            "stopping": stopping,
            "health": self._health.read(len(sessions), self._failing()),
            "disk": {"totalBytes": total, "freeBytes": free, "floorBytes": self._space.floor},
            "bytesPerSecond": sum(build["bytesPerSecond"] for build in builds),
            "builds": builds,
            "sessions": [
                {
                    "id": session.id,
                    "gameId": session.game_id,
                    "build": session.build,
                    "startedAt": session.started_at,
                }
                for session in sessions
            ],
        }

    def _interval(self, answer: ReportAnswer) -> float:
        own = self._pace.busy if self.board.moving else self._pace.idle
        return max(own, answer.report_after_seconds)

    def _note_ignored(self, ignored: frozenset[str]) -> None:
        for session_id in sorted(ignored - self._ignored):
            logs.warning("the platform does not count this session: its build is not in the plan", session=session_id)
        # Remembered beyond one receipt: the platform answers some reports without looking at their sessions.
        known = self._ignored if len(self._ignored) < _MAX_REMEMBERED else frozenset()
        self._ignored = known | ignored

    def _after_failure(self, error: PlatformUnreachable | PlatformRefused, failures: int) -> float:
        asked = error.retry_after if isinstance(error, PlatformUnreachable) else None
        pause = max(self._backoff.delay(failures), asked or 0.0)
        if _is_two_agents(error):
            message = "another agent uses this server's token; give each server its own, or stop the other one"
        elif isinstance(error, PlatformRefused) and error.status == 401:
            message = "the platform does not know this token; make a new one for this server"
        else:
            message = "report not taken; going on with what is here"
        logs.warning(message, reason=error, attempt=failures, retry_in_seconds=round(pause, 1))
        return pause


def _is_two_agents(error: PlatformUnreachable | PlatformRefused) -> bool:
    return isinstance(error, PlatformRefused) and error.code == "two_agents"


def _removed(document: dict[str, Any]) -> set[BuildKey]:
    return {
        BuildKey(build["gameId"], build["build"]) for build in document["builds"] if build["phase"] == Phase.REMOVED
    }
