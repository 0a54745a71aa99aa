"""Asks the platform what this server should hold: a long poll, so that a release is known within moments."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event

from slipway.agent import logs
from slipway.agent.cache.build_fetch import FetchCancelled
from slipway.agent.cache.download import FetchFailed
from slipway.agent.crash_points import crash_point, fault_point
from slipway.agent.path_names import BuildKey
from slipway.agent.plan import Plan, WantedBuild
from slipway.agent.platform_client import PlatformClient, PlatformRefused, PlatformUnreachable
from slipway.client.backoff import Backoff

POLL_SECONDS = 25
# Answers that are not held, or that differ each time, would otherwise be asked for without a pause.
_MIN_PAUSE = 0.2


class PlanPoller:
    """`current` is the plan now, None until the first one came. It is replaced as a whole, never changed."""

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
                    logs.info("platform answers again")
                failures = 0
            except (PlatformUnreachable, PlatformRefused) as error:
                if self._stopping.is_set():
                    return
                failures += 1
                asked = error.retry_after if isinstance(error, PlatformUnreachable) else None
                pause = max(self._backoff.delay(failures), asked or 0.0)
                logs.warning(
                    "no plan from the platform; keeping what is here",
                    reason=error,
                    attempt=failures,
                    retry_in_seconds=round(pause, 1),
                )
            self._poll_now.wait(pause)

    def poll_now(self) -> None:
        """Cut a pause short: the platform said that there is a newer plan."""
        self._poll_now.set()

    def stop(self) -> None:
        self._poll_now.set()

    def fetch_build(self, key: BuildKey) -> WantedBuild:
        """`key` with a fresh address, from a plan asked for now. Raises FetchFailed or FetchCancelled."""
        try:
            plan = self._client.plan(None, 0)
        except (PlatformUnreachable, PlatformRefused) as error:
            raise FetchFailed(f"storage refused the address, and there is no fresh one: {error}") from error
        self._apply_plan(plan)
        wanted = plan.wanted(key)
        if wanted is None:
            raise FetchCancelled
        return wanted

    def _poll(self) -> float:
        """One call; returns the seconds to pause before the next."""
        self._poll_now.clear()
        since = self.current.version if self.current else None
        began = time.monotonic()
        plan = self._client.plan(since, POLL_SECONDS)
        self._apply_plan(plan)
        if plan.poll_after_seconds:
            return max(_MIN_PAUSE, plan.poll_after_seconds)
        held = time.monotonic() - began
        # An unchanged plan that was not held comes from something in between that does not hold requests.
        return 1.0 if plan.version == since and held < 1.0 else _MIN_PAUSE

    def _apply_plan(self, plan: Plan) -> None:
        before = self.current
        self.current = plan
        if before is None or before.version != plan.version:
            logs.info("plan taken", version=plan.version, server=plan.server_id, builds=len(plan.builds))
        crash_point("after-plan")
        self._on_plan()
