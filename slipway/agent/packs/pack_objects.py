"""The objects of one pack in storage: index, patch, and ranges of the chunks."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from threading import Event

from slipway.agent import logs
from slipway.agent.packs.assemblies import Assembly
from slipway.agent.packs.fresh_addresses import FreshAddresses
from slipway.agent.packs.index_files import read_index, write_index
from slipway.agent.packs.pack_offer import OfferedUpdate, PackOffer, StoredObject
from slipway.agent.packs.storage_client import ObjectRejected, OpenRange, Received, StorageClient
from slipway.agent.packs.update_sources import UpdateSource
from slipway.agent.path_names import BuildKey
from slipway.client.durable import write_bytes
from slipway.packs.applying import PatchObject
from slipway.packs.format.index import Index
from slipway.packs.format.index_transfer import IndexReference, decompress_index
from slipway.packs.format.pack_format import MAX_INDEX_BYTES
from slipway.packs.format.patch_format import MAX_PATCH_BYTES, decode_patch
from slipway.packs.format.refusals import IndexRefused, PatchRefused


class PackObjects:
    """A RangeSource of the pack. All methods raise FetchFailed, FetchCancelled and ObjectRejected."""

    def __init__(
        self, storage: StorageClient, addresses: FreshAddresses, key: BuildKey, cancelled: Event, received: Received
    ) -> None:
        self._storage = storage
        self._addresses = addresses
        self._key = key
        self._cancelled = cancelled
        self._received = received

    def open_range(self, start: int, length: int) -> OpenRange:
        """As RangeSource."""
        return self._addresses.use(
            lambda offer: offer.stored,
            lambda stored: self._storage.open_range(stored, start, length, self._cancelled, self._received),
        )

    def index(self, reference: IndexReference, source: UpdateSource | None, assembly: Assembly) -> bytes:
        """The table of the index, as its hash in the plan promises. It is kept for the next attempt. Raises
        IndexRefused."""
        encoded = read_index(assembly.index)
        if encoded is None:
            encoded = self._delta(reference, source) if source and source.update.delta else None
            encoded = encoded or self.complete_index(reference)
            write_index(assembly.index, encoded)
        return encoded

    def complete_index(self, reference: IndexReference) -> bytes:
        """The table of the index, fetched without an older one. Raises IndexRefused."""
        return decompress_index(self._read(lambda offer: offer.index.stored, MAX_INDEX_BYTES), reference)

    def patch(
        self, source: UpdateSource, index: Index, reference: IndexReference, assembly: Assembly
    ) -> PatchObject | None:
        """The patch from `source`, if there is one that can be used: its chunks are in the pack too."""
        offered = source.update.patch
        if offered is None:
            return None
        key = self._key
        try:
            encoded = assembly.patch.read_bytes() if assembly.patch.exists() else b""
            if hashlib.sha256(encoded).hexdigest() != offered.sha256:
                encoded = self._read(self._of_update(source, _patch_of), MAX_PATCH_BYTES)
                if hashlib.sha256(encoded).hexdigest() != offered.sha256:
                    raise PatchRefused(f"The patch is not the one with SHA-256 {offered.sha256}")
                write_bytes(assembly.patch, encoded)
            table = decode_patch(encoded, source.local.index, source.sha256, index, reference.sha256)
        except (ObjectRejected, PatchRefused) as refusal:
            logs.warning("the patch cannot be used; fetching chunks", game=key.game_id, build=key.build, reason=refusal)
            return None
        return PatchObject(table, encoded)

    def _delta(self, reference: IndexReference, source: UpdateSource) -> bytes | None:
        key = self._key
        try:
            frame = self._read(self._of_update(source, lambda update: update.delta), MAX_INDEX_BYTES)
            return decompress_index(frame, reference, source.encoded)
        except (ObjectRejected, IndexRefused) as refusal:
            logs.warning(
                "the index delta cannot be used; fetching the index",
                game=key.game_id,
                build=key.build,
                reason=refusal,
            )
            return None

    def _read(self, pick: Callable[[PackOffer], StoredObject | None], maximum: int) -> bytes:
        return self._addresses.use(
            pick, lambda stored: self._storage.read(stored, maximum, self._cancelled, self._received)
        )

    @staticmethod
    def _of_update(
        source: UpdateSource, pick: Callable[[OfferedUpdate], StoredObject | None]
    ) -> Callable[[PackOffer], StoredObject | None]:
        """Picks from the update of `source` in a newer offer too."""

        def picked(offer: PackOffer) -> StoredObject | None:
            return next((pick(update) for update in offer.updates if update.build == source.update.build), None)

        return picked


def _patch_of(update: OfferedUpdate) -> StoredObject | None:
    return update.patch.stored if update.patch else None
