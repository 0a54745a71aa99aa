"""Fetches the indexes of cached builds that came from their archives, as soon as the plan offers them. The next update
then transfers exactly the bytes that the platform forecasts."""

from __future__ import annotations

from functools import partial
from threading import Event

from slipway.agent import logs
from slipway.agent.cache.build_store import Inventory
from slipway.agent.cache.cache_layout import CacheLayout
from slipway.agent.cache.download import FetchFailed
from slipway.agent.cache.fetch_task import FetchCancelled, FetchTask
from slipway.agent.cache.locks import BuildInUse, build_lock
from slipway.agent.crash_points import fault_point
from slipway.agent.packs.pack_offer import PackOffer
from slipway.agent.packs.update_sources import UpdateSources
from slipway.agent.path_names import BuildKey
from slipway.agent.plan import Plan, WantedBuild
from slipway.agent.plan_poller import PlanPoller

# A build can become complete without a new plan, and storage may be back after this time.
_PAUSE_SECONDS = 30.0


class IndexPrefetch:
    """`wake` requests a step."""

    def __init__(
        self,
        layout: CacheLayout,
        inventory: Inventory,
        sources: UpdateSources,
        plan_poller: PlanPoller,
        wake: Event,
        stopping: Event,
    ) -> None:
        self._layout = layout
        self._inventory = inventory
        self._sources = sources
        self._plan_poller = plan_poller
        self._wake = wake
        self._stopping = stopping
        self._unusable: dict[BuildKey, str] = {}  # SHA-256 of indexes that failed their check

    def run(self) -> None:
        while not self._stopping.is_set():
            fault_point("index-prefetch")
            if plan := self._plan_poller.current:
                self._step(plan)
            self._wake.wait(_PAUSE_SECONDS)
            self._wake.clear()

    def _step(self, plan: Plan) -> None:
        for build in plan.builds:
            if build.pack and not self._stopping.is_set() and self._is_missing(build.key, build.pack):
                self._fetch(build, build.pack)

    def _is_missing(self, key: BuildKey, offer: PackOffer) -> bool:
        if self._layout.index(key).exists() or self._unusable.get(key) == offer.index.reference.sha256:
            return False
        return self._inventory.get(key) is not None

    def _fetch(self, build: WantedBuild, offer: PackOffer) -> None:
        key = build.key
        task = FetchTask(build, 1, partial(self._plan_poller.fetch_build, key), self._plan_poller.planned)
        try:
            with build_lock(self._layout.marker(key)):
                if self._sources.fetched_index(task, key) is None:
                    self._unusable[key] = offer.index.reference.sha256
        except (FileNotFoundError, BuildInUse, FetchCancelled):
            return  # it is being evicted
        except (FetchFailed, OSError) as error:
            logs.info("the index was not fetched; trying again", game=key.game_id, build=key.build, reason=error)
