"""One build from nothing to whole on disk: download, verify, unpack, place. Every step can be repeated."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

import urllib3

from slipway.agent.cache.cache_layout import Layout
from slipway.agent.cache.disk_space import DiskSpace, is_disk_full
from slipway.agent.cache.download import PIECE_BYTES, FetchFailed, UrlRefused, download
from slipway.agent.cache.inventory import Inventory, Whole, remove_tree
from slipway.agent.cache.part_file import PartFile
from slipway.agent.crash_points import crash_point
from slipway.agent.plan import WantedBuild
from slipway.agent.sessions.session_files import SessionFiles
from slipway.agent.build_statuses import Board, Phase
from slipway.agent.storage_addresses import StorageAddresses
from slipway.archive.archive_limits import Limits
from slipway.archive.inspection import Inspection
from slipway.archive.archive_rejected import ArchiveRejected
from slipway.archive.unpacking import UnpackCancelled, unpack
from slipway.client.durable import fsync_path, fsync_tree

_FLOOR_CHECK_BYTES = 64 << 20


class Cancelled(Exception):
    """The build is no longer wanted, or the agent is stopping."""


@dataclass(frozen=True)
class Task:
    """`attempt` counts from 1. `refresh` fetches the plan again and returns the build as it is wanted now."""

    wanted: WantedBuild
    attempt: int
    refresh: Callable[[], WantedBuild]
    cancelled: Event = field(default_factory=Event)

    def check(self) -> None:
        if self.cancelled.is_set():
            raise Cancelled


class BuildFetch:
    """Runs tasks, each in the thread that calls `run`."""

    def __init__(
        self,
        layout: Layout,
        inventory: Inventory,
        sessions: SessionFiles,
        pool: urllib3.PoolManager,
        addresses: StorageAddresses,
        space: DiskSpace,
        board: Board,
    ) -> None:
        self._layout = layout
        self._inventory = inventory
        self._sessions = sessions
        self._pool = pool
        self._addresses = addresses
        self._space = space
        self._board = board

    def run(self, task: Task) -> None:
        """Afterwards the build is whole in its place. Raises FetchFailed, DiskFull or Cancelled."""
        wanted = task.wanted
        need = wanted.size + wanted.unpacked_bytes
        try:
            self._board.enter(wanted.key, Phase.DOWNLOADING, wanted.size, attempt=task.attempt)
            self._download(task, need)
            crash_point("after-download")
            self._board.enter(wanted.key, Phase.VERIFYING, wanted.size, attempt=task.attempt)
            self._verify(task)
            crash_point("after-verify")
            inspection = self._unpack(task)
            crash_point("after-unpack")
            self._place(task, inspection)
        except OSError as error:
            if is_disk_full(error):
                self._drop_unpacked(wanted)
                raise self._space.ran_out(need) from error
            raise FetchFailed(f"disk: {error.strerror or error}") from error
        finally:
            self._space.release(wanted.key)

    def _download(self, task: Task, need: int) -> None:
        wanted = task.wanted
        with PartFile(self._layout, wanted) as part:
            self._space.reserve(wanted.key, need - part.length)
            self._board.moved(wanted.key, part.length)
            unchecked = 0

            def wrote(count: int) -> None:
                nonlocal unchecked
                task.check()
                self._space.wrote(wanted.key, count)
                self._board.moved(wanted.key, part.length, transferred=count)
                unchecked += count
                if unchecked >= _FLOOR_CHECK_BYTES:
                    unchecked = 0
                    self._space.check_floor(need - part.length)

            task.check()
            try:
                self._fetch_from(wanted.archive_url, wanted.size, part, wrote)
            except UrlRefused:
                # Addresses live for minutes; a fresh one is a plan away. If that one is refused too, back off.
                self._fetch_from(task.refresh().archive_url, wanted.size, part, wrote)

    def _fetch_from(self, url: str, size: int, part: PartFile, wrote: Callable[[int], None]) -> None:
        self._addresses.check(url)
        download(self._pool, url, size, part, wrote)

    def _verify(self, task: Task) -> None:
        """Compare size and SHA-256 with the plan. First half of the `verifying` bar."""
        wanted = task.wanted
        digest = hashlib.sha256()
        done = 0
        buffer = memoryview(bytearray(PIECE_BYTES))
        with self._layout.part(wanted.key).open("rb", buffering=0) as file:
            while count := file.readinto(buffer):
                task.check()
                digest.update(buffer[:count])
                done += count
                self._board.moved(wanted.key, done // 2)
        if done != wanted.size or digest.hexdigest() != wanted.sha256:
            self._inventory.drop_part(wanted.key)
            raise FetchFailed(
                f"wrong digest: the plan says sha256 {wanted.sha256[:12]}…, what arrived has "
                f"{digest.hexdigest()[:12]}… ({done} bytes); it was deleted"
            )

    def _unpack(self, task: Task) -> Inspection:
        """Into a directory out of view. Second half of the `verifying` bar."""
        wanted = task.wanted
        into = self._layout.unpacking(wanted.key)
        self._drop_unpacked(wanted)
        into.mkdir()

        def progress(consumed: int) -> None:
            if consumed >= wanted.size // 2:
                crash_point("mid-unpack")
            self._board.moved(wanted.key, (wanted.size + consumed) // 2)

        try:
            with self._layout.part(wanted.key).open("rb") as source:
                inspection = unpack(source, into, _limits(wanted), wanted.launcher, progress, task.cancelled.is_set)
            task.check()
            if inspection.top_directory != wanted.top_directory:
                raise FetchFailed(
                    f"the archive holds {inspection.top_directory!r}, the plan says {wanted.top_directory!r}"
                )
            into.chmod(0o755)
            fsync_tree(into, between=task.check)
        except UnpackCancelled as cancelled:
            self._drop_unpacked(wanted)
            raise Cancelled from cancelled
        except ArchiveRejected as rejected:
            self._drop_unpacked(wanted)
            # The digest is right, so these are the platform's bytes: kept, or every retry would fetch them again.
            raise FetchFailed(f"the archive cannot be unpacked: {rejected}") from rejected
        except (FetchFailed, Cancelled):
            self._drop_unpacked(wanted)
            raise
        return inspection

    def _place(self, task: Task, inspection: Inspection) -> None:
        """Marker first, then the rename: see Whole."""
        wanted = task.wanted
        key = wanted.key
        self._clear_place(wanted)
        game = self._layout.game(key.game_id)
        if not game.is_dir():
            game.mkdir()
            game.chmod(0o755)
            fsync_path(game.parent)
        self._inventory.mark(
            key,
            Whole(
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
        """Something may lie there: a directory without marker, or other bytes under the same number."""
        key = wanted.key
        with self._sessions.locked():
            if not self._layout.build(key).exists():
                return
            if self._sessions.in_use().blocks(key):
                raise FetchFailed("a session still runs on other bytes of this build")
            trashed = self._inventory.discard(key)
        if trashed is not None:
            remove_tree(trashed)

    def _drop_unpacked(self, wanted: WantedBuild) -> None:
        path: Path = self._layout.unpacking(wanted.key)
        if path.exists():
            remove_tree(path)


def _limits(wanted: WantedBuild) -> Limits:
    """The platform has judged these very bytes (the digest says so) by its own, configurable limits, so ours only
    bound the damage. `unpacked_bytes` of the plan counts file contents, that of Limits tar headers and padding too."""
    return Limits(
        unpacked_bytes=2 * wanted.unpacked_bytes + (4 << 30),
        members=5_000_000,
        ratio=2_000,
        processing_seconds=6 * 3600,
    )
