"""Keeps the plan current with long polls, so that the agent sees a release within moments."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event

from slipway.agent import logs
from slipway.agent.cache.download import FetchFailed
from slipway.agent.cache.fetch_task import FetchCancelled
from slipway.agent.crash_points import crash_point, fault_point
from slipway.agent.path_names import BuildKey
from slipway.agent.plan import Plan, WantedBuild
from slipway.agent.platform_client import PlatformClient, PlatformRefused, PlatformUnreachable
from slipway.client.backoff import Backoff

POLL_SECONDS = 25
# Responses that return at once, or differ each time, would otherwise cause polls without a pause.
_MIN_PAUSE = 0.2


class PlanPoller:
    """`current` is the latest plan, None before the first one. It is replaced, never changed."""

    def __init__(self, client: PlatformClient, backoff: Backoff, stopping: Event, on_plan: Callable[[], None]) -> None:
        self.current: Plan | None = None
        self._client = client
        self._backoff = backoff
        self._stopping = stopping
        self._on_plan = on_plan
        self._poll_now = Event()

    def run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            fault_point("plan-poller")
            try:
                pause = self._poll()
                if failures:
                    logs.info("the platform responds again")
                failures = 0
            except (PlatformUnreachable, PlatformRefused) as error:
                if self._stopping.is_set():
                    return
                failures += 1
                requested = error.retry_after if isinstance(error, PlatformUnreachable) else None
                pause = max(self._backoff.delay(failures), requested or 0.0)
                logs.warning(
                    "no plan from the platform; keeping the cached builds",
                    reason=error,
                    attempt=failures,
                    retry_in_seconds=round(pause, 1),
                )
            self._poll_now.wait(pause)

    def poll_now(self) -> None:
        """End the current pause: the platform has a newer plan."""
        self._poll_now.set()

    def stop(self) -> None:
        self._poll_now.set()

    def fetch_build(self, key: BuildKey) -> WantedBuild:
        """The entry of `key` in a new plan, with a new address. Raises FetchFailed or FetchCancelled."""
        try:
            plan = self._client.plan(None, 0)
        except (PlatformUnreachable, PlatformRefused) as error:
            raise FetchFailed(f"storage rejected the address, and the platform gave no new one: {error}") from error
        self._apply_plan(plan)
        wanted = plan.wanted(key)
        if wanted is None:
            raise FetchCancelled
        return wanted

    def planned(self, key: BuildKey) -> WantedBuild | None:
        """The entry of `key` in the current plan."""
        return self.current.wanted(key) if self.current else None

    def _poll(self) -> float:
        """Poll once. Returns the seconds to wait before the next poll."""
        self._poll_now.clear()
        since = self.current.version if self.current else None
        began = time.monotonic()
        plan = self._client.plan(since, POLL_SECONDS)
        self._apply_plan(plan)
        if plan.poll_after_seconds:
            return max(_MIN_PAUSE, plan.poll_after_seconds)
        elapsed = time.monotonic() - began
        # An unchanged plan that returned at once comes from a proxy that does not support long polls.
        return 1.0 if plan.version == since and elapsed < 1.0 else _MIN_PAUSE

    def _apply_plan(self, plan: Plan) -> None:
        before = self.current
        self.current = plan
        if before is None or before.version != plan.version:
            logs.info("plan received", version=plan.version, server=plan.server_id, builds=len(plan.builds))
        crash_point("after-plan")
        self._on_plan()
