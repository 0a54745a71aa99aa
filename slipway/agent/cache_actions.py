"""What to do next, from the plan and what is on disk. Pure: no clock, no disk, no network."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from slipway.agent.plan import Plan
from slipway.agent.path_names import BuildKey


@dataclass(frozen=True)
class OnDisk:
    """`whole`: builds that are complete. `current`: the build each game's `current` link points at."""

    whole: AbstractSet[BuildKey]
    current: Mapping[str, BuildKey]


@dataclass(frozen=True)
class InUse:
    """Builds with a session, and games where a session is starting and may take any build."""

    builds: AbstractSet[BuildKey] = frozenset()
    games: AbstractSet[str] = frozenset()

    def blocks(self, key: BuildKey) -> bool:
        return key in self.builds or key.game_id in self.games


@dataclass(frozen=True)
class Decision:
    fetch: tuple[BuildKey, ...]  # Missing, the released ones first; the caller looks at back-off and free hands.
    activate: tuple[BuildKey, ...]  # Whole, released, and `current` points elsewhere.
    evict: tuple[BuildKey, ...]  # No longer wanted and free of sessions.
    cancel: tuple[BuildKey, ...]  # Being fetched but no longer wanted.
    absent: tuple[BuildKey, ...]  # The platform believes they are here; they are not.


def decide(plan: Plan, disk: OnDisk, fetching: AbstractSet[BuildKey], in_use: InUse) -> Decision:
    wanted = {build.key for build in plan.builds}
    active = [build.key for build in plan.builds if build.active]
    missing = sorted(
        (build for build in plan.builds if build.key not in disk.whole and build.key not in fetching),
        key=lambda build: not build.active,
    )
    return Decision(
        fetch=tuple(build.key for build in missing),
        activate=tuple(key for key in active if key in disk.whole and disk.current.get(key.game_id) != key),
        evict=tuple(
            key
            for key in sorted(disk.whole)
            if key not in wanted and not in_use.blocks(key) and not _still_live(key, active, disk)
        ),
        cancel=tuple(sorted(key for key in fetching if key not in wanted)),
        absent=tuple(key for key in plan.evict if key not in disk.whole and key not in wanted and key not in fetching),
    )


def _still_live(key: BuildKey, active: list[BuildKey], disk: OnDisk) -> bool:
    """What `current` points at stays until its successor is whole, whatever the plan says: a release never
    stops play."""
    successors = [other for other in active if other.game_id == key.game_id]
    return disk.current.get(key.game_id) == key and any(other not in disk.whole for other in successors)
