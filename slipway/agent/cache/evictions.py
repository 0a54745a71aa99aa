"""Removes builds: those that the plan no longer names, and kept ones when space is needed."""

from __future__ import annotations

from slipway.agent import logs
from slipway.agent.build_statuses import BuildStatuses, Phase
from slipway.agent.cache.build_store import Inventory
from slipway.agent.cache.cache_layout import CacheLayout
from slipway.agent.cache.disk_space import DiskSpace
from slipway.agent.cache.failed_builds import FailedBuilds
from slipway.agent.cache.locks import BuildInUse
from slipway.agent.cache.next_actions import choose_for_space
from slipway.agent.crash_points import crash_point
from slipway.agent.path_names import BuildKey
from slipway.agent.plan import Plan
from slipway.agent.sessions.session_files import SessionFiles
from slipway.packs.tree_modes import remove_tree


class Evictions:
    """Used by the reconciler's thread alone."""

    def __init__(
        self,
        layout: CacheLayout,
        inventory: Inventory,
        sessions: SessionFiles,
        statuses: BuildStatuses,
        failed_builds: FailedBuilds,
        space: DiskSpace,
    ) -> None:
        self._layout = layout
        self._inventory = inventory
        self._sessions = sessions
        self._statuses = statuses
        self._failed_builds = failed_builds
        self._space = space

    def evict(self, key: BuildKey) -> bool:
        """Remove the build. Returns False if a session, an update or `verify` uses it. Raises OSError."""
        with self._sessions.locked():
            if self._sessions.in_use().blocks(key):
                return False
            try:
                with self._inventory.removing(key):
                    self._statuses.set_phase(key, Phase.EVICTING)
                    trashed = self._inventory.discard(key)
            except BuildInUse:
                return False
        crash_point("mid-evict")
        if trashed is not None:
            remove_tree(trashed)
        self._inventory.drop_empty_game(key.game_id)
        self._failed_builds.retry_disk_full()
        self._statuses.set_phase(key, Phase.REMOVED)
        logs.info("build evicted", game=key.game_id, build=key.build)
        return True

    def make_space(self, plan: Plan, needed_by: BuildKey | None = None) -> bool:
        """Evict one kept build. Returns False if there is none that can go."""
        _, disk = self._inventory.scan()
        for key in choose_for_space(plan, disk, self._sessions.in_use(), needed_by):
            if self.evict(key):
                logs.info("a kept build made room", game=key.game_id, build=key.build, needed_by=needed_by)
                return True
        return False

    def keep_floor(self, plan: Plan) -> None:
        """Evict kept builds while less than the floor is free: other programs need space too."""
        while self._space.is_below_floor() and self.make_space(plan):
            pass
