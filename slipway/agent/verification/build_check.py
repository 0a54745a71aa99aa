"""Checks one cached build against its index, chunk by chunk, and mends it from its pack."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Event, Lock

from slipway.agent.cache.archive_install import damage_limits
from slipway.agent.cache.build_store import BuildMarker
from slipway.agent.cache.cache_layout import CacheLayout
from slipway.agent.cache.disk_space import DiskSpace
from slipway.agent.cache.download import FetchFailed
from slipway.agent.crash_points import crash_point
from slipway.agent.packs.fresh_addresses import FreshAddresses
from slipway.agent.packs.index_files import read_index
from slipway.agent.packs.pack_objects import PackObjects
from slipway.agent.packs.pack_offer import PackOffer
from slipway.agent.packs.storage_client import ObjectRejected, StorageClient
from slipway.agent.path_names import BuildKey
from slipway.agent.plan import WantedBuild
from slipway.agent.verification.repair_folders import repair_folder
from slipway.packs.format.index import Index
from slipway.packs.format.index_decoding import decode_index
from slipway.packs.format.index_transfer import reference_to
from slipway.packs.format.refusals import IndexRefused, PackRefused
from slipway.packs.repairing import repair
from slipway.packs.verifying import Verification, verify

Problems = list[tuple[str, str]]
Planned = Callable[[BuildKey], WantedBuild | None]


class NotChecked(Exception):
    """The build cannot be compared with an index; str() says why."""


class NotMended(Exception):
    """The repair did not end; str() says why."""


@dataclass(frozen=True)
class CheckedBuild:
    """`encoded` is the table of `index`, with which the build was compared."""

    key: BuildKey
    marker: BuildMarker
    encoded: bytes
    index: Index
    verification: Verification

    @property
    def problems(self) -> Problems:
        return list(self.verification.problems(self.index))


class BuildCheck:
    """`planned` asks the platform for the current entry of a build; it raises FetchFailed."""

    def __init__(self, layout: CacheLayout, storage: StorageClient, space: DiskSpace, planned: Planned) -> None:
        self._layout = layout
        self._storage = storage
        self._space = space
        self._planned = planned
        self._received = _Counter()

    @property
    def received_bytes(self) -> int:
        """What came from storage so far."""
        return self._received.total

    def check(self, key: BuildKey, marker: BuildMarker) -> CheckedBuild:
        """Read and hash the complete build. Raises NotChecked or OSError."""
        encoded = read_index(self._layout.index(key))
        if encoded is None:
            encoded = self._offered_index(key, self._offer(key, marker, NotChecked), NotChecked)
        index = _decoded(encoded)
        return CheckedBuild(key, marker, encoded, index, verify(index, self._layout.build(key)))

    def mend(self, checked: CheckedBuild) -> CheckedBuild:
        """Fetch what is damaged or missing, and check again. Raises NotMended, NotChecked, DiskFull or OSError."""
        key, marker, index, found = checked.key, checked.marker, checked.index, checked.verification
        root, offer = self._layout.build(key), self._offer(key, marker, NotMended)
        if reference_to(checked.encoded) != offer.index.reference:
            # The pack was made again since: its chunks are in another order.
            index = _decoded(self._offered_index(key, offer, NotMended))
            found = verify(index, root)
        folder = repair_folder(self._layout, key, offer.index.reference.sha256)
        self._space.reserve(key, _bytes_to_write(index, found))
        try:
            objects = self._objects(key, marker, offer)
            repair(index, root, found, objects, folder, progress=lambda done, fetched: crash_point("mid-repair"))
            crash_point("after-repair")
        except (FetchFailed, ObjectRejected, PackRefused) as error:
            raise NotMended(str(error)) from error
        finally:
            self._space.free_reservation(key)
        folder.rmdir()
        return CheckedBuild(key, marker, checked.encoded, index, verify(index, root))

    def _offer(self, key: BuildKey, marker: BuildMarker, refused: type[Exception]) -> PackOffer:
        try:
            wanted = self._planned(key)
        except FetchFailed as error:
            raise refused(str(error)) from error
        if wanted is None or wanted.sha256 != marker.sha256:
            raise refused("the platform's plan no longer names it")
        if wanted.pack is None:
            raise refused("the platform has no pack of it (yet)")
        return wanted.pack

    def _objects(self, key: BuildKey, marker: BuildMarker, offer: PackOffer) -> PackObjects:
        addresses = FreshAddresses(offer, lambda: self._offer(key, marker, FetchFailed))
        return PackObjects(self._storage, addresses, key, Event(), self._received.add)

    def _offered_index(self, key: BuildKey, offer: PackOffer, refused: type[Exception]) -> bytes:
        addresses = FreshAddresses(offer, lambda: None)  # the addresses are from a moment ago
        objects = PackObjects(self._storage, addresses, key, Event(), self._received.add)
        try:
            return objects.complete_index(offer.index.reference)
        except (FetchFailed, ObjectRejected, IndexRefused) as error:
            raise refused(str(error)) from error


class _Counter:
    """Counts bytes that several threads receive."""

    def __init__(self) -> None:
        self.total = 0
        self._lock = Lock()

    def add(self, count: int) -> None:
        with self._lock:
            self.total += count


def _decoded(encoded: bytes) -> Index:
    try:
        return decode_index(encoded, damage_limits())
    except IndexRefused as refusal:
        raise NotChecked(str(refusal)) from refusal


def _bytes_to_write(index: Index, found: Verification) -> int:
    """Damaged files are made anew beside the old ones."""
    entries = {chunk.entry for chunk in found.chunks} | set(found.entries)
    return sum(index.size(entry) for entry in entries)
