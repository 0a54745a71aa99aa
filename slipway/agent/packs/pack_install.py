"""Makes a build from its pack, and from an older build on this server where the plan offers that."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

from slipway.agent import logs
from slipway.agent.build_statuses import BuildStatuses
from slipway.agent.cache.archive_install import damage_limits
from slipway.agent.cache.build_store import BuildMarker
from slipway.agent.cache.cache_layout import CacheLayout
from slipway.agent.cache.disk_space import DiskSpace
from slipway.agent.cache.fetch_task import FetchCancelled, FetchTask
from slipway.agent.cache.ready_build import ReadyBuild
from slipway.agent.crash_points import crash_point
from slipway.agent.fetch_source import PACK, UPDATE, FetchSource
from slipway.agent.packs.assemblies import Assembly, allocated_bytes, drop_assemblies
from slipway.agent.packs.fresh_addresses import FreshAddresses
from slipway.agent.packs.missing_bytes import missing_bytes
from slipway.agent.packs.pack_objects import PackObjects
from slipway.agent.packs.pack_offer import PackOffer
from slipway.agent.packs.pack_progress import PackProgress
from slipway.agent.packs.storage_client import ObjectRejected, StorageClient
from slipway.agent.packs.update_sources import UpdateSource, UpdateSources
from slipway.agent.plan import WantedBuild
from slipway.client.sizes import format_size
from slipway.packs.applying import Applied, apply, chunk_bytes
from slipway.packs.format.index import Index
from slipway.packs.format.index_decoding import decode_game_index
from slipway.packs.format.refusals import TransferCancelled
from slipway.packs.local_reuse import OldChunks, Reuse, can_clone


class PackInstall:
    """Runs each task in the thread that calls `make`, and in four more."""

    def __init__(
        self,
        layout: CacheLayout,
        sources: UpdateSources,
        storage: StorageClient,
        space: DiskSpace,
        statuses: BuildStatuses,
    ) -> None:
        self._layout = layout
        self._storage = storage
        self._space = space
        self._statuses = statuses
        self._sources = sources

    def transfer_bytes(self, task: FetchTask, offer: PackOffer) -> int:
        """The bytes that `make` would fetch, if nothing is in place."""
        held = self._sources.held(task, offer)
        return held[0].transfer_bytes if held else _complete_bytes(offer)

    def make(self, task: FetchTask, offer: PackOffer) -> ReadyBuild:
        """Raises ObjectRejected or PackRefused if the pack cannot be used; FetchFailed, DiskFull, FetchCancelled or
        OSError if this attempt failed."""
        assembly = Assembly(self._layout, task.wanted.key, offer.index.reference.sha256)
        progress = PackProgress(task, self._statuses, self._space, resumed=assembly.is_begun)
        drop_assemblies(self._layout, task.wanted.key, but=assembly)
        with self._source(task, offer, progress) as source:
            try:
                return self._assemble(task, offer, source, assembly, progress)
            except TransferCancelled as cancelled:
                raise FetchCancelled from cancelled

    @contextmanager
    def _source(self, task: FetchTask, offer: PackOffer, progress: PackProgress) -> Iterator[UpdateSource | None]:
        for update in self._sources.held(task, offer):
            progress.begin(FetchSource(UPDATE, update.build), update.transfer_bytes)
            with self._sources.opened(task, update) as source:
                if source:
                    yield source
                    return
        progress.begin(FetchSource(PACK), _complete_bytes(offer))
        yield None

    def _assemble(
        self,
        task: FetchTask,
        offer: PackOffer,
        source: UpdateSource | None,
        assembly: Assembly,
        progress: PackProgress,
    ) -> ReadyBuild:
        wanted = task.wanted
        addresses = FreshAddresses(offer, lambda: task.refresh().pack)
        objects = PackObjects(self._storage, addresses, wanted.key, task.cancelled, progress.received)
        encoded = objects.index(offer.index.reference, source, assembly)
        index = _decoded(encoded, wanted, offer)
        crash_point("after-index")
        assembly.tree.mkdir(exist_ok=True)
        assembly.tree.chmod(0o755)
        need = self._to_write(index, source) - allocated_bytes(assembly.tree)
        progress.reserve(chunk_bytes(index), max(0, need))
        patch = objects.patch(source, index, offer.index.reference, assembly) if source else None
        if assembly.is_begun:
            older, table = source.local.index if source else None, patch.table if patch else None
            progress.resume(missing_bytes(index, assembly.tree, older, table))
        applied = apply(
            index,
            assembly.tree,
            objects,
            old=source.local if source else None,
            patch=patch,
            reuse=self._reuse,
            progress=progress.placed,
            cancelled=task.cancelled.is_set,
        )
        crash_point("after-pack")
        _log(applied, wanted, source)
        marker = BuildMarker(
            sha256=wanted.sha256,
            size=wanted.size,
            unpacked_bytes=index.content_bytes,
            top_directory=wanted.top_directory,
            launcher=wanted.launcher,
            read_only=True,
            source=FetchSource(UPDATE, source.update.build) if source else FetchSource(PACK),
        )
        return ReadyBuild(assembly.tree, marker, assembly.index)

    @cached_property
    def _clones(self) -> bool:
        return can_clone(self._layout.unpack)

    @property
    def _reuse(self) -> Reuse:
        """Links only if the modes of files protect them: they do not stop root."""
        return Reuse.COPY if self._clones or os.geteuid() == 0 else Reuse.HARD_LINK

    def _to_write(self, index: Index, source: UpdateSource | None) -> int:
        if source is None or (self._reuse is Reuse.COPY and not self._clones):
            return index.content_bytes
        return OldChunks(index, source.local).bytes_to_write(self._reuse)


def _complete_bytes(offer: PackOffer) -> int:
    return offer.index.stored.size + offer.stored.size


def _decoded(encoded: bytes, wanted: WantedBuild, offer: PackOffer) -> Index:
    """The index, checked against the plan. Raises IndexRefused or ObjectRejected."""
    index, top_directory, launcher = decode_game_index(encoded, damage_limits(wanted.unpacked_bytes), wanted.launcher)
    if (top_directory, launcher) != (wanted.top_directory, wanted.launcher):
        raise ObjectRejected(
            f"the pack contains {top_directory!r} with launcher {launcher!r}, the plan names "
            f"{wanted.top_directory!r} with {wanted.launcher!r}"
        )
    if index.pack_bytes != offer.stored.size:
        raise ObjectRejected(f"the pack has {offer.stored.size} bytes, its index describes {index.pack_bytes}")
    return index


def _log(applied: Applied, wanted: WantedBuild, source: UpdateSource | None) -> None:
    key = wanted.key
    logs.info(
        "build made from its pack",
        game=key.game_id,
        build=key.build,
        from_build=source.update.build if source else None,
        fetched=format_size(applied.fetched),
        reused=format_size(applied.reused + applied.kept),
        patched=format_size(applied.patched),
    )
    if source and applied.damaged_old:
        logs.warning(
            "somebody wrote to a build on this server, or the disk damaged it; the bytes were fetched instead. "
            "Repair it with slipway-agent verify --repair",
            game=source.key.game_id,
            build=source.key.build,
            damaged=format_size(applied.damaged_old),
        )
