"""The builds on this server that an update can begin with, and their indexes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from threading import Lock

from slipway.agent import logs
from slipway.agent.cache.archive_install import damage_limits
from slipway.agent.cache.build_store import Inventory
from slipway.agent.cache.cache_layout import CacheLayout
from slipway.agent.cache.fetch_task import FetchTask
from slipway.agent.cache.locks import BuildInUse, build_lock
from slipway.agent.packs.fresh_addresses import FreshAddresses
from slipway.agent.packs.index_files import read_index, write_index
from slipway.agent.packs.pack_offer import OfferedUpdate, PackOffer
from slipway.agent.packs.storage_client import ObjectRejected, StorageClient
from slipway.agent.path_names import BuildKey
from slipway.packs.format.index import Index
from slipway.packs.format.index_decoding import decode_index
from slipway.packs.format.index_transfer import decompress_index
from slipway.packs.format.pack_format import MAX_INDEX_BYTES
from slipway.packs.format.refusals import IndexRefused
from slipway.packs.local_reuse import LocalBuild


@dataclass(frozen=True)
class UpdateSource:
    """`encoded` is the table of `local.index`."""

    key: BuildKey
    update: OfferedUpdate
    local: LocalBuild
    encoded: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.encoded).hexdigest()


class UpdateSources:
    def __init__(self, layout: CacheLayout, inventory: Inventory, storage: StorageClient) -> None:
        self._layout = layout
        self._inventory = inventory
        self._storage = storage
        self._fetching = Lock()

    def held(self, task: FetchTask, offer: PackOffer) -> list[OfferedUpdate]:
        """The offered updates from builds that are complete here, the cheapest first."""
        game_id = task.wanted.key.game_id
        return [update for update in offer.updates if self._inventory.get(BuildKey(game_id, update.build)) is not None]

    @contextmanager
    def opened(self, task: FetchTask, update: OfferedUpdate) -> Iterator[UpdateSource | None]:
        """The source of `update`, which cannot be evicted meanwhile. None if it was evicted, or if there is no index of
        it. Raises FetchFailed, FetchCancelled or OSError."""
        key = BuildKey(task.wanted.key.game_id, update.build)
        with ExitStack() as stack:
            try:
                stack.enter_context(build_lock(self._layout.marker(key)))
            except (FileNotFoundError, BuildInUse):
                yield None
                return
            found = self._local_index(key) or self.fetched_index(task, key)
            yield UpdateSource(key, update, LocalBuild(self._layout.build(key), found[0]), found[1]) if found else None

    def _local_index(self, key: BuildKey) -> tuple[Index, bytes] | None:
        encoded = read_index(self._layout.index(key))
        if encoded is None:
            return None
        try:
            return decode_index(encoded, damage_limits()), encoded
        except IndexRefused as refusal:
            logs.warning("the index on disk cannot be read", game=key.game_id, build=key.build, reason=refusal)
            return None

    def fetched_index(self, task: FetchTask, key: BuildKey) -> tuple[Index, bytes] | None:
        """The index of a build that came from its archive, from now on also on disk; None if the plan offers none that
        can be used. The caller must hold the build's lock. Raises FetchFailed, FetchCancelled or OSError."""
        with self._fetching:
            return self._local_index(key) or self._fetch_index(task, key)  # another thread may have fetched it

    def _fetch_index(self, task: FetchTask, key: BuildKey) -> tuple[Index, bytes] | None:
        planned, marker = task.planned(key), self._inventory.get(key)
        # A platform restored from a backup can assign a number twice: its index is then that of other bytes.
        if planned is None or planned.pack is None or marker is None or planned.sha256 != marker.sha256:
            return None

        def refreshed() -> PackOffer | None:
            task.refresh()
            again = task.planned(key)
            return again.pack if again else None

        addresses = FreshAddresses(planned.pack, refreshed)
        try:
            frame = addresses.use(
                lambda offer: offer.index.stored,
                lambda stored: self._storage.read(
                    stored, MAX_INDEX_BYTES, task.cancelled, received=lambda count: task.check()
                ),
            )
            encoded = decompress_index(frame, planned.pack.index.reference)
            index = decode_index(encoded, damage_limits())
        except (ObjectRejected, IndexRefused) as refusal:
            logs.warning("the index cannot be used", game=key.game_id, build=key.build, reason=refusal)
            return None
        write_index(self._layout.index(key), encoded)
        return index, encoded
