"""Reconciles the cache with the plan: fetches, activates and evicts builds, and keeps their statuses up to date."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from functools import partial
from threading import Event

from slipway.agent import logs
from slipway.agent.build_statuses import BuildStatuses, Phase
from slipway.agent.cache.build_store import BuildMarker, Inventory
from slipway.agent.cache.cache_layout import CacheLayout
from slipway.agent.cache.disk_space import DiskFull
from slipway.agent.cache.download import FetchFailed
from slipway.agent.cache.evictions import Evictions
from slipway.agent.cache.failed_builds import FailedBuilds
from slipway.agent.cache.fetch_task import FetchCancelled, FetchTask
from slipway.agent.cache.fetch_threads import FetchOutcome, FetchThreads
from slipway.agent.cache.next_actions import CacheActions, CacheContents, choose_actions
from slipway.agent.crash_points import fault_point
from slipway.agent.packs.assemblies import assembled_bytes, drop_assemblies, keys_being_assembled
from slipway.agent.path_names import BuildKey
from slipway.agent.plan import Plan, WantedBuild
from slipway.agent.plan_poller import PlanPoller
from slipway.agent.reporter import Intervals
from slipway.agent.sessions.session_files import SessionFiles

# A build directory that was deleted from outside is noticed within this time.
_MAX_PAUSE = 5.0
# After so many steps in a row that met an error of the disk, reports show an error. One alone may be a coincidence.
_MIN_FAILED_STEPS = 3


class CacheReconciler:
    """The only code that changes `current` links and evicts builds. It runs in one thread, so these never race."""

    def __init__(
        self,
        layout: CacheLayout,
        inventory: Inventory,
        sessions: SessionFiles,
        plan_poller: PlanPoller,
        workers: FetchThreads,
        statuses: BuildStatuses,
        attempts: FailedBuilds,
        evictions: Evictions,
        pace: Intervals,
        wake: Event,
        first_plan_applied: Event,
        stopping: Event,
    ) -> None:
        """`wake` requests a step; `first_plan_applied` is set after the first step with a plan."""
        self._layout = layout
        self._inventory = inventory
        self._sessions = sessions
        self._plan_poller = plan_poller
        self._workers = workers
        self._statuses = statuses
        self._failed_builds = attempts
        self._evictions = evictions
        self._pace = pace
        self._wake = wake
        self._first_plan_applied = first_plan_applied
        self._stopping = stopping
        self._announced: Plan | None = None
        self._waits_for_sessions = False
        self._failed_steps = 0

    @property
    def failing(self) -> tuple[str, ...]:
        """What keeps failing: the use of the cache directory, or nothing."""
        return ("cache directory",) if self._failed_steps >= _MIN_FAILED_STEPS else ()

    def run(self) -> None:
        self._guarded(self._inventory.empty_trash)
        while not self._stopping.is_set():
            fault_point("reconciler")
            self._failed_steps = 0 if self._guarded(self.step) else self._failed_steps + 1
            self._wake.wait(self._pause())
            self._wake.clear()

    def step(self) -> None:
        """Compare plan and disk once, and act on the differences. Raises OSError; builds that cannot be evicted hold up
        nothing else."""
        plan = self._plan_poller.current
        self._collect_outcomes(plan)
        if plan is not None:
            self._evictions.keep_floor(plan)
        complete, disk = self._inventory.scan()
        if plan is None:
            for key, marker in complete.items():
                self._statuses.set_phase(key, Phase.CACHED, marker.size, source=marker.source)
            return
        wanted = {build.key: build for build in plan.builds}
        self._apply_retries(plan)
        # A platform restored from a backup can assign a number twice. Other bytes with that number are not that build.
        right = {key for key, marker in complete.items() if key not in wanted or wanted[key].sha256 == marker.sha256}
        disk = CacheContents(right, disk.current)
        decision = choose_actions(plan, disk, self._workers.busy(), self._sessions.in_use())
        for key in decision.cancel:
            self._workers.cancel(key)
        for key in decision.activate:
            self._activate(wanted[key], complete[key])
        evicted, stuck = self._evict(decision)
        for key in right - set(decision.activate):
            self._failed_builds.clear(key)
        self._start_fetches(decision, wanted)
        cached = right - evicted
        self._waits_for_sessions = any(key not in wanted for key in cached - set(stuck))
        self._drop_parts(cached, wanted)  # before a report shows that there is nothing left to fetch
        self._show(cached, complete, wanted, self._workers.busy() | set(stuck))
        self._announce_absent(plan, decision)
        self._first_plan_applied.set()
        for error in stuck.values():
            raise error

    def _evict(self, decision: CacheActions) -> tuple[set[BuildKey], dict[BuildKey, OSError]]:
        """The builds that were evicted, and those that the disk does not let go."""
        evicted: set[BuildKey] = set()
        stuck: dict[BuildKey, OSError] = {}
        for key in decision.evict:
            try:
                if self._evictions.evict(key):
                    evicted.add(key)
            except OSError as error:
                stuck[key] = error
        return evicted, stuck

    def _collect_outcomes(self, plan: Plan | None) -> None:
        for outcome in self._workers.collect_outcomes():
            key = outcome.task.wanted.key
            if outcome.error is None:
                self._failed_builds.clear(key)
                logs.info("build complete", game=key.game_id, build=key.build, attempt=outcome.task.attempt)
            elif isinstance(outcome.error, DiskFull) and plan and self._evictions.make_space(plan, key):
                logs.info("fetching again, because there is more space now", game=key.game_id, build=key.build)
            elif not isinstance(outcome.error, FetchCancelled):
                self._record_failure(outcome, outcome.error)

    def _record_failure(self, outcome: FetchOutcome, error: BaseException) -> None:
        key = outcome.task.wanted.key
        if isinstance(error, (FetchFailed, DiskFull)):
            reason = str(error)
        else:
            reason = f"unexpected error in the agent: {type(error).__name__}"
            logs.exception("a fetch failed with an unexpected error", error, game=key.game_id, build=key.build)
        self._fail(outcome.task.wanted, reason, isinstance(error, DiskFull))

    def _fail(self, wanted: WantedBuild, reason: str, disk_full: bool = False) -> None:
        key, now = wanted.key, time.monotonic()
        received = self._inventory.part_length(key) + assembled_bytes(self._layout, key)
        failure = self._failed_builds.record_failure(key, reason, now, bytes_received=received, disk_full=disk_full)
        logs.warning(
            "attempt failed",
            game=key.game_id,
            build=key.build,
            attempt=failure.attempt,
            reason=reason,
            retry_in_seconds=round(failure.retry_at - now, 1),
        )
        self._statuses.set_failure(key, wanted.size, failure)

    def _apply_retries(self, plan: Plan) -> None:
        self._failed_builds.retain({build.key for build in plan.builds})
        for build in plan.builds:
            if self._failed_builds.update_retry_counter(build.key, build.retry):
                logs.info("retrying now, as requested on the platform", game=build.key.game_id, build=build.key.build)

    def _activate(self, wanted: WantedBuild, marker: BuildMarker) -> None:
        key = wanted.key
        if not self._failed_builds.is_due(key, time.monotonic()):
            return
        try:
            self._inventory.activate(key, marker)
        except OSError as error:
            self._fail(wanted, f"cannot switch the link `current`: {self._layout.error_words(error)}")
            return
        self._failed_builds.clear(key)
        logs.info("build is active", game=key.game_id, build=key.build)

    def _start_fetches(self, decision: CacheActions, wanted: Mapping[BuildKey, WantedBuild]) -> None:
        now = time.monotonic()
        for key in decision.fetch:
            if self._stopping.is_set() or not self._workers.has_free_thread:
                return
            if self._failed_builds.is_due(key, now):
                attempt = self._failed_builds.next_attempt(key)
                logs.info("fetching build", game=key.game_id, build=key.build, attempt=attempt)
                refresh = partial(self._plan_poller.fetch_build, key)
                self._workers.start(FetchTask(wanted[key], attempt, refresh, self._plan_poller.planned))

    def _show(
        self,
        cached: set[BuildKey],
        complete: Mapping[BuildKey, BuildMarker],
        wanted: Mapping[BuildKey, WantedBuild],
        busy: AbstractSet[BuildKey],
    ) -> None:
        """Set the phase of every build that is not `busy`: being fetched, or being evicted without success."""
        fetched = {key for key, build in wanted.items() if not build.keep}
        for key in (cached | fetched | self._statuses.keys()) - busy:
            failure = self._failed_builds.failure(key)
            if key in fetched and failure:
                self._statuses.set_failure(key, wanted[key].size, failure)
            elif key in cached:
                self._statuses.set_phase(key, Phase.CACHED, complete[key].size, source=complete[key].source)
            elif key in fetched:
                self._statuses.set_phase(key, Phase.PENDING, wanted[key].size)
            else:
                self._statuses.set_phase(key, Phase.REMOVED)

    def _announce_absent(self, plan: Plan, decision: CacheActions) -> None:
        """Report `removed` for builds that the platform expects here but the cache does not have; once per plan."""
        if plan is not self._announced:
            self._announced = plan
            for key in decision.absent:
                self._statuses.set_phase(key, Phase.REMOVED)

    def _drop_parts(self, cached: set[BuildKey], wanted: Mapping[BuildKey, WantedBuild]) -> None:
        busy = self._workers.busy()
        unfinished = {key for key, build in wanted.items() if not build.keep} - cached
        for key in self._inventory.parts() - busy - unfinished:
            self._inventory.drop_part(key)
        for key in keys_being_assembled(self._layout) - busy - unfinished:
            drop_assemblies(self._layout, key)

    def _pause(self) -> float:
        """Seconds until the next step is due. Other events set `wake`."""
        longest = self._pace.sessions if self._waits_for_sessions else _MAX_PAUSE
        due = self._failed_builds.next_due(self._workers.busy())
        if due is None or not self._workers.has_free_thread:
            return longest
        return min(longest, max(0.05, due - time.monotonic()))

    def _guarded(self, action: Callable[[], None]) -> bool:
        """Log disk errors, and return False: they can be temporary, and the next step compares plan and disk again. Any
        other error is a bug: the thread ends and `thread_supervisor` restarts it."""
        try:
            action()
        except OSError as error:
            logs.warning("cannot use the cache directory; trying again", reason=error.strerror, path=error.filename)
            return False
        return True
