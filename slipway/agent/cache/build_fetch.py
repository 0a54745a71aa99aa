"""Fetches one build to disk, from its pack or its archive, and places it in the cache."""

from __future__ import annotations

from slipway.agent import logs
from slipway.agent.cache.archive_install import ArchiveInstall, needed_bytes
from slipway.agent.cache.build_placing import BuildPlacing
from slipway.agent.cache.build_store import Inventory
from slipway.agent.cache.cache_layout import CacheLayout
from slipway.agent.cache.disk_space import DiskSpace, is_disk_full
from slipway.agent.cache.download import FetchFailed
from slipway.agent.cache.fetch_task import FetchTask
from slipway.agent.cache.ready_build import ReadyBuild
from slipway.agent.fetch_source import ARCHIVE, FetchSource
from slipway.agent.packs.assemblies import drop_assemblies
from slipway.agent.packs.pack_install import PackInstall
from slipway.agent.packs.pack_offer import PackOffer
from slipway.agent.packs.storage_client import ObjectRejected
from slipway.agent.path_names import BuildKey
from slipway.packs.format.refusals import PackRefused


class BuildFetch:
    """Runs each task in the thread that calls `run`."""

    def __init__(
        self,
        layout: CacheLayout,
        inventory: Inventory,
        archives: ArchiveInstall,
        packs: PackInstall,
        placing: BuildPlacing,
        space: DiskSpace,
    ) -> None:
        self._layout = layout
        self._inventory = inventory
        self._archives = archives
        self._packs = packs
        self._placing = placing
        self._space = space
        self._refused: dict[BuildKey, tuple[str, int, str]] = {}

    def run(self, task: FetchTask) -> None:
        """Fetch the build and place it in the cache. Raises FetchFailed, DiskFull or FetchCancelled."""
        wanted = task.wanted
        try:
            self._placing.place(wanted.key, self._made(task))
            drop_assemblies(self._layout, wanted.key)
            self._refused.pop(wanted.key, None)
        except OSError as error:
            if is_disk_full(error):
                self._archives.drop_unpacked(wanted)
                raise self._space.disk_full_error(needed_bytes(wanted)) from error
            raise FetchFailed(f"disk error: {self._layout.error_words(error)}") from error
        finally:
            self._space.free_reservation(wanted.key)

    def _made(self, task: FetchTask) -> ReadyBuild:
        offer = task.wanted.pack
        reason = self._known_refusal(task, offer) if offer else None
        if offer and reason is None and not self._continues_archive(task, offer):
            self._inventory.drop_part(task.wanted.key)
            try:
                return self._packs.make(task, offer)
            except (ObjectRejected, PackRefused) as refusal:
                reason = str(refusal)
                self._record_refusal(task, offer, reason)
        return self._archives.make(task, FetchSource(ARCHIVE, fallback=reason))

    def _continues_archive(self, task: FetchTask, offer: PackOffer) -> bool:
        """Whether an archive is downloaded so far that the rest of it is less than the pack."""
        received = self._inventory.part_length(task.wanted.key)
        return received > 0 and task.wanted.size - received < self._packs.transfer_bytes(task, offer)

    def _known_refusal(self, task: FetchTask, offer: PackOffer) -> str | None:
        """Why this pack cannot be used, until somebody presses "Retry now": a retry after a broken connection should
        not fetch it again."""
        sha256, retry, reason = self._refused.get(task.wanted.key, ("", 0, ""))
        return reason if (sha256, retry) == (offer.index.reference.sha256, task.wanted.retry) else None

    def _record_refusal(self, task: FetchTask, offer: PackOffer, reason: str) -> None:
        key = task.wanted.key
        logs.warning("the pack cannot be used; fetching the archive", game=key.game_id, build=key.build, reason=reason)
        self._refused[key] = (offer.index.reference.sha256, task.wanted.retry, reason)
        drop_assemblies(self._layout, key)
        self._space.free_reservation(key)
