"""What it costs to bring a build to a server, exact to the byte: nothing, an update, the pack or the archive."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import and_, select
from sqlalchemy.orm import joinedload

from app.data.database import in_batches
from app.data.extensions import db
from app.data.models.base import now
from app.data.models.game import Build
from app.data.models.pack import IS_FOR_SERVERS, BuildPack, PackState, PackUpdate
from app.data.models.server import Replica

Way = Literal["none", "update", "pack", "archive"]
UNDER_WAY = ("waiting", "making")


@dataclass(frozen=True)
class TransferCost:
    """The cheapest way to bring a build to one server. `bytes`: of the complete transfer. `from_build`: the number of
    the build that an update starts from."""

    way: Way
    bytes: int
    from_build: int | None = None


NOTHING = TransferCost("none", 0)
# Condition for replicas whose transfer has not begun. Of others, the server has reported how many bytes it takes.
NOT_BEGUN = and_(Replica.phase.in_(("pending", "failed")), Replica.bytes_done == 0)


class TransferCosts:
    """The costs of some builds, from their packs and updates."""

    def __init__(self, packs: Sequence[BuildPack], updates: Sequence[PackUpdate]) -> None:
        self._packs = {pack.build_id: pack for pack in packs}
        self._updates: dict[str, dict[str, int]] = defaultdict(dict)
        for update in updates:
            self._updates[update.build_id][update.from_build_id] = update.transfer_bytes

    def pack_state(self, build_id: str) -> PackState | None:
        """None without a pack, also for a build whose pack was never wanted."""
        pack = self._packs.get(build_id)
        return pack.state if pack else None

    def preparing_percent(self, build_id: str) -> int | None:
        """How far the making of a build's pack is, or None if none is being made."""
        pack = self._packs.get(build_id)
        if pack is None or pack.state not in UNDER_WAY:
            return None
        return min(99, pack.bytes_done * 100 // pack.bytes_total) if pack.bytes_total else 0

    def from_nothing(self, build: Build) -> TransferCost:
        """For a server that holds no build of the game."""
        pack = self._ready(build.id)
        if pack is None:
            return TransferCost("archive", build.size)
        return TransferCost("pack", pack.pack_bytes + pack.index_bytes)

    def from_build(self, build: Build, held: Build) -> TransferCost:
        """For a server that holds one other build. An update that was not measured yet costs at most the pack."""
        pack = self._ready(build.id)
        if pack is None or self._ready(held.id) is None:
            return self.from_nothing(build)
        known = self._updates[build.id].get(held.id)
        return TransferCost("update", pack.pack_bytes + pack.index_bytes if known is None else known, held.number)

    def is_measured(self, build_id: str, from_build_id: str) -> bool:
        """Whether the update's size is known, or there is no such update."""
        packs = self._ready(build_id) and self._ready(from_build_id)
        return not packs or from_build_id in self._updates[build_id]

    def for_server(self, build: Build, held: Sequence[Build]) -> TransferCost:
        """For a server that holds these builds of the game: what its plan offers first. Servers fetch the index of a
        build that came from its archive beforehand, so it is not part of the cost."""
        if any(other.id == build.id for other in held):
            return NOTHING
        offers = [self.from_build(build, other) for other in held]
        updates = [offer for offer in offers if offer.way == "update"]
        if not updates:
            return self.from_nothing(build)
        return min(updates, key=lambda offer: (offer.bytes, -(offer.from_build or 0)))

    def waits_for_pack(self, build: Build, held: Sequence[Build], *, is_live: bool) -> bool:
        """Whether a server that holds these builds waits for the build's pack, or will when it is released: because it
        can play another build, and not for longer than `awaited_until`."""
        pack = self._packs.get(build.id)
        if pack is None or pack.state not in UNDER_WAY or not held or any(other.id == build.id for other in held):
            return False
        return not is_live or (pack.awaited_until is not None and pack.awaited_until > now())

    def _ready(self, build_id: str) -> BuildPack | None:
        pack = self._packs.get(build_id)
        return pack if pack and pack.state == "ready" else None


def bytes_to_fetch(replica: Replica | None, cost: TransferCost) -> int:
    """The bytes of a build that a server must still download: none if it has cached it or is verifying it, the rest if
    it has begun (downloads resume), else all."""
    left = bytes_left(replica)
    return cost.bytes if left is None else left


def bytes_left(replica: Replica | None) -> int | None:
    """`bytes_to_fetch` without a cost. None if the server has nothing of the build, so that its cost decides."""
    if replica is None:
        return None
    if replica.phase in {"cached", "verifying"}:
        return 0
    if replica.phase in {"downloading", "pending", "failed"} and replica.bytes_done:
        return max(0, (replica.bytes_total or replica.build.size) - replica.bytes_done)
    return None


def transfer_costs(build_ids: Collection[str]) -> TransferCosts:
    """Two queries per 5,000 builds."""
    packs: list[BuildPack] = []
    updates: list[PackUpdate] = []
    for ids in in_batches(sorted(build_ids)):
        packs += db.session.scalars(select(BuildPack).where(BuildPack.build_id.in_(ids), IS_FOR_SERVERS))
        query = select(PackUpdate).where(PackUpdate.build_id.in_(ids)).options(joinedload(PackUpdate.pack))
        updates += db.session.scalars(query)
    return TransferCosts(packs, updates)
