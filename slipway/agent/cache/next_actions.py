"""Chooses what to do with the cache, from the plan and the cache's contents. Pure: no clock, no disk, no network."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from slipway.agent.path_names import BuildKey
from slipway.agent.plan import Plan


@dataclass(frozen=True)
class CacheContents:
    """`complete`: builds with a marker and a directory. `current`: the build each game's `current` link points at."""

    complete: AbstractSet[BuildKey]
    current: Mapping[str, BuildKey]


@dataclass(frozen=True)
class BuildsInUse:
    """Builds with a session, and games where a session is starting and may use any build."""

    builds: AbstractSet[BuildKey] = frozenset()
    games: AbstractSet[str] = frozenset()

    def blocks(self, key: BuildKey) -> bool:
        return key in self.builds or key.game_id in self.games


@dataclass(frozen=True)
class CacheActions:
    fetch: tuple[
        BuildKey, ...
    ]  # Missing; released builds first. The caller applies back-off and the limit of parallel fetches.
    activate: tuple[BuildKey, ...]  # Complete and released, but `current` points elsewhere.
    evict: tuple[BuildKey, ...]  # Not in the plan, and without sessions.
    cancel: tuple[BuildKey, ...]  # Being fetched, but no longer in the plan, or only kept if they are here.
    absent: tuple[BuildKey, ...]  # The platform expects them here, but they are not.


def choose_actions(
    plan: Plan, disk: CacheContents, fetching: AbstractSet[BuildKey], in_use: BuildsInUse
) -> CacheActions:
    wanted = {build.key for build in plan.builds}
    fetched = {build.key for build in plan.builds if not build.keep}
    active = [build.key for build in plan.builds if build.active]
    missing = sorted(
        (
            build
            for build in plan.builds
            if not build.keep and not build.preparing and build.key not in disk.complete | fetching
        ),
        key=lambda build: not build.active,
    )
    return CacheActions(
        fetch=tuple(build.key for build in missing),
        activate=tuple(key for key in active if key in disk.complete and disk.current.get(key.game_id) != key),
        evict=tuple(
            key
            for key in sorted(disk.complete)
            if key not in wanted and not in_use.blocks(key) and not _still_live(key, active, disk)
        ),
        cancel=tuple(sorted(key for key in fetching if key not in fetched)),
        absent=tuple(
            key
            for key in (*plan.evict, *(build.key for build in plan.builds if build.keep))
            if key not in disk.complete and key not in fetched and key not in fetching
        ),
    )


def choose_for_space(
    plan: Plan, disk: CacheContents, in_use: BuildsInUse, needed_by: BuildKey | None = None
) -> tuple[BuildKey, ...]:
    """The kept builds that can be evicted when space is needed, the first to go first: those of the game of `needed_by`
    last, because an update may begin with one of them."""
    active = [build.key for build in plan.builds if build.active]
    kept = (
        build.key
        for build in plan.builds
        if build.keep
        and build.key in disk.complete
        and not in_use.blocks(build.key)
        and not _still_live(build.key, active, disk)
    )
    game = needed_by.game_id if needed_by else None
    return tuple(sorted(kept, key=lambda key: (key.game_id == game, key)))


def _still_live(key: BuildKey, active: list[BuildKey], disk: CacheContents) -> bool:
    """Whether `current` points to `key` and its successor is not complete. Such a build stays even if the plan
    evicts it, so that a release never interrupts play."""
    successors = [other for other in active if other.game_id == key.game_id]
    return disk.current.get(key.game_id) == key and any(other not in disk.complete for other in successors)
