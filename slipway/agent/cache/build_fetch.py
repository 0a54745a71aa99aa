"""Fetches one build to disk: download, verify, unpack, place. Every step can be repeated."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

import urllib3

from slipway.agent.build_statuses import BuildStatuses, Phase
from slipway.agent.cache.build_store import BuildMarker, Inventory, remove_tree
from slipway.agent.cache.cache_layout import CacheLayout
from slipway.agent.cache.disk_space import DiskSpace, is_disk_full
from slipway.agent.cache.download import PIECE_BYTES, FetchFailed, UrlRejected, download
from slipway.agent.cache.part_file import PartFile
from slipway.agent.cache.tree_sync import fsync_tree
from slipway.agent.crash_points import crash_point
from slipway.agent.plan import WantedBuild
from slipway.agent.sessions.session_files import SessionFiles
from slipway.agent.storage_addresses import StorageAddresses
from slipway.archive.archive_limits import ArchiveLimits
from slipway.archive.archive_rejected import ArchiveRejected
from slipway.archive.inspection import Inspection
from slipway.archive.unpacking import UnpackCancelled, unpack
from slipway.client.durable import fsync_path

_FLOOR_CHECK_INTERVAL_BYTES = 64 << 20


class FetchCancelled(Exception):
    """The build is no longer in the plan, or the agent is stopping."""


@dataclass(frozen=True)
class FetchTask:
    """`attempt` counts from 1. `refresh` fetches the plan again and returns its current entry for the build."""

    wanted: WantedBuild
    attempt: int
    refresh: Callable[[], WantedBuild]
    cancelled: Event = field(default_factory=Event)

    def check(self) -> None:
        if self.cancelled.is_set():
            raise FetchCancelled


class BuildFetch:
    """Runs each task in the thread that calls `run`."""

    def __init__(
        self,
        layout: CacheLayout,
        inventory: Inventory,
        sessions: SessionFiles,
        pool: urllib3.PoolManager,
        addresses: StorageAddresses,
        space: DiskSpace,
        statuses: BuildStatuses,
    ) -> None:
        self._layout = layout
        self._inventory = inventory
        self._sessions = sessions
        self._pool = pool
        self._addresses = addresses
        self._space = space
        self._statuses = statuses

    def run(self, task: FetchTask) -> None:
        """Fetch the build and place it in the cache. Raises FetchFailed, DiskFull or FetchCancelled."""
        wanted = task.wanted
        need = wanted.size + wanted.unpacked_bytes
        try:
            self._statuses.set_phase(wanted.key, Phase.DOWNLOADING, wanted.size, attempt=task.attempt)
            self._download(task, need)
            crash_point("after-download")
            self._statuses.set_phase(wanted.key, Phase.VERIFYING, wanted.size, attempt=task.attempt)
            self._verify(task)
            crash_point("after-verify")
            inspection = self._unpack(task)
            crash_point("after-unpack")
            self._place(task, inspection)
        except OSError as error:
            if is_disk_full(error):
                self._drop_unpacked(wanted)
                raise self._space.disk_full_error(need) from error
            raise FetchFailed(f"disk: {error.strerror or error}") from error
        finally:
            self._space.free_reservation(wanted.key)

    def _download(self, task: FetchTask, need: int) -> None:
        wanted = task.wanted
        with PartFile(self._layout, wanted) as part:
            self._space.reserve(wanted.key, need - part.length)
            self._statuses.set_progress(wanted.key, part.length)
            unchecked = 0

            def wrote(count: int) -> None:
                nonlocal unchecked
                task.check()
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
        download(self._pool, url, size, part, wrote)

    def _verify(self, task: FetchTask) -> None:
        """Compare size and SHA-256 with the plan. First half of the `verifying` progress."""
        wanted = task.wanted
        digest = hashlib.sha256()
        done = 0
        buffer = memoryview(bytearray(PIECE_BYTES))
        with self._layout.part(wanted.key).open("rb", buffering=0) as file:
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
        self._drop_unpacked(wanted)
        into.mkdir()

        def progress(consumed: int) -> None:
            if consumed >= wanted.size // 2:
                crash_point("mid-unpack")
            self._statuses.set_progress(wanted.key, (wanted.size + consumed) // 2)

        try:
            with self._layout.part(wanted.key).open("rb") as source:
                inspection = unpack(source, into, _limits(wanted), wanted.launcher, progress, task.cancelled.is_set)
            task.check()
            if inspection.top_directory != wanted.top_directory:
                raise FetchFailed(
                    f"the archive contains {inspection.top_directory!r}, the plan names {wanted.top_directory!r}"
                )
            into.chmod(0o755)
            fsync_tree(into, between=task.check)
        except UnpackCancelled as cancelled:
            self._drop_unpacked(wanted)
            raise FetchCancelled from cancelled
        except ArchiveRejected as rejected:
            self._drop_unpacked(wanted)
            # The digest matches the plan, so the download is kept: each retry would fetch the same bytes again.
            raise FetchFailed(f"the archive cannot be unpacked: {rejected}") from rejected
        except (FetchFailed, FetchCancelled):
            self._drop_unpacked(wanted)
            raise
        return inspection

    def _place(self, task: FetchTask, inspection: Inspection) -> None:
        """Marker first, then the rename: see BuildMarker."""
        wanted = task.wanted
        key = wanted.key
        self._clear_place(wanted)
        game = self._layout.game(key.game_id)
        if not game.is_dir():
            game.mkdir()
            game.chmod(0o755)
            fsync_path(game.parent)
        self._inventory.write_marker(
            key,
            BuildMarker(
                sha256=wanted.sha256,
                size=wanted.size,
                unpacked_bytes=inspection.unpacked_bytes,
                top_directory=inspection.top_directory,
                launcher=inspection.launcher,
            ),
        )
        crash_point("before-rename")
        self._layout.unpacking(key).rename(self._layout.build(key))
        fsync_path(game)
        crash_point("after-rename")

    def _clear_place(self, wanted: WantedBuild) -> None:
        """Remove what is in the build's place: a directory without a marker, or other bytes with the same number."""
        key = wanted.key
        with self._sessions.locked():
            if not self._layout.build(key).exists():
                return
            if self._sessions.in_use().blocks(key):
                raise FetchFailed("a session still uses an earlier archive of this build")
            trashed = self._inventory.discard(key)
        if trashed is not None:
            remove_tree(trashed)

    def _drop_unpacked(self, wanted: WantedBuild) -> None:
        path: Path = self._layout.unpacking(wanted.key)
        if path.exists():
            remove_tree(path)


def _limits(wanted: WantedBuild) -> ArchiveLimits:
    """Limits that only bound the damage: the platform has already inspected these bytes (the digest matches) with
    its own, configurable limits. The plan's `unpacked_bytes` counts file contents only; that of ArchiveLimits also
    counts tar headers and padding."""
    return ArchiveLimits(
        unpacked_bytes=2 * wanted.unpacked_bytes + (4 << 30),
        members=5_000_000,
        ratio=2_000,
        processing_seconds=6 * 3600,
    )
