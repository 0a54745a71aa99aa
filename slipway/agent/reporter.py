"""Sends reports to the platform: every second while builds are in progress, every ten seconds when idle, at once on
a change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock
from typing import Any

from slipway.agent import VERSION, logs
from slipway.agent.boot_ids import BootIds
from slipway.agent.build_statuses import BuildStatuses, Phase
from slipway.agent.cache.disk_space import DiskSpace
from slipway.agent.crash_points import crash_point, fault_point
from slipway.agent.health import Health
from slipway.agent.path_names import BuildKey
from slipway.agent.plan_poller import PlanPoller
from slipway.agent.platform_client import PlatformClient, PlatformRefused, PlatformUnreachable, ReportResponse
from slipway.agent.sessions.session_files import SessionFiles
from slipway.client.backoff import Backoff

# The first report waits up to this long for the first step with a plan.
_FIRST_PLAN_SECONDS = 5.0
# Changes within this time are sent in one report.
_MIN_REPORT_INTERVAL = 0.1
_MAX_IGNORED_SESSIONS = 10_000  # ids of ignored sessions


@dataclass(frozen=True)
class Intervals:
    """Seconds between reports (`busy`, `idle`), and between checks of the sessions and of the agent's threads."""

    busy: float = 1.0
    idle: float = 10.0
    sessions: float = 1.0
    threads: float = 1.0


class FinalReportSent(Exception):
    """The final report (`stopping`) already has its sequence number. No report may follow it."""


class Reporter:
    def __init__(
        self,
        client: PlatformClient,
        boot: BootIds,
        cache: Path,
        sessions: SessionFiles,
        space: DiskSpace,
        plan_poller: PlanPoller,
        backoff: Backoff,
        pace: Intervals,
        first_plan_applied: Event,
        stopping: Event,
        failing: Callable[[], Sequence[str]],
    ) -> None:
        """`failing` returns the names of what keeps failing: threads, or the use of the cache directory."""
        self.statuses = BuildStatuses(on_change=self.report_now)
        self._client = client
        self._boot = boot
        self._sessions = sessions
        self._space = space
        self._plan_poller = plan_poller
        self._backoff = backoff
        self._pace = pace
        self._first_plan_applied = first_plan_applied
        self._stopping = stopping
        self._failing = failing
        self._health = Health(cache)
        self._ignored: frozenset[str] = frozenset()
        self._changed = Event()
        self._sequence = 0
        self._final_report_composed = False
        self._sequence_lock = Lock()

    def report_now(self) -> None:
        self._changed.set()

    def run(self) -> None:
        # After a crash a released build may be complete but not yet `current`. It is reported as cached only when it
        # is.
        self._first_plan_applied.wait(_FIRST_PLAN_SECONDS)
        failures = 0
        while not self._stopping.is_set():
            fault_point("reporter")
            self._changed.clear()
            try:
                answer = self.send()
            except FinalReportSent:
                return
            except (PlatformUnreachable, PlatformRefused) as error:
                if self._stopping.is_set():
                    return
                if _is_two_agents(error) and self._boot.use_next_candidate():
                    continue
                failures += 1
                self._stopping.wait(self._failure_pause(error, failures))
                continue
            except OSError as error:
                # A report without the session files would end every session on the platform.
                logs.warning(
                    "no report, because the cache directory cannot be read", reason=error.strerror, path=error.filename
                )
                self._stopping.wait(self._pace.idle)
                continue
            if failures:
                logs.info("the platform accepts reports again", after_attempts=failures)
            failures = 0
            self._stopping.wait(_MIN_REPORT_INTERVAL)
            self._changed.wait(self._interval(answer))

    def send(self, *, stopping: bool = False, read_seconds: float | None = None) -> ReportResponse:
        """Send one report. Raises PlatformUnreachable, PlatformRefused, or FinalReportSent."""
        document = self._compose(stopping)
        crash_point("before-report")
        answer = self._client.report(document, read_seconds)
        crash_point("after-report")
        self._boot.acknowledge()
        if answer.accepted:
            self.statuses.drop_removed(_removed(document))
        self._log_ignored_sessions(answer.ignored_sessions)
        current = self._plan_poller.current
        if answer.plan_version is not None and (current is None or current.version != answer.plan_version):
            self._plan_poller.poll_now()
        return answer

    def _compose(self, stopping: bool) -> dict[str, Any]:
        with self._sequence_lock:
            if self._final_report_composed and not stopping:
                raise FinalReportSent
            self._final_report_composed = stopping
            self._sequence += 1
            sequence = self._sequence
        sessions = [session for session in self._sessions.all() if session.build is not None and session.alive]
        total, free = self._space.total_and_free()
        builds = self.statuses.report()
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

    def _interval(self, answer: ReportResponse) -> float:
        own = self._pace.busy if self.statuses.has_active_builds else self._pace.idle
        return max(own, answer.report_after_seconds)

    def _log_ignored_sessions(self, ignored: frozenset[str]) -> None:
        for session_id in sorted(ignored - self._ignored):
            logs.warning("the platform ignores this session: its build is not in the plan", session=session_id)
        # Remembered across responses, because the platform answers some reports without checking their sessions.
        known = self._ignored if len(self._ignored) < _MAX_IGNORED_SESSIONS else frozenset()
        self._ignored = known | ignored

    def _failure_pause(self, error: PlatformUnreachable | PlatformRefused, failures: int) -> float:
        requested = error.retry_after if isinstance(error, PlatformUnreachable) else None
        pause = max(self._backoff.delay(failures), requested or 0.0)
        if _is_two_agents(error):
            message = "another agent uses this server's token; stop it, or give each server its own token"
        elif isinstance(error, PlatformRefused) and error.status == 401:
            message = "the platform does not accept this token; roll the token of this server"
        else:
            message = "the platform did not accept the report; trying again"
        logs.warning(message, reason=error, attempt=failures, retry_in_seconds=round(pause, 1))
        return pause


def _is_two_agents(error: PlatformUnreachable | PlatformRefused) -> bool:
    return isinstance(error, PlatformRefused) and error.code == "two_agents"


def _removed(document: dict[str, Any]) -> set[BuildKey]:
    return {
        BuildKey(build["gameId"], build["build"]) for build in document["builds"] if build["phase"] == Phase.REMOVED
    }
