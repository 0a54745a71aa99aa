"""Makes a build from its archive: download, verify, unpack. Every step can be repeated."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from slipway.agent.build_statuses import BuildStatuses, Phase
from slipway.agent.cache.bandwidth import Bandwidth
from slipway.agent.cache.build_store import BuildMarker, Inventory
from slipway.agent.cache.cache_layout import CacheLayout
from slipway.agent.cache.disk_space import DiskSpace
from slipway.agent.cache.download import PIECE_BYTES, FetchFailed, UrlRejected, download
from slipway.agent.cache.fetch_task import FetchCancelled, FetchTask
from slipway.agent.cache.part_file import PartFile
from slipway.agent.cache.ready_build import ReadyBuild
from slipway.agent.cache.tree_sync import fsync_tree
from slipway.agent.crash_points import crash_point
from slipway.agent.fetch_source import FetchSource
from slipway.agent.plan import WantedBuild
from slipway.agent.response_fields import MAX_BYTES
from slipway.agent.storage_addresses import StorageAddresses
from slipway.archive.archive_limits import ArchiveLimits
from slipway.archive.archive_rejected import ArchiveRejected
from slipway.archive.inspection import Inspection
from slipway.archive.unpacking import UnpackCancelled, unpack
from slipway.client.storage_connections import StorageConnections
from slipway.disk_errors import error_at
from slipway.packs.tree_modes import make_read_only, remove_tree

_FLOOR_CHECK_INTERVAL_BYTES = 64 << 20


class ArchiveInstall:
    """Runs each task in the thread that calls `make`."""

    def __init__(
        self,
        layout: CacheLayout,
        inventory: Inventory,
        connections: StorageConnections,
        addresses: StorageAddresses,
        bandwidth: Bandwidth,
        space: DiskSpace,
        statuses: BuildStatuses,
    ) -> None:
        self._layout = layout
        self._inventory = inventory
        self._connections = connections
        self._addresses = addresses
        self._bandwidth = bandwidth
        self._space = space
        self._statuses = statuses

    def make(self, task: FetchTask, source: FetchSource) -> ReadyBuild:
        """Raises FetchFailed, DiskFull, FetchCancelled or OSError."""
        wanted = task.wanted
        self._statuses.set_phase(wanted.key, Phase.DOWNLOADING, wanted.size, attempt=task.attempt, source=source)
        self._download(task)
        crash_point("after-download")
        self._statuses.set_phase(wanted.key, Phase.VERIFYING, wanted.size, attempt=task.attempt)
        self._verify(task)
        crash_point("after-verify")
        inspection = self._unpack(task)
        crash_point("after-unpack")
        marker = BuildMarker(
            sha256=wanted.sha256,
            size=wanted.size,
            unpacked_bytes=inspection.unpacked_bytes,
            top_directory=inspection.top_directory,
            launcher=inspection.launcher,
            read_only=True,
            source=source,
        )
        return ReadyBuild(self._layout.unpacking(wanted.key), marker)

    def drop_unpacked(self, wanted: WantedBuild) -> None:
        path = self._layout.unpacking(wanted.key)
        if path.exists():
            remove_tree(path)

    def _download(self, task: FetchTask) -> None:
        wanted = task.wanted
        need = needed_bytes(wanted)
        with PartFile(self._layout, wanted) as part:
            self._space.reserve(wanted.key, need - part.length)
            self._statuses.set_progress(wanted.key, part.length)
            unchecked = 0

            def wrote(count: int) -> None:
                nonlocal unchecked
                task.check()
                self._bandwidth.wait(count, task.cancelled)
                self._space.record_written(wanted.key, count)
                self._statuses.set_progress(wanted.key, part.length, transferred=count)
                unchecked += count
                if unchecked >= _FLOOR_CHECK_INTERVAL_BYTES:
                    unchecked = 0
                    self._space.check_floor(need - part.length)

            task.check()
            try:
                self._fetch_from(wanted.archive_url, wanted.size, part, wrote)
            except UrlRejected:
                # Addresses are valid for minutes; the plan has a new one. If that one is rejected too, this attempt
                # fails.
                self._fetch_from(task.refresh().archive_url, wanted.size, part, wrote)

    def _fetch_from(self, url: str, size: int, part: PartFile, wrote: Callable[[int], None]) -> None:
        self._addresses.check(url)
        download(self._connections, url, size, part, wrote, self._bandwidth.piece_bytes(PIECE_BYTES))

    def _verify(self, task: FetchTask) -> None:
        """Compare size and SHA-256 with the plan. First half of the `verifying` progress."""
        wanted = task.wanted
        digest = hashlib.sha256()
        done = 0
        buffer = memoryview(bytearray(PIECE_BYTES))
        path = self._layout.part(wanted.key)
        with error_at(path), path.open("rb", buffering=0) as file:
            while count := file.readinto(buffer):
                task.check()
                digest.update(buffer[:count])
                done += count
                self._statuses.set_progress(wanted.key, done // 2)
        if done != wanted.size or digest.hexdigest() != wanted.sha256:
            self._inventory.drop_part(wanted.key)
            raise FetchFailed(
                f"wrong digest: the plan has sha256 {wanted.sha256[:12]}…, the download has "
                f"{digest.hexdigest()[:12]}… ({done} bytes); the download was deleted"
            )

    def _unpack(self, task: FetchTask) -> Inspection:
        """Unpack into a private directory. Second half of the `verifying` progress."""
        wanted = task.wanted
        into = self._layout.unpacking(wanted.key)
        self.drop_unpacked(wanted)
        into.mkdir()

        def progress(consumed: int) -> None:
            if consumed >= wanted.size // 2:
                crash_point("mid-unpack")
            self._statuses.set_progress(wanted.key, (wanted.size + consumed) // 2)

        try:
            path = self._layout.part(wanted.key)
            with error_at(path), path.open("rb") as source:
                limits = damage_limits(wanted.unpacked_bytes)
                inspection = unpack(source, into, limits, wanted.launcher, progress, task.cancelled.is_set)
            task.check()
            if inspection.top_directory != wanted.top_directory:
                raise FetchFailed(
                    f"the archive contains {inspection.top_directory!r}, the plan names {wanted.top_directory!r}"
                )
            into.chmod(0o755)
            make_read_only(into)
            fsync_tree(into, between=task.check)
        except UnpackCancelled as cancelled:
            self.drop_unpacked(wanted)
            raise FetchCancelled from cancelled
        except ArchiveRejected as rejected:
            self.drop_unpacked(wanted)
            # The digest matches the plan, so the download is kept: each retry would fetch the same bytes again.
            raise FetchFailed(f"the archive cannot be unpacked: {rejected}") from rejected
        except (FetchFailed, FetchCancelled):
            self.drop_unpacked(wanted)
            raise
        return inspection


def needed_bytes(wanted: WantedBuild) -> int:
    """The space for the archive and what it unpacks to."""
    return wanted.size + wanted.unpacked_bytes


def damage_limits(unpacked_bytes: int = MAX_BYTES // 4) -> ArchiveLimits:
    """Limits that only bound the damage: the platform has already inspected this build (the digest matches) with its
    own, configurable limits. The plan's `unpackedBytes` counts file contents only; that of ArchiveLimits also counts
    tar headers and padding."""
    return ArchiveLimits(
        unpacked_bytes=2 * unpacked_bytes + (4 << 30),
        members=5_000_000,
        ratio=2_000,
        processing_seconds=6 * 3600,
    )
